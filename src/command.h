#ifndef PREFORKD_COMMAND_H
#define PREFORKD_COMMAND_H
/* Finds a program on PATH as execvp(3) would, and says why it cannot be run. Floor 1. */

struct errmsg;

/* Where programs are looked for when there is no $PATH. */
#define COMMAND_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The program's path (malloced), or NULL with the reason. A name with a slash is taken from
 * `directory` (the worker's; NULL: ours) when it is relative; others are looked for in `path` (a
 * list as in $PATH; NULL: the default). root: the chroot the worker will have, or NULL; the path
 * is the one within it. errno is what exec would give. */
char *command_find(const char *name, const char *path, const char *directory, const char *root,
	struct errmsg *err);

#endif
