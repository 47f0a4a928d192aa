/* The examples do what they are shown for: they serve under the daemon, keep their lines of the
 * scoreboard, and leave when asked, with the job at hand done. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dynamic_pool.h"
#include "load.h"

#define REQUESTS 20

/* The built one is beside the daemon, the scripts are in the source tree that make tells. */
static const char *example(const char *name)
{
	static char path[PATH_MAX];
	const char *source = getenv("srcdir"), *daemon = preforkd_program();
	bool built = !strchr(name, '.');
	char found[PATH_MAX];

	snprintf(found, sizeof(found), "%.*s/examples/%s",
		built ? (int)(strrchr(daemon, '/') - daemon) : PATH_MAX / 2,
		built    ? daemon
		: source ? source
			 : ".",
		name);
	ck_assert_msg(realpath(found, path) != NULL, "%s is not there", found);
	return path;
}

static bool succeeds(const char *command)
{
	char quiet[160];

	snprintf(quiet, sizeof(quiet), "(%s) >/dev/null 2>&1", command);
	return system(quiet) == 0;
}

/* What all lines say together. */
static long jobs(void)
{
	const char *text = file_text("run/web.scoreboard");
	long sum = 0;

	for (off_t left = file_size("run/web.scoreboard"); left >= LINE; left -= LINE, text += LINE)
		sum += strtol(text + 12, NULL, 10);
	return sum;
}

/* The search for leaks at the end of a sanitized hello was seen to spin for ever when TERM had
 * come.
 */
#define NO_LEAK_SEARCH "environment = ASAN_OPTIONS=detect_leaks=0\n"

static int start(const char *interpreter, const char *name, const char *keys)
{
	int port = free_port();

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nsockets = tcp\nready = "
	       "scoreboard\n" NO_LEAK_SEARCH "command = %s %s\n%s",
		port, interpreter, example(name), keys);
	daemon_start();
	return port;
}

static void expect_stop_unforced(void)
{
	EXPECT_STOP();
	ck_assert(!log_has("killing it"));
	ck_assert(!log_has("Traceback") && !log_has(" at line "));
}

/* --- servers --- */

#define PHP_CAN "php -r 'exit(!class_exists(\"FFI\") || !function_exists(\"pcntl_sigprocmask\"));'"

static const struct {
	const char *interpreter, *name, *says;
	const char *needs; /* a command that succeeds where it can run */
	bool wakes_alone;  /* a connection wakes one worker */
	bool serves_many;  /* at a time */
} servers[] = {
	{"", "hello", "Hello from pid ", "true", false, false},
	{"", "worker", "Hello from C", "true", true, false},
	{"python3", "worker.py", "Hello from Python", "command -v python3", true, false},
	{"perl", "worker.pl", "Hello from Perl", "command -v perl", true, false},
	{"ruby", "worker.rb", "Hello from Ruby", "command -v ruby", true, false},
	{"php", "worker.php", "Hello from PHP", PHP_CAN, true, false},
	{"node", "worker.js", "Hello from Node", "command -v node", false, true},
};
#define SERVERS (int)(sizeof(servers) / sizeof(servers[0]))

static bool can_run(int server)
{
	return succeeds(servers[server].needs);
}

START_TEST(serves_and_counts_its_jobs)
{
	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	int port = start(servers[_i].interpreter, servers[_i].name, "max_workers = 2\n");

	WAIT_FOR(in_state('_') == 2);
	for (int i = 0; i < REQUESTS; i++) {
		const char *answer = http_get(port, "/");

		ck_assert_msg(answer && strncmp(answer, servers[_i].says, 10) == 0, "%s", answer);
	}
	WAIT_FOR(jobs() == REQUESTS && in_state('_') == 2);
	expect_stop_unforced();
}
END_TEST

/* Connections that are not yet a request make it busy. */
START_TEST(is_busy_while_it_serves_and_finishes_when_asked_to_leave)
{
	int fds[2];

	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	int port = start(servers[_i].interpreter, servers[_i].name,
		"max_workers = 8\nmin_spare_workers = 1\n");

	WAIT_FOR(in_state('_') == 1);
	for (int i = 0; i < 2; i++) {
		fds[i] = port_connect(port);
		WAIT_FOR(in_state('W') >= (servers[_i].serves_many ? 1 : i + 1));
	}
	WAIT_FOR(worker_count() > in_state('W') && in_state('_') >= 1);
	daemon_kill(SIGTERM);
	nap_ms(100);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(http_exchange(fds[i], "/"));
	EXPECT_EXIT(0);
	ck_assert(!log_has("killing it"));
}
END_TEST

START_TEST(goes_when_it_is_surplus)
{
	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	int port = start(servers[_i].interpreter, servers[_i].name,
		"max_workers = 5\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
		"start_workers = 4\nidle_timeout = 100ms\n");

	WAIT_FOR(retirements() == 3 && worker_count() == 1);
	ck_assert_ptr_nonnull(http_get(port, "/"));
	expect_stop_unforced();
}
END_TEST

/* How often the workers that wait went to sleep, all together. */
static long sleeps(void)
{
	pid_t pids[MANY_WORKERS];
	long sum = 0;

	for (int i = 0, count = workers(pids); i < count; i++) {
		const char *name = path_of("/proc/%d/status", (int)pids[i]);
		const char *number = file_value(name, "voluntary_ctxt_switches:");

		sum += number ? strtol(number, NULL, 10) : 0;
	}
	return sum;
}

/* One connection after another at eight workers: were all woken for each, they would sleep again
 * at least as often. One that is woken may sleep more than once until it has answered. */
START_TEST(wakes_one_worker_for_a_connection)
{
	const int idle = 8;

	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	SKIP_UNLESS(servers[_i].wakes_alone, "its way to wait wakes all");
	int port = start(servers[_i].interpreter, servers[_i].name, "max_workers = 8\n");

	WAIT_FOR(in_state('_') == idle);
	nap_ms(200);
	long before = sleeps();

	for (int i = 0; i < REQUESTS; i++) {
		ck_assert_ptr_nonnull(http_get(port, "/"));
		WAIT_FOR(jobs() == i + 1 && in_state('_') == idle);
	}
	ck_assert_int_lt(sleeps() - before, REQUESTS * idle);
	expect_stop_unforced();
}
END_TEST

/* Retired and replaced all the time, and asked without a pause: none of those that leave takes a
 * connection along. */
START_TEST(loses_no_request_while_workers_are_replaced)
{
	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	int port = start(servers[_i].interpreter, servers[_i].name,
		"max_workers = 3\nmax_requests = 20\nmin_uptime = 0\n");
	struct load load;

	WAIT_FOR(in_state('_') == 3);
	load = load_closed(load_port(port), "/", 2);
	WAIT_FOR(retirements() >= 6);
	load_end_without_loss(&load);
	expect_stop_unforced();
}
END_TEST

/* A stop that is over ends a wait with a limit (signal(7)), but must not end a connection. */
START_TEST(a_stop_and_its_end_lose_no_connection)
{
	SKIP_UNLESS(can_run(_i), "its interpreter is not there");
	int port = start(servers[_i].interpreter, servers[_i].name, "max_workers = 1\n");
	pid_t pids[MANY_WORKERS];
	int fd;

	WAIT_FOR(in_state('_') == 1);
	ck_assert_int_eq(workers(pids), 1);
	fd = port_connect(port);
	WAIT_FOR(in_state('W') == 1);
	nap_ms(100); /* until it waits for the request */
	kill(pids[0], SIGSTOP);
	nap_ms(100);
	kill(pids[0], SIGCONT);
	nap_ms(100);
	ck_assert_ptr_nonnull(http_exchange(fd, "/"));
	expect_stop_unforced();
}
END_TEST

START_TEST(hello_takes_its_time)
{
	int port = start("", "hello", "max_workers = 1\n");
	int64_t began;

	WAIT_FOR(in_state('_') == 1);
	began = now_ms();
	ck_assert_ptr_nonnull(http_get(port, "/sleep?ms=200"));
	ck_assert_int_ge(now_ms() - began, 200);
	expect_stop_unforced();
}
END_TEST

/* --- the shell's --- */

START_TEST(the_shell_worker_does_each_job_once)
{
	ck_assert_int_eq(mkdir(path_of("spool"), 0755), 0);
	for (int i = 0; i < REQUESTS; i++)
		file_write(path_of("spool/%d.job", i), "echo %d is done; echo >>%s\n", i,
			path_of("done"));
	config("[pool:web]\nmax_workers = 3\nready = scoreboard\ncommand = sh %s @dir@/spool\n",
		example("worker.sh"));
	daemon_start();
	WAIT_FOR(jobs() == REQUESTS && in_state('_') == 3);
	ck_assert_int_eq(file_size("done"), REQUESTS);
	for (int i = 0; i < REQUESTS; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%d is done\n", i);
		ck_assert_str_eq(file_text(path_of("spool/%d.out", i)), text);
		ck_assert(!file_exists(path_of("spool/%d.job", i)));
	}
	expect_stop_unforced();
}
END_TEST

START_TEST(the_shell_worker_finishes_its_job_when_asked_to_leave)
{
	ck_assert_int_eq(mkdir(path_of("spool"), 0755), 0);
	config("[pool:web]\nmax_workers = 1\nready = scoreboard\ncommand = sh %s @dir@/spool\n",
		example("worker.sh"));
	daemon_start();
	WAIT_FOR(in_state('_') == 1);
	file_write("spool/1.part", "echo begun; sleep 0.5; echo ended\n");
	rename(path_of("spool/1.part"), path_of("spool/1.job"));
	WAIT_FOR(file_has("spool/1.out", "begun"));
	ck_assert_int_eq(board_byte("web", 0, 0), 'W');
	expect_stop_unforced();
	ck_assert_str_eq(file_text("spool/1.out"), "begun\nended\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("examples");
	TCase *serving = harness_case(suite, "servers");
	TCase *shell = harness_case(suite, "shell");

	tcase_add_loop_test(serving, serves_and_counts_its_jobs, 0, SERVERS);
	tcase_add_loop_test(
		serving, is_busy_while_it_serves_and_finishes_when_asked_to_leave, 0, SERVERS);
	tcase_add_loop_test(serving, goes_when_it_is_surplus, 0, SERVERS);
	tcase_add_loop_test(serving, wakes_one_worker_for_a_connection, 0, SERVERS);
	tcase_add_loop_test(serving, loses_no_request_while_workers_are_replaced, 0, SERVERS);
	tcase_add_loop_test(serving, a_stop_and_its_end_lose_no_connection, 0, SERVERS);
	tcase_add_test(serving, hello_takes_its_time);
	tcase_add_test(shell, the_shell_worker_does_each_job_once);
	tcase_add_test(shell, the_shell_worker_finishes_its_job_when_asked_to_leave);
	return harness_main(suite);
}
