#ifndef PREFORKD_TOP_TEXT_H
#define PREFORKD_TOP_TEXT_H
/*
 * Text that others wrote, made fit for a terminal, and numbers made fit for a narrow column. What
 * is no printable character in the locale (LC_CTYPE) becomes a question mark, so that a worker's
 * note can move no cursor; with `ascii` all beyond 7 bits does.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#define TEXT_NUMBER_BYTES 24 /* enough for every text_format_X() */

/* The next character of UTF-8 and its columns, 1 or 2; L'\0' at the end. What has no width of its
 * own (a combining accent, a mark of direction) is passed over. */
wchar_t text_next(const char **text, bool ascii, int *columns);
int text_columns(const char *text, bool ascii);
/* The same as bytes, cut at a whole character; for what is printed rather than drawn. */
void text_clean(char *out, size_t bytes, const char *text, bool ascii);

/* 0.2s, 12s, 1m05, 2h30, 3d04h; "-" for what is not known (negative or no number). */
void text_format_seconds(char text[TEXT_NUMBER_BYTES], double seconds);
/* 512, 5.0M, 1.2G. */
void text_format_bytes(char text[TEXT_NUMBER_BYTES], int64_t bytes);
/* 12345; 12.3M from ten millions on. */
void text_format_count(char text[TEXT_NUMBER_BYTES], int64_t count);
/* 0.3, 87.2, 1234. */
void text_format_rate(char text[TEXT_NUMBER_BYTES], double per_second);

#endif
