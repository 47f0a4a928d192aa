/*
 * Text for a terminal, numbers for a column, shares of a bar, words for events: tables of cases,
 * and random bytes.
 */
#include "chart.h"
#include "event.h"
#include "text.h"
#include "top_world.h"

static const struct {
	const char *text, *utf8, *ascii;
	int columns;
} clean_cases[] = {
	{"", "", "", 0},
	{"plain text", "plain text", "plain text", 10},
	{"\x1b[2J", "?[2J", "?[2J", 4},
	{"a\tb\nc", "a?b?c", "a?b?c", 5},
	{"\x7f", "?", "?", 1},
	{"gr\xc3\xb6\xc3\x9f", "gr\xc3\xb6\xc3\x9f", "gr??", 4},
	{"\xe6\x97\xa5", "\xe6\x97\xa5", "?", 2},
	{"e\xcc\x81", "e", "e?", 1},
	{"\xe2\x80\xae"
	 "x",
		"x", "?x", 1},
	{"\xc2\x9b"
	 "31m",
		"?31m", "?31m", 4},
	{"\xc3", "?", "?", 1},
	{"\xc3(", "?(", "?(", 2},
	{"\xe6\x97", "??", "??", 2},
	{"\xc0\x80", "??", "??", 2},
	{"\xed\xa0\x80", "???", "???", 3},
	{"\xf8\x88\x80\x80\x80", "?????", "?????", 5},
	{"\xff\xfe", "??", "??", 2},
};

START_TEST(text_is_fit_for_a_terminal)
{
	char out[64];

	world_utf8();
	text_clean(out, sizeof(out), clean_cases[_i].text, true);
	ck_assert_str_eq(out, clean_cases[_i].ascii);
	ck_assert_int_eq(text_columns(clean_cases[_i].text, false), clean_cases[_i].columns);
	text_clean(out, sizeof(out), clean_cases[_i].text, false);
	/* A broken character is one question mark for each of its bytes */
	for (char *at = out; (at = strstr(at, "\xef\xbf\xbd")) != NULL;) {
		*at = '?';
		memmove(at + 1, at + 3, strlen(at + 3) + 1);
	}
	ck_assert_str_eq(out, clean_cases[_i].utf8);
}
END_TEST

START_TEST(any_bytes_come_out_printable)
{
	uint64_t random = test_seed();

	world_utf8();
	for (int round = 0; round < 20000; round++) {
		char bytes[40], out[64];
		size_t length = (size_t)test_random_below(&random, sizeof(bytes) - 1);

		for (size_t i = 0; i < length; i++)
			bytes[i] = (char)test_random(&random);
		bytes[length] = '\0';
		text_clean(out, sizeof(out), bytes, true);
		for (const char *at = out; *at; at++)
			ck_assert(*at >= ' ' && *at < 0x7f);
		ck_assert_int_eq((int)strlen(out), text_columns(bytes, true));
		text_clean(out, 8, bytes, false);
		ck_assert_uint_lt(strlen(out), 8);
		for (const char *at = out; *at; at++)
			ck_assert((unsigned char)*at >= ' ' && *at != 0x7f);
	}
}
END_TEST

static const struct {
	double seconds;
	const char *text;
} second_cases[] = {{0, "0.0s"}, {0.04, "0.0s"}, {1.5, "1.5s"}, {9.94, "9.9s"}, {9.97, "9s"},
	{12, "12s"}, {59.9, "59s"}, {60, "1m00"}, {65, "1m05"}, {3599, "59m59"}, {3600, "1h00"},
	{86399, "23h59"}, {86400, "1d00h"}, {1e7, "115d17h"}, {-1, "-"}, {1e300, "-"}};

static const struct {
	int64_t bytes;
	const char *text;
} byte_cases[] = {{0, "0"}, {999, "999"}, {1000, "1.0K"}, {1024, "1.0K"}, {5242880, "5.0M"},
	{104857600, "100M"}, {1 << 30, "1.0G"}, {-1, "-"}, {INT64_MAX, "8192P"}};

static const struct {
	int64_t count;
	const char *text;
} count_cases[] = {{0, "0"}, {12345, "12345"}, {9999999, "9999999"}, {10000000, "10.0M"}, {-1, "-"},
	{20000000000, "20G"}};

START_TEST(numbers_are_short)
{
	char text[TEXT_NUMBER_BYTES];

	for (size_t i = 0; i < COUNT(second_cases); i++) {
		text_format_seconds(text, second_cases[i].seconds);
		ck_assert_str_eq(text, second_cases[i].text);
	}
	for (size_t i = 0; i < COUNT(byte_cases); i++) {
		text_format_bytes(text, byte_cases[i].bytes);
		ck_assert_str_eq(text, byte_cases[i].text);
	}
	for (size_t i = 0; i < COUNT(count_cases); i++) {
		text_format_count(text, count_cases[i].count);
		ck_assert_str_eq(text, count_cases[i].text);
	}
	text_format_rate(text, 87.23);
	ck_assert_str_eq(text, "87.2");
	text_format_rate(text, 12345);
	ck_assert_str_eq(text, "1.234e+04");
}
END_TEST

static const struct {
	int amount[4], width, cells[4];
} share_cases[] = {
	{{0, 0, 0, 0}, 10, {0, 0, 0, 0}},
	{{1, 1, 1, 1}, 4, {1, 1, 1, 1}},
	{{1, 1, 0, 8}, 10, {1, 1, 0, 8}},
	{{1000, 1, 1, 1}, 10, {7, 1, 1, 1}},
	{{1, 1000, 0, 0}, 10, {1, 9, 0, 0}},
	{{-5, 1, 0, 0}, 3, {0, 3, 0, 0}},
	{{2, 2, 0, 0}, 1, {1, 0, 0, 0}},
	{{3, 4, 5, 6}, 0, {0, 0, 0, 0}},
};

START_TEST(bars_are_shared_out)
{
	int cells[4];

	chart_share(cells, share_cases[_i].amount, 4, share_cases[_i].width);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(cells[i], share_cases[_i].cells[i]);
}
END_TEST

START_TEST(bars_are_full_and_hide_nobody)
{
	uint64_t random = test_seed();

	for (int round = 0; round < 20000; round++) {
		int amount[6], cells[6], width = (int)test_random_below(&random, 80), sum = 0,
					 any = 0;

		for (int i = 0; i < 6; i++) {
			amount[i] = (int)test_random_below(
				&random, 1u << test_random_below(&random, 20));
			any += amount[i] > 0;
		}
		chart_share(cells, amount, 6, width);
		for (int i = 0; i < 6; i++) {
			ck_assert_int_ge(cells[i], 0);
			ck_assert(amount[i] > 0 || cells[i] == 0);
			ck_assert(amount[i] == 0 || cells[i] > 0 || any > width);
			sum += cells[i];
		}
		ck_assert_int_eq(sum, any ? width : 0);
	}
}
END_TEST

START_TEST(levels_show_the_least_and_the_most)
{
	ck_assert_int_eq(chart_level(0, 10, 8), 0);
	ck_assert_int_eq(chart_level(-1, 10, 8), 0);
	ck_assert_int_eq(chart_level(5, 0, 8), 0);
	ck_assert_int_eq(chart_level(0.001, 10, 8), 1);
	ck_assert_int_eq(chart_level(5, 10, 8), 4);
	ck_assert_int_eq(chart_level(10, 10, 8), 8);
	ck_assert_int_eq(chart_level(1e300, 10, 8), 8);
}
END_TEST

static const struct {
	const char *line, *text;
	bool told, changed;
} event_cases[] = {
	{"{\"event\":\"worker\",\"pool\":\"web\",\"slot\":3,\"from\":\"starting\",\"to\":\"ready\","
	 "\"why\":"
	 "\"wrote\"}",
		"web/3: starting -> ready (wrote)", true, true},
	{"{\"event\":\"worker\",\"pool\":\"web\",\"slot\":3,\"from\":\"a\",\"to\":\"b\"}",
		"web/3: a -> b", true, true},
	{"{\"event\":\"progress\",\"action\":\"reload\",\"pool\":\"web\",\"done\":3,\"total\":12}",
		"web: reload: 3 of 12", true, true},
	{"{\"event\":\"finished\",\"action\":\"reload\",\"ok\":true,\"message\":\"good\"}",
		"reload: good", true, true},
	{"{\"event\":\"finished\",\"action\":\"reload\",\"ok\":false,\"error\":\"bad\"}",
		"reload: bad", true, true},
	{"{\"event\":\"log\",\"pool\":null,\"slot\":null,\"message\":\"hello\"}", "hello", true,
		false},
	{"{\"event\":\"dropped\",\"count\":3}", "", false, false},
	{"{\"event\":17}", "", false, false},
	{"[]", "", false, false},
	{"{", "", false, false},
	{"", "", false, false},
};

START_TEST(events_are_told_in_words)
{
	char text[128] = "";
	bool changed;
	bool told = event_describe(
		text, sizeof(text), &changed, event_cases[_i].line, strlen(event_cases[_i].line));

	ck_assert_int_eq(told, event_cases[_i].told);
	ck_assert_int_eq(changed, event_cases[_i].changed);
	ck_assert_str_eq(text, event_cases[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("top: text");
	TCase *tests = tcase_create("text");

	tcase_add_loop_test(tests, text_is_fit_for_a_terminal, 0, COUNT(clean_cases));
	tcase_add_test(tests, any_bytes_come_out_printable);
	tcase_add_test(tests, numbers_are_short);
	tcase_add_loop_test(tests, bars_are_shared_out, 0, COUNT(share_cases));
	tcase_add_test(tests, bars_are_full_and_hide_nobody);
	tcase_add_test(tests, levels_show_the_least_and_the_most);
	tcase_add_loop_test(tests, events_are_told_in_words, 0, COUNT(event_cases));
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
