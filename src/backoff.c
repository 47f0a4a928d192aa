/*
 * The wait after failures. All starts of a pool share one back-off: a broken program fails in every
 * slot alike.
 */
#include "backoff.h"

#define JITTER 0.1

int64_t backoff_delay_ms(const struct backoff_rule *rule, unsigned rounds)
{
	int64_t delay_ms = rule->base_ms;

	while (rounds-- > 1 && delay_ms < rule->cap_ms)
		delay_ms *= 2;
	return delay_ms < rule->cap_ms ? delay_ms : rule->cap_ms;
}

void backoff_fail(struct backoff *backoff, const struct backoff_rule *rule, uint64_t round,
	int64_t now_ms, double chance)
{
	int64_t delay_ms;

	backoff->failures++;
	if (round == backoff->round) {
		backoff->round++;
		backoff->rounds++;
	}
	if (backoff->rounds == 0)
		backoff->rounds = 1;
	delay_ms = backoff_delay_ms(rule, backoff->rounds);
	delay_ms += (int64_t)((double)delay_ms * JITTER * chance);
	if (delay_ms > rule->cap_ms)
		delay_ms = rule->cap_ms;
	backoff->delay_ms = delay_ms;
	if (now_ms + delay_ms > backoff->until)
		backoff->until = now_ms + delay_ms;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->rounds = 0;
	backoff->failures = 0;
}

bool backoff_waiting(const struct backoff *backoff, int64_t now_ms)
{
	return now_ms < backoff->until;
}
