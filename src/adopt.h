#ifndef PREFORKD_ADOPT_H
#define PREFORKD_ADOPT_H
/*
 * Going on where an earlier supervisor was: one that died, whose workers serve on, or ourselves
 * before an upgrade. What it left behind is found, verified and handed to those who take it up.
 * Floor 3.
 */
#include <stdbool.h>

struct errmsg;
struct pool_past;
struct settings;
struct supervisor;

/* Looks for what a supervisor that died has left (not after an upgrade: then it was handed over).
 * Each worker is held by a pidfd from here on, or known to have ended. -1 with the reason and
 * errno: that cannot be done now. */
int adopt_find(struct supervisor *supervisor, const struct settings *settings, struct errmsg *err);
/* Hands the sockets on to supervisor->options->passed. Where one cannot be had while workers hold
 * it, these are ended first, and waited for. -1 with the reason and errno: for lack of
 * descriptors or memory, which is no reason to end anybody. */
int adopt_sockets(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err);
/* What is known of a pool; false: nothing. */
bool adopt_pool(struct supervisor *supervisor, const char *name, struct pool_past *past);
/* Workers that nobody took up are asked to leave. */
void adopt_end(struct supervisor *supervisor);
/* Lets go of all that nobody took up, and touches no process. */
void adopt_forget(struct supervisor *supervisor);

#endif
