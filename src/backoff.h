#ifndef PREFORKD_BACKOFF_H
#define PREFORKD_BACKOFF_H
/*
 * How long starts wait after failures: min(cap, base * 2^(n-1)) after the n-th round of failures in
 * a row, plus up to a tenth of jitter (never above the cap). A round is what was started between
 * two waits: ten workers that die together count as one, or the pool's size would decide the wait.
 * Pure: time and chance come in. Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>

struct backoff_rule {
	int64_t base_ms; /* 0: no wait at all */
	int64_t cap_ms;
};

struct backoff {
	uint64_t round;    /* the number that a start of now belongs to */
	unsigned rounds;   /* rounds with a failure, in a row */
	unsigned failures; /* single failures in a row */
	int64_t until;     /* nothing is started before this */
	int64_t delay_ms;  /* the last wait, for the log */
};

/* The wait after so many failed rounds (1 or more), without jitter. */
int64_t backoff_delay_ms(const struct backoff_rule *rule, unsigned rounds);
/* A start of `round` failed at now_ms. chance: 0 <= chance < 1, for the jitter. */
void backoff_fail(struct backoff *backoff, const struct backoff_rule *rule, uint64_t round,
	int64_t now_ms, double chance);
/* A start went well: the next failure waits the base again. A wait that is on goes on. */
void backoff_reset(struct backoff *backoff);
/* What is started from now on is something else: the next start waits for nothing. */
void backoff_forget(struct backoff *backoff);
bool backoff_waiting(const struct backoff *backoff, int64_t now_ms);

#endif
