/*
 * Careful opening. The folder is opened first and the file by its name in there, whatever was
 * opened is judged by fstat(2) of the descriptor, never by its path. A file is opened before it is
 * made, and made with O_EXCL, so that we always know whose it is. Must not change a file that it
 * did not make.
 */
#include "safe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "safe_path.h"

#define TRIES     100 /* files that come and go under us */
#define GROUP_TOO (S_IWGRP | S_IWOTH)

static int close_keep_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* Fails with this errno and reason. */
static int refuse(int error, struct errmsg *err, const char *path, const char *why)
{
	errno = error;
	return errmsg_set(err, "%s %s", path, why);
}

int safe_file_open_parent(const char *path, const char **name, struct errmsg *err)
{
	const char *slash = strrchr(path, '/');
	struct errmsg why = {""};
	char parent[PATH_MAX];
	int fd;

	*name = slash ? slash + 1 : path;
	if (**name == '\0')
		return refuse(EISDIR, err, path, "names a folder, not a file");
	if ((size_t)(*name - path) >= sizeof(parent))
		return refuse(ENAMETOOLONG, err, path, "is too long");
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(*name - path) : 1,
		slash ? path : ".");
	fd = safe_path_open_folder(parent, &why);
	if (fd < 0)
		return errmsg_set(err, "%s: %s", path, why.text);
	return fd;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Does the name still stand for the open file? */
static bool still_named(int dir_fd, const char *name, const struct stat *open_file)
{
	struct stat there;

	return fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       same_file(&there, open_file);
}

void safe_file_remove(int dir_fd, const char *name, int fd)
{
	struct stat file;

	if (fstat(fd, &file) == 0 && still_named(dir_fd, name, &file))
		unlinkat(dir_fd, name, 0);
}

/* --- logs --- */

static int judge_log(
	int fd, int dir_fd, const char *name, const char *path, uid_t uid, struct errmsg *err)
{
	struct stat file;

	if (fstat(fd, &file) < 0)
		return errmsg_errno(err, "%s", path);
	if (S_ISFIFO(file.st_mode) || S_ISCHR(file.st_mode))
		return 0;
	if (!S_ISREG(file.st_mode))
		return refuse(EINVAL, err, path, "is neither a file nor a FIFO nor a terminal");
	if (file.st_uid != 0 && file.st_uid != geteuid() && file.st_uid != uid)
		return refuse(EPERM, err, path, "belongs to a stranger");
	/* A second look by name: a link that came and went between open and fstat is gone now. */
	if (file.st_nlink > 1 || !still_named(dir_fd, name, &file))
		return refuse(EMLINK, err, path, "is one of several hard links to a file");
	return 0;
}

static int open_log(int dir_fd, const char *name, bool *made)
{
	const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = -1, i;

	for (i = 0; i < TRIES; i++) {
		*made = false;
		fd = openat(dir_fd, name, flags);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		*made = true;
		fd = openat(dir_fd, name, flags | O_CREAT | O_EXCL, 0640);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return fd;
}

/* One that we made: owner and rights; one that we found: suspicion. */
static int check_log(int fd, bool made, int dir_fd, const char *name, const char *path, uid_t uid,
	gid_t gid, struct errmsg *err)
{
	if (!made)
		return judge_log(fd, dir_fd, name, path, uid, err);
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	if (fchown(fd, uid, gid) < 0)
		return errmsg_errno(err, "%s: cannot change its owner", path);
	return 0;
}

int safe_file_open_append(const char *path, uid_t uid, gid_t gid, struct errmsg *err)
{
	const char *name;
	bool made;
	int fd, dir_fd = safe_file_open_parent(path, &name, err);

	if (dir_fd < 0)
		return -1;
	fd = open_log(dir_fd, name, &made);
	if (fd < 0 && errno == ELOOP)
		refuse(ELOOP, err, path, "is a symbolic link; name the file itself");
	else if (fd < 0 && errno == ENXIO)
		refuse(ENXIO, err, path, "is a FIFO that nobody reads, or a socket");
	else if (fd < 0)
		errmsg_errno(err, "%s: cannot open it for appending", path);
	else if (check_log(fd, made, dir_fd, name, path, uid, gid, err) < 0)
		fd = close_keep_errno(fd);
	close_keep_errno(dir_fd);
	return fd;
}

/* --- folders --- */

static bool is_ours_or_roots(const struct stat *dir)
{
	return dir->st_uid == 0 || dir->st_uid == geteuid();
}

/* A step from one folder into the next. Where others can write, they could have put anything there:
 * it has to be ours, and where everybody can write, its group must not write in it either. */
static int judge_step(
	const struct stat *from, const struct stat *into, const char *path, struct errmsg *err)
{
	if (is_ours_or_roots(from) && !(from->st_mode & GROUP_TOO))
		return 0;
	if (!is_ours_or_roots(into))
		return refuse(EPERM, err, path, "belongs to a stranger");
	if (into->st_mode & (from->st_mode & S_IWOTH ? GROUP_TOO : S_IWOTH))
		return refuse(EPERM, err, path, "can be written by others");
	return 0;
}

static int judge_own_dir(const struct stat *dir, const char *path, struct errmsg *err)
{
	if (dir->st_uid != geteuid()) {
		errno = EPERM;
		return errmsg_set(err, "%s belongs to user %lu, not to us (%lu)", path,
			(unsigned long)dir->st_uid, (unsigned long)geteuid());
	}
	if (dir->st_mode & GROUP_TOO)
		return refuse(EPERM, err, path, "can be written by others; chmod go-w helps");
	return 0;
}

/* A link is followed only out of a folder in which nobody else can make one. */
static int open_component(int dir_fd, const char *name, bool follow, bool last)
{
	int flags = O_DIRECTORY | O_CLOEXEC | (last ? O_RDONLY : O_PATH);

	return openat(dir_fd, name, flags | (follow && !last ? 0 : O_NOFOLLOW));
}

/* The umask must not narrow the rights of what we make: one of 0777 would shut us out before
 * fchmod. That one is for a default ACL of the folder above. */
static int make_component(int dir_fd, const char *name)
{
	const mode_t found = umask(GROUP_TOO);
	const int made = mkdirat(dir_fd, name, 0755);
	struct stat dir;
	int fd;

	umask(found);
	if (made < 0)
		return errno == EEXIST ? 0 : -1;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &dir) == 0 && dir.st_uid == geteuid() && !(dir.st_mode & GROUP_TOO))
		fchmod(fd, 0755 | (dir.st_mode & S_ISGID));
	close(fd);
	return 0;
}

/* Opens it, made first if it is not there; somebody who leaves may remove it in between. */
static int make_and_open(int from, const char *name, bool follow, bool last)
{
	int fd = -1, i;

	for (i = 0; i < TRIES; i++) {
		fd = open_component(from, name, follow, last);
		if (fd >= 0 || errno != ENOENT || make_component(from, name) < 0)
			return fd;
	}
	return fd;
}

/* From the folder `from` (closed by this) into `name`, made if it is not there. `path` ends with
 * that name, for messages. */
static int step_into(int from, const char *name, bool last, const char *path, struct errmsg *err)
{
	struct stat here, there;
	bool follow;
	int fd = -1;

	if (fstat(from, &here) < 0)
		goto fail;
	follow = is_ours_or_roots(&here) && !(here.st_mode & GROUP_TOO);
	fd = make_and_open(from, name, follow, last);
	if (fd < 0 || fstat(fd, &there) < 0)
		goto fail;
	close(from);
	if (judge_step(&here, &there, path, err) < 0 ||
		(last && judge_own_dir(&there, path, err) < 0))
		return close_keep_errno(fd);
	return fd;
fail:
	errmsg_errno(err, "%s: cannot make or open this folder", path);
	if (fd >= 0)
		close_keep_errno(fd);
	return close_keep_errno(from);
}

int safe_file_open_dir(const char *path, struct errmsg *err)
{
	char walked[PATH_MAX];
	char *name;
	int fd;

	if (path[0] != '/')
		return refuse(EINVAL, err, path, "is no absolute path");
	if (strlen(path) >= sizeof(walked))
		return refuse(ENAMETOOLONG, err, path, "is too long");
	memcpy(walked, path, strlen(path) + 1);
	for (name = walked + strlen(walked); name > walked + 1 && name[-1] == '/'; name--)
		name[-1] = '\0';
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errmsg_errno(err, "/");
	name = walked;
	while (fd >= 0) {
		char *end;

		name += strspn(name, "/");
		end = name + strcspn(name, "/");
		if (*name == '\0') { /* only of "/" itself */
			close(fd);
			return refuse(EINVAL, err, path, "is no folder of ours");
		}
		if (*end == '\0')
			return step_into(fd, name, true, walked, err);
		*end = '\0';
		fd = step_into(fd, name, false, walked, err);
		*end = '/';
		name = end;
	}
	return -1;
}

/* --- locks --- */

static int judge_own_file(const struct stat *file, const char *name, struct errmsg *err)
{
	if (!S_ISREG(file->st_mode))
		return refuse(EINVAL, err, name, "is no regular file");
	if (file->st_uid != geteuid())
		return refuse(EPERM, err, name, "belongs to a stranger");
	if (file->st_nlink > 1)
		return refuse(EMLINK, err, name, "is one of several hard links to a file");
	return 0;
}

static void read_holder(int fd, struct safe_file_holder *holder)
{
	ssize_t length = pread(fd, holder->text, sizeof(holder->text) - 1, 0);
	char *c;

	holder->text[length > 0 ? length : 0] = '\0';
	holder->text[strcspn(holder->text, "\n")] = '\0';
	for (c = holder->text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}

/* One try: a descriptor that holds the lock, -1 with *again false for good, or true when the file
 * was removed under us. */
static int try_lock(int dir_fd, const char *name, mode_t mode, struct safe_file_holder *holder,
	bool *again, struct errmsg *err)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat file;
	int fd = openat(dir_fd, name, flags, mode);

	*again = false;
	if (fd < 0 && errno == ELOOP)
		return refuse(ELOOP, err, name, "is a symbolic link; name the file itself");
	if (fd < 0)
		return errmsg_errno(err, "%s: cannot open it", name);
	if (fstat(fd, &file) < 0) {
		errmsg_errno(err, "%s", name);
		return close_keep_errno(fd);
	}
	*again = file.st_nlink == 0;
	if (*again || judge_own_file(&file, name, err) < 0)
		return close_keep_errno(fd);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		*again = !still_named(dir_fd, name, &file);
		return *again ? close_keep_errno(fd) : fd;
	}
	errmsg_errno(err, "%s: cannot lock it", name);
	if (errno == EWOULDBLOCK)
		read_holder(fd, holder);
	return close_keep_errno(fd);
}

int safe_file_open_locked(int dir_fd, const char *name, mode_t mode,
	struct safe_file_holder *holder, struct errmsg *err)
{
	bool again = true;
	int fd = -1, i;

	holder->text[0] = '\0';
	for (i = 0; i < TRIES && again; i++)
		fd = try_lock(dir_fd, name, mode, holder, &again, err);
	if (fd < 0 && again)
		return refuse(EBUSY, err, name, "is replaced again and again");
	return fd;
}
