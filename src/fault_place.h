#ifndef PREFORKD_FAULT_PLACE_H
#define PREFORKD_FAULT_PLACE_H
/*
 * A section of a configuration that is being checked: its faults say where the key was set, or
 * where the section begins when it was not. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

#include "options.h"

struct faults;
struct pool_settings;
struct setting_origin;
struct settings;
struct socket_settings;

struct fault_place {
	const struct settings *settings;
	struct faults *faults;
	enum option_section section;
	const void *values;                  /* the section's struct */
	const char *name;                    /* NULL: the section has none */
	const struct setting_origin *where;  /* the section's line, or NULL */
	const struct setting_origin *origin; /* by option number, or NULL */
};

struct fault_place fault_place_preforkd(const struct settings *settings, struct faults *faults);
struct fault_place fault_place_socket(const struct settings *settings,
	const struct socket_settings *socket, struct faults *faults);
struct fault_place fault_place_pool(
	const struct settings *settings, const struct pool_settings *pool, struct faults *faults);

/* In all of these, key NULL: the section itself.
 *
 * Does the key stand in the file, rightly or wrongly? */
bool fault_place_given(const struct fault_place *place, const char *key);
/* The line of the key, 0: not known. */
int fault_place_line(const struct fault_place *place, const char *key);
void fault_place_add(const struct fault_place *place, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void fault_place_warn(const struct fault_place *place, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
