#ifndef PREFORKD_CONTROL_LINE_H
#define PREFORKD_CONTROL_LINE_H
/*
 * Requests of the control socket as they come in, byte by byte or many at once, and their words.
 * Whatever the bytes are, what comes out is a few printable words, or the reason why not. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

struct errmsg;

#define CONTROL_WORDS_MAX 8
#define CONTROL_LINE_MAX  1024 /* bytes of a request, newline included */

/* Bytes that have come and were not taken yet. Begins as {0}; whoever reads puts them behind
 * bytes[length], and counts them there. */
struct control_line {
	char bytes[CONTROL_LINE_MAX];
	size_t length;
};

/* Takes the first whole line out, without its newline. false: there is none (yet). */
bool control_line_take(struct control_line *line, char text[CONTROL_LINE_MAX], size_t *length);
/* No room is left, and no line is in it: the request is too long. */
bool control_line_overflown(const struct control_line *line);
/* Splits a line at blanks, in place (there must be room for one more byte): the number of words,
 * which are printable and never empty, NULL behind the last; -1 with the reason, which repeats
 * nothing of the line. A carriage return at the end is a blank. */
int control_line_split(
	char *text, size_t length, char *word[CONTROL_WORDS_MAX + 1], struct errmsg *err);

#endif
