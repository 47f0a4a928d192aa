/*
 * Lines from bytes. The model is a walk over the whole stream at once; whatever way the stream is
 * cut into pieces, the same lines must come out.
 */
#include <string.h>

#include "line_buffer.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX          LINE_BUFFER_MAX_BYTES

/* What came out, written down unmistakably: length, finished or not, bytes. */
struct record {
	char *text;
	size_t length, lines;
	size_t longest;
};

static void note(void *context, const char *line, size_t length, bool finished)
{
	struct record *record = context;
	char head[32];
	int head_length = snprintf(head, sizeof(head), "%zu%c", length, finished ? '.' : '+');

	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_null(memchr(line, '\n', length));
	record->text = realloc(record->text, record->length + (size_t)head_length + length + 1);
	memcpy(record->text + record->length, head, (size_t)head_length);
	memcpy(record->text + record->length + head_length, line, length);
	record->length += (size_t)head_length + length;
	record->text[record->length] = '\0';
	record->lines++;
	if (length > record->longest)
		record->longest = length;
}

static void add_text(struct line_buffer *buffer, const char *text, struct record *record)
{
	line_buffer_add(buffer, text, strlen(text), note, record);
}

START_TEST(pieces)
{
	static const struct {
		const char *pieces[6]; /* NULL-ended */
		const char *before_flush, *after_flush;
	} cases[] = {
		{{NULL}, "", ""},
		{{""}, "", ""},
		{{"\n"}, "0.", "0."},
		{{"\n\n\n"}, "0.0.0.", "0.0.0."},
		{{"a\n"}, "1.a", "1.a"},
		{{"a"}, "", "1.a"},
		{{"a\nbc\n"}, "1.a2.bc", "1.a2.bc"},
		{{"a\nbc"}, "1.a", "1.a2.bc"},
		{{"a", "b", "c\n"}, "3.abc", "3.abc"},
		{{"a", "\n"}, "1.a", "1.a"},
		{{"a\n", "\n", "b"}, "1.a0.", "1.a0.1.b"},
		{{"a", "b\nc", "d\n\ne"}, "2.ab2.cd0.", "2.ab2.cd0.1.e"},
		{{"a\r\nb\r", "\n"}, "2.a\r2.b\r", "2.a\r2.b\r"},
		{{"", "a", "", "b", ""}, "", "2.ab"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct line_buffer buffer = {0};
		struct record record = {0};

		for (size_t j = 0; cases[i].pieces[j]; j++)
			add_text(&buffer, cases[i].pieces[j], &record);
		ck_assert_str_eq(record.text ? record.text : "", cases[i].before_flush);
		line_buffer_flush(&buffer, note, &record);
		ck_assert_str_eq(record.text ? record.text : "", cases[i].after_flush);
		line_buffer_flush(&buffer, note, &record);
		ck_assert_str_eq(record.text ? record.text : "", cases[i].after_flush);
		ck_assert_ptr_null(buffer.kept);
		free(record.text);
	}
}
END_TEST

START_TEST(nul_is_a_byte)
{
	struct line_buffer buffer = {0};
	struct record record = {0};

	line_buffer_add(&buffer, "\0a\0\n\0", 5, note, &record);
	line_buffer_add(&buffer, "\0b\n", 3, note, &record);
	ck_assert_uint_eq(record.length, 10);
	ck_assert_mem_eq(record.text,
		"3.\0a\0"
		"3.\0\0b",
		10);
	free(record.text);
}
END_TEST

/* Memory is there only while a line waits for its end. */
START_TEST(memory_is_given_back)
{
	struct line_buffer buffer = {0};
	struct record record = {0};

	add_text(&buffer, "whole\nlines\n", &record);
	ck_assert_ptr_null(buffer.kept);
	add_text(&buffer, "half", &record);
	ck_assert_ptr_nonnull(buffer.kept);
	ck_assert_uint_ge(buffer.size, buffer.length);
	add_text(&buffer, " and half\n", &record);
	ck_assert_ptr_null(buffer.kept);
	ck_assert_uint_eq(buffer.size, 0);
	add_text(&buffer, "dropped", &record);
	line_buffer_free(&buffer);
	ck_assert_ptr_null(buffer.kept);
	line_buffer_flush(&buffer, note, &record);
	ck_assert_str_eq(record.text, "5.whole5.lines13.half and half");
	line_buffer_free(&buffer);
	free(record.text);
}
END_TEST

/* Lines about as long as the limit: their pieces, however they come in. */
START_TEST(long_lines)
{
	static const struct {
		size_t length;
		size_t pieces; /* handed out */
	} cases[] = {
		{MAX - 1, 1},
		{MAX, 1},
		{MAX + 1, 2},
		{2 * MAX - 1, 2},
		{2 * MAX, 2},
		{2 * MAX + 1, 3},
		{10 * MAX, 10},
	};
	static const size_t steps[] = {1, 1000, MAX - 1, MAX, MAX + 1, 11 * MAX};
	static char line[10 * MAX + 1];

	for (size_t i = 0; i < COUNT(cases) * COUNT(steps); i++) {
		size_t length = cases[i / COUNT(steps)].length, step = steps[i % COUNT(steps)];
		struct line_buffer buffer = {0};
		struct record record = {0};

		memset(line, 'x', length);
		line[length] = '\n';
		for (size_t at = 0; at <= length; at += step)
			line_buffer_add(&buffer, line + at,
				step < length + 1 - at ? step : length + 1 - at, note, &record);
		ck_assert_uint_eq(record.lines, cases[i / COUNT(steps)].pieces);
		ck_assert_uint_le(record.longest, MAX);
		ck_assert_ptr_null(buffer.kept);
		free(record.text);
	}
}
END_TEST

START_TEST(memory_is_bounded)
{
	static char bytes[100000];
	struct line_buffer buffer = {0};
	struct record record = {0};

	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 20; i++) {
		line_buffer_add(&buffer, bytes, sizeof(bytes), note, &record);
		ck_assert_uint_le(buffer.size, MAX);
	}
	line_buffer_flush(&buffer, note, &record);
	ck_assert_uint_eq(record.lines, (20 * sizeof(bytes) + MAX - 1) / MAX);
	free(record.text);
}
END_TEST

/* The lines of the whole stream, by their definition. */
static void model(const char *bytes, size_t length, struct record *record)
{
	size_t begin = 0;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			note(record, bytes + begin, i - begin, true);
			begin = i + 1;
		} else if (i - begin == MAX) {
			note(record, bytes + begin, MAX, false);
			begin = i;
		}
	}
	if (begin < length)
		note(record, bytes + begin, length - begin, true);
}

static void expect_as_model(const char *bytes, size_t length, size_t step_max, uint64_t *state)
{
	struct line_buffer buffer = {0};
	struct record expected = {0}, record = {0};

	model(bytes, length, &expected);
	for (size_t at = 0, step; at < length; at += step) {
		step = test_random_below(state, step_max);
		if (step > length - at)
			step = length - at;
		line_buffer_add(&buffer, bytes + at, step, note, &record);
	}
	line_buffer_flush(&buffer, note, &record);
	ck_assert_uint_eq(record.lines, expected.lines);
	ck_assert_uint_eq(record.length, expected.length);
	if (record.length > 0)
		ck_assert_mem_eq(record.text, expected.text, record.length);
	ck_assert_ptr_null(buffer.kept);
	free(expected.text);
	free(record.text);
}

START_TEST(random_streams_in_random_pieces)
{
	static char bytes[5 * MAX];
	uint64_t state = test_seed();

	for (int i = 0; i < 2000; i++) {
		size_t length = test_random_below(&state, 200);

		for (size_t j = 0; j < length; j++)
			bytes[j] = (char)(test_random(&state) >> (i % 8 * 8) & 15);
		expect_as_model(bytes, length, 1 + (size_t)i % 40 + 1, &state);
	}
	for (int i = 0; i < 30; i++) {
		memset(bytes, 'x', sizeof(bytes));
		for (int j = i % 6; j > 0; j--)
			bytes[test_random_below(&state, sizeof(bytes))] = '\n';
		expect_as_model(bytes, test_random_below(&state, sizeof(bytes)), 2 * MAX, &state);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("line_buffer");
	TCase *tcase = tcase_create("line_buffer");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, pieces);
	tcase_add_test(tcase, nul_is_a_byte);
	tcase_add_test(tcase, memory_is_given_back);
	tcase_add_test(tcase, long_lines);
	tcase_add_test(tcase, memory_is_bounded);
	tcase_add_test(tcase, random_streams_in_random_pieces);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
