#ifndef PREFORKD_CONTROL_BIND_H
#define PREFORKD_CONTROL_BIND_H
/* The listening socket and its file. Floor 1. */
#include <sys/types.h>

struct control_settings;
struct errmsg;

struct control_bound {
	int fd;    /* listening, non-blocking, CLOEXEC */
	dev_t dev; /* of the file */
	ino_t ino;
};

/* -1 with the reason and errno, and nothing is left behind. The caller closes fd. */
int control_bind(
	struct control_bound *bound, const struct control_settings *settings, struct errmsg *err);
/* The same with a socket that was bound there by ourselves. */
void control_bound_take_up(struct control_bound *bound, const char *path, int fd);
/* Removes the file, if it is still the one that was made. */
void control_unbind(const struct control_bound *bound, const char *path);

#endif
