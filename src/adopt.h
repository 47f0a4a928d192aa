#ifndef PREFORKD_ADOPT_H
#define PREFORKD_ADOPT_H
/*
 * Going on where an earlier supervisor was: one that died, whose workers serve on, or ourselves
 * before an upgrade. What it left behind is found, verified and handed to those who take it up.
 * Floor 3.
 */
#include <stdbool.h>

struct pool_past;
struct settings;
struct supervisor;

/* Looks for what a supervisor that died has left (not after an upgrade: then it was handed over).
 * Each worker is held by a pidfd from here on, or known to have ended. */
void adopt_find(struct supervisor *supervisor, const struct settings *settings);
/* Hands the sockets on to supervisor->options->passed. Where one cannot be had while workers hold
 * it, these are ended first, and waited for. */
void adopt_sockets(struct supervisor *supervisor, const struct settings *settings);
/* What is known of a pool; false: nothing. */
bool adopt_pool(struct supervisor *supervisor, const char *name, struct pool_past *past);
/* Workers that nobody took up are asked to leave. */
void adopt_end(struct supervisor *supervisor);
/* Lets go of all that nobody took up, and touches no process. */
void adopt_forget(struct supervisor *supervisor);

#endif
