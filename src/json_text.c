/*
 * jansson refuses what is no UTF-8, and a whole document with it: a stray byte must not cost that.
 * And its json_dumps() can leave out the name of a member when there is no memory for it (2.14), so
 * the text is put together here.
 */
#include "json_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 256

json_t *json_text(const char *bytes, size_t length)
{
	json_t *text = json_stringn(bytes, length);
	char *clean;

	if (text)
		return text;
	clean = malloc(length + 1);
	if (!clean)
		return NULL;
	for (size_t i = 0; i < length; i++)
		clean[i] = (unsigned char)bytes[i] < 0x80 ? bytes[i] : '?';
	text = json_stringn(clean, length);
	free(clean);
	return text;
}

struct text {
	char *bytes;
	size_t length, size;
	bool failed; /* from then on nothing is added */
};

static bool grow(struct text *text, size_t wanted)
{
	size_t size = text->size ? text->size : SIZE_MIN;
	char *bytes;

	while (size < wanted)
		size *= 2;
	if (size == text->size)
		return true;
	bytes = realloc(text->bytes, size);
	if (!bytes)
		return false;
	text->bytes = bytes;
	text->size = size;
	return true;
}

static int append(const char *bytes, size_t count, void *context)
{
	struct text *text = context;

	text->failed = text->failed || !grow(text, text->length + count + 1);
	if (text->failed)
		return -1;
	memcpy(text->bytes + text->length, bytes, count);
	text->length += count;
	return 0;
}

char *json_text_of(const json_t *document, size_t *length)
{
	struct text text = {0};

	if (!document || json_dump_callback(document, append, &text, JSON_COMPACT) < 0 ||
		text.failed) {
		free(text.bytes);
		return NULL;
	}
	text.bytes[text.length] = '\0';
	*length = text.length;
	return text.bytes;
}
