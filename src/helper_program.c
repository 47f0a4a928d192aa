/* The installed one comes first: a folder that others may write is never looked into before it. */
#include "helper_program.h"

#include <limits.h>
#include <stdlib.h>
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
