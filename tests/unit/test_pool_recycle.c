/*
 * Workers that have served their time: by jobs, by age, by size, or because somebody asked. Each is
 * replaced first, and only `surge` at a time.
 */
#include <signal.h>

#include "board.h"
#include "pool_roll.h"
#include "roll_crew.h"

static struct crew crew; /* too big for a stack */

static void check_capacity(int workers, int surge)
{
	ck_assert_int_ge(crew.least_ready, workers);
	ck_assert_int_le(crew.most_present, workers + surge);
}

/* All of them again and again, at full load. */
START_TEST(by_jobs)
{
	crew_begin(&crew, "max_workers = 8\nmax_requests = 100\n");
	crew.jobs_per_second = 20;
	crew_pass(&crew, 60000);
	check_capacity(8, 1);
	/* 5 s of work each, and the longer they wait for their turn. */
	ck_assert_uint_ge(crew.world.pool->tally.recycled_jobs, 8 * 4);
	ck_assert_uint_eq(crew.world.pool->tally.recycled_age, 0);
	ck_assert_uint_eq(crew.world.pool->tally.exits_failed, 0);
	ck_assert_uint_eq(crew.world.pool->tally.exits_voluntary, 0);
	ck_assert_int_le(world_logged(&crew.world, "max_requests reached"),
		(int)crew.world.pool->tally.recycled_jobs);
	crew_end(&crew);
}
END_TEST

START_TEST(surge_at_a_time)
{
	crew_begin(&crew, "max_workers = 8\nmax_requests = 100\nsurge = 3\n");
	crew.jobs_per_second = 20;
	crew.boot_ms = 1000;
	crew_pass(&crew, 30000);
	check_capacity(8, 3);
	ck_assert_int_eq(crew.most_present, 11);
	crew_end(&crew);
}
END_TEST

/* Each has its own number, from the one given up to that and the jitter. */
START_TEST(jobs_with_jitter)
{
	uint64_t least = UINT64_MAX, most = 0;

	crew_begin(&crew, "max_workers = 50\nmax_requests = 100\nmax_requests_jitter = 50\n");
	for (int slot = 0; slot < 50; slot++) {
		const uint64_t jobs = world_worker(&crew.world, slot)->max_jobs;

		ck_assert_uint_ge(jobs, 100);
		ck_assert_uint_le(jobs, 150);
		least = jobs < least ? jobs : least;
		most = jobs > most ? jobs : most;
	}
	ck_assert_uint_lt(least, 115);
	ck_assert_uint_gt(most, 135);
	crew_end(&crew);
}
END_TEST

START_TEST(without_a_limit_nobody_goes)
{
	crew_begin(&crew, "max_workers = 3\nmax_requests_jitter = 5\nmax_lifetime_jitter = 5s\n");
	crew.jobs_per_second = 50;
	crew_pass(&crew, 60000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	crew_end(&crew);
}
END_TEST

START_TEST(by_age)
{
	crew_begin(&crew, "max_workers = 3\nmax_lifetime = 20s\n");
	crew_pass(&crew, 14000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	crew_pass(&crew, 5000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 6);
	ck_assert_uint_eq(crew.world.pool->tally.recycled_age, 3);
	crew_pass(&crew, 40000);
	check_capacity(3, 1);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 12);
	crew_end(&crew);
}
END_TEST

START_TEST(age_with_jitter)
{
	int64_t least = INT64_MAX, most = 0;

	crew_begin(&crew, "max_workers = 50\nmax_lifetime = 100s\nmax_lifetime_jitter = 50s\n");
	for (int slot = 0; slot < 50; slot++) {
		const struct worker *worker = world_worker(&crew.world, slot);
		const int64_t age_ms = worker->times.expires_at - worker->times.started_at;

		ck_assert_int_ge(age_ms, 100000);
		ck_assert_int_le(age_ms, 150000);
		least = age_ms < least ? age_ms : least;
		most = age_ms > most ? age_ms : most;
	}
	ck_assert_int_lt(least, 115000);
	ck_assert_int_gt(most, 135000);
	crew_end(&crew);
}
END_TEST

/* Looked at once a second; a size that cannot be told is none. */
START_TEST(by_size)
{
	crew_begin(&crew, "max_workers = 3\nmax_memory = 1M\n");
	fake_sys_set_resident_bytes(FAKE_FIRST_PID, 1 << 20);
	fake_sys_set_resident_bytes(FAKE_FIRST_PID + 1, -1);
	crew_pass(&crew, 5000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	ck_assert_uint_le(fake_sys_count(FAKE_RESIDENT_BYTES), 3 * 12);
	fake_sys_set_resident_bytes(FAKE_FIRST_PID, (1 << 20) + 1);
	crew_pass(&crew, 3000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 4);
	ck_assert(!fake_sys_alive(FAKE_FIRST_PID));
	ck_assert(fake_sys_alive(FAKE_FIRST_PID + 1));
	ck_assert_uint_eq(crew.world.pool->tally.recycled_memory, 1);
	ck_assert_int_eq(world_logged(&crew.world, "max_memory exceeded"), 1);
	check_capacity(3, 1);
	crew_end(&crew);
}
END_TEST

START_TEST(sizes_are_looked_at_only_where_they_matter)
{
	crew_begin(&crew, "max_workers = 3\n");
	crew_pass(&crew, 5000);
	ck_assert_uint_eq(fake_sys_count(FAKE_RESIDENT_BYTES), 0);
	crew_end(&crew);
}
END_TEST

START_TEST(one_is_restarted)
{
	crew_begin(&crew, "max_workers = 3\n");
	ck_assert(pool_restart_worker(crew.world.pool, 1));
	crew_pass(&crew, 3000);
	ck_assert(fake_sys_alive(FAKE_FIRST_PID));
	ck_assert(!fake_sys_alive(FAKE_FIRST_PID + 1));
	ck_assert(fake_sys_alive(FAKE_FIRST_PID + 2));
	ck_assert_uint_eq(fake_sys_signals_to(FAKE_FIRST_PID + 1, SIGTERM), 1);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 4);
	check_capacity(3, 1);
	crew_end(&crew);
}
END_TEST

START_TEST(who_is_not_there_cannot_be_restarted)
{
	crew_begin(&crew, "max_workers = 2\nstop_timeout = 60s\n");
	ck_assert(!pool_restart_worker(crew.world.pool, -1));
	ck_assert(!pool_restart_worker(crew.world.pool, 2));
	ck_assert(!pool_restart_worker(crew.world.pool, 1000000));
	world_say(&crew.world, 0, 1, "B");
	ck_assert(pool_restart_worker(crew.world.pool, 0));
	crew_pass(&crew, 3000);
	/* It is on its way already. */
	ck_assert_int_eq(world_worker(&crew.world, 0)->record.state, WORKER_RETIRING);
	ck_assert(!pool_restart_worker(crew.world.pool, 0));
	crew_end(&crew);
}
END_TEST

/* Those that should take their places fail: they stay, and capacity with them. */
START_TEST(nobody_goes_without_a_replacement)
{
	crew_begin(&crew, "max_workers = 3\nmax_lifetime = 10s\nmax_lifetime_jitter = 10s\n");
	crew.fault = CREW_EXITS;
	crew.fault_from = 1;
	crew_pass(&crew, 100000);
	check_capacity(3, 1);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 3; pid++)
		ck_assert(fake_sys_alive(pid));
	ck_assert_int_gt(crew.world.pool->failures.rounds, 2);
	crew.fault = CREW_WELL;
	crew_pass(&crew, 60000);
	check_capacity(3, 1);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 3; pid++)
		ck_assert(!fake_sys_alive(pid));
	crew_end(&crew);
}
END_TEST

/* A replacement may have to go before it came to anything: it takes its place, and is replaced in
 * its turn. */
START_TEST(replacements_have_their_time_too)
{
	crew_begin(&crew, "max_workers = 2\nmax_requests = 10\nspawn_interval = 5s\n");
	crew.jobs_per_second = 10;
	crew_pass(&crew, 120000);
	check_capacity(2, 1);
	ck_assert_uint_ge(crew.world.pool->tally.recycled_jobs, 20);
	crew_end(&crew);
}
END_TEST

/* While a roll goes on, and a static pool is drained, or becomes smaller. */
START_TEST(in_the_midst_of_other_things)
{
	crew_begin(&crew, "max_workers = 4\nmax_requests = 30\nsurge = 2\n");
	crew.jobs_per_second = 10;
	for (int i = 0; i < 5; i++) {
		world_roll(&crew.world, NULL);
		crew_finish_roll(&crew);
		ck_assert_int_eq((int)crew.world.roll, (int)ROLL_DONE);
	}
	check_capacity(4, 2);
	pool_grow(crew.world.pool, -1, 0);
	crew_pass(&crew, 10000);
	ck_assert_int_eq(crew_serving(&crew, 0), crew_ready(&crew));
	ck_assert_int_ge(crew_ready(&crew), 3);
	pool_drain(crew.world.pool, 0);
	crew_pass(&crew, 3000);
	ck_assert_int_eq(crew.world.pool->present, 0);
	crew_end(&crew);
}
END_TEST

/* Says that it leaves, and is replaced at once; says so and stays: gets the signal in the end. */
START_TEST(who_says_that_it_leaves)
{
	crew_begin(&crew, "max_workers = 2\nstop_timeout = 5s\n");
	world_notify(&crew.world, 0, "STOPPING=1");
	world_notify(&crew.world, 1, "STOPPING=1");
	crew_pass(&crew, 4900);
	ck_assert_uint_eq(world_signals(FAKE_FIRST_PID), 0);
	fake_sys_exit(FAKE_FIRST_PID + 1, 0);
	crew_pass(&crew, 500);
	ck_assert(!fake_sys_alive(FAKE_FIRST_PID));
	ck_assert_uint_eq(fake_sys_signals_to(FAKE_FIRST_PID, SIGTERM), 1);
	ck_assert_uint_eq(fake_sys_signals_to(FAKE_FIRST_PID + 1, SIGTERM), 0);
	ck_assert_int_eq(crew_serving(&crew, 0), 2);
	ck_assert_uint_eq(crew.world.pool->tally.exits_failed, 0);
	crew_end(&crew);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_recycle");
	TCase *recycling = tcase_create("recycling");

	law_in_memory();
	suite_add_tcase(suite, recycling);
	tcase_set_timeout(recycling, 60);
	tcase_add_test(recycling, by_jobs);
	tcase_add_test(recycling, surge_at_a_time);
	tcase_add_test(recycling, jobs_with_jitter);
	tcase_add_test(recycling, without_a_limit_nobody_goes);
	tcase_add_test(recycling, by_age);
	tcase_add_test(recycling, age_with_jitter);
	tcase_add_test(recycling, by_size);
	tcase_add_test(recycling, sizes_are_looked_at_only_where_they_matter);
	tcase_add_test(recycling, one_is_restarted);
	tcase_add_test(recycling, who_is_not_there_cannot_be_restarted);
	tcase_add_test(recycling, nobody_goes_without_a_replacement);
	tcase_add_test(recycling, replacements_have_their_time_too);
	tcase_add_test(recycling, in_the_midst_of_other_things);
	tcase_add_test(recycling, who_says_that_it_leaves);
	return test_main(suite);
}
