/*
 * The spare rules. Each step is one small question with one answer in numbers; policy_decide() asks
 * them in order. It may be asked too often, never wrongly: the same census at the same time gives
 * the same plan, less what was started meanwhile.
 */
#include "policy.h"

#include <stdio.h>

#define RETIRE_AGAIN_MS 100 /* between two looks at what keeps the surplus */

static int at_least(int a, int b)
{
	return a > b ? a : b;
}

static int at_most(int a, int b)
{
	return a < b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
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
 * Connections that wait for a worker to be started, as far as one step goes. While somebody is idle
 * there are none: that one takes them, and then says so.
 */
static int queue(const struct policy_rule *rule, const struct policy_census *census)
{
	if (!rule->dynamic || !rule->grow_on_backlog || census->idle > 0 || census->waiting < 0)
		return 0;
	return at_most(census->waiting, rule->max_spawn_step);
}

/*
 * Growth in steps. The next one begins when nobody is ready and all that the last one started has
 * come. It aims at min_spare; but if the last one's workers were taken in less time than it took
 * them to come, growth cannot keep up so, and it aims at twice as many. Workers that ended instead
 * of getting busy are no demand. Who knows the queue need not guess.
 */
static void follow_growth(struct policy_step *step, const struct policy_memory *memory,
	const struct policy_rule *rule, const struct policy_census *census, int64_t now_ms)
{
	int ready = census->idle + census->unknown;
	bool outrun;

	if (!step->came && memory->started - census->starting >= step->end) {
		step->came = true;
		step->came_at = now_ms;
	}
	if (ready > 0 && ready >= rule->min_spare)
		step->left = 0;
	if (ready > 0 || step->left > 0 || !step->came)
		return;
	outrun = (!rule->grow_on_backlog || census->waiting < 0) && census->busy > step->busy &&
		 now_ms - step->came_at < step->came_at - step->began_at;
	step->size = outrun ? at_most(2 * step->size, rule->max_spawn_step) : 0;
	step->size = at_least(rule->min_spare, at_most(step->size, rule->max_spare));
	step->left = at_least(0, step->size - spare(census));
	step->busy = census->busy;
	step->began_at = now_ms;
	step->end = memory->started;
	step->came = false;
}

/*
 * What lacks to min_spare, or to the step under way; never more than max_spare, since what is above
 * would be surplus at once. Each one that is starting takes one waiting connection, and is spare
 * only if there is none for it.
 */
static int lacking_spare(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t now_ms, enum policy_reason *reason)
{
	struct policy_step *step = &memory->step;
	const int waiting = queue(rule, census);
	const int taken = at_most(waiting, census->starting);
	int aim = rule->min_spare;

	*reason = waiting > taken ? POLICY_BACKLOG : POLICY_SPARE_LOW;
	follow_growth(step, memory, rule, census, now_ms);
	if (waiting == 0 && step->left > 0 && at_most(step->size, rule->max_spare) > aim) {
		*reason = POLICY_OUTRUN;
		aim = at_most(step->size, rule->max_spare);
	}
	return waiting - taken + at_least(0, aim - (spare(census) - taken));
}

/* Until start_workers were started or are there (adopted ones are), whichever is sooner. */
static int lacking_initial(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census)
{
	int target = at_most(rule->start_workers, rule->max_workers);
	int64_t made = memory->started > serving(census) ? memory->started : serving(census);

	if (made >= target)
		memory->initial_done = true;
	return memory->initial_done ? 0 : target - (int)made;
}

static int lacking(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t now_ms, enum policy_reason *reason)
{
	int initial, spare_lacking;

	if (!rule->dynamic) {
		*reason = POLICY_TOO_FEW;
		return rule->max_workers - serving(census);
	}
	initial = lacking_initial(memory, rule, census);
	spare_lacking = lacking_spare(memory, rule, census, now_ms, reason);
	if (initial <= spare_lacking)
		return spare_lacking;
	*reason = POLICY_INITIAL;
	return initial;
}

int64_t policy_start_allowed_at(
	const struct policy_memory *memory, const struct policy_rule *rule, int64_t deterred_until)
{
	int64_t paced = memory->started_at + rule->spawn_interval_ms;

	if (rule->spawn_interval_ms <= 0 || !memory->paced || paced < deterred_until)
		return deterred_until;
	return paced;
}

static void plan_starts(struct policy_plan *plan, int wanted, int room, int64_t allowed_at,
	const struct policy_rule *rule, int64_t now_ms)
{
	plan->lacking = wanted;
	if (room <= 0) {
		plan->reason = POLICY_AT_MAX;
		return;
	}
	if (now_ms < allowed_at) {
		plan->reason = POLICY_WAITING;
		plan->wake_at = allowed_at;
		return;
	}
	plan->start = rule->spawn_interval_ms > 0 ? 1 : at_most(wanted, room);
	plan->lacking = wanted - plan->start;
	if (plan->start < at_most(wanted, room))
		plan->wake_at = now_ms + rule->spawn_interval_ms;
}

/*
 * How long each size of the surplus has lasted: a stair of sizes, the longest lasting and smallest
 * first. A fall cuts off what is above it; a rise begins a step of its own. So the workers of a
 * burst are surplus for as long as they are too many together, whichever of them a trickle of
 * requests keeps awake.
 */
static void follow_surplus(struct policy_memory *memory, int surplus, int64_t now_ms)
{
	struct policy_surplus *stair = memory->surplus;
	int count = memory->surplus_count;

	while (count > 0 && (count > 1 ? stair[count - 2].size : 0) >= surplus)
		count--;
	if (count > 0 && stair[count - 1].size >= surplus) {
		stair[count - 1].size = surplus;
	} else if (surplus > 0) {
		count = at_most(count + 1, POLICY_SURPLUS_MAX);
		stair[count - 1] = (struct policy_surplus){surplus, now_ms};
	}
	memory->surplus_count = count;
}

/* Takes the steps that have lasted off the stair. How many workers that is. */
static int take_lasting_surplus(struct policy_memory *memory, int64_t timeout_ms, int64_t now_ms)
{
	int lasting = 0, steps = 0;

	while (steps < memory->surplus_count && now_ms - memory->surplus[steps].since >= timeout_ms)
		lasting = memory->surplus[steps++].size;
	memory->surplus_count -= steps;
	for (int i = 0; i < memory->surplus_count; i++) {
		memory->surplus[i] = memory->surplus[i + steps];
		memory->surplus[i].size -= lasting;
	}
	return lasting;
}

static bool counts_surplus(const struct policy_memory *memory, const struct policy_rule *rule)
{
	return rule->dynamic && memory->initial_done;
}

bool policy_surplus_due(const struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t now_ms)
{
	if (!counts_surplus(memory, rule) || census->idle <= rule->max_spare)
		return false;
	return rule->idle_timeout_ms <= 0 ||
	       (memory->surplus_count > 0 &&
		       now_ms - memory->surplus[0].since >= rule->idle_timeout_ms);
}

/* A connection waits: those who could take it stay, however long they have been too many. */
static void plan_surplus(struct policy_plan *plan, struct policy_memory *memory,
	const struct policy_rule *rule, const struct policy_census *census, int64_t now_ms)
{
	bool counts = counts_surplus(memory, rule);
	int64_t lasted_at;

	follow_surplus(memory, counts ? census->idle - rule->max_spare : 0, now_ms);
	if (census->waiting > 0 && policy_surplus_due(memory, rule, census, now_ms)) {
		plan->wake_at = sooner(plan->wake_at, now_ms + RETIRE_AGAIN_MS);
		return;
	}
	plan->retire_idle = take_lasting_surplus(memory, rule->idle_timeout_ms, now_ms);
	if (plan->retire_idle > 0)
		plan->reason = POLICY_SURPLUS;
	if (memory->surplus_count == 0)
		return;
	lasted_at = memory->surplus[0].since + rule->idle_timeout_ms;
	plan->wake_at = sooner(plan->wake_at, lasted_at);
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
	wanted = lacking(memory, rule, census, now_ms, &reason);
	if (wanted > 0) {
		plan.reason = reason;
		plan_starts(&plan, wanted, rule->max_workers - serving(census) - census->leaving,
			policy_start_allowed_at(memory, rule, deterred_until), rule, now_ms);
	}
	plan_surplus(&plan, memory, rule, census, now_ms);
	return plan;
}

void policy_paced(struct policy_memory *memory, int64_t now_ms)
{
	memory->paced = true;
	memory->started_at = now_ms;
}

void policy_started(struct policy_memory *memory, int count, int64_t now_ms)
{
	struct policy_step *step = &memory->step;

	if (count <= 0)
		return;
	memory->started += count;
	policy_paced(memory, now_ms);
	if (step->left <= 0)
		return;
	step->left = at_least(0, step->left - count);
	step->began_at = now_ms;
	step->end = memory->started;
	step->came = false;
}

static void explain_spare(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan)
{
	char unknown[32] = "";

	if (census->unknown > 0)
		snprintf(unknown, sizeof(unknown), " + %d unknown", census->unknown);
	snprintf(text, bytes, "%d idle + %d starting%s < min_spare_workers %d: starting %d",
		census->idle, census->starting, unknown, rule->min_spare, plan->start);
}

/* "7 connections wait, nobody is idle, 2 are starting, min_spare_workers 1: starting 6" */
static void explain_backlog(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan)
{
	char starting[32] = "", kept[40] = "";

	if (census->starting > 0)
		snprintf(starting, sizeof(starting), ", %d %s starting", census->starting,
			census->starting == 1 ? "is" : "are");
	if (rule->min_spare > 0)
		snprintf(kept, sizeof(kept), ", min_spare_workers %d", rule->min_spare);
	snprintf(text, bytes, "%d %s, nobody is %sidle%s%s: starting %d", census->waiting,
		census->waiting == 1 ? "connection waits" : "connections wait",
		census->unknown > 0 ? "known to be " : "", starting, kept, plan->start);
}

static void explain_full(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan)
{
	char waiting[48] = "";

	if (queue(rule, census) > 0)
		snprintf(waiting, sizeof(waiting), ", %d %s", census->waiting,
			census->waiting == 1 ? "connection waits" : "connections wait");
	snprintf(text, bytes, "max_workers %d reached (%d busy, %d leaving)%s: %d more wanted",
		rule->max_workers, census->busy, census->leaving, waiting, plan->lacking);
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
		snprintf(text, bytes,
			"the last step was taken sooner than it came (%d busy): starting %d",
			census->busy, plan->start);
		return;
	case POLICY_BACKLOG: explain_backlog(text, bytes, rule, census, plan); return;
	case POLICY_SURPLUS:
		snprintf(text, bytes, "%d idle > max_spare_workers %d for %.3g s: retiring %d",
			census->idle, rule->max_spare, (double)rule->idle_timeout_ms / 1000,
			plan->retire_idle);
		return;
	case POLICY_ABOVE_MAX:
		snprintf(text, bytes, "%d workers > max_workers %d: retiring %d", serving(census),
			rule->max_workers, plan->retire_any);
		return;
	case POLICY_AT_MAX: explain_full(text, bytes, rule, census, plan); return;
	case POLICY_WAITING:
		snprintf(text, bytes, "%d more wanted, not started yet", plan->lacking);
		return;
	}
}
