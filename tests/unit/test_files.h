#ifndef PREFORKD_TEST_FILES_H
#define PREFORKD_TEST_FILES_H
/*
 * Files for tests: a folder of one's own that vanishes again, what is in a file, and paths in it.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct test_dir {
	char path[PATH_MAX / 4];
};

static inline void test_dir_make(struct test_dir *dir)
{
	const char *where = getenv("TMPDIR");

	snprintf(dir->path, sizeof(dir->path), "%s/preforkd-test-XXXXXX", where ? where : "/tmp");
	if (!mkdtemp(dir->path)) {
		perror(dir->path);
		exit(EXIT_FAILURE);
	}
}

static inline int test_dir_remove_one(
	const char *path, const struct stat *file, int kind, struct FTW *at)
{
	(void)file;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline void test_dir_remove(const struct test_dir *dir)
{
	nftw(dir->path, test_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A path in the folder, in one of a few buffers that are used in turn. */
static inline const char *test_path(const struct test_dir *dir, const char *name)
{
	static char path[8][PATH_MAX];
	static int turn;

	turn = (turn + 1) % 8;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir->path, name);
	return path[turn];
}

/* The content of a file up to its size less one, as a string; "" if there is no such file. */
static inline size_t test_read_file(const char *path, char *text, size_t size)
{
	size_t length = 0;
	ssize_t part;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && length < size - 1) {
		part = read(fd, text + length, size - 1 - length);
		if (part <= 0)
			break;
		length += (size_t)part;
	}
	text[length] = '\0';
	if (fd >= 0)
		close(fd);
	return length;
}

static inline void test_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	close(fd);
}

#endif
