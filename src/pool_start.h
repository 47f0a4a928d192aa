#ifndef PREFORKD_POOL_START_H
#define PREFORKD_POOL_START_H
/* Starting workers of a pool: what one is given, and what it means when the machine refuses.
 * Floor 2. */
#include <stdbool.h>
#include <stdint.h>

struct pool;

/* So many starts a reconcile at most, so that signals are heard meanwhile; a pool that is not done
 * stays dirty. */
#define RECONCILE_STARTS 100

/* How many of `count` could be started, of the current generation. `replacement`: each for one that
 * is still there. */
int pool_start_workers(struct pool *pool, int count, bool replacement, int64_t now_ms);
/* The machine refused: waits, and tries again. */
void pool_machine_failed(struct pool *pool, const char *what, int64_t now_ms);
/* A random number in [0, 1). */
double pool_chance(void);

#endif
