#ifndef PREFORKD_ROLL_CREW_H
#define PREFORKD_ROLL_CREW_H
/*
 * A pool whose workers live by themselves: they take their time to get ready, serve, leave when
 * they are asked to, and those of a bad generation fail. The laws (pool_law.h) are looked at all
 * the time.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pool_law.h"
#include "pool_world.h"

enum crew_fault {
	CREW_WELL,
	CREW_EXITS,   /* at once */
	CREW_HANGS,   /* is never ready */
	CREW_CRASHES, /* fault_ms after it got ready */
};

struct crew {
	struct pool_world world;
	struct law law;
	int64_t boot_ms, leave_ms;
	enum crew_fault fault;
	uint64_t fault_from; /* the first generation that has it */
	int fault_slots;     /* only below this slot; 0: all */
	int64_t fault_ms;
	int jobs_per_second;                         /* of each worker; 0: it writes no count */
	int least_ready, most_present, most_leaving; /* since crew_watch() */
};

/* The pool, with all its first workers ready and past min_uptime. */
void crew_begin(struct crew *crew, const char *keys);
void crew_end(struct crew *crew);
/* Time passes. */
void crew_pass(struct crew *crew, int64_t ms);
/* Counts from now on. */
void crew_watch(struct crew *crew);
/* Until the roll has ended, and all that leave have gone. */
void crew_finish_roll(struct crew *crew);
/* Workers that serve, of this generation; 0: of any. */
int crew_serving(const struct crew *crew, uint64_t generation);
int crew_ready(const struct crew *crew);

#endif
