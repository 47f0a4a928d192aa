/*
 * The sockets that a service manager passes (sd_listen_fds(3)): read once, then out of the
 * environment, so that no worker takes them for its own. What the variables say is believed only
 * where it is consistent; the sockets themselves are verified when they are taken.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "stored_name.h"

#define FIRST_PASSED 3

/* A variable's value as a positive number, 0: it is none. */
static long variable_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long number;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtol(text, &end, 10);
	return *end || errno ? 0 : number;
}

/* The next of the names between colons, malloced; one that is missing is "unknown", as systemd
 * calls those. */
static char *next_name(const char **names)
{
	size_t length;
	char *name;

	if (!*names)
		return memory_copy_string("unknown");
	length = strcspn(*names, ":");
	name = memory_format("%.*s", (int)length, *names);
	*names = (*names)[length] ? *names + length + 1 : NULL;
	return name;
}

static void add(struct passed_sockets *passed, int fd, char *name)
{
	size_t count = (size_t)passed->count + 1;

	passed->fd = memory_resize(passed->fd, count, sizeof(*passed->fd));
	passed->name = memory_resize(passed->name, count, sizeof(*passed->name));
	passed->fd[passed->count] = fd;
	passed->name[passed->count] = name;
	passed->count++;
}

void passed_sockets_read(struct passed_sockets *passed)
{
	bool ours = variable_number("LISTEN_PID") == getpid();
	long count = variable_number("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	long i;

	*passed = (struct passed_sockets){.count = 0};
	/* the first that is not open ends them, so that no number makes this long */
	for (i = 0; ours && i < count && i < INT_MAX - FIRST_PASSED; i++) {
		int fd = FIRST_PASSED + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			break;
		add(passed, fd, next_name(&names));
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int passed_sockets_take(struct passed_sockets *passed, const char *name)
{
	int i, fd;

	for (i = 0; i < passed->count; i++) {
		if (passed->fd[i] < 0 || strcmp(passed->name[i], name) != 0)
			continue;
		fd = passed->fd[i];
		passed->fd[i] = -1;
		return fd;
	}
	return -1;
}

void passed_sockets_add_past(
	struct passed_sockets *passed, const char *name, const struct listener_past *past)
{
	size_t count = (size_t)passed->past_count + 1;

	passed->past = memory_resize(passed->past, count, sizeof(*passed->past));
	passed->past_name = memory_resize(passed->past_name, count, sizeof(*passed->past_name));
	passed->past[passed->past_count] = *past;
	passed->past_name[passed->past_count] = memory_copy_string(name);
	passed->past_count++;
}

bool passed_sockets_has_past(const struct passed_sockets *passed, const char *name)
{
	for (int i = 0; i < passed->past_count; i++)
		if (passed->past[i].fd >= 0 && strcmp(passed->past_name[i], name) == 0)
			return true;
	return false;
}

bool passed_sockets_take_past(
	struct passed_sockets *passed, const char *name, struct listener_past *past)
{
	int fd = passed_sockets_take(passed, name), i;

	for (i = 0; i < passed->past_count; i++) {
		if (strcmp(passed->past_name[i], name) != 0)
			continue;
		*past = passed->past[i];
		passed->past[i] = (struct listener_past){.fd = -1};
		if (past->fd < 0)
			past->fd = fd;
		else if (fd >= 0)
			close(fd);
		return past->fd >= 0;
	}
	*past = (struct listener_past){.fd = fd, .passed = true};
	return fd >= 0;
}

void passed_sockets_leave(struct passed_sockets *passed)
{
	for (int i = 0; i < passed->past_count; i++)
		passed->past[i].passed = true;
}

static void free_past(struct passed_sockets *passed)
{
	for (int i = 0; i < passed->past_count; i++) {
		struct listener_past *past = &passed->past[i];
		struct listener left = {.fd = past->fd,
			.path = past->path,
			.dev = past->dev,
			.ino = past->ino,
			.passed = past->passed};

		listener_close(&left);
		free(passed->past_name[i]);
	}
	free(passed->past);
	free(passed->past_name);
}

int passed_sockets_free(struct passed_sockets *passed)
{
	int unwanted = 0;
	int i;

	for (i = 0; i < passed->count; i++) {
		if (passed->fd[i] >= 0) {
			close(passed->fd[i]);
			unwanted += !stored_name_is(passed->name[i]);
		}
		free(passed->name[i]);
	}
	free(passed->fd);
	free(passed->name);
	free_past(passed);
	*passed = (struct passed_sockets){.count = 0};
	return unwanted;
}
