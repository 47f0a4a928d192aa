#ifndef PREFORKD_SAFE_FILE_H
#define PREFORKD_SAFE_FILE_H
/*
 * Files and folders that a privileged supervisor opens where others may write: no symbolic link
 * followed in the last component, no FIFO waited for, no hard link to a stranger's file, owner and
 * kind verified on the descriptor (CVE-2016-1247's class). All descriptors are O_CLOEXEC. Floor 1.
 */
#include <sys/types.h>

struct errmsg;

/* Opens a log for appending, made if it is not there (0640, owner uid:gid if they are not -1, by
 * fchown on a file we just made). A regular file, a FIFO, a terminal or a character device; a
 * regular file that others than root, ourselves or uid own, or with more than one link, is refused.
 * O_NONBLOCK. A descriptor, or -1 with the reason and errno. */
int safe_file_open_append(const char *path, uid_t uid, gid_t gid, struct errmsg *err);
/* Makes the folder and its missing parents (0755) and verifies that the folder is a folder of ours
 * that nobody else can write, and that nobody else can put another one in its place on the way from
 * a folder that all may write (/tmp). path is absolute. A descriptor of it (O_PATH is not used), or
 * -1 with the reason and errno. */
int safe_file_open_dir(const char *path, struct errmsg *err);
/* The folder of a file (O_PATH, for the *at() calls); *name is the last component, in `path`. A
 * link that a stranger made leads only to folders of his own. */
int safe_file_open_parent(const char *path, const char **name, struct errmsg *err);

/* What a lock's file says about its holder: its first line, safe to print; maybe empty. */
struct safe_file_holder {
	char text[512];
};
/* Opens a file of ours in a folder, made if it is not there, and locks it by flock(2). The name
 * still stands for the locked file when this returns. A descriptor (read and write), or -1 with the
 * reason and errno; EWOULDBLOCK: somebody else holds the lock, see *holder. */
int safe_file_open_locked(int dir_fd, const char *name, mode_t mode,
	struct safe_file_holder *holder, struct errmsg *err);
/* Removes the name if it still stands for the open file fd. */
void safe_file_remove(int dir_fd, const char *name, int fd);

#endif
