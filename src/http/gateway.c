/*
 * Turns of the gateway: what the channel says, whom it wakes, what visitors ask. Rule: nobody waits
 * inside; who needs a document is suspended until it comes. All limits on visitors are set here or
 * in visit.c. Must not know what a document says.
 */
#include "gateway.h"
#include "errmsg.h"
#include "reply.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define VISITOR_MEMORY_BYTES 16384 /* for a request's head and what goes out; longer heads: 431 */
#define SILENCE_SEC          10
#define HURRY_MS             1000 /* how often slow visitors are looked for */

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- what visitors ask */

static ssize_t read_live(void *context, uint64_t position, char *bytes, size_t size)
{
	struct visit *visit = context;
	struct gateway *gateway = visit->gateway;
	ssize_t length = live_read(&visit->reader, &gateway->live, &gateway->feed, bytes, size);

	(void)position;
	if (length < 0 || visit->left)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (length == 0)
		visit_suspend(visit);
	return length;
}

static enum MHD_Result answer_live(struct visit *visit, bool head)
{
	struct gateway *gateway = visit->gateway;
	struct answer answer;

	if (gateway->live.readers >= LIVE_READERS_MAX) {
		answer = answer_words(503, "too many live readers; ask for /status.json\n");
		return reply_send(visit->connection, &answer);
	}
	if (head) {
		answer = answer_words(200, "");
		answer.type = REPLY_STREAM_TYPE;
		return reply_send(visit->connection, &answer);
	}
	visit_set(visit, VISIT_LIVE, gateway->now_ms);
	live_reader_start(&visit->reader, &gateway->live, &gateway->feed, gateway->now_ms);
	return reply_stream(visit->connection, read_live, visit);
}

static enum MHD_Result answer_visit(struct visit *visit, bool head)
{
	struct gateway *gateway = visit->gateway;
	json_t *document = feed_fresh(&gateway->feed, gateway->now_ms);
	struct answer answer;

	if (route_needs_document(visit->route) && !document && !visit->waited) {
		visit_set(visit, VISIT_WAITING, gateway->now_ms);
		visit_suspend(visit);
		feed_ask(&gateway->feed, gateway->now_ms);
		return MHD_YES;
	}
	visit_set(visit, VISIT_ANSWERING, gateway->now_ms);
	if (visit->route == ROUTE_LIVE)
		return answer_live(visit, head);
	answer = answer_make(visit->route, document, gateway->feed.status);
	return reply_send(visit->connection, &answer);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *coding = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);

	return coding || (length && strcmp(length, "0") != 0);
}

/* The library calls it with the head alone, with each part of a body, and at the end, which is
 * again each time that a suspended request goes on. Bodies are refused at the head. */
static enum MHD_Result take_request(void *context, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_bytes, void **request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct visit *visit = info ? info->socket_context : NULL;
	bool head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	struct answer answer;

	(void)context, (void)version, (void)upload;
	if (!visit)
		return MHD_NO;
	if (*request) {
		*upload_bytes = 0;
		return answer_visit(visit, head);
	}
	*request = visit;
	visit->waited = false;
	visit->route = route_find(path);
	visit_set(visit, VISIT_ANSWERING, visit->gateway->now_ms);
	if (head || strcmp(method, MHD_HTTP_METHOD_GET) == 0) {
		if (!has_body(connection))
			return MHD_YES;
		answer = answer_words(400, "a request has no body here\n");
	} else {
		answer = answer_words(405, "only GET and HEAD\n");
	}
	return reply_send(connection, &answer);
}

static void end_request(void *context, struct MHD_Connection *connection, void **request,
	enum MHD_RequestTerminationCode why)
{
	struct visit *visit = *request;

	(void)context, (void)connection, (void)why;
	*request = NULL;
	if (!visit)
		return;
	if (visit->state == VISIT_LIVE)
		live_reader_stop(&visit->reader, &visit->gateway->live);
	visit_set(visit, VISIT_READING, visit->gateway->now_ms);
}

static void begin_or_end_visit(void *context, struct MHD_Connection *connection, void **place,
	enum MHD_ConnectionNotificationCode what)
{
	struct gateway *gateway = context;
	struct visit *visit = *place;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		visit = visit_new(&gateway->visits, connection, gateway->now_ms);
		if (visit)
			visit->gateway = gateway;
		*place = visit;
	} else if (visit) {
		visit_free(visit);
		*place = NULL;
	}
}

/* --- whom news wake */

static void wake_waiting(struct gateway *gateway, struct visit *visit, bool fresh)
{
	visit->waited = gateway->now_ms - visit->since_ms >= FEED_PATIENCE_MS;
	if (fresh || visit->waited)
		visit_resume(visit);
	else
		feed_ask(&gateway->feed, gateway->now_ms);
}

static void wake_visits(struct gateway *gateway)
{
	bool fresh = feed_fresh(&gateway->feed, gateway->now_ms) != NULL;

	for (struct visit *visit = gateway->visits; visit; visit = visit->next) {
		if (visit->state == VISIT_WAITING)
			wake_waiting(gateway, visit, fresh);
		else if (visit->state == VISIT_LIVE &&
			 live_has_news(&visit->reader, &gateway->live, &gateway->feed))
			visit_resume(visit);
	}
}

static void ask_when_due(struct gateway *gateway)
{
	if (live_due_ms(&gateway->live, &gateway->feed) > gateway->now_ms)
		return;
	live_asked(&gateway->live, &gateway->feed);
	feed_ask(&gateway->feed, gateway->now_ms);
}

static void hurry_when_due(struct gateway *gateway)
{
	if (gateway->now_ms - gateway->hurried_at_ms < HURRY_MS)
		return;
	gateway->hurried_at_ms = gateway->now_ms;
	visits_hurry(gateway->visits, gateway->now_ms);
}

/* --- turns */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int pause_ms(struct gateway *gateway, int most_ms)
{
	int64_t pause = least(most_ms, HURRY_MS);
	int64_t due_ms = live_due_ms(&gateway->live, &gateway->feed);
	MHD_UNSIGNED_LONG_LONG library_ms;

	if (due_ms != INT64_MAX)
		pause = least(pause, due_ms - gateway->now_ms);
	if (MHD_get_timeout(gateway->daemon, &library_ms) == MHD_YES && library_ms < HURRY_MS)
		pause = least(pause, (int64_t)library_ms);
	return pause > 0 ? (int)pause : 0;
}

bool gateway_turn(struct gateway *gateway, int most_ms)
{
	struct pollfd fds[] = {
		{.fd = gateway->feed.channel.fd, .events = POLLIN},
		{.fd = gateway->library_fd, .events = POLLIN},
	};

	if (poll(fds, 2, pause_ms(gateway, most_ms)) < 0 && errno != EINTR)
		return false;
	gateway->now_ms = clock_ms();
	if (fds[0].revents && !feed_read(&gateway->feed, gateway->now_ms))
		return false;
	live_publish(&gateway->live, &gateway->feed, gateway->now_ms);
	wake_visits(gateway);
	hurry_when_due(gateway);
	MHD_run(gateway->daemon);
	ask_when_due(gateway);
	return true;
}

static struct MHD_Daemon *start_library(struct gateway *gateway, int listen_fd)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem listen_on[] = {
		{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	if (listen_fd < 0) {
		flags |= MHD_USE_NO_LISTEN_SOCKET;
		listen_on[0].option = MHD_OPTION_END;
	}
	return MHD_start_daemon(flags, 0, NULL, NULL, take_request, gateway, MHD_OPTION_ARRAY,
		listen_on, MHD_OPTION_NOTIFY_CONNECTION, begin_or_end_visit, gateway,
		MHD_OPTION_NOTIFY_COMPLETED, end_request, gateway, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)GATEWAY_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SILENCE_SEC, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)VISITOR_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

int gateway_init(struct gateway *gateway, int channel_fd, int listen_fd, struct errmsg *err)
{
	const union MHD_DaemonInfo *info;

	*gateway = (struct gateway){.now_ms = clock_ms(), .library_fd = -1};
	feed_init(&gateway->feed, channel_fd);
	live_init(&gateway->live);
	if (listen_fd >= 0 && fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0)
		return errmsg_errno(err, "listening socket");
	gateway->daemon = start_library(gateway, listen_fd);
	if (!gateway->daemon)
		return errmsg_errno(err, "cannot start the HTTP server");
	info = MHD_get_daemon_info(gateway->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	gateway->library_fd = info->epoll_fd;
	if (!feed_subscribe(&gateway->feed))
		return errmsg_errno(err, "channel to the supervisor");
	return 0;
}

/* The library takes offence when it is stopped with suspended connections. */
void gateway_fini(struct gateway *gateway)
{
	for (struct visit *visit = gateway->visits; visit; visit = visit->next)
		visit_resume(visit);
	if (gateway->daemon)
		MHD_stop_daemon(gateway->daemon);
	gateway->daemon = NULL;
	live_fini(&gateway->live);
	feed_fini(&gateway->feed);
}
