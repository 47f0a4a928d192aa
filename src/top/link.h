#ifndef PREFORKD_TOP_LINK_H
#define PREFORKD_TOP_LINK_H
/*
 * The way to the control socket: a connection for each question, and another one on which events
 * come as they happen. Nothing here waits, but for link_wait().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line_buffer.h"

struct errmsg;

#define LINK_ANSWER_MAX_BYTES ((size_t)64 << 20)

struct link {
	const char *path; /* borrowed */
	char *question;   /* a whole line; owned */
	int answer_fd;    /* -1: nothing is asked */
	int events_fd;    /* -1: not connected */
	char *text;       /* the answer so far; owned */
	size_t bytes, size;
	struct line_buffer lines;
};

enum link_state { LINK_UNFINISHED, LINK_ANSWERED, LINK_FAILED };

/* pool: NULL for all. */
void link_init(struct link *link, const char *path, const char *pool);
void link_fini(struct link *link);

/* Asks for the status; a question that is still open is dropped. 0, or -1 with the reason and
 * errno. */
int link_ask(struct link *link, struct errmsg *err);
/* When answer_fd is readable. LINK_ANSWERED: text and bytes are the answer, until the next
 * question; LINK_FAILED: with the reason. */
enum link_state link_read(struct link *link, struct errmsg *err);
/* Waits for the answer for so long at most. */
enum link_state link_wait(struct link *link, int timeout_ms, struct errmsg *err);
void link_drop(struct link *link);

/* Asks for events; without success nothing is told, since the question tells enough. */
void link_listen(struct link *link);
/* When events_fd is readable: whole lines go to the handler. */
void link_hear(struct link *link, line_handler *handler, void *context);

#endif
