/*
 * Changes its state on a scoreboard, as fast as it can or at a rate.
 *
 *   state_writer count N                 N changes; tells the picoseconds that one took
 *   state_writer rate PER_SEC SECONDS    tells how many changes it made
 *
 * A change is a pwrite(2) of one byte to PREFORKD_SCOREBOARD_FD at PREFORKD_SCOREBOARD_OFFSET. What
 * it tells goes to the FIFO that BENCH_FIFO names: "PID NANOSECONDS NUMBER", the time being that of
 * its end (rate: first "PID NANOSECONDS start", too). Then it waits.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SEC_NS 1000000000LL

static int board;
static off_t place;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SEC_NS + now.tv_nsec;
}

static void tell(const char *word)
{
	const char *path = getenv("BENCH_FIFO");
	int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0 || dprintf(fd, "%d %lld %s\n", (int)getpid(), (long long)now_ns(), word) < 0)
		exit(1);
	close(fd);
}

static void tell_number(int64_t number)
{
	char word[24];

	snprintf(word, sizeof(word), "%lld", (long long)number);
	tell(word);
}

static void change(int64_t number)
{
	if (pwrite(board, number & 1 ? "A" : "_", 1, place) != 1)
		exit(1);
}

static void count(int64_t changes)
{
	int64_t began_ns = now_ns();

	for (int64_t i = 0; i < changes; i++)
		change(i);
	tell_number((now_ns() - began_ns) * 1000 / changes);
}

static void rate(int64_t per_sec, int64_t seconds)
{
	int64_t began_ns = now_ns(), made = 0, at_ns;

	tell("start");
	while ((at_ns = began_ns + made * SEC_NS / per_sec) < began_ns + seconds * SEC_NS) {
		struct timespec at = {at_ns / SEC_NS, at_ns % SEC_NS};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		change(made++);
		if (now_ns() >= began_ns + seconds * SEC_NS)
			break;
	}
	tell_number(made);
}

int main(int argc, char **argv)
{
	const char *fd = getenv("PREFORKD_SCOREBOARD_FD");
	const char *offset = getenv("PREFORKD_SCOREBOARD_OFFSET");

	board = fd ? atoi(fd) : -1;
	place = offset ? atoi(offset) : 0;
	if (argc == 3 && strcmp(argv[1], "count") == 0)
		count(atoll(argv[2]));
	else if (argc == 4 && strcmp(argv[1], "rate") == 0)
		rate(atoll(argv[2]), atoll(argv[3]));
	else
		return 64;
	for (;;)
		pause();
}
