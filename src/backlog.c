/*
 * The queue of a listening socket. TCP tells it in TCP_INFO, unix sockets by sock_diag(7), which
 * answers within the call that asks, so nothing here waits. It only looks: accepting is the
 * workers' business, and their descriptors share our open file description.
 */
#include "backlog.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES 512 /* an answer has some 60 */
#define MAX_ANSWERS  8   /* so many late ones of earlier questions are passed over */

static const struct backlog_count unknown = {BACKLOG_UNKNOWN, BACKLOG_UNKNOWN};

struct question {
	struct nlmsghdr header;
	struct unix_diag_req request;
};

union answer {
	struct nlmsghdr header; /* for its alignment */
	char bytes[ANSWER_BYTES];
};

void backlog_open(struct backlog_reader *reader)
{
	*reader = (struct backlog_reader){.fd = -1};
}

void backlog_close(struct backlog_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
}

static int integer_option(int fd, int option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

static struct backlog_count of_tcp(int fd)
{
	struct tcp_info info = {0};
	socklen_t bytes = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) < 0 ||
		info.tcpi_state != TCP_LISTEN)
		return unknown;
	return (struct backlog_count){(int)info.tcpi_unacked, (int)info.tcpi_sacked};
}

static struct backlog_count of_readable(int fd)
{
	struct pollfd one = {.fd = fd, .events = POLLIN};

	if (poll(&one, 1, 0) < 0 || one.revents & POLLNVAL)
		return unknown;
	return (struct backlog_count){(one.revents & POLLIN) != 0, BACKLOG_UNKNOWN};
}

static bool ask(struct backlog_reader *reader, ino_t inode)
{
	struct question question = {
		.header = {.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = ++reader->sequence},
		.request = {.sdiag_family = AF_UNIX,
			.udiag_states = UINT32_MAX,
			.udiag_ino = (uint32_t)inode,
			.udiag_show = UDIAG_SHOW_RQLEN,
			.udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};

	return send(reader->fd, &question, sizeof(question), MSG_DONTWAIT) ==
	       (ssize_t)sizeof(question);
}

static struct backlog_count queue_in(const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	size_t left = NLMSG_PAYLOAD(header, NLMSG_ALIGN(sizeof(*message)));
	const struct rtattr *attribute =
		(const struct rtattr *)((const char *)message + NLMSG_ALIGN(sizeof(*message)));
	struct unix_diag_rqlen queue;

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
		return unknown;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type != UNIX_DIAG_RQLEN ||
			RTA_PAYLOAD(attribute) < sizeof(queue))
			continue;
		memcpy(&queue, RTA_DATA(attribute), sizeof(queue));
		return (struct backlog_count){(int)queue.udiag_rqueue, (int)queue.udiag_wqueue};
	}
	return unknown;
}

static struct backlog_count answered(struct backlog_reader *reader)
{
	union answer answer;

	for (int i = 0; i < MAX_ANSWERS; i++) {
		const ssize_t got = recv(reader->fd, &answer, sizeof(answer), MSG_DONTWAIT);

		if (got < 0 || !NLMSG_OK(&answer.header, (size_t)got))
			return unknown;
		if (answer.header.nlmsg_seq == reader->sequence)
			return queue_in(&answer.header);
	}
	return unknown;
}

static struct backlog_count of_unix(struct backlog_reader *reader, int fd)
{
	struct stat status;

	if (integer_option(fd, SO_ACCEPTCONN) != 1)
		return of_readable(fd);
	if (reader->fd < 0)
		reader->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (reader->fd < 0 || fstat(fd, &status) < 0 || !ask(reader, status.st_ino))
		return unknown;
	return answered(reader);
}

static struct backlog_count of_any(struct backlog_reader *reader, int fd)
{
	const int domain = integer_option(fd, SO_DOMAIN);

	if (domain < 0)
		return unknown;
	if (integer_option(fd, SO_TYPE) == SOCK_DGRAM)
		return of_readable(fd);
	if (domain == AF_UNIX)
		return of_unix(reader, fd);
	if (integer_option(fd, SO_PROTOCOL) == IPPROTO_TCP)
		return of_tcp(fd);
	return unknown;
}

struct backlog_count backlog_read(struct backlog_reader *reader, int socket_fd)
{
	const int saved = errno;
	const struct backlog_count count = of_any(reader, socket_fd);

	errno = saved;
	return count;
}

bool backlog_any(int socket_fd)
{
	const int saved = errno;
	const struct backlog_count count = of_readable(socket_fd);

	errno = saved;
	return count.waiting > 0;
}
