/*
 * Lines of JSON between clients and workers. Rule: whatever waits, waits until a deadline. A line
 * that is not whole is none.
 */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* --- addresses --- */

static socklen_t place_unix(const char *path, union place *place)
{
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(place->local.sun_path))
		return 0;
	place->local.sun_family = AF_UNIX;
	memcpy(place->local.sun_path, path, length);
	if (path[0] == '@')
		place->local.sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@'));
}

static socklen_t place_inet(const char *host, in_port_t port, union place *place)
{
	if (inet_pton(AF_INET, host, &place->v4.sin_addr) == 1) {
		place->v4.sin_family = AF_INET;
		place->v4.sin_port = port;
		return sizeof(place->v4);
	}
	if (inet_pton(AF_INET6, host, &place->v6.sin6_addr) == 1) {
		place->v6.sin6_family = AF_INET6;
		place->v6.sin6_port = port;
		return sizeof(place->v6);
	}
	return 0;
}

/* How long it is; 0: this is no address. */
static socklen_t place_parse(const char *address, union place *place)
{
	const char *colon = strrchr(address, ':');
	char host[INET6_ADDRSTRLEN + 2], *end;
	size_t length = colon ? (size_t)(colon - address) : 0;
	bool is_bracketed = length > 2 && address[0] == '[' && address[length - 1] == ']';
	long port;

	memset(place, 0, sizeof(*place));
	if (strncmp(address, "unix:", 5) == 0)
		return place_unix(address + 5, place);
	if (length == 0 || length >= sizeof(host))
		return 0;
	port = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port < 0 || port > 65535)
		return 0;
	length -= 2 * is_bracketed;
	memcpy(host, address + is_bracketed, length);
	host[length] = '\0';
	return place_inet(host, htons((in_port_t)port), place);
}

static int place_socket(const char *address, union place *place, socklen_t *size)
{
	*size = place_parse(address, place);
	if (*size == 0) {
		errno = EINVAL;
		return -1;
	}
	return socket(place->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int close_failed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

int wire_listen(const char *address)
{
	union place place;
	socklen_t size;
	int yes = 1, fd = place_socket(address, &place, &size);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &place.any, size) < 0 || listen(fd, SOMAXCONN) < 0)
		return close_failed(fd);
	return fd;
}

int wire_connect(const char *address)
{
	struct timeval limit = {.tv_sec = WIRE_LIMIT_MS / 1000};
	union place place;
	socklen_t size;
	int fd = place_socket(address, &place, &size);

	if (fd < 0)
		return -1;
	/* It limits connect(2), too. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, &place.any, size) < 0)
		return close_failed(fd);
	return fd;
}

/* --- lines --- */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool wait_for(int fd, short events, long long until_ms)
{
	struct pollfd one = {.fd = fd, .events = events};
	long long left = until_ms - now_ms();
	int count;

	do
		count = left > 0 ? poll(&one, 1, (int)left) : 0;
	while (count < 0 && errno == EINTR && (left = until_ms - now_ms()) > 0);
	return count > 0;
}

/* Bytes received; -1: nothing more will come. */
static ssize_t receive(int fd, char *to, size_t room, long long until_ms)
{
	ssize_t got;

	while (wait_for(fd, POLLIN, until_ms)) {
		got = recv(fd, to, room, MSG_DONTWAIT);
		if (got > 0)
			return got;
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			return -1;
	}
	return -1;
}

char *wire_read(int fd, int limit_ms, size_t *length)
{
	long long until_ms = now_ms() + limit_ms;
	size_t room = 4096, used = 0;
	char *line = malloc(room), *larger;
	ssize_t got;

	while (line && (got = receive(fd, line + used, room - used, until_ms)) > 0) {
		used += (size_t)got;
		if (line[used - 1] == '\n') {
			*length = used - 1;
			return line;
		}
		if (used < room)
			continue;
		larger = room < WIRE_LINE_MAX ? realloc(line, room *= 2) : NULL;
		if (!larger)
			break;
		line = larger;
	}
	free(line);
	return NULL;
}

static bool write_all(int fd, const char *text, size_t length, int limit_ms)
{
	long long until_ms = now_ms() + limit_ms;
	ssize_t sent;

	while (length > 0) {
		sent = send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (sent < 0 && !wait_for(fd, POLLOUT, until_ms))
			return false;
		text += sent > 0 ? sent : 0;
		length -= sent > 0 ? (size_t)sent : 0;
	}
	return true;
}

bool wire_write(int fd, json_t *message, int limit_ms)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t length = text ? strlen(text) : 0;
	bool done = false;

	json_decref(message);
	if (text && length < WIRE_LINE_MAX) {
		text[length] = '\n'; /* in the place of its NUL */
		done = write_all(fd, text, length + 1, limit_ms);
	}
	free(text);
	return done;
}

/* --- asking --- */

/* The first that takes the connection. */
static int connect_any(const char *servers)
{
	char *list = strdup(servers), *rest = list, *server;
	int fd = -1;

	while (fd < 0 && list && (server = strsep(&rest, " ")))
		if (*server)
			fd = wire_connect(server);
	free(list);
	return fd;
}

static json_t *answer_understand(char *line, size_t length, const char **problem)
{
	json_t *answer = line ? json_loadb(line, length, JSON_ALLOW_NUL, NULL) : NULL;
	json_t *result = json_incref(json_object_get(answer, "result"));

	free(line);
	if (!result)
		*problem = answer ? "another worker could not do it" : "there was no answer";
	json_decref(answer);
	return result;
}

json_t *wire_request(const char *servers, const char *function, json_t *args, const char **problem)
{
	json_t *question = json_pack("{s:s, s:o}", "function", function, "args", args);
	int fd = connect_any(servers);
	char *line = NULL;
	size_t length = 0;

	if (fd < 0) {
		json_decref(question);
		*problem = "no server takes a request";
		return NULL;
	}
	if (wire_write(fd, question, WIRE_LIMIT_MS))
		line = wire_read(fd, WIRE_LIMIT_MS, &length);
	close(fd);
	return answer_understand(line, length, problem);
}
