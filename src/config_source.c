/*
 * Reads configuration files whole, and finds those that are included. Whatever lies where a file is
 * expected (a folder, a device, a pipe that nobody writes to) is refused without being opened or
 * waited for. What the bytes mean is not known here.
 */
#include "config_source.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "words.h"

#define PIPE_WAIT_MS 5000

/* 0, or the errno. */
static int check_kind(const struct stat *status, enum config_source source)
{
	if (S_ISREG(status->st_mode) || (S_ISFIFO(status->st_mode) && source == CONFIG_MAIN))
		return 0;
	return S_ISDIR(status->st_mode) ? EISDIR : EINVAL;
}

/* A descriptor, or -1 with errno. Looks before it opens, since opening alone makes some devices do
 * things, and afterwards, since it may be another one by then. */
static int open_file(const char *path, enum config_source source)
{
	struct stat status;
	int fd, error;

	if (stat(path, &status) < 0)
		return -1;
	error = check_kind(&status, source);
	if (error) {
		errno = error;
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	error = fstat(fd, &status) < 0 ? errno : check_kind(&status, source);
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* Is there more to read, soon? A pipe's writer is waited for, but not for ever. */
static bool wait_for_writer(int fd, enum config_source source)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN || source != CONFIG_MAIN)
		return false;
	if (poll(&waiting, 1, PIPE_WAIT_MS) > 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

/* 0, or -1 with errno. */
static int read_all(int fd, struct config_bytes *out, enum config_source source, size_t max_bytes)
{
	size_t size = 0;

	for (;;) {
		ssize_t got;

		if (out->length == size) {
			size = 2 * size + 65536;
			out->bytes = memory_resize(out->bytes, size, 1);
		}
		got = read(fd, out->bytes + out->length, size - out->length);
		if (got == 0)
			return 0;
		if (got < 0 && !wait_for_writer(fd, source))
			return -1;
		if (got > 0)
			out->length += (size_t)got;
		if (out->length > max_bytes) {
			errno = EFBIG;
			return -1;
		}
	}
}

int config_source_read(struct config_bytes *out, const char *path, enum config_source source,
	size_t max_bytes, struct errmsg *err)
{
	int fd = open_file(path, source);
	int error = errno, result;

	*out = (struct config_bytes){0};
	if (fd < 0)
		return errmsg_set(err, "cannot be read: %s",
			error == EINVAL ? "not a regular file" : strerror(error));
	result = read_all(fd, out, source, max_bytes);
	error = errno;
	close(fd);
	if (result == 0)
		return 0;
	free(out->bytes);
	*out = (struct config_bytes){0};
	errno = error;
	return errmsg_errno(err, "cannot be read");
}

/* The pattern without its backslashes, if it has no wildcard; else NULL. malloced. */
static char *plain_path(const char *pattern)
{
	char *path = memory_alloc(strlen(pattern) + 1), *out = path;

	for (; *pattern; pattern++) {
		if (strchr("*?[", *pattern)) {
			free(path);
			return NULL;
		}
		if (*pattern == '\\' && pattern[1])
			pattern++;
		*out++ = *pattern;
	}
	return path;
}

/* A folder that is not there has no files, and that is all. */
static int is_trouble(const char *folder, int error)
{
	(void)folder;
	return error != ENOENT && error != ENOTDIR;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int config_source_find(struct words *paths, const char *pattern, struct errmsg *err)
{
	char *plain = plain_path(pattern);
	glob_t found = {0};
	int result;

	if (plain) {
		words_add(paths, plain);
		free(plain);
		return 0;
	}
	/* Not sorted by glob, which would do it by the locale. */
	result = glob(pattern, GLOB_NOSORT, is_trouble, &found);
	if (result == 0)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), compare);
	for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
		words_add(paths, found.gl_pathv[i]);
	globfree(&found);
	if (result == 0 || result == GLOB_NOMATCH)
		return 0;
	return errmsg_set(err, "\"%.400s\": %s", pattern,
		result == GLOB_NOSPACE ? "out of memory" : "a folder of it cannot be read");
}

bool config_source_same(const char *path, const char *other)
{
	struct stat status, other_status;

	return stat(path, &status) == 0 && stat(other, &other_status) == 0 &&
	       status.st_dev == other_status.st_dev && status.st_ino == other_status.st_ino;
}
