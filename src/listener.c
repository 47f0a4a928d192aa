/*
 * A listening socket from beginning to end, whatever its family. The parts that depend on the
 * family are in listener_inet.c and listener_unix.c. Descriptors are CLOEXEC and blocking: workers
 * that expect plain accept(2) share them.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "listener_parts.h"
#include "memory.h"

static bool is_inet(const struct address *address)
{
	return address->kind == ADDRESS_HOST || address->kind == ADDRESS_ANY;
}

static const char *type_name(int type)
{
	switch (type) {
	case SOCK_STREAM: return "stream";
	case SOCK_DGRAM: return "dgram";
	case SOCK_SEQPACKET: return "seqpacket";
	}
	return "raw";
}

/* An integer that the socket says about itself, -1: it cannot. */
static int ask(int fd, int option)
{
	int answer = -1;
	socklen_t bytes = sizeof(answer);

	return getsockopt(fd, SOL_SOCKET, option, &answer, &bytes) ? -1 : answer;
}

static int verify_passed(
	int fd, const struct listener_settings *settings, const char *where, struct errmsg *err)
{
	int type = ask(fd, SO_TYPE);
	bool matches;

	if (type < 0)
		return errmsg_errno(err, "%s: passed descriptor %d is not a socket", where, fd);
	errno = EINVAL;
	if (type != settings->type)
		return errmsg_set(err, "%s: passed socket %d is of type %s, not %s", where, fd,
			type_name(type), type_name(settings->type));
	if (type != SOCK_DGRAM && ask(fd, SO_ACCEPTCONN) != 1)
		return errmsg_set(err, "%s: passed socket %d does not listen", where, fd);
	if (is_inet(&settings->listen))
		matches = listener_inet_matches(fd, settings);
	else
		matches = listener_unix_matches(fd, &settings->listen);
	errno = EINVAL;
	if (!matches)
		return errmsg_set(
			err, "%s: passed socket %d is bound to another address", where, fd);
	return 0;
}

bool listener_is(int fd, const struct listener_settings *settings, struct errmsg *err)
{
	char *where = address_format(&settings->listen);
	const bool is = verify_passed(fd, settings, where, err) == 0;

	free(where);
	return is;
}

static int take_passed(struct listener *listener, const struct listener_settings *settings, int fd,
	const char *where, struct errmsg *err)
{
	int flags;

	if (verify_passed(fd, settings, where, err))
		return -1;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return errmsg_errno(err, "%s: passed socket %d", where, fd);
	listener->fd = fd;
	listener->passed = true;
	return 0;
}

static int bind_inet(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	int fd = listener_inet_bind(settings, where, err);

	if (fd < 0)
		return -1;
	if (listener_listen(fd, settings)) {
		errmsg_errno(err, "cannot listen on %s", where);
		close(fd);
		return -1;
	}
	listener->fd = fd;
	return 0;
}

static char *port_text(const struct listener *listener, const struct address *address)
{
	switch (address->kind) {
	case ADDRESS_HOST:
	case ADDRESS_ANY: return listener_inet_port_text(listener->fd, address);
	case ADDRESS_UNIX: return memory_copy_string(address->path);
	case ADDRESS_ABSTRACT: return memory_format("@%s", address->path);
	case ADDRESS_NONE: break;
	}
	return memory_copy_string("");
}

int listener_open(struct listener *listener, const struct listener_settings *settings,
	int passed_fd, struct errmsg *err)
{
	char *where = address_format(&settings->listen);
	int result, saved;

	*listener = (struct listener){.fd = -1};
	if (passed_fd >= 0)
		result = take_passed(listener, settings, passed_fd, where, err);
	else if (is_inet(&settings->listen))
		result = bind_inet(listener, settings, where, err);
	else
		result = listener_unix_bind(listener, settings, where, err);
	if (!result)
		listener->port_text = port_text(listener, &settings->listen);
	saved = errno;
	free(where);
	errno = saved;
	return result;
}

/* Whether it waits is left as it is: its workers may have changed that, and rely on it. */
static int take_again(struct listener *listener, const struct listener_settings *settings, int fd,
	struct errmsg *err)
{
	char *where = address_format(&settings->listen);
	int result = verify_passed(fd, settings, where, err);

	if (!result && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		result = errmsg_errno(err, "%s: socket %d", where, fd);
	free(where);
	*listener = (struct listener){.fd = -1};
	if (result)
		return -1;
	listener->fd = fd;
	listener->port_text = port_text(listener, &settings->listen);
	return 0;
}

/* The file is ours as long as it is the same. A look that fails for another reason than that it has
 * gone says nothing: it is looked at again before it is removed. */
static bool is_another_file(const struct listener_past *past)
{
	struct stat file;

	if (lstat(past->path, &file) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	return file.st_dev != past->dev || file.st_ino != past->ino;
}

static void take_file(struct listener *listener, const struct listener_past *past)
{
	if (!past->path || is_another_file(past))
		return;
	listener->path = memory_copy_string(past->path);
	listener->dev = past->dev;
	listener->ino = past->ino;
}

int listener_take_up(struct listener *listener, const struct listener_settings *settings,
	const struct listener_past *past, struct errmsg *err)
{
	if (take_again(listener, settings, past->fd, err) < 0)
		return -1;
	listener->passed = past->passed;
	take_file(listener, past);
	if (listener_change(listener, settings, err) == 0)
		return 0;
	/* the caller's still, and so is its file */
	free(listener->path);
	free(listener->port_text);
	*listener = (struct listener){.fd = -1};
	return -1;
}

int listener_change(
	struct listener *listener, const struct listener_settings *settings, struct errmsg *err)
{
	if (listener_listen(listener->fd, settings))
		return errmsg_errno(err, "cannot change the backlog of %s", listener->port_text);
	return listener->path ? listener_unix_set_file(listener, settings, err) : 0;
}

bool listener_is_deaf(const struct listener *listener)
{
	return listener->fd >= 0 && ask(listener->fd, SO_ACCEPTCONN) == 0 &&
	       ask(listener->fd, SO_TYPE) != SOCK_DGRAM;
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->path && !listener->passed)
		listener_unix_unlink(listener);
	close(listener->fd);
	free(listener->path);
	free(listener->port_text);
	*listener = (struct listener){.fd = -1};
}
