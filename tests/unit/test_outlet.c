/*
 * Writing without waiting to everything that a log can be: full and dead pipes, sockets, stopped
 * terminals, full files, removed files. Time stands still unless a test moves it.
 */
#include "outlet.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include "errmsg.h"
#include "sys.h"
#include "test_files.h"
#include "test_main.h"

static int64_t now_ms = 1000000;
static struct test_dir dir;
static struct errmsg err;
static struct outlet outlet;

int64_t sys_now_ms(void)
{
	return now_ms;
}

static void setup(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	sigprocmask(SIG_BLOCK, &all, NULL);
	test_dir_make(&dir);
}

static void teardown(void)
{
	outlet_close(&outlet);
	test_dir_remove(&dir);
}

static int put(const char *text)
{
	struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};

	return outlet_write(&outlet, &part, 1);
}

static void check_file(const char *path, const char *wanted)
{
	char text[4096];

	test_read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, wanted);
}

static void check_nothing_pending(void)
{
	sigset_t pending;

	ck_assert_int_eq(sigpending(&pending), 0);
	ck_assert(!sigismember(&pending, SIGPIPE));
	ck_assert(!sigismember(&pending, SIGXFSZ));
}

/* Writes until nothing goes any more; the number of lines that went. */
static int fill(const char *line)
{
	int lines = 0;

	while (put(line) == 0)
		lines++;
	ck_assert_int_eq(errno, EAGAIN);
	return lines;
}

static void drain(int fd)
{
	char bytes[4096];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

/* --- pipes and sockets --- */

START_TEST(a_full_pipe)
{
	int end[2];

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	outlet_borrow(&outlet, end[1]);
	ck_assert_int_eq(outlet.kind, OUTLET_OWN);
	ck_assert(outlet.owned);
	ck_assert_int_eq(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ge(fill("a line\n"), 4096 / 7);
	drain(end[0]);
	ck_assert_int_eq(put("more\n"), 0);
	close(end[0]);
	ck_assert_int_eq(put("nobody reads\n"), -1);
	ck_assert_int_eq(errno, EPIPE);
	check_nothing_pending();
	close(end[1]);
}
END_TEST

/* As where there is no /proc. */
START_TEST(a_full_pipe_that_is_shared)
{
	int end[2];
	char *line = malloc(10002);

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	outlet = (struct outlet){.fd = end[1], .kind = OUTLET_SHARED};
	fill("a line\n");
	drain(end[0]);
	memset(line, 'x', 10000);
	memcpy(line + 10000, "\n", 2);
	ck_assert_int_eq(put(line), 0);
	fill(line);
	ck_assert(outlet.torn);
	close(end[0]);
	ck_assert_int_eq(put("nobody reads\n"), -1);
	ck_assert_int_eq(errno, EPIPE);
	check_nothing_pending();
	close(end[1]);
	free(line);
}
END_TEST

START_TEST(a_dead_pipe_from_the_beginning)
{
	int end[2];

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	close(end[0]);
	outlet_borrow(&outlet, end[1]);
	ck_assert_int_eq(put("nobody reads\n"), -1);
	ck_assert_int_eq(errno, EPIPE);
	check_nothing_pending();
	close(end[1]);
}
END_TEST

START_TEST(a_socket)
{
	int end[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end), 0);
	outlet_borrow(&outlet, end[1]);
	ck_assert_int_eq(outlet.kind, OUTLET_SOCKET);
	ck_assert_int_gt(fill("a line\n"), 10);
	ck_assert_int_eq(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0);
	drain(end[0]);
	ck_assert_int_eq(put("more\n"), 0);
	close(end[0]);
	ck_assert_int_eq(put("nobody reads\n"), -1);
	check_nothing_pending();
	close(end[1]);
}
END_TEST

START_TEST(a_closed_descriptor)
{
	int fd = dup(2);

	close(fd);
	outlet_borrow(&outlet, fd);
	ck_assert_int_eq(put("x\n"), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* Another description would write over what others write through this one. */
START_TEST(an_inherited_file_keeps_its_offset)
{
	int fd = open(test_path(&dir, "out"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	outlet_borrow(&outlet, fd);
	ck_assert_int_eq(outlet.fd, fd);
	ck_assert_int_eq(put("ours\n"), 0);
	ck_assert_int_eq(write(fd, "theirs\n", 7), 7);
	ck_assert_int_eq(put("ours\n"), 0);
	check_file(test_path(&dir, "out"), "ours\ntheirs\nours\n");
	outlet_close(&outlet);
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* --- terminals --- */

static int open_terminal(int *master)
{
	int fd;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0)
		return -1;
	fd = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd;
}

START_TEST(a_stopped_terminal)
{
	int master, fd = open_terminal(&master);

	if (fd < 0)
		return;
	outlet_borrow(&outlet, fd);
	ck_assert_int_eq(outlet.kind, OUTLET_TERMINAL);
	ck_assert_int_eq(put("hello\n"), 0);
	ck_assert_int_eq(tcflow(fd, TCOOFF), 0);
	ck_assert_int_ge(fill("a line\n"), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	outlet_close(&outlet);
	outlet = (struct outlet){.fd = fd, .kind = OUTLET_SHARED};
	ck_assert_int_eq(put("a line\n"), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(tcflow(fd, TCOON), 0);
	close(fd);
	close(master);
}
END_TEST

/* In the background of a terminal with tostop, where a plain write is answered by SIGTTOU. */
static void write_in_background(int fd)
{
	sigset_t none;

	sigemptyset(&none);
	setpgid(0, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
	outlet_borrow(&outlet, fd);
	_exit(put("from behind\n") == 0 ? 0 : 1);
}

static void lead_session(const char *terminal)
{
	struct termios modes;
	int fd, status;
	pid_t child;

	setsid();
	fd = open(terminal, O_RDWR);
	tcgetattr(fd, &modes);
	modes.c_lflag |= TOSTOP;
	tcsetattr(fd, TCSANOW, &modes);
	child = fork();
	if (child == 0)
		write_in_background(fd);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGKILL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
}

START_TEST(a_terminal_that_stops_the_background)
{
	int master, status, fd = open_terminal(&master);
	pid_t leader;

	if (fd < 0)
		return;
	leader = fork();
	if (leader == 0)
		lead_session(ptsname(master));
	ck_assert_int_eq(waitpid(leader, &status, 0), leader);
	ck_assert_int_eq(status, 0);
	close(fd);
	close(master);
}
END_TEST

/* --- files --- */

START_TEST(a_file_that_is_removed)
{
	const char *path = test_path(&dir, "log");

	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), 0);
	ck_assert_int_eq(put("one\n"), 0);
	ck_assert_int_eq(unlink(path), 0);
	now_ms += 1000;
	ck_assert_int_eq(put("two\n"), 0);
	check_file(path, "two\n");
}
END_TEST

START_TEST(a_folder_that_is_removed)
{
	const char *path = test_path(&dir, "d/log");

	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(test_path(&dir, "d")), 0);
	now_ms += 1000;
	ck_assert_int_eq(put("lost\n"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(outlet.fd, -1);
	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	ck_assert_int_eq(put("lost, too soon\n"), -1);
	now_ms += 1000;
	ck_assert_int_eq(put("back\n"), 0);
	check_file(path, "back\n");
}
END_TEST

START_TEST(a_file_that_is_renamed)
{
	const char *path = test_path(&dir, "log");

	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), 0);
	ck_assert_int_eq(put("one\n"), 0);
	ck_assert_int_eq(rename(path, test_path(&dir, "log.1")), 0);
	now_ms += 5000;
	ck_assert_int_eq(put("two\n"), 0);
	check_file(test_path(&dir, "log.1"), "one\ntwo\n");
	ck_assert_int_eq(outlet_reopen(&outlet, &err), 0);
	ck_assert_int_eq(put("three\n"), 0);
	check_file(path, "three\n");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(outlet_reopen(&outlet, &err), -1);
	ck_assert_int_ge(outlet.fd, 0);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_yet)
{
	const char *path = test_path(&dir, "d/log");

	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), -1);
	ck_assert_int_eq(put("lost\n"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	now_ms += 1000;
	ck_assert_int_eq(put("there\n"), 0);
	check_file(path, "there\n");
}
END_TEST

/* The limit of a file's size stands for a full disk: part of a write fits. Check itself writes to
 * files, so nothing is asserted while it is low. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

START_TEST(a_line_that_is_torn)
{
	const char *path = test_path(&dir, "log");
	int result[3], error;

	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), 0);
	limit_files(7);
	result[0] = put("one\n");
	result[1] = put("torn apart\n");
	error = errno;
	result[2] = put("lost\n");
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(result[0], 0);
	ck_assert_int_eq(result[1], -1);
	ck_assert_int_eq(result[2], -1);
	ck_assert_int_eq(error, EFBIG);
	check_nothing_pending();
	check_file(path, "one\ntor");
	ck_assert_int_eq(put("whole\n"), 0);
	check_file(path, "one\ntor\nwhole\n");
}
END_TEST

START_TEST(many_lines_cut_at_the_end_of_one)
{
	const char *path = test_path(&dir, "log");
	struct iovec part[] = {{.iov_base = (char *)"", .iov_len = 0},
		{.iov_base = (char *)"one\ntwo\n", .iov_len = 8},
		{.iov_base = (char *)"three\n", .iov_len = 6}};
	int result;

	ck_assert_int_eq(outlet_open(&outlet, path, (uid_t)-1, (gid_t)-1, &err), 0);
	limit_files(8);
	result = outlet_write(&outlet, part, 3);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(result, -1);
	ck_assert(!outlet.torn);
	ck_assert_uint_eq(part[1].iov_len, 0);
	ck_assert_uint_eq(part[2].iov_len, 6);
	ck_assert_int_eq(put("whole\n"), 0);
	check_file(path, "one\ntwo\nwhole\n");
}
END_TEST

static Suite *outlet_suite(void)
{
	Suite *suite = suite_create("outlet");
	TCase *tcase = tcase_create("outlet");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_full_pipe);
	tcase_add_test(tcase, a_full_pipe_that_is_shared);
	tcase_add_test(tcase, a_dead_pipe_from_the_beginning);
	tcase_add_test(tcase, a_socket);
	tcase_add_test(tcase, a_closed_descriptor);
	tcase_add_test(tcase, an_inherited_file_keeps_its_offset);
	tcase_add_test(tcase, a_stopped_terminal);
	tcase_add_test(tcase, a_terminal_that_stops_the_background);
	tcase_add_test(tcase, a_file_that_is_removed);
	tcase_add_test(tcase, a_folder_that_is_removed);
	tcase_add_test(tcase, a_file_that_is_renamed);
	tcase_add_test(tcase, a_file_that_cannot_be_opened_yet);
	tcase_add_test(tcase, a_line_that_is_torn);
	tcase_add_test(tcase, many_lines_cut_at_the_end_of_one);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(outlet_suite());
}
