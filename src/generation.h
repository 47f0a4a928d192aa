#ifndef PREFORKD_GENERATION_H
#define PREFORKD_GENERATION_H
/*
 * What workers that were started alike have in common: the configuration they live by, what they
 * are started with, their limits. A roll makes the next generation; each worker holds its own until
 * it has been reaped. Floor 2.
 */
#include <stdbool.h>
#include <stdint.h>

#include "launch.h"
#include "worker_state.h"

struct configuration;
struct errmsg;
struct pool_settings;

struct generation {
	int references;
	uint64_t number;                      /* PREFORKD_GENERATION; never used twice in a pool */
	struct configuration *configuration;  /* held */
	const struct pool_settings *settings; /* the configuration's */
	struct worker_limits limits;
	struct launch launch;
	bool proven;     /* one of its workers got ready and stayed min_uptime */
	uint64_t beside; /* beside this one its ready workers are not to be replaced; 0: none */
};

/* The pool's section of the configuration, made ready to start workers from. The place's sockets
 * are the configuration's. NULL with the reason. */
struct generation *generation_new(struct configuration *configuration,
	const struct pool_settings *settings, const struct launch_place *place, uint64_t number,
	struct errmsg *err);
struct generation *generation_hold(struct generation *generation);
void generation_release(struct generation *generation); /* NULL is fine */

/* Limits and pacing become those of a configuration that is the same to the workers. */
void generation_move(struct generation *generation, struct configuration *configuration,
	const struct pool_settings *settings);

#endif
