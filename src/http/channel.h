#ifndef PREFORKD_HTTP_CHANNEL_H
#define PREFORKD_HTTP_CHANNEL_H
/*
 * The inherited socketpair to the supervisor: request lines go out, lines come in. Neither waits.
 */
#include "blob.h"

#include <stdbool.h>

#define CHANNEL_LINE_MAX_BYTES (16u << 20) /* a supervisor that says more in a line is broken */

struct channel {
	int fd;           /* owned */
	struct text kept; /* the beginning of a line whose end has not come */
};

/* `line` has no newline. */
typedef void channel_handler(void *context, const char *line, size_t length);

void channel_init(struct channel *channel, int fd);
void channel_fini(struct channel *channel);
/* The whole request, newline included, or nothing of it. */
bool channel_send(struct channel *channel, const char *request);
/* Hands over the lines that are there; false: the channel has ended. */
bool channel_read(struct channel *channel, channel_handler *handler, void *context);

#endif
