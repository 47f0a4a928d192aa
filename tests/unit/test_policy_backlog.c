/*
 * Growth by what waits at the sockets, as tables and as a queue that workers take from: as many are
 * started as wait, never more than that and the spare ones, and nobody is retired while one waits.
 */
#include <string.h>

#include "policy.h"
#include "policy_world.h"
#include "test_main.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct policy_rule backlog_rule(int min_spare, int max_spare, int max_workers)
{
	struct policy_rule rule = dynamic_rule(min_spare, max_spare, max_workers);

	rule.grow_on_backlog = true;
	return rule;
}

/* --- one decision ------------------------------------------------------------------------ */

static const struct decision_case {
	const char *name;
	int min_spare, max_spare, max_workers, step;
	struct policy_census census;
	int start, lacking;
	enum policy_reason reason;
} decision_cases[] = {
	/* census: starting, unknown, idle, busy, leaving, waiting */
	{"on demand: nobody waits", 0, 0, 10, 32, {0, 0, 0, 0, 0, 0}, 0, 0, POLICY_ENOUGH},
	{"the first one", 0, 0, 10, 32, {0, 0, 0, 0, 0, 1}, 1, 0, POLICY_BACKLOG},
	{"seven at once", 0, 0, 10, 32, {0, 0, 0, 0, 0, 7}, 7, 0, POLICY_BACKLOG},
	{"for each one comes already", 0, 0, 10, 32, {7, 0, 0, 0, 0, 7}, 0, 0, POLICY_ENOUGH},
	{"more come than wait", 0, 0, 10, 32, {7, 0, 0, 0, 0, 3}, 0, 0, POLICY_ENOUGH},
	{"two more arrived", 0, 0, 10, 32, {7, 0, 0, 0, 0, 9}, 2, 0, POLICY_BACKLOG},
	{"while others are busy", 0, 0, 10, 32, {0, 0, 0, 4, 0, 2}, 2, 0, POLICY_BACKLOG},
	{"somebody is idle", 0, 0, 10, 32, {0, 0, 1, 4, 0, 9}, 0, 0, POLICY_ENOUGH},
	{"unknown ones are not free", 0, 0, 10, 32, {0, 3, 0, 0, 0, 2}, 2, 0, POLICY_BACKLOG},
	{"a step at a time", 0, 0, 99, 8, {0, 0, 0, 0, 0, 50}, 8, 0, POLICY_BACKLOG},
	{"the step goes on", 0, 0, 99, 8, {5, 0, 0, 3, 0, 47}, 3, 0, POLICY_BACKLOG},
	{"the step is under way", 0, 0, 99, 8, {8, 0, 0, 3, 0, 47}, 0, 0, POLICY_ENOUGH},
	{"up to the maximum", 0, 0, 10, 32, {0, 0, 0, 6, 0, 9}, 4, 5, POLICY_BACKLOG},
	{"leaving ones count", 0, 0, 10, 32, {0, 0, 0, 6, 3, 9}, 1, 8, POLICY_BACKLOG},
	{"all are busy", 0, 0, 10, 32, {0, 0, 0, 10, 0, 9}, 0, 9, POLICY_AT_MAX},
	{"queue unknown", 0, 0, 10, 32, {0, 0, 0, 4, 0, -1}, 0, 0, POLICY_ENOUGH},

	{"spare ones on top", 2, 5, 20, 32, {0, 0, 0, 5, 0, 7}, 9, 0, POLICY_BACKLOG},
	{"spare ones that start are taken", 2, 5, 20, 32, {2, 0, 0, 5, 0, 7}, 7, 0, POLICY_BACKLOG},
	{"all on their way", 2, 5, 20, 32, {9, 0, 0, 5, 0, 7}, 0, 0, POLICY_ENOUGH},
	{"one taken by another", 2, 5, 20, 32, {8, 0, 0, 5, 0, 6}, 0, 0, POLICY_ENOUGH},
	{"only the spare ones lack", 2, 5, 20, 32, {7, 0, 0, 5, 0, 7}, 2, 0, POLICY_SPARE_LOW},
	{"unknown ones are spare", 2, 5, 20, 32, {0, 2, 0, 5, 0, 7}, 7, 0, POLICY_BACKLOG},
	{"nobody waits: as ever", 2, 5, 20, 32, {0, 0, 0, 5, 0, 0}, 2, 0, POLICY_SPARE_LOW},
	{"idle ones: as ever", 2, 5, 20, 32, {0, 0, 1, 5, 0, 7}, 1, 0, POLICY_SPARE_LOW},
	{"the step does not bound the spare", 4, 5, 20, 2, {0, 0, 0, 5, 0, 7}, 6, 0,
		POLICY_BACKLOG},
	{"a long queue and a small pool", 2, 5, 20, 32, {0, 0, 0, 19, 0, 4000}, 1, 33,
		POLICY_BACKLOG},
	{"drained", 0, 0, 0, 32, {0, 0, 0, 0, 0, 5}, 0, 5, POLICY_AT_MAX},
};

START_TEST(one_decision)
{
	const struct decision_case *c = &decision_cases[_i];
	struct world world = {
		.rule = backlog_rule(c->min_spare, c->max_spare, c->max_workers),
		.census = c->census,
		.now = 1000,
	};
	struct policy_plan plan;

	world.rule.max_spawn_step = c->step;
	plan = decide(&world);
	ck_assert_msg(plan.start == c->start, "%s: start %d", c->name, plan.start);
	ck_assert_msg(plan.lacking == c->lacking, "%s: lacking %d", c->name, plan.lacking);
	ck_assert_msg(plan.reason == c->reason, "%s: reason %d", c->name, plan.reason);
}
END_TEST

START_TEST(only_where_it_is_asked_for)
{
	struct world world = {
		.rule = dynamic_rule(0, 0, 10), .census = {.waiting = 5}, .now = 1000};

	ck_assert_int_eq(decide(&world).start, 0);
	world.rule = backlog_rule(0, 0, 4);
	world.rule.dynamic = false;
	world.census.busy = 4;
	ck_assert_int_eq(decide(&world).start, 0);
	ck_assert_int_eq(decide(&world).reason, POLICY_ENOUGH);
}
END_TEST

START_TEST(waits_for_the_back_off)
{
	struct world world = {
		.rule = backlog_rule(0, 0, 10),
		.census = {.waiting = 5},
		.now = 1000,
		.deterred_until = 1500,
	};
	struct policy_plan plan = decide(&world);

	ck_assert_int_eq(plan.start, 0);
	ck_assert_int_eq(plan.reason, POLICY_WAITING);
	ck_assert_int_eq(plan.wake_at, 1500);
	world.now = 1500;
	ck_assert_int_eq(decide(&world).start, 5);
}
END_TEST

START_TEST(one_by_one_with_spawn_interval)
{
	struct world world = {
		.rule = backlog_rule(0, 0, 10), .census = {.waiting = 3}, .now = 1000};

	world.rule.spawn_interval_ms = 100;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(carry_out(&world, 0).start, 1);
		ck_assert_int_eq(carry_out(&world, 0).start, 0);
		world.now += 100;
	}
	ck_assert_int_eq(carry_out(&world, 0).start, 0);
}
END_TEST

/* --- words ------------------------------------------------------------------------------- */

static const struct explain_case {
	int min_spare;
	struct policy_census census;
	struct policy_plan plan;
	const char *text;
} explain_cases[] = {
	{0, {.waiting = 7}, {.start = 7, .reason = POLICY_BACKLOG},
		"7 connections wait, nobody is idle: starting 7"},
	{0, {.waiting = 1, .busy = 3}, {.start = 1, .reason = POLICY_BACKLOG},
		"1 connection waits, nobody is idle: starting 1"},
	{0, {.waiting = 3, .starting = 1}, {.start = 2, .reason = POLICY_BACKLOG},
		"3 connections wait, nobody is idle, 1 is starting: starting 2"},
	{1, {.waiting = 7, .starting = 2}, {.start = 6, .reason = POLICY_BACKLOG},
		"7 connections wait, nobody is idle, 2 are starting, min_spare_workers 1: "
		"starting 6"},
	{0, {.waiting = 2, .unknown = 4}, {.start = 2, .reason = POLICY_BACKLOG},
		"2 connections wait, nobody is known to be idle: starting 2"},
	{0, {.waiting = 5, .busy = 9, .leaving = 1}, {.lacking = 5, .reason = POLICY_AT_MAX},
		"max_workers 10 reached (9 busy, 1 leaving), 5 connections wait: 5 more wanted"},
	{2, {.waiting = 0, .busy = 10}, {.lacking = 2, .reason = POLICY_AT_MAX},
		"max_workers 10 reached (10 busy, 0 leaving): 2 more wanted"},
};

START_TEST(explains_itself)
{
	const struct explain_case *c = &explain_cases[_i];
	struct policy_rule rule = backlog_rule(c->min_spare, c->min_spare, 10);
	char text[160];

	policy_explain(text, sizeof(text), &rule, &c->census, &c->plan);
	ck_assert_str_eq(text, c->text);
}
END_TEST

/* --- coming and going -------------------------------------------------------------------- */

START_TEST(down_to_none_when_nobody_waits)
{
	struct world world = {.rule = backlog_rule(0, 0, 10), .now = 1000};
	struct policy_plan plan;

	carry_out(&world, 0);
	world.census.idle = 3;
	plan = carry_out(&world, 0);
	ck_assert_int_eq(plan.wake_at, 1000 + TIMEOUT_MS);
	ck_assert(!policy_surplus_due(&world.memory, &world.rule, &world.census, world.now));
	world.now += TIMEOUT_MS;
	ck_assert(policy_surplus_due(&world.memory, &world.rule, &world.census, world.now));
	ck_assert_int_eq(carry_out(&world, 0).retire_idle, 3);
	ck_assert_int_eq(world.census.idle, 0);
	world.census.leaving = 0;
	plan = carry_out(&world, 0);
	ck_assert_int_eq(plan.start, 0);
	ck_assert_int_eq(plan.wake_at, POLICY_NEVER);
}
END_TEST

START_TEST(nobody_goes_while_one_waits)
{
	struct world world = {.rule = backlog_rule(0, 0, 10), .now = 1000};

	carry_out(&world, 0);
	world.census.idle = 3;
	carry_out(&world, 0);
	world.now += TIMEOUT_MS;
	world.census.waiting = 1;
	for (int i = 0; i < 50; i++) {
		struct policy_plan plan = carry_out(&world, 0);

		ck_assert_int_eq(plan.retire_idle, 0);
		ck_assert_int_eq(plan.start, 0);
		ck_assert_int_gt(plan.wake_at, world.now);
		ck_assert_int_le(plan.wake_at, world.now + 1000);
		world.now = plan.wake_at;
	}
	world.census.waiting = 0;
	ck_assert_int_eq(carry_out(&world, 0).retire_idle, 3);
}
END_TEST

START_TEST(at_once_where_idle_timeout_is_none)
{
	struct world world = {.rule = backlog_rule(0, 0, 10), .now = 1000};

	world.rule.idle_timeout_ms = 0;
	carry_out(&world, 0);
	world.census.idle = 2;
	ck_assert(policy_surplus_due(&world.memory, &world.rule, &world.census, world.now));
	world.census.waiting = 1;
	ck_assert_int_eq(carry_out(&world, 0).retire_idle, 0);
	world.census.waiting = 0;
	ck_assert_int_eq(carry_out(&world, 0).retire_idle, 2);
}
END_TEST

/* Those above the maximum go whoever waits: somebody asked for it. */
START_TEST(shrinking_does_not_wait)
{
	struct world world = {.rule = backlog_rule(0, 0, 2), .now = 1000};

	world.census = (struct policy_census){.idle = 1, .busy = 4, .waiting = 9};
	ck_assert_int_eq(carry_out(&world, 0).retire_any, 3);
}
END_TEST

/* A queue that is known is not guessed: what was taken at once is no reason to double. */
START_TEST(nothing_is_doubled)
{
	for (int known = 0; known < 2; known++) {
		struct world world = {.rule = backlog_rule(2, 40, 40), .now = 1000};

		world.census.waiting = known ? 0 : -1;
		for (int i = 0; i < 3; i++) {
			carry_out(&world, 0);
			world.now += 100;
			world.census.idle = world.census.starting;
			world.census.starting = 0;
			carry_out(&world, 0);
			world.census.busy += world.census.idle;
			world.census.idle = 0;
		}
		ck_assert_int_eq(carry_out(&world, 0).start, known ? 2 : 16);
	}
}
END_TEST

/*
 * A queue of `held` connections that nobody gives up, workers that take one each when they have
 * come, `batch` at a time: in the end each connection has its worker, min_spare are idle, and not
 * one worker was started too many.
 */
static void serve_queue(int held, int min_spare, int step, int batch)
{
	struct world world = {.rule = backlog_rule(min_spare, min_spare, 200), .now = 1000};
	struct policy_census *census = &world.census;
	int turns = 0;

	world.rule.max_spawn_step = step;
	census->waiting = held;
	do {
		int come, taken;

		carry_out(&world, 0);
		ck_assert_int_le(census->starting, smaller(held, step) + min_spare);
		come = smaller(batch, census->starting);
		taken = smaller(come + census->idle, census->waiting);
		census->starting -= come;
		census->idle += come - taken;
		census->busy += taken;
		census->waiting -= taken;
		world.now += 10;
	} while (census->busy < held && ++turns < 1000);
	while (census->starting > 0 || carry_out(&world, 0).start > 0) {
		census->idle += census->starting;
		census->starting = 0;
	}
	ck_assert_int_eq(census->busy, held);
	ck_assert_int_eq(census->idle, min_spare);
	ck_assert_int_eq(serving(census), held + min_spare);
}

START_TEST(as_many_as_wait_and_not_one_more)
{
	static const int sizes[] = {1, 2, 7, 50, 120};
	static const int steps[] = {1, 3, 32, 200};

	for (int i = 0; i < COUNT(sizes); i++)
		for (int j = 0; j < COUNT(steps); j++)
			for (int spare = 0; spare < 4; spare++)
				for (int batch = 1; batch <= 64; batch *= 4)
					serve_queue(sizes[i], spare, steps[j], batch);
}
END_TEST

/* In a queue that is known, growth takes no more rounds than steps fit into it. */
START_TEST(two_rounds_for_fifty)
{
	struct world world = {.rule = backlog_rule(1, 50, 50), .now = 1000};
	int rounds = 0;

	world.census = (struct policy_census){.busy = 1, .waiting = 49};
	while (world.census.busy < 50) {
		carry_out(&world, 0);
		world.census.busy += world.census.starting;
		world.census.waiting -= world.census.starting;
		world.census.starting = 0;
		rounds++;
	}
	ck_assert_int_eq(rounds, 2);
}
END_TEST

static Suite *policy_backlog_suite(void)
{
	Suite *suite = suite_create("policy_backlog");
	TCase *tables = tcase_create("tables");
	TCase *stories = tcase_create("stories");

	tcase_add_loop_test(tables, one_decision, 0, COUNT(decision_cases));
	tcase_add_loop_test(tables, explains_itself, 0, COUNT(explain_cases));
	tcase_add_test(tables, only_where_it_is_asked_for);
	tcase_add_test(tables, waits_for_the_back_off);
	tcase_add_test(tables, one_by_one_with_spawn_interval);
	suite_add_tcase(suite, tables);
	tcase_add_test(stories, down_to_none_when_nobody_waits);
	tcase_add_test(stories, nobody_goes_while_one_waits);
	tcase_add_test(stories, at_once_where_idle_timeout_is_none);
	tcase_add_test(stories, shrinking_does_not_wait);
	tcase_add_test(stories, nothing_is_doubled);
	tcase_add_test(stories, as_many_as_wait_and_not_one_more);
	tcase_add_test(stories, two_rounds_for_fifty);
	suite_add_tcase(suite, stories);
	return suite;
}

int main(void)
{
	return test_main(policy_backlog_suite());
}
