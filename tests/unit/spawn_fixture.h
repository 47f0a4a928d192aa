#ifndef PREFORKD_SPAWN_FIXTURE_H
#define PREFORKD_SPAWN_FIXTURE_H
/*
 * Real processes from plans. The program that they run is the test itself: called with the argument
 * "worker", it writes down what it finds around itself; with "sleeper", it waits for a signal.
 */
#include <limits.h>
#include <sys/types.h>

#include "spawn.h"

#define TEXT_BYTES 16384
#define MAX_FDS    24 /* in a plan */

extern char self[PATH_MAX]; /* the path of this program */
extern char *worker_argv[], *sleeper_argv[];
extern char listen_pid[], watchdog_pid[]; /* of the plan's environment */
extern struct spawn_reports reports;
extern struct spawn_plan plan; /* of a worker that writes into output */
extern int default_fd[3];
extern int output[2];
extern char text[TEXT_BYTES]; /* what the last worker wrote */

/* At the beginning of main(): does not return in a worker. */
void spawn_fixture_main(int argc, char **argv);
void spawn_fixture_setup(void);
void spawn_fixture_teardown(void);

struct spawned start(void);
/* Waits for the end; the status as of waitpid(2). */
int end_of(struct spawned *spawned);
/* Runs the worker of the plan and reads what it tells; returns its pid. */
pid_t run(void);
/* Fails the test unless this is in the text. */
void has_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
