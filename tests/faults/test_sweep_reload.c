/* A reload, asked for by a command and by a signal, whose n-th call fails: sweep.h. */
#include "fault_world.h"
#include "sweep.h"

static const char *command(void)
{
	return sweep_command("reload", NULL, NULL);
}

static const char *hup(void)
{
	daemon_kill(SIGHUP);
	nap_ms(10);
	sweep_await_roll();
	return NULL;
}

int main(void)
{
	static const struct deed deeds[] = {
		{"reload", command, sweep_await_roll}, {"HUP", hup, sweep_await_roll}};

	return sweep_main("sweep_reload", deeds, 2, 12);
}
