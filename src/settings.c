/*
 * Looks things up in a configuration, and frees it. Nothing here changes it, and nothing here
 * decides what a value means for a running pool.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"

const struct socket_settings *settings_socket(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->socket_count; i++)
		if (strcmp(settings->sockets[i].name, name) == 0)
			return &settings->sockets[i];
	return NULL;
}

const struct pool_settings *settings_pool(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->pool_count; i++)
		if (strcmp(settings->pools[i].name, name) == 0)
			return &settings->pools[i];
	return NULL;
}

bool pool_settings_use(const struct pool_settings *pool, const char *socket)
{
	for (size_t i = 0; i < pool->sockets.count; i++)
		if (strcmp(pool->sockets.word[i], socket) == 0)
			return true;
	return pool->standard_input.kind == STDIO_SOCKET &&
	       strcmp(pool->standard_input.target, socket) == 0;
}

bool pool_settings_dynamic(const struct pool_settings *pool)
{
	return pool->min_spare_workers != SETTING_UNSET;
}

bool pool_settings_serve(const struct pool_settings *pool)
{
	return pool->sockets.count > 0 || pool->standard_input.kind == STDIO_SOCKET;
}

bool pool_settings_grow_on_backlog(const struct pool_settings *pool)
{
	return pool->grow_on_backlog && pool_settings_dynamic(pool) && pool_settings_serve(pool);
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	options_free(SECTION_PREFORKD, &settings->preforkd);
	free(settings->preforkd.origin);
	for (size_t i = 0; i < settings->socket_count; i++) {
		options_free(SECTION_SOCKET, &settings->sockets[i]);
		free(settings->sockets[i].name);
		free(settings->sockets[i].origin);
	}
	for (size_t i = 0; i < settings->pool_count; i++) {
		options_free(SECTION_POOL, &settings->pools[i]);
		free(settings->pools[i].name);
		free(settings->pools[i].origin);
	}
	for (size_t i = 0; i < settings->file_count; i++)
		free(settings->files[i]);
	free(settings->sockets);
	free(settings->pools);
	free(settings->files);
	free(settings);
}
