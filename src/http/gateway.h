#ifndef PREFORKD_HTTP_GATEWAY_H
#define PREFORKD_HTTP_GATEWAY_H
/*
 * The gateway: visitors on one side, the channel to the supervisor on the other, one thread between
 * them. It lives as long as the channel.
 */
#include "feed.h"
#include "live.h"
#include "visit.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define GATEWAY_CONNECTIONS_MAX 256 /* beyond them, the kernel's queue */

struct errmsg;

struct gateway {
	struct feed feed;
	struct live live;
	struct visit *visits;
	struct MHD_Daemon *daemon;
	int library_fd;        /* readable when the library has something to do; the library's */
	int64_t now_ms;        /* of the turn */
	int64_t hurried_at_ms; /* slow visitors were looked for */
};

/* Takes both descriptors. listen_fd -1: visitors are added by hand (MHD_add_connection()). */
int gateway_init(struct gateway *gateway, int channel_fd, int listen_fd, struct errmsg *err);
void gateway_fini(struct gateway *gateway);
/* Waits for something to happen, `most_ms` at most, and does it; false: the channel has ended. */
bool gateway_turn(struct gateway *gateway, int most_ms);

#endif
