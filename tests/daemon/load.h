#ifndef PREFORKD_TESTS_LOAD_H
#define PREFORKD_TESTS_LOAD_H
/*
 * Load on the workers of a test, counted, and a scoreboard watched meanwhile (counting_client.c).
 * What is started is ended with the test at the latest.
 */
#include <stdbool.h>
#include <sys/types.h>

struct load {
	pid_t pid;
	char file[24];
};

struct counts {
	long answered, refused, reset, silent, slowest_ms, error;
};

/* where: a port of 127.0.0.1 in digits, or the path of a unix socket. path: of the request. */
struct load load_closed(const char *where, const char *path, int at_a_time);
struct load load_open(const char *where, const char *path, int per_second);
/* As far as it is. */
struct counts load_counts(const struct load *load);
/* Waits until so many more are answered. */
void load_await(const struct load *load, int more);
/* Ends it: every request was answered, and there were some. How many. */
long load_end_without_loss(const struct load *load);
const char *load_port(int port); /* as `where` */

struct sights {
	long samples;
	long min_serving; /* have written a state, and are not asked to leave */
	long max_present, max_leaving;
};

/* Watches the pool's scoreboard every half millisecond, from the return on. */
struct load watch_start(const char *pool);
struct sights watch_sights(const struct load *watch);
struct sights watch_end(const struct load *watch);

#endif
