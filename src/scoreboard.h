#ifndef PREFORKD_SCOREBOARD_H
#define PREFORKD_SCOREBOARD_H
/*
 * The scoreboard file of one pool: made, watched by inotify(7) with a short hold-off (polled every
 * 250 ms where inotify cannot work), read with pread(2) into memory of our own, restored when it
 * was truncated, removed, replaced or overwritten. Nothing in it is trusted: a line is 64 bytes,
 * copied; who lives in a slot is the caller's knowledge. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct errmsg;

/* The file may have changed: the caller marks its pool dirty and calls scoreboard_refresh() once
 * before it decides. */
typedef void scoreboard_changed(void *context);

struct scoreboard_settings {
	const char *path; /* absolute */
	int slots;
	uid_t uid; /* the pool's user, who may write; -1: ours */
	gid_t gid;
	/* Take up the file that is there with its lines, since workers have it open (adoption,
	 * upgrade); when it cannot be trusted, or not at all, a new one is made. */
	bool take_up;
	const char *pool; /* for the log; outlives the board */
	scoreboard_changed *changed;
	void *context;
};

struct scoreboard;

struct scoreboard *scoreboard_open(
	struct ev_loop *loop, const struct scoreboard_settings *settings, struct errmsg *err);
/* Stops watching and removes the file, if it is still ours. */
void scoreboard_close(struct scoreboard *board);
/* The same, but the file stays: its workers go on. */
void scoreboard_leave(struct scoreboard *board);

/* From now on what workers write is seen within 250 ms only; closing does not wait for the kernel
 * to forget the file any more (10 to 20 ms) if this has been called that long before. */
void scoreboard_slow_down(struct scoreboard *board);

const char *scoreboard_path(const struct scoreboard *board);
/* Makes room; lines that are there stay. 0, or -1 (the file cannot grow). */
int scoreboard_grow(struct scoreboard *board, int slots);
/* A description of its own for a worker: open for reading and writing, CLOEXEC; the caller closes
 * it. -1 with errno. */
int scoreboard_open_for_worker(struct scoreboard *board);

/* Reads the file anew, restoring it where it was harmed. */
void scoreboard_refresh(struct scoreboard *board);
/* The 64 bytes of a slot as last read. Valid until the next refresh or grow. */
const char *scoreboard_line(const struct scoreboard *board, int slot);

/* A worker has moved in, is asked to leave, has gone. The first writes the supervisor's bytes only,
 * since the worker runs by then and may have written its own: the slot has been cleared before.
 * With take_up, every worker taken over moves in (and is asked to leave, if it was) before the
 * first refresh; that one empties the lines of all other slots. */
void scoreboard_set_worker(struct scoreboard *board, int slot, pid_t pid);
void scoreboard_set_retiring(struct scoreboard *board, int slot);
void scoreboard_clear(struct scoreboard *board, int slot);
/* Reads one slot's line from the file now (after the retire mark was set, before the signal). */
const char *scoreboard_reread(struct scoreboard *board, int slot);

#endif
