/* The status document as tables: the example of the documentation, and documents that lack things.
 */
#include <stdlib.h>
#include <string.h>

#include "plain_text.h"
#include "status_text.h"
#include "status_units.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char example[] =
	"app: running, pid 4711, up 1h00m, preforkd 0.1.0, /etc/app.ini\n"
	"last restart: failed 16m39s ago, took 3.1s: [pool:web]: 3 new workers failed: exited with "
	"status 1\n"
	"\n"
	"POOL          LIVE   MAX  BUSY SPARE START LEAVE      JOBS  PER S  STARTS FAILED\n"
	"web              8    40     2     4     1     1     12345   87.2      30      1\n"
	"  spare workers: 5 to 10 wanted, 5 at the start\n"
	"  socket http 127.0.0.1:8080: 3 waiting, 17 at most, room for 4096\n"
	"  rolling: 3 of 12 replaced, 1 starting\n"
	"  max_workers was reached 2 times\n"
	"  last decision, 12s ago: 2 idle + 1 starting < min_spare_workers 5: starting 2\n"
	"  SLOT     PID  GEN STATE        FOR    AGE   JOBS   RES    CPU NOTE\n"
	"     0    4712    3 idle     _   1.5s  1h00m   4000  5.0M    12s GET /\n"
	"     1    4713    3 busy     W   0.2s    20s      -     -      -\n";

static char *render(const char *json, int columns)
{
	json_t *document = json_loads(json, 0, NULL);
	char *text;

	ck_assert_ptr_nonnull(document);
	text = status_text_render(document, columns);
	ck_assert_ptr_nonnull(text);
	json_decref(document);
	return text;
}

START_TEST(of_the_example)
{
	const char *source = getenv("srcdir");
	json_t *document;
	char path[4096], *text;

	snprintf(path, sizeof(path), "%s/tests/unit/status-example.json", source ? source : ".");
	document = json_load_file(path, 0, NULL);
	ck_assert_msg(document != NULL, "%s", path);
	text = status_text_render(document, 80);
	ck_assert_str_eq(text, example);
	free(text);
	json_decref(document);
}
END_TEST

START_TEST(what_is_said)
{
	static const struct {
		const char *json, *wanted;
	} cases[] = {
		{"{}", ": , pid 0, up -, preforkd ,\n"},
		{"{\"pools\":[{}]}", "\nPOOL "},
		{"{\"pools\":[{\"name\":\"web\",\"workers\":[{}]}]}", "\n     0       0    0 "},
		{"{\"pools\":[null,3,\"x\",[]],\"name\":[],\"pid\":\"x\",\"reload\":7}", "pid 0"},
		{"{\"reload\":{\"state\":\"none\"}}", ": , pid 0, up -, preforkd ,\n"},
		{"{\"reload\":{\"state\":\"rolling\",\"duration\":2}}",
			"\nreload: rolling for 2.0s\n"},
		{"{\"descriptors\":{\"open\":900,\"limit\":1000}}", "900 of 1000 are open\n"},
		{"{\"log_lines_lost\":3}", "3 lines of the log were lost\n"},
		{"{\"loop_lag_max\":1.5}", "late by up to 1.5s\n"},
		{"{\"pools\":[{\"drained\":true}]}", "  drained: no workers until resumed\n"},
		{"{\"pools\":[{\"offset\":-2,\"configured_max_workers\":10}]}",
			"  scaled by -2 from 10\n"},
		{"{\"pools\":[{\"backoff\":{\"failures\":3,\"remaining\":4.2}}]}",
			"  backing off: 3 failures in a row, next start in 4.2s\n"},
		{"{\"pools\":[{\"roll\":{\"replaced\":1,\"total\":2,\"starting\":0,\"failures\":2}}"
		 "]}",
			"  rolling: 1 of 2 replaced, 0 starting, 2 failed\n"},
		{"{\"pools\":[{\"name\":\"a-name-too-long-for-its-column\",\"live\":7}]}",
			"\na-name-too-long-for-its-column\n                 7 "},
		{"{\"name\":\"\\u001b[2Jx\\u009b\\n\\u007f\"}", "?[2Jx????: "},
		{"{\"name\":\"M\\u00fcller \\u2713\"}", "M\u00fcller \u2713: "},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = render(cases[i].json, 0);

		ck_assert_msg(strstr(text, cases[i].wanted), "%s gives %s", cases[i].json, text);
		for (char *c = text; *c; c++)
			ck_assert((unsigned char)*c >= ' ' || *c == '\n');
		free(text);
	}
}
END_TEST

/* Nothing but reasons and addresses is wider than what was asked for. */
START_TEST(fits)
{
	static const char json[] =
		"{\"pools\":[{\"name\":\"web\",\"live\":99999,\"max_workers\":99999,\"busy\":99999,"
		"\"jobs\":1e12,\"jobs_per_second\":123456,\"starts\":1234567,\"workers\":["
		"{\"slot\":9999,\"pid\":4194304,\"generation\":9999,\"state\":\"retiring\","
		"\"letter\":\"W\",\"since\":86400000,\"age\":86399999,\"jobs\":999999,"
		"\"resident\":1e15,\"cpu\":1e7,\"note\":"
		"\"a note that is so long that it must be cut at 80 columns \\u2713\\u2713\"}]}]}";
	int widths[] = {20, 40, 80, 100};

	for (size_t i = 0; i < COUNT(widths); i++) {
		char *text = render(json, widths[i]), *last = text;

		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			last = line;
		ck_assert_uint_le(plain_text_columns(last), (size_t)widths[i]);
		ck_assert_uint_gt(plain_text_columns(last), (size_t)widths[i] - 2);
		free(text);
	}
}
END_TEST

START_TEST(many_workers)
{
	json_t *pool = json_pack("{s:s,s:[]}", "name", "web", "workers");
	json_t *document = json_pack("{s:[o]}", "pools", pool);
	char *text;
	int lines = 0;

	for (int i = 0; i < 1000; i++)
		json_array_append_new(json_object_get(pool, "workers"),
			json_pack("{s:i,s:s}", "slot", i, "note", "something"));
	text = status_text_render(document, 80);
	for (char *c = text; *c; c++)
		lines += *c == '\n';
	ck_assert_int_eq(lines, 1 + 3 + 1 + 1000);
	ck_assert_ptr_nonnull(strstr(text, "\n   999 "));
	free(text);
	json_decref(document);
}
END_TEST

START_TEST(units)
{
	static const struct {
		void (*unit)(char text[STATUS_UNIT_BYTES], double number);
		double number;
		const char *wanted;
	} cases[] = {
		{status_duration, -1, "0.0s"},
		{status_duration, 0.04, "0.0s"},
		{status_duration, 9.94, "9.9s"},
		{status_duration, 9.96, "9s"},
		{status_duration, 59.9, "59s"},
		{status_duration, 60, "1m00s"},
		{status_duration, 3599, "59m59s"},
		{status_duration, 3600, "1h00m"},
		{status_duration, 86399, "23h59m"},
		{status_duration, 86400, "1d00h"},
		{status_duration, 86400. * 999, "999d00h"},
		{status_duration, 1e300, "0s"},
		{status_size, -5, "0"},
		{status_size, 1023, "1023"},
		{status_size, 1024, "1.0K"},
		{status_size, 5242880, "5.0M"},
		{status_size, 134217728, "128M"},
		{status_size, 1023.9 * 1024, "1.0M"},
		{status_size, 1e30, "867362E"},
		{status_count, 999999, "999999"},
		{status_count, 1000000, "1.0M"},
		{status_count, 45678901, "45.7M"},
		{status_count, 1234567890123., "1.2T"},
		{status_rate, 0, "0"},
		{status_rate, 0.034, "0.03"},
		{status_rate, 87.24, "87.2"},
		{status_rate, 1234.5, "1234"},
	};
	char text[STATUS_UNIT_BYTES];

	for (size_t i = 0; i < COUNT(cases); i++) {
		cases[i].unit(text, cases[i].number);
		if (cases[i].number < 1e29)
			ck_assert_str_eq(text, cases[i].wanted);
	}
}
END_TEST

/* Whatever the bytes are, what is left is text, and cleaning it again changes nothing. */
START_TEST(cleaning_is_final)
{
	uint64_t state = test_seed();
	char text[40], again[40];
	int rounds = 100000 / (int)test_slowness();

	for (int i = 0; i < rounds; i++) {
		size_t length = test_random_below(&state, sizeof(text));

		for (size_t j = 0; j < length; j++)
			text[j] = (char)(1 + test_random_below(&state, 255));
		text[length] = '\0';
		plain_text_clean(text);
		ck_assert_uint_eq(strlen(text), length);
		memcpy(again, text, sizeof(text));
		ck_assert_str_eq(plain_text_clean(again), text);
		for (size_t j = 0; j < length; j++)
			ck_assert((unsigned char)text[j] >= ' ' && text[j] != 0x7f);
	}
	strcpy(text, "ok \xc3\xa4 \xe2\x9c\x93 \xf0\x9f\x98\x80");
	ck_assert_str_eq(plain_text_clean(text), "ok \xc3\xa4 \xe2\x9c\x93 \xf0\x9f\x98\x80");
	ck_assert_uint_eq(plain_text_columns(text), 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status_text");
	TCase *tcase = tcase_create("status_text");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, of_the_example);
	tcase_add_test(tcase, what_is_said);
	tcase_add_test(tcase, fits);
	tcase_add_test(tcase, many_workers);
	tcase_add_test(tcase, units);
	tcase_add_test(tcase, cleaning_is_final);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
