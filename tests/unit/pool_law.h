#ifndef PREFORKD_POOL_LAW_H
#define PREFORKD_POOL_LAW_H
/*
 * What must hold of a pool whatever happens to it, looked at after each event of a random or
 * exhaustive sequence.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pool_world.h"

#define LAW_PIDS  20000 /* processes in one world at most */
#define LAW_SLOTS 200   /* workers in one world at most */

/* What one process got so far. */
struct law_process {
	unsigned char soft, kills, group_kills;
	int last_soft;
	int64_t retired_at;
};

struct law {
	struct pool_world *world;
	unsigned forks;   /* so many at the last look */
	int max_workers;  /* since then, so many at most may be started */
	int most_workers; /* and ever */
	int asked_for;    /* max_workers at the last event; shrinking costs ready ones */
	int least;        /* since then, so many have to stay ready, if they were */
	int ready;        /* so many were then */
	pid_t serving[LAW_SLOTS + 1]; /* who was there, ended by 0 */
	pid_t last_pid;
	unsigned stops;          /* stops with a signal that were asked for */
	unsigned stop_forks;     /* forks when the stop began */
	int64_t longest_wait_ms; /* err_respawn_max and spawn_interval, with jitter */
	struct law_process process[LAW_PIDS];
};

/* Watches the world from now on. One at a time. */
void law_begin(struct law *law, struct pool_world *world);
/* After each event that is not looked at by itself. */
void law_note(struct law *law);
/* Brings the world to rest and looks. What is wrong, or NULL. */
const char *law_look(struct law *law);
/* The stop begins, or another soft signal for all. */
void law_stop(struct law *law, int signal_number);
/* What is wrong with the way a stop ended; lets it take its time. */
const char *law_look_at_end(struct law *law);

/* Worlds in memory, where there is such a place: many files are made. */
void law_in_memory(void);
/* No inotify for any scoreboard opened from now on: closing one takes the kernel 10 ms, which a
 * hundred thousand worlds cannot have. What is written is then shown to the pool by law_show(). */
void law_without_inotify(void);
void law_show(struct pool_world *world);

#endif
