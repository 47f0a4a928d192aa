/* What each signal makes the supervisor do, and what its workers get for it. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOT        "command = @worker@ signals @dir@/got\n"
#define STUBBORN   "command = @worker@ stay signals @dir@/got\n"
#define QUICK      "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"
#define got(what)  file_count("got", " " what " ")
#define became(n)  (got("ready") == (n))
#define LENGTH(of) ((int)(sizeof(of) / sizeof((of)[0])))

/* When the line was written that has `what` for the number-th time, from 0. */
static long long time_of(const char *what, int number)
{
	char part[32];
	const char *at = file_text("got");

	snprintf(part, sizeof(part), " %s ", what);
	for (int i = 0; at && (at = strstr(at, part)); i++, at++) {
		if (i == number)
			return atoll(at + strlen(part));
	}
	ck_abort_msg("nobody got %s for the %dth time", what, number);
	return 0;
}

static void start_with_map(int count, const char *map)
{
	config("[pool:web]\n" GOT "max_workers = %d\n[signals]\n%s", count, map);
	daemon_start();
	WAIT_FOR(became(count));
}

/* --- stopping --- */

static const int ending[] = {SIGTERM, SIGINT, SIGQUIT};

START_TEST(ending_signals_stop_all_with_status_0)
{
	start_with_map(3, "");
	daemon_kill(ending[_i]);
	EXPECT_EXIT(0);
	ck_assert_int_eq(got("TERM"), 3);
}
END_TEST

START_TEST(each_pool_has_its_stop_signal)
{
	config("[pool:a]\n" GOT "max_workers = 2\nstop_signal = QUIT\n"
	       "[pool:b]\n" GOT "max_workers = 1\nstop_signal = SIGINT\n");
	daemon_start();
	WAIT_FOR(became(3));
	EXPECT_STOP();
	ck_assert_int_eq(got("QUIT"), 2);
	ck_assert_int_eq(got("INT"), 1);
}
END_TEST

START_TEST(stop_with_a_signal_for_the_workers)
{
	start_with_map(2, "TERM = stop QUIT\n");
	EXPECT_STOP();
	ck_assert_int_eq(got("QUIT"), 2);
	ck_assert_int_eq(got("TERM"), 0);
}
END_TEST

START_TEST(a_bare_signal_for_term_stops_too)
{
	start_with_map(2, "TERM = INT\n");
	EXPECT_STOP();
	ck_assert_int_eq(got("INT"), 2);
}
END_TEST

START_TEST(stop_one_worker_after_another)
{
	start_with_map(4, "TERM = stop QUIT/100ms\n");
	EXPECT_STOP();
	ck_assert_int_eq(got("QUIT"), 4);
	ck_assert_int_ge(time_of("QUIT", 3) - time_of("QUIT", 0), 270);
	ck_assert_int_lt(time_of("QUIT", 3) - time_of("QUIT", 0), slow_ms(1000));
	ck_assert_int_ge(time_of("QUIT", 1) - time_of("QUIT", 0), 50);
}
END_TEST

START_TEST(nothing_takes_the_place_of_a_stop_that_is_on_its_way)
{
	start_with_map(3, "TERM = stop QUIT/200ms\nUSR1 = forward WINCH/10ms\n");
	daemon_kill(SIGTERM);
	WAIT_FOR(got("QUIT") == 1);
	daemon_kill(SIGUSR1);
	EXPECT_EXIT(0);
	ck_assert_int_eq(got("QUIT"), 3);
	ck_assert(log_has("not sent"));
}
END_TEST

START_TEST(a_stop_waits_for_workers_that_finish_their_work)
{
	config("[pool:web]\nmax_workers = 3\ncommand = @worker@ linger 300 signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(became(3));
	int64_t began = now_ms();

	EXPECT_STOP();
	ck_assert_int_ge(now_ms() - began, 290);
	ck_assert_int_eq(got("TERM"), 3);
}
END_TEST

START_TEST(a_worker_that_ignores_term_is_killed_at_stop_timeout)
{
	config("[pool:web]\nmax_workers = 2\nstop_timeout = 400ms\n" STUBBORN);
	daemon_start();
	WAIT_FOR(became(2));
	int64_t began = now_ms();

	EXPECT_STOP();
	ck_assert_int_ge(now_ms() - began, 390);
	ck_assert_int_lt(now_ms() - began, slow_ms(600));
	ck_assert_int_eq(got("TERM"), 2);
}
END_TEST

START_TEST(the_same_signal_a_second_later_kills)
{
	config("[pool:web]\nmax_workers = 2\n" STUBBORN);
	daemon_start();
	WAIT_FOR(became(2));
	daemon_kill(SIGTERM);
	WAIT_FOR(got("TERM") == 2);
	nap_ms(1200);
	ck_assert(daemon_alive());
	int64_t began = now_ms();

	EXPECT_STOP();
	ck_assert_int_lt(now_ms() - began, slow_ms(500));
}
END_TEST

START_TEST(the_same_signal_at_once_does_not_kill)
{
	config("[pool:web]\nmax_workers = 2\ncommand = @worker@ linger 600 leave-with 7 "
	       "signals @dir@/got\non_exit = sh -c 'echo \"=$PREFORKD_EXIT_STATUS=\" "
	       ">>@dir@/ends'\n");
	daemon_start();
	WAIT_FOR(became(2));
	daemon_kill(SIGTERM);
	WAIT_FOR(got("TERM") == 2);
	daemon_kill(SIGTERM);
	daemon_kill(SIGTERM);
	EXPECT_EXIT(0);
	ck_assert_int_eq(file_count("ends", "=7="), 2);
}
END_TEST

START_TEST(an_ending_signal_for_another_worker_signal_sends_that_one)
{
	config("[pool:web]\nmax_workers = 2\n" STUBBORN "stop_timeout = 700ms\n"
	       "[signals]\nQUIT = stop USR2\n");
	daemon_start();
	WAIT_FOR(became(2));
	int64_t began = now_ms();

	daemon_kill(SIGTERM);
	WAIT_FOR(got("TERM") == 2);
	nap_ms(400);
	daemon_kill(SIGQUIT);
	WAIT_FOR(got("USR2") == 2);
	EXPECT_EXIT(0);
	ck_assert_int_ge(now_ms() - began, 1090); /* the deadline was renewed */
}
END_TEST

START_TEST(each_worker_gets_one_soft_signal)
{
	config("[pool:web]\nmax_workers = 3\ncommand = @worker@ linger 400 signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(became(3));
	EXPECT_STOP();
	ck_assert_int_eq(got("TERM"), 3);
}
END_TEST

START_TEST(term_at_any_moment_of_the_start)
{
	config("[pool:web]\nmax_workers = 5\n" GOT);
	for (int i = 0; i < 20; i++) {
		daemon_start();
		nap_ms(i * 2);
		daemon_kill(SIGTERM);
		int status = daemon_wait();

		/* before it can catch a signal, the signal kills: then there is no worker yet */
		ck_assert_msg(status == 0 || status == 128 + SIGTERM, "status %d", status);
		WAIT_FOR_WITHIN(1000, process_left() == 0);
	}
}
END_TEST

/* Nor does one that comes while the supervisor leaves change how it ends. */
START_TEST(no_signal_of_the_last_moment_kills)
{
	config("[pool:web]\nmax_workers = 1\n" GOT);
	for (int i = 0; i < 10; i++) {
		daemon_start();
		WAIT_FOR(became(i + 1));
		daemon_kill(SIGTERM);
		while (daemon_alive())
			daemon_kill(SIGUSR2);
		EXPECT_EXIT(0);
	}
}
END_TEST

/* --- other actions --- */

START_TEST(forward_sends_a_signal_to_all_workers)
{
	start_with_map(3, "USR2 = forward HUP\nHUP = forward USR2\nUSR1 = USR2\n");
	daemon_kill(SIGUSR2);
	WAIT_FOR(got("HUP") == 3);
	daemon_kill(SIGHUP);
	WAIT_FOR(got("USR2") == 3);
	daemon_kill(SIGUSR1);
	WAIT_FOR(got("USR2") == 6);
	ck_assert_int_eq(worker_count(), 3);
	ck_assert_int_eq(got("ready"), 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(forward_one_worker_after_another)
{
	start_with_map(3, "USR2 = forward USR1/100ms\n");
	daemon_kill(SIGUSR2);
	WAIT_FOR(got("USR1") == 3);
	ck_assert_int_ge(time_of("USR1", 2) - time_of("USR1", 0), 170);
	EXPECT_STOP();
}
END_TEST

START_TEST(ignored_and_unlisted_signals_do_nothing)
{
	start_with_map(2, "USR2 = ignore\nHUP = ignore\n");
	daemon_kill(SIGALRM);
	WAIT_FOR(log_has("ALRM"));
	daemon_kill(SIGUSR2);
	daemon_kill(SIGHUP);
	daemon_kill(SIGPIPE);
	daemon_kill(SIGCHLD);
	daemon_kill(SIGRTMIN + 5);
	HOLDS_FOR(100, worker_count() == 2 && daemon_alive());
	ck_assert_int_eq(got("ready"), 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_real_time_signal_can_be_mapped)
{
	char map[64];

	snprintf(map, sizeof(map), "RTMIN+3 = forward USR1\n");
	start_with_map(1, map);
	daemon_kill(SIGRTMIN + 3);
	WAIT_FOR(got("USR1") == 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(winch_drains_and_hup_resumes)
{
	start_with_map(3, "");
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	ck_assert_int_eq(got("TERM"), 3);
	HOLDS_FOR(150, worker_count() == 0 && daemon_alive());
	daemon_kill(SIGHUP);
	WAIT_FOR(worker_count() == 3 || log_has("not available"));
	SKIP_IF_SAID_LATER("log");
	EXPECT_STOP();
}
END_TEST

START_TEST(drained_it_counts_up_from_0_by_ttin)
{
	start_with_map(3, "");
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 1);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 2);
	HOLDS_FOR(100, worker_count() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(resume_ends_a_drain)
{
	start_with_map(3, "USR2 = resume\nUSR1 = drain QUIT\n");
	daemon_kill(SIGUSR1);
	WAIT_FOR(worker_count() == 0);
	ck_assert_int_eq(got("QUIT"), 3);
	daemon_kill(SIGUSR2);
	WAIT_FOR(worker_count() == 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(drained_it_stops_at_once)
{
	start_with_map(3, "");
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	EXPECT_STOP();
}
END_TEST

/* --- storms --- */

static bool deadly_or_ours(int number)
{
	static const int left_out[] = {SIGKILL, SIGSTOP, SIGTERM, SIGINT, SIGQUIT, SIGSEGV, SIGBUS,
		SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33};

	for (int i = 0; i < LENGTH(left_out); i++) {
		if (number == left_out[i])
			return true;
	}
	return false;
}

START_TEST(any_signals_in_any_order)
{
	const char *given = getenv("PREFORKD_TEST_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : 20240607;

	printf("seed %u\n", seed);
	config("[pool:web]\n" QUICK "max_workers = 4\ncommand = @worker@\n"
	       "[signals]\nHUP = ignore\nUSR2 = resume\n");
	daemon_start();
	WAIT_FOR(worker_count() == 4);
	for (int i = 0; i < 400; i++) {
		int number = 1 + rand_r(&seed) % 64;

		if (deadly_or_ours(number))
			continue;
		daemon_kill(number);
		if (i % 10 == 0)
			nap_ms(rand_r(&seed) % 10);
	}
	ck_assert(daemon_alive());
	/* nobody knows the number now: count it down, and up again */
	daemon_kill(SIGUSR2);
	nap_ms(20);
	WAIT_FOR((daemon_kill(SIGTTOU), nap_ms(5), worker_count() == 0));
	for (int i = 0; i < 100; i++) {
		daemon_kill(SIGTTOU);
		nap_ms(1);
	}
	for (int i = 1; i <= 3; i++) {
		daemon_kill(SIGTTIN);
		WAIT_FOR(worker_count() == i && process_zombies() == 0);
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_signal_to_a_worker_just_forked_is_not_lost)
{
	pid_t pids[MANY_WORKERS];

	config("[pool:web]\nmax_workers = 1\nstop_timeout = 60s\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	for (int i = 0; i < 30; i++) {
		int64_t until = now_ms() + slow_ms(5000);

		daemon_kill(SIGTTIN);
		/* no waiting: the child should be caught before its exec */
		while (process_children(daemon_pid(), pids) < 2)
			ck_assert_int_lt(now_ms(), until);
		daemon_kill(SIGTTOU);
		WAIT_FOR_WITHIN(3000, process_children(daemon_pid(), pids) == 1);
	}
	EXPECT_STOP();
}
END_TEST

/* --- the stopped and their children --- */

START_TEST(a_stopped_worker_is_continued_and_ended)
{
	config("[pool:web]\nmax_workers = 2\nstop_timeout = 60s\n" GOT);
	daemon_start();
	WAIT_FOR(became(2));
	pid_t frozen = worker_any();

	kill(frozen, SIGSTOP);
	WAIT_FOR(process_state(frozen) == 'T');
	HOLDS_FOR(100, process_state(frozen) == 'T' && worker_count() == 2);
	EXPECT_STOP();
	ck_assert_int_eq(got("TERM"), 2);
}
END_TEST

START_TEST(a_stopped_supervisor_kills_nobody_for_it)
{
	pid_t before[MANY_WORKERS], after[MANY_WORKERS];

	config("[pool:web]\nmax_workers = 3\ntimeout = 400ms\nready = scoreboard\n"
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(became(3));
	nap_ms(100);
	ck_assert_int_eq(workers(before), 3);
	daemon_kill(SIGSTOP);
	nap_ms(1500);
	daemon_kill(SIGCONT);
	nap_ms(600);
	ck_assert_int_eq(workers(after), 3);
	ck_assert_mem_eq(before, after, 3 * sizeof(pid_t));
	EXPECT_STOP();
}
END_TEST

START_TEST(children_of_a_worker_go_with_it)
{
	config("[pool:web]\n" QUICK
	       "max_workers = 1\ncommand = @worker@ fork-child signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(became(1));
	WAIT_FOR(process_family() == 3);
	nap_ms(slow_ms(40));
	kill(worker_of("web", 0), SIGKILL);
	WAIT_FOR(became(2));
	WAIT_FOR(process_family() == 3); /* ours, the new one, its child */
	EXPECT_STOP();
	ck_assert_int_eq(process_family(), 0);
}
END_TEST

START_TEST(children_in_a_session_of_their_own_end_with_the_stop)
{
	config("[pool:web]\nmax_workers = 2\nstop_timeout = 300ms\n"
	       "command = @worker@ fork-child setsid signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(became(2));
	WAIT_FOR(process_family() == 5);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	WAIT_FOR_WITHIN(1000, process_left() == 0 || log_has("left"));
}
END_TEST

/* A script that starts something in the background, then becomes the supervisor. */
static void start_something_before(void)
{
	const pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	file_write("before", "%d\n", (int)pid);
}

START_TEST(children_from_before_us_are_left_alone)
{
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ fork-child setsid signals "
	       "@dir@/got\n");
	daemon_start_as(start_something_before, (const char *const[]){NULL});
	WAIT_FOR(became(1));
	pid_t before = (pid_t)file_number("before");

	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	ck_assert(process_runs(before));
	kill(before, SIGKILL);
	WAIT_FOR_WITHIN(1000, process_left() == 0);
}
END_TEST

START_TEST(signal_group_reaches_the_children_too)
{
	config("[pool:web]\nmax_workers = 1\nsignal_group = yes\nstop_timeout = 60s\n"
	       "command = sh -c 'trap : TERM; @worker@ linger 100 signals @dir@/got; exit 0'\n");
	daemon_start();
	WAIT_FOR(became(1));
	EXPECT_STOP();
	ck_assert_int_eq(got("TERM"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals");
	TCase *stop = harness_case(suite, "stop");
	TCase *actions = harness_case(suite, "actions");
	TCase *storms = harness_case(suite, "storms");
	TCase *family = harness_case(suite, "stopped and children");

	tcase_add_loop_test(stop, ending_signals_stop_all_with_status_0, 0, LENGTH(ending));
	tcase_add_test(stop, each_pool_has_its_stop_signal);
	tcase_add_test(stop, stop_with_a_signal_for_the_workers);
	tcase_add_test(stop, a_bare_signal_for_term_stops_too);
	tcase_add_test(stop, stop_one_worker_after_another);
	tcase_add_test(stop, nothing_takes_the_place_of_a_stop_that_is_on_its_way);
	tcase_add_test(stop, a_stop_waits_for_workers_that_finish_their_work);
	tcase_add_test(stop, a_worker_that_ignores_term_is_killed_at_stop_timeout);
	tcase_add_test(stop, the_same_signal_a_second_later_kills);
	tcase_add_test(stop, the_same_signal_at_once_does_not_kill);
	tcase_add_test(stop, an_ending_signal_for_another_worker_signal_sends_that_one);
	tcase_add_test(stop, each_worker_gets_one_soft_signal);
	tcase_add_test(stop, term_at_any_moment_of_the_start);
	tcase_add_test(stop, no_signal_of_the_last_moment_kills);
	tcase_add_test(actions, forward_sends_a_signal_to_all_workers);
	tcase_add_test(actions, forward_one_worker_after_another);
	tcase_add_test(actions, ignored_and_unlisted_signals_do_nothing);
	tcase_add_test(actions, a_real_time_signal_can_be_mapped);
	tcase_add_test(actions, winch_drains_and_hup_resumes);
	tcase_add_test(actions, drained_it_counts_up_from_0_by_ttin);
	tcase_add_test(actions, resume_ends_a_drain);
	tcase_add_test(actions, drained_it_stops_at_once);
	tcase_add_test(storms, any_signals_in_any_order);
	tcase_add_test(storms, a_signal_to_a_worker_just_forked_is_not_lost);
	tcase_add_test(family, a_stopped_worker_is_continued_and_ended);
	tcase_add_test(family, a_stopped_supervisor_kills_nobody_for_it);
	tcase_add_test(family, children_of_a_worker_go_with_it);
	tcase_add_test(family, children_in_a_session_of_their_own_end_with_the_stop);
	tcase_add_test(family, children_from_before_us_are_left_alone);
	tcase_add_test(family, signal_group_reaches_the_children_too);
	return harness_main(suite);
}
