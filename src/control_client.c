/*
 * One client of the control socket: its request comes in, within its time and its room, and its
 * life ends. Whatever goes wrong ends this client alone. What goes out to it is control_reply.c's.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "control_inside.h"
#include "control_verbs.h"
#include "errmsg.h"
#include "logger.h"

#define REQUEST_SEC 5. /* for the whole request, so that one byte a second gains nothing */
#define DRAIN_BYTES 4096
#define RUBBISH_MAX 65536 /* bytes behind the request that are passed over */

/* --- reading --- */

static void log_request(
	const struct control_client *client, const struct control_request *request, bool reads_only)
{
	char text[CONTROL_LINE_MAX + 1] = "";
	size_t length = 0;

	for (int i = 0; i < request->words; i++)
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, " %s", request->word[i]);
	logger_write(reads_only ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE, NULL,
		"control: pid %ld of user %ld asks:%s", (long)client->pid, (long)client->uid, text);
}

static void ask(struct control_client *client, char *text, size_t length)
{
	const struct control_settings *settings = &client->control->settings;
	struct control_request request = {
		.read_only = client->channel, .pid = client->pid, .uid = client->uid};
	struct errmsg err;
	bool reads_only;

	request.words = control_line_split(text, length, request.word, &err);
	if (request.words < 0) {
		control_client_refuse(client, EX_USAGE, err.text);
		return;
	}
	reads_only = control_verb_reads_only(request.word[0]);
	if (client->channel && !reads_only) {
		control_client_refuse(client, EX_NOPERM, "only verbs that read are allowed here");
		return;
	}
	log_request(client, &request, reads_only);
	client->state = CLIENT_WAITING;
	client->unanswered = true;
	control_client_time(client, -1.);
	control_client_watch(client);
	settings->handle(settings->context, client, &request);
}

/* What has come so far: the request of a client, all that a channel asks. */
static void work_through(struct control_client *client)
{
	char text[CONTROL_LINE_MAX];
	size_t length;

	while (client->state == CLIENT_ASKING &&
		!(client->channel && control_client_full(client)) &&
		control_line_take(&client->line, text, &length))
		ask(client, text, length);
	if (client->state != CLIENT_ASKING || !control_line_overflown(&client->line))
		return;
	control_client_refuse(client, EX_USAGE, "the request is too long");
	if (client->channel)
		control_client_doom(client);
}

/* Closed for good, and not only for writing? */
static bool hung_up(const struct control_client *client)
{
	struct pollfd at = {.fd = client->fd};

	return poll(&at, 1, 0) > 0 && (at.revents & (POLLHUP | POLLERR));
}

static void end_of_input(struct control_client *client)
{
	client->half_closed = true;
	if (client->channel || hung_up(client) ||
		(client->state == CLIENT_ASKING && client->line.length == 0)) {
		log_debug(NULL, "control: pid %ld has hung up", (long)client->pid);
		control_client_doom(client);
	} else if (client->state == CLIENT_ASKING) {
		control_client_refuse(client, EX_USAGE, "the request ends in mid-line");
	}
	control_client_watch(client);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control_client *client = watcher->data;
	struct control_line *line = &client->line;
	bool asking = client->state == CLIENT_ASKING;
	char drain[DRAIN_BYTES]; /* what comes behind the request: nobody asked for it */
	ssize_t bytes;

	(void)loop;
	(void)events;
	if (asking)
		bytes = recv(client->fd, line->bytes + line->length,
			sizeof(line->bytes) - line->length, MSG_DONTWAIT);
	else
		bytes = recv(client->fd, drain, sizeof(drain), MSG_DONTWAIT);
	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		end_of_input(client);
	} else if (asking) {
		line->length += (size_t)bytes;
		work_through(client);
	} else if ((client->rubbish += (size_t)bytes) > RUBBISH_MAX) {
		log_debug(NULL, "control: pid %ld goes on and on; hung up", (long)client->pid);
		control_client_doom(client);
	}
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control_client *client = watcher->data;

	(void)loop;
	(void)events;
	control_client_flush(client);
	if (client->state == CLIENT_GONE)
		return;
	if (client->streaming)
		control_client_tell_dropped(client);
	if (client->channel)
		work_through(client);
	control_client_watch(client);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct control_client *client = timer->data;
	const struct control_settings *settings = &client->control->settings;

	(void)loop;
	(void)events;
	switch (client->state) {
	case CLIENT_ASKING:
		if (client->channel)
			work_through(client);
		else
			control_client_refuse(client, EX_USAGE, "no request came within 5 seconds");
		return;
	case CLIENT_LEAVING:
		log_debug(NULL, "control: pid %ld does not read its answer", (long)client->pid);
		control_client_doom(client);
		return;
	case CLIENT_GONE:
		if (client->unanswered)
			settings->gone(settings->context, client);
		if (client->channel)
			if (client->ended)
				client->ended(client->context);
		control_client_free(client);
		return;
	case CLIENT_WAITING:
	case CLIENT_STREAMING: return;
	}
}

/* --- its life --- */

static void find_peer(struct control_client *client)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	client->pid = -1;
	client->uid = (uid_t)-1;
	if (client->channel || getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return;
	client->pid = peer.pid;
	client->uid = peer.uid;
}

static void append(struct control *control, struct control_client *client)
{
	client->previous = control->last;
	if (control->last)
		control->last->next = client;
	else
		control->first = client;
	control->last = client;
}

struct control_client *control_client_new(struct control *control, int fd, bool channel)
{
	struct control_client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return NULL;
	}
	client->control = control;
	client->fd = fd;
	client->channel = channel;
	client->came_at = ev_now(control->loop);
	find_peer(client);
	ev_io_init(&client->reader, on_readable, fd, EV_READ);
	ev_io_init(&client->writer, on_writable, fd, EV_WRITE);
	ev_timer_init(&client->timer, on_time, 0., 0.);
	client->reader.data = client->writer.data = client->timer.data = client;
	append(control, client);
	control->seats += !channel;
	control_client_time(client, channel ? -1. : REQUEST_SEC);
	control_client_watch(client);
	return client;
}

static void unlink_client(struct control *control, struct control_client *client)
{
	if (client->previous)
		client->previous->next = client->next;
	else
		control->first = client->next;
	if (client->next)
		client->next->previous = client->previous;
	else
		control->last = client->previous;
}

void control_client_free(struct control_client *client)
{
	struct control *control = client->control;
	char drain[DRAIN_BYTES];

	control_client_doom(client);
	ev_timer_stop(control->loop, &client->timer);
	unlink_client(control, client);
	/* With something unread in it, closing would tell the client of an error. */
	while (!client->channel &&
		recv(client->fd, drain, sizeof(drain), MSG_DONTWAIT) == DRAIN_BYTES)
		;
	close(client->fd);
	control_reserve_refill(&control->reserve);
	if (ev_is_active(&control->accept_again))
		ev_feed_event(control->loop, &control->accept_again, EV_TIMER);
	control_queue_free(&client->queue);
	free(client);
}
