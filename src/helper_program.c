/* The installed one comes first: a folder that others may write is never looked into before it. */
#include "helper_program.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory.h"

static char *beside_ourselves(const char *name)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self));

	while (length > 0 && self[length - 1] != '/')
		length--;
	return length > 0 ? memory_format("%.*s%s", (int)length, self, name) : NULL;
}

char *helper_program(const char *folder, const char *name)
{
	char *installed = memory_format("%s/%s", folder, name), *beside;

	if (access(installed, X_OK) == 0)
		return installed;
	beside = beside_ourselves(name);
	if (!beside || access(beside, X_OK) < 0) {
		free(beside);
		return installed;
	}
	free(installed);
	return beside;
}
