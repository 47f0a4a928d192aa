/* The control socket: who asks is answered, one by one and many at once, and streams are complete.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control.h"
#include "control_world.h"
#include "errmsg.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct control_world world;

static void setup(void)
{
	world_open(&world, 0);
}

static void teardown(void)
{
	world_close(&world);
}

static void expect(const char *request, const char *wanted)
{
	char *got = ask_once(&world, request);

	ck_assert_msg(strstr(got, wanted), "\"%.40s\" gives %.200s, not %s", request, got, wanted);
	free(got);
}

START_TEST(requests_and_refusals)
{
	static char long_line[3000];

	expect("ping\n", "{\"ok\":true}");
	expect("echo a b\n", "<echo><a><b>");
	expect("  echo\t a  \r\n", "<echo><a>");
	expect("echo 1 2 3 4 5 6 7\n", "<echo><1><2><3><4><5><6><7>");
	expect("echo 1 2 3 4 5 6 7 8\n", "\"error\":\"the request has too many words\"");
	expect("echo \"quoted\\\"\n", "<echo><\"quoted\\\">");
	expect("\n", "{\"ok\":false,\"error\":\"the request is empty\",\"exit_status\":64}");
	expect(" \t \n", "the request is empty");
	expect("echo \033[2J\n", "not printable");
	expect("echo \xc3\xa4\n", "not printable");
	expect("echo \x7f\n", "not printable");
	expect("ping\nping\n", "{\"ok\":true}");
	memset(long_line, 'a', sizeof(long_line) - 1);
	expect(long_line, "the request is too long");
	long_line[CONTROL_LINE_MAX - 1] = '\n';
	long_line[CONTROL_LINE_MAX] = '\0';
	memcpy(long_line, "echo ", 5);
	expect(long_line, "<echo><aaaa");
	memset(long_line + CONTROL_LINE_MAX - 1, 'a', 1);
	expect(long_line, "the request is too long");
}
END_TEST

START_TEST(byte_by_byte)
{
	const char *request = "echo one two\n";
	int fd = client_connect(&world);
	char *answer;

	for (size_t i = 0; request[i]; i++) {
		ck_assert_int_eq(send(fd, request + i, 1, 0), 1);
		ck_assert_int_lt(ping_ms(&world), 1000);
	}
	answer = client_read_all(fd, NULL, 5000);
	ck_assert_str_eq(answer, "<echo><one><two>\n");
	free(answer);
	close(fd);
}
END_TEST

START_TEST(ends_early)
{
	int fd = client_connect(&world);
	char *answer;

	client_send(fd, "pin");
	shutdown(fd, SHUT_WR);
	answer = client_read_all(fd, NULL, 5000);
	ck_assert_ptr_nonnull(strstr(answer, "ends in mid-line"));
	free(answer);
	close(fd);

	fd = client_connect(&world);
	shutdown(fd, SHUT_WR);
	answer = client_read_all(fd, NULL, 5000);
	ck_assert_str_eq(answer, "");
	free(answer);
	close(fd);

	fd = client_connect(&world);
	client_send(fd, "echo x\n");
	shutdown(fd, SHUT_WR);
	answer = client_read_all(fd, NULL, 5000);
	ck_assert_str_eq(answer, "<echo><x>\n");
	free(answer);
	close(fd);
	for (int i = 0; i < 100; i++) {
		fd = client_connect(&world);
		client_send(fd, i % 2 ? "echo x\n" : "ec");
		close(fd);
	}
	ck_assert_int_lt(ping_ms(&world), 1000);
}
END_TEST

START_TEST(knows_its_peer)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%ld %ld 0", (long)getpid(), (long)getuid());
	expect("who\n", wanted);
}
END_TEST

/* Answered when it is time; who has left by then is told of, once, and a half-closed one has not.
 */
START_TEST(answers_later)
{
	int stays = client_connect(&world), half = client_connect(&world);
	int leaves = client_connect(&world);
	char *answer;

	client_send(stays, "later\n");
	client_send(half, "later\n");
	shutdown(half, SHUT_WR);
	client_send(leaves, "later\n");
	expect("gone\n", "0 0 0");
	close(leaves);
	for (int i = 0; i < 500; i++) {
		answer = ask_once(&world, "gone\n");
		if (strcmp(answer, "1 0 0") == 0)
			break;
		free(answer);
		poll(NULL, 0, 2);
	}
	ck_assert_str_eq(answer, "1 0 0");
	free(answer);
	expect("now\n", "ok");
	answer = client_read_all(stays, NULL, 5000);
	ck_assert_ptr_nonnull(strstr(answer, "at last"));
	free(answer);
	answer = client_read_all(half, NULL, 5000);
	ck_assert_ptr_nonnull(strstr(answer, "at last"));
	free(answer);
	close(stays);
	close(half);
	expect("gone\n", "1 0 0");
}
END_TEST

START_TEST(big_answers)
{
	static const size_t sizes[] = {2, 1000, 4095, 4096, 200000, 10000000};
	char request[64];
	char *answer;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		snprintf(request, sizeof(request), "big %zu\n", sizes[i]);
		answer = ask_once(&world, request);
		ck_assert_uint_eq(strlen(answer), sizes[i]);
		free(answer);
	}
}
END_TEST

START_TEST(streams)
{
	int fd[3];

	expect("gone\n", "0 0 0");
	for (size_t i = 0; i < COUNT(fd); i++) {
		fd[i] = client_connect(&world);
		client_send(fd[i], "events\n");
		ck_assert_str_eq(client_read_line(fd[i], 5000), "{\"event\":\"streaming\"}");
	}
	expect("gone\n", "0 0 1");
	close(fd[0]);
	expect("emit 3 0\n", "ok");
	for (size_t i = 1; i < COUNT(fd); i++) {
		ck_assert_ptr_nonnull(strstr(client_read_line(fd[i], 5000), "\"number\":0,"));
		ck_assert_ptr_nonnull(strstr(client_read_line(fd[i], 5000), "\"number\":1,"));
		ck_assert_ptr_nonnull(strstr(client_read_line(fd[i], 5000), "\"number\":2,"));
		close(fd[i]);
	}
	expect("emit 3 0\n", "ok");
	expect("gone\n", "0 0 0");
}
END_TEST

/* Reads all that waits: every number comes once, in order, or is counted as dropped. */
static void check_stream(int fd, long total)
{
	long next = 0, dropped = 0, count, number;
	char *line;

	while (next < total) {
		line = client_read_line(fd, 5000);
		if (sscanf(line, "{\"event\":\"dropped\",\"count\":%ld}", &count) == 1) {
			dropped += count;
			next += count;
		} else {
			ck_assert_int_eq(
				sscanf(line, "{\"event\":\"n\",\"number\":%ld,", &number), 1);
			ck_assert_int_eq(number, next);
			next++;
		}
	}
	ck_assert_int_eq(next, total);
	ck_assert_int_gt(dropped, 0);
}

/* One who does not read loses events, is told how many, and harms neither us nor another reader. */
START_TEST(slow_stream)
{
	int slow = client_connect(&world), silent = client_connect(&world);

	client_send(slow, "events\n");
	client_send(silent, "events\n");
	client_read_line(slow, 5000);
	client_read_line(silent, 5000);
	for (int i = 0; i < 40; i++) {
		expect("emit 2500 50\n", "ok");
		ck_assert_int_lt(ping_ms(&world), 100 * test_slowness());
	}
	check_stream(slow, 100000);
	expect("emit 1 0\n", "ok");
	ck_assert_ptr_nonnull(strstr(client_read_line(slow, 5000), "\"number\":100000,"));
	close(slow);
	close(silent);
}
END_TEST

START_TEST(channel_knows_reading_only)
{
	client_send(world.channel, "who\nstatus web\nreload\nstop now\n\nping");
	ck_assert_ptr_nonnull(
		strstr(client_read_line(world.channel, 5000), "only verbs that read"));
	ck_assert_str_eq(client_read_line(world.channel, 5000), "<status><web>");
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "\"exit_status\":77"));
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "\"exit_status\":77"));
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "is empty"));
	client_send(world.channel, "\nevents\nstatus\n");
	ck_assert_str_eq(client_read_line(world.channel, 5000), "{\"ok\":true}");
	ck_assert_str_eq(client_read_line(world.channel, 5000), "{\"event\":\"streaming\"}");
	ck_assert_str_eq(client_read_line(world.channel, 5000), "<status>");
	expect("emit 2 0\n", "ok");
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "\"number\":0,"));
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "\"number\":1,"));
	expect("gone\n", "0 0 1");
	shutdown(world.channel, SHUT_RDWR);
	for (int i = 0; i < 1000; i++)
		ping_ms(&world);
	expect("gone\n", "0 1 0");
}
END_TEST

/* More requests than its buffer holds, answered in order, and none lost while it does not read. */
START_TEST(channel_in_a_hurry)
{
	char request[32], wanted[32];
	struct pollfd at = {.fd = world.channel, .events = POLLIN | POLLOUT};
	int asked = 0, answered = 0, all = 20000 / (int)test_slowness();

	while (answered < all) {
		poll(&at, 1, 5000);
		if (asked < all && (at.revents & POLLOUT)) {
			snprintf(request, sizeof(request), "status %d\n", asked++);
			client_send(world.channel, request);
			continue;
		}
		snprintf(wanted, sizeof(wanted), "<status><%d>", answered++);
		ck_assert_str_eq(client_read_line(world.channel, 5000), wanted);
	}
}
END_TEST

START_TEST(channel_too_long)
{
	static char text[CONTROL_LINE_MAX + 1];

	memset(text, 'a', CONTROL_LINE_MAX);
	client_send(world.channel, text);
	ck_assert_ptr_nonnull(strstr(client_read_line(world.channel, 5000), "too long"));
	ck_assert_ptr_null(client_read_line(world.channel, 5000));
	expect("gone\n", "0 1 0");
}
END_TEST

/* --- the file --- */

static struct control *open_at(
	struct ev_loop *loop, const char *path, mode_t mode, struct errmsg *err)
{
	const struct control_settings settings = {.path = path, .mode = mode, .group = (gid_t)-1};

	return control_open(loop, &settings, err);
}

START_TEST(file)
{
	static const mode_t modes[] = {0600, 0660, 0666, 0777, 0000};
	static const mode_t umasks[] = {0, 022, 077, 0777};
	struct ev_loop *loop = ev_loop_new(0);
	const char *path = test_path(&world.dir, "another.sock");
	struct control *control;
	struct errmsg err;
	struct stat found;

	for (size_t i = 0; i < COUNT(modes); i++) {
		for (size_t j = 0; j < COUNT(umasks); j++) {
			umask(umasks[j]);
			control = open_at(loop, path, modes[i], &err);
			ck_assert_msg(control != NULL, "%s", err.text);
			ck_assert_uint_eq(umask(022), umasks[j]);
			ck_assert_int_eq(lstat(path, &found), 0);
			ck_assert_uint_eq(found.st_mode & 07777, modes[i]);
			control_close(control);
			ck_assert_int_lt(lstat(path, &found), 0);
		}
	}
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(what_stands_there)
{
	struct ev_loop *loop = ev_loop_new(0);
	const char *path = test_path(&world.dir, "another.sock");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct control *control;
	struct errmsg err;
	struct stat found;
	int stale = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_ptr_null(open_at(loop, world.path, 0600, &err));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_lt(ping_ms(&world), 1000);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(stale, (struct sockaddr *)&address, sizeof(address)), 0);
	close(stale);
	control = open_at(loop, path, 0600, &err);
	ck_assert_msg(control != NULL, "%s", err.text);
	/* What somebody else puts there is not ours to remove. */
	ck_assert_int_eq(unlink(path), 0);
	test_write_file(path, "precious");
	control_close(control);
	ck_assert_int_eq(lstat(path, &found), 0);
	ck_assert_ptr_null(open_at(loop, path, 0600, &err));
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(lstat(path, &found), 0);
	ck_assert_ptr_null(open_at(loop, test_path(&world.dir, "no/folder"), 0600, &err));
	ck_assert_int_eq(errno, ENOENT);
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(long_path)
{
	struct ev_loop *loop = ev_loop_new(0);
	char folder[201] = "", path[PATH_MAX];
	struct control *control;
	struct errmsg err;
	struct stat found;

	memset(folder, 'f', 200);
	ck_assert_int_eq(mkdir(test_path(&world.dir, folder), 0755), 0);
	snprintf(path, sizeof(path), "%s/control.sock", test_path(&world.dir, folder));
	control = open_at(loop, path, 0600, &err);
	ck_assert_msg(control != NULL, "%s", err.text);
	ck_assert_int_eq(lstat(path, &found), 0);
	control_close(control);
	ck_assert_int_lt(lstat(path, &found), 0);
	ev_loop_destroy(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, requests_and_refusals);
	tcase_add_test(tcase, byte_by_byte);
	tcase_add_test(tcase, ends_early);
	tcase_add_test(tcase, knows_its_peer);
	tcase_add_test(tcase, answers_later);
	tcase_add_test(tcase, big_answers);
	tcase_add_test(tcase, streams);
	tcase_add_test(tcase, slow_stream);
	tcase_add_test(tcase, channel_knows_reading_only);
	tcase_add_test(tcase, channel_in_a_hurry);
	tcase_add_test(tcase, channel_too_long);
	tcase_add_test(tcase, file);
	tcase_add_test(tcase, what_stands_there);
	tcase_add_test(tcase, long_path);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
