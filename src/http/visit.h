#ifndef PREFORKD_HTTP_VISIT_H
#define PREFORKD_HTTP_VISIT_H
/*
 * One visitor's connection, and the request it is at. Listed, so that the slow can be found: the
 * library's time limit is renewed by every byte, ours is not.
 */
#include "answer.h"
#include "live.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

struct gateway;

enum visit_state {
	VISIT_READING,   /* no whole request yet */
	VISIT_WAITING,   /* suspended until the supervisor answers */
	VISIT_ANSWERING, /* bytes go out */
	VISIT_LIVE,      /* a stream, suspended while there is no news */
};

struct visit {
	struct visit *next, **link;
	struct gateway *gateway; /* borrowed */
	struct MHD_Connection *connection;
	enum visit_state state;
	int64_t since_ms; /* of the state */
	enum route route;
	bool suspended;
	bool left;   /* a stream's reader, while it was suspended */
	bool waited; /* long enough: answer with what there is */
	struct live_reader reader;
};

/* NULL: no memory. */
struct visit *visit_new(struct visit **list, struct MHD_Connection *connection, int64_t now_ms);
void visit_free(struct visit *visit);
void visit_set(struct visit *visit, enum visit_state state, int64_t now_ms);
/* Stops the library looking at it, or lets it go on. */
void visit_suspend(struct visit *visit);
void visit_resume(struct visit *visit);
/* Hangs up on those who have taken too long, and finds those who left while they were suspended. */
void visits_hurry(struct visit *list, int64_t now_ms);

#endif
