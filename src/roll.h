#ifndef PREFORKD_ROLL_H
#define PREFORKD_ROLL_H
/*
 * Replacing workers one for one: after a reload, and those that have done enough jobs, are old
 * enough or too big. A pure function beside the spare rules (policy.h): a replacement is started
 * first, and one that is to go is asked to only when its replacement is ready, so that there are
 * never fewer ready workers than before. A replacement counts for the spare rules from the moment
 * on at which it has taken another one's place. The pace is that of Clutch's and
 * Parallel::Prefork's slow restart. Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>

#define ROLL_NEVER INT64_MAX

struct roll_rule {
	int max_workers;
	int held;  /* so many of a roll's beginning may stay above max_workers until it has ended */
	int surge; /* replacements that may be on their way at a time; 1 at least */
	int64_t spawn_interval_ms; /* least time between two retirements */
};

/* Who is there, without those that are leaving. */
struct roll_census {
	int old_starting; /* to be replaced, never were ready: nobody misses them */
	int old_ready;    /* to be replaced */
	int new_starting; /* replacements that are not ready */
	int new_ready;    /* replacements that are ready and have not taken another's place yet */
	int fresh_starting, fresh_ready; /* all others */
	int leaving;
	bool proven; /* one of the new generation has stayed min_uptime */
};

struct roll_memory {
	int64_t retired_at; /* the last retirement */
	bool retired;       /* there was one */
};

struct roll_plan {
	int start;  /* replacements */
	int retire; /* of those to be replaced: the longest idle first, busy ones last */
	int taking; /* so many of these retirements are against a replacement that is ready */
	int64_t wake_at;
};

/* How many replacements nobody waits for any more, since those they were for have ended: they count
 * as ordinary workers from now on. */
int roll_superfluous(const struct roll_census *census);
/* start_allowed_at: the back-off's and spawn_interval's word. */
struct roll_plan roll_decide(const struct roll_memory *memory, const struct roll_rule *rule,
	const struct roll_census *census, int64_t start_allowed_at, int64_t now_ms);
void roll_retired(struct roll_memory *memory, int64_t now_ms);

#endif
