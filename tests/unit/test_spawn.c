/* Starting processes: they are what their plan says, and clean of everything else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "identity.h"
#include "spawn_fixture.h"
#include "test_main.h"

static unsigned long long inode_of(int fd)
{
	struct stat found;

	ck_assert_int_eq(fstat(fd, &found), 0);
	return found.st_ino;
}

static int count_words(const char *word)
{
	const char *place = text;
	int count = 0;

	for (; (place = strstr(place, word)); place++)
		count++;
	return count;
}

/* Also where the child cannot get a table of descriptors of its own from ours. */
START_TEST(a_worker_is_clean)
{
	pid_t pid;
	int i;

	reports.can_unshare &= _i;
	pid = run();
	has_line("pid %d group %d\n", (int)pid, (int)pid);
	has_line("SigBlk:\t0000000000000000\n");
	has_line("SigIgn:\t0000000000000000\n");
	has_line("SigPnd:\t0000000000000000\n");
	has_line("LISTEN_PID %d.\n", (int)pid);
	has_line("WATCHDOG_PID %d.\n", (int)pid);
	has_line("COLOUR blue.\n");
	for (i = 0; i < 3; i++)
		has_line("fd %d inode %llu\n", i, inode_of(default_fd[i]));
	ck_assert_int_eq(count_words("fd "), 3);
}
END_TEST

START_TEST(the_plan_stays_as_it_was)
{
	ck_assert_int_ne(run(), run());
	ck_assert_str_eq(listen_pid, "LISTEN_PID=" SPAWN_PID_BLANKS "  ");
	ck_assert_str_eq(watchdog_pid, "WATCHDOG_PID=" SPAWN_PID_BLANKS);
	ck_assert_int_eq(default_fd[1], output[1]);
}
END_TEST

START_TEST(a_pid_that_was_set_is_left_alone)
{
	static char set_already[] = "LISTEN_PID=5";
	static char short_room[] = "WATCHDOG_PID=   ";
	char *variables[] = {set_already, short_room, NULL};

	plan.envp = variables;
	run();
	has_line("LISTEN_PID 5.\n");
	has_line("WATCHDOG_PID    .\n");
}
END_TEST

START_TEST(everything_asked_for_is_set)
{
	struct rlimit limits[SPAWN_LIMITS];
	cpu_set_t cpus, ours;
	int cpu;

	getrlimit(RLIMIT_NOFILE, &limits[RLIMIT_NOFILE]);
	limits[RLIMIT_NOFILE].rlim_cur = 77;
	limits[RLIMIT_CORE] = (struct rlimit){0, 4096};
	plan.limits = limits;
	plan.limit_set = 1ULL << RLIMIT_NOFILE | 1ULL << RLIMIT_CORE;
	plan.directory = "/proc/self";
	plan.umask = 0137;
	plan.nice_set = true;
	plan.nice = 7;
	plan.oom_score_adj_set = true;
	plan.oom_score_adj = 123;
	plan.no_new_privileges = true;
	sched_getaffinity(0, sizeof(ours), &ours);
	for (cpu = 0; !CPU_ISSET(cpu, &ours); cpu++)
		;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	plan.cpus = &cpus;
	plan.cpus_bytes = sizeof(cpus);
	run();
	has_line("nofile 77 %lld\n", (long long)limits[RLIMIT_NOFILE].rlim_max);
	has_line("core 0 4096\n");
	has_line("folder /proc/");
	has_line("umask 137 nice 7 cpus 1\n");
	has_line("oom_score_adj 123\n");
	has_line("NoNewPrivs:\t1\n");
}
END_TEST

START_TEST(nothing_else_is_touched)
{
	struct rlimit nofile;
	mode_t mask = umask(0);
	char folder[PATH_MAX];

	umask(mask);
	getrlimit(RLIMIT_NOFILE, &nofile);
	run();
	has_line("nofile %lld %lld\n", (long long)nofile.rlim_cur, (long long)nofile.rlim_max);
	has_line("umask %o nice %d cpus ", (unsigned)mask, getpriority(PRIO_PROCESS, 0));
	has_line("folder %s\n", getcwd(folder, sizeof(folder)));
	has_line("uid %d gid %d\n", (int)getuid(), (int)getgid());
}
END_TEST

START_TEST(rights_are_dropped)
{
	gid_t groups[] = {65533, 65531};
	struct identity user = {
		.change = true, .uid = 65534, .gid = 65532, .groups = groups, .group_count = 2};

	if (geteuid() != 0)
		return;
	plan.identity = &user;
	plan.oom_score_adj_set = true; /* needs the rights that are dropped later */
	plan.oom_score_adj = 10;
	plan.directory = "/";
	plan.chroot = "/";
	if (access(self, X_OK))
		return;
	run();
	has_line("uid 65534 gid 65532\n");
	has_line("Groups:\t65531 65533 \n");
	has_line("oom_score_adj 10\n");
}
END_TEST

/* Sources of any number, inside the range of targets too, the same ones several times. */
START_TEST(descriptors_are_permuted)
{
	uint64_t random = test_seed();
	unsigned long long inode[MAX_FDS];
	int opened[MAX_FDS], wanted[MAX_FDS];
	int round, i, end[2];

	for (i = 0; i < MAX_FDS; i += 2) {
		ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
		opened[i] = end[0];
		opened[i + 1] = test_random_below(&random, 2)
					? end[1]
					: fcntl(end[1], F_DUPFD_CLOEXEC,
						  100 + (int)test_random_below(&random, 900));
	}
	for (round = 0; round < 60; round++) {
		plan.fd = wanted;
		plan.fd_count = 3 + (int)test_random_below(&random, MAX_FDS - 3);
		for (i = 0; i < plan.fd_count; i++) {
			wanted[i] = opened[test_random_below(&random, MAX_FDS)];
			if (test_random_below(&random, 4) == 0)
				wanted[i] = reports.read_fd;
			inode[i] = inode_of(wanted[i]);
		}
		wanted[1] = output[1];
		inode[1] = inode_of(output[1]);
		run();
		ck_assert_int_eq(count_words("fd "), plan.fd_count);
		for (i = 0; i < plan.fd_count; i++)
			has_line("fd %d inode %llu\n", i, inode[i]);
	}
}
END_TEST

START_TEST(descriptors_that_stay_where_they_are)
{
	int same[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	unsigned long long inode[10];
	int i, end[2], ours = dup(1);

	for (i = 0; i < 10; i += 2)
		ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0); /* so that 0-9 are open */
	dup3(output[1], 1, O_CLOEXEC);
	for (i = 0; i < 10; i++)
		inode[i] = inode_of(i);
	plan.fd = same;
	plan.fd_count = 10;
	run();
	dup2(ours, 1);
	for (i = 0; i < 10; i++)
		has_line("fd %d inode %llu\n", i, inode[i]);
	ck_assert_int_eq(count_words("fd "), 10);
}
END_TEST

/* A small limit for the worker does not hinder what comes before. */
START_TEST(descriptors_under_a_small_limit)
{
	struct rlimit limits[SPAWN_LIMITS];
	int wanted[] = {default_fd[0], 300, 2, 301, 4};

	dup3(output[1], 300, O_CLOEXEC);
	dup3(default_fd[0], 301, O_CLOEXEC);
	dup3(default_fd[0], 4, O_CLOEXEC);
	limits[RLIMIT_NOFILE] = (struct rlimit){8, 8};
	plan.limits = limits;
	plan.limit_set = 1ULL << RLIMIT_NOFILE;
	plan.fd = wanted;
	plan.fd_count = 5;
	run();
	has_line("nofile 8 8\n");
	ck_assert_int_eq(count_words("fd "), 5);
}
END_TEST

/* --- signals around the exec --- */

/* By both ways of making a child: with nice set it is fork(2). */
START_TEST(no_signal_is_lost)
{
	struct spawned spawned;
	int i, status;

	plan.argv = sleeper_argv;
	plan.nice_set = _i;
	for (i = 0; i < 150; i++) {
		spawned = start();
		ck_assert_int_eq(kill(spawned.pid, SIGTERM), 0);
		status = end_of(&spawned);
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), SIGTERM);
	}
}
END_TEST

/* By the kernel, since signal(3) refuses the C library's own two. */
static void ignore(int number)
{
	const uintptr_t ignoring[32] = {(uintptr_t)SIG_IGN};

	syscall(SYS_rt_sigaction, number, ignoring, NULL, (_NSIG - 1) / 8);
}

/* As a supervisor that was started with them ignored sees it. */
START_TEST(ignored_signals_are_reset)
{
	int number;

	for (number = 1; number < _NSIG; number++)
		ignore(number);
	signal(SIGCHLD, SIG_DFL);
	spawn_reports_close(&reports);
	ck_assert_int_eq(spawn_reports_open(&reports, NULL), 0);
	run();
	has_line("SigIgn:\t0000000000000000\n");
}
END_TEST

START_TEST(what_we_have_open_stays_open)
{
	int fd[300], i;

	for (i = 0; i < 300; i++)
		fd[i] = fcntl(0, F_DUPFD_CLOEXEC, i % 2 ? 0 : 500);
	run();
	ck_assert_int_eq(count_words("fd "), 3);
	for (i = 0; i < 300; i++)
		ck_assert_int_eq(close(fd[i]), 0);
}
END_TEST

START_TEST(many_starts_leave_nothing)
{
	struct spawned spawned[200];
	int before = dup(0), after, i;

	close(before);
	plan.argv = sleeper_argv;
	for (i = 0; i < 200; i++)
		spawned[i] = start();
	for (i = 0; i < 200; i++)
		kill(spawned[i].pid, SIGKILL);
	for (i = 0; i < 200; i++)
		ck_assert(WIFSIGNALED(end_of(&spawned[i])));
	after = dup(0);
	ck_assert_int_eq(after, before);
}
END_TEST

/* --- the same, in this process --- */

START_TEST(becoming_the_program)
{
	struct errmsg err;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		plan.umask = 027;
		spawn_become(&plan, &err);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_gt(read(output[0], text, sizeof(text) - 1), 0);
	has_line("pid %d group %d\n", (int)pid, (int)getpgrp());
	has_line("LISTEN_PID %d.\n", (int)pid);
	has_line("umask 27 ");
	has_line("SigIgn:\t0000000000000000\n");
	has_line("SigBlk:\t0000000000000000\n");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("spawn");
	TCase *tests = tcase_create("spawn");

	spawn_fixture_main(argc, argv);
	tcase_add_checked_fixture(tests, spawn_fixture_setup, spawn_fixture_teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, a_worker_is_clean, 0, 2);
	tcase_add_test(tests, the_plan_stays_as_it_was);
	tcase_add_test(tests, a_pid_that_was_set_is_left_alone);
	tcase_add_test(tests, everything_asked_for_is_set);
	tcase_add_test(tests, nothing_else_is_touched);
	tcase_add_test(tests, rights_are_dropped);
	tcase_add_test(tests, descriptors_are_permuted);
	tcase_add_test(tests, descriptors_that_stay_where_they_are);
	tcase_add_test(tests, descriptors_under_a_small_limit);
	tcase_add_loop_test(tests, no_signal_is_lost, 0, 2);
	tcase_add_test(tests, ignored_signals_are_reset);
	tcase_add_test(tests, what_we_have_open_stays_open);
	tcase_add_test(tests, many_starts_leave_nothing);
	tcase_add_test(tests, becoming_the_program);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
