/* Workers that hang: each of the limits on a worker's time, and who is spared. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

#define QUICK     "min_uptime = 20ms\nerr_respawn_interval = 20ms\nerr_respawn_max = 50ms\n"
#define got(what) file_count("got", " " what " ")

START_TEST(a_worker_without_a_heartbeat_is_killed_and_replaced)
{
	config("[pool:web]\nmax_workers = 1\ntimeout = 300ms\n" QUICK
	       "command = @worker@ state _ signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 1);
	int64_t began = now_ms();

	WAIT_FOR(got("ready") == 2);
	ck_assert_int_ge(now_ms() - began, 250);
	ck_assert_int_lt(now_ms() - began, slow_ms(1000));
	ck_assert_int_eq(got("TERM"), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_worker_with_a_heartbeat_is_left_alone)
{
	config("[pool:web]\nmax_workers = 2\ntimeout = 300ms\n" QUICK
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 2);
	HOLDS_FOR(1000, got("ready") == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_worker_that_stopped_beating_is_noticed)
{
	config("[pool:web]\nmax_workers = 2\ntimeout = 300ms\n" QUICK
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 2);
	pid_t hung = worker_of("web", 0), other = worker_of("web", 1);

	kill(hung, SIGSTOP);
	WAIT_FOR(got("ready") == 3);
	ck_assert(!process_runs(hung));
	ck_assert(process_runs(other));
	EXPECT_STOP();
}
END_TEST

START_TEST(timeout_signal_comes_before_kill)
{
	config("[pool:web]\nmax_workers = 1\ntimeout = 200ms\ntimeout_signal = USR2\n" QUICK
	       "command = @worker@ state _ stay signals @dir@/got\nstop_timeout = 100ms\n");
	daemon_start();
	WAIT_FOR(got("USR2") == 1);
	int64_t began = now_ms();

	WAIT_FOR(got("ready") == 2); /* KILL follows after a second */
	ck_assert_int_ge(now_ms() - began, 900);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_job_that_takes_too_long_ends_its_worker)
{
	config("[pool:web]\nmax_workers = 1\nrequest_timeout = 300ms\n" QUICK
	       "command = @worker@ board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 1);
	HOLDS_FOR(500, got("ready") == 1); /* idle is no job */
	pid_t pid = worker_of("web", 0);

	kill(pid, SIGHUP); /* it counts its jobs */
	WAIT_FOR(board_byte("web", 0, 12) == '1');
	kill(pid, SIGUSR1);
	WAIT_FOR(board_byte("web", 0, 0) == 'A');
	WAIT_FOR(got("ready") == 2);
	ck_assert(!process_runs(pid));
	EXPECT_STOP();
}
END_TEST

START_TEST(many_short_jobs_are_no_long_one)
{
	config("[pool:web]\nmax_workers = 1\nrequest_timeout = 300ms\n" QUICK
	       "command = @worker@ board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 1);
	pid_t pid = worker_of("web", 0);

	kill(pid, SIGUSR1);
	for (int i = 0; i < 12; i++) {
		kill(pid, SIGHUP);
		nap_ms(60);
	}
	ck_assert_int_eq(got("ready"), 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_long_job_of_a_worker_that_counts_none_is_only_warned_of)
{
	config("[pool:web]\nmax_workers = 1\nrequest_timeout = 200ms\n" QUICK
	       "command = @worker@ board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("ready") == 1);
	kill(worker_of("web", 0), SIGUSR1);
	WAIT_FOR(log_has("request_timeout"));
	HOLDS_FOR(300, got("ready") == 1);
	ck_assert_int_eq(log_count("beyond request_timeout"), 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(not_ready_by_start_timeout_is_a_failure)
{
	config("[pool:web]\nmax_workers = 1\nstart_timeout = 200ms\nready = scoreboard\n" QUICK
	       "command = @worker@ touch @dir@/started\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_eq(file_count("started", "\n"), 3);
	ck_assert(log_has("start_timeout"));
}
END_TEST

START_TEST(ready_in_time_is_none)
{
	config("[pool:web]\nmax_workers = 1\nstart_timeout = 1s\nready = scoreboard\n" QUICK
	       "command = @worker@ touch @dir@/started sleep 300 state _\n");
	daemon_start();
	WAIT_FOR(board_byte("web", 0, 0) == '_');
	HOLDS_FOR(900, file_count("started", "\n") == 1);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timeouts");
	TCase *heartbeat = harness_case(suite, "heartbeat");
	TCase *request = harness_case(suite, "request");
	TCase *begin = harness_case(suite, "start");

	tcase_add_test(heartbeat, a_worker_without_a_heartbeat_is_killed_and_replaced);
	tcase_add_test(heartbeat, a_worker_with_a_heartbeat_is_left_alone);
	tcase_add_test(heartbeat, a_worker_that_stopped_beating_is_noticed);
	tcase_add_test(heartbeat, timeout_signal_comes_before_kill);
	tcase_add_test(request, a_job_that_takes_too_long_ends_its_worker);
	tcase_add_test(request, many_short_jobs_are_no_long_one);
	tcase_add_test(request, a_long_job_of_a_worker_that_counts_none_is_only_warned_of);
	tcase_add_test(begin, not_ready_by_start_timeout_is_a_failure);
	tcase_add_test(begin, ready_in_time_is_none);
	return harness_main(suite);
}
