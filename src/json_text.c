/* jansson refuses what is no UTF-8, and a whole document with it: a stray byte must not cost that.
 */
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

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
