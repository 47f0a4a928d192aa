/*
 * The state's file is written beside its name and renamed, so there is a whole one at any moment.
 * It names processes that a privileged supervisor will signal: a file that another user could have
 * written is not read.
 */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"

#define NEW_NAME  ".state.new"
#define FILE_MODE 0600
#define MAX_BYTES (64 << 20)
#define SEALS     (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int write_all(int fd, const char *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t written = write(fd, bytes + done, length - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			errno = written < 0 ? errno : ENOSPC;
			return -1;
		}
		done += (size_t)written;
	}
	return 0;
}

static int fail(int fd, const char *what, struct errmsg *err)
{
	int saved = errno;

	errmsg_errno(err, "%s", what);
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

int state_file_save(int dir_fd, const char *bytes, size_t length, struct errmsg *err)
{
	int fd, saved;

	/* What bears this name can only be left over from a writer that was killed. */
	unlinkat(dir_fd, NEW_NAME, 0);
	fd = openat(
		dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return fail(-1, "the saved state cannot be made", err);
	if (write_all(fd, bytes, length) == 0 &&
		renameat(dir_fd, NEW_NAME, dir_fd, STATE_FILE_NAME) == 0) {
		close(fd);
		return 0;
	}
	fail(fd, "the saved state cannot be written", err);
	saved = errno;
	unlinkat(dir_fd, NEW_NAME, 0);
	errno = saved;
	return -1;
}

/* Closes the descriptor. */
static char *read_all(int fd, off_t size, size_t *length, struct errmsg *err)
{
	char *bytes = malloc((size_t)size + 1);
	size_t done = 0;
	ssize_t got = bytes ? 1 : -1;

	while (got > 0 && done < (size_t)size) {
		got = pread(fd, bytes + done, (size_t)size - done, (off_t)done);
		done += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		fail(fd, "the saved state cannot be read", err);
		free(bytes);
		return NULL;
	}
	close(fd);
	*length = done;
	return bytes;
}

char *state_file_load(int dir_fd, size_t *length, struct errmsg *err)
{
	int fd = openat(dir_fd, STATE_FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat file;

	if (fd < 0 || fstat(fd, &file) < 0) {
		fail(fd, "the saved state", err);
		return NULL;
	}
	if (S_ISREG(file.st_mode) && file.st_uid == geteuid() && file.st_nlink == 1 &&
		(file.st_mode & 077) == 0 && file.st_size <= MAX_BYTES)
		return read_all(fd, file.st_size, length, err);
	close(fd);
	errno = EPERM;
	errmsg_set(err, "the saved state is no file of ours alone");
	return NULL;
}

void state_file_remove(int dir_fd)
{
	unlinkat(dir_fd, STATE_FILE_NAME, 0);
}

int state_memory_make(const char *bytes, size_t length, struct errmsg *err)
{
	int fd = memfd_create("preforkd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return fail(-1, "no memory for the state can be had (memfd_create)", err);
	if (write_all(fd, bytes, length) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return fail(fd, "the state cannot be put into memory", err);
	return fd;
}

char *state_memory_load(int fd, size_t *length, struct errmsg *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat file;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &file) < 0 ||
		file.st_size > MAX_BYTES) {
		errmsg_set(err, "descriptor %d is no sealed state", fd);
		close(fd);
		return NULL;
	}
	return read_all(fd, file.st_size, length, err);
}
