#ifndef PREFORKD_PRELOAD_RESPONSE_H
#define PREFORKD_PRELOAD_RESPONSE_H
/*
 * What a program has sent on a connection: is a response complete? Of HTTP/1.x it can be told by
 * Content-Length, by the last chunk, by statuses without a body; of FastCGI by END_REQUEST. All
 * else is opaque: such a connection serves until it is closed. Pure.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPONSE_LINE_BYTES 40 /* as much of a header's line is looked at */

enum response_phase {
	RESPONSE_START, /* all zeros: nothing of it was sent */
	RESPONSE_STATUS,
	RESPONSE_HEADER,
	RESPONSE_BODY,
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
	RESPONSE_RECORD, /* FastCGI's head of a record */
	RESPONSE_RECORD_BODY,
	RESPONSE_OPAQUE,
};

struct response {
	uint64_t left; /* of the body, chunk or record */
	unsigned char phase;
	unsigned char line_length;
	bool head, fastcgi; /* what was asked for */
	bool no_body, interim, chunked, has_length, last_record;
	char line[RESPONSE_LINE_BYTES];
};

/* A request begins with these bytes: sets what its response will be like. */
void response_expect(struct response *response, const void *request, size_t bytes);

/* Is what waits to be received, and nothing else does, the rest of a request that was answered? */
bool response_is_rest(const struct response *response, const void *ahead, size_t bytes);

/* So much more was sent; data NULL: it was not seen (sendfile). How many responses are complete
 * with that; the last byte belongs to the last of them exactly when response_is_between(). */
int response_feed(struct response *response, const void *data, size_t bytes);
bool response_is_between(const struct response *response);

/* The first line of an HTTP request without its query and version, cut to fit: length, or 0 when it
 * is not like HTTP. */
size_t response_title(char *title, size_t room, const void *request, size_t bytes);

#endif
