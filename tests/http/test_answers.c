/*
 * What the gateway makes of a status document: metrics, readiness, fingerprints; and the pieces
 * below them: blobs and lines of the channel.
 */
#include "http/answer.h"
#include "http/channel.h"
#include "http/document.h"
#include "http/feed.h"
#include "http/live.h"
#include "http/metrics.h"

#include "../unit/test_main.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static json_t *parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(document);
	return document;
}

/* The metrics of a document as a string; the caller frees. */
static char *metrics_of(const char *document_text)
{
	json_t *document = parse(document_text);
	struct text text = {0};

	metrics_print(document, &text);
	text_add(&text, "", 1);
	ck_assert(!text.failed);
	json_decref(document);
	return text.bytes;
}

static void has(const char *document, const char *sample)
{
	char *metrics = metrics_of(document);

	ck_assert_msg(strstr(metrics, sample) != NULL, "%s not in:\n%s", sample, metrics);
	free(metrics);
}

static void lacks(const char *document, const char *sample)
{
	char *metrics = metrics_of(document);

	ck_assert_msg(!strstr(metrics, sample), "%s in:\n%s", sample, metrics);
	free(metrics);
}

#define POOL(fields) "{\"pools\":[{\"name\":\"web\"," fields "}]}"

START_TEST(metrics_name_pool_and_state)
{
	const char *document =
		POOL("\"idle\":4,\"busy\":0,\"jobs\":12345,\"exits\":{\"failed\":7}");

	has(document, "\npreforkd_workers{pool=\"web\",state=\"idle\"} 4\n");
	has(document, "\npreforkd_workers{pool=\"web\",state=\"busy\"} 0\n");
	has(document,
		"\n# TYPE preforkd_jobs_total counter\npreforkd_jobs_total{pool=\"web\"} 12345\n");
	has(document, "\npreforkd_exits_total{pool=\"web\",reason=\"failed\"} 7\n");
}
END_TEST

START_TEST(metrics_pass_over_what_is_not_there)
{
	const char *document =
		POOL("\"min_spare_workers\":null,\"max_workers\":\"ten\",\"roll\":null");

	lacks(document, "preforkd_min_spare_workers");
	lacks(document, "preforkd_max_workers");
	lacks(document, "preforkd_roll");
	lacks("{}", "pool=");
	lacks("[]", "pool=");
	lacks("{\"pools\":7}", "pool=");
}
END_TEST

START_TEST(metrics_escape_labels)
{
	has("{\"pools\":[{\"name\":\"a\\\"b\\\\c\\nd\",\"jobs\":1}]}",
		"preforkd_jobs_total{pool=\"a\\\"b\\\\c\\nd\"} 1\n");
}
END_TEST

START_TEST(metrics_stand_together_by_name)
{
	has("{\"pools\":[{\"name\":\"a\",\"jobs\":1},{\"name\":\"b\",\"jobs\":2}]}",
		"preforkd_jobs_total{pool=\"a\"} 1\npreforkd_jobs_total{pool=\"b\"} 2\n");
}
END_TEST

START_TEST(histograms_are_cumulative)
{
	const char *document =
		POOL("\"start_to_ready\":{\"bounds\":[0.001,5],\"counts\":[3,0,2],\"sum\":9.5}");

	has(document, "preforkd_start_to_ready_seconds_bucket{pool=\"web\",le=\"0.001\"} 3\n"
		      "preforkd_start_to_ready_seconds_bucket{pool=\"web\",le=\"5\"} 3\n"
		      "preforkd_start_to_ready_seconds_bucket{pool=\"web\",le=\"+Inf\"} 5\n"
		      "preforkd_start_to_ready_seconds_sum{pool=\"web\"} 9.5\n"
		      "preforkd_start_to_ready_seconds_count{pool=\"web\"} 5\n");
	lacks(POOL("\"start_to_ready\":{\"bounds\":[1],\"counts\":[3],\"sum\":1}"),
		"start_to_ready");
}
END_TEST

START_TEST(metrics_sum_over_workers)
{
	const char *document =
		POOL("\"workers\":[{\"state\":\"busy\",\"since\":2.5,\"resident\":100},"
		     "{\"state\":\"busy\",\"since\":31,\"resident\":null},{\"state\":\"idle\","
		     "\"since\":99,\"resident\":1}]");

	has(document, "preforkd_workers_resident_bytes{pool=\"web\"} 101\n");
	has(document, "preforkd_longest_job_seconds{pool=\"web\"} 31\n");
}
END_TEST

START_TEST(metrics_tell_of_sockets)
{
	const char *document = POOL("\"sockets\":[{\"name\":\"http\",\"waiting\":3},"
				    "{\"name\":\"b\",\"waiting\":null}]");

	has(document, "preforkd_socket_waiting_connections{pool=\"web\",socket=\"http\"} 3\n");
	lacks(document, "socket=\"b\"");
}
END_TEST

/* document, the reasons ("": ready) */
static const struct {
	const char *document, *reasons;
} readiness[] = {
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"idle\":1}]}", ""},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"busy\":1}]}", ""},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"unknown\":1}]}", ""},
	{"{\"phase\":\"running\",\"pools\":[]}", ""},
	{"{\"phase\":\"stopping\",\"pools\":[]}", "the supervisor is stopping\n"},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"starting\":3}]}",
		"pool a has no ready worker, 3 starting\n"},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"retiring\":3},{\"name\":\"b\","
	 "\"idle\":1}]}",
		"pool a has no ready worker, 0 starting\n"},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"idle\":1,\"drained\":true}]}",
		"pool a is drained\n"},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"min_spare_workers\":0,\"max_"
	 "workers\":9}]}",
		""},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"min_spare_workers\":0,\"max_"
	 "workers\":0}]}",
		"pool a has no ready worker, 0 starting\n"},
	{"{\"phase\":\"running\",\"pools\":[{\"name\":\"a\",\"min_spare_workers\":0,\"max_"
	 "workers\":9,"
	 "\"backoff\":{\"failures\":2}}]}",
		"pool a has no ready worker, 0 starting\n"},
};

START_TEST(ready_when_all_pools_serve)
{
	json_t *document = parse(readiness[_i].document);
	struct text reasons = {0};
	bool ready = document_ready(document, &reasons);

	text_add(&reasons, "", 1);
	ck_assert_str_eq(reasons.bytes, readiness[_i].reasons);
	ck_assert_int_eq(ready, readiness[_i].reasons[0] == '\0');
	text_free(&reasons);
	json_decref(document);
}
END_TEST

/* a, b, do they differ in more than times? */
static const struct {
	const char *a, *b;
	bool differ;
} fingerprints[] = {
	{"{\"idle\":1,\"age\":1.5}", "{\"idle\":1,\"age\":2.5}", false},
	{"{\"idle\":1}", "{\"idle\":2}", true},
	{"{\"idle\":1}", "{\"busy\":1}", true},
	{"{\"note\":\"a\"}", "{\"note\":\"b\"}", true},
	{"{\"a\":[1,2]}", "{\"a\":[1,2,2]}", true},
	{"{\"a\":[[1],2]}", "{\"a\":[[1,2]]}", true},
	{"{\"a\":true}", "{\"a\":false}", true},
	{"{\"a\":null}", "{\"a\":[]}", true},
};

START_TEST(fingerprints_pass_over_times)
{
	json_t *a = parse(fingerprints[_i].a), *b = parse(fingerprints[_i].b);

	ck_assert_int_eq(
		document_fingerprint(a) != document_fingerprint(b), fingerprints[_i].differ);
	json_decref(a);
	json_decref(b);
}
END_TEST

START_TEST(paths_find_what_is_there)
{
	json_t *document = parse("{\"a\":{\"b\":{\"c\":7}}}");

	ck_assert(document_number(document, "a.b.c") == 7);
	ck_assert_ptr_null(document_find(document, "a.x.c"));
	ck_assert_ptr_null(document_find(document, "a.b.c.d"));
	ck_assert_ptr_null(document_find(NULL, "a"));
	ck_assert_str_eq(document_string(document, "a"), "");
	json_decref(document);
}
END_TEST

static const struct {
	const char *path;
	enum route route;
} paths[] = {
	{"/", ROUTE_PAGE},
	{"/live", ROUTE_LIVE},
	{"/status.json", ROUTE_STATUS},
	{"/metrics", ROUTE_METRICS},
	{"/healthz", ROUTE_HEALTH},
	{"/readyz", ROUTE_READY},
	{"", ROUTE_NONE},
	{"//", ROUTE_NONE},
	{"/live/", ROUTE_NONE},
	{"/Metrics", ROUTE_NONE},
	{"/../etc/passwd", ROUTE_NONE},
};

START_TEST(routes_are_exact)
{
	ck_assert_int_eq(route_find(paths[_i].path), paths[_i].route);
}
END_TEST

START_TEST(without_a_document_nothing_is_told)
{
	ck_assert_uint_eq(answer_make(ROUTE_HEALTH, NULL, NULL).status, 503);
	ck_assert_uint_eq(answer_make(ROUTE_METRICS, NULL, NULL).status, 503);
	ck_assert_uint_eq(answer_make(ROUTE_PAGE, NULL, NULL).status, 200);
	ck_assert_uint_eq(answer_make(ROUTE_NONE, NULL, NULL).status, 404);
}
END_TEST

/* --- the channel */

static void write_to(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(feed_sorts_events_from_answers)
{
	struct feed feed;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	feed_init(&feed, pair[0]);
	write_to(pair[1], "{\"pools\":[],\"a\":1}\n"); /* nobody asked */
	ck_assert(feed_read(&feed, 1000));
	ck_assert_ptr_null(feed.document);
	feed_ask(&feed, 1000);
	feed_ask(&feed, 1000); /* one is out already */
	write_to(pair[1], "{\"event\":\"log\"}\n{\"event\":\"wor");
	write_to(pair[1], "ker\"}\n{\"pools\":[]");
	ck_assert(feed_read(&feed, 1010));
	ck_assert_uint_eq(feed.events, 2);
	ck_assert_ptr_null(feed.document);
	write_to(pair[1], "}\n");
	ck_assert(feed_read(&feed, 1020));
	ck_assert_ptr_nonnull(feed_fresh(&feed, 1919)); /* it took 20 ms: it serves long */
	ck_assert_ptr_null(feed_fresh(&feed, 1920));
	feed.took_ms = 0;
	ck_assert_ptr_nonnull(feed_fresh(&feed, 1119));
	ck_assert_ptr_null(feed_fresh(&feed, 1120));
	feed_ask(&feed, 1200);
	write_to(pair[1],
		"{\"ok\":false,\"error\":\"no\"}\n"); /* ends the request, is no document */
	ck_assert(feed_read(&feed, 1210) && !feed.asked);
	ck_assert_ptr_nonnull(feed.document);
	close(pair[1]);
	ck_assert(!feed_read(&feed, 1300));
	feed_fini(&feed);
}
END_TEST

START_TEST(feed_survives_noise)
{
	static const char *const noise[] = {
		"\n", "{\n", "[]\n", "\"pools\"\n", "\0\0\n", "{\"event\":\n"};
	struct feed feed;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	feed_init(&feed, pair[0]);
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		feed_ask(&feed, 0);
		ck_assert_int_gt(write(pair[1], noise[i], strlen(noise[i]) + 1), 0);
		ck_assert(feed_read(&feed, 0));
		ck_assert_ptr_null(feed.document);
	}
	close(pair[1]);
	feed_fini(&feed);
}
END_TEST

/* Everything that a reader gets, as a string that the caller frees. */
static char *read_all(struct live_reader *reader, struct live *live, struct feed *feed)
{
	struct text text = {0};
	char bytes[7];
	ssize_t length;

	while ((length = live_read(reader, live, feed, bytes, sizeof(bytes))) > 0)
		text_add(&text, bytes, (size_t)length);
	text_add(&text, "", 1);
	return text.bytes;
}

static void expect_read(
	struct live_reader *reader, struct live *live, struct feed *feed, const char *wanted)
{
	char *got = read_all(reader, live, feed);

	ck_assert_str_eq(got, wanted);
	free(got);
}

/* What the supervisor says, taken by the feed. */
static void say(struct feed *feed, int fd, int64_t now_ms, const char *line)
{
	feed_ask(feed, now_ms);
	write_to(fd, line);
	ck_assert(feed_read(feed, now_ms));
}

START_TEST(readers_get_news_once)
{
	struct live_reader reader;
	struct live live;
	struct feed feed;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	feed_init(&feed, pair[0]);
	live_init(&live);
	ck_assert(live_due_ms(&live, &feed) == INT64_MAX);
	live_reader_start(&reader, &live, &feed, 0);
	ck_assert(live_due_ms(&live, &feed) <= 0);
	expect_read(&reader, &live, &feed, "retry: 1000\n\n");
	say(&feed, pair[1], 1000, "{\"pools\":[],\"a\":1}\n");
	live_publish(&live, &feed, 1000);
	expect_read(&reader, &live, &feed, "event: status\ndata: {\"pools\":[],\"a\":1}\n\n");
	expect_read(&reader, &live, &feed, "");
	ck_assert(live_due_ms(&live, &feed) == 1250);
	say(&feed, pair[1], 1250, "{\"pools\":[],\"a\":1}\n"); /* the same */
	live_publish(&live, &feed, 1250);
	expect_read(&reader, &live, &feed, "");
	say(&feed, pair[1], 3000, "{\"pools\":[],\"a\":1}\n"); /* a sign of life all the same */
	live_publish(&live, &feed, 3000);
	expect_read(&reader, &live, &feed, "event: status\ndata: {\"pools\":[],\"a\":1}\n\n");
	say(&feed, pair[1], 3050, "{\"event\":\"log\"}\n{\"pools\":[],\"a\":2}\n");
	live_publish(&live, &feed, 3050); /* too soon for another */
	expect_read(&reader, &live, &feed, "event: event\ndata: {\"event\":\"log\"}\n\n");
	live_reader_stop(&reader, &live);
	live_fini(&live);
	close(pair[1]);
	feed_fini(&feed);
}
END_TEST

static int count_of(const char *text, const char *part)
{
	int count = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		count++;
	}
	return count;
}

START_TEST(slow_readers_are_told_what_they_missed)
{
	struct live_reader reader;
	struct live live;
	struct feed feed;
	char *got;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	feed_init(&feed, pair[0]);
	live_init(&live);
	live_reader_start(&reader, &live, &feed, 0);
	for (int i = 0; i < FEED_EVENTS + 10; i++)
		say(&feed, pair[1], i, "{\"event\":\"x\"}\n");
	got = read_all(&reader, &live, &feed);
	ck_assert_ptr_nonnull(strstr(got, "{\"event\":\"dropped\",\"count\":10}"));
	ck_assert_int_eq(count_of(got, "event: event\n"), 1 + FEED_EVENTS);
	free(got);
	live_reader_stop(&reader, &live);
	live_fini(&live);
	close(pair[1]);
	feed_fini(&feed);
}
END_TEST

static Suite *answers_suite(void)
{
	Suite *suite = suite_create("answers");
	TCase *tcase = tcase_create("answers");

	tcase_add_test(tcase, metrics_name_pool_and_state);
	tcase_add_test(tcase, metrics_pass_over_what_is_not_there);
	tcase_add_test(tcase, metrics_escape_labels);
	tcase_add_test(tcase, metrics_stand_together_by_name);
	tcase_add_test(tcase, histograms_are_cumulative);
	tcase_add_test(tcase, metrics_sum_over_workers);
	tcase_add_test(tcase, metrics_tell_of_sockets);
	tcase_add_loop_test(
		tcase, ready_when_all_pools_serve, 0, sizeof(readiness) / sizeof(readiness[0]));
	tcase_add_loop_test(tcase, fingerprints_pass_over_times, 0,
		sizeof(fingerprints) / sizeof(fingerprints[0]));
	tcase_add_test(tcase, paths_find_what_is_there);
	tcase_add_loop_test(tcase, routes_are_exact, 0, sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(tcase, without_a_document_nothing_is_told);
	tcase_add_test(tcase, feed_sorts_events_from_answers);
	tcase_add_test(tcase, feed_survives_noise);
	tcase_add_test(tcase, readers_get_news_once);
	tcase_add_test(tcase, slow_readers_are_told_what_they_missed);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(answers_suite());
}
