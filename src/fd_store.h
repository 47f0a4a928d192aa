#ifndef PREFORKD_FD_STORE_H
#define PREFORKD_FD_STORE_H
/*
 * The listening sockets that we bound, kept by the service manager too (FDSTORE): what waits in
 * their queues outlives us and all our workers. Those that it passes on to us are none of ours, and
 * one that it gives back counts only if it is what the configuration says. Floor 3.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct fd_stored;
struct settings;
struct supervisor;

struct fd_store {
	struct fd_stored *told; /* what it was given; owned */
	size_t count;
	bool removing;  /* it may not have closed yet what it was told to */
	ev_timer again; /* it had no room for all at once */
};

void fd_store_open(struct supervisor *supervisor);
/* At a start, before anything is bound: hands what the service manager gave back on to
 * supervisor->options->passed. What is of no use leaves the store, and is waited for, since its
 * address would not be free (blocks, for a while). */
void fd_store_take(struct supervisor *supervisor, const struct settings *settings);
/* What it gave back and could not be taken up, so that the start fails, leaves the store: the next
 * one does not meet it again. */
void fd_store_refuse(struct supervisor *supervisor);
/* Makes the store what the configuration in force says, and the one that a reload may go back to.
 */
void fd_store_sync(struct supervisor *supervisor);
/* Before something is bound while we run: what has just left the store is closed (blocks, for a
 * moment). */
void fd_store_settle(struct supervisor *supervisor);
/* An orderly end: what loses its file with us leaves the store. */
void fd_store_close(struct supervisor *supervisor);

#endif
