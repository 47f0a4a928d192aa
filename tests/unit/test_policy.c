/*
 * The spare rules as tables: one decision a row, from a fresh memory, and what it says of itself.
 * What must hold after every single decision is checked in policy_world.h.
 */
#include <string.h>

#include "policy.h"
#include "policy_world.h"
#include "test_main.h"

#define NOT_DETERRED 0

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct decision_case {
	const char *name;
	bool dynamic;
	int min_spare, max_spare, max_workers;
	struct policy_census census;
	bool deterred;
	int start, retire_any, lacking;
	enum policy_reason reason;
} decision_cases[] = {
	/* census: starting, unknown, idle, busy, leaving, waiting */
	{"static, nobody", 0, 0, 0, 4, {0, 0, 0, 0, 0, 0}, 0, 4, 0, 0, POLICY_TOO_FEW},
	{"static, one lacks", 0, 0, 0, 4, {1, 1, 1, 0, 0, 0}, 0, 1, 0, 0, POLICY_TOO_FEW},
	{"static, full", 0, 0, 0, 4, {1, 1, 1, 1, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"static, all idle", 0, 0, 0, 4, {0, 0, 4, 0, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"static, one leaving", 0, 0, 0, 4, {0, 0, 3, 0, 1, 0}, 0, 0, 0, 1, POLICY_AT_MAX},
	{"static, half leaving", 0, 0, 0, 4, {0, 0, 1, 0, 2, 0}, 0, 1, 0, 2, POLICY_TOO_FEW},
	{"static, deterred", 0, 0, 0, 4, {0, 0, 1, 0, 0, 0}, 1, 0, 0, 3, POLICY_WAITING},
	{"static, shrunk by one", 0, 0, 0, 3, {0, 0, 1, 3, 0, 0}, 0, 0, 1, 0, POLICY_ABOVE_MAX},
	{"static, drained", 0, 0, 0, 0, {1, 1, 1, 1, 1, 0}, 0, 0, 4, 0, POLICY_ABOVE_MAX},
	{"static, drained and empty", 0, 0, 0, 0, {0, 0, 0, 0, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"static, shrunk while deterred", 0, 0, 0, 1, {0, 0, 2, 0, 0, 0}, 1, 0, 1, 0,
		POLICY_ABOVE_MAX},

	{"dynamic, nobody", 1, 3, 5, 10, {0, 0, 0, 0, 0, 0}, 0, 3, 0, 0, POLICY_SPARE_LOW},
	{"all spare", 1, 3, 5, 10, {0, 0, 3, 0, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"starting ones are spare", 1, 3, 5, 10, {3, 0, 0, 7, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"unknown ones are spare", 1, 3, 5, 10, {0, 3, 0, 2, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"all three together", 1, 3, 5, 10, {1, 1, 1, 2, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"one taken", 1, 3, 5, 10, {0, 0, 2, 1, 0, 0}, 0, 1, 0, 0, POLICY_SPARE_LOW},
	{"all taken: all that lacks at once", 1, 3, 5, 10, {0, 0, 0, 3, 0, 0}, 0, 3, 0, 0,
		POLICY_SPARE_LOW},
	{"more lacks than a step", 1, 50, 50, 99, {0, 0, 0, 1, 0, 0}, 0, 50, 0, 0,
		POLICY_SPARE_LOW},
	{"near the maximum", 1, 3, 5, 10, {0, 0, 1, 8, 0, 0}, 0, 1, 0, 1, POLICY_SPARE_LOW},
	{"at the maximum", 1, 3, 5, 10, {0, 0, 0, 10, 0, 0}, 0, 0, 0, 3, POLICY_AT_MAX},
	{"leaving ones count against it", 1, 3, 5, 10, {0, 0, 0, 6, 2, 0}, 0, 2, 0, 1,
		POLICY_SPARE_LOW},
	{"and fill it", 1, 3, 5, 10, {0, 0, 0, 6, 4, 0}, 0, 0, 0, 3, POLICY_AT_MAX},
	{"and are not spare", 1, 3, 5, 10, {0, 0, 0, 0, 5, 0}, 0, 3, 0, 0, POLICY_SPARE_LOW},
	{"more leaving than the maximum", 1, 3, 3, 3, {0, 0, 0, 1, 9, 0}, 0, 0, 0, 3,
		POLICY_AT_MAX},
	{"deterred", 1, 3, 5, 10, {0, 0, 1, 4, 0, 0}, 1, 0, 0, 2, POLICY_WAITING},
	{"deterred, nothing lacks", 1, 3, 5, 10, {0, 0, 4, 4, 0, 0}, 1, 0, 0, 0, POLICY_ENOUGH},
	{"deterred and at the maximum", 1, 3, 5, 10, {0, 0, 0, 10, 0, 0}, 1, 0, 0, 3,
		POLICY_AT_MAX},
	{"no spare is asked for", 1, 0, 0, 10, {0, 0, 0, 0, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"nor while all are busy", 1, 0, 0, 10, {0, 0, 0, 4, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"shrunk below what is there", 1, 1, 1, 4, {1, 1, 2, 3, 0, 0}, 0, 0, 3, 0,
		POLICY_ABOVE_MAX},
	{"drained", 1, 0, 0, 0, {1, 1, 2, 3, 1, 0}, 0, 0, 7, 0, POLICY_ABOVE_MAX},
	{"drained and empty", 1, 0, 0, 0, {0, 0, 0, 0, 3, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"spare bounds that nobody clamped", 1, 5, 5, 2, {0, 0, 0, 1, 0, 0}, 0, 1, 0, 4,
		POLICY_SPARE_LOW},

	/* What Celery's autoscaler was once wrong about. */
	{"a busy pool is not shrunk", 1, 0, 0, 10, {0, 0, 0, 10, 0, 0}, 0, 0, 0, 0, POLICY_ENOUGH},
	{"nor a busy one above its spare", 1, 3, 3, 10, {0, 0, 3, 7, 0, 0}, 0, 0, 0, 0,
		POLICY_ENOUGH},
	{"growth is what there is room for", 1, 9, 9, 10, {0, 0, 0, 8, 0, 0}, 0, 2, 0, 7,
		POLICY_SPARE_LOW},
	{"shrinking is what is above", 1, 1, 9, 8, {0, 0, 9, 1, 0, 0}, 0, 0, 2, 0,
		POLICY_ABOVE_MAX},
};

START_TEST(one_decision)
{
	const struct decision_case *c = &decision_cases[_i];
	struct world world = {
		.rule = dynamic_rule(c->min_spare, c->max_spare, c->max_workers),
		.census = c->census,
		.now = 1000,
		.deterred_until = c->deterred ? 1500 : NOT_DETERRED,
	};
	struct policy_plan plan;

	world.rule.dynamic = c->dynamic;
	plan = decide(&world);
	ck_assert_msg(plan.start == c->start, "%s: start %d", c->name, plan.start);
	ck_assert_msg(plan.retire_any == c->retire_any, "%s: retire %d", c->name, plan.retire_any);
	ck_assert_msg(plan.lacking == c->lacking, "%s: lacking %d", c->name, plan.lacking);
	ck_assert_msg(plan.reason == c->reason, "%s: reason %d", c->name, plan.reason);
	ck_assert_msg(plan.retire_idle == 0, "%s: retires %d idle", c->name, plan.retire_idle);
	ck_assert_msg(plan.wake_at == (c->reason == POLICY_WAITING ? 1500 : POLICY_NEVER),
		"%s: wake %lld", c->name, (long long)plan.wake_at);
}
END_TEST

static const struct explain_case {
	bool dynamic;
	struct policy_census census;
	struct policy_plan plan;
	const char *text;
} explain_cases[] = {
	{true, {.idle = 2, .starting = 1}, {.start = 2, .reason = POLICY_SPARE_LOW},
		"2 idle + 1 starting < min_spare_workers 5: starting 2"},
	{true, {.idle = 2, .starting = 1, .unknown = 1}, {.start = 1, .reason = POLICY_SPARE_LOW},
		"2 idle + 1 starting + 1 unknown < min_spare_workers 5: starting 1"},
	{true, {0}, {.start = 6, .reason = POLICY_INITIAL}, "start_workers 6: starting 6"},
	{true, {.busy = 7}, {.start = 8, .reason = POLICY_OUTRUN},
		"the last step was taken sooner than it came (7 busy): starting 8"},
	{true, {.idle = 12}, {.retire_idle = 3, .reason = POLICY_SURPLUS},
		"12 idle > max_spare_workers 9 for 2.5 s: retiring 3"},
	{true, {.idle = 12, .busy = 13}, {.retire_any = 5, .reason = POLICY_ABOVE_MAX},
		"25 workers > max_workers 20: retiring 5"},
	{true, {.busy = 18, .leaving = 2}, {.lacking = 5, .reason = POLICY_AT_MAX},
		"max_workers 20 reached (18 busy, 2 leaving): 5 more wanted"},
	{true, {0}, {.lacking = 5, .reason = POLICY_WAITING}, "5 more wanted, not started yet"},
	{true, {0}, {.reason = POLICY_ENOUGH}, "enough workers"},
	{false, {.idle = 3, .busy = 4}, {.start = 13, .reason = POLICY_TOO_FEW},
		"7 of 20 workers: starting 13"},
};

START_TEST(explains_itself)
{
	const struct explain_case *c = &explain_cases[_i];
	struct policy_rule rule = dynamic_rule(5, 9, 20);
	char text[128];
	char small[8];

	rule.dynamic = c->dynamic;
	rule.start_workers = 6;
	rule.idle_timeout_ms = 2500;
	policy_explain(text, sizeof(text), &rule, &c->census, &c->plan);
	ck_assert_str_eq(text, c->text);
	policy_explain(small, sizeof(small), &rule, &c->census, &c->plan);
	ck_assert_int_eq(strncmp(small, c->text, 7), 0);
	ck_assert_uint_eq(strlen(small), 7);
}
END_TEST

static Suite *policy_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *tables = tcase_create("tables");

	tcase_add_loop_test(tables, one_decision, 0, COUNT(decision_cases));
	tcase_add_loop_test(tables, explains_itself, 0, COUNT(explain_cases));
	suite_add_tcase(suite, tables);
	return suite;
}

int main(void)
{
	return test_main(policy_suite());
}
