/*
 * From sections and keys, as they come in the order of the file, to settings. Notes every fault
 * with its line and goes on. Knows the names of sections; keys are the table's (options.c).
 */
#include "config_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_line.h"
#include "errmsg.h"
#include "faults.h"
#include "memory.h"
#include "options.h"
#include "settings_check.h"
#include "signal_name.h"
#include "signal_preset.h"
#include "suggest.h"

#define CANDIDATES_MAX 128

__attribute__((format(printf, 3, 4))) static void fault(
	struct config_builder *builder, const char *key, const char *format, ...)
{
	const char *section = *builder->label ? builder->label : NULL;
	char shown[CONFIG_SHOWN_BYTES];
	struct errmsg text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	snprintf(shown, sizeof(shown), "%s", key ? key : "");
	faults_add(builder->faults, builder->path, builder->line, section, key ? shown : NULL, "%s",
		text.text);
}

static struct setting_origin here(const struct config_builder *builder)
{
	return (struct setting_origin){.file = builder->file, .line = builder->line};
}

static void set_label(struct config_builder *builder, const char *name)
{
	builder->label[0] = '\0';
	strncat(builder->label, name, sizeof(builder->label) - 1);
}

void config_builder_bad_section(
	struct config_builder *builder, int line, const char *name, const char *why)
{
	builder->line = line;
	builder->place = CONFIG_SKIPPED;
	set_label(builder, name ? name : "");
	fault(builder, NULL, "%s", why);
}

void config_builder_bad_line(
	struct config_builder *builder, int line, const char *key, const char *why)
{
	const struct option *option = NULL;

	builder->line = line;
	if (key && builder->place == CONFIG_OPTIONS)
		option = option_find(builder->section, key);
	/* So that it does not count as missing, too. */
	if (option && builder->origin[option - options].line == 0)
		builder->origin[option - options] = here(builder);
	fault(builder, key, "%s", why);
}

static struct setting_origin *new_origin(void)
{
	return memory_alloc(option_count * sizeof(struct setting_origin));
}

static void *add_socket(struct config_builder *builder, const char *name)
{
	struct settings *settings = builder->settings;
	struct socket_settings *socket;

	settings->sockets = memory_resize(
		settings->sockets, settings->socket_count + 1, sizeof(*settings->sockets));
	socket = &settings->sockets[settings->socket_count++];
	*socket = (struct socket_settings){
		.name = memory_copy_string(name),
		.where = here(builder),
		.origin = new_origin(),
	};
	options_set_defaults(SECTION_SOCKET, socket);
	builder->origin = socket->origin;
	return socket;
}

static void *add_pool(struct config_builder *builder, const char *name)
{
	struct settings *settings = builder->settings;
	struct pool_settings *pool;

	settings->pools =
		memory_resize(settings->pools, settings->pool_count + 1, sizeof(*settings->pools));
	pool = &settings->pools[settings->pool_count++];
	*pool = (struct pool_settings){
		.name = memory_copy_string(name),
		.where = here(builder),
		.origin = new_origin(),
	};
	options_set_defaults(SECTION_POOL, pool);
	builder->origin = pool->origin;
	return pool;
}

static bool valid_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";

	return *name && strlen(name) <= SECTION_NAME_MAX && !name[strspn(name, allowed)];
}

/* Was there such a section before? Says so. */
static bool is_repeated(struct config_builder *builder, const struct setting_origin *first)
{
	if (!first || first->line == 0)
		return false;
	if (first->file == builder->file)
		fault(builder, NULL, "the section is repeated; it begins at line %d", first->line);
	else
		fault(builder, NULL, "the section is repeated; it begins at %.400s:%d",
			builder->settings->files[first->file], first->line);
	return true;
}

static void begin_named(
	struct config_builder *builder, enum option_section section, const char *name)
{
	const struct socket_settings *socket;
	const struct pool_settings *pool;

	if (!valid_name(name)) {
		fault(builder, NULL, "a section's name has 1 to %d of A-Z a-z 0-9 _ . -",
			SECTION_NAME_MAX);
		return;
	}
	socket = section == SECTION_SOCKET ? settings_socket(builder->settings, name) : NULL;
	pool = section == SECTION_POOL ? settings_pool(builder->settings, name) : NULL;
	if (is_repeated(builder, socket ? &socket->where : pool ? &pool->where : NULL))
		return;
	builder->place = CONFIG_OPTIONS;
	builder->section = section;
	builder->target =
		section == SECTION_POOL ? add_pool(builder, name) : add_socket(builder, name);
}

static void begin_preforkd(struct config_builder *builder)
{
	if (builder->file > 0) {
		fault(builder, NULL, "an included file has no such section; it belongs into %.400s",
			builder->settings->files[0]);
		return;
	}
	if (is_repeated(builder, &builder->preforkd))
		return;
	builder->preforkd = here(builder);
	builder->place = CONFIG_OPTIONS;
	builder->section = SECTION_PREFORKD;
	builder->target = &builder->settings->preforkd;
	builder->origin = builder->settings->preforkd.origin;
}

static void begin_signals(struct config_builder *builder)
{
	if (is_repeated(builder, &builder->signals))
		return;
	builder->signals = here(builder);
	builder->place = CONFIG_SIGNALS;
}

/* kind: what stands before the colon, or all. name: what stands behind it, or NULL. */
static void refuse_section(struct config_builder *builder, const char *kind, const char *name)
{
	static const char *const kinds[] = {"preforkd", "signals", "socket", "pool"};
	const char *nearest = suggest_nearest(kind, kinds, sizeof(kinds) / sizeof(kinds[0]));
	bool named = nearest && (strcmp(nearest, "socket") == 0 || strcmp(nearest, "pool") == 0);

	if (!nearest)
		fault(builder, NULL,
			"unknown section; there are [preforkd], [socket:NAME], [pool:NAME] and "
			"[signals]");
	else if (named)
		fault(builder, NULL, "unknown section; did you mean [%s:%.32s]?", nearest,
			name && *name ? name : "NAME");
	else
		fault(builder, NULL, "unknown section; did you mean [%s]?", nearest);
}

void config_builder_section(struct config_builder *builder, int line, char *name)
{
	char *colon = strchr(name, ':');

	builder->line = line;
	/* Until proved otherwise, the keys are passed over: one fault is enough. */
	builder->place = CONFIG_SKIPPED;
	set_label(builder, name);
	if (strcmp(name, "preforkd") == 0) {
		begin_preforkd(builder);
	} else if (strcmp(name, "signals") == 0) {
		begin_signals(builder);
	} else if (strncmp(name, "socket:", 7) == 0) {
		begin_named(builder, SECTION_SOCKET, colon + 1);
	} else if (strncmp(name, "pool:", 5) == 0) {
		begin_named(builder, SECTION_POOL, colon + 1);
	} else {
		if (colon)
			*colon++ = '\0';
		refuse_section(builder, name, colon);
	}
}

/* How a section of the kind is written, in a proposal. */
static const char *section_example(enum option_section section)
{
	switch (section) {
	case SECTION_PREFORKD: return "[preforkd]";
	case SECTION_SOCKET: return "[socket:NAME]";
	case SECTION_POOL: return "[pool:NAME]";
	}
	return "";
}

static void refuse_key(struct config_builder *builder, const char *key)
{
	const char *candidates[CANDIDATES_MAX], *nearest;
	const struct option *elsewhere = NULL;
	size_t count = 0;

	for (size_t i = 0; i < option_count && count < CANDIDATES_MAX; i++) {
		if (options[i].flags & OPTION_LATER)
			continue;
		if (options[i].section == builder->section)
			candidates[count++] = options[i].key;
		else if (strcmp(options[i].key, key) == 0)
			elsewhere = &options[i];
	}
	nearest = suggest_nearest(key, candidates, count);
	if (elsewhere)
		fault(builder, key, "unknown key here; it belongs into %s",
			section_example(elsewhere->section));
	else if (nearest)
		fault(builder, key, "unknown key; did you mean %s?", nearest);
	else
		fault(builder, key, "unknown key");
}

/* Is the key's value written with sh's quoting, that words_split() takes off? */
static bool keeps_quotes(const struct option *option)
{
	return option->type == OPTION_COMMAND;
}

/* Notes where words of `include` stand that were added. */
static void note_includes(struct config_builder *builder)
{
	const size_t count = builder->settings->preforkd.include.count;

	builder->include_line =
		memory_resize(builder->include_line, count + 1, sizeof(*builder->include_line));
	while (builder->include_count < count)
		builder->include_line[builder->include_count++] = builder->line;
}

void config_builder_bad_include(struct config_builder *builder, size_t index, const char *why)
{
	faults_add(builder->faults, builder->settings->files[0], builder->include_line[index],
		option_section_name(SECTION_PREFORKD), "include", "%s", why);
}

static void set_option(struct config_builder *builder, const char *key, const char *value)
{
	const struct option *option = option_find(builder->section, key);
	struct setting_origin *origin;
	struct errmsg err;
	char *text;

	if (!option) {
		refuse_key(builder, key);
		return;
	}
	origin = &builder->origin[option - options];
	if (option->flags & OPTION_LATER) {
		fault(builder, key, "is not available in this version");
		return;
	}
	if (origin->line > 0 && !(option->flags & OPTION_REPEATS)) {
		fault(builder, key, "is repeated; it was set at line %d", origin->line);
		return;
	}
	*origin = here(builder);
	text = keeps_quotes(option) ? memory_copy_string(value) : config_value_unquote(value);
	if (!*text)
		fault(builder, key, "has no value");
	else if (option_set(option, builder->target, text, builder->folder, &err) < 0)
		fault(builder, key, "%s", err.text);
	free(text);
	note_includes(builder);
}

/* Its lines are there wherever the preset stands: those that were read already win, too. */
static void set_preset(struct config_builder *builder, const char *value)
{
	struct signal_map *map = &builder->settings->signals, preset;
	struct errmsg err;
	char *name;

	if (builder->preset_line > 0) {
		fault(builder, "preset", "is repeated; it was set at line %d",
			builder->preset_line);
		return;
	}
	builder->preset_line = builder->line;
	name = config_value_unquote(value);
	if (signal_preset_init(&preset, name, &err) < 0) {
		fault(builder, "preset", "%s", err.text);
		free(name);
		return;
	}
	free(name);
	for (int number = 1; number < _NSIG; number++)
		if (builder->signal_line[number] > 0)
			preset.rule[number] = map->rule[number];
	*map = preset;
}

static void set_signal(struct config_builder *builder, const char *received, const char *value)
{
	int number = signal_number(received);
	struct errmsg err;
	char *text;

	if (strcmp(received, "preset") == 0) {
		set_preset(builder, value);
		return;
	}
	if (number > 0 && number < _NSIG) {
		if (builder->signal_line[number] > 0) {
			fault(builder, received, "is repeated; it was set at line %d",
				builder->signal_line[number]);
			return;
		}
		builder->signal_line[number] = builder->line;
	}
	text = config_value_unquote(value);
	if (signal_map_set(&builder->settings->signals, received, text, &err) < 0)
		fault(builder, received, "%s", err.text);
	free(text);
}

void config_builder_key(
	struct config_builder *builder, int line, const char *key, const char *value)
{
	builder->line = line;
	switch (builder->place) {
	case CONFIG_NOWHERE: fault(builder, key, "stands before the first [section]"); break;
	case CONFIG_SKIPPED: break;
	case CONFIG_OPTIONS: set_option(builder, key, value); break;
	case CONFIG_SIGNALS: set_signal(builder, key, value); break;
	}
}

/* "web" of "/etc/preforkd/web.ini": a name for folders and logs. */
static char *name_of_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = memory_copy_string(slash ? slash + 1 : path);
	size_t length = strlen(name);

	if (length > 4 && strcmp(name + length - 4, ".ini") == 0)
		length -= 4;
	if (length > SETTINGS_NAME_MAX)
		length = SETTINGS_NAME_MAX;
	name[length] = '\0';
	for (char *at = name; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '_';
	if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return name;
	free(name);
	return memory_copy_string("preforkd");
}

/* A program with a slash in its name is relative to the file's folder like any path, unless the
 * workers have a folder or a root of their own, where it is looked for then. */
static void resolve_program(
	struct words *command, const struct pool_settings *pool, const char *folder, bool percent)
{
	char *path;

	if (command->count == 0 || !strchr(command->word[0], '/') || pool->directory ||
		pool->chroot)
		return;
	path = option_make_path(command->word[0], folder, percent);
	free(command->word[0]);
	command->word[0] = path;
}

static void resolve_programs(struct pool_settings *pool, const char *folder)
{
	resolve_program(&pool->command, pool, folder, true);
	resolve_program(&pool->on_spawn, pool, folder, false);
	resolve_program(&pool->on_ready, pool, folder, false);
	resolve_program(&pool->on_exit, pool, folder, false);
}

static struct settings *new_settings(void)
{
	struct settings *settings = memory_alloc(sizeof(*settings));

	settings->preforkd.origin = new_origin();
	options_set_defaults(SECTION_PREFORKD, &settings->preforkd);
	signal_map_init(&settings->signals);
	return settings;
}

void config_builder_init(struct config_builder *builder, struct faults *faults)
{
	*builder = (struct config_builder){.settings = new_settings(), .faults = faults};
}

static void end_file(struct config_builder *builder)
{
	struct settings *settings = builder->settings;

	for (; builder->first_pool < settings->pool_count; builder->first_pool++)
		resolve_programs(&settings->pools[builder->first_pool], builder->folder);
}

void config_builder_begin_file(struct config_builder *builder, const char *path, const char *folder)
{
	struct settings *settings = builder->settings;

	end_file(builder);
	settings->files =
		memory_resize(settings->files, settings->file_count + 1, sizeof(*settings->files));
	settings->files[settings->file_count] = memory_copy_string(path);
	builder->file = (int)settings->file_count++;
	builder->path = settings->files[builder->file];
	free(builder->folder);
	builder->folder = memory_copy_string(folder);
	builder->line = 0;
	builder->place = CONFIG_NOWHERE;
	set_label(builder, "");
}

struct settings *config_builder_finish(struct config_builder *builder)
{
	struct settings *settings = builder->settings;

	end_file(builder);
	free(builder->folder);
	free(builder->include_line);
	if (!settings->preforkd.name)
		settings->preforkd.name = name_of_file(settings->files[0]);
	settings_check(settings, builder->faults);
	return settings;
}
