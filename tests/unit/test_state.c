/*
 * The saved state: what is written reads back the same; whatever is cut, changed or of another
 * version is refused and harms nobody.
 */
#include "state.h"

#include "errmsg.h"
#include "test_main.h"

static struct state_worker workers[] = {
	{.slot = 0,
		.pid = 77,
		.started_ticks = 123456,
		.uid = 33,
		.generation = 2,
		.state = WORKER_READY,
		.activity = ACTIVITY_BUSY,
		.times = {.started_at = 17},
		.jobs = 5,
		.jobs_known = true,
		.status = (char *)"says\nwhat\x01 it likes"},
	{.slot = 7,
		.pid = 78,
		.started_ticks = 1,
		.generation = 1,
		.state = WORKER_STOPPING,
		.soft_signal = 15,
		.stop_timeout_ms = 30000},
};
static struct state_stream streams[] = {{.slot = 7, .pid = 78, .number = 2, .fd = 9}};
static struct state_pool pools[] = {
	{.name = (char *)"web",
		.board_path = (char *)"/run/web",
		.notify_fd = -1,
		.last_generation = 2,
		.generation = 2,
		.offset = -1,
		.worker = workers,
		.worker_count = 2,
		.stream = streams,
		.stream_count = 1,
		.tally = {.jobs = 99, .start_to_ready = {.count = {1, 2}, .sum = 0.125}}},
	{.name = (char *)"empty", .board_path = (char *)"/run/empty", .notify_fd = 8},
};
static struct state_socket sockets[] = {
	{.name = (char *)"tcp", .fd = 4}, {.name = (char *)"local", .fd = 5, .path = (char *)"/s"}};

static struct state_wait waits[] = {{.id = 12, .pool = (char *)"web", .slot = 7, .pid = 78}};

static struct state sample(void)
{
	return (struct state){.boot_id = (char *)"8c1f",
		.pid = 42,
		.clock_ms = 1000,
		.name = (char *)"app",
		.runtime_path = (char *)"/run",
		.config_path = (char *)"/etc/app.ini",
		.log_level = -1,
		.text = (char *)"[pool:web]\ncommand = x\n",
		.lock_fd = 3,
		.pidfile_fd = -1,
		.control_fd = -1,
		.reports_read_fd = 6,
		.reports_write_fd = 7,
		.http = {.fd = -1},
		.socket = sockets,
		.socket_count = 2,
		.pool = pools,
		.pool_count = 2,
		.wait = waits,
		.wait_count = 1,
		.last_id = 13,
		.upgrade_id = 11,
		.drain_id = 13,
		.reload = {.state = 3,
			.action = (char *)"reload",
			.ended_at = 1700000000,
			.took_ms = 125,
			.reason = (char *)"because"}};
}

static char *bytes_of_sample(size_t *length)
{
	const struct state state = sample();
	char *bytes = state_to_bytes(&state, length);

	ck_assert_ptr_nonnull(bytes);
	return bytes;
}

START_TEST(what_is_written_reads_back)
{
	size_t length, again_length;
	char *bytes = bytes_of_sample(&length), *again;
	struct errmsg err;
	struct state *state = state_of_bytes(bytes, length, &err);

	ck_assert_msg(state != NULL, "%s", err.text);
	ck_assert_str_eq(state->pool[0].worker[0].status, workers[0].status);
	ck_assert_ptr_null(state->pool[0].worker[1].status);
	ck_assert_int_eq(state->pool[0].worker[1].soft_signal, 15);
	ck_assert_int_eq(state->pool[0].worker[1].pidfd, -1);
	ck_assert(state->pool[0].tally.start_to_ready.sum == 0.125);
	ck_assert_int_eq(state->pool[0].offset, -1);
	ck_assert_str_eq(state->text, sample().text);
	ck_assert_int_eq(state->reload.state, 3);
	ck_assert_int_eq(state->reload.ended_at, 1700000000);
	ck_assert_str_eq(state->reload.reason, "because");
	ck_assert_uint_eq(state->wait[0].id, 12);
	ck_assert_uint_eq(state->last_id, 13);
	ck_assert_uint_eq(state->upgrade_id, 11);
	ck_assert_uint_eq(state->drain_id, 13);
	again = state_to_bytes(state, &again_length);
	ck_assert_uint_eq(length, again_length);
	ck_assert_mem_eq(bytes, again, length);
	free(again);
	free(bytes);
	state_free(state);
}
END_TEST

START_TEST(no_piece_of_one_is_one)
{
	size_t length;
	char *bytes = bytes_of_sample(&length);
	struct errmsg err;

	for (size_t cut = 0; cut < length; cut++) {
		char *piece = memcpy(malloc(cut + 1), bytes, cut);

		ck_assert_ptr_null(state_of_bytes(piece, cut, &err));
		free(piece);
	}
	bytes = realloc(bytes, length + 1);
	bytes[length] = 0;
	ck_assert_ptr_null(state_of_bytes(bytes, length + 1, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "behind its end"));
	free(bytes);
}
END_TEST

START_TEST(other_versions_are_told_apart)
{
	static const char *const first[] = {"preforkd state 0\n", "preforkd state 999999999\n",
		"preforkd state 2", "preforkd state 1\n", "preforkd state \n",
		"preforkd state -1\n", "", "preforkd", "preforkd state 1x\n"};
	struct errmsg err;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		ck_assert_ptr_null(state_of_bytes(first[i], strlen(first[i]), &err));
	ck_assert_ptr_null(state_of_bytes(first[1], strlen(first[1]), &err));
	ck_assert_ptr_nonnull(strstr(err.text, "of version 999999999"));
}
END_TEST

/* What is accepted all the same keeps its bounds: it can be written, and reads back the same. */
static void try_harmed(char *bytes, size_t length)
{
	struct errmsg err;
	struct state *state = state_of_bytes(bytes, length, &err);
	size_t again;

	if (!state)
		return;
	free(state_to_bytes(state, &again));
	state_free(state);
}

START_TEST(harmed_bytes_harm_nobody)
{
	uint64_t random = test_seed();
	size_t length;
	char *bytes = bytes_of_sample(&length), *harmed = malloc(length);

	for (int i = 0; i < 20000; i++) {
		memcpy(harmed, bytes, length);
		for (uint64_t n = 1 + test_random_below(&random, 4); n > 0; n--)
			harmed[test_random_below(&random, length)] = (char)test_random(&random);
		try_harmed(harmed, length);
	}
	/* the most that a number can be, everywhere */
	for (size_t at = 17; at + 8 <= length; at++) {
		memcpy(harmed, bytes, length);
		memset(harmed + at, 0xff, 7);
		harmed[at + 7] = 0x7f;
		try_harmed(harmed, length);
	}
	free(harmed);
	free(bytes);
}
END_TEST

static void count_fd(void *context, int fd)
{
	*(int *)context += 1 << fd;
}

START_TEST(every_descriptor_is_named)
{
	const struct state state = sample();
	int seen = 0;

	state_each_fd(&state, count_fd, &seen);
	ck_assert_int_eq(seen, 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tests = tcase_create("state");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, what_is_written_reads_back);
	tcase_add_test(tests, no_piece_of_one_is_one);
	tcase_add_test(tests, other_versions_are_told_apart);
	tcase_add_test(tests, harmed_bytes_harm_nobody);
	tcase_add_test(tests, every_descriptor_is_named);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
