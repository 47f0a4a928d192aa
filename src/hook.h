#ifndef PREFORKD_HOOK_H
#define PREFORKD_HOOK_H
/*
 * Commands run at events of a pool (on_spawn, on_ready, on_exit), as the pool's user, never waited
 * for by the pool. Each has HOOK_TIMEOUT_SEC before it is killed, with its process group, and is
 * forgotten after as long again if not even that ends it; beyond HOOKS_MAX at once they are left
 * out. What goes wrong with them is said once a second. Floor 2.
 */
#include <ev.h>

#include "rate_limit.h"
#include "worker.h"

struct launch;
struct words;

#define HOOK_TIMEOUT_SEC 10
#define HOOKS_MAX        32

struct hook;

struct hooks {
	struct ev_loop *loop;
	const char *pool_name;
	struct spawn_reports *reports;
	void (*changed)(void *pool); /* the last one ended */
	void *pool;
	struct hook *first;
	int running;
	struct rate_limit telling;
};

/* What happened to which worker. */
struct hook_event {
	const char *key; /* on_spawn, on_ready or on_exit: for the log */
	int slot;
	uint64_t generation;
	pid_t pid;
	int64_t age_ms;
	const struct worker_end *end; /* NULL: it lives */
};

/* The command, unless it is empty, with PREFORKD_PID and PREFORKD_UPTIME (seconds), and at the end
 * PREFORKD_EXIT_STATUS or PREFORKD_EXIT_SIGNAL. */
void hooks_run(struct hooks *hooks, const struct launch *launch, const struct words *command,
	const struct hook_event *event);
bool hooks_own_pid(const struct hooks *hooks, pid_t pid);
/* Kills what still runs, and waits for nothing. */
void hooks_end(struct hooks *hooks);

#endif
