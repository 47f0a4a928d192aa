#ifndef PREFORKD_TOP_HISTORY_H
#define PREFORKD_TOP_HISTORY_H
/*
 * The last minute of each pool, second by second, made from the models as they come. Time is
 * passed in, from any clock that only goes forward.
 */
#include <stddef.h>
#include <stdint.h>

struct top_model;

#define HISTORY_SECONDS 60

enum history_kind { HISTORY_BUSY, HISTORY_JOBS, HISTORY_KINDS };

struct history_track {
	char *pool; /* name; owned */
	int64_t last_second;
	/* By second modulo 60; negative: not known. Of busy the most in that second */
	double value[HISTORY_KINDS][HISTORY_SECONDS];
};

struct history {
	struct history_track *track;
	size_t tracks;
};

/* Seconds without a model since the last one are taken to have been like this one, if it is no more
 * than `hold_seconds` ago; else nothing is known of them. Pools that were gone for a minute are
 * forgotten. */
void history_add(
	struct history *history, const struct top_model *model, int64_t now_ms, int hold_seconds);
void history_fini(struct history *history);
/* NULL: nothing known. */
const struct history_track *history_find(const struct history *history, const char *pool);

/* The minute up to now in `cells` steps, the oldest first, the most of each (negative: not known).
 * cells divides 60. Returns the most of all, 0 if nothing is known. */
double history_spread(const struct history_track *track, enum history_kind kind, int64_t now_ms,
	double *out, int cells);

#endif
