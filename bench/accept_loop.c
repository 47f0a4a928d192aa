/*
 * What one connection costs a server of processor time, from before accept(2) until after close(2),
 *in a loop that does nothing else but answer it: with the library of auto_scoreboard preloaded, or
 *without.
 *
 *	accept_loop N [answer]	N connections, a hundred at a time
 *
 * The listening socket is descriptor 3. It connects to itself, outside of what is timed. With
 * `answer` each connection brings a request of HTTP and gets a response. Prints nanoseconds a
 * connection.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTENER 3
#define BATCH    100

static const char request[] = "GET /path HTTP/1.1\r\nHost: bench\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

static int64_t spent_by_now_ns(void)
{
	struct timespec now;

	/* others may use the processor as well */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void connect_all(int fd[BATCH], int with_request)
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

static void serve_all(int with_request)
{
	char received[sizeof(request)];

	for (int i = 0; i < BATCH; i++) {
		int fd = accept(LISTENER, NULL, NULL);

		if (fd < 0)
			exit(1);
		if (with_request && (read(fd, received, sizeof(received)) < 0 ||
					    write(fd, response, sizeof(response) - 1) < 0))
			exit(1);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100000, with_request = argc > 2;
	int64_t spent_ns = 0, began_ns;
	int fd[BATCH];

	for (int i = 0; i < count / BATCH; i++) {
		connect_all(fd, with_request);
		began_ns = spent_by_now_ns();
		serve_all(with_request);
		spent_ns += spent_by_now_ns() - began_ns;
		for (int j = 0; j < BATCH; j++)
			close(fd[j]);
	}
	printf("%lld\n", (long long)(spent_ns / (count / BATCH * BATCH)));
	return 0;
}
