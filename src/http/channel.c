/*
 * Lines over the socketpair to the supervisor. What a line means is others' business; this only
 * finds its end. It must never wait: every visitor would wait with it.
 */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES      65536
#define READS_AT_A_TIME 16 /* then visitors have their turn */

void channel_init(struct channel *channel, int fd)
{
	*channel = (struct channel){.fd = fd};
}

void channel_fini(struct channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	channel->fd = -1;
	text_free(&channel->kept);
}

/* Requests are a few bytes and one at a time, so they fit or the other side is stuck. */
bool channel_send(struct channel *channel, const char *request)
{
	size_t length = strlen(request);

	return send(channel->fd, request, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

/* Only what is new can hold the end of the line. */
static void hand_over(
	struct channel *channel, size_t known, channel_handler *handler, void *context)
{
	struct text *kept = &channel->kept;
	size_t start = 0;
	char *end;

	while ((end = memchr(kept->bytes + known, '\n', kept->length - known))) {
		size_t length = (size_t)(end - kept->bytes) - start;

		handler(context, kept->bytes + start, length);
		start += length + 1;
		known = start;
	}
	if (start)
		text_cut_front(kept, start);
	if (kept->length == 0)
		text_free(kept);
}

bool channel_read(struct channel *channel, channel_handler *handler, void *context)
{
	char bytes[READ_BYTES];

	for (int i = 0; i < READS_AT_A_TIME; i++) {
		size_t known = channel->kept.length;
		ssize_t count = recv(channel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (count < 0)
			return errno == EAGAIN || errno == EINTR;
		if (count == 0)
			return false;
		text_add(&channel->kept, bytes, (size_t)count);
		if (channel->kept.failed || channel->kept.length > CHANNEL_LINE_MAX_BYTES)
			return false;
		hand_over(channel, known, handler, context);
	}
	return true;
}
