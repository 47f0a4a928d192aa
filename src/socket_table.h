#ifndef PREFORKD_SOCKET_TABLE_H
#define PREFORKD_SOCKET_TABLE_H
/*
 * The sockets of a configuration, bound, by the names of their sections. The tables of two
 * configurations share a socket that stays the same; it is closed with the last of them. Floor 2.
 */
#include <stdbool.h>
#include <stddef.h>

#include "listener.h"

struct errmsg;
struct settings;
struct socket_entry;

struct socket_table {
	const struct settings *settings; /* borrowed */
	struct socket_entry **entry;     /* owned; counted */
	size_t count;
};

/* Binds every socket of the settings, or takes the one of the previous table (may be NULL) that is
 * the same, or the one passed in under its name (passed may be NULL). All or nothing: on failure
 * (-1 with the reason and errno) what was bound is closed again. A new address that overlaps one of
 * the previous table fails: it could be bound only after that one was closed. */
int socket_table_open(struct socket_table *table, const struct settings *settings,
	const struct socket_table *previous, struct passed_sockets *passed, struct errmsg *err);
/* Makes backlog, mode and owner of the shared ones what this table's settings say. What cannot be
 * changed is logged. */
void socket_table_apply(const struct socket_table *table);
/* Listens again where a worker has shut a socket down, which ended it for all. Logged. */
void socket_table_revive(const struct socket_table *table);
/* The files of its sockets stay when it is closed: somebody else still serves on them. */
void socket_table_leave(struct socket_table *table);
void socket_table_close(struct socket_table *table);
/* So many connections were seen to wait at the socket; the most that ever were. */
int socket_table_saw(const struct socket_table *table, const char *name, int waiting);
/* NULL: no such socket. */
const struct listener *socket_table_find(const struct socket_table *table, const char *name);

#endif
