/* Processes in strange conditions: no descriptors left, frozen, numbers used again, init of a
 * namespace, a hostile user. */
#include "namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define QUICK     "min_uptime = 20ms\nerr_respawn_interval = 20ms\nerr_respawn_max = 100ms\n"
#define is_root() (geteuid() == 0)

static const char *const no_arguments[] = {NULL};

static void kill_all_workers(void)
{
	pid_t pids[MANY_WORKERS];

	for (int i = workers(pids) - 1; i >= 0; i--)
		kill(pids[i], SIGKILL);
}

/* --- descriptors --- */

START_TEST(no_descriptors_for_a_while)
{
	struct rlimit before, none;

	config("[pool:web]\nmax_workers = 4\nstdout = log\n" QUICK "command = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 4);
	nap_ms(slow_ms(50));
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, NULL, &before), 0);
	none = (struct rlimit){.rlim_cur = 4, .rlim_max = before.rlim_max};
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &none, NULL), 0);
	kill_all_workers();
	WAIT_FOR(log_has("Too many open files"));
	nap_ms(300);
	ck_assert(daemon_alive());
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &before, NULL), 0);
	WAIT_FOR_WITHIN(5000, worker_count() == 4);
	WAIT_FOR(process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(descriptors_do_not_grow)
{
	int before;

	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 4\nstdout = log\n"
	       "stderr = @dir@/err\nsockets = s\n" QUICK "command = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 4);
	nap_ms(slow_ms(50));
	before = process_descriptors(daemon_pid());
	for (int i = 0; i < 10; i++) {
		kill_all_workers();
		WAIT_FOR(worker_count() == 4 && process_zombies() == 0);
		nap_ms(slow_ms(40));
	}
	WAIT_FOR(process_descriptors(daemon_pid()) <= before);
	EXPECT_STOP();
}
END_TEST

/* --- frozen --- */

START_TEST(a_frozen_worker_stays_counted_and_the_stop_ends)
{
	const char *group = cgroup_make("freezer");

	SKIP_UNLESS(group, "no writable freezer control group");
	config("[pool:web]\nmax_workers = 3\nstop_timeout = 300ms\n" QUICK "command = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 3);
	nap_ms(slow_ms(50));
	pid_t frozen = worker_of("web", 1);

	ck_assert(cgroup_set(group, "cgroup.procs", "%d", (int)frozen));
	ck_assert(cgroup_freeze(group, true));
	kill(frozen, SIGKILL);
	kill(worker_of("web", 0), SIGKILL);
	HOLDS_FOR(400, worker_count() <= 3 && board_pid("web", 1) == frozen);
	WAIT_FOR(worker_count() == 3);
	daemon_kill(SIGTERM);
	nap_ms(slow_ms(1500));
	/* it has either given up with a status that says so, or waits for what cannot be killed */
	if (!daemon_alive())
		ck_assert_int_ne(daemon_wait(), 70);
	ck_assert(cgroup_freeze(group, false));
	int status = daemon_wait();

	ck_assert_msg(status == 0 || status == 71, "status %d", status);
	WAIT_FOR_WITHIN(1000, process_left() == 0);
}
END_TEST

/* --- a namespace of its own --- */

static bool kernel_is_at_least(int major, int minor)
{
	struct utsname name;
	int is_major, is_minor;

	return uname(&name) == 0 && sscanf(name.release, "%d.%d", &is_major, &is_minor) == 2 &&
	       (is_major > major || (is_major == major && is_minor >= minor));
}

START_TEST(used_pids_are_used_again_and_no_stranger_is_hit)
{
	char text[2000];

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	SKIP_UNLESS(kernel_is_at_least(6, 14), "pid_max is not by namespace before Linux 6.14");
	config("[pool:web]\nmax_workers = 20\ncrash_loop = backoff\nmin_uptime = 20ms\n"
	       "err_respawn_interval = 1ms\nerr_respawn_max = 1ms\nstop_timeout = 1s\n"
	       "command = @worker@ touch @dir@/started fork-child exit 1\n");
	snprintf(text, sizeof(text),
		"echo 400 >/proc/sys/kernel/pid_max || exit 99\n"
		"for i in 1 2 3 4 5 6 7 8 9 10; do '%s' stay signals '%s' & done\n"
		"\"$0\" -c \"$1\"\necho supervisor $?; sleep 0.1; grep -c . /dev/null; exit 0",
		worker_program(), path_of("strangers"));
	pid_t unshare_pid = start_in_namespace(text);

	WAIT_FOR(file_count("strangers", " ready") == 10);
	WAIT_FOR(file_count("started", "\n") > 1500);
	ck_assert_int_eq(file_count("strangers", "\n"), 10); /* no other line: no signal */
	ck_assert_int_eq(file_count("log.err", "stranger"), 0);
	pid_t pids[MANY_WORKERS];
	pid_t shell = only_child(unshare_pid);
	int strangers = 0;

	for (int i = process_children(shell, pids) - 1; i >= 0; i--)
		strangers += process_runs(pids[i]);
	ck_assert_int_eq(strangers, 11); /* the supervisor too */
}
END_TEST

START_TEST(as_process_1_it_reaps_orphans_and_touches_no_slot_for_them)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config("[pool:web]\nmax_workers = 2\nstop_timeout = 2s\n"
	       "command = sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do ( @worker@ sleep 20 exit $i & "
	       "); "
	       "done; exec @worker@ signals @dir@/got'\n");
	pid_t unshare_pid = start_in_namespace("exec \"$0\" -c \"$1\"");

	WAIT_FOR(file_count("got", " ready") == 2);
	daemon_is(only_child(unshare_pid));
	ck_assert_int_gt(daemon_pid(), 1);
	WAIT_FOR_WITHIN(2000, process_zombies() == 0 && process_family() == 4);
	HOLDS_FOR(100, worker_count() == 2);
	ck_assert_int_eq(file_count("got", " ready"), 2);
	kill(daemon_pid(), SIGTERM);
	ck_assert_int_eq(program_wait(unshare_pid), 0);
	ck_assert_int_eq(file_count("got", " TERM"), 2);
}
END_TEST

/* --- a hostile user --- */

static void become_stranger(void)
{
	if (setgid(lonely_user()) < 0 || setuid(lonely_user()) < 0)
		_exit(125);
}

START_TEST(a_worker_user_who_stops_everything_stops_not_the_supervisor)
{
	static const char *const stopping[] = {
		"/bin/sh", "-c", "while :; do kill -STOP -1; done", NULL};

	SKIP_UNLESS(is_root(), "only root can become another user");
	config("[pool:theirs]\nmax_workers = 2\nuser = %d\ngroup = %d\n" QUICK
	       "crash_loop = backoff\nstop_timeout = 500ms\nstart_timeout = 1s\n"
	       "command = @worker@ exit-after 10 1\n"
	       "[pool:ours]\nmax_workers = 1\n" QUICK "command = @worker@\n",
		(int)lonely_user(), (int)lonely_user());
	daemon_start();
	WAIT_FOR(worker_count_of("ours") == 1);
	/* sh's `kill -1` spares itself */
	pid_t hostile = program_start("hostile", become_stranger, stopping);

	for (int i = 0; i < 5; i++) {
		nap_ms(200);
		kill(worker_of("ours", 0), SIGKILL);
		WAIT_FOR_WITHIN(2000, worker_count_of("ours") == 1);
	}
	ck_assert(daemon_alive());
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	kill(hostile, SIGKILL);
	program_wait(hostile);
}
END_TEST

static void keep_secrets_open(void)
{
	/* not CLOEXEC: a supervisor is often started so */
	open("/etc/passwd", O_RDONLY);
}

START_TEST(descriptors_that_the_supervisor_was_started_with_do_not_leak)
{
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ report @dir@/report\n");
	daemon_start_as(keep_secrets_open, no_arguments);
	WAIT_FOR(file_exists("report"));
	ck_assert(!file_has("report", "/etc/passwd"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("processes");
	TCase *descriptors = harness_case(suite, "descriptors");
	TCase *frozen = harness_case(suite, "frozen");
	TCase *namespace = harness_case(suite, "namespaces");
	TCase *hostile = harness_case(suite, "hostile users");

	tcase_add_test(descriptors, no_descriptors_for_a_while);
	tcase_add_test(descriptors, descriptors_do_not_grow);
	tcase_add_test(descriptors, descriptors_that_the_supervisor_was_started_with_do_not_leak);
	tcase_add_test(frozen, a_frozen_worker_stays_counted_and_the_stop_ends);
	tcase_add_test(namespace, used_pids_are_used_again_and_no_stranger_is_hit);
	tcase_add_test(namespace, as_process_1_it_reaps_orphans_and_touches_no_slot_for_them);
	tcase_add_test(hostile, a_worker_user_who_stops_everything_stops_not_the_supervisor);
	return harness_main(suite);
}
