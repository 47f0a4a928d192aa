/*
 * One for one. The room for replacements is max_workers and surge, with those that are still
 * leaving counted, so that a machine never carries more than both together.
 */
#include "roll.h"

static int at_least(int a, int b)
{
	return a > b ? a : b;
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

static int on_their_way(const struct roll_census *census)
{
	return census->new_starting + census->new_ready;
}

int roll_superfluous(const struct roll_census *census)
{
	return at_least(0, on_their_way(census) - census->old_ready);
}

/* Those to be replaced for whom there is no place any more: the pool became smaller. */
static int surplus(const struct roll_rule *rule, const struct roll_census *census)
{
	if (census->fresh_ready < rule->max_workers)
		return 0;
	return at_least(0, census->old_ready - on_their_way(census));
}

static void plan_retirements(struct roll_plan *plan, const struct roll_memory *memory,
	const struct roll_rule *rule, const struct roll_census *census, int64_t now_ms)
{
	int wanted;

	/* Where nobody is to stay, there is nobody to wait for. */
	if (!census->proven && rule->max_workers > 0)
		return;
	plan->taking = at_most(census->new_ready, census->old_ready);
	wanted = plan->taking + surplus(rule, census);
	plan->retire = wanted;
	if (wanted == 0 || rule->spawn_interval_ms <= 0)
		return;
	plan->retire = 1;
	if (memory->retired && now_ms - memory->retired_at < rule->spawn_interval_ms) {
		plan->retire = 0;
		plan->wake_at = memory->retired_at + rule->spawn_interval_ms;
	} else if (wanted > 1) {
		plan->wake_at = now_ms + rule->spawn_interval_ms;
	}
	plan->taking = at_most(plan->taking, plan->retire);
}

static void plan_starts(struct roll_plan *plan, const struct roll_rule *rule,
	const struct roll_census *census, int64_t start_allowed_at, int64_t now_ms)
{
	const int outstanding = on_their_way(census);
	const int fresh = census->fresh_starting + census->fresh_ready;
	const int there =
		census->old_starting + census->old_ready + outstanding + fresh + census->leaving;
	int wanted = census->old_ready - outstanding;

	wanted = at_most(wanted, rule->surge - outstanding);
	wanted = at_most(wanted, rule->max_workers - fresh - outstanding);
	wanted = at_most(wanted, at_least(rule->max_workers, rule->held) + rule->surge - there);
	if (wanted <= 0)
		return;
	if (now_ms < start_allowed_at) {
		if (start_allowed_at < plan->wake_at)
			plan->wake_at = start_allowed_at;
		return;
	}
	plan->start = rule->spawn_interval_ms > 0 ? 1 : wanted;
	if (plan->start < wanted && now_ms + rule->spawn_interval_ms < plan->wake_at)
		plan->wake_at = now_ms + rule->spawn_interval_ms;
}

struct roll_plan roll_decide(const struct roll_memory *memory, const struct roll_rule *rule,
	const struct roll_census *census, int64_t start_allowed_at, int64_t now_ms)
{
	struct roll_plan plan = {.wake_at = ROLL_NEVER};

	plan_retirements(&plan, memory, rule, census, now_ms);
	plan_starts(&plan, rule, census, start_allowed_at, now_ms);
	return plan;
}

void roll_retired(struct roll_memory *memory, int64_t now_ms)
{
	memory->retired = true;
	memory->retired_at = now_ms;
}
