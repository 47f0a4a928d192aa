#ifndef PREFORKD_TURN_H
#define PREFORKD_TURN_H
/*
 * The turns of the supervisor's loop: watcher callbacks only record facts; once a turn, before the
 * loop would sleep, everything that follows from them is done, in one order. Floor 3.
 */
#include <stdint.h>

#include "worker_state.h"

struct errmsg;
struct pool;
struct supervisor;
struct worker;

/* Makes the loop, and hears signals from here on. */
int turn_open(struct supervisor *supervisor, struct errmsg *err);

/* What pools call (struct pool_place); the owner is the supervisor. Something is to be done: the
 * loop does not sleep before another turn. */
void turn_changed(void *owner);
/* Now, by the attended clock (attendance.h). */
int64_t turn_now(void *owner);
void turn_moved(void *owner, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why);

/* How the start ended, to who waits for it; the first time only. */
void turn_tell_starter(struct supervisor *supervisor, int status, const char *message);

#endif
