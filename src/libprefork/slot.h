#ifndef PREFORKD_SLOT_H
#define PREFORKD_SLOT_H
/*
 * A worker's own line of the scoreboard, from the worker's side: finding it, and writing bytes into
 * it. For programs that are not preforkd: libprefork and the preloaded library. Hidden symbols.
 *
 * All but attach and detach are async-signal-safe, may be called by several threads at once, and
 * leave errno alone. On a slot that is not attached they do nothing. Nothing here allocates.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "board.h"

#pragma GCC visibility push(hidden)

struct prefork_slot {
	_Atomic int fd;  /* -1: not attached */
	_Atomic bool ok; /* the line was seen to carry our pid */
	bool opened;     /* by us, so that we close it; else it is the inherited one */
	off_t at;        /* where the line begins */
	dev_t device;
	ino_t file;
	pid_t pid, group; /* whose pid the line may carry; group 0: pid's only */
};

#define PREFORK_SLOT_NONE                                                                          \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Finds the line by PREFORKD_SCOREBOARD_FD and PREFORKD_SCOREBOARD_OFFSET, else by the path in
 * PREFORKD_SCOREBOARD. It must carry this process's pid (or, with whole_group, that of its group's
 * leader), or none yet: the supervisor may be a moment behind. The descriptor stays the inherited
 * one and becomes close-on-exec. Returns 1; 0: there is no supervisor; -1: there is one, but the
 * line cannot be used, errno: EBADF (not a scoreboard), EPERM (another's line), or open(2)'s. */
int prefork_slot_attach(struct prefork_slot *slot, bool whole_group);

/* Forgets the line. Closes the descriptor, unless it is no longer ours; bytes stay as they are. To
 * be called in a child of fork(2), too: each process has its own. */
void prefork_slot_detach(struct prefork_slot *slot);

bool prefork_slot_is_attached(const struct prefork_slot *slot);

/* Writes these bytes at this byte of the line. When the descriptor has become another file's, or
 * the line another worker's, the slot is not attached any more, and nothing is written. */
void prefork_slot_put(struct prefork_slot *slot, int at, const char *bytes, int count);

/* One field of the line, of these widths. Of a note no more than 38 bytes; what is not printable
 * becomes '?'; NULL is an empty one. */
void prefork_slot_put_state(struct prefork_slot *slot, char state);
void prefork_slot_put_beat(struct prefork_slot *slot, char beat);
void prefork_slot_put_jobs(struct prefork_slot *slot, unsigned long long jobs);
void prefork_slot_put_note(struct prefork_slot *slot, const char *note);

/* Does the line ask us to leave? Not when it cannot be read. */
bool prefork_slot_is_retired(const struct prefork_slot *slot);

#pragma GCC visibility pop

#endif
