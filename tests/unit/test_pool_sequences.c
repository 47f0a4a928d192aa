/*
 * Every sequence of events in the life of a pool of two workers that lives by one configuration.
 */
#include "pool_search.h"
#include "pool_law.h"

static const struct search_kind kinds[] = {
	{.depth = 6, .keys = "max_workers = 2\nready = scoreboard\nstart_timeout = 3s\n"},
	{.depth = 5,
		.keys = "max_workers = 2\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
			"idle_timeout = 2s\n"},
	{.depth = 5,
		.keys = "max_workers = 2\nready = scoreboard\ntimeout = 2s\n"
			"timeout_signal = ABRT\n"},
};

START_TEST(every_sequence)
{
	search_pool(&kinds[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_sequences");
	TCase *sequences = tcase_create("sequences");

	law_in_memory();
	suite_add_tcase(suite, sequences);
	tcase_set_timeout(sequences, 600);
	tcase_add_loop_test(sequences, every_sequence, 0, sizeof(kinds) / sizeof(kinds[0]));
	return test_main(suite);
}
