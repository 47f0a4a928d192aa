/* Commands that run when a worker starts, is ready and has ended: what they are told, and that
 * nobody waits for them. */
#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK            "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"
#define TELL(file, what) "sh -c 'echo \"" what "\" >>@dir@/" file "'\n"

/* Hangs until the test says so. */
#define HANG(file)                                                                                 \
	"sh -c 'echo >>@dir@/" file "; while ! test -e @dir@/over; do sleep 0.05; done'\n"

START_TEST(on_exit_is_told_the_status)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@ exit-after 100 7\n"
	       "on_exit = " TELL("ends", "pid=$PREFORKD_PID status=$PREFORKD_EXIT_STATUS "
					 "signal=$PREFORKD_EXIT_SIGNAL up=$PREFORKD_UPTIME "
					 "slot=$PREFORKD_SLOT pool=$PREFORKD_POOL"));
	daemon_start();
	WAIT_FOR(file_has("ends", "pool=web"));
	ck_assert(file_has("ends", " status=7 signal= up="));
	ck_assert(file_has("ends", " slot=0 pool=web"));
	/* The first worker, which may have gone before anybody could look. */
	const char *started = strstr(file_text("log"), "web/0[");
	int told = 0, pid = 1;

	ck_assert_ptr_nonnull(started);
	sscanf(started, "web/0[%d]: started", &pid);
	sscanf(file_text("ends"), "pid=%d", &told);
	ck_assert_int_eq(told, pid);
	EXPECT_STOP();
}
END_TEST

START_TEST(on_exit_is_told_the_signal)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@\n"
	       "on_exit = " TELL(
		       "ends", "status=$PREFORKD_EXIT_STATUS signal=$PREFORKD_EXIT_SIGNAL."));
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	nap_ms(slow_ms(40));
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_has("ends", "\n"));
	ck_assert(
		file_has("ends", "status= signal=KILL.") || file_has("ends", "status= signal=9."));
	EXPECT_STOP();
}
END_TEST

START_TEST(on_exit_runs_in_the_folder_of_its_worker)
{
	for (int slot = 0; slot < 3; slot++)
		ck_assert_int_eq(mkdir(path_of("home%d", slot), 0755), 0);
	config("[pool:web]\nmax_workers = 3\n" QUICK "command = @worker@\n"
	       "directory = @dir@/home%%{slot}\n"
	       "on_exit = sh -c 'echo \"$PREFORKD_SLOT ${PWD##*/}\" >>@dir@/ends'\n");
	daemon_start();
	WAIT_FOR(worker_count() == 3);
	nap_ms(slow_ms(40));
	kill(worker_of("web", 1), SIGKILL);
	WAIT_FOR(file_has("ends", "\n"));
	EXPECT_STOP();
	for (int slot = 0; slot < 3; slot++) {
		char line[32];

		snprintf(line, sizeof(line), "%d home%d\n", slot, slot);
		ck_assert(file_has("ends", line));
	}
}
END_TEST

START_TEST(on_spawn_and_on_ready_run_once_a_worker)
{
	config("[pool:web]\nmax_workers = 3\nmin_uptime = 50ms\ncommand = @worker@\n"
	       "on_spawn = " TELL("spawns", "spawn $PREFORKD_PID") "on_ready = " TELL(
		       "readies", "ready $PREFORKD_PID"));
	daemon_start();
	WAIT_FOR(file_count("readies", "ready ") == 3);
	HOLDS_FOR(100, file_count("spawns", "spawn ") == 3);
	for (int i = 0; i < 3; i++) {
		char line[64];

		snprintf(line, sizeof(line), "ready %d\n", (int)board_pid("web", i));
		ck_assert(file_has("readies", line));
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_hook_that_hangs_holds_nobody_up)
{
	config("[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@\n"
	       "on_exit = " HANG("hooks"));
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	nap_ms(slow_ms(40));
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_count("hooks", "\n") == 1);
	WAIT_FOR(worker_count() == 2);
	nap_ms(slow_ms(40));
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_count("hooks", "\n") == 2);
	WAIT_FOR(worker_count() == 2);
	file_write("over", "%s", "");
	EXPECT_STOP();
}
END_TEST

START_TEST(a_hook_that_cannot_run_is_said_and_harms_nobody)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@\n"
	       "on_exit = sh -c 'exit 3'\non_spawn = sh -c 'kill -9 $$'\n");
	daemon_start();
	for (int i = 0; i < 3; i++) {
		WAIT_FOR(worker_count() == 1);
		nap_ms(slow_ms(40));
		kill(worker_any(), SIGKILL);
	}
	WAIT_FOR(worker_count() == 1 && process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

/* What workers are told of themselves but for descriptors, and what hooks are told besides. */
START_TEST(a_hook_gets_the_documented_environment)
{
	static const char *const hooks[] = {"on_spawn", "on_ready", "on_exit"};
	static const char *const told[] = {"PREFORKD_NAME=app", "PREFORKD_POOL=web",
		"PREFORKD_SLOT=0", "PREFORKD_GENERATION=1",
		"PREFORKD_PID=", "PREFORKD_UPTIME=", "PREFORKD_SCOREBOARD=", "MINE=yes"};
	static const char *const not_told[] = {"LISTEN_FDS=", "LISTEN_PID=", "NOTIFY_SOCKET=",
		"PREFORKD_SCOREBOARD_FD=", "EINHORN_FD_", "SERVER_STARTER_PORT=", "WATCHDOG_"};

	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 1\n" QUICK
	       "timeout = 90s\nsockets = s\nenvironment = MINE=yes\ncommand = @worker@\n%s = sh -c "
	       "'env >@dir@/env.$PREFORKD_PID; mv @dir@/env.$PREFORKD_PID @dir@/env'\n",
		hooks[_i]);
	daemon_start();
	WAIT_FOR(log_has("ready: "));
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_exists("env"));
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		ck_assert_msg(file_value("env", told[i]), "not told: %s", told[i]);
	for (size_t i = 0; i < sizeof(not_told) / sizeof(not_told[0]); i++)
		ck_assert_msg(!file_value("env", not_told[i]), "told: %s", not_told[i]);
	ck_assert(!!file_value("env", "PREFORKD_EXIT_SIGNAL=") == (_i == 2));
	ck_assert(!file_value("env", "PREFORKD_EXIT_STATUS="));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_hook_has_no_descriptors_but_the_first_three)
{
	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 1\n" QUICK
	       "sockets = s\ncommand = @worker@ board\non_ready = @worker@ report @dir@/report "
	       "exit 0\n");
	daemon_start();
	WAIT_FOR(file_exists("report"));
	ck_assert(file_value("report", "fd 0 /dev/null") && file_value("report", "fd 2 "));
	ck_assert(!file_value("report", "fd 3 ") && !file_value("report", "fd 4 "));
	ck_assert(file_has("report", "SigBlk:\t0000000000000000"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_hook_runs_as_the_user_of_the_pool)
{
	char line[64];

	SKIP_UNLESS(getuid() == 0, "not root");
	ck_assert_int_eq(mkdir(path_of("theirs"), 0755), 0);
	ck_assert_int_eq(chown(path_of("theirs"), lonely_user(), lonely_user()), 0);
	config("[pool:web]\nmax_workers = 1\nuser = %d\ngroup = %d\n" QUICK
	       "command = @worker@\non_ready = @worker@ report @dir@/theirs/report exit 0\n",
		(int)lonely_user(), (int)lonely_user());
	SKIP_UNLESS(preforkd_run("-c", path_of("app.ini"), "-t") == 0, "users must have names");
	daemon_start();
	WAIT_FOR(file_exists("theirs/report"));
	snprintf(line, sizeof(line), "uid %d %d\n", (int)lonely_user(), (int)lonely_user());
	ck_assert(file_has("theirs/report", line));
	EXPECT_STOP();
}
END_TEST

/* All three of them hang, for each worker, and the pool rolls on and is stopped. */
START_TEST(hooks_that_hang_hold_no_reload_up)
{
	config("[pool:web]\nmax_workers = 3\n" QUICK "command = @worker@ board\n"
	       "on_spawn = " HANG("spawns") "on_ready = " HANG("readies") "on_exit = " HANG(
		       "exits"));
	daemon_start();
	WAIT_FOR(log_has("ready: "));
	for (int i = 1; i <= 2; i++) {
		int64_t began = now_ms();

		daemon_kill(SIGHUP);
		WAIT_FOR(log_count("reload done in ") == i);
		ck_assert_int_lt(now_ms() - began, slow_ms(5000));
	}
	WAIT_FOR(file_count("exits", "\n") >= 6 && file_count("spawns", "\n") >= 9);
	WAIT_FOR(worker_count() == 3);
	file_write("over", "%s", "");
	EXPECT_STOP();
}
END_TEST

/* So many at a time and no more; what is left out is said. */
START_TEST(hooks_are_counted)
{
	pid_t children[MANY_WORKERS];

	config("[pool:web]\nmax_workers = 50\n" QUICK "command = @worker@ board\n"
	       "on_ready = " HANG("readies"));
	daemon_start();
	WAIT_FOR(log_has("ready: ") && worker_count() == 50);
	WAIT_FOR(log_has("left out, 32 are running already"));
	WAIT_FOR(file_count("readies", "\n") == 32);
	ck_assert_int_eq(process_children(daemon_pid(), children), 82);
	file_write("over", "%s", "");
	EXPECT_STOP();
}
END_TEST

START_TEST(a_hook_has_a_time_limit)
{
	int64_t began;

	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@ board\n"
	       "on_ready = @worker@ touch @dir@/readies fork-child ignore TERM\n");
	daemon_start();
	WAIT_FOR(file_count("readies", "\n") == 1);
	began = now_ms();
	WAIT_FOR(log_has("killed after 10 s"));
	ck_assert_int_ge(now_ms() - began, 9000);
	/* it and its child; the supervisor and the worker are left */
	WAIT_FOR(process_family() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(on_ready_waits_for_readiness)
{
	config("[pool:web]\nmax_workers = 2\nready = scoreboard\n" QUICK
	       "command = sh -c 'while ! test -e @dir@/go; do sleep 0.01; done; exec @worker@ "
	       "board'\n"
	       "on_spawn = " TELL("spawns", "spawn") "on_ready = " TELL("readies", "ready"));
	daemon_start();
	WAIT_FOR(file_count("spawns", "\n") == 2);
	HOLDS_FOR(100, !file_exists("readies"));
	file_write("go", "%s", "");
	WAIT_FOR(file_count("readies", "\n") == 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hooks");
	TCase *hooks = harness_case(suite, "hooks");

	tcase_add_test(hooks, on_exit_is_told_the_status);
	tcase_add_test(hooks, on_exit_is_told_the_signal);
	tcase_add_test(hooks, on_exit_runs_in_the_folder_of_its_worker);
	tcase_add_test(hooks, on_spawn_and_on_ready_run_once_a_worker);
	tcase_add_test(hooks, a_hook_that_hangs_holds_nobody_up);
	tcase_add_test(hooks, a_hook_that_cannot_run_is_said_and_harms_nobody);
	tcase_add_loop_test(hooks, a_hook_gets_the_documented_environment, 0, 3);
	tcase_add_test(hooks, a_hook_has_no_descriptors_but_the_first_three);
	tcase_add_test(hooks, a_hook_runs_as_the_user_of_the_pool);
	tcase_add_test(hooks, hooks_that_hang_hold_no_reload_up);
	tcase_add_test(hooks, hooks_are_counted);
	tcase_add_test(hooks, a_hook_has_a_time_limit);
	tcase_add_test(hooks, on_ready_waits_for_readiness);
	return harness_main(suite);
}
