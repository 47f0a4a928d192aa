/* Telling once an interval: the times of a table, odd clocks, and a count that never loses one. */
#include "rate_limit.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(once_an_interval)
{
	static const struct {
		int64_t now_ms;
		bool pass;
		uint64_t held_back;
	} steps[] = {
		{0, true, 0},
		{0, false, 0},
		{1, false, 0},
		{999, false, 0},
		{1000, true, 3},
		{1999, false, 0},
		{2000, true, 1},
		{3000, true, 0},
		{50000, true, 0},
		{50999, false, 0},
		{51001, true, 1},
		{52000, false, 0},
		{52001, true, 1},
	};
	struct rate_limit limit = {.interval_ms = 1000};

	for (size_t i = 0; i < COUNT(steps); i++) {
		uint64_t held_back = 4711;
		bool pass = rate_limit_pass(&limit, steps[i].now_ms, &held_back);

		ck_assert_msg(pass == steps[i].pass, "step %zu", i);
		ck_assert_uint_eq(held_back, pass ? steps[i].held_back : 4711);
	}
}
END_TEST

START_TEST(first_one_passes_at_any_time)
{
	static const int64_t times[] = {0, 1, 1000, INT64_C(1700000000000), INT64_MAX};

	for (size_t i = 0; i < COUNT(times); i++) {
		struct rate_limit limit = {.interval_ms = 1000};

		ck_assert(rate_limit_pass(&limit, times[i], NULL));
	}
}
END_TEST

START_TEST(no_interval_is_no_limit)
{
	struct rate_limit limit = {0};
	uint64_t held_back = 1;

	for (int64_t now = 0; now < 10; now++) {
		ck_assert(rate_limit_pass(&limit, now / 3, &held_back));
		ck_assert_uint_eq(held_back, 0);
	}
}
END_TEST

START_TEST(count_is_optional)
{
	struct rate_limit limit = {.interval_ms = 10};
	uint64_t held_back = 0;

	ck_assert(rate_limit_pass(&limit, 0, NULL));
	ck_assert(!rate_limit_pass(&limit, 5, NULL));
	ck_assert(rate_limit_pass(&limit, 10, NULL));
	ck_assert(rate_limit_pass(&limit, 20, &held_back));
	ck_assert_uint_eq(held_back, 0);
}
END_TEST

/* A clock that was set back an hour does not silence anything for an hour. */
START_TEST(clock_set_back)
{
	struct rate_limit limit = {.interval_ms = 1000};
	uint64_t held_back = 0;

	ck_assert(rate_limit_pass(&limit, 7200000, NULL));
	ck_assert(!rate_limit_pass(&limit, 7200500, NULL));
	ck_assert(rate_limit_pass(&limit, 3600000, &held_back));
	ck_assert_uint_eq(held_back, 1);
	ck_assert(!rate_limit_pass(&limit, 3600999, NULL));
	ck_assert(rate_limit_pass(&limit, 3601000, NULL));
}
END_TEST

START_TEST(for_ever)
{
	struct rate_limit limit = {.interval_ms = INT64_MAX};

	ck_assert(rate_limit_pass(&limit, 5, NULL));
	ck_assert(!rate_limit_pass(&limit, 6, NULL));
	ck_assert(!rate_limit_pass(&limit, INT64_MAX - 1, NULL));
}
END_TEST

/* What was told and what was held back add up, and two that were told are an interval apart. */
START_TEST(random_times_add_up)
{
	uint64_t state = test_seed();
	struct rate_limit limit = {.interval_ms = 100};
	uint64_t told = 0, reported = 0;
	int64_t now = 0, last = -100;

	for (uint64_t i = 1; i <= 100000; i++) {
		uint64_t held_back = 0;

		now += (int64_t)test_random_below(&state, 60);
		if (rate_limit_pass(&limit, now, &held_back)) {
			ck_assert_int_ge(now - last, 100);
			last = now;
			told++;
		} else {
			ck_assert_int_lt(now - last, 100);
		}
		reported += held_back;
		ck_assert_uint_eq(told + reported + limit.held_back, i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate_limit");
	TCase *tcase = tcase_create("rate_limit");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, once_an_interval);
	tcase_add_test(tcase, first_one_passes_at_any_time);
	tcase_add_test(tcase, no_interval_is_no_limit);
	tcase_add_test(tcase, count_is_optional);
	tcase_add_test(tcase, clock_set_back);
	tcase_add_test(tcase, for_ever);
	tcase_add_test(tcase, random_times_add_up);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
