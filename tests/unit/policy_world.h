#ifndef PREFORKD_POLICY_WORLD_H
#define PREFORKD_POLICY_WORLD_H
/*
 * A pool without processes: the policy's rule, census, memory and time. Every decision that is
 * asked for here is checked for what must hold whatever came before.
 */
#include "policy.h"
#include "test_main.h"

#define TIMEOUT_MS 10000 /* idle_timeout of dynamic_rule() */

struct world {
	struct policy_rule rule;
	struct policy_census census;
	struct policy_memory memory;
	int64_t now, deterred_until;
};

static inline int serving(const struct policy_census *census)
{
	return census->starting + census->unknown + census->idle + census->busy;
}

static inline int spare(const struct policy_census *census)
{
	return census->starting + census->unknown + census->idle;
}

static inline int smaller(int a, int b)
{
	return a < b ? a : b;
}

static inline struct policy_rule dynamic_rule(int min_spare, int max_spare, int max_workers)
{
	return (struct policy_rule){
		.max_workers = max_workers,
		.dynamic = true,
		.min_spare = min_spare,
		.max_spare = max_spare,
		.start_workers = min_spare,
		.max_spawn_step = 32,
		.idle_timeout_ms = TIMEOUT_MS,
	};
}

static inline void describe(
	const struct world *world, const struct policy_plan *plan, char text[400])
{
	const struct policy_rule *rule = &world->rule;
	const struct policy_census *census = &world->census;

	snprintf(text, 400,
		"%s max %d spare %d-%d start %d step %d interval %d; "
		"starting %d unknown %d idle %d busy %d leaving %d waiting %d; "
		"start %d retire idle %d any %d lacking %d reason %d wake %lld now %lld",
		rule->dynamic ? "dynamic" : "static", rule->max_workers, rule->min_spare,
		rule->max_spare, rule->start_workers, rule->max_spawn_step,
		(int)rule->spawn_interval_ms, census->starting, census->unknown, census->idle,
		census->busy, census->leaving, census->waiting, plan->start, plan->retire_idle,
		plan->retire_any, plan->lacking, plan->reason, (long long)plan->wake_at,
		(long long)world->now);
}

/* What a plan may never do, whatever came before. NULL: it is well. */
static inline const char *fault_in_numbers(
	const struct world *world, const struct policy_plan *plan)
{
	const struct policy_census *census = &world->census;
	int room = world->rule.max_workers - serving(census) - census->leaving;

	if (plan->start < 0 || plan->retire_idle < 0 || plan->retire_any < 0 || plan->lacking < 0)
		return "a negative number";
	if (plan->start > 0 && plan->start > room)
		return "more than max_workers";
	if (plan->retire_idle > census->idle)
		return "retires more idle ones than there are";
	if (plan->retire_idle > 0 && census->idle - plan->retire_idle < world->rule.max_spare)
		return "retires idle ones that are no surplus";
	if (plan->retire_any > serving(census))
		return "retires more than there are";
	if (plan->retire_any > 0 && serving(census) - plan->retire_any < world->rule.max_workers)
		return "shrinks too far";
	if (plan->start > 0 && plan->retire_idle + plan->retire_any > 0)
		return "starts and retires at once";
	if (plan->start > 1 && world->rule.spawn_interval_ms > 0)
		return "more than one start an interval";
	return NULL;
}

static inline const char *fault_in_demand(const struct world *world, const struct policy_plan *plan)
{
	const struct policy_census *census = &world->census;
	int queue = smaller(census->waiting, world->rule.max_spawn_step);

	if (plan->retire_idle > 0 && census->waiting > 0)
		return "retires somebody while a connection waits";
	if (plan->reason != POLICY_BACKLOG)
		return NULL;
	if (!world->rule.dynamic || !world->rule.grow_on_backlog || census->waiting <= 0)
		return "grows by a queue that it does not know";
	if (census->idle > 0)
		return "grows by a queue although somebody is idle";
	if (census->starting + plan->start > queue + world->rule.min_spare)
		return "starts more than wait";
	return NULL;
}

static inline int wanted_at_least(const struct world *world)
{
	if (world->rule.dynamic)
		return world->rule.min_spare - spare(&world->census);
	return world->rule.max_workers - serving(&world->census);
}

static inline const char *fault_in_time(const struct world *world, const struct policy_plan *plan)
{
	const struct policy_memory *memory = &world->memory;
	bool full = serving(&world->census) + world->census.leaving + plan->start >=
		    world->rule.max_workers;
	bool early = memory->started > 0 &&
		     world->now < memory->started_at + world->rule.spawn_interval_ms;

	if (plan->start > 0 && world->now < world->deterred_until)
		return "starts while deterred";
	if (plan->start > 0 && early)
		return "starts before spawn_interval is over";
	if (plan->wake_at <= world->now)
		return "would be asked again at once, for ever";
	if (plan->retire_any == 0 && plan->start + plan->lacking < wanted_at_least(world))
		return "forgets what lacks";
	if (plan->lacking > 0 && plan->wake_at == POLICY_NEVER && !full)
		return "an unmet need without a timer";
	if (plan->lacking > 0 && plan->reason == POLICY_ENOUGH)
		return "lacks, and says enough";
	return NULL;
}

static inline void check_plan(const struct world *world, const struct policy_plan *plan)
{
	const char *fault = fault_in_numbers(world, plan);
	char text[400];

	if (!fault)
		fault = fault_in_demand(world, plan);
	if (!fault)
		fault = fault_in_time(world, plan);
	if (!fault)
		return;
	describe(world, plan, text);
	ck_abort_msg("%s: %s", fault, text);
}

static inline struct policy_plan decide(struct world *world)
{
	struct policy_plan plan = policy_decide(
		&world->memory, &world->rule, &world->census, world->deterred_until, world->now);

	check_plan(world, &plan);
	return plan;
}

static inline void retire_any(struct policy_census *census, int count)
{
	int *const order[] = {&census->idle, &census->unknown, &census->starting, &census->busy};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		int some = smaller(count, *order[i]);

		*order[i] -= some;
		census->leaving += some;
		count -= some;
	}
}

/* Decides, and carries the plan out; `refused` of the starts fail. */
static inline struct policy_plan carry_out(struct world *world, int refused)
{
	struct policy_plan plan = decide(world);
	int started = plan.start > refused ? plan.start - refused : 0;

	world->census.starting += started;
	world->census.idle -= plan.retire_idle;
	world->census.leaving += plan.retire_idle;
	retire_any(&world->census, plan.retire_any);
	policy_started(&world->memory, started, world->now);
	return plan;
}

#endif
