#ifndef PREFORKD_SETTINGS_COMPARE_H
#define PREFORKD_SETTINGS_COMPARE_H
/* What differs between two configurations, by the option table's word on when a change takes
 * effect. Floor 0. */
#include <stdbool.h>

#include "options.h"

struct pool_settings;
struct settings;
struct socket_settings;

/* Do two sections differ in a key of this effect? */
bool settings_socket_differs(const struct socket_settings *a, const struct socket_settings *b,
	enum option_effect effect);
bool settings_pool_differs(
	const struct pool_settings *a, const struct pool_settings *b, enum option_effect effect);
/* Would a worker of the pool find anything else than one of the old configuration does? Its
 * section's keys for workers, and its sockets. */
bool settings_workers_differ(const struct settings *old_settings,
	const struct pool_settings *old_pool, const struct settings *new_settings,
	const struct pool_settings *new_pool);
/* Calls `each` for every key whose change has to wait for the next start. */
void settings_each_restart(const struct settings *old_settings, const struct settings *new_settings,
	void (*each)(const char *section, const char *name, const char *key));

#endif
