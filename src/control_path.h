#ifndef PREFORKD_CONTROL_PATH_H
#define PREFORKD_CONTROL_PATH_H
/* A unix socket's path as an address, however long its folder's name is. Floor 1. */
#include <sys/un.h>

struct errmsg;

struct control_path {
	struct sockaddr_un address; /* good while dir_fd is open */
	int dir_fd;                 /* of its folder (O_PATH); -1: closed */
	const char *name;           /* in it; points into the path */
};

/* path outlives it. -1 with the reason and errno, and nothing is open. */
int control_path_open(struct control_path *where, const char *path, struct errmsg *err);
void control_path_close(struct control_path *where);

#endif
