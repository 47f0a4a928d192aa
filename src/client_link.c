/*
 * The client's end of the control socket. A supervisor that is frozen or gone must not hang the
 * command for ever, so connecting, asking and waiting for an answer have limits. Must not believe
 * that whoever listens in a folder that all may write is the supervisor.
 */
#include "client_link.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "client_place.h"
#include "control_path.h"
#include "errmsg.h"
#include "sys.h"

#define CONNECT_SEC    10
#define SIZE_MIN       65536
#define LINE_MAX_BYTES (256u << 20) /* no document is so long */

static void set_limit(int fd, int option, int limit_sec)
{
	struct timeval limit = {.tv_sec = limit_sec};

	setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit));
}

static bool peer_is_ours(int fd, struct errmsg *err)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t bytes = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	errno = EACCES;
	errmsg_set(err, "a process of user %ld listens there, not a supervisor of yours",
		(long)peer.uid);
	return false;
}

/* A connected descriptor, or -1 with the reason and errno. */
static int connect_to(const char *path, bool must_be_ours, struct errmsg *err)
{
	struct control_path where;
	int fd, saved;

	if (control_path_open(&where, path, NULL) < 0)
		return errmsg_set(err, "%s", strerror(errno));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set_limit(fd, SO_SNDTIMEO, CONNECT_SEC);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&where.address, sizeof(where.address)) == 0 &&
		(!must_be_ours || peer_is_ours(fd, err))) {
		control_path_close(&where);
		return fd;
	}
	saved = errno;
	if (saved == EAGAIN)
		errmsg_set(err, "somebody listens, but does not answer");
	else if (saved != EACCES || !must_be_ours)
		errmsg_set(err, "%s", strerror(saved));
	if (fd >= 0)
		close(fd);
	control_path_close(&where);
	errno = saved;
	return -1;
}

static int open_place(
	struct client_link *link, struct client_places *places, int place, struct errmsg *err)
{
	link->path = places->place[place].path;
	link->fd = connect_to(link->path, places->place[place].must_be_ours, err);
	if (link->fd >= 0)
		places->found = place;
	return link->fd;
}

int client_link_open(struct client_link *link, struct client_places *places, struct errmsg *err)
{
	int first = places->found < 0 ? 0 : places->found;
	int end = places->found < 0 ? places->count : places->found + 1;
	const char *separator = end - first > 1 ? "\n  " : " ";
	struct errmsg tried = {""}, why = {""};
	int status = EX_UNAVAILABLE;
	size_t length = 0;

	*link = (struct client_link){.fd = -1};
	for (int i = first; i < end; i++) {
		if (open_place(link, places, i, &why) >= 0)
			return EX_OK;
		if (errno == EACCES || errno == EPERM)
			status = EX_NOPERM;
		snprintf(tried.text + length, sizeof(tried.text) - length, "%s%s: %s", separator,
			link->path, why.text);
		length = strlen(tried.text);
	}
	errmsg_set(err, "no supervisor answers; tried%s%s", end - first > 1 ? ":" : "", tried.text);
	return status;
}

void client_link_ask(struct client_link *link, char *const word[])
{
	char text[1024] = "";
	size_t length = 0;

	for (int i = 0; word[i] && length < sizeof(text); i++)
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, "%s%s", i > 0 ? " " : "", word[i]);
	if (length >= sizeof(text))
		length = sizeof(text) - 1; /* too long anyway: the refusal says so */
	text[length++] = '\n';
	if (send(link->fd, text, length, MSG_NOSIGNAL) < 0)
		return;
}

/* Room for more bytes behind those that came. */
static bool make_room(struct client_link *link)
{
	size_t waiting = link->end - link->begin;
	size_t size = link->size ? link->size : SIZE_MIN;
	char *bytes;

	if (link->end < link->size)
		return true;
	if (link->begin > 0)
		memmove(link->bytes, link->bytes + link->begin, waiting);
	link->begin = 0;
	link->end = waiting;
	if (waiting == size)
		size *= 2;
	if (size == link->size)
		return true;
	bytes = size > LINE_MAX_BYTES ? NULL : realloc(link->bytes, size);
	if (!bytes)
		return false;
	link->bytes = bytes;
	link->size = size;
	return true;
}

static char *take_line(struct client_link *link)
{
	char *line, *end;

	/* There is no buffer before the first byte */
	if (link->end == link->begin)
		return NULL;
	line = link->bytes + link->begin;
	end = memchr(line, '\n', link->end - link->begin);
	if (!end)
		return NULL;
	*end = '\0';
	link->begin += (size_t)(end - line) + 1;
	return line;
}

enum client_read client_link_read(
	struct client_link *link, char **line, int limit_sec, struct errmsg *err)
{
	ssize_t bytes;

	set_limit(link->fd, SO_RCVTIMEO, limit_sec);
	while (!(*line = take_line(link))) {
		if (!make_room(link)) {
			errmsg_set(err, "no memory for the answer");
			return CLIENT_FAILED;
		}
		bytes = recv(link->fd, link->bytes + link->end, link->size - link->end, 0);
		if (bytes > 0) {
			link->end += (size_t)bytes;
			continue;
		}
		if (bytes < 0 && errno == EINTR)
			continue;
		/* It hung up with something of ours unread: no more will come all the same. */
		if (bytes == 0 || errno == ECONNRESET)
			return CLIENT_END;
		if (errno == EAGAIN)
			errmsg_set(err, "%s: the supervisor does not answer", link->path);
		else
			errmsg_errno(err, "%s", link->path);
		return CLIENT_FAILED;
	}
	return CLIENT_LINE;
}

int client_link_pidfd(const struct client_link *link)
{
	struct ucred peer = {0};
	socklen_t bytes = sizeof(peer);

	/* 0: it lives outside our pid namespace */
	if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 || peer.pid <= 0)
		return -1;
	return sys_pidfd_open(peer.pid);
}

void client_link_close(struct client_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	free(link->bytes);
	*link = (struct client_link){.fd = -1};
}
