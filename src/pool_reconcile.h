#ifndef PREFORKD_POOL_RECONCILE_H
#define PREFORKD_POOL_RECONCILE_H
/* Making a pool what it should be. Floor 2. */
#include <stdint.h>

struct pool;

/* Takes in what happened, asks the policy, carries its plan out, and arms the timer for what is due
 * next. At most RECONCILE_STARTS (pool_start.h) workers are started in one call, so that signals
 * are answered in between: the pool stays dirty then. May be called too often. */
void pool_reconcile(struct pool *pool, int64_t now_ms);

#endif
