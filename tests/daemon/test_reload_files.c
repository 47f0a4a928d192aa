/* What a reload makes of the file: one that is no good changes nothing, pools come and go, the log
 * and the pid file follow, reconfigure replaces only those who would notice. */
#include "harness.h"

#include <sys/stat.h>
#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

#define ONE_POOL "[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@ obey @dir@\n"

static void start_pool(const char *preforkd_keys)
{
	config("%s" ONE_POOL, preforkd_keys);
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
}

static void reconfigure_well(void)
{
	int before = reconfigures_done();

	daemon_kill(SIGHUP);
	WAIT_FOR(reconfigures_done() > before);
}

/* --- files that are no good --- */

static void write_bytes(size_t size, int (*byte)(size_t at))
{
	FILE *file = fopen(path_of("app.ini.new"), "we");

	for (size_t i = 0; i < size; i++)
		fputc(byte(i), file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(rename(path_of("app.ini.new"), path_of("app.ini")), 0);
}

static int noise(size_t at)
{
	return (int)((at * 2654435761u >> 13) & 255);
}

static int zero(size_t at)
{
	(void)at;
	return 0;
}

static int letters(size_t at)
{
	return at % 70 == 69 ? '\n' : 'a';
}

static int one_line(size_t at)
{
	(void)at;
	return 'x';
}

static void empty(void)
{
	write_bytes(0, zero);
}

static void binary(void)
{
	write_bytes(65536, noise);
}

static void zeroes(void)
{
	write_bytes(65536, zero);
}

static void huge(void)
{
	write_bytes(32u << 20, letters);
}

static void huge_line(void)
{
	write_bytes(32u << 20, one_line);
}

static void removed(void)
{
	unlink(path_of("app.ini"));
}

static void a_folder(void)
{
	unlink(path_of("app.ini"));
	ck_assert_int_eq(mkdir(path_of("app.ini"), 0755), 0);
}

static void a_fifo(void)
{
	unlink(path_of("app.ini"));
	ck_assert_int_eq(mkfifo(path_of("app.ini"), 0644), 0);
}

static void half(void)
{
	config("[pool:web]\nmax_work");
}

static void no_pool(void)
{
	config("[socket:s]\nlisten = unix:@dir@/s\n");
}

static void bad_value(void)
{
	config("[pool:web]\nmax_workers = many\ncommand = @worker@\n");
}

static void bad_user(void)
{
	config("[pool:web]\nuser = nobody-of-that-name\ncommand = @worker@\n");
}

static void no_program(void)
{
	config("[pool:web]\ncommand = /nowhere/at/all\n");
}

static void no_included(void)
{
	config("include = @dir@/nowhere.ini\n" ONE_POOL);
}

static void includes_itself(void)
{
	config("include = @dir@/app.ini\n" ONE_POOL);
}

static const struct {
	void (*write)(void);
	const char *said;
} no_good[] = {
	{empty, ".ini: the file is empty: there is no [pool:NAME]"},
	{binary, ".ini:1: "},
	{zeroes, "the configuration has faults"},
	{huge, "the configuration has faults"},
	{huge_line, "the configuration has faults"},
	{removed, "No such file"},
	{a_folder, "the configuration has faults"},
	{a_fifo, "the configuration has faults"},
	{half, "no section, no key = value"},
	{no_pool, "the configuration has faults"},
	{bad_value, "max_workers"},
	{bad_user, "nobody-of-that-name"},
	{no_program, "/nowhere/at/all"},
	{no_included, "nowhere.ini"},
	{includes_itself, "the configuration has faults"},
};
#define NO_GOOD (int)(sizeof(no_good) / sizeof(no_good[0]))

START_TEST(a_file_that_is_no_good_changes_nothing)
{
	struct crew before, after;
	int descriptors;

	start_pool("");
	before = crew_of("web");
	descriptors = steady_descriptors(daemon_pid());
	no_good[_i].write();
	reload_badly();
	ck_assert_msg(log_has(no_good[_i].said), "not said: %s", no_good[_i].said);
	ck_assert(log_has("reload failed, the old configuration goes on"));
	expect_descriptors(descriptors);
	ck_assert_int_lt(process_resident_kib(daemon_pid()), slow_ms(80000));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	/* and the next one is taken as if nothing had been */
	kill(worker_any(), SIGKILL);
	WAIT_FOR(crew_left(&before) == 1 && serving() == 2);
	rmdir(path_of("app.ini"));
	config(ONE_POOL);
	reload_well();
	WAIT_FOR(crew_left(&before) == 0 && serving() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(an_included_file_is_read_anew)
{
	config("include = @dir@/more/*.ini\n");
	ck_assert_int_eq(mkdir(path_of("more"), 0755), 0);
	file_write("more/a.ini", "[pool:web]\nmax_workers = 1\n" QUICK "command = %s board\n",
		worker_program());
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	file_write("more/b.ini", "[pool:more]\nmax_workers = 2\n" QUICK "command = %s board\n",
		worker_program());
	reload_well();
	WAIT_FOR(serving() == 1 && serving_of("more") == 2);
	unlink(path_of("more/b.ini"));
	reload_well();
	WAIT_FOR(!file_exists("run/more.scoreboard"));
	EXPECT_STOP();
}
END_TEST

/* --- pools come and go --- */

#define POOL_NAMED "[pool:%s]\nmax_workers = 2\n" QUICK "command = @worker@ obey @dir@\n"

START_TEST(pools_are_added_and_removed)
{
	config(POOL_NAMED POOL_NAMED, "web", "second");
	daemon_start();
	WAIT_FOR(serving() == 2 && serving_of("second") == 2 && log_has("ready: "));
	config(POOL_NAMED POOL_NAMED, "third", "web");
	reload_well();
	ck_assert_int_eq(serving_of("third"), 2);
	WAIT_FOR(!file_exists("run/second.scoreboard"));
	WAIT_FOR(worker_count() == 4 && worker_count_of("second") == 0);
	ck_assert(log_has("the last worker of the removed pool has gone"));
	EXPECT_STOP();
	ck_assert(!file_exists("run/third.scoreboard"));
}
END_TEST

START_TEST(a_removed_pool_is_asked_to_leave_once_the_others_have_rolled)
{
	config(POOL_NAMED POOL_NAMED, "web", "old");
	daemon_start();
	WAIT_FOR(serving() == 2 && serving_of("old") == 2 && log_has("ready: "));
	config("[pool:web]\nmax_workers = 2\n" QUICK "ready = scoreboard\ncommand = @worker@\n");
	daemon_kill(SIGHUP);
	WAIT_FOR(present() == 3);
	HOLDS_FOR(100, serving_of("old") == 2);
	WAIT_FOR((say_ready("web"), reloads_done() == 1));
	WAIT_FOR(worker_count_of("old") == 0);
	EXPECT_STOP();
}
END_TEST

/* One that leaves counts against the maximum, so the last one comes when it has gone. */
START_TEST(a_pool_that_comes_back_before_it_has_gone_serves_again)
{
	struct crew old;

	config("[pool:keep]\nmax_workers = 1\n" QUICK "command = @worker@ board\n" ONE_POOL
	       "stop_timeout = 60s\n");
	file_write("busy.0", "%s", "");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: ") && board_byte("web", 0, 0) == 'A');
	old = crew_of("web");
	config("[pool:keep]\nmax_workers = 1\n" QUICK "command = @worker@ board\n");
	reload_well();
	WAIT_FOR(crew_left(&old) == 1);
	config("[pool:keep]\nmax_workers = 1\n" QUICK "command = @worker@ board\n" ONE_POOL);
	daemon_kill(SIGHUP);
	WAIT_FOR(serving() == 1);
	HOLDS_FOR(50, present() == 2 && crew_left(&old) == 1);
	unlink(path_of("busy.0"));
	WAIT_FOR(reloads_done() == 2 && crew_left(&old) == 0);
	WAIT_FOR(serving() == 2 && present() == 2);
	EXPECT_STOP();
}
END_TEST

/* --- what the supervisor itself lives by --- */

START_TEST(log_file_level_and_format_follow)
{
	config("log_level = notice\n" ONE_POOL);
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	ck_assert(!log_has(": started, "));
	config("log_file = @dir@/other.log\nlog_format = json\nlog_level = debug\n" ONE_POOL);
	daemon_kill(SIGHUP);
	WAIT_FOR(file_has("other.log", "reload done"));
	ck_assert(file_has("other.log", "\"level\":\"debug\""));
	ck_assert(file_has("other.log", "started, generation 2"));
	ck_assert(!log_has("reload done"));
	/* with a failure the old one is in force again, and tells of it */
	config("log_file = @dir@/third.log\n[pool:web]\nmax_workers = 2\n" QUICK
	       "command = @worker@ exit 1\n");
	daemon_kill(SIGHUP);
	WAIT_FOR(file_has("other.log", "reload failed"));
	config(ONE_POOL);
	reload_well();
	EXPECT_STOP();
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_fails_the_reload)
{
	struct crew before, after;

	start_pool("");
	before = crew_of("web");
	config("log_file = @dir@/no/such/folder/log\n" ONE_POOL);
	reload_badly();
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	EXPECT_STOP();
}
END_TEST

START_TEST(the_pid_file_follows)
{
	start_pool("pid_file = @dir@/one.pid\n");
	ck_assert_int_eq(file_number("one.pid"), daemon_pid());
	config("pid_file = @dir@/two.pid\n" ONE_POOL);
	reload_well();
	ck_assert(!file_exists("one.pid"));
	ck_assert_int_eq(file_number("two.pid"), daemon_pid());
	config(ONE_POOL);
	reload_well();
	ck_assert(!file_exists("two.pid"));
	config("pid_file = @dir@/one.pid\n" ONE_POOL);
	reload_well();
	ck_assert_int_eq(file_number("one.pid"), daemon_pid());
	EXPECT_STOP();
	ck_assert(!file_exists("one.pid"));
}
END_TEST

START_TEST(the_pid_file_comes_back_with_the_old_configuration)
{
	start_pool("pid_file = @dir@/one.pid\n");
	config("pid_file = @dir@/two.pid\n[pool:web]\nmax_workers = 2\n" QUICK
	       "command = @worker@ exit 1\n");
	reload_badly();
	ck_assert_int_eq(file_number("one.pid"), daemon_pid());
	ck_assert(!file_exists("two.pid"));
	/* one in a folder that is not there fails before anything has changed */
	config("pid_file = @dir@/no/such/folder/pid\n" ONE_POOL);
	reload_badly();
	ck_assert_int_eq(file_number("one.pid"), daemon_pid());
	EXPECT_STOP();
	ck_assert(!file_exists("one.pid"));
}
END_TEST

START_TEST(what_needs_a_restart_is_named)
{
	start_pool("");
	config("name = other\n" ONE_POOL "scoreboard_file = @dir@/elsewhere\n");
	reload_well();
	ck_assert(log_has("[preforkd] name changed: it takes effect at the next start only"));
	ck_assert(log_has("[pool:web] scoreboard_file changed"));
	ck_assert(file_exists("run/web.scoreboard") && !file_exists("elsewhere"));
	ck_assert_int_eq(serving(), 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(signals_follow)
{
	start_pool("");
	config(ONE_POOL "[signals]\nUSR1 = grow\n");
	reload_well();
	daemon_kill(SIGUSR1);
	WAIT_FOR(serving() == 3);
	EXPECT_STOP();
}
END_TEST

/* --- reconfigure --- */

#define TWO_POOLS                                                                                  \
	"[signals]\nHUP = reconfigure\n[pool:web]\n" QUICK "command = @worker@ obey @dir@\n%s"     \
	"[pool:other]\n" QUICK "command = @worker@ board%s\n"

static void start_two_pools(struct crew *web, struct crew *other)
{
	config(TWO_POOLS, "max_workers = 3\n", " touch @dir@/first\nmax_workers = 2\n");
	daemon_start();
	WAIT_FOR(serving() == 3 && serving_of("other") == 2 && log_has("ready: "));
	*web = crew_of("web");
	*other = crew_of("other");
}

START_TEST(reconfigure_restarts_nobody_for_numbers_and_times)
{
	struct crew web, other, now;

	start_two_pools(&web, &other);
	config(TWO_POOLS, "max_workers = 5\nstop_timeout = 200ms\nstop_signal = INT\n",
		" touch @dir@/first\nmax_workers = 2\ntimeout = 90s\non_exit = true\n");
	reconfigure_well();
	WAIT_FOR(serving() == 5);
	ck_assert_int_eq(crew_left(&web), 3);
	now = crew_of("other");
	ck_assert(same_crew(&other, &now));
	config(TWO_POOLS, "max_workers = 1\nstop_timeout = 200ms\nstop_signal = INT\n",
		" touch @dir@/first\nmax_workers = 2\n");
	reconfigure_well();
	WAIT_FOR(serving() == 1 && present() == 1);
	now = crew_of("other");
	ck_assert(same_crew(&other, &now));
	ck_assert(!log_has("generation 2"));
	EXPECT_STOP();
}
END_TEST

START_TEST(reconfigure_rolls_pools_that_are_others_to_their_workers)
{
	struct crew web, other, now;

	start_two_pools(&web, &other);
	config(TWO_POOLS, "max_workers = 3\n", " touch @dir@/second\nmax_workers = 2\n");
	reconfigure_well();
	WAIT_FOR(crew_left(&other) == 0 && serving_of("other") == 2);
	ck_assert_int_eq(file_count("second", "\n"), 2);
	now = crew_of("web");
	ck_assert(same_crew(&web, &now));
	config(TWO_POOLS, "max_workers = 3\nenvironment = A=b\n",
		" touch @dir@/second\nmax_workers = 2\n");
	reconfigure_well();
	WAIT_FOR(crew_left(&web) == 0);
	ck_assert_int_eq(file_count("second", "\n"), 2);
	EXPECT_STOP();
}
END_TEST

/* Changed in place for workers that are there, not only for those that come. */
START_TEST(reconfigured_times_hold_for_the_workers_that_are_there)
{
	pid_t worker;

	config("[signals]\nHUP = reconfigure\n[pool:web]\nmax_workers = 1\n" QUICK
	       "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	worker = worker_of("web", 0);
	config("[signals]\nHUP = reconfigure\n[pool:web]\nmax_workers = 1\n" QUICK
	       "command = @worker@ board\ntimeout = 300ms\n");
	reconfigure_well();
	ck_assert(process_runs(worker));
	WAIT_FOR(!process_runs(worker));
	ck_assert(log_has("no sign of life within timeout"));
	EXPECT_STOP();
}
END_TEST

START_TEST(reconfigure_of_the_same_file_does_nothing)
{
	struct crew web, other, now;

	start_two_pools(&web, &other);
	daemon_kill(SIGTTIN);
	WAIT_FOR(serving() == 4);
	reconfigure_well();
	WAIT_FOR(serving() == 3 && present() == 3);
	WAIT_FOR(serving_of("other") == 2 && present_of("other") == 2);
	web = crew_of("web");
	other = crew_of("other");
	reconfigure_well();
	now = crew_of("web");
	ck_assert(same_crew(&web, &now));
	now = crew_of("other");
	ck_assert(same_crew(&other, &now));
	ck_assert(!log_has("generation 2"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reloaded files");
	TCase *bad = harness_case(suite, "no good");
	TCase *pools = harness_case(suite, "pools");
	TCase *own = harness_case(suite, "supervisor");
	TCase *milder = harness_case(suite, "reconfigure");

	tcase_add_loop_test(bad, a_file_that_is_no_good_changes_nothing, 0, NO_GOOD);
	tcase_add_test(bad, an_included_file_is_read_anew);
	tcase_add_test(pools, pools_are_added_and_removed);
	tcase_add_test(pools, a_removed_pool_is_asked_to_leave_once_the_others_have_rolled);
	tcase_add_test(pools, a_pool_that_comes_back_before_it_has_gone_serves_again);
	tcase_add_test(own, log_file_level_and_format_follow);
	tcase_add_test(own, a_log_that_cannot_be_opened_fails_the_reload);
	tcase_add_test(own, the_pid_file_follows);
	tcase_add_test(own, the_pid_file_comes_back_with_the_old_configuration);
	tcase_add_test(own, what_needs_a_restart_is_named);
	tcase_add_test(own, signals_follow);
	tcase_add_test(milder, reconfigure_restarts_nobody_for_numbers_and_times);
	tcase_add_test(milder, reconfigure_rolls_pools_that_are_others_to_their_workers);
	tcase_add_test(milder, reconfigured_times_hold_for_the_workers_that_are_there);
	tcase_add_test(milder, reconfigure_of_the_same_file_does_nothing);
	return harness_main(suite);
}
