/*
 * The pid file. It may lie in a folder that others can write, so it is opened with suspicion and
 * removed only while the name still stands for the file that we hold. Everybody may read it once it
 * is written, and who can read a file can lock it: a lock counts only while one of us can hold it.
 * Until then it is empty, so that it names nobody else.
 */
#include "pidfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "safe_file.h"

#define MODE_EMPTY   0600
#define MODE_WRITTEN 0644

/* One that just starts has not written its pid yet. */
static bool can_be_one_of_us(const struct safe_file_holder *holder)
{
	char path[64];
	struct stat process;

	if (!holder->text[0])
		return true;
	snprintf(path, sizeof(path), "/proc/%ld", strtol(holder->text, NULL, 10));
	return stat(path, &process) == 0 && (process.st_uid == 0 || process.st_uid == geteuid());
}

static int lock(int dir_fd, const char *name, struct safe_file_holder *holder, struct errmsg *err)
{
	int fd = safe_file_open_locked(dir_fd, name, MODE_EMPTY, holder, err);

	/* a stranger who waited for it until its owner died: he may keep that file */
	if (fd < 0 && errno == EWOULDBLOCK && !can_be_one_of_us(holder) &&
		unlinkat(dir_fd, name, 0) == 0)
		fd = safe_file_open_locked(dir_fd, name, MODE_EMPTY, holder, err);
	if (fd >= 0 && ftruncate(fd, 0) == 0)
		fchmod(fd, MODE_EMPTY);
	return fd;
}

int pidfile_open(struct pidfile *file, const char *path, struct errmsg *err)
{
	struct safe_file_holder holder;
	struct errmsg why = {""};
	const char *name;
	int saved, dir_fd;

	*file = (struct pidfile){.fd = -1};
	if (!path)
		return 0;
	dir_fd = safe_file_open_parent(path, &name, &why);
	if (dir_fd < 0)
		return errmsg_set(err, "pid_file %s", why.text);
	file->fd = lock(dir_fd, name, &holder, &why);
	saved = errno;
	close(dir_fd);
	errno = saved;
	if (file->fd < 0 && errno == EWOULDBLOCK)
		return errmsg_set(err, "pid_file %s is locked by another process%s%.20s", path,
			holder.text[0] ? "; the pid in it is " : "", holder.text);
	if (file->fd < 0)
		return errmsg_set(err, "pid_file %s: %s", path, why.text);
	file->path = memory_copy_string(path);
	return 0;
}

void pidfile_take_up(struct pidfile *file, const char *path, int fd)
{
	*file = (struct pidfile){.path = memory_copy_string(path), .fd = fd};
}

int pidfile_write(struct pidfile *file, struct errmsg *err)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	ssize_t written;

	if (!file->path)
		return 0;
	written = pwrite(file->fd, text, (size_t)length, 0);
	if (written >= 0 && written < length)
		errno = ENOSPC;
	if (written < length || ftruncate(file->fd, length) < 0)
		return errmsg_errno(err, "pid_file %s: cannot write it", file->path);
	if (fchmod(file->fd, MODE_WRITTEN) < 0)
		return errmsg_errno(err, "pid_file %s: cannot set its mode", file->path);
	return 0;
}

void pidfile_close(struct pidfile *file)
{
	int saved = errno, dir_fd;
	const char *name;

	if (file->path) {
		dir_fd = safe_file_open_parent(file->path, &name, NULL);
		if (dir_fd >= 0) {
			safe_file_remove(dir_fd, name, file->fd);
			close(dir_fd);
		}
		close(file->fd);
	}
	free(file->path);
	*file = (struct pidfile){.fd = -1};
	errno = saved;
}
