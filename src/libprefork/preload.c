/*
 * The automatic scoreboard: preloaded into a worker that knows nothing of preforkd, it keeps the
 * worker's line. It is a module, built as libprefork-auto.so in the folder of packaged libraries.
 *
 * Environment, besides what every worker has (PREFORKD_SCOREBOARD_FD, _OFFSET,
 *PREFORKD_SCOREBOARD): LD_PRELOAD	begins with the path of the library; other entries may
 *follow behind a colon PREFORKD_AUTO	the worker's pid (blanks may follow, as with LISTEN_PID); or
 *1: the worker is who leads its process group and no session
 *	LISTEN_FDS	the listening sockets, from descriptor 3; and descriptor 0, if it is one
 *
 * What it says: the state is `_` when no connection is served and `W` else, first when the program
 * waits for connections; jobs are responses where they can be told apart (HTTP/1.x, FastCGI) and
 * connections otherwise; the note is the last request's first line up to its query, or who sent it.
 * A connection is served from accept(2) until it is closed, but not between two requests that can
 * be told apart. The processes that the worker forks count as the worker. A program that is static,
 * that accepts by io_uring or without libc (Go) says nothing: its state is unknown.
 *
 * Rule: in other programs, which the worker starts, it does nothing, and takes itself out of their
 * environment. Must not allocate, print, or stop a program for any fault of its own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload_fds.h"
#include "preload_group.h"
#include "preload_line.h"

#define FIRST_SOCKET_FD 3
#define VARIABLE        "LD_PRELOAD="

static bool is_worker(void)
{
	const char *told = getenv("PREFORKD_AUTO");
	long pid = told ? strtol(told, NULL, 10) : 0;

	if (pid == 1 && getpid() != 1)
		return getpid() == getpgrp() && getpid() != getsid(0);
	return pid > 0 && pid == (long)getpid();
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

/* How many there are. */
static int find_listeners(void)
{
	const char *told = getenv("LISTEN_FDS");
	long count = told ? strtol(told, NULL, 10) : 0;
	unsigned number = 0;

	if (is_listening(0))
		fds_add_listener(0, number++);
	for (int i = 0; i < count && number < FDS_LISTENERS; i++)
		if (is_listening(FIRST_SOCKET_FD + i))
			fds_add_listener(FIRST_SOCKET_FD + i, number++);
	return (int)number;
}

/* --- other programs --- */

/* Cuts the entry out of a list that colons or blanks separate, in place. */
static void cut_entry(char *list, const char *entry)
{
	size_t length = strlen(entry);
	char *at = list;

	while (*at) {
		size_t bytes = strcspn(at, ": ");

		if (bytes == length && memcmp(at, entry, bytes) == 0) {
			bytes += at[bytes] != '\0';
			memmove(at, at + bytes, strlen(at + bytes) + 1);
			continue;
		}
		at += bytes + (at[bytes] != '\0');
	}
	/* It was the last of several. */
	if (at > list && (at[-1] == ':' || at[-1] == ' '))
		at[-1] = '\0';
}

static void remove_variable(char **variable)
{
	do
		variable[0] = variable[1];
	while (*variable++);
}

static void leave_environment(void)
{
	Dl_info self;

	if (!dladdr(VARIABLE, &self) || !self.dli_fname)
		return;
	for (char **variable = environ; variable && *variable; variable++) {
		char *value = *variable + strlen(VARIABLE);

		if (strncmp(*variable, VARIABLE, strlen(VARIABLE)) != 0)
			continue;
		cut_entry(value, self.dli_fname);
		if (!*value)
			remove_variable(variable);
		return;
	}
}

__attribute__((constructor)) static void begin(void)
{
	int saved = errno;

	if (!is_worker())
		leave_environment();
	else if (find_listeners() > 0 && line_attach())
		group_begin(line_jobs());
	errno = saved;
}
