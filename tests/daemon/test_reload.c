/* One reload after another: who is replaced by whom and in which order, and what TERM, WINCH, TTIN
 * and trouble of other kinds make of it. */
#include "harness.h"

#include "load.h"
#include "rolling_pool.h"

/* A pool whose workers tell in a file which version they are of, and who they are. */
static void write_version(int workers, int version, const char *keys)
{
	config("[pool:web]\nmax_workers = %d\n" QUICK
	       "%scommand = @worker@ touch @dir@/version.%d obey @dir@ signals @dir@/got\n",
		workers, keys, version);
}

static void start_version(int workers, const char *keys)
{
	write_version(workers, 1, keys);
	daemon_start();
	WAIT_FOR(serving() == workers && log_has("ready: "));
}

static int of_version(int version)
{
	return file_count(path_of("version.%d", version), "\n");
}

static int got(const char *name)
{
	char part[32];

	snprintf(part, sizeof(part), " %s ", name);
	return file_count("got", part);
}

/* --- one for one --- */

START_TEST(all_are_replaced_by_workers_of_the_new_version)
{
	static const char *const surges[] = {"", "surge = 2\n", "surge = 50%\n", "surge = 100%\n"};
	static const int most[] = {5, 6, 6, 8};
	struct crew old;
	struct load watch;
	struct sights sights;

	start_version(4, surges[_i]);
	old = crew_of("web");
	watch = watch_start("web");
	write_version(4, 2, surges[_i]);
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 4 && present() == 4);
	sights = watch_end(&watch);
	ck_assert_int_ge(sights.min_serving, 4);
	ck_assert_int_le(sights.max_present, most[_i]);
	ck_assert_int_eq(of_version(2), 4);
	ck_assert_int_eq(got("TERM"), 4);
	HOLDS_FOR(100, of_version(2) == 4);
	EXPECT_STOP();
}
END_TEST

START_TEST(one_worker_is_enough_for_it)
{
	struct load watch;

	start_version(1, "");
	watch = watch_start("web");
	for (int i = 0; i < 5; i++) {
		struct crew old = crew_of("web");

		reload_well();
		WAIT_FOR(crew_left(&old) == 0);
	}
	ck_assert_int_eq(watch_sights(&watch).min_serving, 1);
	ck_assert_int_le(watch_end(&watch).max_present, 2);
	EXPECT_STOP();
}
END_TEST

/* The longest idle first; the busy ones last, and only once they are idle. */
START_TEST(busy_workers_are_asked_last_and_left_to_finish)
{
	struct crew old;
	pid_t busy;

	start_version(3, "stop_timeout = 60s\n");
	old = crew_of("web");
	busy = worker_of("web", 0);
	file_write("busy.0", "%s", "");
	WAIT_FOR(board_byte("web", 0, 0) == 'A');
	reload_well();
	WAIT_FOR(crew_left(&old) == 1 && board_byte("web", 0, 2) == 'R');
	ck_assert(process_runs(busy));
	ck_assert_int_eq(got("TERM"), 2);
	ck_assert_int_eq(serving(), 3);
	unlink(path_of("busy.0"));
	WAIT_FOR(crew_left(&old) == 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_worker_that_stays_gets_kill_after_stop_timeout)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 2\nstop_timeout = 300ms\n" QUICK
	       "command = @worker@ obey @dir@ stay signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	old = crew_of("web");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 2);
	ck_assert_int_eq(log_count("did not leave within stop_timeout"), 2);
	ck_assert_int_eq(got("TERM"), 2);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

START_TEST(the_signal_of_the_map_is_what_old_workers_get)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 2\n" QUICK
	       "command = @worker@ obey @dir@ signals @dir@/got\n"
	       "[signals]\nHUP = reload QUIT\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	old = crew_of("web");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0);
	ck_assert_int_eq(got("QUIT"), 2);
	ck_assert_int_eq(got("TERM"), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_generation_is_counted_in_the_environment)
{
	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 1\nsockets = s\n" QUICK
	       "command = @worker@ report @dir@/report board\n");
	daemon_start();
	for (int generation = 1; generation <= 3; generation++) {
		char line[64];

		snprintf(line, sizeof(line), "env PREFORKD_GENERATION=%d\n", generation);
		WAIT_FOR(file_has("report", line) && serving() == 1);
		snprintf(line, sizeof(line), "env SERVER_STARTER_GENERATION=%d\n", generation);
		ck_assert(file_has("report", line));
		reload_well();
	}
	EXPECT_STOP();
}
END_TEST

/* --- another number at the same time --- */

START_TEST(more_and_fewer_workers_come_with_a_reload)
{
	struct load watch;

	start_version(3, "");
	watch = watch_start("web");
	write_version(6, 2, "");
	reload_well();
	WAIT_FOR(serving() == 6 && present() == 6);
	ck_assert_int_ge(watch_end(&watch).min_serving, 3);
	write_version(2, 3, "");
	watch = watch_start("web");
	reload_well();
	WAIT_FOR(serving() == 2 && present() == 2);
	ck_assert_int_ge(watch_end(&watch).min_serving, 2);
	WAIT_FOR(of_version(3) == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(ttin_and_ttou_are_forgotten)
{
	start_version(2, "");
	daemon_kill(SIGTTIN);
	WAIT_FOR(serving() == 3);
	reload_well();
	WAIT_FOR(serving() == 2 && present() == 2);
	daemon_kill(SIGTTOU);
	WAIT_FOR(serving() == 1 && present() == 1);
	reload_well();
	WAIT_FOR(serving() == 2 && present() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_drained_pool_comes_back_as_the_new_version)
{
	start_version(2, "");
	daemon_kill(SIGWINCH);
	WAIT_FOR(present() == 0);
	write_version(3, 2, "");
	reload_well();
	WAIT_FOR(serving() == 3);
	ck_assert_int_eq(of_version(2), 3);
	/* and while some are still leaving */
	daemon_kill(SIGWINCH);
	reload_well();
	WAIT_FOR(serving() == 3 && present() == 3);
	EXPECT_STOP();
}
END_TEST

/* --- in the middle of it --- */

/* Held in the middle: the new one is not ready until the test says so. */
static void start_and_stay_in_the_middle(int workers)
{
	start_version(workers, "");
	config("[pool:web]\nmax_workers = %d\n" QUICK "ready = scoreboard\n"
	       "command = @worker@ touch @dir@/version.2 signals @dir@/got\n",
		workers);
	daemon_kill(SIGHUP);
	WAIT_FOR(of_version(2) == 1 && present() == workers + 1);
}

START_TEST(term_in_the_middle_wins_at_once)
{
	start_and_stay_in_the_middle(3);
	EXPECT_STOP();
	ck_assert_int_eq(of_version(2), 1);
	ck_assert(!log_has("reload done") && !log_has("reload failed"));
}
END_TEST

START_TEST(old_workers_that_crash_meanwhile_are_replaced_by_new_ones)
{
	start_and_stay_in_the_middle(3);
	struct crew old = crew_of("web");

	kill(worker_of("web", 0), SIGKILL);
	WAIT_FOR(of_version(2) == 2);
	ck_assert_int_eq(of_version(1), 3);
	ck_assert_int_eq(crew_left(&old), 3); /* two old ones, and the first new one */
	ck_assert_int_eq(serving(), 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(drained_in_the_middle_all_leave)
{
	start_and_stay_in_the_middle(3);
	daemon_kill(SIGWINCH);
	WAIT_FOR(present() == 0);
	HOLDS_FOR(100, present() == 0);
	write_version(2, 3, "");
	reload_well();
	WAIT_FOR(serving() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(shrunk_in_the_middle_old_ones_leave)
{
	start_and_stay_in_the_middle(3);
	daemon_kill(SIGTTOU);
	WAIT_FOR(serving() == 2);
	daemon_kill(SIGTTOU);
	WAIT_FOR(serving() == 1);
	HOLDS_FOR(100, serving() == 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(asked_in_the_middle_the_newest_file_follows)
{
	start_and_stay_in_the_middle(3);
	write_version(3, 3, "");
	daemon_kill(SIGHUP);
	WAIT_FOR(log_has("one more follows it"));
	/* the first one cannot end: its workers never get ready */
	HOLDS_FOR(100, reloads_done() == 0 && of_version(3) == 0);
	WAIT_FOR((say_ready("web"), reloads_done() == 2));
	WAIT_FOR(serving() == 3 && present() == 3);
	WAIT_FOR(of_version(3) == 3);
	EXPECT_STOP();
}
END_TEST

/* --- trouble --- */

/* Who asks in the middle of one waits for the one that follows it. */
START_TEST(a_command_in_the_middle_waits_for_its_own)
{
	for (int i = 0; i < 3; i++) {
		int before = reloads_done();

		if (i == 0) {
			config("[pool:web]\n" QUICK "max_workers = 2\nspawn_interval = 100ms\n"
			       "command = @worker@\n");
			daemon_start();
			WAIT_FOR(log_has("ready: the first"));
		}
		daemon_kill(SIGHUP);
		WAIT_FOR(log_count("HUP from pid") == i + 1);
		nap_ms(20);
		ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "reload"), 0);
		ck_assert_int_eq(reloads_done(), before + 2);
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_pool_that_crashes_is_mended_by_a_reload)
{
	config("[pool:web]\nmax_workers = 2\ncrash_loop = backoff\nmin_uptime = 20ms\n"
	       "err_respawn_interval = 20s\ncommand = @worker@ exit 1\n");
	daemon_start();
	WAIT_FOR(log_has("failure 1 in a row"));
	write_version(2, 2, "");
	reload_well();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	ck_assert_int_eq(of_version(2), 2);
	EXPECT_STOP();
}
END_TEST

#define OK_AND_SICK                                                                                \
	"[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@ touch @dir@/version.%d board\n"  \
	"[pool:sick]\nmax_workers = 1\ncrash_loop = backoff\nmin_uptime = 20ms\n"                  \
	"err_respawn_interval = 100ms\ncommand = @worker@ exit 1\n"

START_TEST(a_pool_in_trouble_does_not_keep_another_from_rolling)
{
	struct crew old;

	config(OK_AND_SICK, 1);
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("failure 1 in a row"));
	old = crew_of("web");
	config(OK_AND_SICK, 2);
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && serving() == 2);
	ck_assert_int_eq(of_version(2), 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reload");
	TCase *order = harness_case(suite, "one for one");
	TCase *number = harness_case(suite, "number");
	TCase *middle = harness_case(suite, "middle");
	TCase *trouble = harness_case(suite, "trouble");

	tcase_add_loop_test(order, all_are_replaced_by_workers_of_the_new_version, 0, 4);
	tcase_add_test(order, one_worker_is_enough_for_it);
	tcase_add_test(order, busy_workers_are_asked_last_and_left_to_finish);
	tcase_add_test(order, a_worker_that_stays_gets_kill_after_stop_timeout);
	tcase_add_test(order, the_signal_of_the_map_is_what_old_workers_get);
	tcase_add_test(order, a_generation_is_counted_in_the_environment);
	tcase_add_test(number, more_and_fewer_workers_come_with_a_reload);
	tcase_add_test(number, ttin_and_ttou_are_forgotten);
	tcase_add_test(number, a_drained_pool_comes_back_as_the_new_version);
	tcase_add_test(middle, term_in_the_middle_wins_at_once);
	tcase_add_test(middle, old_workers_that_crash_meanwhile_are_replaced_by_new_ones);
	tcase_add_test(middle, drained_in_the_middle_all_leave);
	tcase_add_test(middle, shrunk_in_the_middle_old_ones_leave);
	tcase_add_test(middle, asked_in_the_middle_the_newest_file_follows);
	tcase_add_test(trouble, a_command_in_the_middle_waits_for_its_own);
	tcase_add_test(trouble, a_pool_that_crashes_is_mended_by_a_reload);
	tcase_add_test(trouble, a_pool_in_trouble_does_not_keep_another_from_rolling);
	return harness_main(suite);
}
