/*
 * The worker that every contestant runs: tells when it was executed, then waits.
 *
 *   bench_worker [KIB]
 *
 * Touches KIB of memory before it tells, so that its end costs the kernel something. BENCH_FIFO
 * names a FIFO; each start writes one line "PID NANOSECONDS" (CLOCK_MONOTONIC) to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void tell(const char *path, const struct timespec *now)
{
	char line[64];
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int length = snprintf(line, sizeof(line), "%d %lld\n", (int)getpid(),
		(long long)now->tv_sec * 1000000000 + now->tv_nsec);

	if (fd < 0 || write(fd, line, (size_t)length) != length)
		exit(1);
	close(fd);
}

int main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) * 1024 : 0;
	const char *fifo = getenv("BENCH_FIFO");
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (bytes > 0) {
		char *memory = malloc(bytes);

		if (!memory)
			return 1;
		memset(memory, 1, bytes);
	}
	if (fifo)
		tell(fifo, &now);
	for (;;)
		pause();
}
