#ifndef PREFORKD_STRANGERS_H
#define PREFORKD_STRANGERS_H
/*
 * Children that nobody here started: orphans that come to us because we are their subreaper or
 * PID 1. Floor 1.
 */
#include <stdbool.h>
#include <sys/types.h>

/* Is the pid a child that somebody else here reaps? */
typedef bool strangers_known(void *context, pid_t pid);

/* Reaps strangers that have ended. They are peeked at first, so that no child of our own loses its
 * status; false: one of our own is in the way, call again when it is reaped. */
bool strangers_reap(strangers_known *known, void *context);
/* Sends KILL to every child that is left and is not known, names each in the log, reaps what ends.
 * How many are still there. Asks /proc for them; without it: 0. */
int strangers_kill(strangers_known *known, void *context);

#endif
