/*
 * What goes out to one client of the control socket: its answer or the events, within their time
 * and room. Nothing here waits. The handler may be on the stack, so a client that is done is never
 * freed here: its timer does that, at the next turn.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "control_inside.h"
#include "logger.h"

#define ANSWER_SEC 10. /* for reading the whole answer */
#define STREAMING  "{\"event\":\"streaming\"}"

/* --- what is watched for follows from the state alone --- */

bool control_client_full(const struct control_client *client)
{
	return control_queue_waiting(&client->queue) > CONTROL_QUEUE_BYTES;
}

static bool wants_to_read(const struct control_client *client)
{
	if (client->half_closed || client->state == CLIENT_GONE)
		return false;
	/* A channel asks one thing after another, and nothing while it does not read. */
	return !client->channel || (client->state == CLIENT_ASKING && !control_client_full(client));
}

static bool wants_to_write(const struct control_client *client)
{
	return client->state != CLIENT_GONE && control_queue_waiting(&client->queue) > 0;
}

static void set_watcher(struct ev_loop *loop, ev_io *watcher, bool wanted)
{
	if (wanted)
		ev_io_start(loop, watcher);
	else
		ev_io_stop(loop, watcher);
}

void control_client_watch(struct control_client *client)
{
	set_watcher(client->control->loop, &client->reader, wants_to_read(client));
	set_watcher(client->control->loop, &client->writer, wants_to_write(client));
}

void control_client_time(struct control_client *client, ev_tstamp after_sec)
{
	struct ev_loop *loop = client->control->loop;

	ev_timer_stop(loop, &client->timer);
	if (after_sec < 0.)
		return;
	ev_timer_set(&client->timer, after_sec, 0.);
	ev_timer_start(loop, &client->timer);
}

void control_client_doom(struct control_client *client)
{
	if (client->state == CLIENT_GONE)
		return;
	client->control->seats -= !client->channel;
	client->control->streams -= client->streaming;
	client->streaming = false;
	client->state = CLIENT_GONE;
	control_client_time(client, 0.);
	control_client_watch(client);
}

/* --- writing --- */

void control_client_flush(struct control_client *client)
{
	struct control_queue *queue = &client->queue;
	ssize_t sent = 0;

	while (client->state != CLIENT_GONE && control_queue_waiting(queue) > 0 && sent >= 0) {
		sent = send(client->fd, queue->bytes + queue->begin, control_queue_waiting(queue),
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			control_queue_take(queue, (size_t)sent);
	}
	if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
		control_client_doom(client);
	if (client->state == CLIENT_LEAVING && control_queue_waiting(queue) == 0)
		control_client_doom(client);
	control_client_watch(client);
}

static bool add_line(struct control_client *client, const char *json, size_t bytes)
{
	if (control_queue_add(&client->queue, json, bytes))
		return true;
	log_warning(NULL, "control: no memory for an answer of %zu bytes; hung up", bytes);
	control_client_doom(client);
	return false;
}

/* Its request is done with: a client leaves, a channel may ask the next. */
static void finish(struct control_client *client, const char *json, size_t bytes)
{
	client->unanswered = false;
	if (!add_line(client, json, bytes))
		return;
	client->state = client->channel ? CLIENT_ASKING : CLIENT_LEAVING;
	control_client_time(client, client->channel ? 0. : ANSWER_SEC);
	control_client_flush(client);
}

void control_client_refuse(struct control_client *client, int exit_status, const char *error)
{
	char json[256];
	int length = snprintf(json, sizeof(json),
		"{\"ok\":false,\"error\":\"%s\",\"exit_status\":%d}", error, exit_status);

	assert((size_t)length < sizeof(json));
	log_debug(NULL, "control: pid %ld is refused: %s", (long)client->pid, error);
	finish(client, json, (size_t)length);
}

void control_answer(struct control_client *client, const char *json, size_t bytes)
{
	if (client->state == CLIENT_GONE) {
		client->unanswered = false;
		return;
	}
	assert(client->state == CLIENT_WAITING);
	finish(client, json, bytes);
}

void control_stream(struct control_client *client)
{
	struct control *control = client->control;

	client->unanswered = false;
	if (client->state == CLIENT_GONE)
		return;
	assert(client->state == CLIENT_WAITING);
	if (!client->channel && control->streams >= CONTROL_STREAMS_MAX) {
		control_client_refuse(
			client, EX_TEMPFAIL, "too many clients follow the events already");
		return;
	}
	control->streams += !client->streaming;
	client->streaming = true;
	client->state = client->channel ? CLIENT_ASKING : CLIENT_STREAMING;
	control_client_time(client, client->channel ? 0. : -1.);
	if (add_line(client, STREAMING, strlen(STREAMING)))
		control_client_flush(client);
}

void control_client_tell_dropped(struct control_client *client)
{
	char json[64];
	int length;

	if (client->dropped == 0 || control_queue_waiting(&client->queue) > CONTROL_QUEUE_BYTES / 2)
		return;
	length = snprintf(json, sizeof(json), "{\"event\":\"dropped\",\"count\":%" PRIu64 "}",
		client->dropped);
	if (control_queue_add(&client->queue, json, (size_t)length))
		client->dropped = 0;
}

/* No memory for it: whoever may wait for just this one must not wait for ever. */
static void add_event(struct control_client *client, const char *json, size_t bytes)
{
	if (control_queue_add(&client->queue, json, bytes))
		return;
	client->dropped++;
	if (!client->channel)
		control_client_doom(client);
}

void control_client_lose(struct control_client *client)
{
	if (!client->streaming)
		return;
	client->dropped++;
	control_client_tell_dropped(client);
	if (client->dropped > 0 && !client->channel && control_queue_waiting(&client->queue) == 0)
		control_client_doom(client);
	else
		control_client_flush(client);
}

void control_client_tell(struct control_client *client, const char *json, size_t bytes)
{
	bool idle = control_queue_waiting(&client->queue) == 0;

	if (!client->streaming)
		return;
	control_client_tell_dropped(client);
	if (client->dropped > 0 ||
		control_queue_waiting(&client->queue) + bytes >= CONTROL_QUEUE_BYTES)
		client->dropped++;
	else
		add_event(client, json, bytes);
	if (idle && client->streaming)
		control_client_flush(client);
}
