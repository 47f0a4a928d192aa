/* What was found by trying to break the daemon by hand, so that it stays mended. */
#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

START_TEST(who_was_stopped_with_the_supervisor_gets_a_moment)
{
	config("[pool:web]\nmax_workers = 1\ntimeout = 1s\n"
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(file_count("got", " ready ") == 1);
	pid_t worker = worker_of("web", 0);

	/* as by a freezer; the supervisor comes back first */
	kill(worker, SIGSTOP);
	nap_ms(100); /* its last sign is seen */
	daemon_kill(SIGSTOP);
	nap_ms(2500);
	daemon_kill(SIGCONT);
	nap_ms(300);
	kill(worker, SIGCONT);
	HOLDS_FOR(1500, process_runs(worker));
	ck_assert(log_has("no worker is held to account for it"));
	/* and it is killed all the same when it hangs */
	kill(worker, SIGSTOP);
	WAIT_FOR(!process_runs(worker));
	EXPECT_STOP();
}
END_TEST

/* Nothing more can be watched by epoll(7): no memory, or fs.epoll.max_user_watches reached. */
static void without_watches(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	/* where there is no way to do that, the test is one of quiet times */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

START_TEST(nothing_that_can_be_watched_leaves_a_slower_supervisor)
{
	config("[pool:web]\nmax_workers = 2\nstdout = log\nmin_uptime = 20ms\n"
	       "command = @worker@ print 1 10 state _ signals @dir@/got\n");
	daemon_start_as(without_watches, (const char *const[]){NULL});
	WAIT_FOR(file_count("got", " ready ") == 2 && log_count("line 0") == 2);
	WAIT_FOR(log_has("ready: the first workers"));
	for (int i = 0; i < 3; i++) {
		nap_ms(slow_ms(50));
		kill(worker_of("web", i % 2), SIGKILL);
		WAIT_FOR(file_count("got", " ready ") == 3 + i);
		WAIT_FOR(log_count("line 0") == 3 + i && worker_count() == 2);
	}
	ck_assert_int_eq(process_zombies(), 0);
	EXPECT_STOP();
	ck_assert_int_eq(file_count("got", " TERM "), 2);
}
END_TEST

/* They were promised more descriptors than they got: what is opened meanwhile is no socket. */
static void promised_too_many(void)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "12", 1);
	setenv("LISTEN_FDNAMES", "main:main", 1);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
}

START_TEST(nothing_of_our_own_is_taken_for_a_socket_passed_in)
{
	config("log_file = @dir@/app.log\n[socket:main]\nlisten = unix:@dir@/main\n"
	       "[pool:web]\nmax_workers = 1\nsockets = main\ncommand = @worker@ http\n");
	daemon_start_as(promised_too_many, (const char *const[]){NULL});
	WAIT_FOR(worker_count() == 1);
	ck_assert(file_exists("main"));
	ck_assert(!file_has("app.log", "passed"));
	EXPECT_STOP();
	ck_assert(file_has("app.log", "stopped"));
}
END_TEST

/* Both are written anew and removed at exit. */
START_TEST(the_configuration_is_no_place_for_a_scoreboard_or_a_pid)
{
	config("pid_file = app.ini\n[pool:web]\nmax_workers = 1\ncommand = @worker@\n"
	       "scoreboard_file = ./app.ini\n");
	daemon_start();
	EXPECT_EXIT(78);
	ck_assert(log_has("[preforkd] pid_file: ") && log_has("[pool:web] scoreboard_file: "));
	ck_assert_int_eq(log_count("is the configuration\n"), 2);
	ck_assert(file_has("app.ini", "[pool:web]"));
}
END_TEST

START_TEST(signals_that_are_ignored_too_often_to_be_told_are_counted)
{
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(log_has("ready: "));
	daemon_kill(SIGALRM);
	WAIT_FOR(log_has("ALRM from pid"));
	daemon_kill(SIGIO);
	daemon_kill(SIGVTALRM);
	nap_ms(1100);
	daemon_kill(SIGPROF);
	WAIT_FOR(log_has("PROF from pid"));
	ck_assert(log_has("(and 2 more before)"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("findings");
	TCase *faults = harness_case(suite, "faults");
	TCase *files = harness_case(suite, "files");
	TCase *times = harness_case(suite, "times");

	tcase_add_test(files, the_configuration_is_no_place_for_a_scoreboard_or_a_pid);
	tcase_add_test(faults, signals_that_are_ignored_too_often_to_be_told_are_counted);
	tcase_add_test(times, who_was_stopped_with_the_supervisor_gets_a_moment);
	tcase_add_test(faults, nothing_that_can_be_watched_leaves_a_slower_supervisor);
	tcase_add_test(faults, nothing_of_our_own_is_taken_for_a_socket_passed_in);
	return harness_main(suite);
}
