/*
 * Workers' output on a real loop: to the log, to files that are rotated, removed or full, from
 * many workers at once, and the life of the pipes. Time stands still unless a test moves it.
 */
#include "stream.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "errmsg.h"
#include "line_buffer.h"
#include "logger.h"
#include "sys.h"
#include "test_files.h"
#include "test_main.h"

static int64_t now_ms = 1000000;
static bool without_proc;
static int pipes_left = -1; /* -1: as many as wanted */
static struct test_dir dir;
static struct errmsg err;
static struct sinks sinks;
static struct ev_loop *loop;
static const struct stream_origin origin = {.pool = "web", .slot = 3, .name = "stdout"};
static char text[2 << 20];

int64_t sys_now_ms(void)
{
	return now_ms;
}

int sys_open(const char *path, int flags, mode_t mode)
{
	if (without_proc && strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	}
	return open(path, flags, mode);
}

int sys_pipe(int end[2])
{
	if (pipes_left == 0) {
		errno = EMFILE;
		return -1;
	}
	return pipe2(end, O_CLOEXEC | O_NONBLOCK);
}

int sys_close(int fd)
{
	return close(fd);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	test_dir_make(&dir);
	loop = ev_loop_new(EVFLAG_AUTO);
	sinks_init(&sinks, (uid_t)-1, (gid_t)-1);
	const struct logger_settings settings = {.target = test_path(&dir, "log"),
		.level = LOG_LEVEL_INFO,
		.format = LOG_FORMAT_TEXT};
	ck_assert_int_eq(logger_open(&settings, &err), 0);
}

static void teardown(void)
{
	sinks_fini(&sinks);
	logger_close();
	ev_loop_destroy(loop);
	test_dir_remove(&dir);
}

static struct stream *start(const char *path, int *worker_fd)
{
	struct stream *stream = stream_open(loop, &sinks, path, &origin, worker_fd, &err);

	ck_assert_ptr_nonnull(stream);
	return stream;
}

static void say(int fd, const char *words)
{
	ck_assert_int_eq(write(fd, words, strlen(words)), (ssize_t)strlen(words));
}

/* Until nothing more is there to be read. */
static void turn(void)
{
	int i;

	for (i = 0; i < 20; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static void check_file(const char *path, const char *wanted)
{
	turn();
	test_read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, wanted);
}

static void check_in_log(const char *wanted)
{
	turn();
	test_read_file(test_path(&dir, "log"), text, sizeof(text));
	ck_assert_msg(strstr(text, wanted) != NULL, "not \"%s\" in: %s", wanted, text);
}

static int count_in_log(const char *words)
{
	const char *at = text;
	int count = 0;

	test_read_file(test_path(&dir, "log"), text, sizeof(text));
	while ((at = strstr(at, words)) != NULL) {
		count++;
		at++;
	}
	return count;
}

/* --- lines --- */

START_TEST(into_the_log)
{
	int fd;
	struct stream *stream = start(NULL, &fd);

	stream_set_pid(stream, 77);
	ck_assert_int_eq(write(fd, "one\ntw", 6), 6);
	turn();
	ck_assert_int_eq(write(fd, "o \0\x1b\nlast", 9), 9);
	check_in_log("info web/3[77] stdout: one\n");
	check_in_log("info web/3[77] stdout: two \\x00\\x1b\n");
	ck_assert_int_eq(count_in_log("last"), 0);
	close(fd);
	check_in_log("info web/3[77] stdout: last\n");
	ck_assert_ptr_null(sinks.first);
}
END_TEST

START_TEST(into_a_file_unchanged)
{
	const char *path = test_path(&dir, "out");
	int fd;

	start(path, &fd);
	ck_assert_int_eq(write(fd, "\xff\x01 \r\n\n\nbegun", 12), 12);
	check_file(path, "\xff\x01 \r\n\n\n");
	say(fd, " and ended\nno end");
	check_file(path, "\xff\x01 \r\n\n\nbegun and ended\n");
	close(fd);
	check_file(path, "\xff\x01 \r\n\n\nbegun and ended\nno end\n");
	ck_assert_uint_eq(sinks_lost(&sinks), 0);
}
END_TEST

START_TEST(many_workers_share_a_file)
{
	const char *path = test_path(&dir, "out");
	int a, b;

	start(path, &a);
	start(path, &b);
	say(a, "from ");
	say(b, "line of b\nhalf");
	turn();
	say(a, "a\n");
	check_file(path, "line of b\nfrom a\n");
	close(a);
	close(b);
	check_file(path, "line of b\nfrom a\nhalf\n");
	ck_assert_ptr_null(sinks.first);
}
END_TEST

/* Lines of all lengths out of several processes at once: none lost, none cut. */
static void babble(int fd, int number)
{
	static char line[9000];
	uint64_t state = (uint64_t)number;
	int i, length;

	for (i = 0; i < 300; i++) {
		length = snprintf(line, sizeof(line), "%d.%d.", number, i);
		memset(line + length, 'a' + number, 8000);
		length += (int)test_random_below(&state, i % 10 ? 100 : 8000);
		line[length++] = '\n';
		if (write(fd, line, (size_t)length) != length)
			_exit(1);
	}
	_exit(0);
}

static void check_babble(char *at, int workers)
{
	int next[4] = {0}, number, line, head;

	while (*at) {
		size_t length = strcspn(at, "\n");
		char letter;

		ck_assert_int_eq(sscanf(at, "%d.%d.%n", &number, &line, &head), 2);
		ck_assert_int_lt(number, workers);
		ck_assert_int_eq(line, next[number]++);
		letter = (char)('a' + number);
		ck_assert_uint_eq((size_t)head + strspn(at + head, (char[]){letter, '\0'}), length);
		at += length + 1;
	}
	for (number = 0; number < workers; number++)
		ck_assert_int_eq(next[number], 300);
}

START_TEST(a_flood_of_lines_is_whole)
{
	const char *path = test_path(&dir, "out");
	int fd[4], i, status;
	pid_t child[4];

	for (i = 0; i < 4; i++)
		start(path, &fd[i]);
	for (i = 0; i < 4; i++) {
		child[i] = fork();
		if (child[i] == 0)
			babble(fd[i], i);
	}
	for (i = 0; i < 4; i++)
		close(fd[i]);
	ev_run(loop, 0); /* ends when the last stream has ended */
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_lt(test_read_file(path, text, sizeof(text)), sizeof(text) - 1);
	check_babble(text, 4);
	ck_assert_ptr_null(sinks.first);
}
END_TEST

START_TEST(a_line_of_a_megabyte_comes_in_pieces)
{
	const char *path = test_path(&dir, "out");
	static char part[10000];
	size_t sent, length, longest = 0;
	char *line;
	int fd;

	start(path, &fd);
	memset(part, 'x', sizeof(part));
	for (sent = 0; sent < 1000000; sent += sizeof(part)) {
		ck_assert_int_eq(write(fd, part, sizeof(part)), sizeof(part));
		turn();
	}
	say(fd, "\nnext\n");
	turn();
	length = test_read_file(path, text, sizeof(text));
	ck_assert_uint_eq(length, 1000000 + 1000000 / LINE_BUFFER_MAX_BYTES + 1 + 5);
	ck_assert_str_eq(text + length - 6, "\nnext\n");
	for (line = text; *line; line += strcspn(line, "\n") + 1) {
		if (strcspn(line, "\n") > longest)
			longest = strcspn(line, "\n");
	}
	ck_assert_uint_eq(longest, LINE_BUFFER_MAX_BYTES);
	close(fd);
}
END_TEST

/* --- files that come and go --- */

START_TEST(a_file_that_is_rotated)
{
	const char *path = test_path(&dir, "out"), *old = test_path(&dir, "out.1");
	int fd;

	start(path, &fd);
	say(fd, "one\n");
	turn();
	ck_assert_int_eq(rename(path, old), 0);
	say(fd, "two\n");
	turn();
	sinks_reopen(&sinks);
	say(fd, "three\n");
	check_file(path, "three\n");
	check_file(old, "one\ntwo\n");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	sinks_reopen(&sinks);
	check_in_log("is a symbolic link");
	close(fd);
}
END_TEST

START_TEST(a_file_that_is_removed)
{
	const char *path = test_path(&dir, "d/out");
	int fd;

	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	start(path, &fd);
	say(fd, "one\n");
	turn();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(test_path(&dir, "d")), 0);
	now_ms += 1000;
	say(fd, "lost\nlost\n");
	check_in_log("d/out: 2 lines of workers lost: No such file or directory");
	say(fd, "lost\n");
	turn();
	ck_assert_uint_eq(sinks_lost(&sinks), 3);
	ck_assert_int_eq(count_in_log("of workers lost"), 1);
	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	now_ms += 10000;
	say(fd, "back\n");
	check_file(path, "back\n");
	check_in_log("d/out: 1 line of workers lost");
	close(fd);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened)
{
	const char *path = test_path(&dir, "d/out");
	int fd, i;

	for (i = 0; i < 5; i++) {
		start(path, &fd);
		say(fd, "lost\n");
		turn();
		close(fd);
		turn();
	}
	ck_assert_int_eq(count_in_log("until it works again"), 1);
	ck_assert_uint_eq(sinks_lost(&sinks), 5);
	start(path, &fd);
	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
	now_ms += 1000;
	say(fd, "there\n");
	check_file(path, "there\n");
	close(fd);
	turn();
	ck_assert_int_eq(count_in_log("5 lines of workers lost"), 1);
	ck_assert_ptr_null(sinks.first);
}
END_TEST

START_TEST(a_disk_that_is_full)
{
	int fd, i;

	start("/dev/full", &fd);
	for (i = 0; i < 1000; i++) {
		say(fd, "a line\nanother\n");
		turn();
	}
	ck_assert_uint_eq(sinks_lost(&sinks), 2000);
	ck_assert_int_eq(count_in_log("/dev/full: 1 line of workers lost: No space left"), 1);
	close(fd);
	turn();
	ck_assert_int_eq(count_in_log("/dev/full: 1999 lines of workers lost: No space left"), 1);
}
END_TEST

/* The limit of a file's size stands for a disk that is nearly full. */
START_TEST(a_batch_that_is_torn)
{
	const char *path = test_path(&dir, "out");
	struct rlimit limit, low;
	int fd;

	start(path, &fd);
	say(fd, "one\ntwo\nthree\nfour\n");
	getrlimit(RLIMIT_FSIZE, &limit);
	low = limit;
	low.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &low);
	turn();
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_uint_eq(sinks_lost(&sinks), 2);
	say(fd, "five\n");
	check_file(path, "one\ntwo\nth\nfive\n");
	close(fd);
}
END_TEST

/* --- the pipes --- */

START_TEST(the_workers_end)
{
	int fd;

	start(NULL, &fd);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	sinks_fini(&sinks);
	say(fd, "nobody reads, and nobody is hurt\n");
	close(fd);
}
END_TEST

START_TEST(the_workers_end_without_proc)
{
	int fd;

	without_proc = true;
	start(NULL, &fd);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY);
	say(fd, "hello\n");
	check_in_log("hello\n");
	close(fd);
	turn();
	ck_assert_ptr_null(sinks.first);
}
END_TEST

START_TEST(no_descriptors_left)
{
	int fd = -1;

	pipes_left = 0;
	ck_assert_ptr_null(stream_open(loop, &sinks, NULL, &origin, &fd, &err));
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_ptr_nonnull(strstr(err.text, "stdout"));
	ck_assert_ptr_null(sinks.first);
	pipes_left = -1;
}
END_TEST

START_TEST(ends_with_the_last_writer)
{
	int fd, copy;

	start(NULL, &fd);
	copy = dup(fd);
	close(fd);
	turn();
	ck_assert_ptr_nonnull(sinks.first);
	say(copy, "from the grandchild\n");
	check_in_log("from the grandchild\n");
	close(copy);
	turn();
	ck_assert_ptr_null(sinks.first);
}
END_TEST

START_TEST(closed_after_what_is_there)
{
	int a, b;

	start(NULL, &a);
	start(test_path(&dir, "out"), &b);
	say(a, "last words\nand a half");
	say(b, "more\n");
	streams_close_all(&sinks);
	ck_assert_ptr_null(sinks.first);
	check_in_log("last words\n");
	check_in_log("and a half\n");
	check_file(test_path(&dir, "out"), "more\n");
	close(a);
	close(b);
}
END_TEST

START_TEST(taken_up_by_the_next_supervisor)
{
	int fd, plain[2], file;

	start(NULL, &fd);
	sinks_fini(&sinks);
	say(fd, "while nobody was there\n");
	ck_assert_ptr_nonnull(stream_take_up(loop, &sinks, NULL, &origin, getpid(), fd, &err));
	check_in_log("stdout: while nobody was there\n");
	ck_assert_ptr_null(stream_take_up(loop, &sinks, NULL, &origin, getpid(), fd, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "read already"));
	close(fd);
	turn();
	ck_assert_ptr_null(sinks.first);
	ck_assert_ptr_null(stream_take_up(loop, &sinks, NULL, &origin, getpid(), fd, &err));
	file = open(test_path(&dir, "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_ptr_null(stream_take_up(loop, &sinks, NULL, &origin, getpid(), file, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "no pipe"));
	close(file);
	ck_assert_int_eq(mkfifo(test_path(&dir, "fifo"), 0600), 0);
	file = open(test_path(&dir, "fifo"), O_RDWR | O_CLOEXEC);
	ck_assert_ptr_null(stream_take_up(loop, &sinks, NULL, &origin, getpid(), file, &err));
	close(file);
	ck_assert_int_eq(pipe2(plain, O_CLOEXEC), 0);
	ck_assert_ptr_nonnull(
		stream_take_up(loop, &sinks, NULL, &origin, getpid(), plain[1], &err));
	close(plain[0]);
	close(plain[1]);
}
END_TEST

/* One that never stops talking holds up neither the loop nor another worker. */
START_TEST(a_flood_starves_nobody)
{
	int loud, quiet, i;
	pid_t child;

	start("/dev/null", &loud);
	start(NULL, &quiet);
	child = fork();
	if (child == 0) {
		for (;;) {
			if (write(loud, "flood flood flood\n", 18) < 0)
				_exit(0);
		}
	}
	for (i = 0; i < 200; i++)
		ev_run(loop, EVRUN_ONCE);
	say(quiet, "may I\n");
	for (i = 0; i < 50; i++)
		ev_run(loop, EVRUN_ONCE);
	ck_assert_int_eq(count_in_log("may I\n"), 1);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(loud);
	close(quiet);
}
END_TEST

START_TEST(a_thousand_cost_little)
{
	static int fd[1000];
	struct rlimit limit;
	struct mallinfo2 before, after;
	int i;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2100)
		return;
	before = mallinfo2();
	for (i = 0; i < 1000; i++)
		start(NULL, &fd[i]);
	after = mallinfo2();
	ck_assert_uint_lt(after.uordblks - before.uordblks, 1000 * 300);
	for (i = 0; i < 1000; i++)
		say(fd[i], "x\n");
	turn();
	ck_assert_int_eq(count_in_log("stdout: x\n"), 1000);
	for (i = 0; i < 1000; i++)
		close(fd[i]);
	turn();
	ck_assert_ptr_null(sinks.first);
}
END_TEST

static Suite *stream_suite(void)
{
	Suite *suite = suite_create("stream");
	TCase *tcase = tcase_create("stream");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, into_the_log);
	tcase_add_test(tcase, into_a_file_unchanged);
	tcase_add_test(tcase, many_workers_share_a_file);
	tcase_add_test(tcase, a_flood_of_lines_is_whole);
	tcase_add_test(tcase, a_line_of_a_megabyte_comes_in_pieces);
	tcase_add_test(tcase, a_file_that_is_rotated);
	tcase_add_test(tcase, a_file_that_is_removed);
	tcase_add_test(tcase, a_file_that_cannot_be_opened);
	tcase_add_test(tcase, a_disk_that_is_full);
	tcase_add_test(tcase, a_batch_that_is_torn);
	tcase_add_test(tcase, the_workers_end);
	tcase_add_test(tcase, the_workers_end_without_proc);
	tcase_add_test(tcase, no_descriptors_left);
	tcase_add_test(tcase, ends_with_the_last_writer);
	tcase_add_test(tcase, closed_after_what_is_there);
	tcase_add_test(tcase, taken_up_by_the_next_supervisor);
	tcase_add_test(tcase, a_flood_starves_nobody);
	tcase_add_test(tcase, a_thousand_cost_little);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(stream_suite());
}
