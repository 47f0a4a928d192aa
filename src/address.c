/*
 * Addresses by their looks. Names are not looked up, but what can be seen to be wrong is refused
 * with the spelling that would be right. IPv6 addresses are kept in their one canonical form, so
 * that equal addresses compare equal.
 */
#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "errmsg.h"
#include "memory.h"

#define HOST_BYTES_MAX  253
#define LABEL_BYTES_MAX 63
#define PATH_BYTES_MAX  (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define DIGITS          "0123456789"
#define NAME_BYTES      DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

static int parse_unix(struct address *out, const char *path, struct errmsg *err)
{
	bool abstract = path[0] == '@';
	size_t length = strlen(path += abstract);

	if (length == 0)
		return errmsg_set(err, "unix: needs a path, as in unix:/run/app.sock");
	if (length > PATH_BYTES_MAX)
		return errmsg_set(err, "the path of a unix socket has %zu bytes at most, not %zu",
			PATH_BYTES_MAX, length);
	if (!abstract && path[length - 1] == '/')
		return errmsg_set(err, "\"%s\" is a folder, not the path of a socket", path);
	*out = (struct address){
		.kind = abstract ? ADDRESS_ABSTRACT : ADDRESS_UNIX,
		.path = memory_copy_string(path),
	};
	return 0;
}

static int parse_port(int *out, const char *text, struct errmsg *err)
{
	size_t length = strspn(text, DIGITS);
	int port = 0;

	if (length == 0 || text[length])
		return errmsg_set(err, "\"%.80s\" is not a port, a number from 0 to 65535", text);
	for (; *text; text++) {
		port = port * 10 + (*text - '0');
		if (port > 65535)
			return errmsg_set(err, "the port is above 65535");
	}
	*out = port;
	return 0;
}

/* Letters, digits, - and _ in labels between dots; a dot may end it. */
static bool is_host_name(const char *host)
{
	if (!*host || strlen(host) > HOST_BYTES_MAX)
		return false;
	while (*host) {
		size_t length = strspn(host, NAME_BYTES);

		if (length == 0 || length > LABEL_BYTES_MAX)
			return false;
		host += length;
		if (*host == '.')
			host++;
		else if (*host)
			return false;
	}
	return true;
}

/* No name ends in a label of digits alone, so such a host was meant as an IPv4 address. */
static bool looks_like_ipv4(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *label = dot ? dot + 1 : host;

	return *label && !label[strspn(label, DIGITS)];
}

static int check_host(const char *host, struct errmsg *err)
{
	struct in_addr ipv4;

	if (strcmp(host, "*") == 0)
		return errmsg_set(err, "for every address write the port alone, as in :8080");
	if (!is_host_name(host))
		return errmsg_set(err, "\"%.80s\" is not the name or address of a host", host);
	if (looks_like_ipv4(host) && inet_pton(AF_INET, host, &ipv4) != 1)
		return errmsg_set(err, "\"%.80s\" is not an IPv4 address", host);
	return 0;
}

/* HOST:PORT; takes host over, also on failure. */
static int set_host(struct address *out, char *host, const char *port, struct errmsg *err)
{
	struct address address = {.kind = ADDRESS_HOST, .host = host};

	if (parse_port(&address.port, port, err) < 0) {
		free(host);
		return -1;
	}
	*out = address;
	return 0;
}

/* Nothing, or a percent sign and the name or number of an interface. */
static bool is_zone(const char *text, size_t length)
{
	return length == 0 || (length > 1 && strspn(text + 1, NAME_BYTES ".") == length - 1);
}

/* What stands in the brackets, in canonical form, with its %zone; NULL: no IPv6 address. That form
 * may be the longer one (::ffff:ffff is ::255.255.255.255), and must still be read back. */
static char *canonical_ipv6(const char *text, size_t length)
{
	char host[INET6_ADDRSTRLEN];
	size_t zone = strcspn(text, "%]");
	struct in6_addr ipv6;

	if (zone >= sizeof(host) || !is_zone(text + zone, length - zone))
		return NULL;
	memcpy(host, text, zone);
	host[zone] = '\0';
	if (inet_pton(AF_INET6, host, &ipv6) != 1 ||
		!inet_ntop(AF_INET6, &ipv6, host, sizeof(host)) ||
		strlen(host) + length - zone > HOST_BYTES_MAX)
		return NULL;
	return memory_format("%s%.*s", host, (int)(length - zone), text + zone);
}

static int parse_bracketed(struct address *out, const char *text, struct errmsg *err)
{
	size_t length = strcspn(text + 1, "]");
	char *host;

	if (!text[1 + length])
		return errmsg_set(err, "\"%.80s\": the ] is missing", text);
	if (length > HOST_BYTES_MAX || !(host = canonical_ipv6(text + 1, length)))
		return errmsg_set(err, "\"%.80s\": no IPv6 address between the brackets", text);
	if (text[length + 2] != ':') {
		free(host);
		return errmsg_set(err, "\"%.80s\": the port is missing, as in [::1]:8080", text);
	}
	return set_host(out, host, text + length + 3, err);
}

static int parse_host(struct address *out, const char *text, struct errmsg *err)
{
	const char *colon = strrchr(text, ':');
	char host[HOST_BYTES_MAX + 1];
	size_t length = (size_t)(colon - text);

	if (memchr(text, ':', length))
		return errmsg_set(
			err, "\"%.80s\": write IPv6 addresses in brackets, as in [::1]:8080", text);
	if (length >= sizeof(host))
		return errmsg_set(err, "\"%.80s...\" is too long for the name of a host", text);
	memcpy(host, text, length);
	host[length] = '\0';
	if (check_host(host, err) < 0)
		return -1;
	return set_host(out, memory_copy_string(host), colon + 1, err);
}

static int parse_any(struct address *out, const char *port, struct errmsg *err)
{
	struct address address = {.kind = ADDRESS_ANY};

	if (parse_port(&address.port, port, err) < 0)
		return -1;
	*out = address;
	return 0;
}

static int refuse_without_colon(const char *text, struct errmsg *err)
{
	if (!*text)
		return errmsg_set(err, "the address is empty");
	if (!text[strspn(text, DIGITS)])
		return errmsg_set(err, "\"%.80s\": for a port alone write :%.5s", text, text);
	if (strchr(text, '/') || text[0] == '@')
		return errmsg_set(err, "\"%.80s\": for a unix socket write unix:%.80s", text, text);
	return errmsg_set(err, "\"%.80s\": the port is missing, as in HOST:8080", text);
}

int address_parse(struct address *out, const char *text, struct errmsg *err)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(out, text + 5, err);
	if (text[0] == '[')
		return parse_bracketed(out, text, err);
	if (text[0] == ':' && text[1] != ':')
		return parse_any(out, text + 1, err);
	if (!strchr(text, ':') || text[0] == '/')
		return refuse_without_colon(text, err);
	return parse_host(out, text, err);
}

char *address_format(const struct address *address)
{
	switch (address->kind) {
	case ADDRESS_NONE: break;
	case ADDRESS_HOST:
		return memory_format(strchr(address->host, ':') ? "[%s]:%d" : "%s:%d",
			address->host, address->port);
	case ADDRESS_ANY: return memory_format(":%d", address->port);
	case ADDRESS_UNIX: return memory_format("unix:%s", address->path);
	case ADDRESS_ABSTRACT: return memory_format("unix:@%s", address->path);
	}
	return memory_copy_string("");
}

/* Of two that may be NULL. */
static bool same_text(const char *a, const char *b, int (*compare)(const char *, const char *))
{
	return a && b ? compare(a, b) == 0 : a == b;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->kind == b->kind && a->port == b->port &&
	       same_text(a->host, b->host, strcasecmp) && same_text(a->path, b->path, strcmp);
}

void address_free(struct address *address)
{
	free(address->host);
	free(address->path);
	*address = (struct address){0};
}
