#ifndef PREFORKD_HTTP_DOCUMENT_H
#define PREFORKD_HTTP_DOCUMENT_H
/*
 * Reading the status document: looking up by path, what has changed, who is ready. Pure. Whatever
 * is missing or of another type reads as not there.
 */
#include "blob.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "exits.failed" and the like; NULL when it is not there. */
json_t *document_find(json_t *object, const char *path);
const char *document_string(json_t *object, const char *key); /* "" when it is none */
double document_number(json_t *object, const char *path);     /* 0 when it is none */

/* Two documents with the same fingerprint differ in times only, which pass without anything having
 * happened. */
uint64_t document_fingerprint(const json_t *document);

/* Is everybody being served? Adds a line for every reason why not. */
bool document_ready(json_t *document, struct text *reasons);

#endif
