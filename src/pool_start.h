#ifndef PREFORKD_POOL_START_H
#define PREFORKD_POOL_START_H
/* Starting one worker of a pool: its slot, its streams, its descriptor of the scoreboard, its
 * process. Floor 2. */
#include <stdint.h>

struct errmsg;
struct pool;
struct worker;

/* NULL with the reason and errno; nothing is left open then. */
struct worker *pool_start_worker(struct pool *pool, int64_t now_ms, struct errmsg *err);

#endif
