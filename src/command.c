/*
 * The search that execvp(3) does, before a worker is started, so that the reason can be told.
 * Nothing is run here, and that a program was found does not mean that it can be run a moment
 * later.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"

/* The status of a path as a process with that root would see it, its links too. */
static int stat_in_root(struct stat *stat, const char *root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, result = -1, error;

	if (folder < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS)
		fd = openat(folder, path + strspn(path, "/"), O_PATH | O_CLOEXEC);
	error = errno;
	if (fd >= 0) {
		result = fstat(fd, stat);
		error = errno;
		close(fd);
	}
	close(folder);
	errno = error;
	return result;
}

/* 0, or the errno that exec would give. With a root only root can get there, to whom any of the
 * permission bits is enough. */
static int check_program(const char *root, const char *path)
{
	struct stat status;

	if ((root ? stat_in_root(&status, root, path) : stat(path, &status)) < 0)
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (!S_ISREG(status.st_mode))
		return EACCES;
	if (root)
		return status.st_mode & 0111 ? 0 : EACCES;
	return euidaccess(path, X_OK) < 0 ? errno : 0;
}

/* A relative path from the folder that the worker will be in. malloced. */
static char *from_directory(const char *path, const char *directory, const char *root)
{
	if (*path == '/' || (!directory && !root))
		return memory_copy_string(path);
	if (!directory)
		directory = "";
	return memory_format("%s%s%s", directory,
		*directory && directory[strlen(directory) - 1] == '/' ? "" : "/", path);
}

static char *find_named(
	const char *name, const char *directory, const char *root, struct errmsg *err)
{
	char *path = from_directory(name, directory, root);
	int error = check_program(root, path);

	if (error == 0)
		return path;
	errmsg_set(err, "\"%.400s\"%s%.200s: %s", path, root ? " below " : "", root ? root : "",
		error == EACCES ? "not executable" : strerror(error));
	free(path);
	errno = error;
	return NULL;
}

/* The program in one folder of the list. */
static char *join(const char *folder, size_t length, const char *name)
{
	if (length == 0)
		return memory_format("./%s", name);
	return memory_format("%.*s/%s", (int)length, folder, name);
}

static char *search(const char *name, const char *path, const char *directory, const char *root,
	struct errmsg *err)
{
	char *refused = NULL; /* the first that was there but could not be run */

	for (const char *folder = path;; folder++) {
		size_t length = strcspn(folder, ":");
		char *relative = join(folder, length, name);
		char *found = from_directory(relative, directory, root);
		int error = check_program(root, found);

		free(relative);
		if (error == 0) {
			free(refused);
			return found;
		}
		if (!refused && (error == EACCES || error == EISDIR))
			refused = found;
		else
			free(found);
		folder += length;
		if (!*folder)
			break;
	}
	errno = refused ? EACCES : ENOENT;
	if (refused)
		errmsg_set(err, "\"%.400s\": not executable", refused);
	else
		errmsg_set(err, "\"%.200s\" is not found on PATH (%.400s)%s%.200s", name, path,
			root ? " below " : "", root ? root : "");
	free(refused);
	return NULL;
}

char *command_find(const char *name, const char *path, const char *directory, const char *root,
	struct errmsg *err)
{
	if (!*name) {
		errno = ENOENT;
		errmsg_set(err, "the program's name is empty");
		return NULL;
	}
	if (strchr(name, '/'))
		return find_named(name, directory, root, err);
	return search(name, path ? path : COMMAND_DEFAULT_PATH, directory, root, err);
}
