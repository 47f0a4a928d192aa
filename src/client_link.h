#ifndef PREFORKD_CLIENT_LINK_H
#define PREFORKD_CLIENT_LINK_H
/* One connection to a supervisor: a request goes out, lines come in. Blocks. Floor 3. */
#include <stddef.h>

struct client_places;
struct errmsg;

struct client_link {
	int fd;           /* -1: closed */
	const char *path; /* borrowed from the places */
	char *bytes;      /* what has come; owned */
	size_t size, begin, end;
};

enum client_read { CLIENT_LINE, CLIENT_END, CLIENT_FAILED };

/* Connects to the first place where somebody answers, or to the one found before. The exit status,
 * with what was tried unless 0. */
int client_link_open(struct client_link *link, struct client_places *places, struct errmsg *err);
/* Sends a request. A refusal may have come instead of its being read, so there is nothing to fail
 * here: what comes back tells. */
void client_link_ask(struct client_link *link, char *const word[]);
/* The next line, without its newline, valid until the next call. With limit_sec > 0 it fails when
 * nothing comes for so long. CLIENT_FAILED: with the reason. */
enum client_read client_link_read(
	struct client_link *link, char **line, int limit_sec, struct errmsg *err);
/* A pidfd of the supervisor, or -1 when it cannot be had. */
int client_link_pidfd(const struct client_link *link);
void client_link_close(struct client_link *link);

#endif
