/*
 * What tests under load look through: a client that counts what became of each request, and a
 * watcher of a scoreboard that remembers extremes. Rule: the numbers are in FILE all the time, one
 * line that is written over, and final once TERM has ended the program.
 *
 *	counting_client closed WHERE PATH FILE N	N requests at a time, the next after an
 *answer counting_client open WHERE PATH FILE N		N requests a second, whatever is answered
 *		FILE: ANSWERED REFUSED RESET SILENT SLOWEST_MS ERRNO
 *	counting_client watch BOARD FILE
 *		FILE: SAMPLES MIN_SERVING MAX_PRESENT MAX_LEAVING
 *
 * WHERE is a port of 127.0.0.1 or the path of a unix socket. Refused: could not connect. Reset: the
 * connection ended before a whole answer came. Silent: no answer within 20 s. ERRNO: the last one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FORGOTTEN_SEC   1800
#define REQUESTS_MAX    1024
#define ANSWER_BYTES    1024
#define SILENT_MS       20000
#define PUBLISH_MS      10
#define BOARD_LINE      64
#define BOARD_LINES_MAX 256

struct request {
	int fd; /* -1: none */
	bool sent;
	long long began;
	size_t length;
	char answer[ANSWER_BYTES];
};

struct client {
	struct sockaddr_storage address;
	socklen_t address_length;
	char text[256];
	bool open;
	int number, active;
	long long began, started; /* `started` requests since */
	long answered, refused, reset, silent, slowest_ms;
	int error;
	struct request request[REQUESTS_MAX];
};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* TERM is blocked, so that it disturbs no call. */
static bool told_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM);
}

static void publish(int fd, const long numbers[6])
{
	char line[128];
	int length = snprintf(line, sizeof(line), "%12ld %12ld %12ld %12ld %12ld %12ld\n",
		numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]);

	if (pwrite(fd, line, (size_t)length, 0) < 0)
		_exit(1);
}

/* --- requests --- */

static void finish(struct client *client, struct request *request, long *result)
{
	long took = (long)(now_ms() - request->began);

	if (result != &client->answered)
		client->error = errno;
	++*result;
	if (took > client->slowest_ms)
		client->slowest_ms = took;
	if (request->fd >= 0)
		close(request->fd);
	request->fd = -1;
	client->active--;
}

static void begin(struct client *client)
{
	struct request *request = client->request;

	while (request->fd >= 0)
		request++;
	*request = (struct request){.began = now_ms()};
	client->active++;
	client->started++;
	request->fd =
		socket(client->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(request->fd, (struct sockaddr *)&client->address, client->address_length) < 0 &&
		errno != EINPROGRESS)
		finish(client, request, &client->refused);
}

static void begin_due(struct client *client)
{
	long long due = client->started + client->number - client->active;

	if (client->open)
		due = (now_ms() - client->began) * client->number / 1000;
	while (client->started < due && client->active < REQUESTS_MAX)
		begin(client);
}

static void send_request(struct client *client, struct request *request)
{
	size_t length = strlen(client->text);
	socklen_t size = sizeof(errno);
	int error = 0;

	getsockopt(request->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	errno = error;
	if (error != 0)
		finish(client, request, &client->refused);
	else if (send(request->fd, client->text, length, MSG_NOSIGNAL) != (ssize_t)length)
		finish(client, request, &client->reset);
	else
		request->sent = true;
}

static bool is_whole(struct request *request)
{
	const char *body, *length;

	request->answer[request->length] = '\0';
	body = strstr(request->answer, "\r\n\r\n");
	length = strstr(request->answer, "Content-Length: ");
	return body && length && strlen(body + 4) == strtoul(length + 16, NULL, 10);
}

static void take_answer(struct client *client, struct request *request)
{
	ssize_t got = recv(request->fd, request->answer + request->length,
		ANSWER_BYTES - 1 - request->length, 0);

	errno = got < 0 ? errno : 0;
	if (got > 0)
		request->length += (size_t)got;
	else if (got == 0 && is_whole(request))
		finish(client, request, &client->answered);
	else if (errno != EAGAIN)
		finish(client, request, &client->reset);
}

/* Waits up to a millisecond for any of them. */
static void serve_all(struct client *client)
{
	struct pollfd polled[REQUESTS_MAX];
	struct request *of[REQUESTS_MAX];
	nfds_t count = 0;

	for (struct request *at = client->request; at < client->request + REQUESTS_MAX; at++) {
		if (at->fd < 0)
			continue;
		of[count] = at;
		polled[count++] =
			(struct pollfd){.fd = at->fd, .events = at->sent ? POLLIN : POLLOUT};
	}
	poll(polled, count, 1);
	for (nfds_t i = 0; i < count; i++) {
		if (polled[i].revents && of[i]->sent)
			take_answer(client, of[i]);
		else if (polled[i].revents)
			send_request(client, of[i]);
		else if (now_ms() - of[i]->began > SILENT_MS)
			finish(client, of[i], &client->silent);
	}
}

static void publish_client(int fd, const struct client *client)
{
	publish(fd, (long[6]){client->answered, client->refused, client->reset, client->silent,
			    client->slowest_ms, client->error});
}

/* At TERM what is under way is still waited for. */
static int ask(struct client *client, int out)
{
	long long published = 0;

	client->began = now_ms();
	for (int i = 0; i < REQUESTS_MAX; i++)
		client->request[i].fd = -1;
	while (!told_to_end() || client->active > 0) {
		if (!told_to_end())
			begin_due(client);
		serve_all(client);
		if (now_ms() - published < PUBLISH_MS)
			continue;
		published = now_ms();
		publish_client(out, client);
	}
	publish_client(out, client);
	return 0;
}

static void set_address(struct client *client, const char *where)
{
	struct sockaddr_in *inet = (struct sockaddr_in *)&client->address;
	struct sockaddr_un *local = (struct sockaddr_un *)&client->address;

	if (where[0] != '/') {
		inet->sin_family = AF_INET;
		inet->sin_port = htons((uint16_t)atoi(where));
		inet->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		client->address_length = sizeof(*inet);
		return;
	}
	local->sun_family = AF_UNIX;
	snprintf(local->sun_path, sizeof(local->sun_path), "%s", where);
	client->address_length = sizeof(*local);
}

/* --- the scoreboard --- */

struct sight {
	int serving, present, leaving;
};

static struct sight look(int board)
{
	char bytes[BOARD_LINES_MAX * BOARD_LINE];
	ssize_t length = pread(board, bytes, sizeof(bytes), 0);
	struct sight sight = {0, 0, 0};

	for (const char *line = bytes; line + BOARD_LINE <= bytes + length; line += BOARD_LINE) {
		sight.present += line[3] != ' ';
		sight.leaving += line[2] == 'R';
		sight.serving += line[3] != ' ' && line[2] != 'R' && line[0] != '.';
	}
	return sight;
}

static void raise_to(long *most, int value)
{
	if (value > *most)
		*most = value;
}

/* Two looks are one sample: between the first lines and the last ones of a single look a worker may
 * have come in the former and be asked to leave in the latter. */
static int watch(int board, int out)
{
	long seen[6] = {0, BOARD_LINES_MAX, 0, 0, 0, 0};
	struct timespec pause_time = {.tv_nsec = 500000};

	while (!told_to_end()) {
		struct sight a = look(board), b = look(board);
		int serving = a.serving > b.serving ? a.serving : b.serving;

		if (serving < seen[1])
			seen[1] = serving;
		raise_to(&seen[2], a.present < b.present ? a.present : b.present);
		raise_to(&seen[3], a.leaving < b.leaving ? a.leaving : b.leaving);
		if (seen[0]++ % 16 == 0)
			publish(out, seen);
		nanosleep(&pause_time, NULL);
	}
	publish(out, seen);
	return 0;
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		_exit(1);
	return fd;
}

int main(int argc, char **argv)
{
	static struct client client;
	sigset_t ending;

	alarm(FORGOTTEN_SEC);
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	if (argc == 4 && strcmp(argv[1], "watch") == 0)
		return watch(open(argv[2], O_RDONLY | O_CLOEXEC), open_file(argv[3]));
	if (argc != 6)
		return 64;
	client.open = strcmp(argv[1], "open") == 0;
	set_address(&client, argv[2]);
	snprintf(client.text, sizeof(client.text), "GET %s HTTP/1.0\r\n\r\n", argv[3]);
	client.number = atoi(argv[5]);
	if (client.number < 1 || (!client.open && client.number > REQUESTS_MAX))
		return 64;
	return ask(&client, open_file(argv[4]));
}
