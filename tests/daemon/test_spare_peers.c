/* What Parallel::Prefork::SpareWorkers promises, and the faults its rules are known for: each a
 * test that shows preforkd free of it. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dynamic_pool.h"

#define POOL "[pool:web]\n" QUICK

static void all_there(int number)
{
	WAIT_FOR(worker_count() == number && in_state('_') == number);
}

/* Its t/03: three spare ones at least, five at most, ten workers. The scoreboard says who is there,
 * and the file that makes them busy is all that happens. */
START_TEST(min_spare_when_idle_max_when_busy_max_spare_when_idle_again)
{
	config(POOL OBEDIENT "max_workers = 10\nmin_spare_workers = 3\nmax_spare_workers = 5\n"
			     "idle_timeout = 100ms\n[signals]\nTERM = stop TERM\n");
	daemon_start();
	all_there(3);
	ck_assert_int_eq(in_state('.'), 7);
	for (int round = 0; round < 3; round++) {
		all_busy();
		WAIT_FOR(worker_count() == 10 && in_state('A') == 10);
		all_idle();
		all_there(5);
		ck_assert_int_eq(in_state('.'), 5);
	}
	EXPECT_STOP();
}
END_TEST

/* There an arbitrary one gets TERM, four times a second until one has left: 13 TERMs were seen. */
START_TEST(the_surplus_is_asked_once_and_the_busy_never)
{
	pid_t busy;

	config(POOL "max_workers = 6\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
		    "start_workers = 6\nidle_timeout = 50ms\nstop_timeout = 3s\n"
		    "command = @worker@ obey @dir@ stay signals @dir@/got\n");
	slot_busy(2);
	daemon_start();
	WAIT_FOR(in_state('A') == 1 && in_state('_') == 5);
	busy = worker_of("web", 2);
	WAIT_FOR(got("TERM") == 4);
	HOLDS_FOR(1500, got("TERM") == 4); /* nobody leaves, and nobody is asked again */
	ck_assert_int_eq(most_signals("TERM"), 1);
	ck_assert_int_eq(signals_of(busy, "TERM"), 0);
	WAIT_FOR(worker_count() == 2); /* they are killed in the end */
	ck_assert(process_runs(busy));
	daemon_kill(SIGKILL);
}
END_TEST

/* There no new worker came for four seconds after a HUP at max_workers. */
START_TEST(after_all_have_left_at_once_the_spare_ones_are_there_at_once)
{
	int64_t asked_at;

	all_busy();
	config(POOL OBEDIENT "max_workers = 10\nmin_spare_workers = 3\n"
			     "[signals]\nUSR2 = forward TERM\nTERM = stop\n");
	daemon_start();
	WAIT_FOR(in_state('A') == 10);
	nap_ms(slow_ms(100)); /* all are past min_uptime */
	all_idle();
	asked_at = now_ms();
	daemon_kill(SIGUSR2);
	WAIT_FOR(got("TERM") == 10 && got("ready") >= 13);
	ck_assert_int_lt(now_ms() - asked_at, slow_ms(2000));
	EXPECT_STOP();
}
END_TEST

/* There each of three crashes at once deters the next start: three seconds to the first. */
START_TEST(three_that_crash_at_once_come_back_at_once)
{
	int64_t killed_at;

	config("[pool:web]\nmin_uptime = 20ms\nerr_respawn_interval = 5s\n" OBEDIENT
	       "max_workers = 6\nmin_spare_workers = 3\n");
	daemon_start();
	all_there(3);
	nap_ms(slow_ms(100));
	killed_at = now_ms();
	for (int slot = 0; slot < 3; slot++)
		kill(worker_of("web", slot), SIGKILL);
	WAIT_FOR(got("ready") == 6);
	ck_assert_int_lt(now_ms() - killed_at, slow_ms(2500));
	EXPECT_STOP();
}
END_TEST

/* And by that program's own rule, where every abnormal exit is a failure: one wait for the three.
 */
START_TEST(three_failures_at_once_cost_one_wait)
{
	int64_t killed_at;

	config("[pool:web]\nmin_uptime = infinity\nerr_respawn_interval = 700ms\n" OBEDIENT
	       "max_workers = 6\nmin_spare_workers = 3\n");
	daemon_start();
	all_there(3);
	daemon_kill(SIGSTOP);
	killed_at = now_ms();
	for (int slot = 0; slot < 3; slot++)
		kill(worker_of("web", slot), SIGKILL);
	daemon_kill(SIGCONT);
	WAIT_FOR(got("ready") >= 4);
	ck_assert_int_ge(now_ms() - killed_at, 700);
	WAIT_FOR(got("ready") == 6);
	ck_assert_int_lt(now_ms() - killed_at, slow_ms(2 * 700));
	EXPECT_STOP();
}
END_TEST

/* There 2000 forks a second. */
START_TEST(workers_that_exit_with_0_at_once_are_no_storm)
{
	int counted;

	config("[pool:web]\ncrash_loop = backoff\nerr_respawn_interval = 100ms\n"
	       "err_respawn_max = 10s\nmax_workers = 20\nmin_spare_workers = 3\n"
	       "command = @worker@ touch @dir@/started exit 0\n");
	daemon_start();
	WAIT_FOR(file_exists("started"));
	nap_ms(1600);
	counted = file_count("started", "\n");
	ck_assert_int_ge(counted, 3);
	/* rounds after 0, 100, 300, 700 and 1500 ms at the soonest */
	ck_assert_int_le(counted, 5 * 3);
	EXPECT_STOP();
}
END_TEST

static void leave_stale(int kind)
{
	ck_assert(mkdir(path_of("run"), 0755) == 0 || file_exists("run"));
	if (kind == 0)
		file_write("run/web.scoreboard", "A12345         \nA12346         \n");
	if (kind == 1)
		file_write("run/web.scoreboard", "%s", "");
	if (kind == 2)
		ck_assert_int_eq(mkfifo(path_of("run/web.scoreboard"), 0644), 0);
	if (kind == 3)
		ck_assert_int_eq(symlink(path_of("untouched"), path_of("run/web.scoreboard")), 0);
}

/* There it is fatal. Here the lines of a former life are nobody's, either. */
START_TEST(a_stale_scoreboard_is_no_obstacle)
{
	file_write("untouched", "as it was\n");
	config(POOL OBEDIENT "max_workers = 4\nmin_spare_workers = 2\n");
	for (int kind = 0; kind < 4; kind++) {
		leave_stale(kind);
		daemon_start();
		all_there(2);
		ck_assert_int_eq(in_state('.'), 2);
		ck_assert_int_eq(file_size("run/web.scoreboard"), 4 * LINE);
		EXPECT_STOP();
		ck_assert(!file_exists("run/web.scoreboard"));
	}
	ck_assert_str_eq(file_text("untouched"), "as it was\n");
}
END_TEST

/* There nothing is ever killed: one that ignores TERM keeps its place for good. */
START_TEST(surplus_that_ignores_term_is_killed_and_its_place_is_free)
{
	config(POOL "max_workers = 4\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
		    "idle_timeout = 50ms\nstop_timeout = 200ms\n"
		    "command = @worker@ obey @dir@ stay signals @dir@/got\n");
	daemon_start();
	all_there(1);
	for (int round = 0; round < 2; round++) {
		all_busy();
		WAIT_FOR(in_state('A') == 4);
		all_idle();
		all_there(1);
	}
	ck_assert(log_has("killing it: did not leave within stop_timeout"));
	ck_assert_int_eq(most_signals("TERM"), 1);
	EXPECT_STOP();
}
END_TEST

/* There only the last signal is remembered. */
START_TEST(signals_that_come_together_are_all_acted_on)
{
	config("log_file = @dir@/own.log\n" POOL OBEDIENT
	       "max_workers = 2\nmin_spare_workers = 1\n[signals]\nWINCH = grow\nUSR1 = reopen\n"
	       "USR2 = forward USR2\nHUP = forward HUP\nTERM = stop\n");
	all_busy();
	daemon_start();
	WAIT_FOR(in_state('A') == 2);
	daemon_kill(SIGSTOP);
	rename(path_of("own.log"), path_of("own.log.1"));
	daemon_kill(SIGWINCH);
	daemon_kill(SIGUSR1);
	daemon_kill(SIGUSR2);
	daemon_kill(SIGHUP);
	daemon_kill(SIGCONT);
	WAIT_FOR(worker_count() == 3);
	WAIT_FOR(file_exists("own.log"));
	WAIT_FOR(got("USR2") >= 2 && got("HUP") >= 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("what peers promise and where their rules hurt");
	TCase *promises = harness_case(suite, "promises");
	TCase *retiring = harness_case(suite, "retiring");
	TCase *failures = harness_case(suite, "failures");
	TCase *rest = harness_case(suite, "rest");

	tcase_add_test(promises, min_spare_when_idle_max_when_busy_max_spare_when_idle_again);
	tcase_add_test(retiring, the_surplus_is_asked_once_and_the_busy_never);
	tcase_add_test(retiring, surplus_that_ignores_term_is_killed_and_its_place_is_free);
	tcase_add_test(failures, after_all_have_left_at_once_the_spare_ones_are_there_at_once);
	tcase_add_test(failures, three_that_crash_at_once_come_back_at_once);
	tcase_add_test(failures, three_failures_at_once_cost_one_wait);
	tcase_add_test(failures, workers_that_exit_with_0_at_once_are_no_storm);
	tcase_add_test(rest, a_stale_scoreboard_is_no_obstacle);
	tcase_add_test(rest, signals_that_come_together_are_all_acted_on);
	return harness_main(suite);
}
