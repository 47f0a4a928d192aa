#ifndef PREFORKD_LISTENER_PARTS_H
#define PREFORKD_LISTENER_PARTS_H
/*
 * What listener.c is made of: the families of addresses. Nobody else includes this. `where` is the
 * address as the user wrote it, for reasons. Floor 1.
 */
#include <limits.h>
#include <sys/socket.h>

#include "listener.h"

/* listener_inet.c: ADDRESS_HOST and ADDRESS_ANY. */
/* Binds (does not listen): the descriptor, or -1 with the reason. */
int listener_inet_bind(
	const struct listener_settings *settings, const char *where, struct errmsg *err);
/* Is it bound to (one of) these addresses? */
bool listener_inet_matches(int fd, const struct listener_settings *settings);
/* "host:port" or "port", with the port that the kernel chose where it is 0. malloced. */
char *listener_inet_port_text(int fd, const struct address *address);

/* listener_unix.c: ADDRESS_UNIX and ADDRESS_ABSTRACT. */
/* Binds and listens, and tells in `listener` what file it made. 0, or -1 with the reason. */
int listener_unix_bind(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err);
bool listener_unix_matches(int fd, const struct address *address);
/* Mode and owner of the file that is ours. */
int listener_unix_set_file(const struct listener *listener,
	const struct listener_settings *settings, struct errmsg *err);
/* Removes the file if it is still ours; before the descriptor is closed, which keeps the inode's
 * number from being given to another file. */
void listener_unix_unlink(const struct listener *listener);

/* The kernel cuts every backlog to net.core.somaxconn, so the most there can be asks for that. */
static inline int listener_listen(int fd, const struct listener_settings *settings)
{
	if (settings->type == SOCK_DGRAM)
		return 0;
	return listen(fd, settings->backlog < 0 ? INT_MAX : settings->backlog);
}

#endif
