/*
 * Telling trouble at most once an interval. Only arithmetic on the time that is passed in; a clock
 * that was set back must not silence anybody for longer than one interval.
 */
#include "rate_limit.h"

#include <stddef.h>

bool rate_limit_pass(struct rate_limit *limit, int64_t now_ms, uint64_t *held_back)
{
	bool early = now_ms < limit->next_at;

	if (early && limit->next_at - now_ms <= limit->interval_ms) {
		limit->held_back++;
		return false;
	}
	if (held_back)
		*held_back = limit->held_back;
	limit->held_back = 0;
	if (__builtin_add_overflow(now_ms, limit->interval_ms, &limit->next_at))
		limit->next_at = INT64_MAX;
	return true;
}
