#ifndef PREFORKD_TEST_MAIN_H
#define PREFORKD_TEST_MAIN_H
/*
 * What every unit test shares: the run of one suite, and random numbers that a failed run can be
 * repeated with (PREFORKD_TEST_SEED=... in the environment).
 */
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_DEFAULT_SEED 20240229u

/* Runs the suite and gives the exit status of main(). */
static inline int test_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	if (getenv("PREFORKD_TEST_LONG"))
		puts("form: thorough");
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline bool test_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* At the beginning of main(), where valgrind's idea of the kernel is not enough (pidfds, signals of
 * every number): the test is skipped there. */
static inline void test_needs_kernel(void)
{
	if (!test_on_valgrind())
		return;
	puts("skipped: not under valgrind");
	exit(77);
}

/* By what a test should do less than usual, or wait longer: sanitizers say so in the environment.
 */
static inline unsigned test_slowness(void)
{
	const char *given = getenv("PREFORKD_TEST_SLOWNESS");
	int slowness = given ? atoi(given) : 1;

	if (test_on_valgrind())
		return 20;
	return slowness > 1 ? (unsigned)slowness : 1;
}

/* The seed of this run, printed so that the run can be repeated. */
static inline uint64_t test_seed(void)
{
	const char *given = getenv("PREFORKD_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : TEST_DEFAULT_SEED;

	printf("PREFORKD_TEST_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

/* The next random number (splitmix64); *state begins as the seed. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return mixed ^ (mixed >> 31);
}

/* A random number from 0 to below - 1. */
static inline uint64_t test_random_below(uint64_t *state, uint64_t below)
{
	return test_random(state) % below;
}

#endif
