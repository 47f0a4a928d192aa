/*
 * TCP and UDP sockets. A name is looked up here, once; the first of its addresses that this machine
 * has is taken, and which one is said in the log when there are several.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errmsg.h"
#include "listener_parts.h"
#include "logger.h"
#include "memory.h"

#define MAX_ADDRESSES     8
#define DEFER_ACCEPT_SECS 1 /* a client that sends nothing is handed on after the first retry */
#define FIRST_FREE_PORT   1024

union inet_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_bytes(const union inet_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

static int port_of(const union inet_address *address)
{
	return ntohs(
		address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

/* The same host; the port is another question. */
static bool same_host(const union inet_address *a, const union inet_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET6)
		return !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr));
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

/* Every address: one socket of IPv6 serves both families, one of IPv4 where there is no IPv6. */
static int every_address(union inet_address found[], const struct listener_settings *settings)
{
	in_port_t port = htons((in_port_t)settings->listen.port);

	memset(found, 0, 2 * sizeof(*found));
	found[0].v6.sin6_family = AF_INET6;
	found[0].v6.sin6_port = port;
	found[1].v4.sin_family = AF_INET;
	found[1].v4.sin_port = port;
	return settings->v6only ? 1 : 2;
}

static int add_address(union inet_address found[], int count, const struct addrinfo *info)
{
	int i;

	if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
		return count;
	if (info->ai_addrlen > sizeof(found[count]))
		return count;
	memset(&found[count], 0, sizeof(found[count]));
	memcpy(&found[count], info->ai_addr, info->ai_addrlen);
	for (i = 0; i < count; i++) {
		if (same_host(&found[i], &found[count]))
			return count;
	}
	return count + 1;
}

static int look_up(union inet_address found[], const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
		.ai_socktype = settings->type == SOCK_DGRAM ? SOCK_DGRAM : SOCK_STREAM,
	};
	struct addrinfo *list, *info;
	char port[16];
	int count = 0;
	int error;

	snprintf(port, sizeof(port), "%d", settings->listen.port);
	error = getaddrinfo(settings->listen.host, port, &hints, &list);
	if (error == EAI_SYSTEM)
		return errmsg_errno(err, "cannot look up %s", where);
	errno = EADDRNOTAVAIL;
	if (error)
		return errmsg_set(err, "cannot look up %s: %s", where, gai_strerror(error));
	for (info = list; info && count < MAX_ADDRESSES; info = info->ai_next)
		count = add_address(found, count, info);
	freeaddrinfo(list);
	errno = EADDRNOTAVAIL;
	return count ? count : errmsg_set(err, "%s has no internet address", where);
}

/* Fills found[] with the addresses to try in their order: how many, or -1 with the reason. */
static int resolve(union inet_address found[], const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	if (settings->listen.kind == ADDRESS_ANY)
		return every_address(found, settings);
	return look_up(found, settings, where, err);
}

static int set_on(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int set_options(int fd, int family, const struct listener_settings *settings)
{
	bool stream = settings->type == SOCK_STREAM;

	/* restarting must not wait for old connections; with UDP it would let two share a port */
	if (stream && set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return -1;
	if (settings->reuse_port && set_on(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return -1;
	if (family == AF_INET6 && set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, settings->v6only))
		return -1;
	if (stream && settings->defer_accept &&
		set_on(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_ACCEPT_SECS))
		return -1;
	if (stream && settings->nodelay && set_on(fd, IPPROTO_TCP, TCP_NODELAY, 1))
		return -1;
	return 0;
}

/* A descriptor, or -1 with errno. */
static int bind_one(const union inet_address *address, const struct listener_settings *settings)
{
	int family = address->any.sa_family;
	int fd = socket(family, settings->type | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (!set_options(fd, family, settings) && !bind(fd, &address->any, address_bytes(address)))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool is_not_of_this_machine(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static void tell_which(const union inet_address *address, const char *where, int count)
{
	static const struct log_subject nothing = LOG_SUBJECT_NONE;
	char text[INET6_ADDRSTRLEN] = "";
	const void *bytes = &address->v4.sin_addr;

	if (address->any.sa_family == AF_INET6)
		bytes = &address->v6.sin6_addr;
	inet_ntop(address->any.sa_family, bytes, text, sizeof(text));
	log_notice(&nothing, "%s: the name has %d addresses, this listens on %s only", where, count,
		text);
}

int listener_inet_bind(
	const struct listener_settings *settings, const char *where, struct errmsg *err)
{
	union inet_address found[MAX_ADDRESSES] = {0};
	int count = resolve(found, settings, where, err);
	int fd = -1;
	int i;

	if (count < 0)
		return -1;
	for (i = 0; i < count; i++) {
		fd = bind_one(&found[i], settings);
		if (fd >= 0 || !is_not_of_this_machine(errno))
			break;
	}
	if (fd >= 0 && count > 1 && settings->listen.kind == ADDRESS_HOST)
		tell_which(&found[i], where, count);
	if (fd >= 0)
		return fd;
	if (errno == EACCES && settings->listen.port < FIRST_FREE_PORT)
		return errmsg_errno(err,
			"cannot bind %s (ports below %d need root or CAP_NET_BIND_SERVICE)", where,
			FIRST_FREE_PORT);
	return errmsg_errno(err, "cannot bind %s", where);
}

/* false: not an internet socket. */
static bool own_address(int fd, union inet_address *own)
{
	socklen_t bytes = sizeof(*own);

	memset(own, 0, sizeof(*own));
	if (getsockname(fd, &own->any, &bytes))
		return false;
	return own->any.sa_family == AF_INET || own->any.sa_family == AF_INET6;
}

bool listener_inet_matches(int fd, const struct listener_settings *settings)
{
	union inet_address found[MAX_ADDRESSES];
	union inet_address own;
	int count, i;

	if (!own_address(fd, &own))
		return false;
	if (settings->listen.port && settings->listen.port != port_of(&own))
		return false;
	count = resolve(found, settings, "", NULL);
	for (i = 0; i < count; i++) {
		if (same_host(&found[i], &own))
			return true;
	}
	return false;
}

char *listener_inet_port_text(int fd, const struct address *address)
{
	union inet_address own;
	int port = address->port;

	if (port == 0 && own_address(fd, &own))
		port = port_of(&own);
	if (address->kind == ADDRESS_ANY)
		return memory_format("%d", port);
	if (strchr(address->host, ':'))
		return memory_format("[%s]:%d", address->host, port);
	return memory_format("%s:%d", address->host, port);
}
