/*
 * A pool's number and its starts: what is kept, replaced, deterred and paced, whatever workers do.
 * How workers leave is in test_pool_leave.c, what the machine does in test_pool_faults.c.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "board.h"
#include "pool_reconcile.h"
#include "pool_start.h"
#include "pool_world.h"

#define FAST "ready = scoreboard\n" /* ready when they say so */

/* Between this and a tenth more, and the millisecond that timers round up. */
static void check_wait(int64_t found_ms, int64_t expected_ms)
{
	ck_assert_int_ge(found_ms, expected_ms);
	ck_assert_int_le(found_ms, expected_ms + expected_ms / 10 + 2);
}

/* --- the number ------------------------------------------------------------------------- */

START_TEST(a_static_number_is_kept)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 3\n");
	ck_assert_uint_eq(fake_sys_living(), 3);
	world_pass(&world, 3600000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	ck_assert_int_eq(world_count(&world, CLASS_UNKNOWN), 3);
	ck_assert(world.pool->first_ready);
	ck_assert(world.pool->due_at == WORKER_NEVER);
	world_end(&world);
}
END_TEST

START_TEST(who_has_gone_is_replaced_at_once)
{
	struct pool_world world;
	pid_t gone;

	world_begin(&world, "max_workers = 3\n");
	world_pass(&world, 5000);
	gone = world_pid(&world, 1);
	world_exit(&world, 1, 0);
	ck_assert_uint_eq(fake_sys_living(), 3);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_int_ne(world_pid(&world, 1), gone);
	ck_assert_int_gt(world_pid(&world, 1), 0);
	ck_assert_uint_eq(fake_sys_group_signals_to(gone, SIGKILL), 1);
	world_end(&world);
}
END_TEST

START_TEST(the_slot_of_a_dead_worker_is_cleared)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 1\n" FAST);
	world_write(&world, 0, BOARD_JOBS_AT, "0");
	world_write(&world, 0, BOARD_NOTE_AT, "reading");
	world_say(&world, 0, 1, "R");
	ck_assert_int_eq(world_count(&world, CLASS_BUSY), 1);
	world_crash(&world, 0, SIGKILL);
	ck_assert_int_eq(world_count(&world, CLASS_EMPTY), 1);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_STATE_AT), '.');
	ck_assert_int_eq(world_byte(&world, 0, BOARD_PID_AT), ' ');
	ck_assert_int_eq(world_byte(&world, 0, BOARD_JOBS_AT), ' ');
	ck_assert_int_eq(world_byte(&world, 0, BOARD_NOTE_AT), ' ');
	ck_assert_int_ge(world_until_start(&world), 0);
	world_settle(&world);
	ck_assert_int_eq(world_count(&world, CLASS_STARTING), 1);
	ck_assert(!world_worker(&world, 0)->jobs_known);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_PID_AT), '5');
	world_end(&world);
}
END_TEST

/* More than one turn's worth: the rest comes in the next turns, and in between nothing looks
 * overdue. */
START_TEST(a_thousand_start_in_batches)
{
	struct pool_world world;
	struct errmsg err;
	int expected = 0;

	ck_assert(world_open(&world, "max_workers = 1000\n", &err));
	for (int turn = 0; expected < 1000; turn++) {
		world_turn(&world);
		expected = (turn + 1) * RECONCILE_STARTS;
		if (expected > 1000)
			expected = 1000;
		ck_assert_uint_eq(fake_sys_living(), (unsigned)expected);
		ck_assert_int_ge(world.pool->due_at, fake_sys_now_ms());
	}
	ck_assert_int_eq(fake_sys_now_ms(), FAKE_START_MS);
	ck_assert(!world.pool->dirty);
	for (int slot = 0; slot < 1000; slot++)
		fake_sys_end_by_signal(world_pid(&world, slot), SIGKILL);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	check_wait(world_until_start(&world), 1000);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 1000);
	ck_assert_int_eq(world.pool->slot_count, 1000);
	world_end(&world);
}
END_TEST

START_TEST(spares_follow_the_load)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 6\nmin_spare_workers = 2\nmax_spare_workers = 3\n"
				 "start_workers = 4\n");
	ck_assert_uint_eq(fake_sys_living(), 4);
	world_say(&world, 0, 4, "_");
	ck_assert(world.pool->first_ready);
	world_say(&world, 0, 2, "B");
	ck_assert_uint_eq(fake_sys_living(), 4);
	world_say(&world, 2, 3, "B");
	ck_assert_uint_eq(fake_sys_living(), 5);
	world_say(&world, 3, 5, "B");
	ck_assert_uint_eq(fake_sys_living(), 6);
	world_say(&world, 5, 6, "B");
	ck_assert_uint_eq(fake_sys_living(), 6);
	ck_assert_int_eq(world_logged(&world, "max_workers 6 reached"), 1);
	world_end(&world);
}
END_TEST

/* Nobody replaces it, so nobody must wait for it. */
START_TEST(one_that_ends_at_the_start_holds_up_no_readiness)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 6\nmin_spare_workers = 2\nstart_workers = 4\n");
	world_crash(&world, 3, SIGKILL);
	world_say(&world, 0, 2, "_");
	ck_assert(!world.pool->first_ready);
	world_say(&world, 2, 3, "_");
	ck_assert(world.pool->first_ready);
	ck_assert_uint_eq(fake_sys_living(), 3);
	world_end(&world);
}
END_TEST

START_TEST(grow_and_shrink)
{
	struct pool_world world;

	world_obey(SIGTERM, 10);
	world_begin(&world, "max_workers = 2\n");
	for (int more = 1; more <= 3; more++)
		pool_grow(world.pool, 1, 0);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 5);
	ck_assert_int_eq(world_byte(&world, 4, BOARD_PID_AT), '5');
	for (int less = 1; less <= 9; less++)
		pool_grow(world.pool, -1, 0);
	world_pass(&world, 50);
	ck_assert_uint_eq(fake_sys_living(), 0);
	/* Below 0 nothing is counted. */
	pool_grow(world.pool, 1, 0);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_end(&world);
}
END_TEST

START_TEST(growing_waits_for_those_who_leave)
{
	struct pool_world world;

	world_obey(SIGTERM, 5000);
	world_begin(&world, "max_workers = 2\n");
	pool_grow(world.pool, -1, 0);
	world_settle(&world);
	ck_assert_int_eq(world_count(&world, CLASS_LEAVING), 1);
	pool_grow(world.pool, 1, 0);
	world_pass(&world, 4000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 2);
	world_pass(&world, 1010);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	ck_assert_uint_eq(fake_sys_living(), 2);
	world_end(&world);
}
END_TEST

START_TEST(drain_and_resume)
{
	struct pool_world world;

	world_obey(SIGTERM, 10);
	world_begin(&world, "max_workers = 3\n");
	pool_grow(world.pool, 1, 0);
	world_settle(&world);
	pool_drain(world.pool, 0);
	world_pass(&world, 100);
	ck_assert_uint_eq(fake_sys_living(), 0);
	pool_grow(world.pool, -1, 0);
	pool_grow(world.pool, 1, 0);
	pool_grow(world.pool, 1, 0);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 2);
	pool_resume(world.pool);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 4);
	world_end(&world);
}
END_TEST

START_TEST(spawn_interval_paces_starts)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 3\nspawn_interval = 2s\n");
	ck_assert_uint_eq(fake_sys_living(), 1);
	check_wait(world_until_start(&world), 2000);
	check_wait(world_until_start(&world), 2000);
	ck_assert_int_eq(world_until_start(&world), -1);
	ck_assert_uint_eq(fake_sys_living(), 3);
	world_end(&world);
}
END_TEST

/* --- failures and the back-off ----------------------------------------------------------- */

static void end_at_once(struct pool_world *world, int kind)
{
	if (kind == 2)
		world_crash(world, 0, SIGSEGV);
	else if (kind == 3)
		world_fail_exec(world, 0, ENOENT);
	else
		world_exit(world, 0, kind);
}

START_TEST(starts_are_deterred_by_the_formula)
{
	static const int64_t wait_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
	struct pool_world world;

	world_begin(&world, "max_workers = 1\ncrash_loop = backoff\n");
	for (size_t i = 0; i < sizeof(wait_ms) / sizeof(wait_ms[0]); i++) {
		end_at_once(&world, _i);
		ck_assert_uint_eq(fake_sys_living(), 0);
		check_wait(world_until_start(&world), wait_ms[i]);
	}
	world_settle(&world);
	ck_assert_int_eq(world_logged(&world, "failure "), 8);
	ck_assert_int_eq(
		world_logged(&world, "could not be started: exec: No such file"), _i == 3 ? 8 : 0);
	world_end(&world);
}
END_TEST

START_TEST(those_that_die_together_count_once)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 10\ncrash_loop = backoff\n");
	for (int64_t wait_ms = 1000; wait_ms <= 8000; wait_ms *= 2) {
		for (int slot = 0; slot < 10; slot++) {
			world_exit(&world, slot, 1);
			world_pass(&world, 1);
		}
		ck_assert_uint_eq(fake_sys_living(), 0);
		check_wait(world_until_start(&world), wait_ms - 1);
		world_settle(&world);
		ck_assert_uint_eq(fake_sys_living(), 10);
	}
	ck_assert_int_eq(world_logged(&world, "failure "), 4);
	world_end(&world);
}
END_TEST

START_TEST(a_worker_that_stays_ends_the_row)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\ncrash_loop = backoff\n");
	for (int64_t wait_ms = 1000; wait_ms <= 8000; wait_ms *= 2) {
		world_exit(&world, 0, 1);
		check_wait(world_until_start(&world), wait_ms);
	}
	/* Ready, but not for long enough: the row goes on. */
	world_say(&world, 0, 1, "_");
	world_pass(&world, 900);
	world_exit(&world, 0, 1);
	check_wait(world_until_start(&world), 16000);
	/* Long enough, but never ready. */
	world_pass(&world, 50000);
	world_exit(&world, 0, 1);
	check_wait(world_until_start(&world), 30000);
	/* Ready and long enough. */
	world_say(&world, 0, 1, "_");
	world_pass(&world, 990);
	ck_assert_uint_eq(world.pool->failures.failures, 6);
	world_pass(&world, 10);
	ck_assert_uint_eq(world.pool->failures.failures, 0);
	world_exit(&world, 0, 1);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_exit(&world, 0, 1);
	check_wait(world_until_start(&world), 1000);
	world_end(&world);
}
END_TEST

/* What a worker did before it ended early, and whether that is a failure. */
static const struct {
	const char *jobs[2];
	const char *states;
	bool failure;
} early_exit[] = {
	{{NULL, NULL}, "", true},
	{{NULL, NULL}, "_", true},
	{{NULL, NULL}, "B", true},
	{{NULL, NULL}, "_B", true},
	{{NULL, NULL}, "_B_", false}, /* idle after busy is a job done */
	{{NULL, NULL}, "B_", false},
	{{NULL, NULL}, "B.", true},
	{{"0", NULL}, "_", true}, /* only begins to count */
	{{"0", "1"}, "B", false},
	{{"1", NULL}, "", false},
	{{"x", NULL}, "_", true},
};

START_TEST(a_job_done_makes_an_early_exit_no_failure)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\n");
	for (int i = 0; i < 2; i++) {
		if (early_exit[_i].jobs[i])
			world_write(&world, 0, BOARD_JOBS_AT, early_exit[_i].jobs[i]);
		world_pass(&world, 5);
	}
	for (const char *state = early_exit[_i].states; *state; state++)
		world_say(&world, 0, 1, (char[]){*state, '\0'});
	world_exit(&world, 0, 3);
	ck_assert_uint_eq(fake_sys_living(), early_exit[_i].failure ? 0 : 1);
	ck_assert_uint_eq(world.pool->failures.failures, early_exit[_i].failure);
	world_end(&world);
}
END_TEST

/* The last words count too: they are read when the worker has ended. */
START_TEST(last_words_are_heard)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\n");
	world_write(&world, 0, BOARD_JOBS_AT, "12");
	world_exit(&world, 0, 1);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_end(&world);
}
END_TEST

START_TEST(with_infinity_every_abnormal_exit_is_a_failure)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\nmin_uptime = infinity\n");
	world_write(&world, 0, BOARD_JOBS_AT, "9");
	world_say(&world, 0, 1, "_");
	world_pass(&world, 3600000);
	world_exit(&world, 0, 0);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_write(&world, 0, BOARD_JOBS_AT, "9");
	world_say(&world, 0, 1, "_");
	world_pass(&world, 3600000);
	world_exit(&world, 0, 1);
	check_wait(world_until_start(&world), 1000);
	world_say(&world, 0, 1, "_");
	world_pass(&world, 3600000);
	world_crash(&world, 0, SIGSEGV);
	check_wait(world_until_start(&world), 1000);
	world_end(&world);
}
END_TEST

START_TEST(crash_loop_first_gives_up_in_the_third_try)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 2\n");
	for (int try = 1; try <= 3; try++) {
		ck_assert(!world.pool->gave_up);
		world_exit(&world, 0, 1);
		ck_assert(!world.pool->gave_up); /* the other one may still get ready */
		world_exit(&world, 1, 1);
		if (try < 3)
			ck_assert_int_ge(world_until_start(&world), 0);
		world_settle(&world);
	}
	ck_assert(world.pool->gave_up);
	ck_assert_int_eq(world_until_start(&world), -1);
	world_end(&world);
}
END_TEST

START_TEST(crash_loop_first_goes_on_once_one_was_ready)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\n");
	world_say(&world, 0, 1, "_");
	for (int try = 1; try <= 15; try++) {
		world_exit(&world, 0, 1);
		ck_assert(!world.pool->gave_up);
		ck_assert_int_ge(world_until_start(&world), 0);
	}
	world_end(&world);
}
END_TEST

START_TEST(crash_loop_exit_gives_up_after_ten)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\ncrash_loop = exit\n");
	world_say(&world, 0, 1, "_");
	for (int failure = 1; failure <= 10; failure++) {
		ck_assert(!world.pool->gave_up);
		world_exit(&world, 0, 1);
		if (failure < 10)
			ck_assert_int_ge(world_until_start(&world), 0);
	}
	ck_assert(world.pool->gave_up);
	ck_assert_int_eq(world_until_start(&world), -1);
	world_end(&world);
}
END_TEST

/* --- getting ready ------------------------------------------------------------------------ */

START_TEST(not_ready_in_time_is_a_failure)
{
	struct pool_world world;
	pid_t late;

	world_begin(&world, FAST "max_workers = 1\nstart_timeout = 5s\n");
	late = world_pid(&world, 0);
	world_pass(&world, 4990);
	ck_assert(fake_sys_alive(late));
	world_pass(&world, 20);
	ck_assert(!fake_sys_alive(late));
	ck_assert_uint_ge(fake_sys_group_signals_to(late, SIGKILL), 1);
	ck_assert_int_eq(world_logged(&world, "not ready within start_timeout"), 1);
	check_wait(world_until_start(&world), 980);
	world_end(&world);
}
END_TEST

/* Written where nobody looks any more: inotify's hold-off is on when the deadline comes. */
START_TEST(a_word_at_the_last_moment_counts)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\nstart_timeout = 5s\n");
	world_pass(&world, 4996);
	world_write(&world, 0, BOARD_NOTE_AT, "x");
	world_pass(&world, 2);
	world_write(&world, 0, BOARD_STATE_AT, "_");
	fake_sys_advance_ms(3);
	pool_reconcile(world.pool, fake_sys_now_ms());
	ck_assert_uint_eq(world_signals(world_pid(&world, 0)), 0);
	ck_assert_int_eq(world_count(&world, CLASS_IDLE), 1);
	world_end(&world);
}
END_TEST

START_TEST(alive_is_ready_after_min_uptime)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 2\nready = alive\nmin_uptime = 3s\n");
	world_say(&world, 0, 1, "_");
	world_pass(&world, 2900);
	ck_assert_int_eq(world_worker(&world, 0)->ready_at, 0);
	ck_assert(!world.pool->first_ready);
	world_pass(&world, 110);
	ck_assert_int_gt(world_worker(&world, 0)->ready_at, 0);
	ck_assert_int_gt(world_worker(&world, 1)->ready_at, 0);
	ck_assert(world.pool->first_ready);
	world_end(&world);
}
END_TEST

START_TEST(a_worker_that_writes_is_ready)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 2\n");
	world_pass(&world, 50000);
	ck_assert_int_eq(world_count(&world, CLASS_STARTING), 2);
	world_write(&world, 0, BOARD_NOTE_AT, "booting");
	world_write(&world, 0, BOARD_STATE_AT + 1, "x");
	world_pass(&world, 5);
	ck_assert_int_eq(world_worker(&world, 0)->ready_at, 0);
	world_say(&world, 0, 2, "*");
	ck_assert(world.pool->first_ready);
	world_end(&world);
}
END_TEST

/* What one of them was seen to do is demanded of all. */
START_TEST(auto_learns_what_to_demand)
{
	struct pool_world world;
	pid_t silent;

	world_begin(&world, "max_workers = 2\nstart_timeout = 10s\n");
	silent = world_pid(&world, 1);
	world_pass(&world, 500);
	world_say(&world, 0, 1, "_");
	ck_assert_int_gt(world_worker(&world, 0)->ready_at, 0);
	world_pass(&world, 9000);
	ck_assert_int_eq(world_worker(&world, 1)->ready_at, 0);
	world_pass(&world, 1000);
	ck_assert(!fake_sys_alive(silent));
	world_end(&world);
}
END_TEST

START_TEST(auto_without_a_word_is_alive)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 2\nstart_timeout = 10s\n");
	world_pass(&world, 1010);
	ck_assert_int_eq(world_count(&world, CLASS_UNKNOWN), 2);
	world_pass(&world, 100000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 2);
	world_end(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *number = tcase_create("number"), *failures = tcase_create("failures"),
	      *ready = tcase_create("ready");

	suite_add_tcase(suite, number);
	tcase_add_test(number, a_static_number_is_kept);
	tcase_add_test(number, who_has_gone_is_replaced_at_once);
	tcase_add_test(number, the_slot_of_a_dead_worker_is_cleared);
	tcase_add_test(number, a_thousand_start_in_batches);
	tcase_add_test(number, spares_follow_the_load);
	tcase_add_test(number, one_that_ends_at_the_start_holds_up_no_readiness);
	tcase_add_test(number, grow_and_shrink);
	tcase_add_test(number, growing_waits_for_those_who_leave);
	tcase_add_test(number, drain_and_resume);
	tcase_add_test(number, spawn_interval_paces_starts);
	suite_add_tcase(suite, failures);
	tcase_add_loop_test(failures, starts_are_deterred_by_the_formula, 0, 4);
	tcase_add_test(failures, those_that_die_together_count_once);
	tcase_add_test(failures, a_worker_that_stays_ends_the_row);
	tcase_add_loop_test(failures, a_job_done_makes_an_early_exit_no_failure, 0,
		sizeof(early_exit) / sizeof(early_exit[0]));
	tcase_add_test(failures, last_words_are_heard);
	tcase_add_test(failures, with_infinity_every_abnormal_exit_is_a_failure);
	tcase_add_test(failures, crash_loop_first_gives_up_in_the_third_try);
	tcase_add_test(failures, crash_loop_first_goes_on_once_one_was_ready);
	tcase_add_test(failures, crash_loop_exit_gives_up_after_ten);
	suite_add_tcase(suite, ready);
	tcase_add_test(ready, not_ready_in_time_is_a_failure);
	tcase_add_test(ready, a_word_at_the_last_moment_counts);
	tcase_add_test(ready, alive_is_ready_after_min_uptime);
	tcase_add_test(ready, a_worker_that_writes_is_ready);
	tcase_add_test(ready, auto_learns_what_to_demand);
	tcase_add_test(ready, auto_without_a_word_is_alive);
	return test_main(suite);
}
