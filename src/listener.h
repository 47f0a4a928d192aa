#ifndef PREFORKD_LISTENER_H
#define PREFORKD_LISTENER_H
/*
 * A socket that the supervisor binds (or is passed by systemd) and workers inherit: blocking,
 * CLOEXEC here. A stale unix socket is replaced after a connect test, a live one is refused; the
 * file is unlinked at the end only if it is still ours. Floor 1.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "address.h"

struct errmsg;

struct listener_settings {
	struct address listen;
	int type;    /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	int backlog; /* -1: net.core.somaxconn of the running kernel */
	mode_t mode; /* of a unix socket's file, exactly */
	uid_t uid;   /* owner of that file; -1: leave */
	gid_t gid;
	bool reuse_port, v6only, defer_accept, nodelay;
};

struct listener {
	int fd;     /* -1: closed */
	char *path; /* of a unix socket's file that we made; owned */
	dev_t dev;  /* what we made, so that only our own is unlinked */
	ino_t ino;
	bool passed;     /* came from systemd: never unlinked */
	char *port_text; /* "127.0.0.1:8080" or the path: the key of SERVER_STARTER_PORT; owned */
};

/* One that an earlier supervisor opened, and what it knew of it. */
struct listener_past {
	int fd;
	bool known;   /* it is one of those, not only passed */
	bool refused; /* it could not be taken up */
	bool passed;
	char *path; /* of a unix socket's file that was made, with its dev and ino; or NULL; owned
		     */
	dev_t dev;
	ino_t ino;
};

/* Binds and listens, or takes `passed_fd` (>= 0) after verifying its kind. -1 with the reason; the
 * passed descriptor stays the caller's then. */
int listener_open(struct listener *listener, const struct listener_settings *settings,
	int passed_fd, struct errmsg *err);
/* Is it one of this kind and address that listens? false with the reason. */
bool listener_is(int fd, const struct listener_settings *settings, struct errmsg *err);
/* Takes one over after verifying that it is what the settings say, its file with it. -1 with the
 * reason; the descriptor stays the caller's then. */
int listener_take_up(struct listener *listener, const struct listener_settings *settings,
	const struct listener_past *past, struct errmsg *err);
/* At a reload: backlog, and mode and owner of the file, become what `settings` say; the rest of
 * these must be as it was. */
int listener_change(
	struct listener *listener, const struct listener_settings *settings, struct errmsg *err);
/* Nobody can connect: one of those who share it has shut it down. listener_change() ends that. Not
 * told of unix sockets, which cannot be had back. */
bool listener_is_deaf(const struct listener *listener);
void listener_close(struct listener *listener);

/* The sockets that systemd passed to us (sd_listen_fds(3)), those that it stored for us among them
 * (stored_name.h tells them apart). Read once at start, then taken out of
 * the environment; descriptors are made CLOEXEC. */
struct passed_sockets {
	int count;
	int *fd;     /* -1 once taken */
	char **name; /* owned */
	/* Those of an earlier supervisor, whose descriptors may also be among the passed ones. */
	int past_count;
	struct listener_past *past; /* fd -1 once taken; owned */
	char **past_name;           /* owned */
};
void passed_sockets_read(struct passed_sockets *passed);
/* The descriptor passed under this name, now the caller's, or -1. */
int passed_sockets_take(struct passed_sockets *passed, const char *name);
/* Adds one of an earlier supervisor; it and its path are owned from here on. One without a
 * descriptor (-1) tells of a passed one that it was ours. */
void passed_sockets_add_past(
	struct passed_sockets *passed, const char *name, const struct listener_past *past);
bool passed_sockets_has_past(const struct passed_sockets *passed, const char *name);
/* The one of this name, now the caller's with its path; false: there is none. */
bool passed_sockets_take_past(
	struct passed_sockets *passed, const char *name, struct listener_past *past);
/* The files of those of an earlier supervisor stay when they are closed. */
void passed_sockets_leave(struct passed_sockets *passed);
/* Closes what nobody took, and removes the files of those that were ours; returns how many of the
 * passed ones, without those that an earlier supervisor had stored. */
int passed_sockets_free(struct passed_sockets *passed);

#endif
