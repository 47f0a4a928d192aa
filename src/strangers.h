#ifndef PREFORKD_STRANGERS_H
#define PREFORKD_STRANGERS_H
/*
 * Children that nobody here started: orphans that come to us because we are their subreaper or
 * PID 1. Floor 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Children that were there before us, of a script that became the supervisor: they are reaped when
 * they end, but not ended with the workers. */
struct stranger {
	pid_t pid;
	unsigned long long started_ticks; /* as /proc/PID/stat says */
};
struct strangers {
	struct stranger *before; /* owned */
	size_t count;
};
void strangers_find(struct strangers *strangers);
void strangers_forget(struct strangers *strangers);

/* Is the pid a child that somebody else here reaps? */
typedef bool strangers_known(void *context, pid_t pid);

/* Reaps strangers that have ended. They are peeked at first, so that no child of our own loses its
 * status; false: one of our own is in the way, call again when it is reaped. */
bool strangers_reap(strangers_known *known, void *context);
/* Sends KILL to every child that is left, is not known and was not there before us, names each in
 * the log, reaps what ends. How many are still there. Asks /proc for them; without it: 0. */
int strangers_kill(const struct strangers *strangers, strangers_known *known, void *context);

#endif
