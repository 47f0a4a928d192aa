/* Workers that crash, programs that are not there, forks that fail: the supervisor lives, waits,
 * says so once, and is full again soon after the fault has gone. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_TRYING "crash_loop = backoff\n"

static void copy_worker(const char *to)
{
	char command[1200];

	snprintf(command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new' '%s'", worker_program(),
		path_of("%s", to), path_of("%s", to), path_of("%s", to));
	ck_assert_int_eq(system(command), 0);
}

static int starts(void)
{
	return file_count("started", "\n");
}

/* --- loops of crashes --- */

START_TEST(a_pool_that_never_gets_ready_ends_with_75)
{
	int64_t began = now_ms();

	config("[pool:web]\nmax_workers = 2\nerr_respawn_interval = 50ms\n"
	       "command = @worker@ touch @dir@/started exit 1\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_ge(starts(), 3);
	ck_assert_int_le(starts(), 6); /* three tries of two at most */
	ck_assert_int_lt(now_ms() - began, slow_ms(5000));
}
END_TEST

START_TEST(also_when_its_workers_exit_with_0)
{
	config("[pool:web]\nmax_workers = 1\nerr_respawn_interval = 20ms\n"
	       "command = @worker@ touch @dir@/started exit 0\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_eq(starts(), 3);
}
END_TEST

START_TEST(and_when_they_crash)
{
	config("[pool:web]\nmax_workers = 1\nerr_respawn_interval = 20ms\n"
	       "command = @worker@ touch @dir@/started signal SEGV\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_eq(starts(), 3);
	ck_assert(log_has("SEGV"));
}
END_TEST

START_TEST(another_pool_is_stopped_with_it)
{
	config("[pool:good]\nmax_workers = 2\ncommand = @worker@ signals @dir@/got\n"
	       "[pool:bad]\nmax_workers = 1\nerr_respawn_interval = 200ms\n"
	       "command = @worker@ exit 1\n");
	daemon_start();
	WAIT_FOR(file_count("got", " ready") == 2);
	EXPECT_EXIT(75);
	ck_assert_int_eq(file_count("got", " TERM"), 2);
}
END_TEST

/* The supervisor asked by itself: a signal now is the first, and kills nobody. */
START_TEST(a_signal_while_it_gives_up_is_the_first)
{
	config("[pool:good]\nmax_workers = 1\ncommand = @worker@ linger 1500 signals @dir@/got\n"
	       "[pool:bad]\nmax_workers = 1\nerr_respawn_interval = 100ms\n"
	       "command = @worker@ exit 1\n");
	daemon_start();
	WAIT_FOR(file_count("got", " TERM") == 1);
	nap_ms(1100);
	daemon_kill(SIGTERM);
	EXPECT_EXIT(75);
	ck_assert(!log_has("killing"));
	ck_assert_int_eq(file_count("got", " TERM"), 1);
}
END_TEST

START_TEST(a_pool_that_was_ready_once_goes_on_trying)
{
	/* the first life is long, every later one short */
	file_write("life", "#!/bin/sh\necho >>started\n[ -e once ] && exit 1\n: >once\n"
			   "sleep 0.3\nexit 1\n");
	chmod(path_of("life"), 0755);
	config("[pool:web]\nmax_workers = 1\nmin_uptime = 50ms\nerr_respawn_interval = 20ms\n"
	       "err_respawn_max = 40ms\ndirectory = @dir@\ncommand = @dir@/life\n");
	daemon_start();
	WAIT_FOR(starts() >= 8);
	ck_assert(daemon_alive());
	EXPECT_STOP();
}
END_TEST

START_TEST(crash_loop_exit_ends_with_75_after_ten_failures_in_a_row)
{
	config("[pool:web]\nmax_workers = 1\nerr_respawn_interval = 5ms\nerr_respawn_max = 5ms\n"
	       "crash_loop = exit\ncommand = @worker@ touch @dir@/started exit 1\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_eq(starts(), 10);
}
END_TEST

START_TEST(crash_loop_backoff_goes_on_for_ever)
{
	config("[pool:web]\nmax_workers = 1\n" KEEP_TRYING "err_respawn_interval = 5ms\n"
	       "err_respawn_max = 10ms\ncommand = @worker@ touch @dir@/started exit 1\n");
	daemon_start();
	WAIT_FOR(starts() >= 30);
	EXPECT_STOP();
}
END_TEST

START_TEST(waits_double_and_are_capped)
{
	int counted;

	/* waits of about 100, 200, 400, 400, ... ms */
	config("[pool:web]\nmax_workers = 1\n" KEEP_TRYING "err_respawn_interval = 100ms\n"
	       "err_respawn_max = 400ms\ncommand = @worker@ touch @dir@/started exit 1\n");
	daemon_start();
	WAIT_FOR(starts() == 1);
	nap_ms(1600);
	counted = starts();
	ck_assert_int_ge(counted, 4);
	ck_assert_int_le(counted, 9);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_crash_loop_costs_little_and_says_little)
{
	config("[pool:web]\nmax_workers = 10\n" KEEP_TRYING "command = @worker@ signal SEGV\n");
	daemon_start();
	WAIT_FOR(file_size("log") > 0);
	nap_ms(slow_ms(2500));
	ck_assert_int_lt(process_cpu_ms(daemon_pid()), slow_ms(200));
	ck_assert_int_le(log_count("\n"), 60);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_stop_during_the_wait_starts_nothing)
{
	config("[pool:web]\nmax_workers = 1\n" KEEP_TRYING "err_respawn_interval = 300ms\n"
	       "command = @worker@ touch @dir@/started exit 1\n");
	daemon_start();
	WAIT_FOR(starts() == 1);
	nap_ms(30);
	EXPECT_STOP();
	ck_assert_int_eq(starts(), 1);
}
END_TEST

/* --- programs that cannot be executed --- */

START_TEST(a_program_that_vanishes_and_comes_back)
{
	pid_t first;

	copy_worker("program");
	config("[pool:web]\nmax_workers = 2\nmin_uptime = 20ms\nerr_respawn_interval = 100ms\n"
	       "err_respawn_max = 200ms\n" KEEP_TRYING "command = @dir@/program\n");
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	nap_ms(slow_ms(60));
	rename(path_of("program"), path_of("gone"));
	first = worker_any();
	kill(first, SIGKILL);
	WAIT_FOR(log_has("No such file or directory"));
	HOLDS_FOR(300, worker_count() == 1 && daemon_alive());
	rename(path_of("gone"), path_of("program"));
	WAIT_FOR_WITHIN(2000, worker_count() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_program_that_may_not_be_executed_for_a_while)
{
	copy_worker("program");
	config("[pool:web]\nmax_workers = 1\nmin_uptime = 20ms\nerr_respawn_interval = 100ms\n"
	       "err_respawn_max = 200ms\n" KEEP_TRYING "command = @dir@/program\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	nap_ms(slow_ms(60));
	chmod(path_of("program"), 0644);
	kill(worker_any(), SIGKILL);
	WAIT_FOR(log_has("Permission denied"));
	chmod(path_of("program"), 0755);
	WAIT_FOR_WITHIN(2000, worker_count() == 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_file_that_is_no_program)
{
	copy_worker("program");
	config("[pool:web]\nmax_workers = 1\nmin_uptime = 20ms\nerr_respawn_interval = 100ms\n"
	       "err_respawn_max = 200ms\n" KEEP_TRYING "command = @dir@/program\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	nap_ms(slow_ms(60));
	rename(path_of("program"), path_of("good"));
	file_write("program", "\177ELF, but not really");
	chmod(path_of("program"), 0755);
	kill(worker_any(), SIGKILL);
	WAIT_FOR(log_has("Exec format error"));
	rename(path_of("good"), path_of("program"));
	WAIT_FOR_WITHIN(2000, worker_count() == 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_failed_exec_is_logged_with_its_step_and_not_for_each_worker)
{
	copy_worker("program");
	config("[pool:web]\nmax_workers = 20\nmin_uptime = 20ms\nerr_respawn_interval = 50ms\n"
	       "err_respawn_max = 50ms\n" KEEP_TRYING "command = @dir@/program\n");
	daemon_start();
	WAIT_FOR(worker_count() == 20);
	nap_ms(slow_ms(60));
	rename(path_of("program"), path_of("gone"));
	pid_t pids[MANY_WORKERS];

	for (int i = workers(pids) - 1; i >= 0; i--)
		kill(pids[i], SIGKILL);
	WAIT_FOR(log_has("No such file or directory"));
	nap_ms(500);
	ck_assert(log_has("exec"));
	ck_assert_int_le(log_count("No such file or directory"), 5);
	rename(path_of("gone"), path_of("program"));
	WAIT_FOR_WITHIN(3000, worker_count() == 20);
	EXPECT_STOP();
}
END_TEST

/* --- fork fails --- */

static const char *pids_group;

static void enter_pids_group(void)
{
	cgroup_set(pids_group, "cgroup.procs", "0");
}

START_TEST(fork_fails_by_a_pids_limit_and_all_are_back_soon_after_the_lift)
{
	static const char *const none[] = {NULL};
	pid_t pids[MANY_WORKERS];

	pids_group = cgroup_make("pids");
	SKIP_UNLESS(pids_group, "no writable pids control group");
	config("[pool:web]\nmax_workers = 8\nmin_uptime = 20ms\ncommand = @worker@\n");
	daemon_start_as(enter_pids_group, none);
	WAIT_FOR(worker_count() == 8);
	nap_ms(slow_ms(60));
	ck_assert(cgroup_set(pids_group, "pids.max", "3"));
	for (int i = workers(pids) - 1; i >= 0; i--)
		kill(pids[i], SIGKILL);
	WAIT_FOR(log_has("Resource temporarily unavailable"));
	nap_ms(1500);
	ck_assert(daemon_alive());
	ck_assert_int_le(log_count("Resource temporarily unavailable"), 4);
	ck_assert(cgroup_set(pids_group, "pids.max", "max"));
	WAIT_FOR_WITHIN(5000, worker_count() == 8);
	EXPECT_STOP();
}
END_TEST

/* As that user: root needs a capability for it that it may not have. */
static void become_lonely_user(void)
{
	/* a user that nobody else runs processes as, so RLIMIT_NPROC counts ours only */
	struct rlimit limit = {1000, 1000};

	if (setrlimit(RLIMIT_NPROC, &limit) < 0 || setgid(lonely_user()) < 0 ||
		setuid(lonely_user()) < 0)
		_exit(125);
}

static bool set_nproc(int soft)
{
	char limit[32], pid[32];
	const char *argv[] = {"/usr/bin/prlimit", limit, "--pid", pid, NULL};

	snprintf(limit, sizeof(limit), "--nproc=%d:1000", soft);
	snprintf(pid, sizeof(pid), "%d", (int)daemon_pid());
	return program_wait(program_start("prlimit", become_lonely_user, argv)) == 0;
}

START_TEST(fork_fails_by_rlimit_nproc_and_all_are_back_soon_after_the_lift)
{
	static const char *const none[] = {NULL};
	pid_t pids[MANY_WORKERS];

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	SKIP_UNLESS(access("/usr/bin/prlimit", X_OK) == 0, "no prlimit(1)");
	ck_assert_int_eq(chown(test_folder(), lonely_user(), lonely_user()), 0);
	config("[pool:web]\nmax_workers = 5\nmin_uptime = 20ms\ncommand = @worker@\n");
	chmod(path_of("app.ini"), 0644);
	daemon_start_as(become_lonely_user, none);
	WAIT_FOR(worker_count() == 5);
	nap_ms(slow_ms(60));
	ck_assert(set_nproc(2));
	for (int i = workers(pids) - 1; i >= 0; i--)
		kill(pids[i], SIGKILL);
	WAIT_FOR(log_has("Resource temporarily unavailable"));
	nap_ms(300);
	ck_assert(daemon_alive());
	ck_assert(set_nproc(1000));
	WAIT_FOR_WITHIN(5000, worker_count() == 5);
	EXPECT_STOP();
}
END_TEST

/* --- what else workers do to us --- */

START_TEST(a_worker_that_makes_stdio_non_blocking_spins_nobody)
{
	config("[pool:web]\nmax_workers = 2\nmin_uptime = 20ms\n"
	       "command = @worker@ nonblock-stdio exit-after 100 0\n");
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	int64_t before = process_cpu_ms(daemon_pid());

	nap_ms(800);
	ck_assert_int_lt(process_cpu_ms(daemon_pid()) - before, slow_ms(200));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_worker_that_closes_its_stdio_spins_nobody)
{
	config("[pool:web]\nmax_workers = 2\nstdout = log\nstderr = @dir@/err\n"
	       "command = @worker@ close-stdio\n");
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	nap_ms(100);
	int64_t before = process_cpu_ms(daemon_pid());

	nap_ms(500);
	ck_assert_int_lt(process_cpu_ms(daemon_pid()) - before, slow_ms(60));
	EXPECT_STOP();
}
END_TEST

START_TEST(noise_on_the_scoreboard_harms_nobody)
{
	int descriptors;

	config("[pool:web]\nmax_workers = 3\nmin_uptime = 20ms\n"
	       "command = @worker@ touch @dir@/started hammer-board\n");
	daemon_start();
	WAIT_FOR(worker_count() == 3);
	descriptors = process_descriptors(daemon_pid());
	HOLDS_FOR(1500, worker_count() <= 3 && daemon_alive());
	WAIT_FOR(worker_count() == 3);
	/* noise may look like a request to replace nobody: the workers are the first ones */
	ck_assert_int_eq(starts(), 3);
	ck_assert_int_le(process_descriptors(daemon_pid()), descriptors + 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_scoreboard_that_is_removed_replaced_or_made_a_fifo_is_restored)
{
	const char *board;

	config("[pool:web]\nmax_workers = 2\nmin_uptime = 20ms\ncommand = @worker@ board\n");
	daemon_start();
	board = path_of("run/web.scoreboard");
	WAIT_FOR(worker_count() == 2 && board_byte("web", 1, 0) == '_');
	char path[600];

	snprintf(path, sizeof(path), "%s", board);
	for (int i = 0; i < 4; i++) {
		unlink(path);
		if (i == 1)
			ck_assert_int_eq(mkfifo(path, 0666), 0);
		if (i == 2)
			ck_assert_int_eq(symlink("/etc/passwd", path), 0);
		if (i == 3)
			file_write("run/web.scoreboard", "rubbish");
		WAIT_FOR(file_size("run/web.scoreboard") == 128);
		WAIT_FOR(board_pid("web", 0) > 1 && board_pid("web", 1) > 1);
	}
	ck_assert_int_eq(truncate(path, 0), 0);
	WAIT_FOR(file_size("run/web.scoreboard") == 128 && board_pid("web", 1) > 1);
	ck_assert_int_eq(worker_count(), 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_slot_left_busy_by_a_dead_worker_is_cleared)
{
	config("[pool:web]\nmax_workers = 1\nmin_uptime = 20ms\n"
	       "command = @worker@ state W sleep 100000\n");
	daemon_start();
	for (int i = 0; i < 5; i++) {
		WAIT_FOR(board_byte("web", 0, 0) == 'W');
		pid_t pid = worker_of("web", 0);

		nap_ms(slow_ms(40));
		kill(pid, SIGKILL);
		WAIT_FOR(board_pid("web", 0) != pid);
	}
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crashes");
	TCase *loops = harness_case(suite, "loops");
	TCase *programs = harness_case(suite, "programs");
	TCase *forks = harness_case(suite, "forks");
	TCase *hostile = harness_case(suite, "hostile workers");

	tcase_add_test(loops, a_pool_that_never_gets_ready_ends_with_75);
	tcase_add_test(loops, also_when_its_workers_exit_with_0);
	tcase_add_test(loops, and_when_they_crash);
	tcase_add_test(loops, another_pool_is_stopped_with_it);
	tcase_add_test(loops, a_signal_while_it_gives_up_is_the_first);
	tcase_add_test(loops, a_pool_that_was_ready_once_goes_on_trying);
	tcase_add_test(loops, crash_loop_exit_ends_with_75_after_ten_failures_in_a_row);
	tcase_add_test(loops, crash_loop_backoff_goes_on_for_ever);
	tcase_add_test(loops, waits_double_and_are_capped);
	tcase_add_test(loops, a_crash_loop_costs_little_and_says_little);
	tcase_add_test(loops, a_stop_during_the_wait_starts_nothing);
	tcase_add_test(programs, a_program_that_vanishes_and_comes_back);
	tcase_add_test(programs, a_program_that_may_not_be_executed_for_a_while);
	tcase_add_test(programs, a_file_that_is_no_program);
	tcase_add_test(programs, a_failed_exec_is_logged_with_its_step_and_not_for_each_worker);
	tcase_add_test(forks, fork_fails_by_a_pids_limit_and_all_are_back_soon_after_the_lift);
	tcase_add_test(forks, fork_fails_by_rlimit_nproc_and_all_are_back_soon_after_the_lift);
	tcase_add_test(hostile, a_worker_that_makes_stdio_non_blocking_spins_nobody);
	tcase_add_test(hostile, a_worker_that_closes_its_stdio_spins_nobody);
	tcase_add_test(hostile, noise_on_the_scoreboard_harms_nobody);
	tcase_add_test(hostile, a_scoreboard_that_is_removed_replaced_or_made_a_fifo_is_restored);
	tcase_add_test(hostile, a_slot_left_busy_by_a_dead_worker_is_cleared);
	return harness_main(suite);
}
