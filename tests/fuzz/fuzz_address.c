/*
 * Any text as an address: what is accepted keeps its bounds, is written as a text that means the
 * same and is written the same again, and equals itself; what is refused leaves all as it was.
 */
#include "address.h"

#include <arpa/inet.h>

#include "must.h"

#define HOST_BYTES_MAX 253
#define PATH_BYTES_MAX 107

static void check_host(const char *host)
{
	static const char name_bytes[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	char ipv6[INET6_ADDRSTRLEN];
	size_t length = strlen(host), zone = strcspn(host, "%");
	struct in6_addr bytes;

	must(length > 0 && length <= HOST_BYTES_MAX);
	if (!strchr(host, ':')) {
		must(host[0] != '.' && !host[strspn(host, name_bytes)] && !strstr(host, ".."));
		return;
	}
	must(zone < sizeof(ipv6) && (!host[zone] || host[zone + 1]));
	memcpy(ipv6, host, zone);
	ipv6[zone] = '\0';
	must(inet_pton(AF_INET6, ipv6, &bytes) == 1);
	must(!host[zone] || !host[zone + 1 + strspn(host + zone + 1, name_bytes)]);
}

static void check_parts(const struct address *address)
{
	bool has_host = address->kind == ADDRESS_HOST;
	bool has_path = address->kind == ADDRESS_UNIX || address->kind == ADDRESS_ABSTRACT;

	must(has_host || has_path || address->kind == ADDRESS_ANY);
	must((address->host != NULL) == has_host && (address->path != NULL) == has_path);
	must(address->port >= 0 && address->port <= 65535 && (!has_path || address->port == 0));
	if (has_host)
		check_host(address->host);
	if (has_path)
		must(address->path[0] && strlen(address->path) <= PATH_BYTES_MAX);
	if (address->kind == ADDRESS_UNIX)
		must(address->path[0] != '@' && address->path[strlen(address->path) - 1] != '/');
}

static void check_round_trip(const struct address *address)
{
	char *text = address_format(address), *again;
	struct address copy;

	must(address_parse(&copy, text, NULL) == 0);
	must(copy.kind == address->kind && copy.port == address->port);
	must(!copy.host || strcmp(copy.host, address->host) == 0);
	must(!copy.path || strcmp(copy.path, address->path) == 0);
	must(address_equal(address, &copy) && address_equal(&copy, address));
	again = address_format(&copy);
	must(strcmp(text, again) == 0);
	copy.port ^= 1;
	must(!address_equal(address, &copy));
	address_free(&copy);
	must(copy.kind == ADDRESS_NONE && !copy.host && !copy.path);
	free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct address untouched = {.kind = ADDRESS_NONE, .port = 4711};
	struct address address = untouched;
	struct errmsg err = {""};
	char *text = text_of(data, size);

	if (address_parse(&address, text, &err) == 0) {
		check_parts(&address);
		check_round_trip(&address);
		address_free(&address);
	} else {
		must_be_reason(&err);
		must(address.kind == ADDRESS_NONE && address.port == 4711);
		must(!address.host && !address.path);
	}
	free(text);
	return 0;
}
