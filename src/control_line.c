/*
 * Lines and words out of bytes that anybody may have sent. Nothing of them is repeated in a reason,
 * so a reason can go into a log and into a document as it is.
 */
#include "control_line.h"

#include <string.h>

#include "errmsg.h"

bool control_line_take(struct control_line *line, char text[CONTROL_LINE_MAX], size_t *length)
{
	char *end = memchr(line->bytes, '\n', line->length);

	if (!end)
		return false;
	*length = (size_t)(end - line->bytes);
	memcpy(text, line->bytes, *length);
	line->length -= *length + 1;
	memmove(line->bytes, end + 1, line->length);
	return true;
}

bool control_line_overflown(const struct control_line *line)
{
	return line->length == CONTROL_LINE_MAX && !memchr(line->bytes, '\n', line->length);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool all_printable(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_blank(text[i]) && (text[i] < 0x21 || text[i] > 0x7e))
			return false;
	return true;
}

int control_line_split(
	char *text, size_t length, char *word[CONTROL_WORDS_MAX + 1], struct errmsg *err)
{
	int words = 0;

	word[0] = NULL;
	if (length > 0 && text[length - 1] == '\r')
		length--;
	if (!all_printable(text, length))
		return errmsg_set(err, "the request holds bytes that are not printable");
	text[length] = '\0';
	for (char *at = text; *at; at++) {
		if (is_blank(*at)) {
			*at = '\0';
			continue;
		}
		if (at > text && at[-1])
			continue;
		if (words == CONTROL_WORDS_MAX)
			return errmsg_set(err, "the request has too many words");
		word[words++] = at;
		word[words] = NULL;
	}
	return words > 0 ? words : errmsg_set(err, "the request is empty");
}
