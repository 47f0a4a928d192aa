/*
 * Generations: counted, so that settings, sockets and launch plan are there as long as a worker
 * lives by them.
 */
#include "generation.h"

#include <stdlib.h>

#include "configuration.h"
#include "memory.h"
#include "settings.h"

#define READY_INFINITE_MS 1000 /* min_uptime = infinity: alive so long counts as ready */

static struct worker_limits worker_limits(const struct pool_settings *settings)
{
	return (struct worker_limits){
		.min_uptime_ms = settings->min_uptime_ms == DURATION_INFINITE
					 ? READY_INFINITE_MS
					 : settings->min_uptime_ms,
		.start_timeout_ms = settings->start_timeout_ms,
		.timeout_ms = settings->timeout_ms,
		.request_timeout_ms = settings->request_timeout_ms,
		.stop_timeout_ms = settings->stop_timeout_ms,
	};
}

/* orphans = stop */
static void set_death_signal(struct generation *generation)
{
	const struct settings *settings = generation->configuration->settings;

	generation->launch.plan.death_signal =
		settings->preforkd.orphans == ORPHANS_STOP ? generation->settings->stop_signal : 0;
}

struct generation *generation_new(struct configuration *configuration,
	const struct pool_settings *settings, const struct launch_place *place, uint64_t number,
	struct errmsg *err)
{
	struct generation *generation = memory_alloc(sizeof(*generation));
	struct launch_place own = *place;

	own.sockets = &configuration->sockets;
	if (launch_init(&generation->launch, settings, &own, err) < 0) {
		free(generation);
		return NULL;
	}
	generation->references = 1;
	generation->number = number;
	generation->configuration = configuration_hold(configuration);
	generation->settings = settings;
	generation->limits = worker_limits(settings);
	set_death_signal(generation);
	return generation;
}

struct generation *generation_hold(struct generation *generation)
{
	generation->references++;
	return generation;
}

void generation_release(struct generation *generation)
{
	if (!generation || --generation->references > 0)
		return;
	launch_fini(&generation->launch);
	configuration_release(generation->configuration);
	free(generation);
}

void generation_move(struct generation *generation, struct configuration *configuration,
	const struct pool_settings *settings)
{
	configuration_hold(configuration);
	configuration_release(generation->configuration);
	generation->configuration = configuration;
	generation->settings = settings;
	generation->limits = worker_limits(settings);
	launch_resettle(&generation->launch, settings);
	set_death_signal(generation);
}
