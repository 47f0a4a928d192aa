/*
 * Where notifications arrive. A datagram is read whole with all that came along, judged, and
 * everything that came along is closed. Must not wait, and must not believe anything but what the
 * kernel says of the sender.
 */
#include "notify_socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "errmsg.h"
#include "logger.h"
#include "memory.h"
#include "notify_socket_inside.h"
#include "sys.h"

#define SCM_MAX_FD       253 /* the kernel's most for one message */
#define LOOK_SEC         0.1
#define TELL_INTERVAL_MS 10000

#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(SCM_MAX_FD * sizeof(int)))

/* --- reading --- */

/* Who sent it; pid 0: a process that cannot be named here, one of another pid namespace. */
static struct ucred sender_of(struct msghdr *header)
{
	struct ucred sender = {.pid = 0};
	struct cmsghdr *item;

	for (item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
		if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_CREDENTIALS &&
			item->cmsg_len == CMSG_LEN(sizeof(sender)))
			memcpy(&sender, CMSG_DATA(item), sizeof(sender));
	}
	return sender;
}

/* A TCP socket that lingers would let its last close(2) wait for the peer, and with it us. */
static void close_passed(int fd)
{
	const struct linger none = {0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void close_all_passed(struct msghdr *header)
{
	struct cmsghdr *item;
	size_t at;
	int fd;

	for (item = CMSG_FIRSTHDR(header); item; item = CMSG_NXTHDR(header, item)) {
		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		for (at = CMSG_LEN(0); at + sizeof(fd) <= item->cmsg_len; at += sizeof(fd)) {
			memcpy(&fd, (char *)item + at, sizeof(fd));
			close_passed(fd);
		}
	}
}

static void say_ignored(struct notify_socket *notify, const struct ucred *sender, const char *why)
{
	char more[64] = "";
	uint64_t others;

	if (!rate_limit_pass(&notify->telling, sys_now_ms(), &others))
		return;
	if (others > 0)
		snprintf(more, sizeof(more), "; %" PRIu64 " more since the last such line", others);
	log_warning(NULL, "%s: a notification of pid %ld (user %ld) is ignored: %s%s",
		notify->address, (long)sender->pid, (long)sender->uid, why, more);
}

static void take_message(
	struct notify_socket *notify, struct msghdr *header, const char *bytes, size_t length)
{
	const struct ucred sender = sender_of(header);
	struct notify_message message;

	if (sender.pid <= 0) {
		say_ignored(notify, &sender, "its process is unknown here");
		return;
	}
	if (header->msg_flags & MSG_TRUNC) {
		/* the rest of a cut line could mean something else */
		say_ignored(notify, &sender, "it is too long");
		return;
	}
	notify_message_read(&message, bytes, length);
	notify->message(notify->context, sender.pid, sender.uid, &message);
}

/* One datagram; false: none is there. */
static bool read_one(struct notify_socket *notify)
{
	char bytes[NOTIFY_MESSAGE_MAX_BYTES];
	union {
		struct cmsghdr aligned;
		char bytes[CONTROL_BYTES];
	} control;
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(notify->readable.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length < 0)
		return false;
	take_message(notify, &header, bytes, (size_t)length);
	close_all_passed(&header); /* which is what a barrier waits for */
	return true;
}

void notify_socket_read(struct notify_socket *notify)
{
	int i;

	for (i = 0; i < NOTIFY_SOCKET_TURN_MESSAGES && read_one(notify); i++)
		;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct notify_socket *notify = watcher->data;

	if (events & EV_ERROR) {
		ev_timer_set(&notify->look, LOOK_SEC, 0);
		ev_timer_start(loop, &notify->look);
		return;
	}
	notify_socket_read(notify);
}

/* It could not be watched (no memory for one more): a look now and then, until it can. */
static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct notify_socket *notify = timer->data;

	(void)events;
	ev_io_start(loop, &notify->readable);
	notify_socket_read(notify);
}

/* --- opening --- */

/* Where workers can reach it: the file by an address that is long enough, or by an abstract one. */
static bool wants_file(const struct notify_socket_settings *settings)
{
	return !settings->abstract &&
	       strlen(settings->path) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static void watch(struct notify_socket *notify, struct ev_loop *loop,
	const struct notify_socket_settings *settings, int fd)
{
	notify->loop = loop;
	notify->message = settings->message;
	notify->context = settings->context;
	notify->telling.interval_ms = TELL_INTERVAL_MS;
	ev_io_init(&notify->readable, on_readable, fd, EV_READ);
	/* what a worker said before its end is heard before its end is seen */
	ev_set_priority(&notify->readable, EV_MAXPRI);
	ev_init(&notify->look, on_look);
	notify->readable.data = notify->look.data = notify;
	ev_io_start(loop, &notify->readable);
}

static int open_unwatched(struct notify_socket *notify,
	const struct notify_socket_settings *settings, struct errmsg *err)
{
	const int on = 1;
	int result, saved, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errmsg_errno(err, "cannot make a socket for notifications");
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		result = errmsg_errno(err, "cannot ask for the senders of notifications");
	else if (wants_file(settings))
		result = notify_socket_bind_file(notify, settings, fd, err);
	else
		result = notify_socket_bind_name(notify, settings, fd, err);
	if (!result)
		return fd;
	saved = errno;
	sys_close(fd);
	errno = saved;
	return -1;
}

int notify_socket_open(struct notify_socket *notify, struct ev_loop *loop,
	const struct notify_socket_settings *settings, struct errmsg *err)
{
	int fd;

	assert(settings->abstract || settings->path[0] == '/');
	*notify = (struct notify_socket){0};
	fd = open_unwatched(notify, settings, err);
	if (fd < 0) {
		*notify = (struct notify_socket){0};
		return -1;
	}
	watch(notify, loop, settings, fd);
	return 0;
}

/* --- taking up --- */

static bool is_ours(int fd, struct sockaddr_un *address, size_t *path_bytes)
{
	socklen_t bytes = sizeof(*address), int_bytes = sizeof(int);
	int type = 0;

	*address = (struct sockaddr_un){0};
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_bytes) || type != SOCK_DGRAM)
		return false;
	if (getsockname(fd, (struct sockaddr *)address, &bytes) || address->sun_family != AF_UNIX)
		return false;
	if (bytes <= offsetof(struct sockaddr_un, sun_path) + 1 || bytes > sizeof(*address))
		return false;
	*path_bytes = bytes - offsetof(struct sockaddr_un, sun_path);
	return true;
}

/* An abstract one knows its name; one with a file was renamed since it was bound. */
static void learn_address(struct notify_socket *notify,
	const struct notify_socket_settings *settings, const struct sockaddr_un *address,
	size_t bytes)
{
	struct stat file;

	if (address->sun_path[0] == '\0') {
		notify->address = memory_format("@%.*s", (int)bytes - 1, address->sun_path + 1);
		return;
	}
	notify->address = memory_copy_string(settings->path);
	if (lstat(settings->path, &file) || !S_ISSOCK(file.st_mode))
		return;
	notify->dev = file.st_dev;
	notify->ino = file.st_ino;
	notify->has_file = true;
}

int notify_socket_take_up(struct notify_socket *notify, struct ev_loop *loop,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err)
{
	const int on = 1;
	struct sockaddr_un address;
	size_t bytes;

	*notify = (struct notify_socket){0};
	if (!is_ours(fd, &address, &bytes) || (address.sun_path[0] && !settings->path)) {
		errno = EINVAL;
		return errmsg_set(err, "descriptor %d is no socket for notifications", fd);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
		return errmsg_errno(err, "cannot take up the socket for notifications");
	learn_address(notify, settings, &address, bytes);
	watch(notify, loop, settings, fd);
	return 0;
}

const char *notify_socket_address(const struct notify_socket *notify)
{
	return notify->address;
}

int notify_socket_fd(const struct notify_socket *notify)
{
	return notify->address ? notify->readable.fd : -1;
}

void notify_socket_close(struct notify_socket *notify)
{
	struct stat file;

	if (!notify->address)
		return;
	ev_io_stop(notify->loop, &notify->readable);
	ev_timer_stop(notify->loop, &notify->look);
	/* before the descriptor is closed, which keeps the inode's number from being used again */
	if (notify->has_file && !lstat(notify->address, &file) && file.st_dev == notify->dev &&
		file.st_ino == notify->ino)
		unlink(notify->address);
	sys_close(notify->readable.fd);
	free(notify->address);
	*notify = (struct notify_socket){0};
}
