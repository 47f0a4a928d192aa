/*
 * Every sequence of events in the life of a small pool that is rolled from one generation to
 * another, and back.
 */
#include "pool_search.h"
#include "pool_law.h"

#define READY "ready = scoreboard\nstart_timeout = 3s\n"

static const struct search_kind kinds[] = {
	{.rolls = true, .depth = 4, .keys = "max_workers = 1\n" READY},
	{.rolls = true, .unasked = true, .depth = 7, .keys = "max_workers = 1\n" READY},
	{.rolls = true,
		.notifies = true,
		.depth = 4,
		.keys = "max_workers = 1\nready = notify\nstart_timeout = 3s\n",
		.to = "max_workers = 2\nready = notify\nstart_timeout = 3s\nenvironment = A=1\n"},
	{.rolls = true,
		.depth = 4,
		.keys = "max_workers = 2\n" READY,
		.to = "max_workers = 1\nenvironment = A=1\n" READY},
	{.rolls = true,
		.depth = 4,
		.keys = "max_workers = 2\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
			"idle_timeout = 2s\nspawn_interval = 2s\n" READY},
};

START_TEST(every_sequence)
{
	search_pool(&kinds[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("roll_sequences");
	TCase *sequences = tcase_create("sequences");

	law_in_memory();
	suite_add_tcase(suite, sequences);
	tcase_set_timeout(sequences, 600);
	tcase_add_loop_test(sequences, every_sequence, 0, sizeof(kinds) / sizeof(kinds[0]));
	return test_main(suite);
}
