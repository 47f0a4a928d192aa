/*
 * The wait after failures. All starts of a pool share one back-off: a broken program fails in every
 * slot alike.
 */
#include "backoff.h"

#define JITTER 0.1

int64_t backoff_delay_ms(const struct backoff_rule *rule, unsigned rounds)
{
	int64_t delay_ms = rule->base_ms;

	if (delay_ms <= 0)
		return 0;
	while (rounds-- > 1 && delay_ms < rule->cap_ms)
		delay_ms = delay_ms > rule->cap_ms / 2 ? rule->cap_ms : 2 * delay_ms;
	return delay_ms < rule->cap_ms ? delay_ms : rule->cap_ms;
}

/* Never past the end of time. */
static int64_t later(int64_t at, int64_t duration_ms)
{
	return duration_ms >= INT64_MAX - at ? INT64_MAX : at + duration_ms;
}

void backoff_fail(struct backoff *backoff, const struct backoff_rule *rule, uint64_t round,
	int64_t now_ms, double chance)
{
	int64_t delay_ms, jitter_ms;

	backoff->failures++;
	if (round == backoff->round) {
		backoff->round++;
		backoff->rounds++;
	}
	if (backoff->rounds == 0)
		backoff->rounds = 1;
	delay_ms = backoff_delay_ms(rule, backoff->rounds);
	jitter_ms = (int64_t)((double)delay_ms * JITTER * chance);
	delay_ms = jitter_ms < rule->cap_ms - delay_ms ? delay_ms + jitter_ms : rule->cap_ms;
	backoff->delay_ms = delay_ms;
	if (later(now_ms, delay_ms) > backoff->until)
		backoff->until = later(now_ms, delay_ms);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->rounds = 0;
	backoff->failures = 0;
}

void backoff_forget(struct backoff *backoff)
{
	backoff_reset(backoff);
	backoff->until = backoff->delay_ms = 0;
}

bool backoff_waiting(const struct backoff *backoff, int64_t now_ms)
{
	return now_ms < backoff->until;
}
