#ifndef PREFORKD_CLIENT_PROGRESS_H
#define PREFORKD_CLIENT_PROGRESS_H
/*
 * "web: 3 of 12 replaced, 1 starting": how far something has come, as a bar that is drawn over and
 * over on a terminal, as a line for each change elsewhere. Floor 3.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct client_progress {
	FILE *out;
	int columns;                       /* of the terminal; 0: it is none */
	const char *done_word;             /* "replaced" */
	bool drawn;                        /* a bar stands on the line */
	struct client_progress_pool *pool; /* owned */
	size_t pools;
};

void client_progress_init(struct client_progress *progress, FILE *out, const char *done_word);
/* An event {"event":"progress",...}. */
void client_progress_show(struct client_progress *progress, const json_t *event);
/* Ends the line of the bar, so that something else can be printed. */
void client_progress_end(struct client_progress *progress);
void client_progress_free(struct client_progress *progress);

#endif
