#ifndef PREFORKD_COMMAND_H
#define PREFORKD_COMMAND_H
/* Finds a program on PATH as execvp(3) would, and says why it cannot be run. Floor 1. */

struct errmsg;

/* The program's path (malloced), or NULL with the reason. A name with a slash is taken from
 * `directory` (the worker's; NULL: ours) when it is relative; others are looked for in `path`, a
 * list as in $PATH. root: the chroot the worker will have, or NULL. */
char *command_find(const char *name, const char *path, const char *directory, const char *root,
	struct errmsg *err);

#endif
