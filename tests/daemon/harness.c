/*
 * The frame of a test against the real preforkd: its folder, its supervisor, its janitor. Rule: no
 * process outlives its test, however the test ends. So each test forks a janitor in a session of
 * its own, which waits for the test's end on a pipe and then kills whatever still names the test's
 * folder in its environment or its arguments. Must not touch any other process.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness_inside.h"

#define ARGUMENTS_MAX    32
#define TEST_TIMEOUT_SEC 60
#define LAST_LIMIT_MS    20000 /* for the end of a process */
#define AFTER_THE_END_MS 1000  /* what is waited for after the supervisor's end */

static struct {
	pid_t supervisor;
	bool ended;
	int status;
	pid_t janitor;
	int janitor_fd; /* closing it starts the janitor; a byte before says that all went well */
} test = {.janitor_fd = -1};

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void nap_ms(int64_t ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

int64_t slow_ms(int64_t ms)
{
	const char *slowness = getenv("PREFORKD_TEST_SLOWNESS");
	double factor = slowness ? strtod(slowness, NULL) : 1;

	return factor > 1 ? (int64_t)((double)ms * factor) : ms;
}

/* Notices the supervisor's end without reaping it. */
static bool supervisor_ended(void)
{
	siginfo_t info = {.si_pid = 0};

	if (test.supervisor == 0 || test.ended)
		return true;
	if (waitid(P_PID, (id_t)test.supervisor, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return !process_runs(test.supervisor);
	return info.si_pid != 0;
}

int64_t harness_nap(int64_t until)
{
	int64_t soon = now_ms() + slow_ms(AFTER_THE_END_MS);

	nap_ms(2);
	return test.supervisor && supervisor_ended() && soon < until ? soon : until;
}

void harness_skipped(const char *reason)
{
	fprintf(stderr, "SKIP: %s: %s\n", tcase_name(), reason);
}

/* --- the supervisor --- */

static void redirect(const char *name, const char *suffix, int to)
{
	int fd = open(path_of("%s%s", name, suffix), O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0 || dup2(fd, to) < 0)
		_exit(126);
	if (fd != to)
		close(fd);
}

/* Check's handlers, called in a child that got a signal before exec, would kill the test. */
static void clean_signals(const sigset_t *mask)
{
	for (int i = 1; i < _NSIG; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static pid_t start(const char *out, const char *err, void (*prepare)(void), char *const argv[])
{
	pid_t tester = getpid();
	sigset_t all, mask;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid_t pid = fork();

	if (pid != 0) {
		sigprocmask(SIG_SETMASK, &mask, NULL);
		ck_assert_int_gt(pid, 0);
		return pid;
	}
	clean_signals(&mask);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != tester)
		_exit(126);
	setpgid(0, 0);
	redirect(out, "", STDOUT_FILENO);
	redirect(err, "", STDERR_FILENO);
	close(STDIN_FILENO);
	if (open("/dev/null", O_RDONLY) != STDIN_FILENO)
		_exit(126);
	setenv("PREFORKD_TEST_FOLDER", test_folder(), 1);
	if (prepare)
		prepare();
	execv(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

pid_t program_start(const char *name, void (*prepare)(void), const char *const argv[])
{
	char out[128], err[128];

	snprintf(out, sizeof(out), "%s.out", name);
	snprintf(err, sizeof(err), "%s.err", name);
	return start(out, err, prepare, (char *const *)argv);
}

int program_wait(pid_t pid)
{
	int64_t until = now_ms() + slow_ms(LAST_LIMIT_MS);
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() >= until)
			return -1;
		nap_ms(1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void daemon_start_as(void (*prepare)(void), const char *const arguments[])
{
	const char *argv[ARGUMENTS_MAX] = {preforkd_program(), "-c", path_of("app.ini")};
	int count = 3;

	for (int i = 0; arguments[i]; i++) {
		ck_assert_int_lt(count, ARGUMENTS_MAX - 1);
		argv[count++] = arguments[i];
	}
	test.supervisor = start("out", "log", prepare, (char *const *)argv);
	test.ended = false;
}

void daemon_start(void)
{
	static const char *const none[] = {NULL};

	daemon_start_as(NULL, none);
}

pid_t daemon_pid(void)
{
	return test.supervisor;
}

void daemon_is(pid_t pid)
{
	test.supervisor = pid;
	test.ended = false;
}

void daemon_kill(int signal_number)
{
	ck_assert_int_gt(test.supervisor, 1);
	ck_assert_msg(!test.ended && kill(test.supervisor, signal_number) == 0,
		"the supervisor is not there");
}

bool daemon_alive(void)
{
	return !supervisor_ended();
}

int daemon_wait(void)
{
	if (!test.ended)
		test.status = program_wait(test.supervisor);
	test.ended = test.status >= 0;
	return test.status;
}

bool config_is_later(void)
{
	return preforkd_run("-c", path_of("app.ini"), "-t") == 78 &&
	       file_has("run.err", "not available in this version");
}

int preforkd_run_as(void (*prepare)(void), const char *const arguments[])
{
	const char *argv[ARGUMENTS_MAX] = {preforkd_program()};
	int count = 1;

	for (; arguments[count - 1]; count++) {
		ck_assert_int_lt(count, ARGUMENTS_MAX - 1);
		argv[count] = arguments[count - 1];
	}
	unlink(path_of("run.out"));
	unlink(path_of("run.err"));
	return program_wait(start("run.out", "run.err", prepare, (char *const *)argv));
}

/* --- the janitor --- */

static void show_log(const char *name)
{
	const char *text = file_text(name);
	size_t length = strlen(text);

	if (length == 0)
		return;
	if (length > 6000)
		text += length - 6000;
	fprintf(stderr, "--- %s ---\n%s", name, text);
}

static void clean(bool passed)
{
	if (!passed) {
		show_log("log");
		show_log("run.err");
	}
	cgroups_thaw();
	/* what was killed may have been about to start another */
	for (int i = 0; i < 500 && janitor_kill_all(test_folder()) > 0; i++)
		nap_ms(5);
	cgroups_remove();
	if (!getenv("PREFORKD_TEST_KEEP"))
		folder_remove(test_folder());
	else if (!passed)
		fprintf(stderr, "--- kept: %s ---\n", test_folder());
}

/* The test's end: a byte, or the end of its process. The pipe alone would not do: a child that
 * hangs before its exec holds it open. */
static bool wait_for_the_end(int fd, int test_pidfd)
{
	struct pollfd ends[] = {{.fd = fd, .events = POLLIN}, {.fd = test_pidfd, .events = POLLIN}};
	char passed = 0;

	while (poll(ends, 2, -1) <= 0)
		;
	return (ends[0].revents & POLLIN) && read(fd, &passed, 1) == 1 && passed;
}

static void janitor_start(void)
{
	/* CLOEXEC by itself; -1: poll() passes over it */
	int test_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int pipe_fds[2];

	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	test.janitor = fork();
	ck_assert_int_ge(test.janitor, 0);
	if (test.janitor > 0) {
		close(pipe_fds[0]);
		close(test_pidfd);
		test.janitor_fd = pipe_fds[1];
		return;
	}
	setsid();
	for (int i = 1; i < _NSIG; i++)
		signal(i, i == SIGCHLD ? SIG_DFL : SIG_IGN);
	close(pipe_fds[1]);
	clean(wait_for_the_end(pipe_fds[0], test_pidfd));
	_exit(0);
}

static void setup(void)
{
	folder_make();
	lonely_user();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	janitor_start();
}

static void teardown(void)
{
	static const char passed = 1;

	/* in Check's no-fork mode this is called after a failure too; then the log is not shown */
	if (write(test.janitor_fd, &passed, 1) != 1)
		fprintf(stderr, "the janitor has gone\n");
	close(test.janitor_fd);
	while (waitpid(test.janitor, NULL, 0) < 0 && errno == EINTR)
		;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	test.supervisor = 0;
	test.ended = false;
}

pid_t janitor_pid(void)
{
	return test.janitor;
}

uid_t lonely_user(void)
{
	static uid_t uid;

	if (!uid)
		uid = 20000 + (uid_t)getpid() % 40000;
	return uid;
}

TCase *harness_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, (double)slow_ms(TEST_TIMEOUT_SEC * 1000) / 1000);
	suite_add_tcase(suite, tcase);
	return tcase;
}

/* The janitors of tests that failed come to us; what a clean environment hid from them, too. */
static void wait_for_janitors(void)
{
	pid_t left[MANY_WORKERS];
	int64_t until = now_ms() + slow_ms(10000);
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && now_ms() < until) {
		if (pid == 0)
			nap_ms(5);
	}
	for (int i = process_children(getpid(), left) - 1; i >= 0; i--)
		kill(left[i], SIGKILL);
}

int harness_main(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	if (access(preforkd_program(), X_OK) < 0) {
		fprintf(stderr, "SKIP: no program %s\n", preforkd_program());
		srunner_free(runner);
		return 77;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	if (getenv("PREFORKD_TEST_LONG"))
		puts("form: thorough");
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	wait_for_janitors();
	return failed > 0;
}
