#ifndef PREFORKD_CONTROL_INSIDE_H
#define PREFORKD_CONTROL_INSIDE_H
/*
 * What control.c (who may sit down), control_client.c (what one says) and control_reply.c (what one
 * is told) share. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "control_bind.h"
#include "control_queue.h"
#include "control_reserve.h"
#include "rate_limit.h"

struct control {
	struct ev_loop *loop;
	struct control_settings settings; /* path: owned */
	struct control_bound bound;
	ev_io acceptor;
	ev_timer accept_again; /* while we cannot */
	struct control_reserve reserve;
	struct control_client *first, *last; /* in the order in which they came; owned */
	int seats; /* taken: by all but channels and those that are gone */
	int streams;
	struct rate_limit refused_log, failed_log;
};

enum client_state {
	CLIENT_ASKING,    /* its request is expected */
	CLIENT_WAITING,   /* the handler has it */
	CLIENT_STREAMING, /* gets events for as long as it likes */
	CLIENT_LEAVING,   /* its last bytes are on their way */
	CLIENT_GONE,      /* freed at the next turn: callers up the stack may still know it */
};

struct control_client {
	struct control *control;
	struct control_client *next, *previous;
	enum client_state state;
	int fd;
	ev_io reader, writer;
	ev_timer timer;
	ev_tstamp came_at;
	pid_t pid;
	uid_t uid;
	bool half_closed; /* it will send no more, but may still read */
	bool unanswered;  /* the handler has its request */
	bool streaming;

	bool channel;
	void (*ended)(void *context);
	void *context;

	struct control_line line;
	size_t rubbish; /* bytes that came behind the request */
	struct control_queue queue;
	uint64_t dropped; /* events that it was not told of yet */
};

/* --- control_client.c */
/* Takes the descriptor. NULL: no memory; the descriptor is closed. */
struct control_client *control_client_new(struct control *control, int fd, bool channel);
void control_client_free(struct control_client *client);

/* --- control_reply.c */
/* Answers instead of the handler, and is done with it (a channel goes on). `error` is ours, and
 * needs no escapes. */
void control_client_refuse(struct control_client *client, int exit_status, const char *error);
/* Leaves at the next turn. */
void control_client_doom(struct control_client *client);
/* One event more for it, if it streams. */
void control_client_tell(struct control_client *client, const char *json, size_t bytes);
/* One that it cannot be told. */
void control_client_lose(struct control_client *client);
/* And how many it lost, once there is room again for more than just that. */
void control_client_tell_dropped(struct control_client *client);
/* Writes what goes without waiting. */
void control_client_flush(struct control_client *client);
/* Does it read so little that nothing more may be made for it? */
bool control_client_full(const struct control_client *client);
/* Watches for what its state makes possible: after every change of it. */
void control_client_watch(struct control_client *client);
/* Its timer comes after so long; negative: never. */
void control_client_time(struct control_client *client, ev_tstamp after_sec);
#endif
