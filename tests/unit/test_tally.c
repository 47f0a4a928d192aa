/* Histograms: which bucket, and the sum. Rates: between which looks. */
#include "tally.h"
#include "test_main.h"

START_TEST(bounds_rise)
{
	for (int i = 1; i < HISTOGRAM_BOUNDS; i++)
		ck_assert(histogram_bound[i - 1] < histogram_bound[i]);
	ck_assert(histogram_bound[0] > 0);
}
END_TEST

/* A bound belongs to the bucket below it, as Prometheus counts ("le"). */
START_TEST(which_bucket)
{
	struct histogram histogram = {0};

	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		histogram_add(&histogram, histogram_bound[i]);
		ck_assert_uint_eq(histogram.count[i], 1);
	}
	ck_assert_uint_eq(histogram.count[HISTOGRAM_BOUNDS], 0);
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		histogram_add(&histogram, histogram_bound[i] * 1.01);
		ck_assert_uint_eq(histogram.count[i], i == 0 ? 1 : 2);
	}
	ck_assert_uint_eq(histogram.count[HISTOGRAM_BOUNDS], 1);
}
END_TEST

START_TEST(the_ends)
{
	struct histogram histogram = {0};

	histogram_add(&histogram, 0);
	histogram_add(&histogram, -1); /* a clock that was wrong */
	histogram_add(&histogram, 1e9);
	ck_assert_uint_eq(histogram.count[0], 2);
	ck_assert_uint_eq(histogram.count[HISTOGRAM_BOUNDS], 1);
}
END_TEST

START_TEST(nothing_is_lost)
{
	struct histogram histogram = {0};
	uint64_t random = test_seed(), count = 0;
	double sum = 0;

	for (int i = 0; i < 10000; i++) {
		const double seconds = (double)test_random_below(&random, 1u << 20) / 16384;

		histogram_add(&histogram, seconds);
		sum += seconds;
	}
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		count += histogram.count[i];
	ck_assert_uint_eq(count, 10000);
	ck_assert(histogram.sum == sum);
}
END_TEST

/* Of three looks, a second apart, the last says what came since the first. */
START_TEST(a_rate_needs_two_looks)
{
	struct tally tally = {.jobs = 100};

	ck_assert(tally_rate(&tally, 50000) == 0);
	tally.jobs = 110;
	ck_assert(tally_rate(&tally, 51000) == 10);
	tally.jobs = 150;
	ck_assert(tally_rate(&tally, 53000) == 20);
}
END_TEST

/* Whoever looks ten times a second sees the same as who looks once. */
START_TEST(many_looks_do_not_hurt)
{
	struct tally tally = {.jobs = 1};
	double rate = 0;

	for (int i = 0; i < 100; i++) {
		tally.jobs += 5;
		rate = tally_rate(&tally, 50000 + 100 * i);
		if (i >= 10)
			ck_assert(rate > 49.9 && rate < 50.1);
	}
	for (int i = 0; i < 30; i++)
		rate = tally_rate(&tally, 60000 + 100 * i);
	ck_assert(rate == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *histograms = tcase_create("histograms"), *rates = tcase_create("rates");

	suite_add_tcase(suite, histograms);
	tcase_add_test(histograms, bounds_rise);
	tcase_add_test(histograms, which_bucket);
	tcase_add_test(histograms, the_ends);
	tcase_add_test(histograms, nothing_is_lost);
	suite_add_tcase(suite, rates);
	tcase_add_test(rates, a_rate_needs_two_looks);
	tcase_add_test(rates, many_looks_do_not_hurt);
	return test_main(suite);
}
