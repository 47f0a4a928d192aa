/* An upgrade whose n-th call fails, before the exec or in the new program: sweep.h. */
#include "fault_world.h"
#include "sweep.h"

static const char *command(void)
{
	return sweep_command("upgrade", NULL, NULL);
}

/* A supervisor that has started has some descriptors more than one that was upgraded. */
static void upgrade_well(void)
{
	WAIT_FOR(preforkd_run("-c", path_of("app.ini"), "upgrade") == 0);
}

int main(void)
{
	static const struct deed deeds[] = {{"upgrade", command, upgrade_well}};

	return sweep_main("sweep_upgrade", deeds, 1, 30);
}
