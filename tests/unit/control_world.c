/* See control_world.h. */
#include "control_world.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "errmsg.h"
#include "logger.h"

/* --- the server's side --- */

struct server {
	struct control *control;
	struct control_client *later[CONTROL_CLIENTS_MAX];
	int laters, gone;
	int64_t number; /* of the next event */
	bool channel_ended;
};

static void answer(struct control_client *client, const char *json)
{
	control_answer(client, json, strlen(json));
}

static void answer_big(struct control_client *client, size_t bytes)
{
	char *json = malloc(bytes + 1);

	memset(json, 'x', bytes);
	json[0] = json[bytes - 1] = '"';
	control_answer(client, json, bytes);
	free(json);
}

static void emit(struct server *server, int count, int pad_bytes)
{
	char json[70000];
	int length;

	while (count-- > 0) {
		length = snprintf(json, sizeof(json),
			"{\"event\":\"n\",\"number\":%lld,\"pad\":\"%*s\"}",
			(long long)server->number++, pad_bytes, "");
		control_event(server->control, json, (size_t)length);
	}
}

/* The word as a number, whatever it is. */
static int number(const struct control_request *request, int word, int least, int most)
{
	long found = request->words > word ? atol(request->word[word]) : least;

	return found < least ? least : found > most ? most : (int)found;
}

static void answer_later(struct server *server)
{
	for (int i = 0; i < server->laters; i++)
		answer(server->later[i], "{\"ok\":true,\"message\":\"at last\"}");
	server->laters = 0;
}

static void echo(struct control_client *client, const struct control_request *request)
{
	char json[2048] = "";
	size_t length = 0;

	for (int i = 0; i < request->words; i++)
		length += (size_t)snprintf(
			json + length, sizeof(json) - length, "<%s>", request->word[i]);
	ck_assert_ptr_null(request->word[request->words]);
	control_answer(client, json, length);
}

static void nap(int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void handle(
	void *context, struct control_client *client, const struct control_request *request)
{
	struct server *server = context;
	const char *verb = request->word[0];
	char json[128];

	snprintf(json, sizeof(json), "{\"ok\":true}");
	if (strcmp(verb, "later") == 0) {
		server->later[server->laters++] = client;
	} else if (strcmp(verb, "events") == 0) {
		control_stream(client);
	} else if (strcmp(verb, "big") == 0) {
		answer_big(client, (size_t)number(request, 1, 2, 100000000));
	} else if (strcmp(verb, "echo") == 0 || strcmp(verb, "status") == 0) {
		echo(client, request);
	} else {
		if (strcmp(verb, "who") == 0)
			snprintf(json, sizeof(json), "%ld %ld %d", (long)request->pid,
				(long)request->uid, request->read_only);
		if (strcmp(verb, "gone") == 0)
			snprintf(json, sizeof(json), "%d %d %d", server->gone,
				server->channel_ended, control_streaming(server->control));
		if (strcmp(verb, "now") == 0)
			answer_later(server);
		if (strcmp(verb, "hold") == 0)
			nap(number(request, 1, 0, 10000));
		if (strcmp(verb, "emit") == 0)
			emit(server, number(request, 1, 0, 1000000), number(request, 2, 0, 60000));
		answer(client, json);
	}
}

static void client_gone(void *context, struct control_client *client)
{
	struct server *server = context;
	int i = 0;

	server->gone++;
	while (i < server->laters && server->later[i] != client)
		i++;
	if (i < server->laters)
		server->later[i] = server->later[--server->laters];
}

static void channel_ended(void *context)
{
	struct server *server = context;

	server->channel_ended = true;
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)watcher;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void limit_descriptors(int more)
{
	struct rlimit limit;
	int next = dup(STDERR_FILENO);

	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)(next + more);
	if (more > 0)
		setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(const char *path, int channel, int ready, int limit_nofile)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct server server = {0};
	const struct control_settings settings = {.path = path,
		.mode = 0600,
		.group = (gid_t)-1,
		.handle = handle,
		.gone = client_gone,
		.context = &server};
	const struct logger_settings log = {
		.target = "/dev/null", .level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_TEXT};
	struct errmsg err;
	ev_signal term;

	logger_open(&log, &err);
	ev_signal_init(&term, on_term, SIGTERM);
	ev_signal_start(loop, &term);
	server.control = control_open(loop, &settings, &err);
	if (!server.control ||
		!control_add_channel(server.control, channel, channel_ended, &server, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_FAILURE;
	}
	limit_descriptors(limit_nofile);
	close(ready);
	ev_run(loop, 0);
	control_close(server.control);
	ev_signal_stop(loop, &term);
	ev_loop_destroy(loop);
	logger_close();
	return access(path, F_OK) < 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void world_open(struct control_world *world, int limit_nofile)
{
	int ready[2], channel[2];
	char byte;

	test_dir_make(&world->dir);
	snprintf(world->path, sizeof(world->path), "%s", test_path(&world->dir, "control.sock"));
	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
	fflush(NULL);
	world->server = fork();
	if (world->server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		close(channel[0]);
		exit(serve(world->path, channel[1], ready[1], limit_nofile));
	}
	close(ready[1]);
	close(channel[1]);
	world->channel = channel[0];
	ck_assert_int_eq(read(ready[0], &byte, 1), 0);
	close(ready[0]);
}

void world_close(struct control_world *world)
{
	int status = -1;

	kill(world->server, SIGTERM);
	ck_assert_int_eq(waitpid(world->server, &status, 0), world->server);
	ck_assert_msg(status == 0, "the server ended with %x", (unsigned)status);
	close(world->channel);
	test_dir_remove(&world->dir);
}

/* --- the clients' side --- */

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int client_connect(const struct control_world *world)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	strcpy(address.sun_path, world->path);
	ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect: %s",
		strerror(errno));
	return fd;
}

void client_send(int fd, const char *text)
{
	/* A refusal may be there already, with the other end closed. */
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		ck_assert_int_eq(errno, EPIPE);
}

/* Up to size bytes; 0: end of file. */
static size_t read_some(int fd, char *bytes, size_t size, int64_t until)
{
	struct pollfd at = {.fd = fd, .events = POLLIN};
	int64_t left = until - clock_ms();
	ssize_t got;

	ck_assert_msg(left > 0 && poll(&at, 1, (int)left) > 0, "nothing came in time");
	got = recv(fd, bytes, size, 0);
	if (got < 0)
		ck_assert_int_eq(errno, ECONNRESET);
	return got > 0 ? (size_t)got : 0;
}

char *client_read_all(int fd, size_t *bytes, int limit_ms)
{
	int64_t until = clock_ms() + limit_ms;
	size_t size = 65536, length = 0, got;
	char *text = malloc(size + 1);

	while ((got = read_some(fd, text + length, size - length, until)) > 0) {
		length += got;
		if (length == size)
			text = realloc(text, (size *= 2) + 1);
	}
	text[length] = '\0';
	if (bytes)
		*bytes = length;
	return text;
}

char *client_read_line(int fd, int limit_ms)
{
	static char line[100000];
	int64_t until = clock_ms() + limit_ms;
	size_t length = 0;

	while (length < sizeof(line) - 1 && read_some(fd, line + length, 1, until) == 1) {
		if (line[length] == '\n') {
			line[length] = '\0';
			return line;
		}
		length++;
	}
	ck_assert_uint_eq(length, 0);
	return NULL;
}

char *ask_once(const struct control_world *world, const char *request)
{
	int fd = client_connect(world);
	size_t bytes;
	char *text;

	client_send(fd, request);
	text = client_read_all(fd, &bytes, 20000);
	close(fd);
	if (bytes > 0) {
		ck_assert_int_eq(text[bytes - 1], '\n');
		text[bytes - 1] = '\0';
	}
	return text;
}

int64_t ping_ms(const struct control_world *world)
{
	int64_t began = clock_ms();
	char *text = ask_once(world, "ping\n");

	ck_assert_str_eq(text, "{\"ok\":true}");
	free(text);
	return clock_ms() - began;
}
