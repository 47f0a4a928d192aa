/*
 * Settings and sockets that live and die together. Nothing here decides when: references do.
 */
#include "configuration.h"

#include <stdlib.h>

#include "memory.h"
#include "settings.h"

struct configuration *configuration_open(struct settings *settings,
	const struct configuration *previous, struct passed_sockets *passed, struct errmsg *err)
{
	struct configuration *configuration = memory_alloc(sizeof(*configuration));

	if (socket_table_open(&configuration->sockets, settings,
		    previous ? &previous->sockets : NULL, passed, err) < 0) {
		free(configuration);
		return NULL;
	}
	configuration->settings = settings;
	configuration->references = 1;
	return configuration;
}

struct configuration *configuration_hold(struct configuration *configuration)
{
	configuration->references++;
	return configuration;
}

void configuration_release(struct configuration *configuration)
{
	if (!configuration || --configuration->references > 0)
		return;
	socket_table_close(&configuration->sockets);
	settings_free(configuration->settings);
	free(configuration);
}
