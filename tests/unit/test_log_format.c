/* One record to one line: the three formats word for word, escaping, cutting, and random bytes. */
#include "log_format.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "test_main.h"

#define WHEN_MS INT64_C(1795216262123) /* 2026-11-20T23:11:02.123Z */

static char buffer[65536];

static const char *render(enum log_format format, const struct log_record *record)
{
	struct log_line line = {.bytes = buffer, .size = sizeof(buffer) - 1};

	log_format_render(&line, format, record);
	ck_assert_uint_eq(line.length, line.wanted);
	buffer[line.length] = '\0';
	return buffer;
}

static const char *render_message(enum log_format format, const char *message, size_t bytes)
{
	const struct log_record record = {.time_ms = WHEN_MS,
		.level = LOG_LEVEL_INFO,
		.message = message,
		.message_bytes = bytes};

	return render(format, &record);
}

static const struct {
	struct log_subject subject;
	const char *text, *logfmt, *json;
} subjects[] = {
	{LOG_SUBJECT_NONE, "error hello\n", "level=error name=app msg=\"hello\"\n",
		"\"level\":\"error\",\"name\":\"app\",\"message\":\"hello\"}\n"},
	{{.pool = "web", .slot = -1, .age_ms = -1}, "error web: hello\n",
		"level=error name=app pool=web msg=\"hello\"\n",
		"\"level\":\"error\",\"name\":\"app\",\"pool\":\"web\",\"message\":\"hello\"}\n"},
	{{.pool = "web", .slot = 3, .pid = 1234, .age_ms = 312000},
		"error web/3[1234]: hello (age 5m12s)\n",
		"level=error name=app pool=web slot=3 pid=1234 age_ms=312000 msg=\"hello\"\n",
		"\"level\":\"error\",\"name\":\"app\",\"pool\":\"web\",\"slot\":3,\"pid\":1234,"
		"\"age_ms\":312000,\"message\":\"hello\"}\n"},
	{{.pool = "web", .slot = 0, .pid = 7, .age_ms = -1, .stream = "stderr"},
		"error web/0[7] stderr: hello\n",
		"level=error name=app pool=web slot=0 pid=7 stream=stderr msg=\"hello\"\n",
		"\"level\":\"error\",\"name\":\"app\",\"pool\":\"web\",\"slot\":0,\"pid\":7,"
		"\"stream\":\"stderr\",\"message\":\"hello\"}\n"},
	{{.slot = -1, .pid = 9, .age_ms = -1}, "error [9]: hello\n",
		"level=error name=app pid=9 msg=\"hello\"\n",
		"\"level\":\"error\",\"name\":\"app\",\"pid\":9,\"message\":\"hello\"}\n"},
};

START_TEST(the_formats)
{
	const struct log_record record = {.time_ms = WHEN_MS,
		.level = LOG_LEVEL_ERROR,
		.name = "app",
		.subject = &subjects[_i].subject,
		.message = "hello",
		.message_bytes = 5};
	char wanted[512];

	snprintf(wanted, sizeof(wanted), "2026-11-20T23:11:02.123Z %s", subjects[_i].text);
	ck_assert_str_eq(render(LOG_FORMAT_TEXT, &record), wanted);
	snprintf(wanted, sizeof(wanted), "time=2026-11-20T23:11:02.123Z %s", subjects[_i].logfmt);
	ck_assert_str_eq(render(LOG_FORMAT_LOGFMT, &record), wanted);
	snprintf(wanted, sizeof(wanted), "{\"time\":\"2026-11-20T23:11:02.123Z\",%s",
		subjects[_i].json);
	ck_assert_str_eq(render(LOG_FORMAT_JSON, &record), wanted);
}
END_TEST

#define BYTES(literal) literal, sizeof(literal) - 1
static const struct {
	const char *message;
	size_t bytes;
	const char *text, *logfmt, *json;
} escapes[] = {
	{BYTES(""), "", "", ""},
	{BYTES("a\tb"), "a\tb", "a\\tb", "a\\tb"},
	{BYTES("two\nlines\r\n"), "two\\nlines\\r\\n", "two\\nlines\\r\\n", "two\\nlines\\r\\n"},
	{BYTES("say \"x\""), "say \"x\"", "say \\\"x\\\"", "say \\\"x\\\""},
	{BYTES("C:\\dir"), "C:\\dir", "C:\\\\dir", "C:\\\\dir"},
	{BYTES("nul\0esc\x1b[2J"), "nul\\x00esc\\x1b[2J", "nul\\x00esc\\x1b[2J",
		"nul\\u0000esc\\u001b[2J"},
	{BYTES("del\x7f"), "del\\x7f", "del\\x7f", "del\\u007f"},
	{BYTES("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"),
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98"},
	{BYTES("c1 \xc2\x9b!"), "c1 \\u009b!", "c1 \\u009b!", "c1 \\u009b!"},
	{BYTES("\xff\xc3"), "\\xff\\xc3", "\\xff\\xc3", "\\ufffd\\ufffd"},
	{BYTES("over\xc0\xaflong"), "over\\xc0\\xaflong", "over\\xc0\\xaflong",
		"over\\ufffd\\ufffdlong"},
	{BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf", "\\ufffd\\ufffd\\ufffd"},
	{BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd"},
	{BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80",
		"\\ufffd\\ufffd\\ufffd\\ufffd"},
};

START_TEST(escaping)
{
	const char *message = escapes[_i].message;
	size_t bytes = escapes[_i].bytes;
	char wanted[512];

	snprintf(wanted, sizeof(wanted), "2026-11-20T23:11:02.123Z info %s\n", escapes[_i].text);
	ck_assert_str_eq(render_message(LOG_FORMAT_TEXT, message, bytes), wanted);
	snprintf(wanted, sizeof(wanted), "time=2026-11-20T23:11:02.123Z level=info msg=\"%s\"\n",
		escapes[_i].logfmt);
	ck_assert_str_eq(render_message(LOG_FORMAT_LOGFMT, message, bytes), wanted);
	snprintf(wanted, sizeof(wanted),
		"{\"time\":\"2026-11-20T23:11:02.123Z\",\"level\":\"info\",\"message\":\"%s\"}\n",
		escapes[_i].json);
	ck_assert_str_eq(render_message(LOG_FORMAT_JSON, message, bytes), wanted);
}
END_TEST

START_TEST(names_are_quoted_where_needed)
{
	struct log_record record = {.message = "x", .message_bytes = 1};
	static const char *const name[][2] = {{"plain-1.x", "name=plain-1.x "}, {"", "name=\"\" "},
		{"a b", "name=\"a b\" "}, {"a=b", "name=\"a=b\" "}, {"q\"", "name=\"q\\\"\" "},
		{"\xff", "name=\"\\xff\" "}};
	size_t i;

	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		record.name = name[i][0];
		ck_assert_ptr_nonnull(strstr(render(LOG_FORMAT_LOGFMT, &record), name[i][1]));
	}
}
END_TEST

START_TEST(bare_for_syslog)
{
	const struct log_subject subject = {.pool = "web", .slot = 3, .pid = 12, .age_ms = 1500};
	const struct log_record record = {
		.subject = &subject, .message = "gone\n", .message_bytes = 5};
	struct log_line line = {.bytes = buffer, .size = sizeof(buffer)};

	log_format_render_bare(&line, &record);
	ck_assert_uint_eq(line.length, strlen("web/3[12]: gone\\n (age 1.5s)"));
	ck_assert_mem_eq(buffer, "web/3[12]: gone\\n (age 1.5s)", line.length);
}
END_TEST

static const struct {
	int64_t age_ms;
	const char *text;
} ages[] = {
	{0, "(age 0ms)"},
	{999, "(age 999ms)"},
	{1000, "(age 1.0s)"},
	{59999, "(age 59.9s)"},
	{60000, "(age 1m00s)"},
	{3599999, "(age 59m59s)"},
	{3600000, "(age 1h00m)"},
	{86399999, "(age 23h59m)"},
	{86400000, "(age 1d00h)"},
	{INT64_MAX, "(age 106751991167d07h)"},
};

START_TEST(ages_for_people)
{
	const struct log_subject subject = {.slot = -1, .age_ms = ages[_i].age_ms};
	const struct log_record record = {.subject = &subject, .message = "m", .message_bytes = 1};

	ck_assert_ptr_nonnull(strstr(render(LOG_FORMAT_TEXT, &record), ages[_i].text));
}
END_TEST

static void check_time(int64_t time_ms)
{
	const struct log_record record = {.time_ms = time_ms, .message = ""};
	time_t sec = time_ms / 1000;
	struct tm utc;
	char wanted[64], part[32];

	gmtime_r(&sec, &utc);
	strftime(part, sizeof(part), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(wanted, sizeof(wanted), "%s.%03dZ ", part, (int)(time_ms % 1000));
	ck_assert_int_eq(strncmp(render(LOG_FORMAT_TEXT, &record), wanted, strlen(wanted)), 0);
}

START_TEST(dates)
{
	uint64_t state = test_seed();
	int i;

	check_time(0);
	check_time(INT64_C(951782399999)); /* the day before 2000-02-29 */
	check_time(INT64_C(951782400000));
	check_time(INT64_C(951868800000));
	check_time(INT64_C(4107542400000)); /* 2100-03-01 */
	check_time(INT64_C(253402300799999));
	for (i = 0; i < 20000; i++)
		check_time((int64_t)test_random_below(&state, UINT64_C(253402300800000)));
}
END_TEST

START_TEST(dates_out_of_range)
{
	struct log_record record = {.time_ms = INT64_MAX, .message = ""};

	ck_assert_ptr_nonnull(strstr(render(LOG_FORMAT_TEXT, &record), "9999-12-31T23:59:59.999Z"));
	record.time_ms = INT64_MIN;
	ck_assert_ptr_nonnull(strstr(render(LOG_FORMAT_TEXT, &record), "1970-01-01T00:00:00.000Z"));
}
END_TEST

/* A JSON string's inside: no bare quote or control character, escapes that JSON knows. */
static size_t json_string_end(const char *text)
{
	size_t i;

	for (i = 0; text[i] && text[i] != '"'; i++) {
		if (text[i] != '\\')
			continue;
		i++;
		if (!strchr("\"\\nrtu", text[i]))
			ck_abort_msg("no escape of JSON: \\%c", text[i]);
		if (text[i] == 'u') {
			if (!isxdigit(text[i + 1]) || !isxdigit(text[i + 2]) ||
				!isxdigit(text[i + 3]) || !isxdigit(text[i + 4]))
				ck_abort_msg("\\u without four digits");
			i += 4;
		}
	}
	return i;
}

static void check_line(const struct log_line *line, enum log_format format)
{
	size_t i;

	ck_assert_uint_le(line->length, line->size);
	ck_assert_uint_gt(line->length, 0);
	ck_assert_int_eq(line->bytes[line->length - 1], '\n');
	for (i = 0; i < line->length - 1; i++) {
		if ((unsigned char)line->bytes[i] < 0x20 && line->bytes[i] != '\t')
			ck_abort_msg("control character %d at %zu", line->bytes[i], i);
	}
	line->bytes[line->length] = '\0';
	if (format == LOG_FORMAT_JSON) {
		const char *message = strstr(line->bytes, "\"message\":\"") + 11;

		ck_assert_str_eq(message + json_string_end(message), "\"}\n");
	}
	if (format == LOG_FORMAT_LOGFMT)
		ck_assert_str_eq(line->bytes + line->length - 2, "\"\n");
}

START_TEST(random_bytes_in_any_room)
{
	uint64_t state = test_seed();
	static char message[4096];
	struct log_record record = {.time_ms = WHEN_MS, .name = "n", .message = message};
	int round;
	size_t i;

	for (round = 0; round < 1000; round++) {
		struct log_line line = {.bytes = buffer};
		enum log_format format = (enum log_format)test_random_below(&state, 3);
		bool binary = test_random_below(&state, 2);

		record.message_bytes = test_random_below(&state, sizeof(message));
		for (i = 0; i < record.message_bytes; i++)
			message[i] = (char)(binary ? test_random(&state) : 'a' + i % 26);
		line.size = LOG_LINE_MIN_BYTES + test_random_below(&state, 4096);
		log_format_render(&line, format, &record);
		check_line(&line, format);
		if (line.wanted == line.length)
			continue;
		ck_assert_uint_gt(line.wanted, line.size);
		line.size = line.wanted;
		ck_assert_uint_lt(line.size, sizeof(buffer));
		log_format_render(&line, format, &record);
		ck_assert_uint_eq(line.wanted, line.length);
		check_line(&line, format);
	}
}
END_TEST

START_TEST(cut_between_characters)
{
	static char message[3000];
	const struct log_record record = {
		.time_ms = WHEN_MS, .message = message, .message_bytes = sizeof(message)};
	size_t size, i;

	for (i = 0; i < sizeof(message); i += 3)
		memcpy(message + i, "\xe2\x82\xac", 3);
	for (size = LOG_LINE_MIN_BYTES; size < LOG_LINE_MIN_BYTES + 16; size++) {
		struct log_line line = {.bytes = buffer, .size = size};

		log_format_render(&line, LOG_FORMAT_TEXT, &record);
		ck_assert_uint_gt(line.wanted, size);
		ck_assert_mem_eq(line.bytes + line.length - 4, "\xe2\x82\xac\n", 4);
	}
}
END_TEST

static Suite *log_format_suite(void)
{
	Suite *suite = suite_create("log_format");
	TCase *tcase = tcase_create("log_format");

	tcase_add_loop_test(tcase, the_formats, 0, sizeof(subjects) / sizeof(subjects[0]));
	tcase_add_loop_test(tcase, escaping, 0, sizeof(escapes) / sizeof(escapes[0]));
	tcase_add_loop_test(tcase, ages_for_people, 0, sizeof(ages) / sizeof(ages[0]));
	tcase_add_test(tcase, names_are_quoted_where_needed);
	tcase_add_test(tcase, bare_for_syslog);
	tcase_add_test(tcase, dates);
	tcase_add_test(tcase, dates_out_of_range);
	tcase_add_test(tcase, random_bytes_in_any_room);
	tcase_add_test(tcase, cut_between_characters);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(log_format_suite());
}
