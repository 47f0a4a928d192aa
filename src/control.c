/*
 * The control socket itself, and who may sit down at it.
 * Silent clients make room for new ones, and without descriptors the reserve's are used, so whoever
 * asks at once is answered at once. What is asked for is not this module's business.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "control_inside.h"
#include "errmsg.h"
#include "logger.h"
#include "memory.h"

#define ACCEPTS_A_TURN   100
#define ACCEPT_AGAIN_SEC 0.05
#define PATIENCE_SEC     0.1 /* with a silent client, when there are no descriptors */
#define LOG_INTERVAL_MS  60000
#define MS_PER_SEC       1000

/* --- who may sit down --- */

static int64_t now_ms(const struct control *control)
{
	return (int64_t)(ev_now(control->loop) * MS_PER_SEC);
}

/* Who keeps us waiting longest: for its request, else for reading its answer. */
static struct control_client *find_idlest(const struct control *control)
{
	struct control_client *client, *leaving = NULL;

	for (client = control->first; client; client = client->next) {
		if (client->state == CLIENT_ASKING && !client->channel)
			return client;
		if (client->state == CLIENT_LEAVING && !leaving && !client->channel)
			leaving = client;
	}
	return leaving;
}

static void send_away(struct control_client *client)
{
	if (client->state == CLIENT_ASKING)
		control_client_refuse(client, EX_TEMPFAIL, "too many clients");
	else
		control_client_doom(client);
}

/* There are more than fit: the idlest goes, which may be the new one. */
static void make_room(struct control *control)
{
	struct control_client *client = find_idlest(control);
	uint64_t held_back;

	if (client)
		send_away(client);
	if (rate_limit_pass(&control->refused_log, now_ms(control), &held_back))
		log_warning(NULL, "control: more than %d clients at a time; some are refused",
			CONTROL_CLIENTS_MAX);
}

static void pause_accepting(struct control *control)
{
	ev_io_stop(control->loop, &control->acceptor);
	ev_timer_set(&control->accept_again, ACCEPT_AGAIN_SEC, 0.);
	ev_timer_start(control->loop, &control->accept_again);
}

/* accept() failed. May it be tried again at once? */
static bool recover(struct control *control, int error)
{
	uint64_t held_back;

	if (error == EAGAIN)
		return false;
	if (error == ECONNABORTED || error == EINTR)
		return true;
	if (rate_limit_pass(&control->failed_log, now_ms(control), &held_back))
		log_warning(NULL, "control: cannot accept clients: %s%s", strerror(error),
			error == EMFILE ? "; raise the limit of open files (LimitNOFILE, ulimit -n)"
					: "");
	if ((error == EMFILE || error == ENFILE) && control_reserve_take(&control->reserve))
		return true;
	pause_accepting(control);
	return false;
}

static void on_client(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct control *control = watcher->data;
	struct control_client *client;
	int fd;

	(void)loop;
	/* It could not be watched (no memory for one more): again in a moment. */
	if (events & EV_ERROR) {
		pause_accepting(control);
		return;
	}
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		fd = accept4(control->bound.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && recover(control, errno))
			continue;
		if (fd < 0)
			return;
		client = control_client_new(control, fd, false);
		if (client && control->seats > CONTROL_CLIENTS_MAX)
			make_room(control);
	}
}

static void on_accept_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct control *control = timer->data;
	struct control_client *idlest = find_idlest(control);

	(void)events;
	control_reserve_refill(&control->reserve);
	if (control->reserve.fd[0] < 0 && idlest && ev_now(loop) - idlest->came_at > PATIENCE_SEC)
		send_away(idlest);
	ev_timer_stop(loop, &control->accept_again);
	ev_io_start(loop, &control->acceptor);
}

/* --- its life --- */

struct control *control_open(
	struct ev_loop *loop, const struct control_settings *settings, struct errmsg *err)
{
	struct control *control = memory_alloc(sizeof(*control));
	int saved;

	control->loop = loop;
	control->settings = *settings;
	control->settings.path = memory_copy_string(settings->path);
	control->refused_log.interval_ms = control->failed_log.interval_ms = LOG_INTERVAL_MS;
	control->bound.fd = -1;
	if (settings->path && settings->take_up)
		control_bound_take_up(&control->bound, settings->path, settings->bound_fd);
	else if (settings->path && control_bind(&control->bound, settings, err) < 0) {
		saved = errno;
		free((char *)control->settings.path);
		free(control);
		errno = saved;
		return NULL;
	}
	control_reserve_open(&control->reserve);
	ev_io_init(&control->acceptor, on_client, control->bound.fd, EV_READ);
	ev_timer_init(&control->accept_again, on_accept_again, 0., 0.);
	control->acceptor.data = control->accept_again.data = control;
	if (settings->path)
		ev_io_start(loop, &control->acceptor);
	return control;
}

void control_close(struct control *control)
{
	struct control_client *client, *next;

	if (!control)
		return;
	ev_io_stop(control->loop, &control->acceptor);
	for (client = control->first; client; client = next) {
		next = client->next;
		control_client_flush(client);
		control_client_free(client);
	}
	ev_timer_stop(control->loop, &control->accept_again);
	control_reserve_close(&control->reserve);
	if (control->settings.path) {
		control_unbind(&control->bound, control->settings.path);
		close(control->bound.fd);
	}
	free((char *)control->settings.path);
	free(control);
}

struct control_client *control_add_channel(struct control *control, int fd,
	void (*ended)(void *context), void *context, struct errmsg *err)
{
	struct control_client *client;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		errmsg_errno(err, "channel");
		close(fd);
		return NULL;
	}
	client = control_client_new(control, fd, true);
	if (!client) {
		errmsg_set(err, "channel: no memory");
		return NULL;
	}
	client->ended = ended;
	client->context = context;
	return client;
}

int control_listening_fd(const struct control *control)
{
	return control->settings.path ? control->bound.fd : -1;
}

const char *control_path_of(const struct control *control)
{
	return control->settings.path;
}

size_t control_streaming_fds(const struct control *control, int *fd, size_t most)
{
	struct control_client *client;
	size_t count = 0;

	for (client = control->first; client && count < most; client = client->next) {
		if (client->state != CLIENT_STREAMING || client->channel)
			continue;
		control_client_flush(client);
		if (client->state == CLIENT_STREAMING && control_queue_waiting(&client->queue) == 0)
			fd[count++] = client->fd;
	}
	return count;
}

void control_take_up_stream(struct control *control, int fd)
{
	struct control_client *client;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	client = control_client_new(control, fd, false);
	if (!client)
		return;
	client->state = CLIENT_STREAMING;
	client->streaming = true;
	control->streams++;
	control_client_time(client, -1.);
	control_client_watch(client);
}

void control_event(struct control *control, const char *json, size_t bytes)
{
	for (struct control_client *client = control->first; client; client = client->next)
		control_client_tell(client, json, bytes);
}

void control_event_lost(struct control *control)
{
	for (struct control_client *client = control->first; client; client = client->next)
		control_client_lose(client);
}

bool control_streaming(const struct control *control)
{
	return control->streams > 0;
}
