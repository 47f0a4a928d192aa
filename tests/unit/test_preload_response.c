/* When is a response complete? Tables of what programs send, whole, byte by byte, and in random
 * pieces; and noise. */
#include "../../src/libprefork/preload_response.h"

#include <string.h>

#include "test_main.h"

#define OK        "HTTP/1.1 200 OK\r\n"
#define FIT_ROOM  38
#define NOISE_MAX 300

static const struct {
	const char *request, *response;
	int complete; /* responses */
	bool between; /* at the end */
} cases[] = {
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 3\r\n\r\nok\n", 1, true},
	{"GET / HTTP/1.1\r\n", OK "content-length:3  \r\n\r\nok\n", 1, true},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 0\r\n\r\n", 1, true},
	{"GET / HTTP/1.1\r\n", "HTTP/1.0 404 No\nContent-Length: 1\n\nx", 1, true},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 4\r\n\r\nok\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 3\r\n\r", 0, false},
	{"GET / HTTP/1.1\r\n", OK "\r\nok\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 3x\r\n\r\nok\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: -3\r\n\r\nok\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nok\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length:                         3333333\r\n\r\n", 0,
		false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 99999999999999999999\r\n\r\n", 0, false},
	{"HEAD / HTTP/1.1\r\n", OK "Content-Length: 3\r\n\r\n", 1, true},
	{"GET / HTTP/1.1\r\n", "HTTP/1.1 204 None\r\nA: b\r\n\r\n", 1, true},
	{"GET / HTTP/1.1\r\n", "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 1, true},
	{"GET / HTTP/1.1\r\n", "HTTP/1.1 101 Other\r\n\r\n", 0, false},
	{"POST / HTTP/1.1\r\n", "HTTP/1.1 100 Go on\r\n\r\n", 0, false},
	{"POST / HTTP/1.1\r\n", "HTTP/1.1 100 Go on\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", 1,
		true},
	{"GET / HTTP/1.1\r\n", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n", 1,
		true},
	{"GET / HTTP/1.1\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n", 1,
		true},
	{"GET / HTTP/1.1\r\n", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\n\r\n0\r\n\r\n", 0,
		false},
	{"GET / HTTP/1.1\r\n", OK "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 0, false},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 1\r\n\r\nx" OK "Content-Length: 1\r\n\r\ny", 2,
		true},
	{"GET / HTTP/1.1\r\n", OK "Content-Length: 1\r\n\r\nx" OK, 1, false},
	{"hello", "hello to you\r\n", 0, false},
	{"GET /0.9", "<html>\n", 0, false},
};
#define CASES (int)(sizeof(cases) / sizeof(cases[0]))

static void expect(struct response *response, const char *request)
{
	memset(response, 0, sizeof(*response));
	response_expect(response, request, strlen(request));
}

START_TEST(complete_responses_are_counted)
{
	struct response response;
	const char *text = cases[_i].response;

	expect(&response, cases[_i].request);
	ck_assert_int_eq(response_feed(&response, text, strlen(text)), cases[_i].complete);
	ck_assert_int_eq(response_is_between(&response), cases[_i].between);
}
END_TEST

START_TEST(pieces_do_not_matter)
{
	uint64_t seed = test_seed();
	const char *text = cases[_i].response;

	for (int round = 0; round < 100; round++) {
		struct response response;
		int complete = 0;

		expect(&response, cases[_i].request);
		for (size_t at = 0, piece; at < strlen(text); at += piece) {
			piece = round == 0 ? 1 : 1 + test_random_below(&seed, strlen(text) - at);
			complete += response_feed(&response, text + at, piece);
		}
		ck_assert_int_eq(complete, cases[_i].complete);
		ck_assert_int_eq(response_is_between(&response), cases[_i].between);
	}
}
END_TEST

START_TEST(a_body_may_be_sent_unseen)
{
	struct response response;
	const char *head = OK "Content-Length: 1000\r\n\r\n";

	expect(&response, "GET / HTTP/1.1\r\n");
	ck_assert_int_eq(response_feed(&response, head, strlen(head)), 0);
	ck_assert_int_eq(response_feed(&response, NULL, 999), 0);
	ck_assert_int_eq(response_feed(&response, NULL, 1), 1);
	/* but no header */
	expect(&response, "GET / HTTP/1.1\r\n");
	ck_assert_int_eq(response_feed(&response, NULL, 10), 0);
	ck_assert_int_eq(response_feed(&response, head, strlen(head)), 0);
	ck_assert(!response_is_between(&response));
}
END_TEST

/* --- FastCGI --- */

static const char begin[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0};
static const char answer[] = {1, 6, 0, 1, 0, 3, 5, 0, 'o', 'k', '\n', 0, 0, 0, 0,
	0,                      /* output, padded */
	1, 6, 0, 1, 0, 0, 0, 0, /* its end */
	1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const char rest[] = {1, 5, 0, 1, 0, 0, 0, 0};

START_TEST(a_request_of_fastcgi_has_an_end)
{
	struct response response;
	int complete = 0;

	memset(&response, 0, sizeof(response));
	response_expect(&response, begin, sizeof(begin));
	for (size_t i = 0; i < sizeof(answer); i++) {
		ck_assert_int_eq(complete, 0);
		complete += response_feed(&response, answer + i, 1);
	}
	ck_assert_int_eq(complete, 1);
	ck_assert(response_is_between(&response));
	ck_assert(response_is_rest(&response, rest, sizeof(rest)));
	ck_assert(!response_is_rest(&response, begin, 8));
	ck_assert(!response_is_rest(&response, begin, sizeof(begin)));
	/* the next begins with what was left of the first */
	response_expect(&response, rest, sizeof(rest));
	ck_assert_int_eq(response_feed(&response, answer, sizeof(answer)), 1);
}
END_TEST

/* --- titles --- */

static const struct {
	const char *request, *title;
} titles[] = {
	{"GET / HTTP/1.1\r\n", "GET /"},
	{"GET /a/b HTTP/1.1\r\n", "GET /a/b"},
	{"POST /a?password=x HTTP/1.1\r\n", "POST /a"},
	{"GET /0123456789012345678901234567890123456789 HTTP/1.1",
		"GET /012345678901234567890123456789012"},
	{"GET /cut", "GET /cut"},
	{"GET", ""},
	{"GET ", ""},
	{"GET  HTTP/1.1", ""},
	{"get / HTTP/1.1", ""},
	{"GET /\001\002", "GET /"},
	{"\026\003\001", ""},
	{"", ""},
};
#define TITLES (int)(sizeof(titles) / sizeof(titles[0]))

START_TEST(a_title_is_method_and_path)
{
	char title[FIT_ROOM];
	const char *request = titles[_i].request;
	size_t length = response_title(title, sizeof(title), request, strlen(request));

	ck_assert_uint_eq(length, strlen(titles[_i].title));
	ck_assert(memcmp(title, titles[_i].title, length) == 0);
}
END_TEST

START_TEST(noise_does_no_harm)
{
	uint64_t seed = test_seed();

	for (int round = 0; round < 20000; round++) {
		struct response response;
		char noise[NOISE_MAX], title[FIT_ROOM];
		size_t bytes = test_random_below(&seed, NOISE_MAX);

		memset(&response, 0, sizeof(response));
		response.fastcgi = round % 2;
		for (size_t i = 0; i < bytes; i++)
			noise[i] = "HTP/1. \r\n0a\001\006\003"[test_random_below(&seed, 14)];
		if (round % 4 == 0 && bytes > strlen(OK))
			memcpy(noise, OK, strlen(OK));
		response_feed(&response, noise, bytes);
		ck_assert_int_le(response.phase, RESPONSE_OPAQUE);
		ck_assert_uint_le(response_title(title, sizeof(title), noise, bytes), FIT_ROOM);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("responses of preloaded programs");
	TCase *tcase = tcase_create("responses");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, complete_responses_are_counted, 0, CASES);
	tcase_add_loop_test(tcase, pieces_do_not_matter, 0, CASES);
	tcase_add_test(tcase, a_body_may_be_sent_unseen);
	tcase_add_test(tcase, a_request_of_fastcgi_has_an_end);
	tcase_add_loop_test(tcase, a_title_is_method_and_path, 0, TITLES);
	tcase_add_test(tcase, noise_does_no_harm);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
