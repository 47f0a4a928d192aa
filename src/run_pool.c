/*
 * Single-process mode: the way to write and debug a worker before it is put into a pool. There is
 * no scoreboard; PREFORKD_SCOREBOARD and its like are not set.
 */
#include "run_pool.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "errmsg.h"
#include "exit_status.h"
#include "launch.h"
#include "settings.h"
#include "socket_table.h"

static int fail(int status, const char *what, const struct errmsg *err)
{
	fprintf(stderr, "preforkd: %s: %s\n", what, err->text);
	return status;
}

static int become(const struct pool_settings *pool, const struct settings *settings,
	const struct socket_table *sockets, const struct startup_limits *found_limits)
{
	const struct launch_place place = {
		.name = settings->preforkd.name,
		.sockets = sockets,
		.found_limits = found_limits,
	};
	struct launch_worker worker = {.generation = 1,
		.standard_fd = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
		.scoreboard_fd = -1};
	const struct spawn_plan *plan;
	struct launch launch;
	struct errmsg err;
	int status = EX_OSERR;

	if (launch_init(&launch, pool, &place, &err) < 0)
		return fail(EX_CONFIG, pool->name, &err);
	if (pool->standard_input.kind == STDIO_SOCKET)
		worker.standard_fd[0] = socket_table_find(sockets, pool->standard_input.target)->fd;
	/* What startup_prepare() did for a supervisor: exec would keep it. */
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	plan = launch_prepare(&launch, &worker, &err);
	if (plan && spawn_become(plan, &err) < 0 && (errno == EACCES || errno == EPERM))
		status = EX_NOPERM;
	launch_fini(&launch);
	return fail(status, pool->name, &err);
}

int run_pool(const struct settings *settings, const char *pool_name,
	const struct startup_limits *found_limits, struct passed_sockets *passed)
{
	const struct pool_settings *pool = settings_pool(settings, pool_name);
	struct socket_table sockets;
	struct errmsg err;
	int status;

	if (!pool) {
		fprintf(stderr, "preforkd: run: no [pool:%s] in the configuration\n", pool_name);
		return EX_USAGE;
	}
	if (socket_table_open(&sockets, settings, NULL, passed, &err) < 0)
		return fail(exit_status_of_errno(errno), "run", &err);
	passed_sockets_free(passed);
	status = become(pool, settings, &sockets, found_limits);
	socket_table_close(&sockets);
	return status;
}
