/*
 * What the tests of other programs show of changing workers without loss, shown of this one. Each
 * test says whose scenario it is: Server::Starter (t/NN), einhorn (test/integration), puma
 * (test_integration_cluster.rb), pitchfork (test_reforking.rb). Read, not copied; their seconds are
 * tenths here.
 */
#include "harness.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

static void write_program(const char *name, const char *text)
{
	file_write("program.new", "#!/bin/sh\n%s\n", text);
	ck_assert_int_eq(chmod(path_of("program.new"), 0755), 0);
	ck_assert_int_eq(rename(path_of("program.new"), path_of("%s", name)), 0);
}

static long answering_pid(int port)
{
	const char *answer = http_get(port, "/");

	ck_assert_ptr_nonnull(answer);
	return strtol(answer, NULL, 10);
}

/* --- Server::Starter --- */

/* t/02-startfail: generation 1 fails, 2 serves; at HUP 3 and 4 fail while 2 goes on answering, 5
 * serves. */
START_TEST(a_generation_that_fails_to_start_is_tried_again_while_the_old_one_answers)
{
	char text[1024];
	struct load load;
	int port = free_port();

	snprintf(text, sizeof(text),
		"echo >>%s; n=$(wc -l <%s); case $n in 1|3|4) exit 1;; esac; exec %s http touch "
		"%s.$n",
		path_of("starts"), path_of("starts"), worker_program(), path_of("served"));
	write_program("server", text);
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\nmin_uptime = "
	       "50ms\n"
	       "err_respawn_interval = 100ms\nsockets = tcp\ncommand = @dir@/server\n",
		port);
	daemon_start();
	WAIT_FOR(file_exists("served.2") && serving() == 1 && log_has("ready: "));
	long second = answering_pid(port);

	load = load_closed(load_port(port), "/sleep/1", 2);
	daemon_kill(SIGHUP);
	WAIT_FOR(file_count("starts", "\n") >= 4);
	ck_assert_int_eq(answering_pid(port), second);
	WAIT_FOR(reloads_done() == 1);
	ck_assert(file_exists("served.5") && !file_exists("served.4"));
	WAIT_FOR(!process_runs((pid_t)second));
	ck_assert_int_ne(answering_pid(port), second);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* t/05-killolddelay: with both signals; the old one and the new one are there together for the
 * delay, then the new one alone. */
START_TEST(old_and_new_live_together_until_the_old_one_is_told_to_go)
{
	static const char *const signals[] = {"TERM", "USR1"};
	int port = free_port();
	long old;

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\n"
	       "min_uptime = 300ms\nstop_signal = %s\nstop_timeout = 500ms\nsockets = tcp\n"
	       "command = @worker@ http signals @dir@/got linger 100\n",
		port, signals[_i]);
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	old = answering_pid(port);
	daemon_kill(SIGHUP);
	WAIT_FOR(serving() == 2);
	/* the new one has to prove itself for as long as min_uptime */
	HOLDS_FOR(150, present() == 2 && process_runs((pid_t)old));
	WAIT_FOR(file_has("got", signals[_i]));
	if (_i == 1)
		kill((pid_t)old, SIGTERM); /* testworker stays at USR1 */
	WAIT_FOR(!process_runs((pid_t)old) && present() == 1);
	ck_assert_int_ne(answering_pid(port), old);
	EXPECT_STOP();
}
END_TEST

/* t/06-autorestart: without a signal from anybody, after so long. */
START_TEST(workers_are_exchanged_by_themselves_after_a_time)
{
	int port = free_port();
	struct load load;
	long old;

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\nmin_uptime = "
	       "50ms\n"
	       "max_lifetime = 400ms\nsockets = tcp\ncommand = @worker@ http linger 50\n",
		port);
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	old = answering_pid(port);
	load = load_closed(load_port(port), "/sleep/1", 2);
	WAIT_FOR(serving() == 2 || !process_runs((pid_t)old));
	WAIT_FOR(!process_runs((pid_t)old) && present() == 1);
	ck_assert_int_ne(answering_pid(port), old);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* t/08-wait3: waiting for children neither misses signals nor waits beyond the end of a child. */
START_TEST(signals_and_ends_of_children_are_both_seen_at_once)
{
	config("[pool:web]\nmax_workers = 2\nmin_uptime = 1ms\ncommand = @worker@ obey @dir@\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	for (int i = 1; i <= 10; i++) {
		pid_t pid = worker_of("web", 0);

		daemon_kill(SIGUSR1);
		WAIT_FOR_WITHIN(1000, log_count("USR1 from pid") == i);
		ck_assert(process_runs(pid));
		kill(pid, SIGKILL);
		WAIT_FOR_WITHIN(1000, board_pid("web", 0) != pid && serving() == 2);
	}
	EXPECT_STOP();
}
END_TEST

/* --- einhorn --- */

/* upgrading.rb, "can restart": the version in a file, the port open all the time. */
START_TEST(the_version_changes_at_the_open_port)
{
	int port = free_port();
	struct load load;

	file_write("version", "0");
	write_program("server", "exec env VERSION=\"$(cat \"$(dirname \"$0\")/version\")\" "
				"\"$HELLO_PROGRAM\"");
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 2\n" QUICK
	       "environment = HELLO_PROGRAM=%s\nsockets = tcp\ncommand = @dir@/server\n",
		port, hello_program());
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	load = load_closed(load_port(port), "/", 2);
	for (int i = 1; i <= 3; i++) {
		char generation[32];

		file_write("version", "%d", i);
		reload_well();
		snprintf(generation, sizeof(generation), "generation %d,", i + 1);
		WAIT_FOR(strstr(http_get(port, "/"), generation) != NULL);
	}
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* upgrading.rb, "cleans up if a child dies during the reexec". */
START_TEST(a_child_that_dies_in_the_middle_leaves_nothing_behind)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	for (int i = 0; i < 10; i++) {
		int ended = reloads_done();
		pid_t pid = worker_any();

		daemon_kill(SIGHUP);
		kill(pid, SIGKILL);
		WAIT_FOR(reloads_done() == ended + 1);
		WAIT_FOR(present() == 1 && serving() == 1 && worker_count() == 1);
		ck_assert_int_eq(process_zombies(), 0);
	}
	EXPECT_STOP();
}
END_TEST

/* upgrading.rb, "with --signal-timeout": an outdated child that sleeps in its handler. */
START_TEST(an_outdated_child_that_does_not_leave_in_time_gets_kill)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 1\nstop_timeout = 400ms\nstop_signal = USR2\n" QUICK
	       "command = @worker@ obey @dir@ stay signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	old = crew_of("web");
	reload_well();
	WAIT_FOR(file_has("got", " USR2 "));
	ck_assert_int_eq(present(), 2);
	HOLDS_FOR(200, crew_left(&old) == 1);
	WAIT_FOR(crew_left(&old) == 0 && present() == 1);
	ck_assert(log_has("did not leave within stop_timeout"));
	ck_assert_int_eq(file_count("got", " USR2 "), 1);
	EXPECT_STOP();
}
END_TEST

/* --- puma --- */

/* restart_does_not_drop_connections: in its forms with TCP and a unix socket. */
START_TEST(a_phased_restart_drops_no_connection)
{
	int port = free_port();
	struct load load;

	config("[socket:s]\nlisten = %s%d\n[pool:web]\nmax_workers = 2\n" QUICK
	       "sockets = s\ncommand = %s\n",
		_i ? "unix:@dir@/" : "127.0.0.1:", port, hello_program());
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	load = load_closed(_i ? path_of("%d", port) : load_port(port), "/", 10);
	for (int i = 0; load_counts(&load).answered < 1000 || i < 3; i++)
		reload_well();
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* test_pre_existing_unix, test_pre_existing_unix_stop_after_restart: a path that was there. */
START_TEST(a_unix_path_outlives_restarts_and_no_stop)
{
	ino_t inode;
	struct stat st;

	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 1\n" QUICK
	       "sockets = s\ncommand = @worker@ http\n");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	ck_assert_int_eq(lstat(path_of("s"), &st), 0);
	inode = st.st_ino;
	reload_well();
	ck_assert_int_eq(lstat(path_of("s"), &st), 0);
	ck_assert_uint_eq(st.st_ino, inode);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* test_stuck_phased_restart: two requests that take as good as for ever; the workers that do not
 * have them are replaced, and new requests answered, without waiting for those. */
START_TEST(stuck_requests_are_not_waited_for_by_the_others)
{
	int port = free_port(), stuck[2];
	struct crew old;
	struct load load;

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 4\n" QUICK
	       "stop_timeout = 1s\nsockets = tcp\ncommand = %s\n",
		port, hello_program());
	daemon_start();
	WAIT_FOR(serving() == 4 && log_has("ready: "));
	old = crew_of("web");
	for (int i = 0; i < 2; i++) {
		stuck[i] = port_connect(port);
		ck_assert_int_gt(send(stuck[i], "GET /sleep?ms=35000 HTTP/1.0\r\n\r\n", 32, 0), 0);
	}
	WAIT_FOR(board_byte("web", 0, 0) + board_byte("web", 1, 0) + board_byte("web", 2, 0) +
			 board_byte("web", 3, 0) ==
		 2 * '_' + 2 * 'W');
	int64_t began = now_ms();

	daemon_kill(SIGHUP);
	WAIT_FOR(crew_left(&old) == 2);
	ck_assert_int_lt(now_ms() - began, slow_ms(1000));
	load = load_closed(load_port(port), "/", 2);
	/* and the stuck ones do not last either: TERM after stop_timeout, then KILL */
	WAIT_FOR(crew_left(&old) == 0 && serving() == 4);
	ck_assert_int_lt(now_ms() - began, slow_ms(10000));
	load_end_without_loss(&load);
	for (int i = 0; i < 2; i++)
		close(stuck[i]);
	EXPECT_STOP();
}
END_TEST

/* test_stuck_external_term_spawn: TERM from outside to each, one after another, makes room. */
START_TEST(workers_that_are_told_to_go_by_others_are_replaced)
{
	int port = free_port();
	struct crew old;
	struct load load;

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 2\n" QUICK
	       "sockets = tcp\ncommand = %s\n",
		port, hello_program());
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	old = crew_of("web");
	load = load_closed(load_port(port), "/sleep?ms=5", 2);
	nap_ms(slow_ms(25)); /* min_uptime: their exit is no failure */
	for (int i = 0; i < 2; i++) {
		kill(old.pid[i], SIGTERM);
		WAIT_FOR(!process_runs(old.pid[i]) && serving() == 2);
	}
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* test_phased_restart_with_fork_worker_and_high_worker_count: the whole lasts longer than what one
 * worker is allowed to be silent, and nobody is killed for it. */
START_TEST(many_workers_roll_for_longer_than_timeout)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 10\n" QUICK "timeout = 400ms\nspawn_interval = 60ms\n"
	       "command = @worker@ beat board\n");
	daemon_start();
	WAIT_FOR(serving() == 10 && log_has("ready: "));
	old = crew_of("web");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 10);
	ck_assert(!log_has("no sign of life"));
	EXPECT_STOP();
}
END_TEST

/* test_phased_restart_with_fork_worker_worker_order: one was replaced just before. */
START_TEST(one_that_was_replaced_just_before_is_replaced_again)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 3\n" QUICK "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 3 && log_has("ready: "));
	pid_t first = worker_of("web", 0);

	nap_ms(slow_ms(25));
	kill(first, SIGTERM);
	WAIT_FOR(!process_runs(first) && serving() == 3);
	old = crew_of("web");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 3);
	EXPECT_STOP();
}
END_TEST

/* test_term_worker_clean_exit, after a restart. */
START_TEST(no_zombies_are_left_by_restarts_and_stops)
{
	config("[pool:web]\nmax_workers = 5\nsurge = 5\n" QUICK "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 5 && log_has("ready: "));
	for (int i = 0; i < 5; i++)
		reload_well();
	WAIT_FOR(present() == 5 && process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

/* --- pitchfork --- */

/* In the order in which it happened: 't' an old one is asked to go, 'r' a new one was started. */
static void read_roll(char order[64])
{
	const char *at = strstr(file_text("log"), "HUP from pid");
	size_t length = 0;

	ck_assert_ptr_nonnull(at);
	for (; at && length < 63; at = strchr(at, '\n')) {
		const char *end = strchrnul(++at, '\n');
		size_t size = (size_t)(end - at);

		if (memmem(at, size, ": retiring: ", 12))
			order[length++] = 't';
		else if (memmem(at, size, ": started, generation 2", 23))
			order[length++] = 's';
	}
	order[length] = '\0';
}

/* test_slow_worker_rollout: strictly one after another, though each takes its time to leave. */
START_TEST(a_slow_roll_out_is_one_after_another)
{
	char order[64];
	struct crew old;

	config("[pool:web]\nmax_workers = 5\n" QUICK "command = @worker@ board linger 100\n");
	daemon_start();
	WAIT_FOR(serving() == 5 && log_has("ready: "));
	old = crew_of("web");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0);
	read_roll(order);
	ck_assert_str_eq(order, "ststststst");
	EXPECT_STOP();
}
END_TEST

/* With spawn_interval, which is the time between two. */
START_TEST(a_paced_roll_out_keeps_its_distance)
{
	int64_t began, took;

	config("[pool:web]\nmax_workers = 5\nsurge = 5\nspawn_interval = 100ms\n" QUICK
	       "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 5 && log_has("ready: "));
	began = now_ms();
	reload_well();
	took = now_ms() - began;
	ck_assert_int_ge(took, 400);
	ck_assert_int_lt(took, slow_ms(3000));
	EXPECT_STOP();
}
END_TEST

/* test_reforking_broken_after_mold_fork_hook and test_exiting_mold: one that crashes once is tried
 * again, and the roll goes on. */
START_TEST(one_crash_in_a_roll_is_forgiven)
{
	char text[512];
	struct crew old;

	write_program("server", "exec \"$1\" board");
	config("[pool:web]\nmax_workers = 3\n" QUICK "command = @dir@/server @worker@\n");
	daemon_start();
	WAIT_FOR(serving() == 3 && log_has("ready: "));
	old = crew_of("web");
	snprintf(text, sizeof(text), "[ -e %s ] || { echo >%s; exit 1; }\nexec \"$1\" board",
		path_of("crashed-once"), path_of("crashed-once"));
	write_program("server", text);
	reload_well();
	ck_assert(file_exists("crashed-once"));
	WAIT_FOR(crew_left(&old) == 0 && serving() == 3);
	ck_assert_int_eq(reloads_failed(), 0);
	EXPECT_STOP();
}
END_TEST

/* test_signal_during_refork: TERM to the new one while it starts. */
START_TEST(term_to_a_new_one_while_it_starts_is_survived)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	old = crew_of("web");
	config("[pool:web]\nmax_workers = 2\n" QUICK "ready = scoreboard\ncommand = sh -c 'test -e "
	       "@dir@/told || { echo >@dir@/told; kill -TERM $$; }; exec @worker@ board'\n");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rolling as the peers do");
	TCase *starter = harness_case(suite, "Server::Starter");
	TCase *einhorn = harness_case(suite, "einhorn");
	TCase *puma = harness_case(suite, "puma");
	TCase *pitchfork = harness_case(suite, "pitchfork");

	tcase_add_test(
		starter, a_generation_that_fails_to_start_is_tried_again_while_the_old_one_answers);
	tcase_add_loop_test(
		starter, old_and_new_live_together_until_the_old_one_is_told_to_go, 0, 2);
	tcase_add_test(starter, workers_are_exchanged_by_themselves_after_a_time);
	tcase_add_test(starter, signals_and_ends_of_children_are_both_seen_at_once);
	tcase_add_test(einhorn, the_version_changes_at_the_open_port);
	tcase_add_test(einhorn, a_child_that_dies_in_the_middle_leaves_nothing_behind);
	tcase_add_test(einhorn, an_outdated_child_that_does_not_leave_in_time_gets_kill);
	tcase_add_loop_test(puma, a_phased_restart_drops_no_connection, 0, 2);
	tcase_add_test(puma, a_unix_path_outlives_restarts_and_no_stop);
	tcase_add_test(puma, stuck_requests_are_not_waited_for_by_the_others);
	tcase_add_test(puma, workers_that_are_told_to_go_by_others_are_replaced);
	tcase_add_test(puma, many_workers_roll_for_longer_than_timeout);
	tcase_add_test(puma, one_that_was_replaced_just_before_is_replaced_again);
	tcase_add_test(puma, no_zombies_are_left_by_restarts_and_stops);
	tcase_add_test(pitchfork, a_slow_roll_out_is_one_after_another);
	tcase_add_test(pitchfork, a_paced_roll_out_keeps_its_distance);
	tcase_add_test(pitchfork, one_crash_in_a_roll_is_forgiven);
	tcase_add_test(pitchfork, term_to_a_new_one_while_it_starts_is_survived);
	return harness_main(suite);
}
