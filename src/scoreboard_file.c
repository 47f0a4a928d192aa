/*
 * The scoreboard's file on disk. Rule: everything happens in the folder whose descriptor was opened
 * at the start; a name is put in place by rename(2), which replaces a symbolic link or a FIFO
 * without following or opening it, and only through a descriptor are mode and owner set. Must not
 * believe that a name still leads to the file it was given to: the folder may be a worker's own.
 */
#include "scoreboard_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "safe_file.h"
#include "sys.h"

#define TEMPORARY_NAME_BYTES  40
#define DESCRIPTOR_PATH_BYTES 40

static void choose_temporary_name(char name[TEMPORARY_NAME_BYTES])
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = (uint64_t)sys_now_ms();
	snprintf(name, TEMPORARY_NAME_BYTES, ".preforkd.%016" PRIx64, number);
}

static void descriptor_path(char path[DESCRIPTOR_PATH_BYTES], int fd)
{
	snprintf(path, DESCRIPTOR_PATH_BYTES, "/proc/self/fd/%d", fd);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool name_leads_to(const struct scoreboard_file *file, const struct stat *status)
{
	struct stat found;

	return fstatat(file->dir_fd, file->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_same_file(&found, status);
}

int scoreboard_file_init(
	struct scoreboard_file *file, const char *path, uid_t uid, gid_t gid, struct errmsg *err)
{
	struct errmsg why = {""};

	*file = (struct scoreboard_file){
		.path = memory_copy_string(path), .fd = -1, .uid = uid, .gid = gid};
	file->dir_fd = safe_file_open_parent(file->path, &file->name, &why);
	if (file->dir_fd >= 0)
		return 0;
	errmsg_set(err, "the scoreboard's folder: %s", why.text);
	free(file->path);
	return -1;
}

void scoreboard_file_fini(struct scoreboard_file *file, bool remove)
{
	struct stat status;

	if (remove && file->fd >= 0 && fstat(file->fd, &status) == 0 &&
		name_leads_to(file, &status))
		unlinkat(file->dir_fd, file->name, 0);
	if (file->fd >= 0)
		sys_close(file->fd);
	sys_close(file->dir_fd);
	free(file->path);
}

static int write_all(int fd, const char *contents, size_t bytes)
{
	ssize_t written = sys_pwrite(fd, contents, bytes, 0);

	if (written >= 0 && (size_t)written != bytes)
		errno = ENOSPC;
	return written >= 0 && (size_t)written == bytes ? 0 : -1;
}

static int set_access(const struct scoreboard_file *file, int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -1;
	if (((file->uid != (uid_t)-1 && status.st_uid != file->uid) ||
		    (file->gid != (gid_t)-1 && status.st_gid != file->gid)) &&
		fchown(fd, file->uid, file->gid) < 0)
		return -1;
	return fchmod(fd, SCOREBOARD_FILE_MODE);
}

/* Gives the name to the file behind fd, which bears a temporary one now. */
static int put_in_place(const struct scoreboard_file *file, int fd, const char *temporary)
{
	struct stat status;
	int result = renameat(file->dir_fd, temporary, file->dir_fd, file->name);

	/* A folder is all that rename(2) does not replace; one with something in it stays. */
	if (result < 0 && errno == EISDIR && unlinkat(file->dir_fd, file->name, AT_REMOVEDIR) == 0)
		result = renameat(file->dir_fd, temporary, file->dir_fd, file->name);
	if (result == 0 && fstat(fd, &status) == 0 && !name_leads_to(file, &status)) {
		errno = EBUSY; /* somebody is at work in the folder this very moment */
		result = -1;
	}
	/* rename(2) leaves both names where they are the same file already. */
	int saved = errno;
	unlinkat(file->dir_fd, temporary, 0);
	errno = saved;
	return result;
}

/* The owner is what the file got, so that a later check has something to compare with. */
static void remember_owner(struct scoreboard_file *file)
{
	struct stat status;

	if (fstat(file->fd, &status) < 0)
		return;
	file->uid = status.st_uid;
	file->gid = status.st_gid;
}

int scoreboard_file_make(
	struct scoreboard_file *file, const char *contents, size_t bytes, struct errmsg *err)
{
	char temporary[TEMPORARY_NAME_BYTES];
	const char *step = "made";
	int saved, fd;

	choose_temporary_name(temporary);
	fd = openat(
		file->dir_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errmsg_errno(err, "the scoreboard %s cannot be made", file->path);
	if (write_all(fd, contents, bytes) < 0) {
		step = "written";
	} else if (set_access(file, fd) < 0) {
		step = "given to its user";
	} else if (put_in_place(file, fd, temporary) < 0) {
		step = "put in place";
	} else {
		file->fd = fd;
		remember_owner(file);
		return 0;
	}
	saved = errno;
	unlinkat(file->dir_fd, temporary, 0);
	sys_close(fd);
	errno = saved;
	return errmsg_errno(err, "the scoreboard %s cannot be %s", file->path, step);
}

static bool may_be_taken(const struct scoreboard_file *file, const struct stat *status)
{
	uid_t owner = file->uid == (uid_t)-1 ? geteuid() : file->uid;

	return S_ISREG(status->st_mode) && status->st_nlink == 1 && status->st_uid == owner;
}

int scoreboard_file_take(struct scoreboard_file *file, off_t *bytes)
{
	struct stat named, opened;
	int fd, problem = EPERM;

	if (fstatat(file->dir_fd, file->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!may_be_taken(file, &named)) {
		errno = EPERM;
		return -1;
	}
	/* O_NONBLOCK: another file may have taken the name since. */
	fd = openat(file->dir_fd, file->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* Whether it is only a shortage, the caller wants to know. */
	if (fstat(fd, &opened) < 0)
		problem = errno;
	else if (is_same_file(&named, &opened) && may_be_taken(file, &opened))
		problem = 0;
	if (problem) {
		sys_close(fd);
		errno = problem;
		return -1;
	}
	file->fd = fd;
	*bytes = opened.st_size;
	remember_owner(file);
	return 0;
}

unsigned scoreboard_file_check(const struct scoreboard_file *file, off_t bytes)
{
	struct stat status;
	unsigned harm = 0;

	if (fstat(file->fd, &status) < 0)
		return 0;
	if (status.st_size < bytes)
		harm |= SCOREBOARD_FILE_SHORT;
	if (status.st_size > bytes)
		harm |= SCOREBOARD_FILE_LONG;
	if ((status.st_mode & 07777) != SCOREBOARD_FILE_MODE || status.st_uid != file->uid ||
		status.st_gid != file->gid)
		harm |= SCOREBOARD_FILE_ACCESS;
	if (status.st_nlink == 0)
		harm |= SCOREBOARD_FILE_GONE;
	else if (!name_leads_to(file, &status))
		harm |= SCOREBOARD_FILE_NAME;
	return harm;
}

int scoreboard_file_resize(const struct scoreboard_file *file, off_t bytes)
{
	return ftruncate(file->fd, bytes);
}

int scoreboard_file_mend_access(const struct scoreboard_file *file)
{
	return set_access(file, file->fd);
}

int scoreboard_file_mend_name(const struct scoreboard_file *file)
{
	char temporary[TEMPORARY_NAME_BYTES];
	char source[DESCRIPTOR_PATH_BYTES];

	choose_temporary_name(temporary);
	descriptor_path(source, file->fd);
	/* The second way needs no /proc, but a right that only root has. */
	if (linkat(AT_FDCWD, source, file->dir_fd, temporary, AT_SYMLINK_FOLLOW) < 0 &&
		linkat(file->fd, "", file->dir_fd, temporary, AT_EMPTY_PATH) < 0)
		return -1;
	return put_in_place(file, file->fd, temporary);
}

static int open_by_name(const struct scoreboard_file *file)
{
	struct stat ours, opened;
	int fd = openat(file->dir_fd, file->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(file->fd, &ours) < 0 || fstat(fd, &opened) < 0 || !is_same_file(&ours, &opened)) {
		sys_close(fd);
		errno = ESTALE;
		return -1;
	}
	fcntl(fd, F_SETFL, O_RDWR);
	return fd;
}

int scoreboard_file_open_again(const struct scoreboard_file *file)
{
	char path[DESCRIPTOR_PATH_BYTES];
	int fd;

	descriptor_path(path, file->fd);
	fd = sys_open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0 && errno == EACCES && scoreboard_file_mend_access(file) == 0)
		fd = sys_open(path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		fd = open_by_name(file);
	return fd;
}
