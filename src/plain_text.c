/*
 * Makes text harmless. Stricter than UTF-8 demands where that is simpler: a character is a lead
 * byte and as many continuation bytes as it announces, else each of its bytes becomes a question
 * mark.
 */
#include "plain_text.h"

#include <stdbool.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The bytes of the character at `at`, 0 when it is none that may be shown. */
static size_t shown_bytes(const unsigned char *at)
{
	size_t bytes;

	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	bytes = at[0] >= 0xf5 || at[0] < 0xc2 ? 0 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	for (size_t i = 1; i < bytes; i++)
		if (!is_continuation(at[i]))
			return 0;
	if (at[0] == 0xc2 && at[1] < 0xa0)
		return 0;
	return bytes;
}

char *plain_text_clean(char *text)
{
	size_t bytes;

	for (char *at = text; *at; at += bytes) {
		bytes = shown_bytes((unsigned char *)at);
		if (bytes == 0) {
			*at = '?';
			bytes = 1;
		}
	}
	return text;
}

size_t plain_text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += !is_continuation((unsigned char)*text);
	return columns;
}
