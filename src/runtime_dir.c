/*
 * The folder of one supervisor and its lock. A lock counts only while its file still has its name,
 * since a holder that leaves removes it; a folder that was removed between two steps is made again.
 * Must not touch anything else in the folder.
 */
#include "runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "safe_file.h"
#include "sys.h"

/* Who can read a file can lock it: nobody else may keep us from starting. */
#define LOCK_MODE      0600
#define TRIES          100
#define DEAD_HOLDER_MS 20

/* systemd separates several by colons; the first is ours. With DynamicUser= it is a link to where
 * others cannot look: who sets the variable may say so. */
static char *from_environment(void)
{
	const char *given = getenv("RUNTIME_DIRECTORY");
	char *path, *real;

	if (!given || given[0] != '/')
		return NULL;
	path = memory_format("%.*s", (int)strcspn(given, ":"), given);
	real = realpath(path, NULL);
	if (!real)
		return path;
	free(path);
	return real;
}

char *runtime_dir_place(const char *name, int number)
{
	unsigned long uid = geteuid();

	switch (number) {
	case 0: return from_environment();
	case 1: return memory_format("/run/preforkd/%s", name);
	case 2: return memory_format("/run/user/%lu/preforkd/%s", uid, name);
	case 3: return memory_format("/tmp/preforkd-%lu/%s", uid, name);
	}
	return NULL;
}

static bool has_user_dir(void)
{
	char path[64];
	struct stat dir;

	snprintf(path, sizeof(path), "/run/user/%lu", (unsigned long)geteuid());
	return lstat(path, &dir) == 0 && S_ISDIR(dir.st_mode) && dir.st_uid == geteuid();
}

char *runtime_dir_default(const char *name)
{
	char *given = runtime_dir_place(name, 0);

	if (given)
		return given;
	if (geteuid() == 0)
		return runtime_dir_place(name, 1);
	return runtime_dir_place(name, has_user_dir() ? 2 : 3);
}

static int busy_reason(const char *path, const struct safe_file_holder *holder, struct errmsg *err)
{
	char config[sizeof(holder->text)];
	long pid;

	if (sscanf(holder->text, "%ld %511[^\n]", &pid, config) == 2)
		return errmsg_set(err, "%s is in use: preforkd already runs with pid %ld (%s)",
			path, pid, config);
	return errmsg_set(err, "%s is in use: another preforkd is just starting", path);
}

/* The old content goes last: whoever reads in between sees a whole line first. */
static int write_holder(int fd, const char *config_path, struct errmsg *err)
{
	char *text = memory_format("%ld %s\n", (long)getpid(), config_path);
	ssize_t length = (ssize_t)strlen(text);
	ssize_t written = pwrite(fd, text, (size_t)length, 0);

	free(text);
	if (written >= 0 && written < length)
		errno = ENOSPC;
	if (written < length || ftruncate(fd, length) < 0)
		return errmsg_errno(err, "cannot write the lock's file");
	return 0;
}

/* Opens the folder and takes the lock; again while somebody who leaves removes them under us. */
static int open_and_lock(struct runtime_dir *dir, const char *path, struct safe_file_holder *holder,
	struct errmsg *err)
{
	int saved, i;

	for (i = 0; i < TRIES; i++) {
		dir->fd = safe_file_open_dir(path, err);
		if (dir->fd < 0)
			return -1;
		dir->lock_fd =
			safe_file_open_locked(dir->fd, RUNTIME_DIR_LOCK, LOCK_MODE, holder, err);
		if (dir->lock_fd >= 0)
			return 0;
		saved = errno;
		close(dir->fd);
		dir->fd = -1;
		errno = saved;
		if (errno != ENOENT)
			return -1;
	}
	return -1;
}

/* A child that was not yet past its exec may still have the lock of a holder that was killed. */
static bool holder_died(const struct safe_file_holder *holder)
{
	struct pollfd at = {.events = POLLIN};
	bool died;
	long pid;

	if (sscanf(holder->text, "%ld", &pid) != 1 || pid <= 0)
		return false;
	at.fd = sys_pidfd_open((pid_t)pid);
	if (at.fd < 0)
		return errno == ESRCH;
	died = poll(&at, 1, 0) > 0;
	close(at.fd);
	return died;
}

static int open_in_the_end(struct runtime_dir *dir, const char *path,
	struct safe_file_holder *holder, struct errmsg *err)
{
	int result, saved;

	for (int i = 0; i < TRIES; i++) {
		result = open_and_lock(dir, path, holder, err);
		if (result == 0 || errno != EWOULDBLOCK)
			return result;
		saved = errno;
		if (!holder_died(holder)) {
			errno = saved;
			return -1;
		}
		poll(NULL, 0, DEAD_HOLDER_MS);
		errno = saved;
	}
	return -1;
}

int runtime_dir_open(struct runtime_dir *dir, const char *path, const char *config_path, bool *busy,
	struct errmsg *err)
{
	struct safe_file_holder holder;
	struct errmsg why = {""};

	*dir = (struct runtime_dir){.fd = -1, .lock_fd = -1};
	*busy = false;
	if (open_in_the_end(dir, path, &holder, &why) < 0) {
		*busy = errno == EWOULDBLOCK;
		if (*busy)
			return busy_reason(path, &holder, err);
		return errmsg_set(err, "runtime_dir %s: %s", path, why.text);
	}
	dir->path = memory_copy_string(path);
	if (write_holder(dir->lock_fd, config_path, &why) < 0) {
		errmsg_set(err, "runtime_dir %s: %s", path, why.text);
		runtime_dir_close(dir);
		return -1;
	}
	return 0;
}

int runtime_dir_take_up(struct runtime_dir *dir, const char *path, int lock_fd, struct errmsg *err)
{
	struct errmsg why = {""};

	*dir = (struct runtime_dir){.fd = safe_file_open_dir(path, &why), .lock_fd = -1};
	if (dir->fd < 0)
		return errmsg_set(err, "runtime_dir %s: %s", path, why.text);
	dir->lock_fd = lock_fd;
	dir->path = memory_copy_string(path);
	return 0;
}

bool runtime_dir_in_memory(const struct runtime_dir *dir)
{
	struct statfs fs;

	if (fstatfs(dir->fd, &fs) < 0)
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

void runtime_dir_close(struct runtime_dir *dir)
{
	int saved = errno;

	if (dir->lock_fd >= 0) {
		safe_file_remove(dir->fd, RUNTIME_DIR_LOCK, dir->lock_fd);
		rmdir(dir->path);
		close(dir->lock_fd);
		close(dir->fd);
	}
	free(dir->path);
	*dir = (struct runtime_dir){.fd = -1, .lock_fd = -1};
	errno = saved;
}
