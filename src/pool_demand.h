#ifndef PREFORKD_POOL_DEMAND_H
#define PREFORKD_POOL_DEMAND_H
/*
 * What waits at a pool's sockets while nobody there is idle. As long as somebody is, nothing is
 * asked and nothing watched. Then the sockets are watched until the first connection is waiting;
 * from there on their queues are looked at from time to time, until they are empty or somebody is
 * idle. Only looked at: the descriptors are those of the workers. Floor 2.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backlog.h"
#include "policy.h"

struct generation;

/* Who takes care that no job is lost says busy first, and accepts then. */
#define POOL_TAKING_MS 3

struct pool_demand {
	struct ev_loop *loop;
	void (*noticed)(void *context); /* a connection waits: reconcile */
	void *context;
	struct backlog_reader reader;
	ev_io *watcher; /* one a socket; owned */
	size_t watcher_count;
	bool fired;          /* a watcher has, since the last look */
	int waiting;         /* at the last look, all of them */
	int64_t pause_ms;    /* after a false alarm */
	int64_t quiet_until; /* not watched again before */
	bool doubting;       /* the queue was never empty ... */
	int64_t doubted_at;  /* ... since */
	int least;           /* ... and never shorter */
};

/* What it is asked with. */
struct demand_view {
	const struct generation *generation; /* whose sockets */
	const struct policy_rule *rule;
	const struct policy_census *census;
	int taking;    /* so many got busy this moment, and may accept only now: POOL_TAKING_MS */
	bool retiring; /* idle ones are about to be retired: look all the same */
	int64_t now_ms;
};

void pool_demand_open(struct pool_demand *demand, struct ev_loop *loop,
	void (*noticed)(void *context), void *context);
void pool_demand_close(struct pool_demand *demand);
/* Stops watching: the sockets may be closed now. */
void pool_demand_stop(struct pool_demand *demand);

/* Before the decision: so many connections wait for a worker to be started (census.waiting).
 * Unknown, when nobody wants to know. */
int pool_demand_look(struct pool_demand *demand, const struct demand_view *view);
/* After it: goes on watching where that is of use. When to look again; POLICY_NEVER. */
int64_t pool_demand_watch(
	struct pool_demand *demand, const struct demand_view *view, const struct policy_plan *plan);

#endif
