#ifndef PREFORKD_POOL_WORLD_H
#define PREFORKD_POOL_WORLD_H
/*
 * A real pool in a world without processes (fake_sys.h): its loop, its scoreboard file, and workers
 * that do what the test says. Nothing happens between two calls; time passes only in world_pass().
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "configuration.h"
#include "errmsg.h"
#include "fake_sys.h"
#include "pool.h"
#include "settings.h"
#include "spawn.h"
#include "startup.h"
#include "test_files.h"
#include "test_main.h"

enum world_roll { ROLL_NONE, ROLL_ON, ROLL_DONE, ROLL_GIVEN_UP };

struct pool_world {
	struct test_dir dir;
	struct configuration *configuration;
	struct configuration *from; /* held: what a roll under way goes back to */
	char *keys, *from_keys;     /* of these two */
	enum world_roll roll;       /* how the last one went */
	struct ev_loop *loop;
	ev_prepare prepare;
	ev_check polled;
	ev_idle again;
	bool passed; /* the time that world_pass() waits for is over */
	struct startup_limits limits;
	struct spawn_reports reports;
	struct pool *pool;
	int board_fd;
	unsigned descriptors; /* open before the pool */
	unsigned turns;       /* of the loop */
};

/* A pool of /bin/true with further keys: "max_workers = 2\n...". world_begin() lets it start its
 * first workers; world_open() does not, and gives false with the reason when it cannot be. */
void world_begin(struct pool_world *world, const char *keys);
bool world_open(struct pool_world *world, const char *keys, struct errmsg *err);
/* The same in two steps: all but the pool, and the pool. */
void world_prepare(struct pool_world *world, const char *keys);
bool world_open_pool(struct pool_world *world, struct errmsg *err);
/* Ends whatever lives, and demands that no descriptor is left. */
void world_end(struct pool_world *world);

/* One turn of the loop; until nothing is left to do at this time; so many milliseconds. */
void world_turn(struct pool_world *world);
void world_settle(struct pool_world *world);
void world_pass(struct pool_world *world, int64_t ms);
/* Until a worker is forked; how long it took, -1: none for a day. */
int64_t world_until_start(struct pool_world *world);

/* The worker in a slot: 0 where there is none. */
pid_t world_pid(const struct pool_world *world, int slot);
struct worker *world_worker(const struct pool_world *world, int slot);
/* How many the census would count so. */
int world_count(const struct pool_world *world, enum worker_class class);
/* A worker writes into its line; the supervisor has not seen it yet. */
void world_write(const struct pool_world *world, int slot, int at, const char *text);
/* ... and it has: all that lives in the slots from..to-1 says so in byte 0. */
void world_say(struct pool_world *world, int from, int to, const char *state);
char world_byte(const struct pool_world *world, int slot, int at);
/* The worker in the slot ends, and the supervisor sees it. */
void world_exit(struct pool_world *world, int slot, int status);
void world_crash(struct pool_world *world, int slot, int signal_number);
/* It could not exec. */
void world_fail_exec(struct pool_world *world, int slot, int error);
/* Signals that reached the process by its pidfd or by its group; CONT apart. */
unsigned world_signals(pid_t pid);

/* A roll to another configuration, NULL: the same one, as if the program had changed. From then on
 * the world looks after it once a turn, as a reload does: until all is replaced, or until three new
 * workers have failed. */
void world_roll(struct pool_world *world, const char *keys);
/* false: the machine refused it, and nothing has changed. */
bool world_try_roll(struct pool_world *world, const char *keys);
/* It is given up at once. */
void world_roll_back(struct pool_world *world);
/* The worker in the slot says so by its NOTIFY_SOCKET; the pool has not acted on it yet. */
void world_notify(struct pool_world *world, int slot, const char *message);

/* How often the text stands in the log. */
int world_logged(const struct pool_world *world, const char *text);

/* From now on each worker that gets the signal ends so many milliseconds later. */
void world_obey(int signal_number, int64_t after_ms);

#endif
