#ifndef PREFORKD_HOOK_H
#define PREFORKD_HOOK_H
/*
 * Commands run at events of a pool (on_exit), as the pool's user, never waited for by the pool.
 * Each has HOOK_TIMEOUT_SEC before it is killed, with its process group, and is forgotten after as
 * long again if not even that ends it; beyond HOOKS_MAX at once they are left out. What goes wrong
 * with them is said once a second. Floor 2.
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
	struct spawn_reports *reports;
	void (*changed)(void *pool); /* the last one ended */
	void *pool;
	struct hook *first;
	int running;
	struct rate_limit telling;
};

/* on_exit: PREFORKD_PID, PREFORKD_EXIT_STATUS or PREFORKD_EXIT_SIGNAL, PREFORKD_UPTIME (seconds).
 */
void hooks_run_exit(struct hooks *hooks, const struct launch *launch, const struct words *command,
	const struct worker_end *end);
bool hooks_own_pid(const struct hooks *hooks, pid_t pid);
/* Kills what still runs, and waits for nothing. */
void hooks_end(struct hooks *hooks);

#endif
