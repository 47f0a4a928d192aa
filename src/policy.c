/*
 * The spare rules. Each step is one small question with one answer in numbers; policy_decide() asks
 * them in order. It may be asked too often, never wrongly: the same census at the same time gives
 * the same plan, less what was started meanwhile.
 */
#include "policy.h"

#include <stdio.h>

static int at_least(int a, int b)
{
	return a > b ? a : b;
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

static int serving(const struct policy_census *census)
{
	return census->starting + census->unknown + census->idle + census->busy;
}

static int spare(const struct policy_census *census)
{
	return census->starting + census->unknown + census->idle;
}

/*
 * Steps of growth: what lacks, and when everything the last step brought was taken before any of it
 * stayed idle, twice the last step. Never more than max_spare, which would be surplus at once.
 */
static int lacking_spare(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, enum policy_reason *reason)
{
	int deficit = rule->min_spare - spare(census);
	int room = rule->max_spare - spare(census);

	if (deficit <= 0) {
		if (census->starting == 0)
			memory->step = memory->step_left = 0;
		*reason = memory->step_left > 0 && room > 0 ? POLICY_OUTRUN : POLICY_ENOUGH;
		return at_least(0, at_most(memory->step_left, room));
	}
	*reason = POLICY_SPARE_LOW;
	if (spare(census) == 0 && memory->step_left == 0) {
		memory->step = at_most(at_least(deficit, 2 * memory->step),
			at_least(rule->max_spawn_step, deficit));
		memory->step_left = memory->step;
	}
	if (memory->step_left > deficit && room > deficit)
		*reason = POLICY_OUTRUN;
	return at_least(deficit, at_most(memory->step_left, room));
}

static int lacking(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, enum policy_reason *reason)
{
	int initial = at_most(rule->start_workers, rule->max_workers) - memory->initial;
	int spare_lacking;

	if (!rule->dynamic) {
		*reason = POLICY_TOO_FEW;
		return rule->max_workers - serving(census);
	}
	spare_lacking = lacking_spare(memory, rule, census, reason);
	if (memory->initial_done || initial <= spare_lacking)
		return spare_lacking;
	*reason = POLICY_INITIAL;
	return initial;
}

/* When the next start may be: after the back-off, and spawn_interval after the last one. */
static int64_t start_allowed_at(
	const struct policy_memory *memory, const struct policy_rule *rule, int64_t deterred_until)
{
	int64_t paced = memory->started_at + rule->spawn_interval_ms;

	if (rule->spawn_interval_ms <= 0 || !memory->started_any || paced < deterred_until)
		return deterred_until;
	return paced;
}

static void plan_starts(struct policy_plan *plan, int wanted, int room, int64_t allowed_at,
	const struct policy_rule *rule, int64_t now_ms)
{
	int count = at_most(wanted, room);

	if (count <= 0) {
		plan->reason = POLICY_AT_MAX;
		plan->lacking = wanted;
		return;
	}
	if (now_ms < allowed_at) {
		plan->reason = POLICY_WAITING;
		plan->lacking = count;
		plan->wake_at = allowed_at;
		return;
	}
	plan->start = rule->spawn_interval_ms > 0 ? 1 : count;
	plan->lacking = count - plan->start;
	if (plan->lacking > 0)
		plan->wake_at = now_ms + rule->spawn_interval_ms;
}

/* The surplus of idle workers that has lasted for idle_timeout: its least size in that time. */
static void plan_surplus(struct policy_plan *plan, struct policy_memory *memory,
	const struct policy_rule *rule, const struct policy_census *census, int64_t now_ms)
{
	int surplus = census->idle - rule->max_spare;

	if (!rule->dynamic || surplus <= 0) {
		memory->surplus = false;
		return;
	}
	if (!memory->surplus) {
		memory->surplus = true;
		memory->surplus_at = now_ms;
		memory->surplus_least = surplus;
	}
	memory->surplus_least = at_most(memory->surplus_least, surplus);
	if (now_ms - memory->surplus_at >= rule->idle_timeout_ms) {
		plan->retire_idle = memory->surplus_least;
		plan->reason = POLICY_SURPLUS;
		memory->surplus = false;
		return;
	}
	if (memory->surplus_at + rule->idle_timeout_ms < plan->wake_at)
		plan->wake_at = memory->surplus_at + rule->idle_timeout_ms;
}

struct policy_plan policy_decide(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t deterred_until, int64_t now_ms)
{
	struct policy_plan plan = {.wake_at = POLICY_NEVER, .reason = POLICY_ENOUGH};
	enum policy_reason reason = POLICY_ENOUGH;
	int wanted, above = serving(census) - rule->max_workers;

	if (above > 0) {
		plan.retire_any = above;
		plan.reason = POLICY_ABOVE_MAX;
		return plan;
	}
	wanted = lacking(memory, rule, census, &reason);
	if (wanted > 0) {
		plan.reason = reason;
		plan_starts(&plan, wanted, rule->max_workers - serving(census) - census->leaving,
			start_allowed_at(memory, rule, deterred_until), rule, now_ms);
	}
	plan_surplus(&plan, memory, rule, census, now_ms);
	return plan;
}

void policy_started(
	struct policy_memory *memory, const struct policy_rule *rule, int count, int64_t now_ms)
{
	if (count <= 0)
		return;
	memory->started_any = true;
	memory->started_at = now_ms;
	memory->step_left = at_least(0, memory->step_left - count);
	memory->initial += count;
	if (memory->initial >= at_most(rule->start_workers, rule->max_workers))
		memory->initial_done = true;
}

static void explain_spare(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan)
{
	snprintf(text, bytes,
		"%d idle + %d starting + %d unknown < min_spare_workers %d (%d busy): starting %d",
		census->idle, census->starting, census->unknown, rule->min_spare, census->busy,
		plan->start);
}

void policy_explain(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan)
{
	switch (plan->reason) {
	case POLICY_ENOUGH: snprintf(text, bytes, "enough workers"); return;
	case POLICY_TOO_FEW:
		snprintf(text, bytes, "%d of %d workers: starting %d", serving(census),
			rule->max_workers, plan->start);
		return;
	case POLICY_INITIAL:
		snprintf(text, bytes, "start_workers %d: starting %d", rule->start_workers,
			plan->start);
		return;
	case POLICY_SPARE_LOW: explain_spare(text, bytes, rule, census, plan); return;
	case POLICY_OUTRUN:
		snprintf(text, bytes, "the last step was taken at once (%d busy): starting %d",
			census->busy, plan->start);
		return;
	case POLICY_SURPLUS:
		snprintf(text, bytes, "%d idle > max_spare_workers %d for %.3g s: retiring %d",
			census->idle, rule->max_spare, (double)rule->idle_timeout_ms / 1000,
			plan->retire_idle);
		return;
	case POLICY_ABOVE_MAX:
		snprintf(text, bytes, "%d workers > max_workers %d: retiring %d", serving(census),
			rule->max_workers, plan->retire_any);
		return;
	case POLICY_AT_MAX:
		snprintf(text, bytes,
			"max_workers %d reached (%d busy, %d leaving): %d more wanted",
			rule->max_workers, census->busy, census->leaving, plan->lacking);
		return;
	case POLICY_WAITING:
		snprintf(text, bytes, "%d more wanted, not started yet", plan->lacking);
		return;
	}
}
