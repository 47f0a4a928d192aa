#ifndef PREFORKD_HTTP_REPLY_H
#define PREFORKD_HTTP_REPLY_H
/*
 * Answers handed to the HTTP library, with the headers that all of them bear.
 */
#include "answer.h"

#include <microhttpd.h>

#define REPLY_STREAM_TYPE "text/event-stream"

/* Takes the answer's body. */
enum MHD_Result reply_send(struct MHD_Connection *connection, const struct answer *answer);
/* A stream of Server-Sent Events, made by `read`. */
enum MHD_Result reply_stream(
	struct MHD_Connection *connection, MHD_ContentReaderCallback read, void *context);

#endif
