/* The installed one comes first: a folder that others may write is never looked into before it. */
#include "helper_program.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

#define LIBTOOL_FOLDER "src/libprefork/.libs/"

static char *beside_ourselves(const char *name)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self));

	while (length > 0 && self[length - 1] != '/')
		length--;
	return length > 0 ? memory_format("%.*s%s", (int)length, self, name) : NULL;
}

static char *find(const char *folder, const char *name, const char *built, int mode)
{
	char *installed = memory_format("%s/%s", folder, name), *beside;

	if (access(installed, mode) == 0)
		return installed;
	beside = beside_ourselves(built);
	if (!beside || access(beside, mode) < 0) {
		free(beside);
		return installed;
	}
	free(installed);
	return beside;
}

char *helper_program(const char *folder, const char *name)
{
	return find(folder, name, name, X_OK);
}

char *helper_library(const char *folder, const char *name)
{
	char *built = memory_format(LIBTOOL_FOLDER "%s", name);
	char *path = find(folder, name, built, R_OK);

	free(built);
	return path;
}

static bool is_ourselves(const char *path)
{
	struct stat self, other;

	return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 &&
	       self.st_dev == other.st_dev && self.st_ino == other.st_ino;
}

static char *as_called(const char *argv0)
{
	char *here = *argv0 == '/' ? NULL : getcwd(NULL, 0);
	char *path = here ? memory_format("%s/%s", here, argv0) : memory_copy_string(argv0);

	free(here);
	if (path[0] == '/' && is_ourselves(path))
		return path;
	free(path);
	return NULL;
}

char *own_program(const char *argv0)
{
	static const char deleted[] = " (deleted)";
	char self[PATH_MAX];
	char *path = argv0 && strchr(argv0, '/') ? as_called(argv0) : NULL;
	ssize_t length = path ? 0 : readlink("/proc/self/exe", self, sizeof(self) - 1);
	const ssize_t tail = (ssize_t)strlen(deleted);

	if (path || length <= 0)
		return path;
	self[length] = '\0';
	if (length > tail && strcmp(self + length - tail, deleted) == 0)
		self[length - tail] = '\0';
	return memory_copy_string(self);
}
