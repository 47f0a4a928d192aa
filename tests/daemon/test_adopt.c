/*
 * The supervisor dies without a word, the workers serve on, and the next one goes on with them.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 4

static int write_config(const char *more)
{
	static int port;

	if (!port)
		port = free_port();
	config("log_level = debug\n%s[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n"
	       "[socket:local]\nlisten = unix:@dir@/s\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\ncommand = %s\n"
	       "[pool:near]\n" QUICK "max_workers = 2\nsockets = local\ncommand = %s\n",
		more, port, WORKERS, hello_program(), hello_program());
	return port;
}

static int start(const char *more)
{
	int port = write_config(more);

	daemon_start();
	WAIT_FOR(serving() == WORKERS && log_count("ready: the first") == 1);
	return port;
}

static void die(void)
{
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
}

/* The next one, until it has taken over. */
static void rise(void)
{
	file_write("log", "%s", "");
	daemon_start();
	WAIT_FOR(log_has("ready: the first"));
}

START_TEST(workers_serve_on_and_are_taken_over)
{
	int port = start(""), times = long_or_short(100, 5);
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct load local = load_closed(path_of("s"), "/", 2);
	struct crew before = crew_of("web"), after;

	for (int i = 0; i < times; i++) {
		load_await(&tcp, 20);
		die();
		load_await(&tcp, 20);
		ck_assert_int_eq(crew_left(&before), WORKERS);
		rise();
		load_await(&local, 20);
		after = crew_of("web");
		ck_assert(same_crew(&before, &after));
		ck_assert_int_eq(serving(), WORKERS);
	}
	load_end_without_loss(&tcp);
	load_end_without_loss(&local);
	ck_assert_int_eq(crew_left(&before), WORKERS);
	ck_assert_int_eq(process_descriptors(before.pid[0]), 5);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	WAIT_FOR(crew_left(&before) == 0);
	ck_assert(!file_exists("s"));
	ck_assert(!file_exists("run/state"));
	ck_assert(!file_exists("run/web.scoreboard"));
}
END_TEST

static pid_t page_process(void)
{
	pid_t pids[MANY_WORKERS];
	int count = process_children(daemon_pid(), pids);

	for (int i = 0; i < count; i++) {
		char path[64], target[PATH_MAX] = "";

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)pids[i]);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
			strstr(target, "/preforkd-http"))
			return pids[i];
	}
	return 0;
}

static bool page_answers(int port)
{
	const char *metrics = http_get(port, "/metrics");

	return metrics && strstr(metrics, "preforkd_");
}

/* The process of the page leaves when its supervisor is gone, but not at once. */
START_TEST(who_holds_the_address_of_the_page_is_waited_for)
{
	int page = free_port();
	char more[64];
	pid_t held;

	snprintf(more, sizeof(more), "http = 127.0.0.1:%d\n", page);
	start(more);
	WAIT_FOR(page_process() > 0);
	held = page_process();
	kill(held, SIGSTOP);
	die();
	rise();
	WAIT_FOR(log_has("next try in"));
	kill(held, SIGCONT);
	WAIT_FOR(page_answers(page));
	EXPECT_STOP();
}
END_TEST

START_TEST(who_took_the_slot_of_another_is_known)
{
	struct crew before, after;
	pid_t first;

	start("");
	first = worker_of("web", 0);
	kill(first, SIGKILL);
	WAIT_FOR(board_pid("web", 0) > 0 && board_pid("web", 0) != first && serving() == WORKERS);
	before = crew_of("web");
	die();
	rise();
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	EXPECT_STOP();
}
END_TEST

/* Another section for workers than the one that they were started by. */
START_TEST(those_of_another_configuration_are_replaced)
{
	int port = start("");
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct crew before = crew_of("web");

	load_await(&tcp, 20);
	die();
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\nenvironment = NEW=1\ncommand = %s\n",
		port, WORKERS, hello_program());
	rise();
	WAIT_FOR(crew_left(&before) == 0);
	WAIT_FOR(serving() == WORKERS);
	load_await(&tcp, 20);
	load_end_without_loss(&tcp);
	ck_assert_int_eq(log_count("it is bound anew"), 0);
}
END_TEST

/* Killed again before a worker of the new configuration was there: the old ones have the socket. */
START_TEST(a_death_in_the_middle_of_a_roll_keeps_the_sockets)
{
	int port = start("");
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct crew before = crew_of("web");

	die();
	config("[socket:other]\nlisten = 127.0.0.1:%d\n"
	       "[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\n"
	       "err_respawn_interval = 1h\nerr_respawn_max = 1h\n"
	       "max_workers = %d\nsockets = other tcp\ncommand = /bin/false\n",
		free_port(), port, WORKERS);
	rise();
	WAIT_FOR(log_has("failure 1 in a row"));
	for (int i = 0; i < 2; i++) {
		load_await(&tcp, 20);
		die();
		rise();
		ck_assert_int_eq(crew_left(&before), WORKERS);
	}
	load_await(&tcp, 20);
	load_end_without_loss(&tcp);
}
END_TEST

/* What stays is not bound anew; what is wanted otherwise is, once those who have it have gone. */
START_TEST(an_address_that_is_wanted_otherwise_is_bound_anew)
{
	int port = start("");
	struct crew near = crew_of("near"), before = crew_of("web");

	die();
	config("[socket:tcp]\nlisten = unix:@dir@/s\n[socket:local]\nlisten = :%d\n"
	       "[pool:web]\n" QUICK "max_workers = %d\nsockets = tcp\ncommand = %s\n"
	       "[pool:near]\n" QUICK "max_workers = 2\nsockets = local\ncommand = %s\n",
		port, WORKERS, hello_program(), hello_program());
	rise();
	ck_assert_int_eq(crew_left(&near) + crew_left(&before), 0);
	ck_assert(file_exists("s"));
}
END_TEST

/* The next one reads the file anew: what is another for workers by now rolls. */
START_TEST(a_changed_configuration_rolls_out)
{
	int port = start("");
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct crew before = crew_of("web"), near = crew_of("near");

	die();
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\nenvironment = NEW=1\ncommand = %s\n",
		port, WORKERS, hello_program());
	rise();
	WAIT_FOR(crew_left(&before) == 0);
	WAIT_FOR(crew_left(&near) == 0);
	WAIT_FOR(serving() == WORKERS && present() == WORKERS);
	load_end_without_loss(&tcp);
	ck_assert(!file_exists("s"));
	EXPECT_STOP();
}
END_TEST

/* A worker's end, and a failing start, in between. */
START_TEST(who_ended_meanwhile_is_replaced)
{
	struct crew before, after;

	start("");
	before = crew_of("web");
	die();
	kill(before.pid[0], SIGKILL);
	WAIT_FOR(!process_runs(before.pid[0]));
	file_write("app.ini", "[pool:web\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini")), 78);
	ck_assert_int_eq(crew_left(&before), WORKERS - 1);
	write_config("");
	rise();
	WAIT_FOR(serving() == WORKERS);
	after = crew_of("web");
	ck_assert_int_eq(crew_left(&before), WORKERS - 1);
	ck_assert(is_in_crew(before.pid[1], &after));
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	ck_assert_int_eq(crew_left(&before), 0);
}
END_TEST

/* Another process with a worker's number is none; the state of another boot names nobody. */
START_TEST(a_file_of_anybody_is_not_believed)
{
	struct crew before;

	start("");
	before = crew_of("web");
	die();
	ck_assert_int_eq(chmod(path_of("run/state"), 0644), 0);
	file_write("log", "%s", "");
	daemon_start();
	WAIT_FOR(log_has("no file of ours alone"));
	ck_assert_int_eq(daemon_wait(), 73);
	/* which file, and what to do: in the line of the fault itself, and when it is to be stopped
	 */
	ck_assert(log_has(
		path_of("Address already in use; %s/run/state cannot be used: ", test_folder()) +
		strlen(test_folder()) + 1));
	ck_assert(log_has("run/*.scoreboard), then remove that file"));
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 69);
	ck_assert(file_has("run.err", "/run/state cannot be used: "));
	ck_assert_int_eq(crew_left(&before), WORKERS);
	ck_assert_int_eq(chmod(path_of("run/state"), 0600), 0);
	rise();
	ck_assert_int_eq(crew_left(&before), WORKERS);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

START_TEST(workers_can_end_with_their_supervisor)
{
	struct crew before;

	start("orphans = stop\n");
	before = crew_of("web");
	die();
	WAIT_FOR(crew_left(&before) == 0);
	rise();
	WAIT_FOR(serving() == WORKERS);
	EXPECT_STOP();
}
END_TEST

START_TEST(stop_ends_those_that_were_left_behind)
{
	struct crew before;

	start("");
	before = crew_of("web");
	die();
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 0);
	ck_assert(file_has("run.out", "no supervisor; 6 workers"));
	ck_assert_int_eq(crew_left(&before), 0);
	ck_assert(!file_exists("run/state"));
	ck_assert(!file_exists("s"));
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 69);
}
END_TEST

START_TEST(a_start_that_fails_leaves_them_as_they_were)
{
	struct crew web, near;
	int port = start("");

	web = crew_of("web");
	near = crew_of("near");
	die();
	file_write("other", "%s", "in the way");
	for (int i = 0; i < 2; i++) {
		/* the one that fails is the last one, or the first */
		config("%s[socket:tcp]\nlisten = 127.0.0.1:%d\n"
		       "[socket:local]\nlisten = unix:@dir@/s\n%s[pool:web]\n" QUICK
		       "sockets = tcp local other\ncommand = %s\n",
			i ? "[socket:other]\nlisten = unix:@dir@/other\n" : "", port,
			i ? "" : "[socket:other]\nlisten = unix:@dir@/other\n", hello_program());
		daemon_start();
		ck_assert_int_eq(daemon_wait(), 73);
		ck_assert_int_eq(crew_left(&web) + crew_left(&near), WORKERS + 2);
		ck_assert(file_exists("s"));
	}
	write_config("");
	rise();
	ck_assert_int_eq(crew_left(&web) + crew_left(&near), WORKERS + 2);
	ck_assert_ptr_nonnull(http_exchange(unix_connect(path_of("s"), SOCK_STREAM), "/"));
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	WAIT_FOR(crew_left(&web) + crew_left(&near) == 0);
	ck_assert(!file_exists("s"));
}
END_TEST

/* That one has taken the file of its lock away. */
START_TEST(stop_ends_them_after_a_start_that_failed)
{
	struct crew before;

	start("");
	before = crew_of("web");
	die();
	file_write("other", "%s", "in the way");
	config("[socket:tcp]\nlisten = unix:@dir@/other\n"
	       "[pool:web]\nsockets = tcp\ncommand = %s\n",
		hello_program());
	daemon_start();
	ck_assert_int_eq(daemon_wait(), 73);
	ck_assert_int_eq(crew_left(&before), WORKERS);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 0);
	ck_assert_int_eq(crew_left(&before), 0);
	ck_assert(!file_exists("run/lock"));
}
END_TEST

START_TEST(death_during_a_reload_doubles_nobody)
{
	int port = start("");
	struct load tcp = load_closed(load_port(port), "/", 3);

	for (int i = 0; i < long_or_short(100, 5); i++) {
		daemon_kill(SIGHUP);
		WAIT_FOR(log_has("HUP from"));
		nap_ms(i % 7);
		die();
		rise();
		WAIT_FOR(serving() == WORKERS && present() == WORKERS);
	}
	load_end_without_loss(&tcp);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

static Suite *adopt_suite(void)
{
	Suite *suite = suite_create("adopt");
	TCase *tests = harness_case(suite, "adoption");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, workers_serve_on_and_are_taken_over);
	tcase_add_test(tests, who_holds_the_address_of_the_page_is_waited_for);
	tcase_add_test(tests, who_took_the_slot_of_another_is_known);
	tcase_add_test(tests, those_of_another_configuration_are_replaced);
	tcase_add_test(tests, a_death_in_the_middle_of_a_roll_keeps_the_sockets);
	tcase_add_test(tests, an_address_that_is_wanted_otherwise_is_bound_anew);
	tcase_add_test(tests, a_changed_configuration_rolls_out);
	tcase_add_test(tests, who_ended_meanwhile_is_replaced);
	tcase_add_test(tests, a_file_of_anybody_is_not_believed);
	tcase_add_test(tests, workers_can_end_with_their_supervisor);
	tcase_add_test(tests, stop_ends_those_that_were_left_behind);
	tcase_add_test(tests, a_start_that_fails_leaves_them_as_they_were);
	tcase_add_test(tests, stop_ends_them_after_a_start_that_failed);
	tcase_add_test(tests, death_during_a_reload_doubles_nobody);
	return suite;
}

int main(void)
{
	return harness_main(adopt_suite());
}
