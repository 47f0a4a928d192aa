/*
 * Values from text and back: tables of what is read and what is refused, and random numbers that
 * must survive being written and read.
 */
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "errmsg.h"
#include "test_main.h"
#include "value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNTOUCHED    (-4711)

struct number_case {
	const char *text;
	int64_t value;
};

typedef int number_parser(int64_t *out, const char *text, struct errmsg *err);

static void expect_number(number_parser *parse, const char *text, int64_t value)
{
	struct errmsg err = {""};
	int64_t out = UNTOUCHED;

	ck_assert_msg(parse(&out, text, &err) == 0, "\"%s\" refused: %s", text, err.text);
	ck_assert_msg(out == value, "\"%s\" is %" PRId64 ", not %" PRId64, text, out, value);
}

/* Refused, with words, and nothing written. */
static void expect_refusal(number_parser *parse, const char *text, const char *word)
{
	struct errmsg err = {""};
	int64_t out = UNTOUCHED;

	ck_assert_msg(parse(&out, text, &err) == -1, "\"%s\" accepted", text);
	ck_assert_msg(strstr(err.text, word), "\"%s\": \"%s\" lacks %s", text, err.text, word);
	ck_assert_int_eq(out, UNTOUCHED);
	ck_assert_int_eq(parse(&out, text, NULL), -1);
}

static const struct number_case durations[] = {{"0", 0}, {"0s", 0}, {"0ms", 0}, {"0d", 0},
	{"0.0", 0}, {"0.000000000000", 0}, {"1", 1000}, {"10", 10000}, {"007", 7000},
	{"500ms", 500}, {"10s", 10000}, {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000},
	{"0.25", 250}, {".5", 500}, {".5s", 500}, {"1.5h", 5400000}, {"0.5d", 43200000},
	{"1.5ms", 2}, {"1.4ms", 1}, {"0.5ms", 1}, {"0.001", 1}, {"0.0005", 1},
	{"0.9999999999999999999999", 1000}, {"1.0000000000000000000000001", 1000},
	{"0.333333333333333333333m", 20000}, {"0.000000012d", 1}, {"infinity", DURATION_INFINITE},
	{"Infinity", DURATION_INFINITE}, {"9007199254740991ms", DURATION_MAX},
	{"9007199254740ms", 9007199254740}, {"104249991d", 104249991 * INT64_C(86400000)},
	{"00000000000000000000000000000000000000000001", 1000}};

START_TEST(duration_reads)
{
	expect_number(value_parse_duration, durations[_i].text, durations[_i].value);
}
END_TEST

static const struct {
	const char *text, *word;
} bad_durations[] = {{"", "empty"}, {"-1", "negative"}, {"-0.5s", "negative"}, {"-.5s", "negative"},
	{"+1", "not a duration"}, {" 1", "not a duration"}, {"1 ", "not a duration"},
	{"1 s", "not a duration"}, {"s", "not a duration"}, {"ms", "not a duration"},
	{".", "not a duration"}, {".s", "not a duration"}, {"1.", "not a duration"},
	{"1.s", "not a duration"}, {"1..5", "not a duration"}, {"1.5.5", "not a duration"},
	{"1,5", "not a duration"}, {"nan", "not a duration"}, {"NaN", "not a duration"},
	{"inf", "not a duration"}, {"-infinity", "not a duration"}, {"infinitys", "not a duration"},
	{"1e3", "not a duration"}, {"0x10", "not a duration"}, {"10x", "not a duration"},
	{"10ss", "not a duration"}, {"10sm", "not a duration"}, {"1h30m", "not a duration"},
	{"10S", "not a duration"}, {"10M", "not a duration"}, {"1w", "not a duration"},
	{"10s\n", "not a duration"}, {"ten", "not a duration"}, {"\xff", "not a duration"},
	{"9007199254740992ms", "too large"}, {"9007199254740991.5ms", "too large"},
	{"9223372036854775807ms", "too large"}, {"9223372036854775807", "too large"},
	{"18446744073709551616ms", "too large"}, {"99999999999999999999999999d", "too large"},
	{"18446744073709551617", "too large"}, {"104249992d", "too large"}, {"0.0004", "shorter"},
	{"0.1ms", "shorter"}, {"0.49999ms", "shorter"},
	{"0.00000000000000000000000000001", "shorter"}, {"0.0000000000000000000001d", "shorter"}};

START_TEST(duration_refuses)
{
	expect_refusal(value_parse_duration, bad_durations[_i].text, bad_durations[_i].word);
}
END_TEST

static const struct number_case sizes[] = {{"0", 0}, {"0K", 0}, {"1", 1}, {"65536", 65536},
	{"64K", 65536}, {"64k", 65536}, {"256M", 268435456}, {"256m", 268435456},
	{"2G", INT64_C(2147483648)}, {"2g", INT64_C(2147483648)}, {"0008", 8},
	{"9223372036854775807", INT64_MAX}, {"8589934591G", INT64_C(8589934591) << 30},
	{"9007199254740991K", INT64_C(9007199254740991) << 10}};

START_TEST(size_reads)
{
	expect_number(value_parse_size, sizes[_i].text, sizes[_i].value);
}
END_TEST

static const struct {
	const char *text, *word;
} bad_sizes[] = {{"", "empty"}, {"-1", "negative"}, {"-64K", "negative"}, {"+1", "not a size"},
	{"K", "not a size"}, {"1.5G", "not a size"}, {"64KB", "not a size"},
	{"64KiB", "not a size"}, {"64 K", "not a size"}, {" 64", "not a size"},
	{"64 ", "not a size"}, {"0x40", "not a size"}, {"1e3", "not a size"},
	{"infinity", "not a size"}, {"1T", "not a size"}, {"9223372036854775808", "too large"},
	{"18446744073709551616", "too large"}, {"18446744073709551617", "too large"},
	{"8589934592G", "too large"}, {"17179869185G", "too large"},
	{"36893488147419103232K", "too large"}};

START_TEST(size_refuses)
{
	expect_refusal(value_parse_size, bad_sizes[_i].text, bad_sizes[_i].word);
}
END_TEST

static const struct number_case ints[] = {{"0", 0}, {"-0", 0}, {"+0", 0}, {"7", 7}, {"+7", 7},
	{"-7", -7}, {"010", 10}, {"9223372036854775807", INT64_MAX},
	{"-9223372036854775808", INT64_MIN}, {"-9223372036854775807", -INT64_MAX}};

START_TEST(int_reads)
{
	expect_number(value_parse_int, ints[_i].text, ints[_i].value);
}
END_TEST

static const struct {
	const char *text, *word;
} bad_ints[] = {{"", "empty"}, {"-", "whole number"}, {"+", "whole number"},
	{"--1", "whole number"}, {"+-1", "whole number"}, {"1.0", "whole number"},
	{"1 ", "whole number"}, {" 1", "whole number"}, {"1K", "whole number"},
	{"0x1", "whole number"}, {"ten", "whole number"}, {"-ten", "whole number"},
	{"\t1", "whole number"}, {"9223372036854775808", "too large"},
	{"-9223372036854775809", "too small"}, {"99999999999999999999", "too large"},
	{"-99999999999999999999", "too small"}};

START_TEST(int_refuses)
{
	expect_refusal(value_parse_int, bad_ints[_i].text, bad_ints[_i].word);
}
END_TEST

START_TEST(bool_reads)
{
	static const struct {
		const char *text;
		int value; /* -1: refused */
	} cases[] = {{"yes", 1}, {"YES", 1}, {"Yes", 1}, {"no", 0}, {"NO", 0}, {"true", 1},
		{"False", 0}, {"on", 1}, {"oFF", 0}, {"1", 1}, {"0", 0}, {"", -1}, {"y", -1},
		{"n", -1}, {"2", -1}, {"-1", -1}, {"01", -1}, {"yes ", -1}, {" yes", -1},
		{"yess", -1}, {"t", -1}, {"enabled", -1}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		bool out = cases[i].value == 0;
		int result = value_parse_bool(&out, cases[i].text, &err);

		ck_assert_msg(result == (cases[i].value < 0 ? -1 : 0), "\"%s\"", cases[i].text);
		if (result == 0)
			ck_assert_int_eq(out, cases[i].value);
		else
			ck_assert_str_ne(err.text, "");
	}
}
END_TEST

START_TEST(mode_reads)
{
	static const struct {
		const char *text;
		int value; /* -1: refused */
	} cases[] = {{"0", 0}, {"0660", 0660}, {"660", 0660}, {"07777", 07777}, {"7777", 07777},
		{"000000600", 0600}, {"", -1}, {"8", -1}, {"0680", -1}, {"10000", -1}, {"-1", -1},
		{"-0660", -1}, {"0x1ff", -1}, {"0o660", -1}, {"660 ", -1}, {" 660", -1},
		{"rw-rw----", -1}, {"7777777777777777777777777777", -1}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		mode_t out = 01234;
		int result = value_parse_mode(&out, cases[i].text, &err);

		ck_assert_msg(result == (cases[i].value < 0 ? -1 : 0), "\"%s\"", cases[i].text);
		ck_assert_uint_eq(out, result == 0 ? (unsigned)cases[i].value : 01234u);
		ck_assert_int_eq(result == 0, err.text[0] == '\0');
	}
}
END_TEST

START_TEST(amount_reads)
{
	static const struct {
		const char *text;
		int number; /* -1: refused */
		bool percent;
	} cases[] = {{"0", 0, false}, {"1", 1, false}, {"25", 25, false}, {"25%", 25, true},
		{"0%", 0, true}, {"100%", 100, true}, {"2147483647", INT_MAX, false},
		{"", -1, false}, {"%", -1, false}, {"-1", -1, false}, {"-1%", -1, false},
		{"25%%", -1, false}, {"25 %", -1, false}, {"25% ", -1, false}, {"2.5%", -1, false},
		{"2147483648", -1, false}, {"4294967297", -1, false},
		{"18446744073709551617", -1, false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		struct amount out = {-9, true};
		int result = value_parse_amount(&out, cases[i].text, &err);

		ck_assert_msg(result == (cases[i].number < 0 ? -1 : 0), "\"%s\"", cases[i].text);
		ck_assert_int_eq(out.number, result == 0 ? cases[i].number : -9);
		ck_assert_int_eq(out.percent, result == 0 ? cases[i].percent : true);
		ck_assert_int_eq(result == 0, err.text[0] == '\0');
	}
}
END_TEST

START_TEST(limit_reads)
{
	static const struct {
		const char *text;
		rlim_t soft, hard;
	} cases[] = {{"0", 0, 0}, {"1024", 1024, 1024}, {"1024:4096", 1024, 4096},
		{"1024:1024", 1024, 1024}, {"infinity", RLIM_INFINITY, RLIM_INFINITY},
		{"1024:infinity", 1024, RLIM_INFINITY},
		{"INFINITY:infinity", RLIM_INFINITY, RLIM_INFINITY}, {"8M:1G", 8388608, 1073741824},
		{"64k", 65536, 65536}, {"0:0", 0, 0},
		{"18446744073709551614", RLIM_INFINITY - 1, RLIM_INFINITY - 1}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		struct rlimit out = {1, 2};

		ck_assert_msg(value_parse_limit(&out, cases[i].text, &err) == 0, "\"%s\": %s",
			cases[i].text, err.text);
		ck_assert_uint_eq(out.rlim_cur, cases[i].soft);
		ck_assert_uint_eq(out.rlim_max, cases[i].hard);
	}
}
END_TEST

START_TEST(limit_refuses)
{
	static const char *const cases[] = {"", ":", "1:", ":1", "1:2:3", "2:1", "infinity:1", "-1",
		"1:-1", "unlimited", "1.5K", "1 :2", "1: 2", "inf", "18446744073709551615",
		"18446744073709551616", "17179869184G", "4T",
		"00000000000000000000000000000000000000000000000000000000000000000001:2"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct errmsg err = {""};
		struct rlimit out = {11, 22};

		ck_assert_msg(value_parse_limit(&out, cases[i], &err) == -1, "\"%s\"", cases[i]);
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(out.rlim_cur, 11);
		ck_assert_uint_eq(out.rlim_max, 22);
	}
}
END_TEST

/* The expected processors as the text's own bits, checked by libc's macros. */
START_TEST(cpus_read)
{
	static const struct {
		const char *text;
		uint64_t bits;
	} cases[] = {{"0", 0x1}, {"1", 0x2}, {"0-3", 0xf}, {"0-3,6", 0x4f}, {"0-3,6 8", 0x14f},
		{"0,1,2", 0x7}, {"0 1 2", 0x7}, {"  0 \t 1  ", 0x3}, {"0 , 1", 0x3}, {"0-0", 0x1},
		{"0-6:2", 0x55}, {"0-7:3", 0x49}, {"3-3:99999999999999999", 0x8},
		{"63", UINT64_C(1) << 63}, {"0-63", UINT64_MAX}, {"5,5,5", 0x20}, {"007", 0x80}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cpu_set_t set;
		struct errmsg err = {""};
		int result;

		CPU_ZERO(&set);
		result = value_parse_cpus((unsigned char *)&set, sizeof(set), cases[i].text, &err);
		ck_assert_msg(result == 0, "\"%s\": %s", cases[i].text, err.text);
		for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
			ck_assert_msg(
				!CPU_ISSET(cpu, &set) == !(cpu < 64 && (cases[i].bits >> cpu & 1)),
				"\"%s\": processor %zu", cases[i].text, cpu);
	}
}
END_TEST

START_TEST(cpus_reach_the_last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(7, &set);
	ck_assert_int_eq(value_parse_cpus((unsigned char *)&set, sizeof(set), "1023", NULL), 0);
	ck_assert(CPU_ISSET(1023, &set) && CPU_ISSET(7, &set));
	ck_assert_int_eq(CPU_COUNT(&set), 2);
}
END_TEST

START_TEST(cpus_refuse)
{
	static const char *const cases[] = {"", " ", "\t", ",", "0,", ",0", "0,,1", "0, ,1", "-",
		"-1", "0-", "3-1", "0-3:", "0-3:0", "0-3:x", "0:2", "a", "0x1", "0-3-5", "1024",
		"0-1024", "18446744073709551616", "0-18446744073709551616",
		"0-3:18446744073709551616", "0;1", "0 1,", "all", "0\n1"};

	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char mask[128] = {0}, nothing[128] = {0};
		struct errmsg err = {""};

		ck_assert_msg(value_parse_cpus(mask, sizeof(mask), cases[i], &err) == -1, "\"%s\"",
			cases[i]);
		ck_assert_str_ne(err.text, "");
		ck_assert_mem_eq(mask, nothing, sizeof(mask));
	}
}
END_TEST

START_TEST(formats)
{
	static const struct {
		int64_t value;
		const char *duration, *size;
	} cases[] = {{0, "0", "0"}, {1, "1ms", "1"}, {999, "999ms", "999"}, {1000, "1s", "1000"},
		{1024, "1024ms", "1K"}, {1500, "1500ms", "1500"}, {30000, "30s", "30000"},
		{60000, "1m", "60000"}, {90000, "90s", "90000"}, {5400000, "90m", "5400000"},
		{3600000, "1h", "3600000"}, {86400000, "1d", "84375K"},
		{INT64_C(1) << 20, "1048576ms", "1M"}, {INT64_C(3) << 30, "3221225472ms", "3G"},
		{DURATION_MAX, "9007199254740991ms", "9007199254740991"}};
	char text[VALUE_TEXT_BYTES];

	for (size_t i = 0; i < COUNT(cases); i++) {
		value_format_duration(text, cases[i].value);
		ck_assert_str_eq(text, cases[i].duration);
		value_format_size(text, cases[i].value);
		ck_assert_str_eq(text, cases[i].size);
	}
	value_format_duration(text, DURATION_INFINITE);
	ck_assert_str_eq(text, "infinity");
	value_format_size(text, INT64_MAX);
	ck_assert_str_eq(text, "9223372036854775807");
	value_format_limit(text, &(struct rlimit){1024, 1024});
	ck_assert_str_eq(text, "1K");
	value_format_limit(text, &(struct rlimit){1000, RLIM_INFINITY});
	ck_assert_str_eq(text, "1000:infinity");
	value_format_limit(text, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	ck_assert_str_eq(text, "infinity");
	value_format_limit(text, &(struct rlimit){RLIM_INFINITY - 2, RLIM_INFINITY - 1});
	ck_assert_str_eq(text, "18446744073709551613:18446744073709551614");
}
END_TEST

/* Of any magnitude, and often a round one. */
static uint64_t random_number(uint64_t *state, uint64_t max)
{
	static const uint64_t factors[] = {
		1, 1000, 60000, 3600000, 86400000, 1 << 10, 1 << 20, 1 << 30};
	uint64_t factor = factors[test_random_below(state, COUNT(factors))];
	uint64_t number = test_random(state) >> test_random_below(state, 64);

	return number % (max / factor + 1) * factor;
}

START_TEST(random_numbers_come_back)
{
	uint64_t state = test_seed();
	char text[VALUE_TEXT_BYTES];

	for (int i = 0; i < 20000; i++) {
		int64_t duration = (int64_t)random_number(&state, DURATION_MAX);
		int64_t bytes = (int64_t)random_number(&state, INT64_MAX);
		struct rlimit limit = {random_number(&state, RLIM_INFINITY - 1), RLIM_INFINITY};
		struct rlimit out;

		value_format_duration(text, duration);
		expect_number(value_parse_duration, text, duration);
		value_format_size(text, bytes);
		expect_number(value_parse_size, text, bytes);
		snprintf(text, sizeof(text), "%" PRId64, bytes - INT64_MAX / 2);
		expect_number(value_parse_int, text, bytes - INT64_MAX / 2);
		if (i & 1)
			limit.rlim_max = limit.rlim_cur + (~limit.rlim_cur >> (i % 64));
		value_format_limit(text, &limit);
		ck_assert_msg(value_parse_limit(&out, text, NULL) == 0, "%s", text);
		ck_assert_uint_eq(out.rlim_cur, limit.rlim_cur);
		ck_assert_uint_eq(out.rlim_max, limit.rlim_max);
	}
}
END_TEST

/* Whatever stands there, reading ends, and what was read can be written and read again. */
START_TEST(random_noise_is_survived)
{
	static const char letters[] = "0123456789.:,-+ %KMGmshd\tinfinity";
	uint64_t state = test_seed();

	for (int i = 0; i < 100000; i++) {
		char text[16] = "", again[VALUE_TEXT_BYTES];
		unsigned char mask[128] = {0};
		size_t length = test_random_below(&state, sizeof(text));
		struct amount amount;
		struct rlimit limit;
		int64_t out, back;
		mode_t mode;
		bool flag;

		for (size_t j = 0; j < length; j++)
			text[j] = letters[test_random_below(&state, sizeof(letters) - 1)];
		if (value_parse_duration(&out, text, NULL) == 0) {
			value_format_duration(again, out);
			ck_assert_int_eq(value_parse_duration(&back, again, NULL), 0);
			ck_assert_int_eq(out, back);
		}
		if (value_parse_size(&out, text, NULL) == 0)
			ck_assert_int_ge(out, 0);
		if (value_parse_limit(&limit, text, NULL) == 0)
			ck_assert_uint_le(limit.rlim_cur, limit.rlim_max);
		if (value_parse_mode(&mode, text, NULL) == 0)
			ck_assert_uint_le(mode, 07777);
		if (value_parse_amount(&amount, text, NULL) == 0)
			ck_assert_int_ge(amount.number, 0);
		value_parse_int(&out, text, NULL);
		value_parse_bool(&flag, text, NULL);
		value_parse_cpus(mask, sizeof(mask), text, NULL);
	}
}
END_TEST

/* A value may be 64 KiB long; the reason stays readable. */
START_TEST(long_texts_are_refused)
{
	static char text[65536];
	unsigned char mask[128];
	struct errmsg err;
	int64_t out;
	bool flag;

	memset(text, '9', sizeof(text) - 1);
	ck_assert_int_eq(value_parse_duration(&out, text, &err), -1);
	ck_assert_uint_lt(strlen(err.text), 200);
	ck_assert_int_eq(value_parse_size(&out, text, &err), -1);
	ck_assert_int_eq(value_parse_int(&out, text, &err), -1);
	ck_assert_int_eq(value_parse_bool(&flag, text, &err), -1);
	ck_assert_int_eq(value_parse_cpus(mask, sizeof(mask), text, &err), -1);
	ck_assert_uint_lt(strlen(err.text), 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *tcase = tcase_create("value");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, duration_reads, 0, (int)COUNT(durations));
	tcase_add_loop_test(tcase, duration_refuses, 0, (int)COUNT(bad_durations));
	tcase_add_loop_test(tcase, size_reads, 0, (int)COUNT(sizes));
	tcase_add_loop_test(tcase, size_refuses, 0, (int)COUNT(bad_sizes));
	tcase_add_loop_test(tcase, int_reads, 0, (int)COUNT(ints));
	tcase_add_loop_test(tcase, int_refuses, 0, (int)COUNT(bad_ints));
	tcase_add_test(tcase, bool_reads);
	tcase_add_test(tcase, mode_reads);
	tcase_add_test(tcase, amount_reads);
	tcase_add_test(tcase, limit_reads);
	tcase_add_test(tcase, limit_refuses);
	tcase_add_test(tcase, cpus_read);
	tcase_add_test(tcase, cpus_reach_the_last);
	tcase_add_test(tcase, cpus_refuse);
	tcase_add_test(tcase, formats);
	tcase_add_test(tcase, random_numbers_come_back);
	tcase_add_test(tcase, random_noise_is_survived);
	tcase_add_test(tcase, long_texts_are_refused);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
