/*
 * One read of one file a process. The name in it may hold anything, blanks and parentheses too, so
 * the fields are counted from the last parenthesis on (proc(5)).
 */
#include "process_usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAT_BYTES 1024

static bool read_stat(char text[STAT_BYTES], pid_t pid)
{
	char path[64];
	ssize_t length = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, STAT_BYTES - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

bool process_usage_read(struct process_usage *usage, pid_t pid)
{
	char text[STAT_BYTES];
	const char *rest;
	uint64_t user, system;
	int64_t pages;

	if (!read_stat(text, pid))
		return false;
	rest = strrchr(text, ')');
	/* Fields 14, 15 and 24 of proc(5); the first one here is number 3. */
	if (!rest || sscanf(rest + 1,
			     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
			     " %*d %*d %*d %*d %*d %*d %*u %*u %" SCNd64,
			     &user, &system, &pages) != 3)
		return false;
	usage->resident_bytes = pages * sysconf(_SC_PAGESIZE);
	usage->cpu_sec = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	return true;
}
