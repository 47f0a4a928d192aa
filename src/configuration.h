#ifndef PREFORKD_CONFIGURATION_H
#define PREFORKD_CONFIGURATION_H
/*
 * A configuration in force: its settings and the sockets that were bound for it. Whoever lives by
 * it (the supervisor, a generation of workers) holds it; a reload makes the next one beside it,
 * which shares the sockets that stay. Floor 2.
 */
#include "socket_table.h"

struct errmsg;
struct settings;

struct configuration {
	int references;
	struct settings *settings; /* owned */
	struct socket_table sockets;
};

/* Binds what the settings name, or takes it from the previous configuration (NULL: there is none)
 * or from what was passed in. Takes the settings over; on failure, NULL with the reason and errno,
 * they stay the caller's. The caller holds the result. */
struct configuration *configuration_open(struct settings *settings,
	const struct configuration *previous, struct passed_sockets *passed, struct errmsg *err);
struct configuration *configuration_hold(struct configuration *configuration);
/* The last one to let go closes what nobody shares. NULL is fine. */
void configuration_release(struct configuration *configuration);

#endif
