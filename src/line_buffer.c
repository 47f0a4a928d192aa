/*
 * Bytes to lines. A line that is whole in the bytes at hand goes out from there, uncopied; only
 * what has to wait for its end is kept. What comes out hangs on the bytes alone, never on how they
 * were cut on the way here. Without memory a line is cut early rather than lost.
 */
#include "line_buffer.h"

#include <stdlib.h>
#include <string.h>

/* Hands out what is kept, if only an empty line, and gives the memory back. */
static void emit_kept(
	struct line_buffer *buffer, bool finished, line_handler *handler, void *context)
{
	handler(context, buffer->kept ? buffer->kept : "", buffer->length, finished);
	line_buffer_free(buffer);
}

static bool make_room(struct line_buffer *buffer, size_t length)
{
	size_t size = buffer->size ? buffer->size : 256;
	char *kept;

	while (size < buffer->length + length)
		size *= 2;
	if (size == buffer->size)
		return true;
	kept = realloc(buffer->kept, size);
	if (!kept)
		return false;
	buffer->kept = kept;
	buffer->size = size;
	return true;
}

/* Bytes without a newline; the last up to LINE_BUFFER_MAX_BYTES of the line stay in the buffer, as
 * only what follows can tell whether the piece is the last. */
static void keep(struct line_buffer *buffer, const char *bytes, size_t length,
	line_handler *handler, void *context)
{
	while (length > 0) {
		size_t room, part;

		if (buffer->length == LINE_BUFFER_MAX_BYTES)
			emit_kept(buffer, false, handler, context);
		room = LINE_BUFFER_MAX_BYTES - buffer->length;
		part = length < room ? length : room;
		if (make_room(buffer, part)) {
			memcpy(buffer->kept + buffer->length, bytes, part);
			buffer->length += part;
		} else {
			if (buffer->length > 0)
				emit_kept(buffer, false, handler, context);
			handler(context, bytes, part, false);
		}
		bytes += part;
		length -= part;
	}
}

void line_buffer_add(struct line_buffer *buffer, const char *bytes, size_t length,
	line_handler *handler, void *context)
{
	while (length > 0) {
		const char *newline = memchr(bytes, '\n', length);
		size_t line = newline ? (size_t)(newline - bytes) : length;

		if (newline && buffer->length == 0 && line <= LINE_BUFFER_MAX_BYTES) {
			handler(context, bytes, line, true);
		} else {
			keep(buffer, bytes, line, handler, context);
			if (newline)
				emit_kept(buffer, true, handler, context);
		}
		bytes += line + (newline != NULL);
		length -= line + (newline != NULL);
	}
}

void line_buffer_flush(struct line_buffer *buffer, line_handler *handler, void *context)
{
	if (buffer->length > 0)
		emit_kept(buffer, true, handler, context);
}

void line_buffer_free(struct line_buffer *buffer)
{
	free(buffer->kept);
	*buffer = (struct line_buffer){0};
}
