#ifndef PREFORKD_SUPERVISOR_H
#define PREFORKD_SUPERVISOR_H
/*
 * The life of the daemon: starting, running, stopping. Owns the loop, the pools, the sockets, the
 * runtime folder. What it does while it runs is done in the turns of its loop (turn.h). Floor 3.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attendance.h"
#include "control_handler.h"
#include "ending.h"
#include "events.h"
#include "errmsg.h"
#include "fd_store.h"
#include "http_process.h"
#include "keeper.h"
#include "leavers.h"
#include "pidfile.h"
#include "pool.h"
#include "rate_limit.h"
#include "reload.h"
#include "runtime_dir.h"
#include "service_manager.h"
#include "signals.h"
#include "spawn.h"
#include "strangers.h"
#include "upgrade.h"
#include "walk.h"

struct passed_sockets;
struct pool;
struct pool_settings;
struct settings;
struct startup_limits;
struct state;

/* Whoever waits for the start. Told once: EX_OK as soon as the first workers of every pool are
 * ready; else, when everything is closed again, the exit status and the reason. */
struct supervisor_starter {
	void (*tell)(void *context, int status, const char *message);
	void *context;
};

/* How it was called: what no configuration says, and a reload keeps. */
struct supervisor_options {
	const char *version;
	const char *helper_folder;  /* where preforkd-http is installed */
	const char *library_folder; /* where libprefork-auto.so is */
	const char *config_path;    /* as it was given: the current folder never changes */
	int log_level;              /* -1: the configuration's */
	bool daemon;                /* nobody reads standard error: syslog instead */
	const char *program;        /* our own, absolute, for an upgrade */
	const struct startup_limits *found_limits;
	struct passed_sockets *passed;            /* empty once the sockets are open */
	const struct supervisor_starter *starter; /* NULL: nobody waits */
	struct state *resumed;                    /* after an upgrade; NULL: a start */
};

enum supervisor_phase { PHASE_STARTING, PHASE_RUNNING, PHASE_STOPPING };

struct supervisor {
	const struct supervisor_options *options;
	struct configuration *configuration; /* in force; held */
	struct reload reload;
	char *auto_library; /* owned */
	char *name;         /* of the instance: the first configuration's; owned */
	struct ev_loop *loop;
	ev_prepare prepare;
	ev_async wake; /* something came up between a turn and the sleep after it */
	ev_idle again; /* runs while some pool is not done: the loop must not sleep */
	ev_io signal_watcher;
	ev_timer signal_timer; /* while they cannot be watched */
	struct signals signals;
	struct strangers strangers;
	bool signals_waiting;
	bool children_ended; /* SIGCHLD came */
	struct rate_limit unlisted_log;

	struct control *control; /* NULL: off */
	struct events events;
	struct control_waits waits;
	struct http_process http;
	struct service_manager manager;
	struct fd_store store;

	struct runtime_dir runtime_dir;
	struct pidfile pidfile;
	struct spawn_reports reports;
	struct keeper keeper;
	struct upgrade upgrade;
	struct state *past;             /* of an earlier supervisor, while we start; or NULL */
	struct settings *past_settings; /* by which it lived; owned; or NULL */
	struct errmsg past_unreadable;  /* why we do not know of one, if there was any */
	bool resumed;                   /* it was ourselves, before an upgrade */
	bool follows_death;             /* an earlier supervisor left workers behind */
	struct leavers leavers;         /* its workers that nobody wants */
	ev_timer leave_timer;           /* while there are any */

	struct pool_place place; /* of all pools */
	struct pool **pool;      /* owned */
	size_t pool_count;
	size_t next_pool; /* whose turn it is */

	enum supervisor_phase phase;
	const struct supervisor_starter *starter; /* borrowed; NULL: nobody waits, or was told */
	struct errmsg failure;                    /* why it stops, when that is nobody's wish */
	struct ending ending;
	struct walk walk;
	int exit_status;
	struct attendance attendance;
	int64_t began_ms;
	int64_t lag_max_ms; /* the latest that something due was looked at, absences apart */
	bool clearing;      /* all workers have gone; what they left behind is ended */
	int64_t clear_until;
	ev_timer clear_timer;
};

/* It could not begin to go on after an upgrade: all has been left as by a death. */
#define SUPERVISOR_NOT_RESUMED (-1)

/* Supervises until the end; the exit status (sysexits(3)). Takes the settings over, and what was
 * passed. */
int supervisor_run(struct settings *settings, const struct supervisor_options *options);

#endif
