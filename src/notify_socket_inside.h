#ifndef PREFORKD_NOTIFY_SOCKET_INSIDE_H
#define PREFORKD_NOTIFY_SOCKET_INSIDE_H
/*
 * What notify_socket.c is made of. Nobody else includes this. Floor 1.
 */
#include "notify_socket.h"

/* Each binds the socket and tells its address (and file) in `notify`; 0, or -1 with the reason. */
int notify_socket_bind_file(struct notify_socket *notify,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err);
int notify_socket_bind_name(struct notify_socket *notify,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err);

#endif
