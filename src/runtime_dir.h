#ifndef PREFORKD_RUNTIME_DIR_H
#define PREFORKD_RUNTIME_DIR_H
/*
 * The folder where scoreboards and the lock live, and the lock: flock(2), since fcntl(2) locks go
 * with any descriptor of the file. The lock's file holds the pid and the configuration's path of
 * its holder, for the message that a second supervisor gets. Floor 1.
 */
#include <stdbool.h>

struct errmsg;

#define RUNTIME_DIR_LOCK "lock" /* the name of the lock's file */

struct runtime_dir {
	char *path;  /* owned, absolute */
	int fd;      /* of the folder; -1 when closed */
	int lock_fd; /* holds the lock; -1 when closed */
};

/* The default place: the first that applies of $RUNTIME_DIRECTORY, /run/preforkd/NAME as root,
 * /run/user/UID/preforkd/NAME where /run/user/UID is, /tmp/preforkd-UID/NAME. malloced. */
char *runtime_dir_default(const char *name);
/* Where a client looks, one after the other: number 0 (NULL without $RUNTIME_DIRECTORY), then 1, 2,
 * 3 whether they apply or not; NULL from 4 on. malloced. */
char *runtime_dir_place(const char *name, int number);
/* Makes and verifies the folder, takes the lock. -1 with the reason; *busy says that another
 * supervisor holds it (its pid and file are in the reason). */
int runtime_dir_open(struct runtime_dir *dir, const char *path, const char *config_path, bool *busy,
	struct errmsg *err);
/* The same after an exec of ourselves, with the descriptor that holds the lock. */
int runtime_dir_take_up(struct runtime_dir *dir, const char *path, int lock_fd, struct errmsg *err);
/* Is the folder on a file system in memory (tmpfs, ramfs)? A scoreboard on a disk is slow. */
bool runtime_dir_in_memory(const struct runtime_dir *dir);
/* Gives the lock back, removes the lock's file. The folder goes too if nothing else is in it. */
void runtime_dir_close(struct runtime_dir *dir);

#endif
