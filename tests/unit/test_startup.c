/* The first steps of a daemon, after whoever started it left a mess. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "startup.h"
#include "test_main.h"

#define KERNEL_SIGSET_BYTES ((_NSIG - 1) / 8)

static struct startup_limits limits;

static void prepare(void)
{
	struct errmsg err = {""};

	ck_assert_msg(startup_prepare(&limits, &err) == 0, "%s", err.text);
}

static bool is_null_device(int fd)
{
	struct stat found, device;

	return !fstat(fd, &found) && !stat("/dev/null", &device) &&
	       found.st_rdev == device.st_rdev && S_ISCHR(found.st_mode);
}

/* Runs a check in a process of its own, since Check needs its descriptors. */
static int in_child(int (*check)(int), int argument)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check(argument));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int fill_closed(int closed)
{
	int other = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	int fd;

	for (fd = 0; fd < 3; fd++) {
		dup2(other, fd);
		if (closed >> fd & 1)
			close(fd);
	}
	if (startup_prepare(&limits, NULL))
		return 1;
	for (fd = 0; fd < 3; fd++) {
		if (is_null_device(fd) != (closed >> fd & 1) || fcntl(fd, F_GETFD) != 0)
			return 2 + fd;
	}
	return 0;
}

/* Every combination of 0-2. */
START_TEST(closed_descriptors_become_null)
{
	ck_assert_int_eq(in_child(fill_closed, _i), 0);
}
END_TEST

static int foreign_become_cloexec(int unused)
{
	int number[] = {3, 9, 200, 777};
	int i;

	(void)unused;
	for (i = 0; i < 4; i++)
		dup2(0, number[i]);
	if (startup_prepare(&limits, NULL))
		return 1;
	for (i = 0; i < 4; i++) {
		if (fcntl(number[i], F_GETFD) != FD_CLOEXEC)
			return 2 + i;
	}
	for (i = 0; i < 3; i++) {
		if (fcntl(i, F_GETFD) != 0)
			return 6 + i;
	}
	return 0;
}

START_TEST(foreign_descriptors_become_cloexec)
{
	ck_assert_int_eq(in_child(foreign_become_cloexec, 0), 0);
}
END_TEST

/* As on a kernel before 5.11: close_range(2) is there for nobody. */
static int without_close_range(int unused)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 0; /* no way to try it here */
	return foreign_become_cloexec(unused);
}

START_TEST(older_kernels_do_too)
{
	ck_assert_int_eq(in_child(without_close_range, 0), 0);
}
END_TEST

START_TEST(dispositions_are_default)
{
	struct {
		void (*handler)(int);
		unsigned long rest[8];
	} ignore = {.handler = SIG_IGN}, found;
	int number;

	for (number = 1; number < _NSIG; number++)
		syscall(SYS_rt_sigaction, number, &ignore, NULL, KERNEL_SIGSET_BYTES);
	prepare();
	for (number = 1; number < _NSIG; number++) {
		memset(&found, 0, sizeof(found));
		syscall(SYS_rt_sigaction, number, NULL, &found, KERNEL_SIGSET_BYTES);
		ck_assert_msg(found.handler == SIG_DFL, "signal %d is not default", number);
	}
}
END_TEST

START_TEST(limits_are_remembered_and_raised)
{
	struct rlimit small, now;

	getrlimit(RLIMIT_NOFILE, &small);
	small.rlim_cur = 100;
	if (small.rlim_max == RLIM_INFINITY || small.rlim_max < 200)
		return;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &small), 0);
	prepare();
	ck_assert_uint_eq(limits.found[RLIMIT_NOFILE].rlim_cur, 100);
	ck_assert_uint_eq(limits.found[RLIMIT_NOFILE].rlim_max, small.rlim_max);
	ck_assert_uint_eq(limits.changed, 1ULL << RLIMIT_NOFILE);
	getrlimit(RLIMIT_NOFILE, &now);
	ck_assert_uint_eq(now.rlim_cur, small.rlim_max);
	getrlimit(RLIMIT_CORE, &now);
	ck_assert_uint_eq(limits.found[RLIMIT_CORE].rlim_cur, now.rlim_cur);
	/* once more, as after an upgrade: there is nothing left to raise */
	prepare();
	ck_assert_uint_eq(limits.changed, 0);
}
END_TEST

START_TEST(orphans_come_to_us)
{
	int subreaper = 0;

	prepare();
	ck_assert_int_eq(prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0), 0);
	ck_assert_int_eq(subreaper, 1);
}
END_TEST

static int no_null_device(int unused)
{
	struct rlimit none = {0, 0};
	struct errmsg err = {""};

	(void)unused;
	close(1);
	if (setrlimit(RLIMIT_NOFILE, &none))
		return 1;
	if (startup_prepare(&limits, &err) != -1 || errno != EMFILE)
		return 2;
	return strstr(err.text, "descriptor 1 is closed") ? 0 : 3;
}

START_TEST(what_cannot_be_filled_is_told)
{
	ck_assert_int_eq(in_child(no_null_device, 0), 0);
}
END_TEST

/* In a session of its own; with a terminal, `foreground` says in which process group of it. */
static int look_for_terminal(int with_terminal)
{
	int master, terminal;
	pid_t other;

	setsid();
	if (startup_foreground_of_terminal())
		return 1;
	if (!with_terminal)
		return 0;
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return 0; /* no terminals here */
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0))
		return 2;
	if (!startup_foreground_of_terminal())
		return 3;
	other = fork(); /* in the background: a process group of its own */
	if (other == 0) {
		setpgid(0, 0);
		_exit(startup_foreground_of_terminal() ? 4 : 0);
	}
	return waitpid(other, &with_terminal, 0) == other ? WEXITSTATUS(with_terminal) : 5;
}

START_TEST(the_foreground)
{
	ck_assert_int_eq(in_child(look_for_terminal, _i), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("startup");
	TCase *tests = tcase_create("startup");

	test_needs_kernel();
	tcase_add_loop_test(tests, closed_descriptors_become_null, 0, 8);
	tcase_add_test(tests, foreign_descriptors_become_cloexec);
	tcase_add_test(tests, older_kernels_do_too);
	tcase_add_test(tests, dispositions_are_default);
	tcase_add_test(tests, limits_are_remembered_and_raised);
	tcase_add_test(tests, orphans_come_to_us);
	tcase_add_test(tests, what_cannot_be_filled_is_told);
	tcase_add_loop_test(tests, the_foreground, 0, 2);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
