/*
 * Reloads of a whole supervisor in one process: its real loop, signals and files, with invented
 * workers and in a time that passes only when nothing else is left to do. What happens is scheduled
 * before it begins; what came of it is asked meanwhile and afterwards.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "board.h"
#include "config_world.h"
#include "fake_sys.h"
#include "listener.h"
#include "logger.h"
#include "startup.h"
#include "supervisor.h"
#include "test_files.h"
#include "test_main.h"

#define OBEY_MS 50 /* how long workers take to leave when asked to */
#define POOL    "command = /bin/true\nmin_uptime = 200ms\ncrash_loop = backoff\n"

static struct fixture {
	struct test_dir dir;
	int64_t began_at;
	uint64_t random;
	pid_t sick_after;      /* who is younger than this one ... */
	int64_t sick_ms;       /* ... ends at once */
	const char *sick_pool; /* NULL: of every pool */
	unsigned least_living, most_living;
	bool watching;
	bool wait_may_fail; /* then somebody stays unburied */
	unsigned living;
	pid_t pid[4];
} it;

static void setup(void)
{
	memset(&it, 0, sizeof(it));
	test_dir_make(&it.dir);
	ck_assert_int_eq(chdir(it.dir.path), 0);
}

static void teardown(void)
{
	logger_close();
	test_dir_remove(&it.dir);
}

static int logged(const char *text)
{
	static char log[1 << 22];
	int count = 0;

	test_read_file(test_path(&it.dir, "log"), log, sizeof(log));
	for (const char *found = log; (found = strstr(found, text)); found++)
		count++;
	return count;
}

/* --- what happens --- */

static void at(int64_t ms, fake_event *event, const void *argument)
{
	fake_sys_at(FAKE_START_MS + ms, event, (void *)(uintptr_t)argument);
}

static void signal_us(void *number)
{
	ck_assert_int_eq(kill(getpid(), (int)(intptr_t)number), 0);
}

static void at_signal(int64_t ms, int number)
{
	fake_sys_at(FAKE_START_MS + ms, signal_us, (void *)(intptr_t)number);
}

/* %s in it is the folder. */
static void write_config(void *format)
{
	char text[4000], whole[8000];

	snprintf(text, sizeof(text), format, it.dir.path, it.dir.path);
	snprintf(whole, sizeof(whole), "[preforkd]\nruntime_dir = %s/run\nlog_file = %s/log\n%s",
		it.dir.path, it.dir.path, text);
	test_write_file(test_path(&it.dir, "test.ini"), whole);
}

/* The file is written anew, and we are told. */
static void reload_with(void *format)
{
	write_config(format);
	signal_us((void *)(intptr_t)SIGHUP);
}

static pid_t pid_of(const char *pool, int slot)
{
	char path[100], board[100 * BOARD_LINE_BYTES + 1];

	snprintf(path, sizeof(path), "run/%s.scoreboard", pool);
	if (test_read_file(test_path(&it.dir, path), board, sizeof(board)) <
		(size_t)(slot + 1) * BOARD_LINE_BYTES)
		return 0;
	return (pid_t)atoi(board + slot * BOARD_LINE_BYTES + BOARD_PID_AT);
}

static bool is_in(const char *pool, pid_t pid)
{
	for (int slot = 0; slot < 10; slot++)
		if (pid_of(pool, slot) == pid)
			return true;
	return false;
}

/* Whoever is started from now on ends as soon as it is seen. */
static void infect(void *unused)
{
	(void)unused;
	it.sick_after = fake_sys_last_pid();
}

static void heal(void *unused)
{
	(void)unused;
	it.sick_after = 0;
}

static void rage(void *unused)
{
	while (it.sick_after && it.sick_after < fake_sys_last_pid() &&
		!fake_sys_alive(it.sick_after + 1))
		it.sick_after++;
	for (pid_t pid = it.sick_after + 1; it.sick_after && pid <= fake_sys_last_pid(); pid++)
		if (fake_sys_alive(pid) && (!it.sick_pool || is_in(it.sick_pool, pid)))
			fake_sys_exit(pid, 3);
	fake_sys_after(20, rage, unused);
}

static void watch(void *unused)
{
	const unsigned living = fake_sys_living();

	if (!it.watching)
		it.least_living = it.most_living = living;
	it.watching = true;
	it.least_living = living < it.least_living ? living : it.least_living;
	it.most_living = living > it.most_living ? living : it.most_living;
	fake_sys_after(5, watch, unused);
}

static void see(void *pool)
{
	it.living = fake_sys_living();
	for (int slot = 0; slot < 4; slot++)
		it.pid[slot] = pid_of(pool ? pool : "web", slot);
}

static void leave(void *pid)
{
	if (fake_sys_alive((pid_t)(intptr_t)pid))
		fake_sys_exit((pid_t)(intptr_t)pid, 0);
}

static void on_signal(pid_t pid, int number, bool group, void *context)
{
	(void)group;
	(void)context;
	if (number == SIGTERM || number == SIGQUIT)
		fake_sys_after(OBEY_MS, leave, (void *)(intptr_t)pid);
}

static int sent(int number)
{
	int count = 0;

	for (size_t i = 0; i < fake_sys_signal_count(); i++)
		count += fake_sys_signal(i)->number == number && !fake_sys_signal(i)->group;
	return count;
}

/* --- the run --- */

/* The exit status of a supervisor that begins with this configuration. Nothing is left behind. */
static int run(const char *config)
{
	struct startup_limits limits = {0};
	struct passed_sockets passed = {0};
	const char *path = test_path(&it.dir, "test.ini");
	struct supervisor_options options = {
		.version = "test", .log_level = -1, .found_limits = &limits, .passed = &passed};
	struct logger_settings log = {.level = LOG_LEVEL_INFO};
	struct faults faults = {0};
	char *own_path = strdup(path);
	struct settings *settings;
	unsigned descriptors;
	int status;

	write_config((void *)(uintptr_t)config);
	options.config_path = own_path;
	log.target = test_path(&it.dir, "log");
	ck_assert_int_eq(logger_open(&log, NULL), 0);
	settings = config_file_read(own_path, &faults);
	ck_assert_uint_eq(faults.errors, 0);
	faults_free(&faults);
	fake_sys_on_signal(on_signal, NULL);
	fake_sys_after(20, rage, NULL);
	descriptors = fake_sys_descriptors();
	it.began_at = fake_sys_now_ms();
	status = supervisor_run(settings, &options);
	ck_assert_uint_eq(fake_sys_descriptors(), descriptors);
	ck_assert_uint_eq(fake_sys_strays(), 0);
	ck_assert_uint_le(fake_sys_zombies(), it.wait_may_fail);
	ck_assert_uint_eq(fake_sys_living(), 0);
	ck_assert_int_ne(access(test_path(&it.dir, "run/web.scoreboard"), F_OK), 0);
	free(own_path);
	return status;
}

/* Another life in the same process. */
static void begin_anew(void)
{
	logger_close();
	unlink("log");
	fake_sys_reset();
	it.sick_after = 0;
}

#define THREE "[pool:web]\n" POOL "max_workers = 3\n"
#define FIVE  "[pool:web]\n" POOL "max_workers = 5\n"

START_TEST(all_are_replaced)
{
	at(2000, watch, NULL);
	at_signal(2500, SIGHUP);
	at(20000, see, NULL);
	at_signal(20000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_uint_eq(it.living, 3);
	ck_assert_uint_eq(it.most_living, 4);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 6);
	ck_assert_int_eq(sent(SIGTERM), 6);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 6; pid++)
		ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	ck_assert_int_eq(logged("reload done"), 1);
}
END_TEST

START_TEST(they_may_get_another_signal)
{
	at_signal(2500, SIGHUP);
	at_signal(20000, SIGTERM);
	ck_assert_int_eq(run(THREE "[signals]\nHUP = reload QUIT\n"), 0);
	ck_assert_int_eq(sent(SIGQUIT), 3);
	ck_assert_int_eq(sent(SIGTERM), 3);
}
END_TEST

/* --- storms --- */

/* However many there are, they are one that is under way and one more, with the newest file. */
START_TEST(many_at_once_fold)
{
	static const struct {
		int count;
		int64_t apart_ms;
	} storms[] = {{25, 0}, {25, 1}, {25, 25}, {2000, 1}, {100, 7}};

	at(2400, watch, NULL);
	for (int i = 0; i < storms[_i].count; i++)
		at_signal(2500 + i * storms[_i].apart_ms, SIGHUP);
	at(2500 + (storms[_i].count - 1) * storms[_i].apart_ms, reload_with, FIVE);
	at(30000, see, NULL);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_uint_eq(it.living, 5);
	ck_assert_uint_ge(it.least_living, 3);
	ck_assert_int_ge(logged("reload done"), 1);
	/* A reload takes most of a second here. */
	ck_assert_int_le(
		logged("reload done"), 3 + (int)(storms[_i].count * storms[_i].apart_ms / 700));
	ck_assert_int_eq(logged("reload failed"), 0);
}
END_TEST

START_TEST(again_and_again)
{
	at(2000, watch, NULL);
	for (int i = 0; i < 100; i++)
		at_signal(2500 + i * 5000, SIGHUP);
	at_signal(510000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload done"), 100);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3 + 300);
	ck_assert_uint_eq(it.least_living, 3);
	ck_assert_uint_eq(it.most_living, 4);
}
END_TEST

/* --- what is found out before anything has changed --- */

static const char *const bad_files[] = {
	"[pool:web]\n" POOL "max_wrokers = 3\n",
	"[pool:web]\nmax_workers = 3\n",
	"",
	"nonsense",
	"[pool:web]\ncommand = /nowhere/at/all\n",
	"[pool:web]\n" POOL "user = nobody-of-this-name\n",
	"[pool:web]\n" POOL "sockets = a\n[socket:a]\nlisten = unix:%s/none/a\n",
	"[pool:two]\n" POOL "[pool:web]\n" POOL "directory = /nowhere/at/all\nnice = 1\n",
	"pid_file = %s/none/pid\n" THREE,
	"include = %s/none.ini\n" THREE,
};

START_TEST(a_bad_file_changes_nothing)
{
	at(2400, see, NULL);
	at(2500, reload_with, bad_files[_i]);
	at(6000, watch, NULL);
	at(9000, reload_with, FIVE);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload failed, the old configuration goes on"), 1);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_uint_eq(it.least_living, 3);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3 + 5);
	for (int slot = 0; slot < 3; slot++)
		ck_assert_int_eq(it.pid[slot], FAKE_FIRST_PID + slot);
	ck_assert_int_eq(access(test_path(&it.dir, "run/two.scoreboard"), F_OK), -1);
}
END_TEST

static void remove_config(void *unused)
{
	(void)unused;
	unlink(test_path(&it.dir, "test.ini"));
	signal_us((void *)(intptr_t)SIGHUP);
}

START_TEST(a_file_that_is_gone_changes_nothing)
{
	at(2500, remove_config, NULL);
	at_signal(9000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload failed, the old configuration goes on"), 1);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
}
END_TEST

START_TEST(what_has_to_wait_is_said)
{
	at(2500, reload_with, "name = other\n" THREE);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(
		logged("[preforkd] name changed: it takes effect at the next start only"), 1);
	ck_assert_int_eq(logged("reload done"), 1);
}
END_TEST

/* --- what is no good --- */

START_TEST(given_up_after_three_failures)
{
	at(2400, infect, NULL);
	at(2450, watch, NULL);
	at(2500, reload_with, _i ? THREE : FIVE "nice = 1\n");
	at(50000, heal, NULL);
	at(50000, see, NULL);
	at_signal(60000, SIGHUP);
	at_signal(90000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload failed, the old configuration goes on: [pool:web]: 3 new "
				"workers failed, the last one exited with status 3"),
		1);
	ck_assert_uint_eq(it.living, 3);
	ck_assert_uint_ge(it.least_living, 3);
	for (int slot = 0; slot < 3; slot++)
		ck_assert_int_eq(it.pid[slot], FAKE_FIRST_PID + slot);
	/* The next one tries again, with what is in the file. */
	ck_assert_int_eq(logged("reload done"), 1);
}
END_TEST

/* All pools go back when one of them fails. */
START_TEST(one_for_all)
{
	it.sick_pool = "two";
	at(2400, infect, NULL);
	at(2500, reload_with,
		"[pool:web]\n" POOL "max_workers = 2\nenvironment = A=1\n"
		"[pool:two]\n" POOL "max_workers = 2\n[pool:three]\n" POOL "max_workers = 2\n");
	at(60000, see, NULL);
	at_signal(60000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 4\n"), 0);
	ck_assert_int_eq(
		logged("reload failed, the old configuration goes on: [pool:two]: 3 new"), 1);
	ck_assert_uint_eq(it.living, 3 + 4);
	ck_assert_int_eq(logged("the last worker of the removed pool has gone"), 1);
	ck_assert_int_eq(access(test_path(&it.dir, "run/three.scoreboard"), F_OK), -1);
}
END_TEST

/* ... but one that failed before has no say in it. */
START_TEST(a_pool_in_trouble_fails_no_reload)
{
	it.sick_pool = "two";
	it.sick_after = FAKE_FIRST_PID - 1;
	at_signal(20000, SIGHUP);
	at_signal(40000, SIGHUP);
	at(60000, see, NULL);
	at_signal(60000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 4\n"), 0);
	ck_assert_int_eq(logged("reload done"), 2);
	ck_assert_int_eq(logged("reload failed"), 0);
	ck_assert_int_ge(it.pid[0], FAKE_FIRST_PID + 3);
}
END_TEST

/* It got into trouble after a reload in which it did well, and now does not even roll. */
START_TEST(a_pool_in_trouble_holds_no_reconfigure_up)
{
	it.sick_pool = "two";
	at_signal(2500, SIGHUP);
	at(15000, infect, NULL);
	at(15010, reload_with,
		FIVE "[pool:two]\n" POOL "max_workers = 4\n[signals]\nHUP = reconfigure\n");
	at_signal(50000, SIGHUP);
	at_signal(90000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 4\n"
				   "[signals]\nHUP = reconfigure\nUSR1 = reload\n"),
		0);
	ck_assert_int_eq(logged("reconfigure done"), 3);
}
END_TEST

static void crash_all_of_two(void *unused)
{
	for (int slot = 0; slot < 4; slot++)
		if (pid_of("two", slot) && fake_sys_alive(pid_of("two", slot)))
			fake_sys_end_by_signal(pid_of("two", slot), SIGSEGV);
	(void)unused;
}

START_TEST(a_pool_that_rolled_once_holds_no_reconfigure_up)
{
	it.sick_pool = "two";
	at_signal(2500, SIGUSR2);
	at(15000, infect, NULL);
	at(15000, crash_all_of_two, NULL);
	at_signal(30000, SIGHUP);
	at_signal(60000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 4\n"
				   "[signals]\nHUP = reconfigure\nUSR2 = reload\n"),
		0);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_int_eq(logged("reconfigure done"), 1);
}
END_TEST

/* Failures of one reload do not count in the next. */
START_TEST(failures_are_forgotten)
{
	at(2400, infect, NULL);
	at_signal(2500, SIGHUP);
	at(4500, heal, NULL); /* after two, by the back-off of one and two seconds */
	at(30000, infect, NULL);
	at_signal(30100, SIGHUP);
	at(32100, heal, NULL);
	at_signal(90000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload done"), 2);
	ck_assert_int_eq(logged("reload failed"), 0);
}
END_TEST

/* --- pools come and go --- */

START_TEST(a_pool_is_added_and_removed)
{
	at(2500, reload_with, THREE "[pool:two]\n" POOL "max_workers = 2\n");
	at(10000, see, "two");
	at(12000, reload_with, THREE);
	at(20000, watch, NULL);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_uint_eq(it.living, 5);
	ck_assert_int_gt(it.pid[1], 0);
	ck_assert_uint_eq(it.most_living, 3);
	ck_assert_int_eq(logged("the last worker of the removed pool has gone"), 1);
	ck_assert_int_eq(access(test_path(&it.dir, "run/two.scoreboard"), F_OK), -1);
}
END_TEST

/* Before its last worker has gone. */
START_TEST(a_pool_comes_back)
{
	at(4000, reload_with, THREE);
	at(4000 + 20 * _i, reload_with, THREE "[pool:two]\n" POOL "max_workers = 2\n");
	at(30000, see, "two");
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 2\n"), 0);
	ck_assert_uint_eq(it.living, 5);
	ck_assert_int_eq(logged("reload failed"), 0);
}
END_TEST

START_TEST(a_new_pool_that_fails_is_removed_again)
{
	it.sick_pool = "two";
	it.sick_after = FAKE_FIRST_PID - 1;
	at(2500, reload_with, THREE "[pool:two]\n" POOL "max_workers = 2\n");
	at(40000, see, NULL);
	/* Without it all is well, however soon. */
	at(40000, reload_with, FIVE);
	at(60000, watch, NULL);
	at_signal(61000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_eq(logged("reload failed"), 1);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_uint_eq(it.living, 3);
	ck_assert_uint_eq(it.least_living, 5);
	ck_assert_int_eq(access(test_path(&it.dir, "run/two.scoreboard"), F_OK), -1);
}
END_TEST

/* Stopped one after another, while pools go: nobody is passed over. */
START_TEST(a_slow_stop_passes_nobody_over)
{
	at(4000, reload_with,
		"[pool:two]\n" POOL "max_workers = 2\n[pool:web]\n" POOL
		"max_workers = 2\n[signals]\nTERM = stop TERM/1s\n");
	at_signal(4000 + 100 * _i, SIGTERM);
	ck_assert_int_eq(run("[pool:one]\n" POOL "max_workers = 2\n[pool:two]\n" POOL
			     "max_workers = 2\n[pool:web]\n" POOL
			     "max_workers = 2\n[signals]\nTERM = stop TERM/1s\n"),
		0);
	ck_assert_int_le(fake_sys_now_ms() - it.began_at, 4000 + 100 * _i + 8000);
}
END_TEST

/* --- in place --- */

#define IN_PLACE "[signals]\nHUP = reconfigure\n"

static const struct {
	const char *to;
	bool rolls;
	unsigned living;
} places[] = {
	{"max_workers = 3\n", false, 3},
	{"max_workers = 5\n", false, 5},
	{"max_workers = 2\n", false, 2},
	{"max_workers = 3\ntimeout = 0\nstop_timeout = 7s\nsurge = 2\nspawn_interval = 10ms\n",
		false, 3},
	{"max_workers = 5\nmin_spare_workers = 1\nmax_spare_workers = 4\n", false, 3},
	{"max_workers = 3\nstop_signal = QUIT\non_spawn = /bin/true\n", false, 3},
	{"max_workers = 3\nenvironment = A=1\n", true, 3},
	{"max_workers = 4\nnice = 1\n", true, 4},
	{"max_workers = 3\nready = alive\n", true, 3},
};

START_TEST(only_what_must_rolls)
{
	char text[1000];

	snprintf(text, sizeof(text),
		"[pool:web]\n" POOL "%s[pool:two]\n" POOL "max_workers = 1\n" IN_PLACE,
		places[_i].to);
	at(2500, reload_with, text);
	at(30000, see, NULL);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE "[pool:two]\n" POOL "max_workers = 1\n" IN_PLACE), 0);
	ck_assert_int_eq(logged("reconfigure done"), 1);
	ck_assert_uint_eq(it.living, places[_i].living + 1);
	/* Of the other pool nobody is touched. */
	ck_assert_uint_eq(fake_sys_signals_to(FAKE_FIRST_PID + 3, SIGTERM), 1);
	ck_assert_int_eq(
		it.pid[0] == FAKE_FIRST_PID || it.pid[1] == FAKE_FIRST_PID + 1, !places[_i].rolls);
}
END_TEST

/* The stop signal is the new one for those that were there before, too. */
START_TEST(what_changes_in_place_holds_for_all)
{
	at(2500, reload_with, THREE "stop_signal = QUIT\n" IN_PLACE);
	at_signal(9000, SIGTERM);
	ck_assert_int_eq(run(THREE IN_PLACE), 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	ck_assert_int_eq(sent(SIGQUIT), 3);
	ck_assert_int_eq(sent(SIGTERM), 0);
}
END_TEST

START_TEST(a_reload_is_stronger)
{
	for (int i = 0; i < 6; i++)
		at_signal(2500 + i, i % 2 == _i ? SIGHUP : SIGUSR2);
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(THREE IN_PLACE "USR2 = reload\n"), 0);
	ck_assert_int_ge(logged("reload done"), 1);
	ck_assert_uint_ge(fake_sys_count(FAKE_FORK), 6);
}
END_TEST

/* --- what else follows --- */

static void see_pidfile(void *name)
{
	char text[40];

	test_read_file(test_path(&it.dir, name), text, sizeof(text));
	it.pid[3] = (pid_t)atoi(text);
}

START_TEST(the_pid_file_follows)
{
	at(2500, reload_with, "pid_file = %s/b.pid\n" THREE);
	at(20000, see_pidfile, "b.pid");
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run("pid_file = %s/a.pid\n" THREE), 0);
	ck_assert_int_eq(it.pid[3], getpid());
	ck_assert_int_eq(access(test_path(&it.dir, "a.pid"), F_OK), -1);
	ck_assert_int_eq(access(test_path(&it.dir, "b.pid"), F_OK), -1);
}
END_TEST

START_TEST(the_pid_file_comes_back)
{
	at(2400, infect, NULL);
	at(2500, reload_with, "pid_file = %s/b.pid\n" THREE);
	at(30000, see_pidfile, "a.pid");
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run("pid_file = %s/a.pid\n" THREE), 0);
	ck_assert_int_eq(logged("reload failed"), 1);
	ck_assert_int_eq(it.pid[3], getpid());
	ck_assert_int_eq(access(test_path(&it.dir, "a.pid"), F_OK), -1);
	ck_assert_int_eq(access(test_path(&it.dir, "b.pid"), F_OK), -1);
}
END_TEST

static bool answers(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return result == 0;
}

/* Some socket answers at any time. */
static void knock(void *unused)
{
	it.living += answers("a");
	it.pid[0] += answers("b");
	if (!answers("a") && !answers("b"))
		it.pid[1]++;
	fake_sys_after(100, knock, unused);
}

#define LISTENING(name)                                                                            \
	"[socket:s]\nlisten = unix:%s/" name "\n[pool:web]\n" POOL "max_workers = 2\nsockets = "   \
	"s\n"

START_TEST(the_new_socket_opens_before_the_old_one_closes)
{
	at(1000, knock, NULL);
	at(3000, reload_with, LISTENING("b"));
	at_signal(9000, SIGTERM);
	ck_assert_int_eq(run(LISTENING("a")), 0);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_int_eq(it.pid[1], 0);
	ck_assert_uint_gt(it.living, 10);
	ck_assert_int_gt(it.pid[0], 10);
	ck_assert_int_eq(access("a", F_OK), -1);
	ck_assert_int_eq(access("b", F_OK), -1);
}
END_TEST

START_TEST(a_socket_moves_back_when_it_fails)
{
	at(1000, knock, NULL);
	at(2900, infect, NULL);
	at(3000, reload_with, LISTENING("b"));
	at(20000, heal, NULL);
	/* The address is free again. */
	at(20010, reload_with, LISTENING("b"));
	at_signal(30000, SIGTERM);
	ck_assert_int_eq(run(LISTENING("a")), 0);
	ck_assert_int_eq(logged("reload failed"), 1);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_int_eq(it.pid[1], 0);
}
END_TEST

/* --- at any time --- */

START_TEST(a_drain_ends)
{
	at_signal(2000, SIGWINCH);
	at(3000, see, NULL);
	at_signal(3000, SIGHUP);
	at(8000, watch, NULL);
	at_signal(9000, SIGTERM);
	ck_assert_int_eq(run(THREE "[signals]\nWINCH = drain\n"), 0);
	ck_assert_uint_eq(it.living, 0);
	ck_assert_uint_eq(it.least_living, 3);
}
END_TEST

START_TEST(a_back_off_ends)
{
	it.sick_after = FAKE_FIRST_PID - 1;
	at(30000, heal, NULL);
	at_signal(30001, SIGHUP);
	at(32000, see, NULL);
	at_signal(33000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_uint_eq(it.living, 3);
	ck_assert_int_eq(logged("reload done"), 1);
}
END_TEST

START_TEST(a_reload_during_the_start)
{
	at_signal(_i * 50, SIGHUP);
	at(9000, see, NULL);
	at_signal(9000, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_uint_eq(it.living, 3);
	ck_assert_int_eq(logged("reload done"), 1);
	ck_assert_int_eq(logged("ready: the first workers"), 1);
}
END_TEST

/* With new ones that are well, that fail, and with a storm: the end comes at once. */
START_TEST(a_stop_in_the_midst_of_it)
{
	const int64_t stop_at = 2500 + _i / 3 * 130;

	if (_i % 3 == 1)
		at(2400, infect, NULL);
	at(2500, reload_with, FIVE "nice = 1\n[pool:two]\n" POOL "max_workers = 2\n");
	if (_i % 3 == 2)
		for (int i = 0; i < 50; i++)
			at_signal(2500 + i * 40, SIGHUP);
	at_signal(stop_at, SIGTERM);
	ck_assert_int_eq(run(THREE), 0);
	ck_assert_int_le(fake_sys_now_ms() - it.began_at, stop_at + OBEY_MS + 100);
	ck_assert_int_eq(access(test_path(&it.dir, "run/two.scoreboard"), F_OK), -1);
}
END_TEST

/* --- the machine --- */

static void fail_one(void *nth)
{
	fake_sys_fail(FAKE_ANY, (unsigned)(intptr_t)nth, EMFILE);
}

static int reload_and_stop(unsigned nth)
{
	if (nth > 0)
		fake_sys_at(FAKE_START_MS + 2400, fail_one, (void *)(intptr_t)nth);
	at(2500, reload_with, FIVE "nice = 1\nstdout = log\n[pool:two]\n" POOL "max_workers = 1\n");
	/* A signal that did not arrive is followed by KILL. */
	at(90000, see, NULL);
	at_signal(90000, SIGTERM);
	return run(THREE);
}

/* All is as it was, or all is as it was asked to be. */
START_TEST(every_call_fails_once)
{
	unsigned calls;

	ck_assert_int_eq(reload_and_stop(0), 0);
	ck_assert_uint_eq(it.living, 6);
	calls = fake_sys_count(FAKE_ANY);
	ck_assert_uint_gt(calls, 50);
	it.wait_may_fail = true;
	for (unsigned nth = 1; nth <= calls; nth += test_slowness()) {
		int done, failed;

		begin_anew();
		ck_assert_int_eq(reload_and_stop(nth), 0);
		done = logged("reload done");
		failed = logged("reload failed");
		ck_assert_msg(done + failed == 1, "call %u: %d done, %d failed", nth, done, failed);
		ck_assert_msg(it.living == (done ? 6 : 3), "call %u: %u live", nth, it.living);
	}
}
END_TEST

/* --- anything --- */

static const char *const any_files[] = {
	THREE,
	FIVE,
	THREE "nice = 1\nsurge = 2\n[pool:two]\n" POOL "max_workers = 2\n",
	"[pool:two]\n" POOL "min_spare_workers = 1\n[pool:web]\n" POOL "environment = A=1\n",
	"[pool:web]\n" POOL "max_workers = 1\n[pool:three]\n" POOL "max_workers = 2\n",
	"[pool:web]\n" POOL "max_workers = 1\nspawn_interval = 300ms\n",
	"[pool:web]\nnonsense\n",
	LISTENING("a"),
	LISTENING("b"),
	THREE "[signals]\nHUP = reconfigure\n",
};

static void end_some(void *every)
{
	for (pid_t pid = FAKE_FIRST_PID; pid <= fake_sys_last_pid(); pid++)
		if (fake_sys_alive(pid) && pid % (pid_t)(intptr_t)every == 0)
			fake_sys_exit(pid, 1);
}

static void schedule_one(int64_t when)
{
	static const int signals[] = {SIGHUP, SIGUSR1, SIGTTIN, SIGTTOU};
	const size_t files = sizeof(any_files) / sizeof(any_files[0]);

	switch (test_random_below(&it.random, 8)) {
	case 0: at(when, infect, NULL); return;
	case 1: at(when, heal, NULL); return;
	case 2:
		at(when, end_some, (void *)(intptr_t)(1 + test_random_below(&it.random, 4)));
		return;
	case 3:
	case 4: at_signal(when, signals[test_random_below(&it.random, 4)]); return;
	default: at(when, reload_with, any_files[test_random_below(&it.random, files)]); return;
	}
}

/* In the end all are well, and a last reload is done. */
START_TEST(whatever_is_reloaded)
{
	it.random = test_seed();
	for (unsigned life = 0; life < 150 / test_slowness() + 3; life++) {
		begin_anew();
		for (int i = 0; i < 30; i++)
			schedule_one((int64_t)test_random_below(&it.random, 30000));
		at(30000, heal, NULL);
		at(150000, reload_with, FIVE "[signals]\nHUP = reload\n");
		at(200000, reload_with, FIVE "[signals]\nHUP = reload\n");
		at(260000, see, NULL);
		at_signal(260000, SIGTERM);
		ck_assert_int_eq(run(THREE), 0);
		ck_assert_msg(it.living == 5, "life %u: %u live", life, it.living);
		ck_assert_int_ge(logged("reload done"), 1);
		ck_assert_int_eq(access("a", F_OK), -1);
		ck_assert_int_eq(access("b", F_OK), -1);
	}
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tests = tcase_create(name);

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("reload");
	TCase *well = add_case(suite, "well"), *bad = add_case(suite, "bad"),
	      *pools = add_case(suite, "pools"), *places_case = add_case(suite, "in place"),
	      *times = add_case(suite, "at any time"), *any = add_case(suite, "anything");

	if (access("/dev/shm", W_OK | X_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	tcase_add_test(well, all_are_replaced);
	tcase_add_test(well, they_may_get_another_signal);
	tcase_add_loop_test(well, many_at_once_fold, 0, 5);
	tcase_add_test(well, again_and_again);
	tcase_add_test(well, the_pid_file_follows);
	tcase_add_test(well, the_new_socket_opens_before_the_old_one_closes);
	tcase_add_test(well, what_has_to_wait_is_said);
	tcase_add_loop_test(bad, a_bad_file_changes_nothing, 0, COUNT(bad_files));
	tcase_add_test(bad, a_file_that_is_gone_changes_nothing);
	tcase_add_loop_test(bad, given_up_after_three_failures, 0, 2);
	tcase_add_test(bad, one_for_all);
	tcase_add_test(bad, a_pool_in_trouble_fails_no_reload);
	tcase_add_test(bad, a_pool_in_trouble_holds_no_reconfigure_up);
	tcase_add_test(bad, a_pool_that_rolled_once_holds_no_reconfigure_up);
	tcase_add_test(bad, failures_are_forgotten);
	tcase_add_test(bad, the_pid_file_comes_back);
	tcase_add_test(bad, a_socket_moves_back_when_it_fails);
	tcase_add_test(pools, a_pool_is_added_and_removed);
	tcase_add_loop_test(pools, a_pool_comes_back, 0, 40);
	tcase_add_test(pools, a_new_pool_that_fails_is_removed_again);
	tcase_add_loop_test(pools, a_slow_stop_passes_nobody_over, 0, 20);
	tcase_add_loop_test(places_case, only_what_must_rolls, 0, COUNT(places));
	tcase_add_test(places_case, what_changes_in_place_holds_for_all);
	tcase_add_loop_test(places_case, a_reload_is_stronger, 0, 2);
	tcase_add_test(times, a_drain_ends);
	tcase_add_test(times, a_back_off_ends);
	tcase_add_loop_test(times, a_reload_during_the_start, 0, 8);
	tcase_add_loop_test(times, a_stop_in_the_midst_of_it, 0, 60);
	tcase_add_test(any, every_call_fails_once);
	tcase_add_test(any, whatever_is_reloaded);
	return test_main(suite);
}
