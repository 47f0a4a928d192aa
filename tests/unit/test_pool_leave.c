/*
 * How workers leave a pool: asked to retire, stopped, killed, hung, or not at all. Whatever the
 * way, nobody gets the same soft signal twice and no signal goes astray (world_end() looks).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "board.h"
#include "pool_world.h"

#define FAST "ready = scoreboard\n"

/* The first of the signals that went to the process by its pidfd; CONT apart. -1: none. */
static int64_t signalled_at(pid_t pid, int number)
{
	for (size_t i = 0; i < fake_sys_signal_count(); i++)
		if (fake_sys_signal(i)->pid == pid && fake_sys_signal(i)->number == number)
			return fake_sys_signal(i)->at_ms;
	return -1;
}

/* What a worker writes is seen within 5 ms. */
static void check_at(int64_t found_ms, int64_t expected_ms)
{
	ck_assert_int_ge(found_ms, expected_ms);
	ck_assert_int_le(found_ms, expected_ms + 6);
}

/* --- retiring ----------------------------------------------------------------------------- */

/* One way for all: the mark, the soft signal, KILL. */
START_TEST(each_step_of_retiring_is_taken_once)
{
	static const char *const states[] = {"", "_", "."};
	const int64_t begun_at = FAKE_START_MS + 1105;
	struct pool_world world;
	pid_t pid;

	world_begin(&world, "max_workers = 1\nstop_timeout = 5s\n");
	world_say(&world, 0, 1, states[_i]);
	world_pass(&world, 1100);
	pid = world_pid(&world, 0);
	pool_grow(world.pool, -1, 0);
	world_settle(&world);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_RETIRE_AT), 'R');
	ck_assert_int_eq(signalled_at(pid, SIGTERM), begun_at);
	ck_assert_int_eq(signalled_at(pid, SIGCONT), begun_at);
	world_pass(&world, 4990);
	ck_assert(fake_sys_alive(pid));
	ck_assert_uint_eq(world_signals(pid), 1);
	world_pass(&world, 20);
	ck_assert(!fake_sys_alive(pid));
	check_at(signalled_at(pid, SIGKILL), begun_at + 5000);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGKILL), 1);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 1);
	ck_assert_uint_eq(world.pool->failures.failures, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_busy_worker_finishes_first)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\nstop_timeout = 5s\n");
	world_say(&world, 0, 1, "B");
	pid = world_pid(&world, 0);
	pool_grow(world.pool, -1, 0);
	world_pass(&world, 3000);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_RETIRE_AT), 'R');
	ck_assert_uint_eq(world_signals(pid), 0);
	world_say(&world, 0, 1, "C"); /* the next job is busy still */
	ck_assert_uint_eq(world_signals(pid), 0);
	world_say(&world, 0, 1, "_");
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	world_say(&world, 0, 1, "B");
	world_say(&world, 0, 1, "_");
	world_pass(&world, 4900);
	ck_assert_uint_eq(world_signals(pid), 1);
	world_exit(&world, 0, 0);
	world_end(&world);
}
END_TEST

START_TEST(a_busy_worker_is_not_waited_for_for_ever)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\nstop_timeout = 5s\n");
	world_say(&world, 0, 1, "B");
	pid = world_pid(&world, 0);
	pool_grow(world.pool, -1, SIGQUIT);
	world_pass(&world, 20000);
	check_at(signalled_at(pid, SIGQUIT), FAKE_START_MS + 5005);
	check_at(signalled_at(pid, SIGKILL), FAKE_START_MS + 10005);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGQUIT), 1);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 0);
	world_end(&world);
}
END_TEST

/* It took a job a moment ago, before the mark: it is looked at once more, and waited for. */
START_TEST(a_job_taken_at_the_last_moment_is_finished)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\n");
	world_say(&world, 0, 1, "_");
	pid = world_pid(&world, 0);
	world_write(&world, 0, BOARD_STATE_AT, "B");
	pool_grow(world.pool, -1, 0);
	world_settle(&world);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_RETIRE_AT), 'R');
	ck_assert_uint_eq(world_signals(pid), 0);
	world_say(&world, 0, 1, "_");
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	world_end(&world);
}
END_TEST

START_TEST(the_surplus_goes_longest_idle_first)
{
	struct pool_world world;
	pid_t pid[5];

	world_obey(SIGTERM, 10);
	world_begin(&world, FAST "max_workers = 5\nmin_spare_workers = 1\nmax_spare_workers = 2\n"
				 "start_workers = 5\nidle_timeout = 4s\n");
	for (int slot = 0; slot < 5; slot++)
		pid[slot] = world_pid(&world, slot);
	world_say(&world, 0, 1, "B");
	world_say(&world, 3, 4, "_");
	world_pass(&world, 100);
	world_say(&world, 1, 2, "_");
	world_pass(&world, 100);
	world_say(&world, 4, 5, "_");
	world_say(&world, 2, 3, "_");
	/* busy 0; idle 3, 1, 4, 2 in this order: two too many */
	world_pass(&world, 3700);
	ck_assert_uint_eq(fake_sys_living(), 5);
	world_pass(&world, 400);
	ck_assert_uint_eq(fake_sys_living(), 3);
	ck_assert(!fake_sys_alive(pid[3]) && !fake_sys_alive(pid[1]));
	ck_assert(fake_sys_alive(pid[0]) && fake_sys_alive(pid[2]) && fake_sys_alive(pid[4]));
	world_pass(&world, 100000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 5);
	world_end(&world);
}
END_TEST

/* Those first that cost least: idle, starting, unknown, busy. */
START_TEST(shrinking_spares_the_busy)
{
	struct pool_world world;
	pid_t pid[4];

	world_obey(SIGTERM, 0);
	world_begin(&world, "max_workers = 3\nready = alive\nstop_timeout = 3s\n");
	world_pass(&world, 1100);
	world_say(&world, 0, 1, "B");
	world_say(&world, 1, 2, "_");
	pool_grow(world.pool, 1, 0);
	world_settle(&world);
	for (int slot = 0; slot < 4; slot++)
		pid[slot] = world_pid(&world, slot);
	ck_assert_int_eq(world_count(&world, CLASS_STARTING), 1);
	ck_assert_int_eq(world_count(&world, CLASS_UNKNOWN), 1);
	for (int i = 0; i < 4; i++) {
		static const int order[] = {1, 3, 2, 0};

		ck_assert(fake_sys_alive(pid[order[i]]));
		pool_grow(world.pool, -1, 0);
		world_pass(&world, 10);
		ck_assert(fake_sys_alive(pid[order[i]]) == (order[i] == 0));
	}
	world_pass(&world, 3000);
	ck_assert_uint_eq(fake_sys_living(), 0);
	world_end(&world);
}
END_TEST

START_TEST(who_leaves_gets_the_signal_asked_for)
{
	struct pool_world world;
	pid_t pid[3];

	world_begin(&world, "max_workers = 3\nstop_signal = INT\n");
	for (int slot = 0; slot < 3; slot++)
		pid[slot] = world_pid(&world, slot);
	pool_grow(world.pool, -1, SIGQUIT);
	world_settle(&world);
	pool_grow(world.pool, -1, 0);
	world_settle(&world);
	pool_drain(world.pool, SIGUSR1);
	world_settle(&world);
	for (int slot = 0; slot < 3; slot++)
		ck_assert_uint_eq(world_signals(pid[slot]), 1);
	ck_assert_int_ge(signalled_at(pid[0], SIGQUIT), 0);
	ck_assert_int_ge(signalled_at(pid[1], SIGINT), 0);
	ck_assert_int_ge(signalled_at(pid[2], SIGUSR1), 0);
	world_end(&world);
}
END_TEST

/* --- stopping ----------------------------------------------------------------------------- */

START_TEST(a_stop_ends_all_and_starts_none)
{
	struct pool_world world;
	unsigned forks;

	world_obey(SIGTERM, 700);
	world_begin(&world, FAST "max_workers = 6\n");
	world_say(&world, 0, 2, "B");
	world_say(&world, 2, 4, "_");
	world_exit(&world, 5, 1); /* a back-off is on */
	forks = fake_sys_count(FAKE_FORK);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	world_settle(&world);
	for (int slot = 0; slot < 5; slot++)
		ck_assert_uint_eq(world_signals(world_pid(&world, slot)), 1);
	ck_assert(!pool_empty(world.pool));
	world_pass(&world, 710);
	ck_assert(pool_empty(world.pool));
	world_pass(&world, 3600000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), forks);
	world_end(&world);
}
END_TEST

START_TEST(another_stop_signal_renews_the_deadline)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\nstop_timeout = 5s\n");
	pid = world_pid(&world, 0);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	world_pass(&world, 3000);
	pool_stop_all(world.pool, SIGTERM, fake_sys_now_ms()); /* what it got already */
	world_pass(&world, 1000);
	ck_assert_uint_eq(world_signals(pid), 1);
	pool_stop_all(world.pool, SIGQUIT, fake_sys_now_ms());
	world_pass(&world, 4990);
	ck_assert(fake_sys_alive(pid));
	ck_assert_uint_eq(world_signals(pid), 2);
	world_pass(&world, 20);
	ck_assert(pool_empty(world.pool));
	check_at(signalled_at(pid, SIGKILL), FAKE_START_MS + 9000);
	world_end(&world);
}
END_TEST

/* Retiring and busy when the stop comes: it gets what all get, at once. */
START_TEST(a_stop_waits_for_no_job)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\n");
	world_say(&world, 0, 1, "B");
	pid = world_pid(&world, 0);
	pool_grow(world.pool, -1, 0);
	world_settle(&world);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	world_say(&world, 0, 1, "_");
	ck_assert_uint_eq(world_signals(pid), 1);
	world_end(&world);
}
END_TEST

START_TEST(kill_all)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 3\n");
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	pool_kill_all(world.pool, fake_sys_now_ms());
	pool_kill_all(world.pool, fake_sys_now_ms());
	ck_assert_uint_eq(fake_sys_living(), 0);
	world_settle(&world);
	ck_assert(pool_empty(world.pool));
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	world_end(&world);
}
END_TEST

START_TEST(forwarding_changes_nothing)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 3\n");
	fake_sys_exit(world_pid(&world, 2), 0);
	ck_assert_int_eq(pool_forward_all(world.pool, SIGUSR1), 3);
	world_settle(&world);
	ck_assert_int_eq(pool_forward_all(world.pool, SIGUSR1), 2);
	ck_assert_uint_eq(fake_sys_signals_to(world_pid(&world, 0), SIGUSR1), 2);
	ck_assert_uint_eq(fake_sys_signals_to(world_pid(&world, 0), SIGCONT), 0);
	ck_assert_int_eq(world_count(&world, CLASS_LEAVING), 0);
	world_end(&world);
}
END_TEST

START_TEST(the_whole_group_where_wanted)
{
	struct pool_world world;
	pid_t pid[2];

	world_begin(&world, "max_workers = 2\nsignal_group = yes\n");
	pid[0] = world_pid(&world, 0);
	pid[1] = world_pid(&world, 1);
	/* A group that is not there yet: the worker alone. */
	fake_sys_fail(FAKE_KILL_GROUP, 1, ESRCH);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	ck_assert_uint_eq(fake_sys_signals_to(pid[0], SIGTERM), 1);
	ck_assert_uint_eq(fake_sys_group_signals_to(pid[0], SIGTERM), 0);
	ck_assert_uint_eq(fake_sys_signals_to(pid[1], SIGTERM), 0);
	ck_assert_uint_eq(fake_sys_group_signals_to(pid[1], SIGTERM), 1);
	world_end(&world);
}
END_TEST

/* The slot stays counted, the others are served, and the stop can end. */
START_TEST(who_cannot_be_killed)
{
	struct pool_world world;
	pid_t stuck;

	world_begin(&world, FAST "max_workers = 2\nstart_timeout = 2s\n");
	stuck = world_pid(&world, 0);
	fake_sys_set_unkillable(stuck, true);
	world_say(&world, 1, 2, "_");
	world_pass(&world, 11900);
	ck_assert_int_eq(world_logged(&world, "still there 10 s after KILL"), 0);
	world_pass(&world, 200);
	ck_assert_int_eq(world_logged(&world, "still there 10 s after KILL"), 1);
	ck_assert(fake_sys_alive(stuck));
	ck_assert(!pool_stuck(world.pool));
	world_exit(&world, 1, 0);
	ck_assert_uint_eq(fake_sys_living(), 2);
	ck_assert_int_eq(world_pid(&world, 0), stuck);
	world_pass(&world, 3600000);
	ck_assert_int_eq(world_logged(&world, "still there 10 s after KILL"), 1);
	ck_assert_uint_eq(fake_sys_signals_to(stuck, SIGKILL), 1);
	/* Thawed at last. */
	fake_sys_end_by_signal(stuck, SIGKILL);
	world_pass(&world, 31000);
	ck_assert_uint_eq(fake_sys_living(), 2);
	world_end(&world);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_whom_nothing_kills)
{
	struct pool_world world;

	world_begin(&world, "max_workers = 2\nstop_timeout = 1s\n");
	fake_sys_set_unkillable(world_pid(&world, 1), true);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	world_pass(&world, 10900);
	ck_assert(!pool_stuck(world.pool));
	world_pass(&world, 200);
	ck_assert(pool_stuck(world.pool) && !pool_empty(world.pool));
	world_end(&world);
}
END_TEST

/* --- hanging -------------------------------------------------------------------------------- */

START_TEST(no_sign_of_life)
{
	struct pool_world world;
	pid_t pid[3];

	world_begin(&world, FAST "max_workers = 3\ntimeout = 5s\n");
	world_say(&world, 0, 1, "_");
	world_say(&world, 1, 2, "B");
	world_say(&world, 2, 3, "_");
	for (int slot = 0; slot < 3; slot++)
		pid[slot] = world_pid(&world, slot);
	for (int beat = 0; beat < 4; beat++) {
		world_pass(&world, 2000);
		world_write(&world, 2, BOARD_BEAT_AT, beat % 2 ? "x" : "y");
	}
	world_pass(&world, 10);
	check_at(signalled_at(pid[0], SIGKILL), FAKE_START_MS + 5000);
	check_at(signalled_at(pid[1], SIGKILL), FAKE_START_MS + 5005);
	ck_assert(fake_sys_alive(pid[2]));
	ck_assert_int_eq(world_logged(&world, "no sign of life within timeout"), 2);
	/* Hung at an age beyond min_uptime: replaced at once. */
	ck_assert_uint_eq(fake_sys_living(), 3);
	world_end(&world);
}
END_TEST

START_TEST(a_hung_worker_may_leave_a_trace_first)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\ntimeout = 5s\ntimeout_signal = ABRT\n");
	world_say(&world, 0, 1, "B");
	pid = world_pid(&world, 0);
	world_pass(&world, 10000);
	check_at(signalled_at(pid, SIGABRT), FAKE_START_MS + 5000);
	check_at(signalled_at(pid, SIGKILL), FAKE_START_MS + 6000);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGABRT), 1);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 0);
	world_end(&world);
}
END_TEST

/* Retiring, busy, and then hung: one soft signal, not two. */
START_TEST(hung_while_retiring)
{
	struct pool_world world;
	pid_t pid;

	world_begin(&world, FAST "max_workers = 1\ntimeout = 5s\ntimeout_signal = ABRT\n");
	world_say(&world, 0, 1, "B");
	pid = world_pid(&world, 0);
	pool_grow(world.pool, -1, 0);
	world_pass(&world, 60000);
	check_at(signalled_at(pid, SIGABRT), FAKE_START_MS + 5000);
	check_at(signalled_at(pid, SIGKILL), FAKE_START_MS + 6000);
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 0);
	world_end(&world);
}
END_TEST

START_TEST(one_job_for_too_long)
{
	struct pool_world world;
	pid_t pid[2];

	world_begin(&world, FAST "max_workers = 2\nrequest_timeout = 5s\n");
	world_write(&world, 0, BOARD_JOBS_AT, "0");
	world_write(&world, 1, BOARD_JOBS_AT, "0");
	world_say(&world, 0, 2, "B");
	for (int slot = 0; slot < 2; slot++)
		pid[slot] = world_pid(&world, slot);
	for (int job = 1; job <= 4; job++) {
		world_pass(&world, 2000);
		world_write(&world, 1, BOARD_JOBS_AT, (char[]){(char)('0' + job), '\0'});
	}
	world_pass(&world, 10);
	check_at(signalled_at(pid[0], SIGKILL), FAKE_START_MS + 5000);
	ck_assert(fake_sys_alive(pid[1]));
	/* Idle is no job. */
	world_say(&world, 1, 2, "_");
	world_pass(&world, 20000);
	ck_assert(fake_sys_alive(pid[1]));
	world_end(&world);
}
END_TEST

/* Without a count, one long job and many short ones look the same. */
/* Even when it had given another sign of life a moment before. */
START_TEST(a_job_that_ends_at_the_last_moment_is_no_long_one)
{
	struct pool_world world;
	struct worker *worker;
	char line[BOARD_LINE_BYTES];

	world_begin(&world, FAST "max_workers = 1\nrequest_timeout = 5s\n");
	world_write(&world, 0, BOARD_JOBS_AT, "0");
	world_say(&world, 0, 1, "B");
	worker = world_worker(&world, 0);
	fake_sys_advance_ms(5000);
	memcpy(line, worker->line, sizeof(line));
	line[BOARD_BEAT_AT] = '+';
	worker_observe(worker, line, fake_sys_now_ms());
	world_write(&world, 0, BOARD_STATE_AT, "_+");
	worker_advance(worker, fake_sys_now_ms());
	ck_assert_uint_eq(world_signals(world_pid(&world, 0)), 0);
	ck_assert_int_eq(world_count(&world, CLASS_IDLE), 1);
	world_end(&world);
}
END_TEST

START_TEST(a_long_job_without_a_count_is_only_said)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 1\nrequest_timeout = 5s\n");
	world_say(&world, 0, 1, "B");
	world_pass(&world, 60000);
	ck_assert_int_eq(world_logged(&world, "busy beyond request_timeout"), 1);
	world_say(&world, 0, 1, "_");
	world_say(&world, 0, 1, "B");
	world_pass(&world, 4900);
	ck_assert_int_eq(world_logged(&world, "busy beyond request_timeout"), 1);
	world_pass(&world, 60000);
	ck_assert_int_eq(world_logged(&world, "busy beyond request_timeout"), 2);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 1);
	ck_assert_uint_eq(world_signals(world_pid(&world, 0)), 0);
	world_end(&world);
}
END_TEST

START_TEST(a_kill_that_was_not_ours_is_told_apart)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 2\nstart_timeout = 5s\n");
	world_crash(&world, 0, SIGKILL);
	ck_assert_int_eq(world_logged(&world, "a KILL that we did not send, out of memory?"), 1);
	world_pass(&world, 5100);
	ck_assert_int_eq(world_logged(&world, "a KILL that we did not send, out of memory?"), 1);
	ck_assert_int_eq(world_logged(&world, "ended by signal KILL"), 1);
	world_end(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_leave");
	TCase *retiring = tcase_create("retiring"), *stopping = tcase_create("stopping"),
	      *hanging = tcase_create("hanging");

	suite_add_tcase(suite, retiring);
	tcase_add_loop_test(retiring, each_step_of_retiring_is_taken_once, 0, 3);
	tcase_add_test(retiring, a_busy_worker_finishes_first);
	tcase_add_test(retiring, a_busy_worker_is_not_waited_for_for_ever);
	tcase_add_test(retiring, a_job_taken_at_the_last_moment_is_finished);
	tcase_add_test(retiring, the_surplus_goes_longest_idle_first);
	tcase_add_test(retiring, shrinking_spares_the_busy);
	tcase_add_test(retiring, who_leaves_gets_the_signal_asked_for);
	suite_add_tcase(suite, stopping);
	tcase_add_test(stopping, a_stop_ends_all_and_starts_none);
	tcase_add_test(stopping, another_stop_signal_renews_the_deadline);
	tcase_add_test(stopping, a_stop_waits_for_no_job);
	tcase_add_test(stopping, kill_all);
	tcase_add_test(stopping, forwarding_changes_nothing);
	tcase_add_test(stopping, the_whole_group_where_wanted);
	tcase_add_test(stopping, who_cannot_be_killed);
	tcase_add_test(stopping, a_stop_does_not_wait_for_whom_nothing_kills);
	suite_add_tcase(suite, hanging);
	tcase_add_test(hanging, no_sign_of_life);
	tcase_add_test(hanging, a_hung_worker_may_leave_a_trace_first);
	tcase_add_test(hanging, hung_while_retiring);
	tcase_add_test(hanging, one_job_for_too_long);
	tcase_add_test(hanging, a_job_that_ends_at_the_last_moment_is_no_long_one);
	tcase_add_test(hanging, a_long_job_without_a_count_is_only_said);
	tcase_add_test(hanging, a_kill_that_was_not_ours_is_told_apart);
	return test_main(suite);
}
