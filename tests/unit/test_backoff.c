/*
 * The back-off: the formula as a table, its jitter, rounds against single failures, and numbers
 * that would overflow.
 */
#include "backoff.h"
#include "test_main.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct backoff_rule common = {.base_ms = 1000, .cap_ms = 30000};

static const struct delay_case {
	int64_t base_ms, cap_ms;
	unsigned rounds;
	int64_t delay_ms;
} delay_cases[] = {
	{1000, 30000, 1, 1000},
	{1000, 30000, 2, 2000},
	{1000, 30000, 3, 4000},
	{1000, 30000, 4, 8000},
	{1000, 30000, 5, 16000},
	{1000, 30000, 6, 30000},
	{1000, 30000, 7, 30000},
	{1000, 30000, 64, 30000},
	{1000, 30000, UINT32_MAX, 30000},
	{1000, 32000, 6, 32000}, /* exactly the cap */
	{1, INT64_MAX, 1, 1},
	{1, INT64_MAX, 63, (int64_t)1 << 62},
	{1, INT64_MAX, 64, INT64_MAX},
	{1, INT64_MAX, UINT32_MAX, INT64_MAX},
	{3, INT64_MAX - 1, 100, INT64_MAX - 1},
	{INT64_MAX, INT64_MAX, 5, INT64_MAX},
	{5000, 5000, 1, 5000}, /* always the same */
	{5000, 5000, 9, 5000},
	{5000, 1000, 1, 1000}, /* a base above the cap */
	{0, 30000, 1, 0},      /* no wait at all */
	{0, 30000, UINT32_MAX, 0},
	{0, 0, 3, 0},
	{1000, 0, 3, 0},
};

START_TEST(delays)
{
	const struct delay_case *c = &delay_cases[_i];
	const struct backoff_rule rule = {.base_ms = c->base_ms, .cap_ms = c->cap_ms};

	ck_assert_int_eq(backoff_delay_ms(&rule, c->rounds), c->delay_ms);
}
END_TEST

START_TEST(waits_grow_round_by_round)
{
	static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct backoff backoff = {0};
	int64_t now = 77;

	ck_assert(!backoff_waiting(&backoff, now));
	for (int i = 0; i < COUNT(waits_ms); i++) {
		backoff_fail(&backoff, &common, backoff.round, now, 0);
		ck_assert_int_eq(backoff.delay_ms, waits_ms[i]);
		ck_assert_int_eq(backoff.until, now + waits_ms[i]);
		ck_assert_uint_eq(backoff.rounds, i + 1);
		ck_assert_uint_eq(backoff.failures, i + 1);
		ck_assert(backoff_waiting(&backoff, now));
		ck_assert(backoff_waiting(&backoff, backoff.until - 1));
		ck_assert(!backoff_waiting(&backoff, backoff.until));
		now = backoff.until;
	}
}
END_TEST

/* Ten that were started together and die one after another are one round, and wait once. */
START_TEST(failures_of_one_round)
{
	struct backoff backoff = {0};
	uint64_t round = backoff.round;

	for (int i = 0; i < 10; i++)
		backoff_fail(&backoff, &common, round, 500 + i, 0);
	ck_assert_uint_eq(backoff.rounds, 1);
	ck_assert_uint_eq(backoff.failures, 10);
	ck_assert_int_eq(backoff.until, 509 + 1000); /* a base after the last of them */
	ck_assert_uint_ne(backoff.round, round);     /* what is started now belongs to the next */
}
END_TEST

/* One of an earlier round dies when a later round has begun: no round of its own. */
START_TEST(straggler_of_an_earlier_round)
{
	struct backoff backoff = {0};
	uint64_t first = backoff.round, second;

	backoff_fail(&backoff, &common, first, 0, 0);
	second = backoff.round;
	backoff_fail(&backoff, &common, first, 1500, 0);
	ck_assert_uint_eq(backoff.rounds, 1);
	ck_assert_uint_eq(backoff.round, second);
	ck_assert_int_eq(backoff.until, 2500);
	backoff_fail(&backoff, &common, second, 3000, 0);
	ck_assert_uint_eq(backoff.rounds, 2);
	ck_assert_int_eq(backoff.until, 5000);
	ck_assert_uint_eq(backoff.failures, 3);
}
END_TEST

/* A wait is never cut short by a failure that would wait for less. */
START_TEST(wait_is_never_shortened)
{
	struct backoff backoff = {0};

	for (int i = 0; i < 4; i++)
		backoff_fail(&backoff, &common, backoff.round, 0, 0);
	ck_assert_int_eq(backoff.until, 8000);
	backoff_reset(&backoff);
	backoff_fail(&backoff, &common, backoff.round, 100, 0);
	ck_assert_int_eq(backoff.delay_ms, 1000);
	ck_assert_int_eq(backoff.until, 8000);
}
END_TEST

START_TEST(reset_begins_anew)
{
	struct backoff backoff = {0};

	for (int i = 0; i < 4; i++)
		backoff_fail(&backoff, &common, backoff.round, 0, 0);
	backoff_reset(&backoff);
	ck_assert_uint_eq(backoff.rounds, 0);
	ck_assert_uint_eq(backoff.failures, 0);
	ck_assert(backoff_waiting(&backoff, 7999)); /* a wait that is on goes on */
	backoff_fail(&backoff, &common, backoff.round, 20000, 0);
	ck_assert_int_eq(backoff.until, 21000);
}
END_TEST

START_TEST(what_is_forgotten_deters_nobody)
{
	struct backoff backoff = {0};
	uint64_t round;

	for (int i = 0; i < 4; i++)
		backoff_fail(&backoff, &common, backoff.round, 0, 0);
	round = backoff.round;
	backoff_forget(&backoff);
	ck_assert_uint_eq(backoff.rounds, 0);
	ck_assert_uint_eq(backoff.failures, 0);
	ck_assert(!backoff_waiting(&backoff, 1));
	backoff_fail(&backoff, &common, round, 100, 0);
	ck_assert_int_eq(backoff.until, 1100);
}
END_TEST

/* After a reset, one of a round that had failed before: the first failed round anew. */
START_TEST(straggler_after_a_reset)
{
	struct backoff backoff = {0};
	uint64_t first = backoff.round, next;

	backoff_fail(&backoff, &common, first, 0, 0);
	next = backoff.round;
	backoff_reset(&backoff);
	backoff_fail(&backoff, &common, first, 5000, 0);
	ck_assert_uint_eq(backoff.rounds, 1);
	ck_assert_int_eq(backoff.until, 6000);
	backoff_fail(&backoff, &common, next, 7000, 0);
	ck_assert_uint_eq(backoff.rounds, 2);
}
END_TEST

START_TEST(no_wait_with_base_0)
{
	const struct backoff_rule rule = {.base_ms = 0, .cap_ms = 30000};
	struct backoff backoff = {0};

	for (int i = 0; i < 100; i++) {
		backoff_fail(&backoff, &rule, backoff.round, i, 0.99);
		ck_assert(!backoff_waiting(&backoff, i));
	}
}
END_TEST

START_TEST(endless_cap_does_not_overflow)
{
	const struct backoff_rule rule = {.base_ms = 1, .cap_ms = INT64_MAX};
	struct backoff backoff = {0};

	for (int i = 0; i < 200; i++) {
		backoff_fail(&backoff, &rule, backoff.round, 1000000, 0.999);
		ck_assert_int_gt(backoff.delay_ms, 0);
		ck_assert_int_gt(backoff.until, 1000000);
	}
	ck_assert_int_eq(backoff.until, INT64_MAX);
	ck_assert(backoff_waiting(&backoff, INT64_MAX - 1));
}
END_TEST

static double random_chance(uint64_t *random)
{
	return (double)(test_random(random) >> 11) / (double)(1ull << 53);
}

START_TEST(jitter)
{
	uint64_t random = test_seed();
	int64_t least = INT64_MAX, most = 0;

	for (int i = 0; i < 1000; i++) {
		struct backoff backoff = {0};

		backoff_fail(&backoff, &common, backoff.round, 0, random_chance(&random));
		least = backoff.delay_ms < least ? backoff.delay_ms : least;
		most = backoff.delay_ms > most ? backoff.delay_ms : most;
	}
	ck_assert_int_ge(least, 1000);
	ck_assert_int_lt(least, 1010);
	ck_assert_int_le(most, 1100);
	ck_assert_int_gt(most, 1090);
}
END_TEST

/* Any rule, any order of failures, resets and time: within a tenth of the formula, never above the
 * cap, never earlier than promised. Plain comparisons, as an assertion of Check costs a system
 * call. */
START_TEST(random_failures)
{
	uint64_t random = test_seed();
	struct backoff_rule rule = common;
	struct backoff backoff = {0};
	int64_t now = 0;

	for (int i = 0; i < 100000; i++) {
		int64_t until = backoff.until, plain_ms;
		uint64_t late = test_random_below(&random, 3);

		if (test_random_below(&random, 20) == 0) {
			rule.base_ms = (int64_t)test_random_below(&random, 3000);
			rule.cap_ms = rule.base_ms + (int64_t)test_random_below(&random, 60000);
		}
		if (test_random_below(&random, 12) == 0)
			backoff_reset(&backoff);
		now += (int64_t)test_random_below(&random, 40000);
		backoff_fail(&backoff, &rule, backoff.round > late ? backoff.round - late : 0, now,
			random_chance(&random));
		plain_ms = backoff_delay_ms(&rule, backoff.rounds);
		if (backoff.delay_ms < plain_ms || backoff.delay_ms > rule.cap_ms ||
			backoff.delay_ms > plain_ms + plain_ms / 10)
			ck_abort_msg("waits %lld instead of %lld", (long long)backoff.delay_ms,
				(long long)plain_ms);
		if (backoff.until < until || backoff.until < now + plain_ms)
			ck_abort_msg("ends too early");
		if (backoff.rounds == 0 || backoff.rounds > backoff.failures)
			ck_abort_msg("%u rounds, %u failures", backoff.rounds, backoff.failures);
	}
}
END_TEST

static Suite *backoff_suite(void)
{
	Suite *suite = suite_create("backoff");
	TCase *formula = tcase_create("formula");
	TCase *rounds = tcase_create("rounds");
	TCase *chance = tcase_create("chance");

	tcase_add_loop_test(formula, delays, 0, COUNT(delay_cases));
	tcase_add_test(formula, no_wait_with_base_0);
	tcase_add_test(formula, endless_cap_does_not_overflow);
	suite_add_tcase(suite, formula);
	tcase_add_test(rounds, waits_grow_round_by_round);
	tcase_add_test(rounds, failures_of_one_round);
	tcase_add_test(rounds, straggler_of_an_earlier_round);
	tcase_add_test(rounds, wait_is_never_shortened);
	tcase_add_test(rounds, reset_begins_anew);
	tcase_add_test(rounds, what_is_forgotten_deters_nobody);
	tcase_add_test(rounds, straggler_after_a_reset);
	suite_add_tcase(suite, rounds);
	tcase_add_test(chance, jitter);
	tcase_add_test(chance, random_failures);
	suite_add_tcase(suite, chance);
	return suite;
}

int main(void)
{
	return test_main(backoff_suite());
}
