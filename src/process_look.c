/*
 * What /proc and the kernel say of a process. The order matters: the pidfd is opened first, and
 * what is then read of its number is true of it, since the number cannot be another's while the
 * process of the pidfd has not ended.
 */
#include "process_look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errmsg.h"
#include "exit_status.h"
#include "memory.h"
#include "sys.h"

#define FIELDS_BEFORE_START 19 /* behind the name in parentheses */

/* The length, or -1. */
static ssize_t read_file(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int error = 0;
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, bytes - 1);
	if (length < 0)
		error = errno;
	close(fd);
	if (length < 0)
		errno = error;
	text[length > 0 ? length : 0] = '\0';
	return length;
}

char *process_boot_id(void)
{
	char text[64];

	if (read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text)) <= 0)
		return memory_copy_string("");
	text[strcspn(text, "\n")] = '\0';
	return memory_copy_string(text);
}

uint64_t process_pid_namespace(void)
{
	struct stat namespace;

	return stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;
}

/* A program can call itself anything, so the fields are counted from the last parenthesis. */
uint64_t process_started_ticks(pid_t pid)
{
	char path[48], text[1024];
	unsigned long long ticks = 0;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if (read_file(path, text, sizeof(text)) <= 0)
		return 0;
	at = strrchr(text, ')');
	for (int field = 0; at && field <= FIELDS_BEFORE_START; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, " %llu", &ticks) == 1 ? ticks : 0;
}

static bool is_of_user(pid_t pid, uid_t uid)
{
	char path[48], text[4096];
	unsigned long id[4] = {0};
	const char *line;

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if (read_file(path, text, sizeof(text)) <= 0)
		return false;
	line = strstr(text, "\nUid:");
	if (!line || sscanf(line, "\nUid: %lu %lu %lu %lu", &id[0], &id[1], &id[2], &id[3]) != 4)
		return false;
	return uid == 0 || id[0] == uid || id[1] == uid || id[2] == uid;
}

bool process_ended(int pidfd)
{
	struct pollfd at = {.fd = pidfd, .events = POLLIN};

	return poll(&at, 1, 0) > 0 && (at.revents & POLLIN);
}

int process_hold(pid_t pid, uint64_t started_ticks, uid_t uid, struct errmsg *err)
{
	int pidfd = sys_pidfd_open(pid);
	bool same, ended;
	int error;

	if (pidfd < 0)
		return errmsg_errno(err, "pid %ld", (long)pid);
	errno = 0;
	same = started_ticks != 0 && process_started_ticks(pid) == started_ticks;
	if (same && is_of_user(pid, uid))
		return pidfd;
	error = errno;
	ended = process_ended(pidfd);
	sys_close(pidfd);
	errno = error;
	if (errno_is_shortage(error))
		return errmsg_errno(err, "pid %ld cannot be looked at", (long)pid);
	errno = same && !ended ? EPERM : ESRCH;
	return errmsg_set(err,
		same && !ended ? "pid %ld is of another user by now"
			       : "pid %ld is another process by now",
		(long)pid);
}

bool process_variable(pid_t pid, const char *name, char *value, size_t bytes)
{
	const size_t name_length = strlen(name);
	char path[48], *text = NULL;
	size_t size = 0;
	ssize_t length;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
	file = fopen(path, "re");
	while (file && !found && (length = getdelim(&text, &size, '\0', file)) > 0)
		found = (size_t)length > name_length && text[name_length] == '=' &&
			strncmp(text, name, name_length) == 0 &&
			strlen(text + name_length + 1) < bytes;
	if (found)
		memcpy(value, text + name_length + 1, strlen(text + name_length + 1) + 1);
	free(text);
	if (file)
		fclose(file);
	return found;
}

int process_take_fd(int pidfd, int number)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}
