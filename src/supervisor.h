#ifndef PREFORKD_SUPERVISOR_H
#define PREFORKD_SUPERVISOR_H
/*
 * The life of the daemon: starting, running, stopping. Owns the loop, the pools, the sockets, the
 * runtime folder. Watcher callbacks only record facts; once a loop turn, before it would sleep, the
 * supervisor acts on them (supervisor.c: signals, then pools, then its own phase). Floor 3.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attendance.h"
#include "ending.h"
#include "errmsg.h"
#include "pidfile.h"
#include "rate_limit.h"
#include "runtime_dir.h"
#include "signals.h"
#include "socket_table.h"
#include "spawn.h"
#include "strangers.h"
#include "walk.h"

struct passed_sockets;
struct pool;
struct settings;
struct startup_limits;

/* Whoever waits for the start. Told once: EX_OK as soon as the first workers of every pool are
 * ready; else, when everything is closed again, the exit status and the reason. */
struct supervisor_starter {
	void (*tell)(void *context, int status, const char *message);
	void *context;
};

enum supervisor_phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING };

struct supervisor {
	const struct settings *settings;
	const char *config_path;
	const struct startup_limits *found_limits;
	struct ev_loop *loop;
	ev_prepare prepare;
	ev_idle again; /* runs while some pool is not done: the loop must not sleep */
	ev_io signal_watcher;
	ev_timer signal_timer; /* while they cannot be watched */
	struct signals signals;
	struct strangers strangers;
	bool signals_waiting;
	bool children_ended; /* SIGCHLD came */
	struct rate_limit unlisted_log;

	struct runtime_dir runtime_dir;
	struct pidfile pidfile;
	struct passed_sockets *passed; /* borrowed, empty once the sockets are open */
	struct socket_table sockets;
	struct spawn_reports reports;
	struct pool **pool; /* owned */
	size_t pool_count;
	size_t next_pool; /* whose turn it is */

	enum supervisor_phase phase;
	const struct supervisor_starter *starter; /* borrowed; NULL: nobody waits, or was told */
	struct errmsg failure;                    /* why it stops, when that is nobody's wish */
	struct ending ending;
	struct walk walk;
	int exit_status;
	struct attendance attendance;
	bool clearing; /* all workers have gone; what they left behind is ended */
	int64_t clear_until;
	ev_timer clear_timer;
};

/* Supervises until the end; the exit status (sysexits(3)). Takes what was passed. starter may be
 * NULL. */
int supervisor_run(const struct settings *settings, const char *config_path,
	const struct startup_limits *found_limits, struct passed_sockets *passed,
	const struct supervisor_starter *starter);

#endif
