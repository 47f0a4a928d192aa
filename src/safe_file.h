#ifndef PREFORKD_SAFE_FILE_H
#define PREFORKD_SAFE_FILE_H
/*
 * Files and folders that a privileged supervisor opens where others may write: no symbolic link
 * followed in the last component, no FIFO waited for, no hard link to a stranger's file, owner and
 * kind verified on the descriptor (CVE-2016-1247's class). Floor 1.
 */
#include <sys/types.h>

struct errmsg;

/* Opens a log for appending, made if it is not there (0640, owner uid:gid if they are not -1, by
 * fchown on a file we just made). A regular file, a FIFO, a terminal or a character device; a
 * regular file that others than root, ourselves or uid own, or with more than one link, is refused.
 * O_CLOEXEC, O_NONBLOCK. A descriptor, or -1 with the reason and errno. */
int safe_file_open_append(const char *path, uid_t uid, gid_t gid, struct errmsg *err);
/* Makes the folder and its missing parents (0755) and verifies that the folder is a folder of ours
 * that nobody else can write. A descriptor of it (O_PATH is not used), or -1. */
int safe_file_open_dir(const char *path, struct errmsg *err);

#endif
