#ifndef PREFORKD_POOL_PAST_H
#define PREFORKD_POOL_PAST_H
/* A pool as it was, written down and taken up. Floor 2. */

struct configuration;
struct errmsg;
struct pool;
struct pool_past;
struct pool_place;
struct pool_settings;
struct state_pool;

/* As pool_new(), with the workers of an earlier supervisor, whose pidfds are the pool's from then
 * on. */
struct pool *pool_take_up(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, const struct pool_past *past, struct errmsg *err);
/* The pipes of workers' output, for an upgrade; their lists and texts are malloced. */
void pool_record_streams(const struct pool *pool, struct state_pool *out);
void pool_release_streams(struct state_pool *pool);
/* As much as another supervisor needs to take it up. Borrows texts of the pool, which must stay as
 * it is as long; the lists are malloced. */
void pool_record(const struct pool *pool, struct state_pool *out);

#endif
