#ifndef PREFORKD_ADDRESS_H
#define PREFORKD_ADDRESS_H
/*
 * Where a socket listens, as text and as parts: HOST:PORT, [V6]:PORT, :PORT, unix:PATH,
 * unix:@ABSTRACT. Host names are not looked up here. Floor 0.
 */
#include <stdbool.h>

struct errmsg;

enum address_kind {
	ADDRESS_NONE,
	ADDRESS_HOST,     /* host and port; host may be a name, an IPv4 or an IPv6 address */
	ADDRESS_ANY,      /* port alone: every address of both families */
	ADDRESS_UNIX,     /* path */
	ADDRESS_ABSTRACT, /* path, without the @ */
};

struct address {
	enum address_kind kind;
	char *host; /* owned; without brackets */
	int port;   /* 0 to 65535; 0 lets the kernel choose */
	char *path; /* owned; at most 107 bytes */
};

/* On failure *out is untouched; on success what it owned before is not freed. IPv6 addresses come
 * out in canonical form. */
int address_parse(struct address *out, const char *text, struct errmsg *err);
/* The text that parses back to the same. malloced. */
char *address_format(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
void address_free(struct address *address);

#endif
