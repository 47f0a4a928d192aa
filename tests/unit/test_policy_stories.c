/*
 * The spare rules as short stories that pass through time: what is asked for, what comes, what
 * stays. What must hold after every single decision is checked in policy_world.h.
 */
#include "policy.h"
#include "policy_world.h"
#include "test_main.h"

#define INTERVAL_MS 500

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Carries plans out until there is nothing to do now; whatever starts is idle at once, and whatever
 * leaves is gone at once. How many were started and retired. */
static int settle(struct world *world)
{
	int moves = 0;

	for (int i = 0; i < 1000; i++) {
		struct policy_plan plan = carry_out(world, 0);
		int done = plan.start + plan.retire_idle + plan.retire_any;

		world->census.idle += world->census.starting;
		world->census.starting = world->census.leaving = 0;
		moves += done;
		if (done == 0)
			return moves;
	}
	ck_abort_msg("never settles");
	return moves;
}

/* Lets time pass, waking only when the policy asked for it. How many moves there were. */
static int wait_until(struct world *world, int64_t until)
{
	int moves = settle(world);

	for (;;) {
		struct policy_plan plan = decide(world);

		if (plan.wake_at > until)
			break;
		world->now = plan.wake_at;
		moves += settle(world);
	}
	world->now = until;
	return moves;
}

static void take(struct world *world, int count)
{
	ck_assert_int_ge(world->census.idle, count);
	world->census.idle -= count;
	world->census.busy += count;
}

static void finish(struct world *world, int count)
{
	ck_assert_int_ge(world->census.busy, count);
	world->census.busy -= count;
	world->census.idle += count;
}

/* The example of the manual: 3 at start, 10 once all are taken one by one, 5 when all are idle. */
START_TEST(grows_to_the_maximum_and_back)
{
	struct world world = {.rule = dynamic_rule(3, 5, 10)};

	settle(&world);
	ck_assert_int_eq(serving(&world.census), 3);
	for (int busy = 1; busy <= 10; busy++) {
		take(&world, 1);
		settle(&world);
		ck_assert_int_eq(serving(&world.census), smaller(10, busy + 3));
	}
	ck_assert_int_eq(world.now, 0);
	ck_assert_int_eq(wait_until(&world, 60000), 0);
	for (int i = 0; i < 10; i++) {
		wait_until(&world, 60000 + i);
		finish(&world, 1);
	}
	ck_assert_int_eq(wait_until(&world, 60004 + TIMEOUT_MS), 0);
	ck_assert_int_eq(serving(&world.census), 10);
	wait_until(&world, 60009 + TIMEOUT_MS);
	ck_assert_int_eq(serving(&world.census), 5);
	ck_assert_int_eq(world.census.idle, 5);
	ck_assert_int_eq(wait_until(&world, 10000000), 0);
}
END_TEST

START_TEST(surplus_has_to_last)
{
	struct world world = {.rule = dynamic_rule(1, 2, 20), .census = {.idle = 12}};
	static const struct {
		int64_t at;
		int idle;
	} left[] = {{TIMEOUT_MS - 1, 10}, {TIMEOUT_MS, 7}, {TIMEOUT_MS + 4499, 7},
		{TIMEOUT_MS + 4500, 4}, {TIMEOUT_MS + 4999, 4}, {TIMEOUT_MS + 5000, 2}};

	wait_until(&world, 4000); /* 10 too many since 0 */
	take(&world, 7);          /* 3 too many since 0 */
	wait_until(&world, 4500);
	finish(&world, 3); /* 6 too many since 4500 */
	wait_until(&world, 5000);
	finish(&world, 2); /* 8 too many since 5000 */
	for (int i = 0; i < COUNT(left); i++) {
		wait_until(&world, left[i].at);
		ck_assert_int_eq(world.census.idle, left[i].idle);
	}
	ck_assert_int_eq(world.census.busy, 2);
}
END_TEST

START_TEST(surplus_that_ends_is_forgotten)
{
	struct world world = {.rule = dynamic_rule(1, 2, 20), .census = {.idle = 6}};

	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(wait_until(&world, world.now + TIMEOUT_MS - 1), 0);
		take(&world, 4);
		ck_assert_int_eq(carry_out(&world, 0).wake_at, POLICY_NEVER);
		ck_assert_int_eq(wait_until(&world, world.now + 1), 0);
		finish(&world, 4);
	}
	ck_assert_int_eq(world.census.idle, 6);
}
END_TEST

/* Requests that come one by one, to whichever worker, keep one worker of a burst at most. */
START_TEST(trickle_does_not_keep_a_burst)
{
	struct world world = {.rule = dynamic_rule(2, 5, 50), .census = {.idle = 50}};

	for (int i = 0; i < 200; i++) {
		wait_until(&world, world.now + 90);
		take(&world, 1);
		wait_until(&world, world.now + 10);
		finish(&world, 1);
	}
	ck_assert_int_ge(world.census.idle, 5);
	ck_assert_int_le(world.census.idle, 6);
}
END_TEST

/* More sizes of surplus than are remembered: late for some, never early, whole in the end. */
START_TEST(surplus_of_many_sizes)
{
	struct world world = {.rule = dynamic_rule(1, 5, 500), .census = {.busy = 300}};

	settle(&world);
	for (int i = 0; i < 300; i++) {
		wait_until(&world, i);
		finish(&world, 1);
		settle(&world);
		ck_assert_int_le(world.memory.surplus_count, POLICY_SURPLUS_MAX);
	}
	wait_until(&world, TIMEOUT_MS + 3); /* the fifth was one too many, with one spare before */
	ck_assert_int_eq(serving(&world.census), 301);
	wait_until(&world, TIMEOUT_MS + 300);
	ck_assert_int_eq(world.census.idle, 5);
}
END_TEST

START_TEST(on_demand_goes_to_none)
{
	struct world world = {.rule = dynamic_rule(0, 0, 10), .census = {.idle = 3, .busy = 1}};

	ck_assert_int_eq(wait_until(&world, TIMEOUT_MS - 1), 0);
	wait_until(&world, TIMEOUT_MS);
	ck_assert_int_eq(world.census.idle, 0);
	ck_assert_int_eq(world.census.busy, 1);
}
END_TEST

START_TEST(nobody_busy_or_unknown_is_surplus)
{
	struct world world = {
		.rule = dynamic_rule(1, 2, 50), .census = {.idle = 2, .busy = 20, .unknown = 20}};

	ck_assert_int_eq(wait_until(&world, 100 * TIMEOUT_MS), 0);
}
END_TEST

START_TEST(first_workers)
{
	struct world world = {.rule = dynamic_rule(2, 4, 20)};

	world.rule.start_workers = 8;
	ck_assert_int_eq(decide(&world).reason, POLICY_INITIAL);
	ck_assert_int_eq(carry_out(&world, 5).start, 8); /* 5 of them were refused */
	ck_assert_int_eq(carry_out(&world, 0).start, 5);
	settle(&world);
	ck_assert_int_eq(world.census.idle, 8);
	wait_until(&world, TIMEOUT_MS);
	ck_assert_int_eq(world.census.idle, 4); /* "at first" is over */
	ck_assert_int_eq(wait_until(&world, 10 * TIMEOUT_MS), 0);
}
END_TEST

/* Those that die at once are replaced by the spare rule only. */
START_TEST(first_workers_that_die)
{
	struct world world = {.rule = dynamic_rule(2, 4, 20)};

	world.rule.start_workers = 8;
	ck_assert_int_eq(carry_out(&world, 0).start, 8);
	world.census.starting = 1;
	ck_assert_int_eq(carry_out(&world, 0).start, 1);
}
END_TEST

START_TEST(first_workers_never_above_the_maximum)
{
	struct world world = {.rule = dynamic_rule(2, 4, 5)};

	world.rule.start_workers = 8;
	settle(&world);
	ck_assert_int_eq(world.census.idle, 5);
}
END_TEST

START_TEST(first_workers_that_were_adopted)
{
	struct world world = {.rule = dynamic_rule(2, 9, 20), .census = {.idle = 3, .busy = 6}};

	world.rule.start_workers = 8;
	ck_assert_int_eq(settle(&world), 0);
	world.census.busy = 0;
	ck_assert_int_eq(settle(&world), 0);
}
END_TEST

/* A slow start of many is neither cut short nor undone by the surplus rule. */
START_TEST(first_workers_one_by_one)
{
	struct world world = {.rule = dynamic_rule(1, 2, 50)};

	world.rule.start_workers = 40;
	world.rule.spawn_interval_ms = INTERVAL_MS;
	ck_assert_int_eq(wait_until(&world, 39 * INTERVAL_MS), 40);
	ck_assert_int_eq(world.census.idle, 40);
	wait_until(&world, 39 * INTERVAL_MS + TIMEOUT_MS);
	ck_assert_int_eq(world.census.idle, 2);
}
END_TEST

/* Workers that die while others are busy are replaced, but are no reason for bigger steps. */
START_TEST(crash_loop_is_no_demand)
{
	struct world world = {.rule = dynamic_rule(3, 50, 50), .census = {.busy = 5}};

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(carry_out(&world, 0).start, 3);
		world.now += 1;
		world.census.starting = 0;
	}
}
END_TEST

START_TEST(spawn_interval_paces)
{
	struct world world = {.rule = dynamic_rule(4, 8, 10)};
	struct policy_plan plan;

	world.rule.spawn_interval_ms = INTERVAL_MS;
	world.now = 7;
	plan = carry_out(&world, 0);
	ck_assert_int_eq(plan.start, 1);
	ck_assert_int_eq(plan.lacking, 3);
	ck_assert_int_eq(plan.wake_at, 7 + INTERVAL_MS);
	world.now += INTERVAL_MS - 1;
	plan = carry_out(&world, 0);
	ck_assert_int_eq(plan.start, 0);
	ck_assert_int_eq(plan.reason, POLICY_WAITING);
	ck_assert_int_eq(plan.wake_at, 7 + INTERVAL_MS);
	world.now += 1;
	ck_assert_int_eq(carry_out(&world, 0).start, 1);
	wait_until(&world, 7 + 3 * INTERVAL_MS);
	ck_assert_int_eq(world.census.idle, 4);
}
END_TEST

START_TEST(spawn_interval_and_back_off)
{
	struct world world = {.rule = dynamic_rule(4, 8, 10)};

	world.rule.spawn_interval_ms = INTERVAL_MS;
	carry_out(&world, 0);
	world.deterred_until = INTERVAL_MS / 2;
	ck_assert_int_eq(carry_out(&world, 0).wake_at, INTERVAL_MS);
	world.deterred_until = 2 * INTERVAL_MS;
	ck_assert_int_eq(carry_out(&world, 0).wake_at, 2 * INTERVAL_MS);
}
END_TEST

START_TEST(same_question_same_answer)
{
	struct world world = {.rule = dynamic_rule(3, 20, 20), .census = {.busy = 2}};

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(decide(&world).start, 3);
	ck_assert_int_eq(carry_out(&world, 1).start, 3);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(decide(&world).start, 1);
	carry_out(&world, 0);
	ck_assert_int_eq(decide(&world).start, 0);
}
END_TEST

/* All that a step brought is taken as it comes: the next is twice as big, up to max_spawn_step. */
static void outrun(struct world *world, const int *sizes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct policy_plan plan = carry_out(world, 0);

		ck_assert_msg(
			plan.start == sizes[i], "step %zu: %d, not %d", i, plan.start, sizes[i]);
		ck_assert_int_eq(plan.reason, i == 0 ? POLICY_SPARE_LOW : POLICY_OUTRUN);
		ck_assert_int_eq(carry_out(world, 0).start, 0);
		world->now += 5000;
		world->census.busy += world->census.starting;
		world->census.starting = 0;
	}
}

START_TEST(outrun_steps_double)
{
	static const int sizes[] = {1, 2, 4, 8, 16, 32, 32};
	struct world world = {.rule = dynamic_rule(1, 500, 500), .census = {.busy = 1}};

	outrun(&world, sizes, 7);
}
END_TEST

START_TEST(outrun_steps_keep_below_max_spare)
{
	static const int sizes[] = {5, 10, 12, 12};
	struct world world = {.rule = dynamic_rule(5, 12, 500), .census = {.busy = 1}};

	outrun(&world, sizes, 4);
}
END_TEST

START_TEST(outrun_steps_keep_below_max_spawn_step)
{
	static const int sizes[] = {4, 7};
	struct world world = {.rule = dynamic_rule(4, 500, 500), .census = {.busy = 1}};

	world.rule.max_spawn_step = 7;
	outrun(&world, sizes, 2);
	world.rule.max_spawn_step = 1;
	ck_assert_int_eq(carry_out(&world, 0).start, 4); /* min_spare is always kept */
}
END_TEST

/* The same when the supervisor sees each of them idle for a moment, and replaces one by one. */
START_TEST(outrun_one_by_one)
{
	struct world world = {.rule = dynamic_rule(5, 50, 500), .census = {.idle = 5}};

	for (int i = 0; i < 5; i++) {
		take(&world, 1);
		carry_out(&world, 0);
	}
	ck_assert_int_eq(world.census.starting, 5);
	for (int come = 5; come <= 20; come *= 2) {
		world.now += 5000;
		for (int i = 0; i < come; i++) {
			world.census.starting--;
			world.census.idle++;
			carry_out(&world, 0);
			take(&world, 1);
			carry_out(&world, 0);
		}
		ck_assert_int_eq(world.census.starting, smaller(2 * come, 32));
	}
}
END_TEST

/* A step that stayed idle for as long as it took to come was enough: growth begins anew. */
START_TEST(step_that_lasted_is_forgotten)
{
	struct world world = {.rule = dynamic_rule(2, 50, 500), .census = {.busy = 1}};
	static const struct {
		int idle_ms, start;
	} cases[] = {{4999, 4}, {5000, 2}, {0, 4}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world copy = world;

		ck_assert_int_eq(carry_out(&copy, 0).start, 2);
		copy.now += 5000;
		copy.census.idle = copy.census.starting;
		copy.census.starting = 0;
		ck_assert_int_eq(carry_out(&copy, 0).start, 0);
		copy.now += cases[i].idle_ms;
		take(&copy, 2);
		ck_assert_int_eq(carry_out(&copy, 0).start, cases[i].start);
	}
}
END_TEST

/* All of the last step were taken as they came, and the next, of four, is due. */
static struct world outrun_once(int max_workers)
{
	static const int sizes[] = {2};
	struct world world = {.rule = dynamic_rule(2, 50, max_workers), .census = {.busy = 1}};

	outrun(&world, sizes, 1);
	return world;
}

/* A step is whole when all of it was started; only then is it judged. */
START_TEST(step_of_which_starts_were_refused)
{
	struct world world = outrun_once(50);

	ck_assert_int_eq(carry_out(&world, 2).start, 4);
	ck_assert_int_eq(decide(&world).start, 2);
	world.census.busy += world.census.starting;
	world.census.starting = 0;
	ck_assert_int_eq(decide(&world).start, 4);
}
END_TEST

/* Growth that max_workers held up is not made up for when the load is gone. */
START_TEST(step_that_was_cut_short)
{
	struct world world = outrun_once(6);

	ck_assert_int_eq(carry_out(&world, 0).start, 3);
	world.census.busy += 1;
	world.census.idle += 2;
	world.census.starting = 0;
	ck_assert_int_eq(carry_out(&world, 0).start, 0);
	world.rule.max_workers = 50;
	ck_assert_int_eq(carry_out(&world, 0).start, 0);
}
END_TEST

START_TEST(step_that_was_held_up)
{
	struct world world = {.rule = dynamic_rule(2, 50, 6), .census = {.busy = 6}};

	world.now = 3600000;
	ck_assert_int_eq(carry_out(&world, 0).reason, POLICY_AT_MAX);
	finish(&world, 2);
	ck_assert_int_eq(wait_until(&world, 3660000), 0);
	world.rule.max_workers = 50;
	for (int i = 0; i < 2; i++) {
		take(&world, 1);
		ck_assert_int_eq(settle(&world), 1);
	}
	take(&world, 2);
	ck_assert_int_eq(carry_out(&world, 0).start, 2);
}
END_TEST

/* Load that comes and goes faster than idle_timeout is settled once. */
START_TEST(flapping_moves_nobody)
{
	struct world world = {.rule = dynamic_rule(3, 5, 50)};

	settle(&world);
	for (int round = 0; round < 100; round++) {
		int moves = 0, add = 20;

		while (add > 0) {
			int now = smaller(add, world.census.idle);

			take(&world, now);
			moves += settle(&world);
			add -= now;
		}
		moves += wait_until(&world, world.now + 3000);
		finish(&world, 20);
		moves += wait_until(&world, world.now + TIMEOUT_MS - 1);
		ck_assert_msg(round == 0 || moves == 0, "round %d: %d moves", round, moves);
	}
}
END_TEST

/* Load that comes and goes slower: once up and once down each time. */
START_TEST(slow_tide_moves_once_each_way)
{
	struct world world = {.rule = dynamic_rule(3, 5, 50)};

	settle(&world);
	for (int round = 0; round < 20; round++) {
		int moves = 0;

		for (int i = 0; i < 20; i++) {
			take(&world, 1);
			moves += settle(&world);
		}
		ck_assert_int_eq(serving(&world.census), 23);
		ck_assert_int_eq(wait_until(&world, world.now + 3 * TIMEOUT_MS), 0);
		finish(&world, 20);
		moves += wait_until(&world, world.now + 3 * TIMEOUT_MS);
		ck_assert_int_eq(serving(&world.census), 5);
		ck_assert_int_eq(moves, round == 0 ? 20 + 18 : 18 + 18);
	}
}
END_TEST

START_TEST(drain_and_resume)
{
	struct world world = {.rule = dynamic_rule(3, 5, 10), .census = {.idle = 3, .busy = 4}};
	struct policy_rule rule = world.rule;
	struct policy_plan plan;

	settle(&world);
	world.rule.max_workers = world.rule.min_spare = world.rule.max_spare = 0;
	world.rule.start_workers = 0;
	plan = carry_out(&world, 0);
	ck_assert_int_eq(plan.retire_any, 7);
	ck_assert_int_eq(world.census.leaving, 7);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(carry_out(&world, 0).retire_any, 0); /* asked once */
	world.rule = rule;
	ck_assert_int_eq(carry_out(&world, 0).start, 3);
	ck_assert_int_eq(serving(&world.census) + world.census.leaving, 10);
}
END_TEST

START_TEST(static_pool_keeps_its_number)
{
	struct world world = {.rule = {.max_workers = 5}};

	settle(&world);
	ck_assert_int_eq(world.census.idle, 5);
	take(&world, 5);
	ck_assert_int_eq(wait_until(&world, 10000000), 0);
	world.census.busy = 2;
	ck_assert_int_eq(settle(&world), 3);
	ck_assert_int_eq(wait_until(&world, 20000000), 0);
	world.rule.max_workers++;
	ck_assert_int_eq(settle(&world), 1);
	world.rule.max_workers -= 2;
	ck_assert_int_eq(settle(&world), 2);
	ck_assert_int_eq(world.census.busy, 2);
}
END_TEST

static Suite *policy_stories_suite(void)
{
	const TTest *const stories[] = {
		grows_to_the_maximum_and_back,
		surplus_has_to_last,
		surplus_that_ends_is_forgotten,
		trickle_does_not_keep_a_burst,
		surplus_of_many_sizes,
		on_demand_goes_to_none,
		nobody_busy_or_unknown_is_surplus,
		first_workers,
		first_workers_that_die,
		first_workers_never_above_the_maximum,
		first_workers_that_were_adopted,
		first_workers_one_by_one,
		crash_loop_is_no_demand,
		spawn_interval_paces,
		spawn_interval_and_back_off,
		same_question_same_answer,
		outrun_steps_double,
		outrun_steps_keep_below_max_spare,
		outrun_steps_keep_below_max_spawn_step,
		outrun_one_by_one,
		step_that_lasted_is_forgotten,
		step_of_which_starts_were_refused,
		step_that_was_cut_short,
		step_that_was_held_up,
		flapping_moves_nobody,
		slow_tide_moves_once_each_way,
		drain_and_resume,
		static_pool_keeps_its_number,
	};
	Suite *suite = suite_create("policy_stories");
	TCase *told = tcase_create("stories");

	for (int i = 0; i < COUNT(stories); i++)
		tcase_add_test(told, stories[i]);
	suite_add_tcase(suite, told);
	return suite;
}

int main(void)
{
	return test_main(policy_stories_suite());
}
