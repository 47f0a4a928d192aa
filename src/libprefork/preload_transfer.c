/*
 * Receiving and sending on the connections: a connection whose response is complete waits for the
 * next request, and is busy again before the data are taken. Rule: what the program sees is what
 * the call itself would have given, errno too. Descriptors that are no connections of ours pass
 * through after a look into a table.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload_fds.h"
#include "preload_group.h"
#include "preload_real.h"

/* These take nothing, or something else than data. */
#define FLAGS_ASIDE (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)
#define AHEAD_BYTES 16

/*
 * Between two requests: waits for data as the call would (it blocks or not, times out, is
 * interrupted and cancelled alike), says busy, and only then lets the call take them. False: the
 * call shall return *result instead. To leave when asked to is to find the connection closed: the
 * client may send its request again, since nothing of it was taken.
 */
static bool may_receive(int connection, int fd, int flags, ssize_t *result)
{
	char ahead[AHEAD_BYTES];

	if (connection < 0 || (flags & FLAGS_ASIDE) || !group_is_between(connection))
		return true;
	*result = REAL(recv)(fd, ahead, sizeof(ahead), MSG_PEEK | (flags & MSG_DONTWAIT));
	if (*result <= 0)
		return false;
	if (group_is_rest(connection, ahead, (size_t)*result))
		return true;
	*result = 0;
	return group_resume(connection);
}

static ssize_t received(int connection, int fd, int flags, const void *data, ssize_t bytes)
{
	if (connection >= 0 && bytes >= 0 && !(flags & FLAGS_ASIDE))
		group_received(connection, fd, data, (size_t)bytes);
	return bytes;
}

static ssize_t received_parts(int connection, int fd, const struct iovec *parts, ssize_t bytes)
{
	size_t first;

	if (connection < 0 || bytes < 0)
		return bytes;
	while (bytes > 0 && parts->iov_len == 0)
		parts++;
	first = (size_t)bytes < parts->iov_len ? (size_t)bytes : parts->iov_len;
	group_received(connection, fd, parts->iov_base, first);
	return bytes;
}

static ssize_t sent(int connection, const void *data, ssize_t bytes)
{
	if (connection >= 0 && bytes > 0)
		group_sent(connection, data, (size_t)bytes);
	return bytes;
}

static ssize_t sent_parts(int connection, const struct iovec *parts, ssize_t bytes)
{
	size_t left = bytes > 0 ? (size_t)bytes : 0, part;

	for (; connection >= 0 && left > 0; parts++, left -= part) {
		part = left < parts->iov_len ? left : parts->iov_len;
		if (part > 0)
			group_sent(connection, parts->iov_base, part);
	}
	return bytes;
}

/* --- receiving --- */

#define RECEIVE(flags, call)                                                                       \
	int connection = fds_connection(fd);                                                       \
	ssize_t result;                                                                            \
	if (!may_receive(connection, fd, flags, &result))                                          \
		return result;                                                                     \
	return received(connection, fd, flags, data, call)

STAND_BEFORE(ssize_t, read, int fd, void *data, size_t bytes)
{
	RECEIVE(0, REAL(read)(fd, data, bytes));
}

STAND_BEFORE(ssize_t, __read_chk, int fd, void *data, size_t bytes, size_t room)
{
	RECEIVE(0, REAL(__read_chk)(fd, data, bytes, room));
}

STAND_BEFORE(ssize_t, recv, int fd, void *data, size_t bytes, int flags)
{
	RECEIVE(flags, REAL(recv)(fd, data, bytes, flags));
}

STAND_BEFORE(ssize_t, __recv_chk, int fd, void *data, size_t bytes, size_t room, int flags)
{
	RECEIVE(flags, REAL(__recv_chk)(fd, data, bytes, room, flags));
}

STAND_BEFORE(ssize_t, recvfrom, int fd, void *data, size_t bytes, int flags,
	struct sockaddr *address, socklen_t *length)
{
	RECEIVE(flags, REAL(recvfrom)(fd, data, bytes, flags, address, length));
}

STAND_BEFORE(ssize_t, __recvfrom_chk, int fd, void *data, size_t bytes, size_t room, int flags,
	struct sockaddr *address, socklen_t *length)
{
	RECEIVE(flags, REAL(__recvfrom_chk)(fd, data, bytes, room, flags, address, length));
}

STAND_BEFORE(ssize_t, readv, int fd, const struct iovec *parts, int count)
{
	int connection = fds_connection(fd);
	ssize_t result;

	if (!may_receive(connection, fd, 0, &result))
		return result;
	return received_parts(connection, fd, parts, REAL(readv)(fd, parts, count));
}

STAND_BEFORE(ssize_t, recvmsg, int fd, struct msghdr *message, int flags)
{
	int connection = fds_connection(fd);
	ssize_t result;

	if (!may_receive(connection, fd, flags, &result))
		return result;
	result = REAL(recvmsg)(fd, message, flags);
	return flags & FLAGS_ASIDE ? result
				   : received_parts(connection, fd, message->msg_iov, result);
}

/* --- sending --- */

STAND_BEFORE(ssize_t, write, int fd, const void *data, size_t bytes)
{
	return sent(fds_connection(fd), data, REAL(write)(fd, data, bytes));
}

STAND_BEFORE(ssize_t, send, int fd, const void *data, size_t bytes, int flags)
{
	return sent(fds_connection(fd), data, REAL(send)(fd, data, bytes, flags));
}

STAND_BEFORE(ssize_t, sendto, int fd, const void *data, size_t bytes, int flags,
	const struct sockaddr *address, socklen_t length)
{
	return sent(
		fds_connection(fd), data, REAL(sendto)(fd, data, bytes, flags, address, length));
}

STAND_BEFORE(ssize_t, writev, int fd, const struct iovec *parts, int count)
{
	return sent_parts(fds_connection(fd), parts, REAL(writev)(fd, parts, count));
}

STAND_BEFORE(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
	return sent_parts(fds_connection(fd), message->msg_iov, REAL(sendmsg)(fd, message, flags));
}

STAND_BEFORE(ssize_t, sendfile, int fd, int from, off_t *at, size_t bytes)
{
	return sent(fds_connection(fd), NULL, REAL(sendfile)(fd, from, at, bytes));
}

STAND_BEFORE(ssize_t, sendfile64, int fd, int from, off64_t *at, size_t bytes)
{
	return sent(fds_connection(fd), NULL, REAL(sendfile64)(fd, from, at, bytes));
}

/* A connection that is closed by the other side only may still get its response. A listening socket
 * is everybody's: shut down, it would take no connection in any process, and drop those that wait.
 */
STAND_BEFORE(int, shutdown, int fd, int how)
{
	int connection = fds_connection(fd), result;

	if (fds_shut_listener(fd, how))
		return 0;
	result = REAL(shutdown)(fd, how);
	if (connection >= 0 && how != SHUT_RD)
		group_sent_all(connection);
	return result;
}
