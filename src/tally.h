#ifndef PREFORKD_TALLY_H
#define PREFORKD_TALLY_H
/*
 * What a pool has done so far, for status and metrics: counts that only rise, and histograms.
 * Floor 0.
 */
#include <stdint.h>

#define HISTOGRAM_BOUNDS 9

/* Seconds; the last bucket is for what is above the last bound. */
extern const double histogram_bound[HISTOGRAM_BOUNDS];
struct histogram {
	uint64_t count[HISTOGRAM_BOUNDS + 1];
	double sum;
};
void histogram_add(struct histogram *histogram, double seconds);

struct tally {
	uint64_t starts;
	uint64_t jobs;
	uint64_t exits_asked;     /* we had asked it to leave */
	uint64_t exits_voluntary; /* it left by itself, and that was no failure */
	uint64_t exits_failed;
	uint64_t killed; /* of all these, so many needed a KILL of ours */
	uint64_t recycled_jobs, recycled_age, recycled_memory;
	uint64_t limit_hits; /* max_workers reached while more were wanted */
	struct tally_sample {
		int64_t at_ms;
		uint64_t jobs;
	} last, before;                   /* for the rate: two looks, a second apart at least */
	struct histogram start_to_ready;  /* from the fork */
	struct histogram demand_to_start; /* from the first fact that asked for it to the fork */
};

/* Jobs a second, since the last look but one. */
double tally_rate(struct tally *tally, int64_t now_ms);

#endif
