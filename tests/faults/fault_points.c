/*
 * Named places where the supervisor can be made to stop itself, so that a test can end it right
 * there, or let something happen meanwhile: functions of its own that one source calls in another
 * (tests/faults/wrapped lists them for the linker). NAME is before the call, NAME:after behind it.
 */
#include "fault.h"

#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "log_target.h"
#include "pool_past.h"
#include "pool_roll.h"
#include "socket_table.h"
#include "spawn.h"
#include "state_file.h"
#include "supervisor.h"
#include "upgrade.h"
#include "worker.h"

#define VOID_POINT(name, parameters, arguments)                                                    \
	__typeof__(name) __real_##name, __wrap_##name;                                             \
	void __wrap_##name parameters                                                              \
	{                                                                                          \
		fault_point(#name);                                                                \
		__real_##name arguments;                                                           \
		fault_point(#name ":after");                                                       \
	}

#define POINT(type, name, parameters, arguments)                                                   \
	__typeof__(name) __real_##name, __wrap_##name;                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		type result;                                                                       \
                                                                                                   \
		fault_point(#name);                                                                \
		result = __real_##name arguments;                                                  \
		fault_point(#name ":after");                                                       \
		return result;                                                                     \
	}

/* a start, and that it is written down */
POINT(int, spawn_start,
	(struct spawned * out, const struct spawn_plan *plan, struct spawn_reports *reports,
		struct errmsg *err),
	(out, plan, reports, err))
POINT(int, state_file_save, (int dir_fd, const char *bytes, size_t length, struct errmsg *err),
	(dir_fd, bytes, length, err))
VOID_POINT(worker_reap, (struct worker * worker, struct worker_end *end, int64_t now_ms),
	(worker, end, now_ms))

/* a reload: prepared, in force, rolling, done or given up */
POINT(int, log_target_open,
	(const struct supervisor_options *options, const struct settings *settings,
		struct errmsg *err),
	(options, settings, err))
VOID_POINT(socket_table_apply, (const struct socket_table *table), (table))
VOID_POINT(worker_retire, (struct worker * worker, int signal, const char *why, int64_t now_ms),
	(worker, signal, why, now_ms))
VOID_POINT(pool_roll_commit, (struct pool * pool), (pool))
VOID_POINT(pool_roll_back, (struct pool * pool, bool keep), (pool, keep))

/* an upgrade: the new program (before it: state_memory_make, execve) */
POINT(int, supervisor_run, (struct settings * settings, const struct supervisor_options *options),
	(settings, options))
POINT(int, adopt_find,
	(struct supervisor * supervisor, const struct settings *settings, struct errmsg *err),
	(supervisor, settings, err))
VOID_POINT(adopt_end, (struct supervisor * supervisor), (supervisor))
POINT(struct pool *, pool_take_up,
	(struct configuration * configuration, const struct pool_settings *settings,
		const struct pool_place *place, const struct pool_past *past, struct errmsg *err),
	(configuration, settings, place, past, err))
VOID_POINT(upgrade_finish, (struct supervisor * supervisor), (supervisor))

/* What is handed over can be made to look like another version's. */
__typeof__(state_memory_make) __real_state_memory_make, __wrap_state_memory_make;

int __wrap_state_memory_make(const char *bytes, size_t length, struct errmsg *err)
{
	const char *head = fault_head();
	char *copy;
	int fd;

	fault_point("state_memory_make");
	if (!*head || strlen(head) > length)
		return __real_state_memory_make(bytes, length, err);
	copy = malloc(length);
	if (!copy)
		abort();
	memcpy(copy, bytes, length);
	memcpy(copy, head, strlen(head));
	fd = __real_state_memory_make(copy, length, err);
	free(copy);
	return fd;
}
