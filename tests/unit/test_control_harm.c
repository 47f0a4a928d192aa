/*
 * Clients that mean no good: silent ones by the thousand, slow, greedy and random ones, and a
 * machine without descriptors. Whoever asks beside them is answered within 100 ms.
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "control.h"
#include "control_world.h"
#include "test_main.h"

#define IDLE       1000
#define IDLE_CLOSE 5000 /* ms: what a silent client is given */

static struct control_world world;

static void setup(void)
{
	world_open(&world, 0);
}

static void teardown(void)
{
	world_close(&world);
}

/* Of a few, since the machine has others to look after, too: what we did to the server lasts. */
static void expect_quick(void)
{
	int64_t took = ping_ms(&world);

	for (int i = 0; i < 5 && took >= 100 * (int64_t)test_slowness(); i++)
		took = ping_ms(&world);
	ck_assert_msg(
		took < 100 * (int64_t)test_slowness(), "a ping took %lld ms", (long long)took);
}

START_TEST(a_thousand_silent)
{
	struct rlimit limit;
	int fd[IDLE], refused = 0, timed_out = 0;
	int64_t began = clock_ms(), ended;
	char *answer;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < IDLE; i++) {
		fd[i] = client_connect(&world);
		if (i % 50 == 0)
			expect_quick();
	}
	for (int i = 0; i < 20; i++)
		expect_quick();
	for (int i = 0; i < IDLE; i++) {
		answer = client_read_all(fd[i], NULL, 10000);
		refused += strstr(answer, "\"error\":\"too many clients\"") != NULL;
		timed_out += strstr(answer, "no request came within 5 seconds") != NULL;
		free(answer);
		close(fd[i]);
	}
	ended = clock_ms();
	ck_assert_int_eq(refused + timed_out, IDLE);
	ck_assert_int_ge(refused, IDLE - CONTROL_CLIENTS_MAX);
	ck_assert_int_gt(timed_out, CONTROL_CLIENTS_MAX / 2);
	ck_assert_int_ge(ended - began, IDLE_CLOSE - 100);
	expect_quick();
}
END_TEST

/* A byte a second gains no time. */
START_TEST(a_byte_a_second)
{
	int fd = client_connect(&world);
	struct pollfd at = {.fd = fd, .events = POLLIN};
	int64_t began = clock_ms();
	char *answer;

	while (poll(&at, 1, 1000) == 0) {
		client_send(fd, "x");
		expect_quick();
		ck_assert_int_lt(clock_ms() - began, 3 * IDLE_CLOSE);
	}
	answer = client_read_all(fd, NULL, 1000);
	ck_assert_ptr_nonnull(strstr(answer, "no request came"));
	free(answer);
	close(fd);
}
END_TEST

/* Who does not read a large answer is left alone with a part of it after 10 s. */
START_TEST(does_not_read)
{
	int fd[CONTROL_CLIENTS_MAX];
	int64_t began = clock_ms();
	size_t bytes;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fd[i] = client_connect(&world);
		client_send(fd[i], "big 400000\n");
	}
	while (clock_ms() - began < 11000) {
		expect_quick();
		poll(NULL, 0, 200);
	}
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		free(client_read_all(fd[i], &bytes, 1000));
		ck_assert_uint_gt(bytes, 0);
		ck_assert_uint_lt(bytes, 400000);
		close(fd[i]);
	}
}
END_TEST

START_TEST(streams_leave_seats)
{
	int fd[CONTROL_STREAMS_MAX];
	char *answer;

	for (int i = 0; i < CONTROL_STREAMS_MAX; i++) {
		fd[i] = client_connect(&world);
		client_send(fd[i], "events\n");
		ck_assert_str_eq(client_read_line(fd[i], 5000), "{\"event\":\"streaming\"}");
	}
	answer = ask_once(&world, "events\n");
	ck_assert_ptr_nonnull(strstr(answer, "\"exit_status\":75"));
	free(answer);
	expect_quick();
	for (int i = 0; i < CONTROL_STREAMS_MAX; i++)
		close(fd[i]);
	expect_quick();
	fd[0] = client_connect(&world);
	client_send(fd[0], "events\n");
	ck_assert_str_eq(client_read_line(fd[0], 5000), "{\"event\":\"streaming\"}");
	close(fd[0]);
}
END_TEST

/* A flood behind the request ends the flood. */
START_TEST(flood)
{
	static char rubbish[65536];
	int fd = client_connect(&world);

	client_send(fd, "events\n");
	client_read_line(fd, 5000);
	memset(rubbish, '\n', sizeof(rubbish) - 1);
	for (int i = 0; i < 100; i++) {
		client_send(fd, rubbish);
		expect_quick();
	}
	ck_assert_ptr_null(client_read_line(fd, 5000));
	close(fd);
}
END_TEST

/* Without a descriptor left, clients are answered all the same, and none is kept out by silent ones
 * for long. */
START_TEST(no_descriptors)
{
	int silent[20];
	char *answer;

	world_close(&world);
	world_open(&world, 1);
	for (int i = 0; i < 50; i++)
		expect_quick();
	for (int i = 0; i < 20; i++)
		silent[i] = client_connect(&world);
	for (int i = 0; i < 3; i++)
		ck_assert_int_lt(ping_ms(&world), 5000);
	for (int i = 0; i < 20; i++) {
		answer = client_read_all(silent[i], NULL, 10000);
		free(answer);
		close(silent[i]);
	}
	for (int i = 0; i < 50; i++)
		expect_quick();
}
END_TEST

/* Random bytes in random pieces, with ends at random places. */
START_TEST(random_clients)
{
	static const char *const parts[] = {"ping", "echo", "later", "now", "events", " ", "\n",
		"\r\n", "big 100000", "emit 10 100", "\xff", "\0", "x", "99999999"};
	uint64_t state = test_seed();
	int fd[16], rounds = 40000 / (int)test_slowness();

	for (int i = 0; i < 16; i++)
		fd[i] = client_connect(&world);
	while (rounds-- > 0) {
		int *one = &fd[test_random_below(&state, 16)];
		const char *part = parts[test_random_below(&state, sizeof(parts) / sizeof(*parts))];

		switch (test_random_below(&state, 8)) {
		case 0:
			close(*one);
			*one = client_connect(&world);
			break;
		case 1: shutdown(*one, SHUT_WR); break;
		case 2: shutdown(*one, SHUT_RD); break;
		default: send(*one, part, strlen(part) + !*part, MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		if (rounds % 1000 == 0)
			ck_assert_int_lt(ping_ms(&world), 5000);
	}
	for (int i = 0; i < 16; i++)
		close(fd[i]);
	expect_quick();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_harm");
	TCase *tcase = tcase_create("control_harm");

	test_needs_kernel(); /* and its speed */
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_thousand_silent);
	tcase_add_test(tcase, a_byte_a_second);
	tcase_add_test(tcase, does_not_read);
	tcase_add_test(tcase, streams_leave_seats);
	tcase_add_test(tcase, flood);
	tcase_add_test(tcase, no_descriptors);
	tcase_add_test(tcase, random_clients);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
