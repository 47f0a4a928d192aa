#ifndef PREFORKD_KEEPER_H
#define PREFORKD_KEEPER_H
/*
 * Keeps the file from which another supervisor can go on after our death: written anew at the end
 * of each loop turn in which the set of workers changed, or what is asked of them; never for what
 * workers say of themselves. With a thousand workers some 10 ms pass between two times, so that a
 * storm of changes does not become one of writing; what began within them is
 * found otherwise (orphans.c). Floor 3.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rate_limit.h"

struct configuration;
struct state;
struct supervisor;

struct keeper {
	bool on;                       /* there is something that another one must know of */
	bool dirty;                    /* a worker's state is another one */
	uint64_t written;              /* the fingerprint of what was written last */
	char *boot_id, *text;          /* owned */
	struct configuration *text_of; /* held */
	uint64_t pid_namespace;
	struct rate_limit telling;
	int64_t next_ms; /* not written again before */
	ev_timer again;  /* it could not be written, or not yet */
};

void keeper_open(struct keeper *keeper);
/* Once a loop turn. */
void keeper_look(struct supervisor *supervisor, int64_t now_ms);
/* All that there is to say but for descriptors; borrows what the supervisor owns, so it must stay
 * as it is until keeper_release(). */
void keeper_record(struct supervisor *supervisor, struct state *out, int64_t now_ms);
void keeper_release(struct state *state);
/* Nobody is to come after us: the file goes. */
void keeper_close(struct supervisor *supervisor, bool remove);

#endif
