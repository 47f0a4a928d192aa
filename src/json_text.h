#ifndef PREFORKD_JSON_TEXT_H
#define PREFORKD_JSON_TEXT_H
/* Any bytes as a JSON string, and a document as text. Floor 0. */
#include <jansson.h>
#include <stddef.h>

/* What is no UTF-8 becomes '?'. NULL: no memory. */
json_t *json_text(const char *bytes, size_t length);
/* In one line; the caller frees it. NULL: no document, or no memory. */
char *json_text_of(const json_t *document, size_t *length);

#endif
