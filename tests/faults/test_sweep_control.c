/* Commands, and the replacement of a worker, whose n-th call fails: sweep.h. */
#include "fault_world.h"
#include "sweep.h"

#define PATIENCE_MS 8000

static const char *commands(void)
{
	static const char *const command[][3] = {{"status"}, {"scale", "web", "+1"},
		{"scale", "web", "-1"}, {"restart", "web", "1"}, {"signal", "CONT", "web"},
		{"reopen"}};
	const char *what = NULL;

	for (size_t i = 0; !what && i < sizeof(command) / sizeof(command[0]); i++)
		what = sweep_command(command[i][0], command[i][1], command[i][2]);
	return what;
}

static void scale_back(void)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", WEB_WORKERS);
	WAIT_FOR(preforkd_run("-c", path_of("app.ini"), "scale", "web", number) == 0);
	sweep_await_roll();
}

static const char *replacement(void)
{
	int64_t until = now_ms() + slow_ms(PATIENCE_MS);
	pid_t pid = worker_of("web", 0);

	nap_ms(slow_ms(50)); /* min_uptime: it is no failure */
	kill(pid, SIGKILL);
	while (process_runs(pid) || worker_count() != ALL_WORKERS) {
		if (now_ms() >= until)
			return "no new worker came";
		nap_ms(5);
	}
	return NULL;
}

static void nothing(void)
{
}

int main(void)
{
	static const struct deed deeds[] = {
		{"commands", commands, scale_back}, {"replacement", replacement, nothing}};

	return sweep_main("sweep_control", deeds, 2, 10);
}
