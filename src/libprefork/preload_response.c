/*
 * Is a response complete? A machine over the bytes that were sent, in pieces of any size. Rule:
 * when in doubt it is not, since a worker that seems idle may be ended. Must not trust what it
 * reads but by the phase it is in, and writes only into its struct.
 */
#include "preload_response.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_MAX  (UINT64_MAX / 2)
#define RECORD_HEAD 8

/* FastCGI's records: version, type, id (2), length of the content (2), of the padding, reserved. */
#define FASTCGI_VERSION       1
#define FASTCGI_BEGIN_REQUEST 1
#define FASTCGI_END_REQUEST   3
#define FASTCGI_STDIN         5

static void restart(struct response *response)
{
	bool head = response->head, fastcgi = response->fastcgi;

	memset(response, 0, sizeof(*response));
	response->head = head;
	response->fastcgi = fastcgi;
}

void response_expect(struct response *response, const void *request, size_t bytes)
{
	const unsigned char *byte = request;

	response->head = bytes >= 5 && memcmp(request, "HEAD ", 5) == 0;
	/* Once so, always so: a request's first bytes may be the rest of the one before. */
	response->fastcgi =
		response->fastcgi || (bytes >= RECORD_HEAD && byte[0] == FASTCGI_VERSION &&
					     byte[1] == FASTCGI_BEGIN_REQUEST);
}

/* FastCGI's end of input is an empty record, which nobody needs to read for the answer. */
bool response_is_rest(const struct response *response, const void *ahead, size_t bytes)
{
	const unsigned char *head = ahead;

	return response->fastcgi && bytes == RECORD_HEAD && head[0] == FASTCGI_VERSION &&
	       head[1] == FASTCGI_STDIN && head[4] == 0 && head[5] == 0 && head[6] == 0;
}

bool response_is_between(const struct response *response)
{
	return response->phase == RESPONSE_START;
}

/* --- lines --- */

/* Takes bytes up to a newline; true once a line is whole, what fits of it in response->line. */
static bool take_line(struct response *response, const char **data, size_t *bytes)
{
	while (*bytes > 0) {
		char byte = *(*data)++;

		(*bytes)--;
		if (byte == '\n')
			return true;
		if (byte != '\r' && response->line_length < RESPONSE_LINE_BYTES - 1)
			response->line[response->line_length++] = byte;
	}
	return false;
}

static const char *line_text(struct response *response)
{
	response->line[response->line_length] = '\0';
	response->line_length = 0;
	return response->line;
}

static enum response_phase read_status(struct response *response, const char *line)
{
	int status;

	if (strncmp(line, "HTTP/1.", 7) != 0 || strlen(line) < 12 || line[8] != ' ')
		return RESPONSE_OPAQUE;
	status = atoi(line + 9);
	if (status < 100 || status == 101)
		return RESPONSE_OPAQUE; /* no HTTP from here on */
	response->interim = status < 200;
	response->no_body = response->interim || status == 204 || status == 304;
	return RESPONSE_HEADER;
}

static const char *value_of(const char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncasecmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	return line + strspn(line, " \t");
}

/* A line that was cut may say something else than it seems to; then it is not understood, and the
 * body ends with the connection. */
static bool read_header(struct response *response, const char *line)
{
	bool cut = strlen(line) == RESPONSE_LINE_BYTES - 1;
	const char *value = value_of(line, "content-length");
	char *end;

	if (value) {
		if (!isdigit((unsigned char)*value) || response->has_length || cut)
			return false;
		response->left = strtoull(value, &end, 10);
		response->has_length = true;
		return end[strspn(end, " \t")] == '\0' && response->left <= LENGTH_MAX;
	}
	value = value_of(line, "transfer-encoding");
	if (!value)
		return true;
	response->chunked = true;
	return strcasecmp(value, "chunked") == 0 && !cut;
}

/* The empty line: what follows. START: it was all of it. */
static enum response_phase end_header(const struct response *response)
{
	if (response->no_body || response->head)
		return RESPONSE_START;
	if (response->chunked)
		return RESPONSE_CHUNK_SIZE;
	if (!response->has_length)
		return RESPONSE_OPAQUE;
	return response->left > 0 ? RESPONSE_BODY : RESPONSE_START;
}

static enum response_phase read_chunk_size(struct response *response, const char *line)
{
	char *end;

	if (!isxdigit((unsigned char)*line))
		return RESPONSE_OPAQUE;
	response->left = strtoull(line, &end, 16);
	if ((*end && *end != ';' && *end != ' ') || response->left > LENGTH_MAX)
		return RESPONSE_OPAQUE;
	return response->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
}

static enum response_phase read_line(struct response *response, const char *line)
{
	switch ((enum response_phase)response->phase) {
	case RESPONSE_STATUS: return read_status(response, line);
	case RESPONSE_HEADER:
		if (!*line)
			return end_header(response);
		return read_header(response, line) ? RESPONSE_HEADER : RESPONSE_OPAQUE;
	case RESPONSE_CHUNK_SIZE: return read_chunk_size(response, line);
	case RESPONSE_CHUNK_END: return *line ? RESPONSE_OPAQUE : RESPONSE_CHUNK_SIZE;
	case RESPONSE_TRAILER: return *line ? RESPONSE_TRAILER : RESPONSE_START;
	case RESPONSE_START:
	case RESPONSE_BODY:
	case RESPONSE_CHUNK:
	case RESPONSE_RECORD:
	case RESPONSE_RECORD_BODY:
	case RESPONSE_OPAQUE: break;
	}
	return RESPONSE_OPAQUE;
}

/* --- records --- */

static enum response_phase read_record(struct response *response)
{
	const unsigned char *head = (const unsigned char *)response->line;

	response->line_length = 0;
	if (head[0] != FASTCGI_VERSION)
		return RESPONSE_OPAQUE;
	response->last_record = head[1] == FASTCGI_END_REQUEST;
	response->left = (uint64_t)head[4] * 256 + head[5] + head[6];
	if (response->left > 0)
		return RESPONSE_RECORD_BODY;
	return response->last_record ? RESPONSE_START : RESPONSE_RECORD;
}

static enum response_phase take_record(struct response *response, const char **data, size_t *bytes)
{
	while (*bytes > 0 && response->line_length < RECORD_HEAD) {
		response->line[response->line_length++] = *(*data)++;
		(*bytes)--;
	}
	return response->line_length < RECORD_HEAD ? RESPONSE_RECORD : read_record(response);
}

/* --- all of it --- */

static enum response_phase after_run(const struct response *response)
{
	switch ((enum response_phase)response->phase) {
	case RESPONSE_BODY: return RESPONSE_START;
	case RESPONSE_CHUNK: return RESPONSE_CHUNK_END;
	case RESPONSE_RECORD_BODY: return response->last_record ? RESPONSE_START : RESPONSE_RECORD;
	case RESPONSE_START:
	case RESPONSE_STATUS:
	case RESPONSE_HEADER:
	case RESPONSE_CHUNK_SIZE:
	case RESPONSE_CHUNK_END:
	case RESPONSE_TRAILER:
	case RESPONSE_RECORD:
	case RESPONSE_OPAQUE: break;
	}
	return RESPONSE_OPAQUE;
}

/* Bytes that only count. */
static enum response_phase take_run(struct response *response, const char **data, size_t *bytes)
{
	size_t taken = response->left < *bytes ? (size_t)response->left : *bytes;

	if (*data)
		*data += taken;
	*bytes -= taken;
	response->left -= taken;
	return response->left > 0 ? (enum response_phase)response->phase : after_run(response);
}

static bool is_run(const struct response *response)
{
	return response->phase == RESPONSE_BODY || response->phase == RESPONSE_CHUNK ||
	       response->phase == RESPONSE_RECORD_BODY;
}

static enum response_phase step(struct response *response, const char **data, size_t *bytes)
{
	if (is_run(response))
		return take_run(response, data, bytes);
	if (!*data)
		return RESPONSE_OPAQUE;
	if (response->phase == RESPONSE_RECORD)
		return take_record(response, data, bytes);
	if (!take_line(response, data, bytes))
		return (enum response_phase)response->phase;
	return read_line(response, line_text(response));
}

int response_feed(struct response *response, const void *seen, size_t bytes)
{
	const char *data = seen;
	int complete = 0;

	while (bytes > 0 && response->phase != RESPONSE_OPAQUE) {
		if (response->phase == RESPONSE_START)
			response->phase = response->fastcgi ? RESPONSE_RECORD : RESPONSE_STATUS;
		response->phase = (unsigned char)step(response, &data, &bytes);
		if (response->phase != RESPONSE_START)
			continue;
		complete += !response->interim;
		/* An interim response is followed by the true one. */
		if (response->interim) {
			restart(response);
			response->phase = RESPONSE_STATUS;
		} else {
			restart(response);
		}
	}
	return complete;
}

size_t response_title(char *title, size_t room, const void *request, size_t bytes)
{
	const char *text = request;
	size_t method = 0, length;

	while (method < bytes && method < 16 && text[method] >= 'A' && text[method] <= 'Z')
		method++;
	if (method == 0 || method + 1 >= bytes || text[method] != ' ')
		return 0;
	length = method + 1;
	/* What follows a question mark is nobody's business. */
	while (length < bytes && length < room && text[length] > ' ' && text[length] <= '~' &&
		text[length] != '?')
		length++;
	if (length == method + 1)
		return 0;
	memcpy(title, text, length);
	return length;
}
