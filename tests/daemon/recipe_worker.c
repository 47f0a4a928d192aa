/*
 * A worker that follows the recipe of preforkd-scoreboard(7) and no more: it publishes busy, looks
 * at its retire mark, takes the job. TERM ends it at once, wherever it is, so a job that it has
 * taken when TERM comes is lost and missed by the client, which is this program as well.
 *
 *	recipe_worker			serves descriptor 3
 *	recipe_worker careless		the same without a look at the mark, to see that it matters
 *	recipe_worker client PORT FILE CONNECTIONS
 *			asks so many at a time until TERM, then writes "ANSWERED LOST" and ends
 *	recipe_worker pulse PORT FILE CONNECTIONS
 *			the same, with pauses in which one connection at a time goes on
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FORGOTTEN_SEC   600
#define CONNECTIONS_MAX 64
#define PULSE_MS        60
#define LISTENING       3

/* --- the worker --- */

static int board_fd;
static off_t board_at;

static void put(int at, const char *text)
{
	if (pwrite(board_fd, text, strlen(text), board_at + at) < 0)
		_exit(1);
}

static bool asked_to_leave(void)
{
	char mark = ' ';

	return pread(board_fd, &mark, 1, board_at + 2) == 1 && mark == 'R';
}

/* A short job: now and then with a wait in it. */
static void serve(int client, unsigned long job)
{
	char byte;

	if (read(client, &byte, 1) == 1) {
		if (job % 4 == 0)
			usleep(1000);
		if (write(client, "+", 1) < 0)
			_exit(1);
	}
	close(client);
}

static int work(bool careless)
{
	struct pollfd listening = {.fd = LISTENING, .events = POLLIN};
	unsigned long jobs = 0;
	char count[16];

	board_fd = atoi(getenv("PREFORKD_SCOREBOARD_FD"));
	board_at = atol(getenv("PREFORKD_SCOREBOARD_OFFSET"));
	/* several wake up, one gets it; the others must not wait in accept */
	fcntl(LISTENING, F_SETFL, fcntl(LISTENING, F_GETFL) | O_NONBLOCK);
	for (;;) {
		put(0, "_");
		poll(&listening, 1, -1);
		if (!careless)
			put(0, "W");
		if (!careless && asked_to_leave())
			return 0;
		int client = accept(LISTENING, NULL, NULL);

		if (client < 0)
			continue;
		serve(client, ++jobs);
		snprintf(count, sizeof(count), "%-12lu", jobs);
		put(12, count);
	}
}

/* --- the client --- */

struct client {
	struct sockaddr_in address;
	int connections;
	bool pulses;
	unsigned long answered, lost;
};

/* TERM is blocked, so that it disturbs no call. */
static bool told_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int ask(struct client *client)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval limit = {.tv_sec = 60};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&client->address, sizeof(client->address)) == 0 &&
		send(fd, "?", 1, MSG_NOSIGNAL) == 1)
		return fd;
	client->lost++;
	close(fd);
	return -1;
}

static void take_answer(struct client *client, int fd)
{
	char byte = 0;

	if (fd < 0)
		return;
	if (recv(fd, &byte, 1, MSG_WAITALL) == 1 && byte == '+')
		client->answered++;
	else
		client->lost++;
	close(fd);
}

static int be_client(struct client *client, const char *file)
{
	int fds[CONNECTIONS_MAX];
	long long began = now_ms();

	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	while (!told_to_end()) {
		bool quiet = client->pulses && (now_ms() - began) / PULSE_MS % 2;
		int count = quiet ? 1 : client->connections;

		for (int i = 0; i < count; i++)
			fds[i] = ask(client);
		for (int i = 0; i < count; i++)
			take_answer(client, fds[i]);
		if (quiet)
			usleep(1000);
	}
	FILE *out = fopen(file, "we");

	if (!out)
		return 1;
	fprintf(out, "%lu %lu\n", client->answered, client->lost);
	return fclose(out) != 0;
}

int main(int argc, char **argv)
{
	struct client client = {
		.address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};

	alarm(FORGOTTEN_SEC);
	if (argc < 5)
		return work(argc > 1 && strcmp(argv[1], "careless") == 0);
	client.pulses = strcmp(argv[1], "pulse") == 0;
	client.address.sin_port = htons((uint16_t)atoi(argv[2]));
	client.connections = atoi(argv[4]);
	if (client.connections < 1 || client.connections > CONNECTIONS_MAX)
		return 64;
	return be_client(&client, argv[3]);
}
