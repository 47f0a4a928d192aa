/* Going into the background: real processes, what each of them sees, and how the first one ends. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemonize.h"
#include "test_main.h"

#define FIRST_FOREIGN 3
#define LIMIT_MS      20000

/* One start: what the first process prints comes through err_fd, what the daemon finds out about
 * itself through note_fd (the one descriptor that it keeps). */
struct start {
	pid_t caller;
	int err_fd, note_fd;
	char text[4096];
};

/* What the daemon is to do; it ends with the result. */
typedef int behaviour(struct daemon *daemon, int note_fd);

static void make_pipe(int end[2])
{
	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
}

static void call(behaviour *behave, int err_fd, int note_fd)
{
	struct daemon daemon = DAEMON_OF_NOBODY;
	sigset_t none;
	int status;

	for (int i = 1; i < _NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(err_fd, STDERR_FILENO);
	/* where passed sockets would be */
	note_fd = fcntl(note_fd, F_DUPFD, 50);
	dup2(note_fd, FIRST_FOREIGN);
	status = daemonize_begin(&daemon, FIRST_FOREIGN + 1);
	if (status >= 0)
		_exit(status);
	alarm(2 * LIMIT_MS / 1000); /* nobody outlives a test that failed for long */
	_exit(behave(&daemon, FIRST_FOREIGN));
}

static void start_begin(struct start *start, behaviour *behave)
{
	int err_end[2], note_end[2];

	make_pipe(err_end);
	make_pipe(note_end);
	start->caller = fork();
	ck_assert_int_ge(start->caller, 0);
	if (start->caller == 0)
		call(behave, err_end[1], note_end[1]);
	close(err_end[1]);
	close(note_end[1]);
	start->err_fd = err_end[0];
	start->note_fd = note_end[0];
}

/* Everything until end of file, which must come in time. */
static const char *read_all(struct start *start, int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};
	size_t length = 0;
	ssize_t got = 1;

	while (got > 0) {
		ck_assert_int_eq(poll(&end, 1, (int)(LIMIT_MS * test_slowness())), 1);
		got = read(fd, start->text + length, sizeof(start->text) - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	start->text[length] = '\0';
	return start->text;
}

static void read_line(struct start *start, int fd)
{
	struct pollfd end = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&end, 1, (int)(LIMIT_MS * test_slowness())), 1);
	start->text[read(fd, start->text, sizeof(start->text) - 1)] = '\0';
}

static int wait_for_caller(struct start *start)
{
	int how = -1;

	ck_assert_int_eq(waitpid(start->caller, &how, 0), start->caller);
	return how;
}

static int start_end(struct start *start)
{
	int how = wait_for_caller(start);

	close(start->err_fd);
	close(start->note_fd);
	return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

/* --- a start that works --- */

static int be_ready(struct daemon *daemon, int note_fd)
{
	(void)note_fd;
	daemonize_report(daemon, EX_OK, "");
	daemonize_report(daemon, EX_SOFTWARE, "too late");
	return 3;
}

START_TEST(returns_0_when_the_daemon_is_ready)
{
	struct start start;

	start_begin(&start, be_ready);
	ck_assert_str_eq(read_all(&start, start.err_fd), "");
	ck_assert_int_eq(start_end(&start), 0);
}
END_TEST

static int be_ready_and_stay(struct daemon *daemon, int note_fd)
{
	daemonize_report(daemon, EX_OK, "");
	dprintf(note_fd, "%d\n", (int)getpid());
	pause();
	return 0;
}

START_TEST(nothing_of_the_caller_is_held_by_the_daemon)
{
	struct start start;
	pid_t daemon;

	start_begin(&start, be_ready_and_stay);
	/* both of its copies of standard error are closed: end of file while the daemon lives */
	ck_assert_str_eq(read_all(&start, start.err_fd), "");
	read_line(&start, start.note_fd);
	daemon = (pid_t)atoi(start.text);
	ck_assert_int_gt(daemon, 1);
	ck_assert_int_eq(kill(daemon, 0), 0);
	ck_assert_int_eq(WEXITSTATUS(wait_for_caller(&start)), 0);
	ck_assert_int_eq(kill(daemon, SIGKILL), 0);
	ck_assert_str_eq(read_all(&start, start.note_fd), "");
	close(start.err_fd);
	close(start.note_fd);
}
END_TEST

static int is_null(int fd)
{
	struct stat found, device;

	return fstat(fd, &found) == 0 && stat("/dev/null", &device) == 0 &&
	       S_ISCHR(found.st_mode) && found.st_rdev == device.st_rdev;
}

static int open_descriptors(int from, int except)
{
	int count = 0;

	for (int fd = from; fd < 1024; fd++)
		count += fd != except && fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int tell_of_itself(struct daemon *daemon, int note_fd)
{
	sigset_t mask;
	int subreaper = 0, blocked = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < _NSIG; i++)
		blocked += sigismember(&mask, i) == 1;
	dprintf(note_fd,
		"leads %d, terminal %d, null %d%d%d, foreign %d, subreaper %d, blocked %d\n",
		getsid(0) == getpid(), open("/dev/tty", O_RDWR) >= 0, is_null(0), is_null(1),
		is_null(2), open_descriptors(FIRST_FOREIGN + 1, daemon->caller_fd), subreaper,
		blocked);
	daemonize_report(daemon, EX_OK, "");
	return 0;
}

START_TEST(the_daemon_has_left_all_behind)
{
	struct start start;

	start_begin(&start, tell_of_itself);
	ck_assert_str_eq(read_all(&start, start.note_fd),
		"leads 0, terminal 0, null 111, foreign 0, subreaper 1, blocked 0\n");
	ck_assert_int_eq(start_end(&start), 0);
}
END_TEST

/* As on a kernel before 5.9: close_range(2) is there for nobody. For this test's own process, too.
 */
START_TEST(older_kernels_leave_all_behind_too)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	struct start start;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return; /* no way to try it here */
	start_begin(&start, tell_of_itself);
	ck_assert_ptr_nonnull(strstr(read_all(&start, start.note_fd), "foreign 0, "));
	ck_assert_int_eq(start_end(&start), 0);
}
END_TEST

static int tell_its_session(struct daemon *daemon, int note_fd)
{
	dprintf(note_fd, "%d\n", (int)getsid(0));
	daemonize_report(daemon, EX_OK, "");
	return 0;
}

START_TEST(the_daemon_is_in_a_session_of_its_own)
{
	struct start start;

	start_begin(&start, tell_its_session);
	ck_assert_int_ne(atoi(read_all(&start, start.note_fd)), (int)getsid(0));
	ck_assert_int_eq(start_end(&start), 0);
}
END_TEST

/* --- a start that fails --- */

static int tell_why_not(struct daemon *daemon, int note_fd)
{
	(void)note_fd;
	daemonize_report(daemon, EX_TEMPFAIL, "[pool:web]: 100% broken");
	daemonize_report(daemon, EX_OK, "");
	return 1;
}

static int tell_much(struct daemon *daemon, int note_fd)
{
	char text[100000];

	(void)note_fd;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	daemonize_report(daemon, EX_CANTCREAT, text);
	return 1;
}

static int exit_early(struct daemon *daemon, int note_fd)
{
	(void)daemon;
	(void)note_fd;
	return 9;
}

static int exit_0_early(struct daemon *daemon, int note_fd)
{
	(void)daemon;
	(void)note_fd;
	return 0;
}

static int die(struct daemon *daemon, int note_fd)
{
	(void)daemon;
	(void)note_fd;
	raise(SIGKILL);
	return 0;
}

static const struct failure {
	behaviour *behave;
	int status;
	const char *text;
} failures[] = {
	{tell_why_not, EX_TEMPFAIL, "preforkd: [pool:web]: 100% broken\n"},
	{tell_much, EX_CANTCREAT, "preforkd: xxxxxxxxxx"},
	{exit_early, EX_SOFTWARE, "preforkd: the daemon ended with status 9 before it was ready\n"},
	{exit_0_early, EX_SOFTWARE,
		"preforkd: the daemon ended with status 0 before it was ready\n"},
	{die, EX_SOFTWARE, "preforkd: the daemon was ended by KILL before it was ready\n"},
};

START_TEST(says_why_not)
{
	const struct failure *failure = &failures[_i];
	struct start start;

	start_begin(&start, failure->behave);
	read_all(&start, start.err_fd);
	ck_assert_msg(
		strncmp(start.text, failure->text, strlen(failure->text)) == 0, "%s", start.text);
	ck_assert_int_eq(start.text[strlen(start.text) - 1], '\n');
	ck_assert_int_eq(start_end(&start), failure->status);
}
END_TEST

static int fail_and_leave_slowly(struct daemon *daemon, int note_fd)
{
	daemonize_report(daemon, EX_TEMPFAIL, "no");
	poll(NULL, 0, 200);
	dprintf(note_fd, "left\n");
	return 1;
}

START_TEST(a_failure_is_told_when_the_daemon_is_gone)
{
	struct start start;
	int how;

	start_begin(&start, fail_and_leave_slowly);
	how = wait_for_caller(&start);
	ck_assert_int_eq(WEXITSTATUS(how), EX_TEMPFAIL);
	ck_assert_int_eq(fcntl(start.note_fd, F_SETFL, O_NONBLOCK), 0);
	read_line(&start, start.note_fd);
	ck_assert_str_eq(start.text, "left\n");
	close(start.err_fd);
	close(start.note_fd);
}
END_TEST

/* --- a start that somebody ends --- */

static int wait_for_term(struct daemon *daemon, int note_fd)
{
	sigset_t all;
	int number;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	dprintf(note_fd, "waits\n");
	sigwait(&all, &number);
	if (number == SIGTERM)
		daemonize_report(daemon, EX_TEMPFAIL, "stopped");
	return 0;
}

static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

START_TEST(a_signal_ends_the_start_and_then_the_caller)
{
	struct start start;
	int how;

	start_begin(&start, wait_for_term);
	read_line(&start, start.note_fd);
	ck_assert_int_eq(kill(start.caller, ending[_i]), 0);
	ck_assert_str_eq(read_all(&start, start.err_fd), "preforkd: stopped\n");
	how = wait_for_caller(&start);
	ck_assert(WIFSIGNALED(how));
	ck_assert_int_eq(WTERMSIG(how), ending[_i]);
	ck_assert_str_eq(read_all(&start, start.note_fd), "");
	close(start.err_fd);
	close(start.note_fd);
}
END_TEST

static int get_ready_all_the_same(struct daemon *daemon, int note_fd)
{
	sigset_t all;
	int number;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	dprintf(note_fd, "waits\n");
	sigwait(&all, &number);
	daemonize_report(daemon, EX_OK, "");
	return 0;
}

START_TEST(a_signal_that_came_too_late_is_no_failure)
{
	struct start start;

	start_begin(&start, get_ready_all_the_same);
	read_line(&start, start.note_fd);
	ck_assert_int_eq(kill(start.caller, SIGINT), 0);
	ck_assert_str_eq(read_all(&start, start.err_fd), "");
	ck_assert_int_eq(start_end(&start), 0);
}
END_TEST

static int tell_nobody(struct daemon *daemon, int note_fd)
{
	sigset_t term;
	int number;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	dprintf(note_fd, "%d\n", (int)getpid());
	sigwait(&term, &number);
	daemonize_report(daemon, EX_OK, "");
	dprintf(note_fd, "lives\n");
	return 0;
}

START_TEST(a_caller_that_was_killed_harms_nobody)
{
	struct start start;
	pid_t daemon;

	start_begin(&start, tell_nobody);
	read_line(&start, start.note_fd);
	daemon = (pid_t)atoi(start.text);
	kill(start.caller, SIGKILL);
	wait_for_caller(&start);
	ck_assert_int_eq(kill(daemon, SIGTERM), 0);
	ck_assert_str_eq(read_all(&start, start.note_fd), "lives\n");
	close(start.err_fd);
	close(start.note_fd);
}
END_TEST

START_TEST(nobodys_daemon_tells_nobody)
{
	struct daemon daemon = DAEMON_OF_NOBODY;

	daemonize_report(&daemon, EX_SOFTWARE, "nothing");
	ck_assert_int_eq(daemon.caller_fd, -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("daemonize");
	TCase *works = tcase_create("works");
	TCase *fails = tcase_create("fails");
	TCase *ended = tcase_create("ended");

	test_needs_kernel();
	tcase_add_test(works, returns_0_when_the_daemon_is_ready);
	tcase_add_test(works, nothing_of_the_caller_is_held_by_the_daemon);
	tcase_add_test(works, the_daemon_has_left_all_behind);
	tcase_add_test(works, older_kernels_leave_all_behind_too);
	tcase_add_test(works, the_daemon_is_in_a_session_of_its_own);
	tcase_add_test(works, nobodys_daemon_tells_nobody);
	tcase_add_loop_test(fails, says_why_not, 0, (int)(sizeof(failures) / sizeof(failures[0])));
	tcase_add_test(fails, a_failure_is_told_when_the_daemon_is_gone);
	tcase_add_loop_test(ended, a_signal_ends_the_start_and_then_the_caller, 0,
		(int)(sizeof(ending) / sizeof(ending[0])));
	tcase_add_test(ended, a_signal_that_came_too_late_is_no_failure);
	tcase_add_test(ended, a_caller_that_was_killed_harms_nobody);
	suite_add_tcase(suite, works);
	suite_add_tcase(suite, fails);
	suite_add_tcase(suite, ended);
	return test_main(suite);
}
