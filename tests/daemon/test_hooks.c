/* Commands that run when a worker starts, is ready and has ended: what they are told, and that
 * nobody waits for them. */
#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define QUICK            "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"
#define TELL(file, what) "sh -c 'echo \"" what "\" >>@dir@/" file "'\n"

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
	SKIP_IF_LATER();
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
	       "on_exit = @worker@ touch @dir@/hooks\n");
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
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

START_TEST(a_hook_that_cannot_run_is_said_and_harms_nobody)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@\n"
	       "on_exit = sh -c 'exit 3'\non_spawn = sh -c 'kill -9 $$'\n");
	SKIP_IF_LATER();
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
	return harness_main(suite);
}
