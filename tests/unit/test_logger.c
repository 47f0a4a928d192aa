/* The log from outside: what arrives where, what is lost and told, and that nothing waits. */
#include "logger.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "errmsg.h"
#include "sys.h"
#include "test_files.h"
#include "test_main.h"

static int64_t now_ms = 1000000;
static struct test_dir dir;
static struct errmsg err;
static int stderr_kept = -1;
static char text[200000];

int64_t sys_now_ms(void)
{
	return now_ms;
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC", 1);
	unsetenv("JOURNAL_STREAM");
	test_dir_make(&dir);
	stderr_kept = dup(STDERR_FILENO);
}

static void teardown(void)
{
	logger_close();
	dup2(stderr_kept, STDERR_FILENO);
	close(stderr_kept);
	test_dir_remove(&dir);
}

static int open_log(const char *target, enum log_level level, enum log_format format)
{
	const struct logger_settings settings = {
		.name = "app", .target = target, .level = level, .format = format};

	return logger_open(&settings, &err);
}

/* The lines of the text, each from behind its time. */
static const char *without_times(void)
{
	static char lines[200000];
	char *to = lines, *from = text;

	while (*from) {
		size_t length = strcspn(from, "\n") + 1;

		ck_assert_uint_gt(length, 25);
		ck_assert_int_eq(from[23], 'Z');
		memcpy(to, from + 25, length - 25);
		to += length - 25;
		from += length;
	}
	*to = '\0';
	return lines;
}

static void check_log(const char *path, const char *wanted)
{
	test_read_file(path, text, sizeof(text));
	ck_assert_str_eq(without_times(), wanted);
}

START_TEST(to_stderr_without_being_opened)
{
	int end[2];

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(end[1], STDERR_FILENO), STDERR_FILENO);
	errno = ENOTTY;
	log_info(NULL, "hello %d", 1);
	log_debug(NULL, "not shown");
	ck_assert_int_eq(errno, ENOTTY);
	text[read(end[0], text, sizeof(text) - 1)] = '\0';
	ck_assert_str_eq(without_times(), "info hello 1\n");
	close(end[0]);
	close(end[1]);
}
END_TEST

START_TEST(to_a_file)
{
	const char *path = test_path(&dir, "log");
	const struct log_subject worker = {.pool = "web", .slot = 3, .pid = 12, .age_ms = -1};

	ck_assert_int_eq(open_log(path, LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT), 0);
	log_error(&worker, "one");
	log_warning(NULL, "two");
	log_notice(NULL, "three\nfour");
	log_info(NULL, "not shown");
	logger_write_bytes(LOG_LEVEL_ERROR, &worker, "nul\0x", 5);
	check_log(path, "error web/3[12]: one\nwarning two\nnotice three\\nfour\n"
			"error web/3[12]: nul\\x00x\n");
	ck_assert(logger_enabled(LOG_LEVEL_NOTICE));
	ck_assert(!logger_enabled(LOG_LEVEL_INFO));
	ck_assert_uint_eq(logger_lost(), 0);
}
END_TEST

START_TEST(other_formats)
{
	const char *path = test_path(&dir, "log");

	ck_assert_int_eq(open_log(path, LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT), 0);
	log_debug(NULL, "a b");
	ck_assert_int_eq(open_log(path, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON), 0);
	log_debug(NULL, "a b");
	test_read_file(path, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "Z level=debug name=app msg=\"a b\"\n{\"time\":\""));
	ck_assert_ptr_nonnull(
		strstr(text, "\"level\":\"debug\",\"name\":\"app\",\"message\":\"a b\"}\n"));
}
END_TEST

/* Standard error becomes a pipe; JOURNAL_STREAM says that it is the journal's, if wanted. */
static int listen_to_stderr(bool as_journal)
{
	char stream[64];
	struct stat file;
	int end[2];

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(end[1], STDERR_FILENO), STDERR_FILENO);
	close(end[1]);
	if (!as_journal)
		return end[0];
	ck_assert_int_eq(fstat(STDERR_FILENO, &file), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	return end[0];
}

START_TEST(to_the_journal)
{
	const struct log_subject worker = {.pool = "web", .slot = 3, .pid = 12, .age_ms = -1};
	int end = listen_to_stderr(true);

	log_info(NULL, "not opened yet");
	ck_assert_int_eq(open_log("stderr", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT), 0);
	log_error(&worker, "one");
	log_warning(NULL, "two\n<0>");
	log_notice(NULL, "three");
	log_debug(NULL, "four");
	text[read(end, text, sizeof(text) - 1)] = '\0';
	ck_assert_str_eq(text, "<6>not opened yet\n<3>web/3[12]: one\n<4>two\\n<0>\n<5>three\n"
			       "<7>four\n");
	ck_assert_int_eq(open_log("stderr", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT), 0);
	log_error(NULL, "a b");
	text[read(end, text, sizeof(text) - 1)] = '\0';
	ck_assert_ptr_eq(strstr(text, "<3>time="), text);
	ck_assert_ptr_nonnull(strstr(text, "level=error name=app msg=\"a b\"\n"));
	close(end);
}
END_TEST

START_TEST(long_lines_to_the_journal)
{
	static const int lengths[] = {8180, 8187, 8188, 8189, 8190, 8192, 8300, 30000};
	static char message[30000];
	int end = listen_to_stderr(true);

	memset(message, 'x', sizeof(message));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		logger_write_bytes(LOG_LEVEL_ERROR, NULL, message, (size_t)lengths[i]);
		ck_assert_int_eq(read(end, text, sizeof(text)), 3 + lengths[i] + 1);
		ck_assert_int_eq(text[3 + lengths[i] - 1], 'x');
		ck_assert_int_eq(text[3 + lengths[i]], '\n');
	}
	close(end);
}
END_TEST

START_TEST(not_to_the_journal)
{
	static const char *const streams[] = {"", "1", "1:", ":", "x:y", "1:2", "1:2:3"};
	int end = listen_to_stderr(true), other = listen_to_stderr(false);

	for (size_t i = 0; i <= sizeof(streams) / sizeof(*streams); i++) {
		/* First of all: what was the journal has been redirected */
		if (i > 0)
			setenv("JOURNAL_STREAM", streams[i - 1], 1);
		ck_assert_int_eq(open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
		log_info(NULL, "hello");
		text[read(other, text, sizeof(text) - 1)] = '\0';
		ck_assert_str_eq(without_times(), "info hello\n");
	}
	close(other);
	close(end);
}
END_TEST

START_TEST(long_lines_are_whole)
{
	const char *path = test_path(&dir, "log");
	static char message[65537];

	memset(message, '\x01', sizeof(message) - 1);
	ck_assert_int_eq(open_log(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	logger_write_bytes(LOG_LEVEL_INFO, NULL, message, 30000);
	ck_assert_uint_eq(test_read_file(path, text, sizeof(text)), 25 + 5 + 4 * 30000 + 1);
	ck_assert_int_eq(truncate(path, 0), 0);
	memset(message, 'x', sizeof(message) - 1);
	log_info(NULL, "%s", message);
	ck_assert_uint_eq(test_read_file(path, text, sizeof(text)), 25 + 5 + 65536 + 1);
}
END_TEST

START_TEST(a_target_that_cannot_be_opened)
{
	const char *path = test_path(&dir, "log");

	ck_assert_int_eq(open_log(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	ck_assert_int_eq(open_log(test_path(&dir, "no/log"), LOG_LEVEL_ERROR, LOG_FORMAT_JSON), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no/log"));
	log_info(NULL, "still here");
	check_log(path, "info still here\n");
}
END_TEST

START_TEST(reopened)
{
	const char *path = test_path(&dir, "log"), *old = test_path(&dir, "log.1");

	ck_assert_int_eq(logger_reopen(&err), 0);
	ck_assert_int_eq(open_log(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	log_info(NULL, "one");
	ck_assert_int_eq(rename(path, old), 0);
	log_info(NULL, "two");
	ck_assert_int_eq(logger_reopen(&err), 0);
	log_info(NULL, "three");
	check_log(old, "info one\ninfo two\n");
	check_log(path, "info three\n");
	ck_assert_int_eq(unlink(path), 0);
	now_ms += 1000;
	log_info(NULL, "four");
	check_log(path, "info four\n");
}
END_TEST

START_TEST(lost_lines_are_told_first)
{
	const char *path = test_path(&dir, "log");

	ck_assert_int_eq(open_log("/dev/full", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	log_info(NULL, "one");
	log_info(NULL, "two");
	ck_assert_uint_eq(logger_lost(), 2);
	ck_assert_int_eq(open_log(path, LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	log_info(NULL, "three");
	log_info(NULL, "four");
	check_log(path, "warning 2 log lines were lost here: No space left on device\n"
			"info three\ninfo four\n");
	ck_assert_uint_eq(logger_lost(), 2);
}
END_TEST

START_TEST(a_reader_that_is_stuck)
{
	int end[2], i;
	ssize_t length;

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(end[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(dup2(end[1], STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(open_log("stderr", LOG_LEVEL_INFO, LOG_FORMAT_TEXT), 0);
	for (i = 0; i < 5000; i++)
		log_info(NULL, "a line of some length, so that the pipe is full soon: %d", i);
	ck_assert_uint_gt(logger_lost(), 1000);
	ck_assert_uint_lt(logger_lost(), 5000);
	while (read(end[0], text, sizeof(text)) > 0)
		;
	log_info(NULL, "works again");
	length = read(end[0], text, sizeof(text) - 1);
	ck_assert_int_gt(length, 0);
	text[length] = '\0';
	ck_assert_ptr_nonnull(strstr(without_times(), "log lines were lost here: Resource temp"));
	ck_assert_ptr_nonnull(strstr(text, "info works again\n"));
	ck_assert_int_eq(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0);
	close(end[0]);
	close(end[1]);
}
END_TEST

/* --- syslog --- */

static int listen_syslog(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int open_syslog(const char *path, enum log_format format)
{
	const struct logger_settings settings = {.name = "app",
		.target = "syslog",
		.syslog_socket = path,
		.level = LOG_LEVEL_DEBUG,
		.format = format};

	return logger_open(&settings, &err);
}

/* What comes next, "" for nothing. */
static const char *next_datagram(int fd)
{
	ssize_t length = recv(fd, text, sizeof(text) - 1, 0);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

static const char *next_content(int fd)
{
	const char *end = strstr(next_datagram(fd), "]: ");

	return end ? end + 3 : "";
}

START_TEST(syslog_lines)
{
	const struct log_subject worker = {.pool = "web", .slot = 3, .pid = 12, .age_ms = 2000};
	const char *path = test_path(&dir, "socket");
	int fd = listen_syslog(path), pri, day, hour, minute, second;
	char month[4], tag[64], content[128];
	long pid;

	ck_assert_int_eq(open_syslog(path, LOG_FORMAT_TEXT), 0);
	log_warning(&worker, "hello");
	ck_assert_int_eq(sscanf(next_datagram(fd), "<%d>%3s %d %d:%d:%d %63[^[][%ld]: %127[^\n]",
				 &pri, month, &day, &hour, &minute, &second, tag, &pid, content),
		9);
	ck_assert_int_eq(pri, 3 * 8 + 4);
	ck_assert_str_eq(tag, "preforkd/app");
	ck_assert_int_eq(pid, getpid());
	ck_assert_str_eq(content, "web/3[12]: hello (age 2.0s)");
	ck_assert_int_eq(open_syslog(path, LOG_FORMAT_JSON), 0);
	log_debug(NULL, "x");
	ck_assert_int_eq(strncmp(next_content(fd), "{\"time\":", 8), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"message\":\"x\"}"));
	ck_assert_ptr_null(strchr(text, '\n'));
	close(fd);
}
END_TEST

START_TEST(syslog_that_comes_and_goes)
{
	const char *path = test_path(&dir, "socket");
	int fd;

	ck_assert_int_eq(open_syslog(path, LOG_FORMAT_TEXT), 0);
	log_info(NULL, "lost");
	ck_assert_uint_eq(logger_lost(), 1);
	fd = listen_syslog(path);
	log_info(NULL, "lost, too soon");
	ck_assert_str_eq(next_content(fd), "");
	now_ms += 1000;
	log_info(NULL, "one");
	ck_assert_str_eq(next_content(fd), "2 log lines were lost here: No such file or directory");
	ck_assert_str_eq(next_content(fd), "one");
	close(fd);
	unlink(path);
	now_ms += 1000;
	fd = listen_syslog(path);
	log_info(NULL, "two, on a new connection");
	ck_assert_str_eq(next_content(fd), "two, on a new connection");
	close(fd);
	unlink(path);
	log_info(NULL, "lost");
	ck_assert_uint_eq(logger_lost(), 3);
}
END_TEST

START_TEST(syslog_that_does_not_read)
{
	const char *path = test_path(&dir, "socket");
	int fd = listen_syslog(path), i;
	static char message[40000];

	ck_assert_int_eq(open_syslog(path, LOG_FORMAT_TEXT), 0);
	for (i = 0; i < 5000; i++)
		log_info(NULL, "%d", i);
	ck_assert_uint_gt(logger_lost(), 1000);
	while (*next_datagram(fd))
		;
	memset(message, 'x', sizeof(message) - 1);
	log_info(NULL, "%s", message);
	ck_assert_ptr_nonnull(strstr(next_content(fd), "log lines were lost here"));
	ck_assert_uint_gt(strlen(next_datagram(fd)), 8000);
	ck_assert_uint_le(strlen(text), 8192);
	close(fd);
}
END_TEST

static Suite *logger_suite(void)
{
	Suite *suite = suite_create("logger");
	TCase *tcase = tcase_create("logger");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, to_stderr_without_being_opened);
	tcase_add_test(tcase, to_a_file);
	tcase_add_test(tcase, other_formats);
	tcase_add_test(tcase, to_the_journal);
	tcase_add_test(tcase, not_to_the_journal);
	tcase_add_test(tcase, long_lines_to_the_journal);
	tcase_add_test(tcase, long_lines_are_whole);
	tcase_add_test(tcase, a_target_that_cannot_be_opened);
	tcase_add_test(tcase, reopened);
	tcase_add_test(tcase, lost_lines_are_told_first);
	tcase_add_test(tcase, a_reader_that_is_stuck);
	tcase_add_test(tcase, syslog_lines);
	tcase_add_test(tcase, syslog_that_comes_and_goes);
	tcase_add_test(tcase, syslog_that_does_not_read);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(logger_suite());
}
