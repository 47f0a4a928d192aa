/*
 * From a key of a section to FILE:LINE. The text itself is faults.c's.
 */
#include "fault_place.h"

#include <stdarg.h>
#include <stdio.h>

#include "errmsg.h"
#include "faults.h"
#include "settings.h"

struct fault_place fault_place_preforkd(const struct settings *settings, struct faults *faults)
{
	return (struct fault_place){
		.settings = settings,
		.faults = faults,
		.section = SECTION_PREFORKD,
		.values = &settings->preforkd,
		.origin = settings->preforkd.origin,
	};
}

struct fault_place fault_place_socket(const struct settings *settings,
	const struct socket_settings *socket, struct faults *faults)
{
	return (struct fault_place){
		.settings = settings,
		.faults = faults,
		.section = SECTION_SOCKET,
		.values = socket,
		.name = socket->name,
		.where = &socket->where,
		.origin = socket->origin,
	};
}

struct fault_place fault_place_pool(
	const struct settings *settings, const struct pool_settings *pool, struct faults *faults)
{
	return (struct fault_place){
		.settings = settings,
		.faults = faults,
		.section = SECTION_POOL,
		.values = pool,
		.name = pool->name,
		.where = &pool->where,
		.origin = pool->origin,
	};
}

static const struct setting_origin *find_origin(const struct fault_place *place, const char *key)
{
	static const struct setting_origin nowhere;
	const struct option *option = key ? option_find(place->section, key) : NULL;

	if (option && place->origin && place->origin[option - options].line > 0)
		return &place->origin[option - options];
	return &nowhere;
}

int fault_place_line(const struct fault_place *place, const char *key)
{
	return find_origin(place, key)->line;
}

bool fault_place_given(const struct fault_place *place, const char *key)
{
	return fault_place_line(place, key) > 0;
}

static void add(const struct fault_place *place, bool warning, const char *key, const char *format,
	va_list arguments)
{
	const struct setting_origin *origin = find_origin(place, key);
	const char *file = NULL;
	char section[SECTION_NAME_MAX + 16];
	char text[sizeof(struct errmsg)];

	if (origin->line == 0 && place->where)
		origin = place->where;
	if ((size_t)origin->file < place->settings->file_count)
		file = place->settings->files[origin->file];
	snprintf(section, sizeof(section), "%s%s", option_section_name(place->section),
		place->name ? place->name : "");
	vsnprintf(text, sizeof(text), format, arguments);
	if (warning)
		faults_warn(place->faults, file, origin->line, section, key, "%s", text);
	else
		faults_add(place->faults, file, origin->line, section, key, "%s", text);
}

void fault_place_add(const struct fault_place *place, const char *key, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(place, false, key, format, arguments);
	va_end(arguments);
}

void fault_place_warn(const struct fault_place *place, const char *key, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(place, true, key, format, arguments);
	va_end(arguments);
}
