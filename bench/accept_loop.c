/*
 * What one connection costs a server of processor time, from before accept(2) until after close(2),
 *in a loop that does nothing else but answer it: with the library of auto_scoreboard preloaded, or
 *without.
 *
 *	accept_loop N [answer|calls]	N connections, a hundred at a time
 *
 * The listening socket is descriptor 3. It connects to itself, outside of what is timed. With
 * `answer` each connection brings a request of HTTP and gets a response. With `calls` it makes the
 * bare system calls that a line of the scoreboard, descriptor 4, cannot do without: busy, the look
 * at the mark, jobs, idle. Prints nanoseconds a connection.
 */
#include <stdbool.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTENER 3
#define BOARD    4
#define BATCH    100

#define RETIRE_AT 2
#define JOBS_AT   12

static const char request[] = "GET /path HTTP/1.1\r\nHost: bench\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

static int64_t spent_by_now_ns(void)
{
	struct timespec now;

	/* others may use the processor as well */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void connect_all(int fd[BATCH], bool with_request)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	getsockname(LISTENER, (struct sockaddr *)&address, &length);
	for (int i = 0; i < BATCH; i++) {
		fd[i] = socket(address.ss_family, SOCK_STREAM, 0);
		if (connect(fd[i], (struct sockaddr *)&address, length) < 0)
			exit(1);
		if (with_request && send(fd[i], request, sizeof(request) - 1, 0) < 0)
			exit(1);
	}
}

/* The least that anybody pays who is asked to leave before he takes a connection, and counts it. */
static void say_busy(void)
{
	char mark;

	if (pwrite(BOARD, "W", 1, 0) < 0 || pread(BOARD, &mark, 1, RETIRE_AT) < 0)
		exit(1);
}

static void say_idle(void)
{
	if (pwrite(BOARD, "12345       ", 12, JOBS_AT) < 0 || pwrite(BOARD, "_", 1, 0) < 0)
		exit(1);
}

static void serve_all(bool with_request, bool with_calls)
{
	char received[sizeof(request)];

	for (int i = 0; i < BATCH; i++) {
		int fd;

		if (with_calls)
			say_busy();
		fd = accept(LISTENER, NULL, NULL);
		if (fd < 0)
			exit(1);
		if (with_request && (read(fd, received, sizeof(received)) < 0 ||
					    write(fd, response, sizeof(response) - 1) < 0))
			exit(1);
		if (with_calls)
			say_idle();
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100000;
	bool with_request = argc > 2 && strcmp(argv[2], "answer") == 0;
	bool with_calls = argc > 2 && strcmp(argv[2], "calls") == 0;
	int64_t spent_ns = 0, began_ns;
	int fd[BATCH];

	for (int i = 0; i < count / BATCH; i++) {
		connect_all(fd, with_request);
		began_ns = spent_by_now_ns();
		serve_all(with_request, with_calls);
		spent_ns += spent_by_now_ns() - began_ns;
		for (int j = 0; j < BATCH; j++)
			close(fd[j]);
	}
	printf("%lld\n", (long long)(spent_ns / (count / BATCH * BATCH)));
	return 0;
}
