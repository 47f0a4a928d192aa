#ifndef PREFORKD_RATE_LIMIT_H
#define PREFORKD_RATE_LIMIT_H
/*
 * Trouble that repeats is told once an interval, with the number of times that were not told.
 * Time is passed in. Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
	int64_t interval_ms;
	int64_t next_at; /* before this: held back */
	uint64_t held_back;
};

/* May it be told at `now_ms`? When true, *held_back (may be NULL) is how many were not told since
 * the last time. */
bool rate_limit_pass(struct rate_limit *limit, int64_t now_ms, uint64_t *held_back);

#endif
