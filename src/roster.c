/* A list, in the order of the configuration; what comes later is behind. */
#include "roster.h"

#include <string.h>

#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "supervisor.h"

void roster_add(struct supervisor *supervisor, struct pool *pool)
{
	supervisor->pool = memory_resize(
		supervisor->pool, supervisor->pool_count + 1, sizeof(*supervisor->pool));
	supervisor->pool[supervisor->pool_count++] = pool;
}

struct pool *roster_find(const struct supervisor *supervisor, const char *name)
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (strcmp(supervisor->pool[i]->name, name) == 0)
			return supervisor->pool[i];
	return NULL;
}

bool roster_all(const struct supervisor *supervisor, bool (*is)(const struct pool *pool))
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (!is(supervisor->pool[i]))
			return false;
	return true;
}

void roster_drop_removed(struct supervisor *supervisor)
{
	size_t kept = 0;

	/* It counts the pools. */
	if (supervisor->walk.on)
		return;
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		struct log_subject subject = LOG_SUBJECT_NONE;
		struct pool *pool = supervisor->pool[i];

		if (!pool->removed || !pool_empty(pool)) {
			supervisor->pool[kept++] = pool;
			continue;
		}
		subject.pool = pool->name;
		log_notice(&subject, "the last worker of the removed pool has gone");
		pool_free(pool);
	}
	supervisor->pool_count = kept;
}
