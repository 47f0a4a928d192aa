/*
 * Growing text and shared bytes of the gateway. No memory is an answer here, not an end: what
 * visitors can ask for in bulk is refused. Must not know what the text means.
 */
#include "blob.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 512

struct blob *blob_new(const char *bytes, size_t length)
{
	struct blob *blob = malloc(sizeof(*blob) + length);

	if (!blob)
		return NULL;
	blob->users = 1;
	blob->length = length;
	if (length)
		memcpy(blob->bytes, bytes, length);
	return blob;
}

struct blob *blob_share(struct blob *blob)
{
	blob->users++;
	return blob;
}

void blob_drop(struct blob *blob)
{
	if (blob && --blob->users == 0)
		free(blob);
}

static bool text_make_room(struct text *text, size_t more)
{
	size_t size = text->size ? text->size : FIRST_BYTES;
	char *grown;

	if (text->failed)
		return false;
	while (size - text->length < more)
		size *= 2;
	if (size == text->size)
		return true;
	grown = realloc(text->bytes, size);
	text->failed = !grown;
	if (!grown)
		return false;
	text->bytes = grown;
	text->size = size;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	if (length == 0 || !text_make_room(text, length))
		return;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

void text_print(struct text *text, const char *format, ...)
{
	va_list arguments, again;
	int length;

	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, arguments);
	if (length > 0 && text_make_room(text, (size_t)length + 1)) {
		vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
		text->length += (size_t)length;
	}
	va_end(again);
	va_end(arguments);
}

void text_cut_front(struct text *text, size_t length)
{
	text->length -= length;
	if (text->length)
		memmove(text->bytes, text->bytes + length, text->length);
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}

struct blob *text_finish(struct text *text)
{
	struct blob *blob = text->failed ? NULL : blob_new(text->bytes, text->length);

	text_free(text);
	return blob;
}
