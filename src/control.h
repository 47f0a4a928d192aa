#ifndef PREFORKD_CONTROL_H
#define PREFORKD_CONTROL_H
/*
 * The control socket: a unix stream socket on which each client sends one request line of words and
 * gets one JSON document, then end of file; `events` streams one JSON object a line instead. Slow,
 * silent, greedy and garbage clients harm nobody: a bounded number of clients, bounded queues, a
 * time limit for the request and for a reader that does not read. What a verb does is the
 * handler's business. Floor 1.
 *
 * A channel is an inherited socketpair of a process of ours (the HTTP gateway): it stays open,
 * knows reading verbs only (others are refused here), and gets one line for each request, in order;
 * after `events`, event lines (which begin with {"event":) come between the answers.
 *
 * Whoever streams gets {"event":"streaming"} first: what happens from then on, it is told. For a
 * channel, too, that is what comes for `events`; there is no other answer to it.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control_line.h"

struct errmsg;
struct control;
struct control_client;

/* Beyond them: a polite refusal, of the one that keeps us waiting for its request longest, if there
 * is such a one; so silent clients never keep others out. */
#define CONTROL_CLIENTS_MAX 64
#define CONTROL_STREAMS_MAX 32 /* of these; more are refused */
#define CONTROL_QUEUE_BYTES                                                                        \
	1048576 /* of events that wait for one reader; beyond: dropped, counted */

struct control_request {
	char *word[CONTROL_WORDS_MAX + 1]; /* ended by NULL; printable, never empty */
	int words;                         /* 1 at least */
	bool read_only;                    /* from a channel: the handler refuses what changes */
	pid_t pid;                         /* of the peer, with its user; of a channel: -1 */
	uid_t uid;
};

/* Must call control_answer() or control_stream() once, now or later; the client lives until then
 * unless `gone` (below) says that it left. */
typedef void control_handler(
	void *context, struct control_client *client, const struct control_request *request);

struct control_settings {
	/* Of the socket; copied. Its folder is ours (runtime_dir) or trusted. NULL: channels only.
	 */
	const char *path;
	mode_t mode;
	gid_t group; /* -1: ours */
	control_handler *handle;
	/* It left before it was answered; from now on it is no client. Never called from within
	 * `handle` or a function of this module. */
	void (*gone)(void *context, struct control_client *client);
	void *context;
	bool take_up; /* the socket was bound before an exec of ourselves: this is it */
	int bound_fd;
};

/* Binds under a umask (never open wider than `mode`, not for a moment), replacing a stale file.
 * NULL with the reason and errno. */
struct control *control_open(
	struct ev_loop *loop, const struct control_settings *settings, struct errmsg *err);
/* Answers waiting are written as far as they go without waiting; the file is removed if it is ours.
 * Nobody is told of clients and channels that end so, and none is one any more. */
void control_close(struct control *control);
/* Takes a connected stream socket as a channel; closes it at its end. `ended` (may be NULL) is told
 * then. */
struct control_client *control_add_channel(struct control *control, int fd,
	void (*ended)(void *context), void *context, struct errmsg *err);

/* What goes over an exec of ourselves: the listening socket (-1: none), and up to `most` clients to
 * whom events go and who have been told all so far; how many. */
int control_listening_fd(const struct control *control);
const char *control_path_of(const struct control *control); /* NULL: none */
size_t control_streaming_fds(const struct control *control, int *fd, size_t most);
/* One of those: it streams on. */
void control_take_up_stream(struct control *control, int fd);

/* One JSON document (compact, without a newline in it; copied). */
void control_answer(struct control_client *client, const char *json, size_t bytes);
/* From now on the client gets every event. */
void control_stream(struct control_client *client);
/* {"event":...} to all who stream; one that lost some gets {"event":"dropped","count":N} first. */
void control_event(struct control *control, const char *json, size_t bytes);
/* One that there was no memory for: it is counted as dropped. */
void control_event_lost(struct control *control);
/* Is anybody listening? Saves making events for nobody. */
bool control_streaming(const struct control *control);

#endif
