#ifndef PREFORKD_LEAVERS_H
#define PREFORKD_LEAVERS_H
/*
 * Workers of an earlier supervisor that nobody wants to keep: each gets its soft signal once, KILL
 * when its time is over, and is watched by its pidfd until it has gone. Floor 2.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct leaver {
	pid_t pid;
	int pidfd;
	int64_t kill_at;
	bool killed;
};

/* A zeroed one is empty. */
struct leavers {
	struct leaver *leaver; /* owned, with their pidfds */
	size_t count;
};

/* Sends the signal; the pidfd is owned from here on. */
void leavers_add(struct leavers *leavers, pid_t pid, int pidfd, int signal_number,
	int64_t timeout_ms, int64_t now_ms);
/* Forgets who has gone, and does what is due. How many are left. */
size_t leavers_look(struct leavers *leavers, int64_t now_ms);
/* Waits until they have gone, or until stop() says so (NULL: never). How many are left. */
size_t leavers_wait(struct leavers *leavers, bool (*stop)(void));
void leavers_free(struct leavers *leavers);

#endif
