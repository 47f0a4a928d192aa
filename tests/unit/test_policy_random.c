/*
 * The spare rules against every small census, every short sequence of events, and long random ones
 * in which workers die, starts are refused, rules change, connections wait and time jumps. What
 * must hold after every single decision is checked in policy_world.h; here also that all comes to
 * rest, as the rule says.
 */
#include <string.h>

#include "policy.h"
#include "policy_world.h"
#include "test_main.h"

#define SMALL        4 /* every count of a census goes from 0 to this */
#define DEPTH        8
#define RANDOM_STEPS 200000

enum event {
	EVENT_NONE,   /* asked once too often */
	EVENT_READY,  /* a starting one is idle */
	EVENT_SILENT, /* a starting one is ready without a word */
	EVENT_TAKE,
	EVENT_FINISH,
	EVENT_DIE,  /* a starting one */
	EVENT_EXIT, /* a busy one */
	EVENT_GONE, /* a leaving one */
	EVENT_WAKE, /* time passes until the policy's timer */
	EVENT_COUNT
};

/* Moves one worker from here to there; false: there is none. */
static bool move(int *from, int *to)
{
	if (*from == 0)
		return false;
	--*from;
	if (to)
		++*to;
	return true;
}

/* false: cannot happen in this world, or changes nothing. */
static bool happen(struct world *world, enum event event, int64_t wake_at)
{
	struct policy_census *census = &world->census;

	switch (event) {
	case EVENT_NONE: return true;
	case EVENT_READY: return move(&census->starting, &census->idle);
	case EVENT_SILENT: return move(&census->starting, &census->unknown);
	case EVENT_TAKE: return move(&census->idle, &census->busy);
	case EVENT_FINISH: return move(&census->busy, &census->idle);
	case EVENT_DIE: return move(&census->starting, NULL);
	case EVENT_EXIT: return move(&census->busy, NULL);
	case EVENT_GONE: return move(&census->leaving, NULL);
	case EVENT_WAKE:
		if (wake_at == POLICY_NEVER)
			return false;
		world->now = wake_at;
		return true;
	case EVENT_COUNT: break;
	}
	return false;
}

static bool at_rest(const struct world *world, const struct policy_plan *plan)
{
	const struct policy_census *census = &world->census;

	return plan->wake_at == POLICY_NEVER &&
	       census->starting + census->busy + census->leaving == 0;
}

static const char *fault_at_rest(const struct world *world, const struct policy_plan *plan)
{
	const struct policy_rule *rule = &world->rule;

	if (!at_rest(world, plan))
		return "does not come to rest";
	if (plan->lacking > 0)
		return "rests although something lacks";
	if (!rule->dynamic)
		return serving(&world->census) == rule->max_workers ? NULL : "wrong number";
	if (spare(&world->census) < rule->min_spare)
		return "rests with too few spare";
	return world->census.idle > rule->max_spare ? "rests with too many idle" : NULL;
}

/* All boot, finish and leave, nobody waits, and time passes: the pool comes to rest where the rule
 * says. Check's own assertions cost a system call each, too many here. */
static void come_to_rest(struct world world)
{
	struct policy_census *census = &world.census;
	struct policy_plan plan;
	const char *fault;
	char text[400];

	census->waiting = 0;
	plan = carry_out(&world, 0);
	for (int i = 0; i < 1000 && !at_rest(&world, &plan); i++) {
		census->idle += census->starting + census->busy;
		census->starting = census->busy = census->leaving = 0;
		if (plan.wake_at != POLICY_NEVER && plan.start == 0)
			world.now = plan.wake_at;
		plan = carry_out(&world, 0);
	}
	fault = fault_at_rest(&world, &plan);
	if (!fault)
		return;
	describe(&world, &plan, text);
	ck_abort_msg("%s: %s", fault, text);
}

static void check_census(struct world *world)
{
	memset(&world->memory, 0, sizeof(world->memory));
	decide(world);
	memset(&world->memory, 0, sizeof(world->memory));
	come_to_rest(*world);
}

static void each_census(struct world *world)
{
	int *const counts[] = {&world->census.starting, &world->census.unknown, &world->census.idle,
		&world->census.busy, &world->census.leaving};
	int total = 1;

	for (int i = 0; i < 5; i++)
		total *= SMALL + 1;
	for (int number = 0; number < total; number++) {
		for (int i = 0, rest = number; i < 5; i++, rest /= SMALL + 1)
			*counts[i] = rest % (SMALL + 1);
		check_census(world);
	}
}

/* One rule by its number, all small ones in turn; false: no more. */
static bool small_rule(struct policy_rule *rule, int number)
{
	const int bounds = 4; /* max_workers, and what is clamped to it, up to this - 1 */
	int paced = number % 2;
	int kind = number / 2;

	*rule = (struct policy_rule){
		.max_workers = kind % bounds * 3,
		.dynamic = kind / bounds > 0,
		.max_spawn_step = 2,
		.idle_timeout_ms = 100,
		.spawn_interval_ms = paced ? 10 : 0,
	};
	kind /= bounds;
	if (!rule->dynamic)
		return true;
	kind--;
	rule->min_spare = smaller(kind % bounds, rule->max_workers);
	kind /= bounds;
	rule->max_spare = smaller(rule->min_spare + kind % bounds, rule->max_workers);
	kind /= bounds;
	rule->start_workers = smaller(rule->min_spare + 2 * kind, rule->max_workers);
	return kind < 2;
}

START_TEST(every_small_census)
{
	struct world world = {.now = 1000};

	for (int number = 0; small_rule(&world.rule, number); number++) {
		world.deterred_until = 0;
		each_census(&world);
		world.deterred_until = 1005;
		each_census(&world);
	}
}
END_TEST

static void each_sequence(const struct world *before, int64_t wake_at, int depth)
{
	if (depth == 0) {
		come_to_rest(*before);
		return;
	}
	for (enum event event = EVENT_READY; event < EVENT_COUNT; event++) {
		struct world world = *before;
		struct policy_plan plan;

		if (!happen(&world, event, wake_at))
			continue;
		world.now++;
		plan = carry_out(&world, 0);
		each_sequence(&world, plan.wake_at, depth - 1);
	}
}

static const struct policy_rule sequence_rules[] = {
	{.max_workers = 2},
	{.max_workers = 3, .dynamic = true, .min_spare = 1, .max_spare = 1, .start_workers = 1},
	{.max_workers = 4, .dynamic = true, .min_spare = 1, .max_spare = 2, .start_workers = 3},
	{.max_workers = 5, .dynamic = true, .min_spare = 1, .max_spare = 5, .max_spawn_step = 4},
	{.max_workers = 3,
		.dynamic = true,
		.min_spare = 2,
		.max_spare = 2,
		.spawn_interval_ms = 10},
	{.max_workers = 3, .dynamic = true, .start_workers = 2},
};
#define RULES (int)(sizeof(sequence_rules) / sizeof(sequence_rules[0]))

START_TEST(every_short_sequence)
{
	struct world world = {.rule = sequence_rules[_i]};
	struct policy_plan plan;

	world.rule.idle_timeout_ms = 100;
	plan = carry_out(&world, 0);
	each_sequence(&world, plan.wake_at, DEPTH);
}
END_TEST

static struct policy_rule random_rule(uint64_t *random)
{
	struct policy_rule rule = dynamic_rule(0, 0, (int)test_random_below(random, 60));
	uint64_t choices = (uint64_t)rule.max_workers + 1;

	rule.dynamic = test_random_below(random, 5) > 0;
	rule.max_spare = (int)test_random_below(random, choices);
	rule.min_spare = smaller((int)test_random_below(random, choices), rule.max_spare);
	rule.start_workers = (int)test_random_below(random, choices);
	rule.max_spawn_step = 1 + (int)test_random_below(random, 40);
	rule.grow_on_backlog = test_random_below(random, 2);
	rule.idle_timeout_ms = (int64_t)test_random_below(random, 2000);
	rule.spawn_interval_ms =
		test_random_below(random, 3) ? 0 : (int64_t)test_random_below(random, 100);
	return rule;
}

static void random_step(struct world *world, int64_t *wake_at, uint64_t *random)
{
	enum event event = (enum event)test_random_below(random, EVENT_COUNT);
	int times = test_random_below(random, 8) ? 1 : 20;
	int refused = test_random_below(random, 10) ? 0 : (int)test_random_below(random, 5);

	if (event == EVENT_WAKE && test_random_below(random, 4))
		event = EVENT_NONE;
	while (times-- > 0)
		happen(world, event, *wake_at);
	if (test_random_below(random, 3) == 0)
		world->census.waiting = (int)test_random_below(random, 50) - 1;
	if (test_random_below(random, 3) == 0)
		world->now += (int64_t)test_random_below(random, 50);
	if (test_random_below(random, 100) == 0)
		world->deterred_until = world->now + (int64_t)test_random_below(random, 1000);
	if (test_random_below(random, 500) == 0)
		world->rule = random_rule(random);
	*wake_at = carry_out(world, refused).wake_at;
	if (serving(&world->census) > world->rule.max_workers)
		ck_abort_msg("more than max_workers");
}

START_TEST(long_random_sequence)
{
	uint64_t random = test_seed();
	struct world world = {.rule = random_rule(&random)};
	int64_t wake_at = 0;

	for (int i = 0; i < RANDOM_STEPS; i++) {
		random_step(&world, &wake_at, &random);
		if (i % 1000 == 0)
			come_to_rest(world);
	}
}
END_TEST

static Suite *policy_random_suite(void)
{
	Suite *suite = suite_create("policy_random");
	TCase *every = tcase_create("every");
	TCase *chance = tcase_create("chance");

	tcase_set_timeout(every, 60);
	tcase_add_test(every, every_small_census);
	tcase_add_loop_test(every, every_short_sequence, 0, RULES);
	suite_add_tcase(suite, every);
	tcase_set_timeout(chance, 60);
	tcase_add_test(chance, long_random_sequence);
	suite_add_tcase(suite, chance);
	return suite;
}

int main(void)
{
	return test_main(policy_random_suite());
}
