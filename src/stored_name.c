/*
 * The numbers of the file say which file the socket was bound to: as long as the socket is there,
 * no other file can have them. What is read is what would be written, or it is refused.
 */
#include "stored_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define PREFIX "preforkd/"

char *stored_name_format(const struct stored_name *name)
{
	if (!name->has_file)
		return memory_format(PREFIX "%s", name->socket);
	return memory_format(PREFIX "%s/%" PRIx64 "-%" PRIx64, name->socket, name->dev, name->ino);
}

bool stored_name_is(const char *text)
{
	return strncmp(text, PREFIX, strlen(PREFIX)) == 0;
}

static bool is_written_so(const struct stored_name *name, const char *text)
{
	char *written = stored_name_format(name);
	const bool same = strcmp(written, text) == 0;

	free(written);
	return same;
}

bool stored_name_read(struct stored_name *name, const char *text)
{
	const char *at = text + strlen(PREFIX);
	size_t length;
	char *end;

	*name = (struct stored_name){.has_file = false};
	if (!stored_name_is(text))
		return false;
	length = strcspn(at, "/");
	if (length == 0 || length > SECTION_NAME_MAX)
		return false;
	memcpy(name->socket, at, length);
	at += length;
	if (*at == '\0')
		return true;
	name->has_file = true;
	name->dev = strtoull(at + 1, &end, 16);
	if (*end == '-')
		name->ino = strtoull(end + 1, NULL, 16);
	return is_written_so(name, text);
}
