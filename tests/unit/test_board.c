/*
 * One line of the scoreboard: what is read from any 64 bytes, and what the supervisor writes.
 */
#include "board.h"

#include <string.h>

#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_own(int at)
{
	return (at >= 2 && at <= 11) || at == 24 || at == 63;
}

START_TEST(state_of_every_byte)
{
	char line[BOARD_LINE_BYTES];
	struct board_line said;

	board_line_write_empty(line);
	for (int byte = 0; byte < 256; byte++) {
		enum board_state expected = BOARD_NOISE;

		if (byte == '.')
			expected = BOARD_NOTHING;
		else if (byte == '_')
			expected = BOARD_IDLE;
		else if (byte >= 0x21 && byte <= 0x7e)
			expected = BOARD_BUSY;
		line[0] = (char)byte;
		board_line_read(&said, line);
		ck_assert_msg(said.state == expected, "byte %d", byte);
		ck_assert(said.state_byte == (char)byte);
	}
}
END_TEST

static const struct {
	const char *field; /* 12 bytes; shorter ones are filled with blanks */
	bool known;
	uint64_t jobs;
} job_case[] = {
	{"", false, 0},
	{"0", true, 0},
	{"7", true, 7},
	{"00042", true, 42},
	{"123456789012", true, 123456789012u},
	{"999999999999", true, 999999999999u},
	{" 1", false, 0},
	{"1 2", false, 0},
	{"12a", false, 0},
	{"-1", false, 0},
	{"+1", false, 0},
	{"1.0", false, 0},
	{"0x10", false, 0},
	{"1\n", false, 0},
	{"99999999999\xff", false, 0},
};

START_TEST(jobs)
{
	char line[BOARD_LINE_BYTES];
	struct board_line said;

	board_line_write_worker(line, 1);
	/* What stands around the field must not leak into it. */
	line[11] = '5';
	line[24] = '6';
	memset(line + BOARD_JOBS_AT, ' ', BOARD_JOBS_BYTES);
	memcpy(line + BOARD_JOBS_AT, job_case[_i].field, strlen(job_case[_i].field));
	board_line_read(&said, line);
	ck_assert_int_eq(said.jobs_known, job_case[_i].known);
	ck_assert_uint_eq(said.jobs, job_case[_i].jobs);
}
END_TEST

START_TEST(jobs_with_a_nul)
{
	char line[BOARD_LINE_BYTES];
	struct board_line said;

	board_line_write_empty(line);
	memcpy(line + BOARD_JOBS_AT, "12", 3);
	board_line_read(&said, line);
	ck_assert(!said.jobs_known);
}
END_TEST

static const struct {
	const char *bytes;
	size_t count;
	const char *note;
} note_case[] = {
	{"", 0, ""},
	{"GET /", 5, "GET /"},
	{"  a  ", 5, "  a"},
	{"a\0b", 3, "a?b"},
	{"\x1b[2J\x7f", 5, "?[2J?"},
	{"\xc3\xa4", 2, "??"},
	{"12345678901234567890123456789012345678", 38, "12345678901234567890123456789012345678"},
};

START_TEST(notes)
{
	char line[BOARD_LINE_BYTES], note[BOARD_NOTE_BYTES + 1];

	board_line_write_empty(line);
	line[24] = 'x';
	memcpy(line + BOARD_NOTE_AT, note_case[_i].bytes, note_case[_i].count);
	memset(note, 'n', sizeof(note));
	board_note_read(note, line);
	ck_assert_str_eq(note, note_case[_i].note);
}
END_TEST

START_TEST(every_byte_has_one_owner)
{
	char a[BOARD_LINE_BYTES], b[BOARD_LINE_BYTES];

	board_line_write_worker(a, 4711);
	for (int at = 0; at < BOARD_LINE_BYTES; at++) {
		memcpy(b, a, sizeof(b));
		b[at] ^= 1;
		ck_assert_msg(board_own_bytes_differ(a, b) == is_own(at), "byte %d", at);
		ck_assert_msg(board_worker_bytes_differ(a, b) == !is_own(at), "byte %d", at);
		board_own_bytes_copy(b, a);
		ck_assert_msg((memcmp(a, b, sizeof(b)) == 0) == is_own(at), "byte %d", at);
	}
	ck_assert(!board_own_bytes_differ(a, a));
	ck_assert(!board_worker_bytes_differ(a, a));
}
END_TEST

static const struct {
	pid_t pid;
	const char *text;
} pid_case[] = {
	{1, "1       "},
	{10, "10      "},
	{4194304, "4194304 "},
	{99999999, "99999999"},
	{0, "        "},
};

START_TEST(lines_of_the_supervisor)
{
	char line[BOARD_LINE_BYTES];

	board_line_write_worker(line, pid_case[_i].pid);
	ck_assert_mem_eq(line, ".  ", 3);
	ck_assert_mem_eq(line + BOARD_PID_AT, pid_case[_i].text, BOARD_PID_BYTES);
	for (int at = 11; at < 63; at++)
		ck_assert_int_eq(line[at], ' ');
	ck_assert_int_eq(line[63], '\n');
}
END_TEST

START_TEST(empty_line)
{
	char line[BOARD_LINE_BYTES];

	board_line_write_empty(line);
	ck_assert_int_eq(line[0], '.');
	for (int at = 1; at < 63; at++)
		ck_assert_int_eq(line[at], ' ');
	ck_assert_int_eq(line[63], '\n');
}
END_TEST

START_TEST(any_bytes)
{
	uint64_t state = test_seed();

	for (int round = 0; round < 20000; round++) {
		char a[BOARD_LINE_BYTES], b[BOARD_LINE_BYTES], note[BOARD_NOTE_BYTES + 1];
		struct board_line said;

		for (int at = 0; at < BOARD_LINE_BYTES; at++) {
			a[at] = (char)test_random(&state);
			b[at] = test_random_below(&state, 8) ? a[at] : (char)test_random(&state);
		}
		board_line_read(&said, a);
		ck_assert(said.jobs_known || said.jobs == 0);
		board_note_read(note, a);
		ck_assert_uint_le(strlen(note), BOARD_NOTE_BYTES);
		ck_assert_int_eq(memcmp(a, b, sizeof(a)) != 0,
			board_own_bytes_differ(a, b) || board_worker_bytes_differ(a, b));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("board");
	TCase *lines = tcase_create("lines");

	tcase_add_test(lines, state_of_every_byte);
	tcase_add_loop_test(lines, jobs, 0, COUNT(job_case));
	tcase_add_test(lines, jobs_with_a_nul);
	tcase_add_loop_test(lines, notes, 0, COUNT(note_case));
	tcase_add_test(lines, every_byte_has_one_owner);
	tcase_add_loop_test(lines, lines_of_the_supervisor, 0, COUNT(pid_case));
	tcase_add_test(lines, empty_line);
	tcase_add_test(lines, any_bytes);
	suite_add_tcase(suite, lines);
	return test_main(suite);
}
