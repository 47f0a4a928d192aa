/*
 * A worker that keeps its line of the scoreboard, with libc only: accepts a connection, is busy,
 * answers one byte, waits until the client closes, is idle again.
 *
 *   spare_worker
 *
 * The listening socket is descriptor BENCH_LISTEN_FD. Once, when it has become idle for the first
 * time, it tells "PID NANOSECONDS" (CLOCK_MONOTONIC) on the FIFO that BENCH_FIFO names. Without
 * PREFORKD_SCOREBOARD_FD it keeps no states (the floor knows none).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int number_of(const char *variable, int otherwise)
{
	const char *text = getenv(variable);

	return text ? atoi(text) : otherwise;
}

static void tell(void)
{
	const char *path = getenv("BENCH_FIFO");
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (fd < 0 || dprintf(fd, "%d %lld\n", (int)getpid(),
			      (long long)now.tv_sec * 1000000000 + now.tv_nsec) < 0)
		exit(1);
	close(fd);
}

static void set_state(int board, off_t at, char state)
{
	if (board >= 0 && pwrite(board, &state, 1, at) != 1)
		exit(1);
}

int main(void)
{
	const int listener = number_of("BENCH_LISTEN_FD", 3);
	const int board = number_of("PREFORKD_SCOREBOARD_FD", -1);
	const off_t at = number_of("PREFORKD_SCOREBOARD_OFFSET", 0);
	char byte;

	set_state(board, at, '_');
	tell();
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			return 1;
		set_state(board, at, 'A');
		if (write(client, "x", 1) == 1)
			while (read(client, &byte, 1) > 0)
				;
		set_state(board, at, '_');
		close(client);
	}
}
