#ifndef PREFORKD_SOCKET_TABLE_H
#define PREFORKD_SOCKET_TABLE_H
/* The sockets of a configuration, bound, by the names of their sections. Floor 2. */
#include <stdbool.h>
#include <stddef.h>

#include "listener.h"

struct errmsg;
struct settings;

struct socket_entry {
	char *name; /* owned */
	struct listener listener;
};

struct socket_table {
	struct socket_entry *entry; /* owned */
	size_t count;
};

/* Binds every socket of the settings, or takes the one passed in under its name. All or nothing:
 * on failure (-1 with the reason and errno) those bound already are closed again. */
int socket_table_open(struct socket_table *table, const struct settings *settings,
	struct passed_sockets *passed, struct errmsg *err);
void socket_table_close(struct socket_table *table);
/* NULL: no such socket. */
const struct listener *socket_table_find(const struct socket_table *table, const char *name);

#endif
