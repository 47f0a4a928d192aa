/*
 * Any bytes as what a worker sends for a request, HTTP or FastCGI: however they are cut, as many
 * responses are complete, and as much is left of the last; bytes that only count need not be seen;
 * what nobody understands stays so. A byte 0xff ends the request; the one behind it says how long
 * the pieces are.
 */
#include "../../src/libprefork/preload_response.h"

#include "must.h"

#define TITLE_BYTES 24

/* A piece of its own on the heap, so that a byte too many is seen. */
static int feed(struct response *response, const uint8_t *data, size_t size)
{
	char *piece = malloc(size ? size : 1);
	bool was_opaque = response->phase == RESPONSE_OPAQUE;
	int complete;

	must(piece != NULL);
	memcpy(piece, data, size);
	complete = response_feed(response, piece, size);
	free(piece);
	must(complete >= 0 && (size_t)complete <= size);
	must(response->phase <= RESPONSE_OPAQUE && response->line_length < RESPONSE_LINE_BYTES);
	must(!was_opaque || (complete == 0 && response->phase == RESPONSE_OPAQUE));
	must(response_is_between(response) == (response->phase == RESPONSE_START));
	return complete;
}

/* Bytes of a body are not looked at: so many that are not seen do the same. */
static void check_unseen(const struct response *before, const uint8_t *data, size_t size)
{
	struct response seen = *before, unseen = *before;
	bool is_run = seen.phase == RESPONSE_BODY || seen.phase == RESPONSE_CHUNK ||
		      seen.phase == RESPONSE_RECORD_BODY;

	if (!is_run || size == 0)
		return;
	if (seen.left < size)
		size = (size_t)seen.left;
	must(size > 0);
	must(response_feed(&seen, data, size) == response_feed(&unseen, NULL, size));
	must(seen.phase == unseen.phase && seen.left == unseen.left);
}

static void check_pieces(
	const struct response *expected, const uint8_t *data, size_t size, size_t piece)
{
	struct response whole = *expected, cut = *expected;
	int complete = feed(&whole, data, size), in_pieces = 0;

	while (size > 0) {
		size_t length = piece < size ? piece : size;

		check_unseen(&cut, data, length);
		in_pieces += feed(&cut, data, length);
		data += length;
		size -= length;
	}
	must(complete == in_pieces && whole.phase == cut.phase);
	if (whole.phase == RESPONSE_OPAQUE)
		return;
	must(whole.left == cut.left && whole.line_length == cut.line_length);
	must(memcmp(whole.line, cut.line, whole.line_length) == 0);
	must(!response_is_between(&whole) || (whole.left == 0 && whole.line_length == 0));
}

static void check_title(const uint8_t *request, size_t size)
{
	char *title = malloc(TITLE_BYTES);
	size_t length;

	must(title != NULL);
	length = response_title(title, TITLE_BYTES, request, size);
	must(length <= size && length <= TITLE_BYTES);
	must(length == 0 || memcmp(title, request, length) == 0);
	for (size_t i = 0; i < length; i++)
		must(title[i] >= ' ' && title[i] <= '~' && title[i] != '?');
	free(title);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0xff, size) : NULL;
	size_t request_size = end ? (size_t)(end - data) : 0;
	struct response response = {0};
	uint8_t *request;

	if (!end || size < request_size + 2)
		return 0;
	request = malloc(request_size ? request_size : 1);
	must(request != NULL);
	memcpy(request, data, request_size);
	response_expect(&response, request, request_size);
	response_is_rest(&response, request, request_size);
	check_title(request, request_size);
	free(request);
	size -= request_size + 2;
	check_pieces(&response, end + 2, size, end[1] ? end[1] : 1);
	check_pieces(&response, end + 2, size, 1);
	return 0;
}
