/*
 * Talks to the control socket without waiting for it. Its rule: whatever the other end does or
 * does not do, the screen stays alive: descriptors do not block, and an answer has a largest size.
 */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"

void link_init(struct link *link, const char *path, const char *pool)
{
	*link = (struct link){.path = path, .answer_fd = -1, .events_fd = -1};
	link->question = pool ? memory_format("status %s\n", pool) : memory_format("status\n");
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void link_fini(struct link *link)
{
	close_fd(&link->answer_fd);
	close_fd(&link->events_fd);
	line_buffer_free(&link->lines);
	free(link->question);
	free(link->text);
}

/* A connection on which the request was sent; -1 with errno. */
static int request(const char *path, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int link_ask(struct link *link, struct errmsg *err)
{
	link_drop(link);
	link->answer_fd = request(link->path, link->question);
	if (link->answer_fd < 0)
		return errmsg_errno(err, "no supervisor answers at %s", link->path);
	return 0;
}

void link_drop(struct link *link)
{
	close_fd(&link->answer_fd);
	link->bytes = 0;
}

/* Room for some more; false when the answer is too long. */
static bool make_room(struct link *link)
{
	if (link->size - link->bytes >= 4096)
		return true;
	if (link->size >= LINK_ANSWER_MAX_BYTES)
		return false;
	link->size = link->size ? link->size * 2 : 65536;
	link->text = memory_resize(link->text, link->size, 1);
	return true;
}

static enum link_state failed(struct link *link)
{
	close_fd(&link->answer_fd);
	return LINK_FAILED;
}

/* A line is a whole answer; so is what came before the end. */
enum link_state link_read(struct link *link, struct errmsg *err)
{
	for (;;) {
		ssize_t got;

		if (!make_room(link)) {
			errmsg_set(err, "the answer is longer than %d MiB",
				(int)(LINK_ANSWER_MAX_BYTES >> 20));
			return failed(link);
		}
		got = recv(link->answer_fd, link->text + link->bytes, link->size - link->bytes, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return LINK_UNFINISHED;
		if (got < 0 || (got == 0 && link->bytes == 0)) {
			errmsg_set(err, "the supervisor hung up without an answer");
			return failed(link);
		}
		link->bytes += (size_t)got;
		if (got > 0 && link->text[link->bytes - 1] != '\n')
			continue;
		close_fd(&link->answer_fd);
		return LINK_ANSWERED;
	}
}

enum link_state link_wait(struct link *link, int timeout_ms, struct errmsg *err)
{
	for (;;) {
		struct pollfd wait = {.fd = link->answer_fd, .events = POLLIN};
		int ready = poll(&wait, 1, timeout_ms);
		enum link_state state;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0) {
			errmsg_set(err, "the supervisor does not answer");
			return failed(link);
		}
		state = link_read(link, err);
		if (state != LINK_UNFINISHED)
			return state;
	}
}

void link_listen(struct link *link)
{
	close_fd(&link->events_fd);
	line_buffer_free(&link->lines);
	link->events_fd = request(link->path, "events\n");
}

void link_hear(struct link *link, line_handler *handler, void *context)
{
	char bytes[16384];
	ssize_t got = recv(link->events_fd, bytes, sizeof(bytes), 0);

	if (got > 0)
		line_buffer_add(&link->lines, bytes, (size_t)got, handler, context);
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&link->events_fd);
}
