/* A dynamic pool grows with what its workers say of themselves, and shrinks by idle ones only.
 * `testworker board` is busy from USR1 until USR2, and counts a job at HUP. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define POOL                                                                                       \
	"[pool:web]\nmin_uptime = 20ms\nerr_respawn_interval = 20ms\n"                             \
	"command = @worker@ board signals @dir@/got\n"
#define got(what) file_count("got", " " what " ")

static int in_state(char state)
{
	int count = 0;

	for (int slot = 0; slot < 64; slot++)
		count += board_byte("web", slot, 0) == state;
	return count;
}

static void become(int slot, int signal_number, char state)
{
	ck_assert_int_eq(kill(worker_of("web", slot), signal_number), 0);
	WAIT_FOR(board_byte("web", slot, 0) == state);
}

static void start(const char *keys, int workers_at_first)
{
	config(POOL "%s", keys);
	daemon_start();
	WAIT_FOR(worker_count() == workers_at_first && in_state('_') == workers_at_first);
}

START_TEST(starts_with_the_spare_ones)
{
	start("max_workers = 10\nmin_spare_workers = 3\n", 3);
	HOLDS_FOR(150, worker_count() == 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(start_workers_is_how_many_at_first)
{
	start("max_workers = 10\nmin_spare_workers = 2\nmax_spare_workers = 9\n"
	      "start_workers = 5\n",
		5);
	HOLDS_FOR(150, worker_count() == 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_busy_worker_is_made_up_for)
{
	start("max_workers = 10\nmin_spare_workers = 2\nmax_spawn_step = 1\n", 2);
	become(0, SIGUSR1, 'A');
	WAIT_FOR(worker_count() == 3 && in_state('_') == 2);
	become(1, SIGUSR1, 'A');
	WAIT_FOR(worker_count() == 4 && in_state('_') == 2);
	HOLDS_FOR(150, worker_count() == 4);
	EXPECT_STOP();
}
END_TEST

START_TEST(never_more_than_max_workers)
{
	start("max_workers = 4\nmin_spare_workers = 2\n", 2);
	for (int slot = 0; slot < 4; slot++) {
		WAIT_FOR(board_byte("web", slot, 0) == '_');
		become(slot, SIGUSR1, 'A');
	}
	HOLDS_FOR(200, worker_count() == 4);
	EXPECT_STOP();
}
END_TEST

START_TEST(the_surplus_goes_after_idle_timeout_and_only_idle_ones)
{
	/* No step is doubled however slow the machine is: six workers when five are busy. */
	start("max_workers = 8\nmin_spare_workers = 1\nmax_spare_workers = 2\n"
	      "max_spawn_step = 1\nidle_timeout = 300ms\n",
		1);
	for (int slot = 0; slot < 5; slot++) {
		WAIT_FOR(board_byte("web", slot, 0) == '_');
		become(slot, SIGUSR1, 'A');
	}
	WAIT_FOR(worker_count() == 6 && in_state('_') == 1);
	pid_t busy = worker_of("web", 0);
	int most = worker_count();

	for (int slot = 1; slot < 5; slot++)
		become(slot, SIGUSR2, '_');
	HOLDS_FOR(150, worker_count() == most);
	WAIT_FOR(worker_count() == 3);
	HOLDS_FOR(400, worker_count() == 3);
	ck_assert(process_runs(busy));
	ck_assert_int_eq(board_byte("web", 0, 0), 'A');
	/* one signal each: R may have sent them off before it came */
	ck_assert_int_le(got("TERM"), most - 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_worker_that_says_nothing_is_no_surplus)
{
	config("[pool:web]\nmin_uptime = 20ms\ncommand = @worker@\nmax_workers = 8\n"
	       "min_spare_workers = 1\nmax_spare_workers = 2\nstart_workers = 5\n"
	       "idle_timeout = 50ms\n");
	daemon_start();
	WAIT_FOR(worker_count() == 5);
	HOLDS_FOR(400, worker_count() == 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_killed_busy_worker_leaves_no_busy_slot)
{
	start("max_workers = 6\nmin_spare_workers = 2\nmax_spare_workers = 2\nidle_timeout = "
	      "100ms\n",
		2);
	for (int i = 0; i < 10; i++) {
		become(0, SIGUSR1, 'A');
		WAIT_FOR(in_state('_') == 2);
		nap_ms(slow_ms(25));
		pid_t pid = worker_of("web", 0);

		kill(pid, SIGKILL);
		WAIT_FOR(board_pid("web", 0) != pid);
		WAIT_FOR(worker_count() == 2 && in_state('_') == 2);
		if (board_pid("web", 0) == 0)
			break; /* the two that are left live in other slots */
	}
	HOLDS_FOR(200, worker_count() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(noise_never_takes_it_beyond_the_maximum)
{
	config("[pool:web]\nmin_uptime = 20ms\nmax_workers = 6\nmin_spare_workers = 2\n"
	       "max_spare_workers = 3\nidle_timeout = 20ms\ncommand = @worker@ hammer-board\n"
	       "err_respawn_interval = 20ms\nstop_timeout = 200ms\n");
	daemon_start();
	WAIT_FOR(worker_count() >= 2);
	HOLDS_FOR(1500, worker_count() <= 6 && daemon_alive());
	EXPECT_STOP();
}
END_TEST

START_TEST(ttin_and_ttou_move_the_maximum)
{
	start("max_workers = 2\nmin_spare_workers = 1\n", 1);
	become(0, SIGUSR1, 'A');
	WAIT_FOR(worker_count() == 2 && board_byte("web", 1, 0) == '_');
	become(1, SIGUSR1, 'A');
	HOLDS_FOR(100, worker_count() == 2);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 3);
	daemon_kill(SIGTTOU);
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() <= 2); /* the busy ones finish first */
	pid_t busy = worker_of("web", 0);

	HOLDS_FOR(50, process_runs(busy));
	kill(busy, SIGUSR2);
	WAIT_FOR(!process_runs(busy));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_burst_is_met_at_once_and_forgotten_later)
{
	start("max_workers = 32\nmin_spare_workers = 4\nmax_spare_workers = 4\nidle_timeout = "
	      "200ms\n",
		4);
	for (int slot = 0; slot < 20; slot++) {
		WAIT_FOR(board_byte("web", slot, 0) == '_');
		become(slot, SIGUSR1, 'A');
	}
	WAIT_FOR(worker_count() >= 24);
	for (int slot = 0; slot < 20; slot++)
		become(slot, SIGUSR2, '_');
	WAIT_FOR(worker_count() == 4);
	HOLDS_FOR(200, worker_count() == 4);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dynamic pools");
	TCase *growing = harness_case(suite, "growing");
	TCase *shrinking = harness_case(suite, "shrinking");
	TCase *harm = harness_case(suite, "harm");

	tcase_add_test(growing, starts_with_the_spare_ones);
	tcase_add_test(growing, start_workers_is_how_many_at_first);
	tcase_add_test(growing, a_busy_worker_is_made_up_for);
	tcase_add_test(growing, never_more_than_max_workers);
	tcase_add_test(growing, ttin_and_ttou_move_the_maximum);
	tcase_add_test(shrinking, the_surplus_goes_after_idle_timeout_and_only_idle_ones);
	tcase_add_test(shrinking, a_worker_that_says_nothing_is_no_surplus);
	tcase_add_test(shrinking, a_burst_is_met_at_once_and_forgotten_later);
	tcase_add_test(harm, a_killed_busy_worker_leaves_no_busy_slot);
	tcase_add_test(harm, noise_never_takes_it_beyond_the_maximum);
	return harness_main(suite);
}
