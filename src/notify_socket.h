#ifndef PREFORKD_NOTIFY_SOCKET_H
#define PREFORKD_NOTIFY_SOCKET_H
/*
 * The socket that workers send notifications to (NOTIFY_SOCKET, sd_notify(3)). The kernel vouches
 * for who sent each; whose worker that is, the owner of the socket decides. Whatever is sent here,
 * by whomever, costs at most a line of log: long ones, ones from nobody that can be named and
 * descriptors are dropped, and a flood gets its share of each turn of the loop only. Floor 1.
 */
#include <ev.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify_message.h"
#include "rate_limit.h"

struct errmsg;

#define NOTIFY_SOCKET_TURN_MESSAGES 64 /* read at once; the rest in the loop's next turns */

/* pid and uid of the sender at the time of sending: it may have ended since. Must not close the
 * socket. */
typedef void notify_socket_message(
	void *context, pid_t pid, uid_t uid, const struct notify_message *message);

struct notify_socket_settings {
	/* Where the socket's file is made, absolute; its folder must be one in which only we make
	 * files. Not needed for an abstract one. */
	const char *path;
	/* An abstract name instead, which nobody can guess (and take first) but everybody can see:
	 * for workers under another root. Also used when `path` does not fit into an address. */
	bool abstract;
	/* The address of an abstract one that adopted workers were told, "@name", to have it again;
	 * NULL: a new one. When it is taken, a new one with a warning. */
	const char *again;
	/* Owner of the file; -1: left as it is. Everybody may send, as to systemd's: who is a
	 * worker shows by the credentials, and a reload may change the workers' user. */
	uid_t uid;
	gid_t gid;
	notify_socket_message *message;
	void *context;
};

/* A zeroed one is closed. Must not move while it is open. */
struct notify_socket {
	struct ev_loop *loop;
	ev_io readable; /* fd is ours */
	ev_timer look;  /* while it cannot be watched */
	char *address;  /* owned; NULL: closed */
	bool has_file;  /* and then these are its file's: only our own is removed */
	dev_t dev;
	ino_t ino;
	notify_socket_message *message;
	void *context;
	struct rate_limit telling;
};

/* Makes the socket and its file, over the one that an earlier supervisor left; anything there that
 * is no socket is refused (EEXIST). All of the settings are copied. 0, or -1 with the reason. */
int notify_socket_open(struct notify_socket *notify, struct ev_loop *loop,
	const struct notify_socket_settings *settings, struct errmsg *err);
/* The same with an open socket that was made so before an exec of ourselves, with what waits in it.
 * On failure the descriptor stays the caller's. */
int notify_socket_take_up(struct notify_socket *notify, struct ev_loop *loop,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err);
/* What workers are told as NOTIFY_SOCKET: a path, or @name. */
const char *notify_socket_address(const struct notify_socket *notify);
/* To hand it over an exec; -1: closed. */
int notify_socket_fd(const struct notify_socket *notify);
/* Reads what is there now, a turn's share, without waiting for the loop. */
void notify_socket_read(struct notify_socket *notify);
/* Removes the file if it is still ours. What waits unread is lost. */
void notify_socket_close(struct notify_socket *notify);

#endif
