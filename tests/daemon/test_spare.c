/* The spare rules against the real daemon: when it grows, when it shrinks, whom it asks to leave,
 * and what it says of it. Nothing here rests on a short time being short enough: what must happen
 * is waited for, what must not is looked for while it could. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dynamic_pool.h"

#define POOL "[pool:web]\n" QUICK

static void start(const char *keys, int workers_at_first)
{
	config(POOL OBEDIENT "%s", keys);
	daemon_start();
	WAIT_FOR(worker_count() == workers_at_first &&
		 in_state('_') + in_state('A') == workers_at_first);
}

/* Workers that are taken sooner than it took them to come put growth in a hurry; these tests are
 * about growth that is in none. */
static void outlast_the_start(int64_t began)
{
	nap_ms(now_ms() - began + 50);
}

/* When the first one got the signal. */
static int64_t first_signal_at(const char *name)
{
	const char *found = strstr(file_text("got"), name);

	return found ? strtoll(found + strlen(name), NULL, 10) : -1;
}

/* --- the rules --- */

START_TEST(three_at_first_ten_when_all_are_busy_five_when_all_are_idle_again)
{
	start("max_workers = 10\nmin_spare_workers = 3\nmax_spare_workers = 5\n"
	      "idle_timeout = 300ms\n",
		3);
	HOLDS_FOR(200, worker_count() == 3);
	all_busy();
	WAIT_FOR(in_state('A') == 10);
	HOLDS_FOR(400, worker_count() == 10);
	ck_assert_int_eq(retirements(), 0);
	int64_t idle_at = now_ms();

	all_idle();
	WAIT_FOR(worker_count() == 5 && in_state('_') == 5 && in_state('.') == 5);
	HOLDS_FOR(500, worker_count() == 5);
	ck_assert_int_eq(starts(), 10);
	ck_assert_int_eq(retirements(), 5);
	ck_assert_int_eq(got("TERM"), 5);
	ck_assert_int_eq(most_signals("TERM"), 1);
	ck_assert_int_ge(first_signal_at(" TERM "), idle_at + 300);
	EXPECT_STOP();
}
END_TEST

START_TEST(the_surplus_of_start_workers_goes_after_idle_timeout)
{
	start("max_workers = 10\nmin_spare_workers = 1\nmax_spare_workers = 3\nstart_workers = 8\n"
	      "idle_timeout = 200ms\n",
		8);
	WAIT_FOR(worker_count() == 3);
	HOLDS_FOR(400, worker_count() == 3);
	ck_assert_int_eq(retirements(), 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(as_many_as_lack_are_started_at_once)
{
	int64_t began = now_ms();

	start("max_workers = 40\nmin_spare_workers = 8\n", 8);
	outlast_the_start(began);
	daemon_kill(SIGSTOP);
	for (int slot = 0; slot < 8; slot++)
		slot_busy(slot);
	WAIT_FOR(in_state('A') == 8);
	daemon_kill(SIGCONT);
	WAIT_FOR(worker_count() == 16);
	HOLDS_FOR(200, worker_count() == 16);
	ck_assert(log_has("0 idle + 0 starting < min_spare_workers 8: starting 8"));
	EXPECT_STOP();
}
END_TEST

/* Idle ones go while the busy ones of before and of now stay, whichever slots they have. */
START_TEST(no_busy_worker_is_asked_to_leave_while_idle_ones_are_surplus)
{
	pid_t busy[10][4];

	all_busy();
	start("max_workers = 10\nmin_spare_workers = 1\nmax_spare_workers = 1\n"
	      "start_workers = 10\nidle_timeout = 50ms\n",
		10);
	for (int round = 0; round < 4; round++) {
		WAIT_FOR(in_state('A') == 10);
		for (int i = 0; i < 4; i++) {
			slot_busy((3 * round + i) % 10);
			busy[round][i] = worker_of("web", (3 * round + i) % 10);
		}
		all_idle();
		WAIT_FOR(worker_count() == 5);
		ck_assert_int_eq(in_state('A'), 4);
		for (int i = 0; i < 4; i++) {
			ck_assert(process_runs(busy[round][i]));
			ck_assert_int_eq(signals_of(busy[round][i], "TERM"), 0);
		}
		all_busy();
		for (int slot = 0; slot < 10; slot++)
			slot_idle(slot);
	}
	EXPECT_STOP();
	ck_assert_int_eq(most_signals("TERM"), 1);
}
END_TEST

/* Those who do not go at once are asked by all that could ask them again: surplus, TTOU, a drain,
 * the stop. */
START_TEST(nobody_gets_two_soft_signals)
{
	config(POOL "max_workers = 8\nmin_spare_workers = 1\nmax_spare_workers = 2\n"
		    "start_workers = 8\nidle_timeout = 50ms\nstop_timeout = 600ms\n"
		    "command = @worker@ obey @dir@ stay signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(got("TERM") == 6);
	daemon_kill(SIGTTOU);
	nap_ms(50);
	daemon_kill(SIGWINCH);
	WAIT_FOR(got("TERM") == 8);
	daemon_kill(SIGWINCH);
	nap_ms(50);
	daemon_kill(SIGTERM);
	EXPECT_EXIT(0);
	ck_assert_int_eq(got("TERM"), 8);
	ck_assert_int_eq(most_signals("TERM"), 1);
	ck_assert_int_eq(log_count("did not leave within stop_timeout"), 8);
}
END_TEST

/* --- what changes the rules while it runs --- */

START_TEST(ttin_past_max_workers_makes_the_scoreboard_longer)
{
	all_busy();
	start("max_workers = 2\nmin_spare_workers = 1\n", 2);
	ck_assert_int_eq(file_size("run/web.scoreboard"), 2 * LINE);
	for (int more = 3; more <= 20; more++) {
		daemon_kill(SIGTTIN);
		WAIT_FOR(in_state('A') == more);
		ck_assert_int_eq(file_size("run/web.scoreboard"), more * LINE);
	}
	HOLDS_FOR(100, worker_count() == 20);
	/* the new lines count: the workers in them are seen to be idle, and are surplus one by one
	 */
	all_idle();
	WAIT_FOR(in_state('_') == 20);
	daemon_kill(SIGTTOU);
	WAIT_FOR(worker_count() == 19);
	HOLDS_FOR(100, worker_count() == 19);
	EXPECT_STOP();
}
END_TEST

START_TEST(ttou_waits_for_busy_workers_and_starts_nobody_in_their_place)
{
	all_busy();
	start("max_workers = 6\nmin_spare_workers = 2\n", 6);
	WAIT_FOR(in_state('A') == 6);
	for (int asked = 1; asked <= 3; asked++) {
		daemon_kill(SIGTTOU);
		WAIT_FOR(lines_with(2, 'R') == asked);
	}
	HOLDS_FOR(200, worker_count() == 6);
	ck_assert_int_eq(got("TERM"), 0);
	all_idle();
	WAIT_FOR(worker_count() == 3);
	HOLDS_FOR(200, worker_count() == 3);
	ck_assert_int_eq(starts(), 6);
	EXPECT_STOP();
}
END_TEST

START_TEST(drain_and_resume)
{
	start("max_workers = 6\nmin_spare_workers = 2\n[signals]\nUSR2 = resume\nWINCH = drain\n"
	      "TTIN = grow\nTERM = stop\n",
		2);
	slot_busy(0);
	WAIT_FOR(worker_count() == 3 && in_state('A') == 1 && in_state('_') == 2);
	pid_t busy = worker_of("web", 0);

	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 1);
	HOLDS_FOR(200, process_runs(busy) && worker_count() == 1);
	slot_idle(0);
	WAIT_FOR(worker_count() == 0 && in_state('.') == 6);
	HOLDS_FOR(100, worker_count() == 0);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 1 && in_state('_') == 1);
	daemon_kill(SIGUSR2);
	WAIT_FOR(worker_count() == 2 && in_state('_') == 2);
	all_busy();
	WAIT_FOR(in_state('A') == 6);
	HOLDS_FOR(100, worker_count() == 6);
	EXPECT_STOP();
	ck_assert_int_eq(most_signals("TERM"), 1);
}
END_TEST

/* --- loads --- */

/* Five workers that boot for as long as the script takes. */
static void start_slow(const char *script, const char *keys)
{
	int64_t began = now_ms();

	file_write("boot", "#!/bin/sh\n%s\nexec \"$@\"\n", script);
	chmod(path_of("boot"), 0755);
	config("[pool:web]\nready = scoreboard\ndirectory = @dir@\n"
	       "command = @dir@/boot @worker@ obey @dir@ board signals @dir@/got\n%s",
		keys);
	daemon_start();
	WAIT_FOR(in_state('_') == 5);
	outlast_the_start(began);
}

START_TEST(while_a_program_boots_nobody_is_started_in_its_place)
{
	start_slow("while [ -e slow ]; do sleep 0.02; done",
		"max_workers = 50\nmin_spare_workers = 5\n");
	file_write("slow", "%s", "");
	for (int slot = 0; slot < 5; slot++)
		slot_busy(slot);
	WAIT_FOR(in_state('A') == 5 && worker_count() == 10);
	HOLDS_FOR(1500, worker_count() == 10);
	unlink(path_of("slow"));
	WAIT_FOR(in_state('_') == 5);
	HOLDS_FOR(200, worker_count() == 10);
	ck_assert_int_eq(starts(), 10);
	EXPECT_STOP();
}
END_TEST

/* Eight jobs come at once; whoever is idle takes one. */
START_TEST(a_load_step_on_slow_workers_ends_at_what_is_needed_and_spare)
{
	int taken = 0;

	start_slow("sleep 0.5", "max_workers = 50\nmin_spare_workers = 5\n");
	for (int64_t until = now_ms() + slow_ms(20000); taken < 8; nap_ms(1)) {
		ck_assert_int_lt(now_ms(), until);
		for (int slot = 0; slot < 20 && taken < 8; slot++) {
			if (board_byte("web", slot, 0) != '_')
				continue;
			slot_busy(slot);
			WAIT_FOR(board_byte("web", slot, 0) == 'A');
			taken++;
		}
		ck_assert_int_le(worker_count(), 8 + 5);
	}
	WAIT_FOR(in_state('_') == 5);
	HOLDS_FOR(700, worker_count() == 8 + 5);
	ck_assert_int_eq(starts(), 8 + 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_load_that_flaps_within_idle_timeout_moves_nobody)
{
	start("max_workers = 12\nmin_spare_workers = 2\nmax_spare_workers = 3\nidle_timeout = 2s\n",
		2);
	all_busy();
	WAIT_FOR(in_state('A') == 12);
	for (int i = 0; i < 15; i++) {
		all_idle();
		WAIT_FOR(in_state('_') == 12);
		nap_ms(20);
		all_busy();
		WAIT_FOR(in_state('A') == 12);
	}
	ck_assert_int_eq(starts(), 12);
	ck_assert_int_eq(retirements(), 0);
	EXPECT_STOP();
}
END_TEST

/* Each in turn has a job for a moment, so nobody is idle for as long as idle_timeout. */
START_TEST(a_trickle_does_not_keep_the_workers_of_a_burst)
{
	int64_t until;

	start("max_workers = 8\nmin_spare_workers = 1\nmax_spare_workers = 2\nidle_timeout = 1s\n",
		1);
	all_busy();
	WAIT_FOR(in_state('A') == 8);
	all_idle();
	until = now_ms() + slow_ms(20000);
	for (int slot = 0; worker_count() > 3; slot = (slot + 1) % 8) {
		ck_assert_int_lt(now_ms(), until);
		if (board_byte("web", slot, 0) != '_')
			continue;
		slot_busy(slot);
		nap_ms(25);
		slot_idle(slot);
		nap_ms(10);
	}
	EXPECT_STOP();
	ck_assert_int_eq(most_signals("TERM"), 1);
}
END_TEST

/* --- what is said --- */

/* The supervisor is held while several get busy, so that it sees them at once. */
static void busy_at_once(int first, int last, int busy_then)
{
	daemon_kill(SIGSTOP);
	for (int slot = first; slot <= last; slot++)
		slot_busy(slot);
	WAIT_FOR(in_state('A') == busy_then);
	daemon_kill(SIGCONT);
}

START_TEST(a_decision_is_told_in_numbers_and_once)
{
	start_slow("while [ -e slow ]; do sleep 0.02; done",
		"max_workers = 9\nmin_spare_workers = 5\nmax_spare_workers = 6\n"
		"idle_timeout = 300ms\n");
	ck_assert_int_eq(log_count("0 idle + 0 starting < min_spare_workers 5: starting 5"), 1);
	file_write("slow", "%s", "");
	nap_ms(1100); /* the same kind of decision is told once a second */
	busy_at_once(0, 0, 1);
	WAIT_FOR(log_has("4 idle + 0 starting < min_spare_workers 5: starting 1"));
	nap_ms(1100);
	busy_at_once(1, 2, 3);
	WAIT_FOR(log_has("2 idle + 1 starting < min_spare_workers 5: starting 2"));
	busy_at_once(3, 4, 5);
	WAIT_FOR(log_has("max_workers 9 reached (5 busy, 0 leaving): 1 more wanted"));
	unlink(path_of("slow"));
	WAIT_FOR(in_state('_') == 4);
	daemon_kill(SIGSTOP);
	for (int slot = 0; slot < 5; slot++)
		slot_idle(slot);
	WAIT_FOR(in_state('_') == 9);
	daemon_kill(SIGCONT);
	WAIT_FOR(worker_count() == 6);
	HOLDS_FOR(300, worker_count() == 6);
	ck_assert_int_eq(log_count(" starting < min_spare_workers "), 3);
	ck_assert_int_eq(log_count("max_workers 9 reached"), 1);
	/* as a decision, and as the reason of each of the three */
	ck_assert_int_eq(log_count("9 idle > max_spare_workers 6 for 0.3 s: retiring 3"), 1 + 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(at_the_maximum_it_is_said_once_however_long)
{
	all_busy();
	start("max_workers = 3\nmin_spare_workers = 1\n", 3);
	WAIT_FOR(log_has("max_workers 3 reached ("));
	for (int i = 0; i < 5; i++) { /* another census each time, and no other decision */
		pid_t pid = worker_of("web", 0);

		kill(pid, SIGKILL);
		WAIT_FOR(board_pid("web", 0) != pid && in_state('A') == 3);
	}
	nap_ms(1100);
	ck_assert_int_le(log_count("max_workers 3 reached"), 1 + 5);
	EXPECT_STOP();
}
END_TEST

/* --- hung and slow workers of a dynamic pool --- */

/* The killing is no reason to start the next one at once: that one would fail as well. */
START_TEST(those_that_never_write_are_killed_and_deter_the_next_start)
{
	long long times[6];
	int count = 0;

	config("[pool:web]\nready = scoreboard\nstart_timeout = 100ms\ncrash_loop = backoff\n"
	       "err_respawn_interval = 600ms\nerr_respawn_max = 600ms\nmax_workers = 9\n"
	       "min_spare_workers = 2\ncommand = @worker@ touch @dir@/started\n");
	daemon_start();
	WAIT_FOR(file_count("started", "\n") >= 6);
	for (const char *line = file_text("started"); count < 6; count++) {
		ck_assert_int_eq(sscanf(line, "%*d %*d %lld\n", &times[count]), 1);
		line = strchr(line, '\n') + 1;
	}
	for (int i = 2; i < 6; i += 2)
		ck_assert_int_ge(times[i], times[i - 1] + 500);
	ck_assert(log_has("killing it: not ready within start_timeout"));
	ck_assert(log_has(" in a row, next start in 0."));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_busy_worker_without_a_sign_of_life_gets_timeout_signal)
{
	config(POOL "timeout = 300ms\ntimeout_signal = QUIT\nmax_workers = 4\n"
		    "min_spare_workers = 1\ncommand = @worker@ obey @dir@ signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(in_state('_') == 1);
	slot_busy(0);
	pid_t hung = worker_of("web", 0);

	WAIT_FOR(!process_runs(hung));
	ck_assert_int_eq(signals_of(hung, "QUIT"), 1);
	ck_assert_int_eq(signals_of(hung, "TERM"), 0);
	ck_assert(log_has("no sign of life within timeout: sending QUIT"));
	EXPECT_STOP();
}
END_TEST

START_TEST(being_idle_between_jobs_renews_request_timeout)
{
	config(POOL "request_timeout = 500ms\nmax_workers = 2\nmin_spare_workers = 1\n"
		    "command = @worker@ board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(in_state('_') == 1);
	pid_t pid = worker_of("web", 0);

	kill(pid, SIGHUP); /* it counts its jobs, so it may be killed */
	for (int i = 0; i < 8; i++) {
		kill(pid, SIGUSR1);
		WAIT_FOR(board_byte("web", 0, 0) == 'A');
		nap_ms(150);
		kill(pid, SIGUSR2);
		WAIT_FOR(board_byte("web", 0, 0) == '_');
		nap_ms(10);
	}
	ck_assert_int_eq(board_pid("web", 0), pid);
	kill(pid, SIGUSR1);
	WAIT_FOR(log_has("busy with one job beyond request_timeout"));
	WAIT_FOR(!process_runs(pid));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spare workers");
	TCase *rules = harness_case(suite, "rules");
	TCase *change = harness_case(suite, "change");
	TCase *loads = harness_case(suite, "loads");
	TCase *words = harness_case(suite, "words");
	TCase *hung = harness_case(suite, "hung");

	tcase_add_test(rules, three_at_first_ten_when_all_are_busy_five_when_all_are_idle_again);
	tcase_add_test(rules, the_surplus_of_start_workers_goes_after_idle_timeout);
	tcase_add_test(rules, as_many_as_lack_are_started_at_once);
	tcase_add_test(rules, no_busy_worker_is_asked_to_leave_while_idle_ones_are_surplus);
	tcase_add_test(rules, nobody_gets_two_soft_signals);
	tcase_add_test(change, ttin_past_max_workers_makes_the_scoreboard_longer);
	tcase_add_test(change, ttou_waits_for_busy_workers_and_starts_nobody_in_their_place);
	tcase_add_test(change, drain_and_resume);
	tcase_add_test(loads, while_a_program_boots_nobody_is_started_in_its_place);
	tcase_add_test(loads, a_load_step_on_slow_workers_ends_at_what_is_needed_and_spare);
	tcase_add_test(loads, a_load_that_flaps_within_idle_timeout_moves_nobody);
	tcase_add_test(loads, a_trickle_does_not_keep_the_workers_of_a_burst);
	tcase_add_test(words, a_decision_is_told_in_numbers_and_once);
	tcase_add_test(words, at_the_maximum_it_is_said_once_however_long);
	tcase_add_test(hung, those_that_never_write_are_killed_and_deter_the_next_start);
	tcase_add_test(hung, a_busy_worker_without_a_sign_of_life_gets_timeout_signal);
	tcase_add_test(hung, being_idle_between_jobs_renews_request_timeout);
	return harness_main(suite);
}
