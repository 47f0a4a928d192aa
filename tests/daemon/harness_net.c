/*
 * The client side of a test: free ports, connections, one HTTP request at a time. Blocking, with a
 * limit on every read and write, so a test fails rather than hangs.
 */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_LIMIT_MS 20000

static void set_limits(int fd)
{
	struct timeval limit = {.tv_sec = slow_ms(SOCKET_LIMIT_MS) / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Both families: a port that is free for IPv6's any address is free for IPv4's too. */
int free_port(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	struct sockaddr_in address4 = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
		port = ntohs(address.sin6_port);
		close(fd);
		return port;
	}
	if (fd >= 0)
		close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	length = sizeof(address4);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address4, sizeof(address4)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address4, &length), 0);
	close(fd);
	return ntohs(address4.sin_port);
}

static int connect_to(int type, const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	set_limits(fd);
	if (connect(fd, address, length) == 0)
		return fd;
	close(fd);
	return -1;
}

int port_connect(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return connect_to(SOCK_STREAM, (struct sockaddr *)&address, sizeof(address));
}

int port6_connect(int port)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	return connect_to(SOCK_STREAM, (struct sockaddr *)&address, sizeof(address));
}

int unix_connect(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	ck_assert_uint_lt(length, sizeof(address.sun_path));
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	return connect_to(type, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

const char *http_exchange(int fd, const char *path)
{
	static char answer[65536];
	char request[512];
	size_t length = 0;
	ssize_t got = -1;

	if (fd < 0)
		return NULL;
	int size = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);

	if (send(fd, request, (size_t)size, MSG_NOSIGNAL) == size) {
		while (length < sizeof(answer) - 1 &&
			(got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0)
			length += (size_t)got;
	}
	close(fd);
	answer[length] = '\0';
	char *body = strstr(answer, "\r\n\r\n");

	return got == 0 && body ? body + 4 : NULL;
}

const char *http_get(int port, const char *path)
{
	return http_exchange(port_connect(port), path);
}
