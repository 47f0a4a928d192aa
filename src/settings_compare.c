/* Comparing section by section, key by key. Nothing here knows a key by name. */
#include "settings_compare.h"

#include <stddef.h>

#include "settings.h"

static bool differs(
	enum option_section section, enum option_effect effect, const void *a, const void *b)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == section && options[i].effect == effect &&
			!option_equal(&options[i], a, b))
			return true;
	return false;
}

bool settings_socket_differs(
	const struct socket_settings *a, const struct socket_settings *b, enum option_effect effect)
{
	return differs(SECTION_SOCKET, effect, a, b);
}

bool settings_pool_differs(
	const struct pool_settings *a, const struct pool_settings *b, enum option_effect effect)
{
	return differs(SECTION_POOL, effect, a, b);
}

bool settings_workers_differ(const struct settings *old_settings,
	const struct pool_settings *old_pool, const struct settings *new_settings,
	const struct pool_settings *new_pool)
{
	if (settings_pool_differs(old_pool, new_pool, EFFECT_WORKERS))
		return true;
	for (size_t i = 0; i < new_settings->socket_count; i++) {
		const struct socket_settings *socket = &new_settings->sockets[i];
		const struct socket_settings *old = settings_socket(old_settings, socket->name);

		if (pool_settings_use(new_pool, socket->name) &&
			(!old || settings_socket_differs(old, socket, EFFECT_SOCKET)))
			return true;
	}
	return false;
}

static void each_restart(enum option_section section, const char *name, const void *a,
	const void *b, void (*each)(const char *section, const char *name, const char *key))
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == section && options[i].effect == EFFECT_RESTART &&
			!option_equal(&options[i], a, b))
			each(option_section_name(section), name, options[i].key);
}

void settings_each_restart(const struct settings *old_settings, const struct settings *new_settings,
	void (*each)(const char *section, const char *name, const char *key))
{
	each_restart(SECTION_PREFORKD, "", &old_settings->preforkd, &new_settings->preforkd, each);
	for (size_t i = 0; i < new_settings->pool_count; i++) {
		const struct pool_settings *pool = &new_settings->pools[i];
		const struct pool_settings *old = settings_pool(old_settings, pool->name);

		if (old)
			each_restart(SECTION_POOL, pool->name, old, pool, each);
	}
}
