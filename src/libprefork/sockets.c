/*
 * The sockets that we inherit, as sd_listen_fds(3) has it: LISTEN_FDS of them from descriptor 3 on,
 * for the process LISTEN_PID, named by LISTEN_FDNAMES. Rule: reads the environment anew at each
 * call and keeps nothing. Must not open or close a socket.
 */
#include "prefork.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SOCKET 3

static int sockets_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (!pid || !count || strtol(pid, NULL, 10) != getpid())
		return 0;
	return atoi(count);
}

/* Is this the first of the colon-separated names? */
static bool is_called(const char *names, const char *name)
{
	size_t length = strcspn(names, ":");

	return strncmp(names, name, length) == 0 && name[length] == '\0';
}

/* The names behind the first; what has no name is called "". */
static const char *names_rest(const char *names)
{
	names += strcspn(names, ":");
	return *names ? names + 1 : names;
}

int prefork_socket(const char *name, int n)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int count = n < 0 ? 0 : sockets_count();

	names = names ? names : "";
	for (int fd = FIRST_SOCKET; fd < FIRST_SOCKET + count; fd++, names = names_rest(names)) {
		if (name && !is_called(names, name))
			continue;
		if (n-- > 0)
			continue;
		return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
	}
	return -1;
}
