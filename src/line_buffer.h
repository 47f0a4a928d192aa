#ifndef PREFORKD_LINE_BUFFER_H
#define PREFORKD_LINE_BUFFER_H
/*
 * Bytes in, whole lines out. A line longer than the limit comes out in pieces, the first ones
 * marked as unfinished. Memory is taken when the first incomplete line has to be kept and given
 * back when it is complete. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

#define LINE_BUFFER_MAX_BYTES 65536 /* longer lines are cut here; stated in preforkd.ini(5) */

struct line_buffer {
	char *kept; /* owned; the beginning of a line whose end has not come */
	size_t length, size;
};

/* line has no newline in it; finished is false for a piece of an over-long line. */
typedef void line_handler(void *context, const char *line, size_t length, bool finished);

void line_buffer_add(struct line_buffer *buffer, const char *bytes, size_t length,
	line_handler *handler, void *context);
/* End of the stream: what is kept comes out as a last line. */
void line_buffer_flush(struct line_buffer *buffer, line_handler *handler, void *context);
void line_buffer_free(struct line_buffer *buffer);

#endif
