#ifndef PREFORKD_HTTP_ANSWER_H
#define PREFORKD_HTTP_ANSWER_H
/*
 * Which addresses there are, and what each answers, given the status document. Pure.
 */
#include "blob.h"

#include <jansson.h>
#include <stdbool.h>

enum route {
	ROUTE_NONE,
	ROUTE_PAGE,
	ROUTE_LIVE,
	ROUTE_STATUS,
	ROUTE_METRICS,
	ROUTE_HEALTH,
	ROUTE_READY,
};

struct answer {
	unsigned status;    /* of HTTP */
	const char *type;   /* of the body */
	const char *policy; /* Content-Security-Policy */
	struct blob *body;  /* NULL: use fixed */
	const char *fixed;
	size_t fixed_length;
};

enum route route_find(const char *path);
/* Does the answer depend on what the supervisor says now? */
bool route_needs_document(enum route route);

/* document is NULL when the supervisor did not answer, and `raw` is the same as it came. The caller
 * drops the body. ROUTE_LIVE is answered elsewhere. */
struct answer answer_make(enum route route, json_t *document, struct blob *raw);
/* A fixed text. */
struct answer answer_words(unsigned status, const char *words);

#endif
