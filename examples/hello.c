/*
 * A worker for preforkd in plain C: a small HTTP server, self-contained.
 *
 *	cc -o hello hello.c
 *	preforkd -c hello.ini	with:	[socket:web]		[pool:hello]
 *					listen = :8080		command = ./hello
 *								sockets = web
 *	./hello 8080		alone, without preforkd
 *
 * GET / answers who did it, GET /sleep?ms=200 takes its time. TERM or QUIT finishes the request at
 * hand, then leaves. It needs nothing of preforkd but its environment.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Our line of the scoreboard: 64 bytes of a text file at an offset. board_fd is -1 without one. */
static int board_fd = -1;
static off_t board_at;
static unsigned long jobs;
static volatile sig_atomic_t leaving;

static void board_open(void)
{
	const char *fd = getenv("PREFORKD_SCOREBOARD_FD");
	const char *offset = getenv("PREFORKD_SCOREBOARD_OFFSET");

	if (fd && offset) {
		board_fd = atoi(fd);
		board_at = atoll(offset);
	}
}

static void board_write(off_t where, const char *bytes, size_t count)
{
	/* A scoreboard that is lost is no reason to lose a request. */
	if (board_fd >= 0 && pwrite(board_fd, bytes, count, board_at + where) < 0)
		board_fd = -1;
}

static void board_job_done(void)
{
	char count[32];

	snprintf(count, sizeof(count), "%-12lu", ++jobs);
	board_write(12, count, 12);
}

static void on_signal(int signal_number)
{
	(void)signal_number;
	leaving = 1;
}

/* The signals that end us stay blocked but for the wait in ppoll(2), which gets the mask from here:
 * so none can slip in between looking at `leaving` and waiting. */
static sigset_t signals_init(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t ending, while_waiting;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGQUIT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
	sigprocmask(SIG_BLOCK, &ending, &while_waiting);
	return while_waiting;
}

/* By a signal (ppoll lets none in while connections keep coming, so this does) or by the mark in
 * our line? The supervisor knows that we are busy by now, so it waits. */
static int asked_to_leave(const sigset_t *while_waiting)
{
	char mark = ' ';
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, while_waiting, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	return leaving ||
	       (board_fd >= 0 && pread(board_fd, &mark, 1, board_at + 2) == 1 && mark == 'R');
}

/* The socket we inherit as descriptor 3 or, alone, a new one on this port. */
static int listening_socket(const char *port)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = 3, on = 1;

	if (!count || atoi(count) < 1 || !pid || atol(pid) != getpid()) {
		if (!port) {
			fprintf(stderr, "usage: hello PORT, or as a worker of preforkd\n");
			exit(64);
		}
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		address.sin_port = htons(atoi(port));
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 128)) {
			perror("hello: listen");
			exit(71);
		}
	}
	/* Another worker may be quicker: accept must not wait then. This is a property of the
	 * socket, not of our descriptor, so all workers that share it must be able to live with it.
	 */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/* Reads up to the blank line behind the headers. 0, or -1: too long, too slow, or gone. */
static int request_read(int client, char *request, size_t size)
{
	struct timeval patience = {.tv_sec = 10};
	size_t length = 0;
	ssize_t got;

	request[0] = '\0';
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	do {
		got = read(client, request + length, size - 1 - length);
		if (got < 0 && errno == EINTR)
			got = 0; /* stopped and continued: that ends a read with a limit */
		else if (got <= 0)
			return -1;
		length += got;
		request[length] = '\0';
	} while (!strstr(request, "\r\n\r\n"));
	return 0;
}

static void request_serve(int client)
{
	const char *slot = getenv("PREFORKD_SLOT"), *generation = getenv("PREFORKD_GENERATION");
	char request[8192], body[256], answer[512];
	unsigned int ms = 0;
	int length;

	if (request_read(client, request, sizeof(request)))
		return;
	if (sscanf(request, "GET /sleep?ms=%6u", &ms) == 1)
		nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
	snprintf(body, sizeof(body), "Hello from pid %d, slot %s, generation %s, after %lu jobs\n",
		(int)getpid(), slot ? slot : "-", generation ? generation : "-", jobs);
	length = snprintf(answer, sizeof(answer),
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s",
		strlen(body), body);
	send(client, answer, length, MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
	sigset_t while_waiting = signals_init();
	struct pollfd listener = {
		.fd = listening_socket(argc > 1 ? argv[1] : NULL), .events = POLLIN};
	int client;

	board_open();
	board_write(0, "_", 1); /* idle */
	while (!leaving) {
		if (ppoll(&listener, 1, NULL, &while_waiting) < 0)
			continue;
		/* In this order no request is lost: a worker that is to leave is either seen as
		 * busy and let finish, or sees the mark and leaves the connection to another. */
		board_write(0, "W", 1);
		if (asked_to_leave(&while_waiting))
			break;
		client = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0) {
			request_serve(client);
			close(client);
			board_job_done();
		}
		board_write(0, "_", 1);
	}
	return 0;
}
