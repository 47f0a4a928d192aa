/*
 * Makes one call of libprefork again and again, as a worker of preforkd.
 *
 *   library_writer CALL N		N calls; tells the picoseconds that one took
 *
 * CALL is one of those below. What it tells goes to the FIFO that BENCH_FIFO names: "PID
 * NANOSECONDS NUMBER". Then it waits.
 */
#include <fcntl.h>
#include <prefork.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void change(int64_t number)
{
	if (number & 1)
		prefork_busy(NULL);
	else
		prefork_idle();
}

static void done(int64_t number)
{
	(void)number;
	prefork_done();
}

static void note(int64_t number)
{
	prefork_note(number & 1 ? "GET /index.html" : "POST /upload");
}

static void beat(int64_t number)
{
	(void)number;
	prefork_beat();
}

static void stopping(int64_t number)
{
	(void)number;
	if (prefork_stopping())
		exit(1);
}

static void job(int64_t number)
{
	(void)number;
	if (!prefork_take(NULL))
		exit(1);
	prefork_done();
	prefork_idle();
}

static const struct {
	const char *name;
	void (*make)(int64_t number);
} calls[] = {{"change", change}, {"done", done}, {"note", note}, {"beat", beat},
	{"stopping", stopping}, {"job", job}};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void tell(int64_t number)
{
	const char *path = getenv("BENCH_FIFO");
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0 || dprintf(fd, "%d %lld %lld\n", (int)getpid(), (long long)now_ns(),
			      (long long)number) < 0)
		exit(1);
	close(fd);
}

static void measure(void (*make)(int64_t number), int64_t count)
{
	int64_t began_ns = now_ns();

	for (int64_t i = 0; i < count; i++)
		make(i);
	tell((now_ns() - began_ns) * 1000 / count);
}

int main(int argc, char **argv)
{
	if (argc != 3 || prefork_attach() != 1)
		return 64;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(argv[1], calls[i].name) == 0)
			measure(calls[i].make, atoll(argv[2]));
	for (;;)
		pause();
}
