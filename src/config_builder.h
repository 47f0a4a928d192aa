#ifndef PREFORKD_CONFIG_BUILDER_H
#define PREFORKD_CONFIG_BUILDER_H
/*
 * Settings in the making: sections and keys go in as they stand in a file, checked settings or
 * faults come out. Floor 0.
 */
#include <stddef.h>

#include "options.h"
#include "settings.h"

struct faults;

#define CONFIG_SHOWN_BYTES 65 /* of a name in a message */

/* Where keys go to. */
enum config_place { CONFIG_NOWHERE, CONFIG_SKIPPED, CONFIG_OPTIONS, CONFIG_SIGNALS };

struct config_builder {
	struct settings *settings;
	struct faults *faults;

	const char *path;  /* of the file at hand, in messages */
	char *folder;      /* of its relative paths, absolute; owned */
	int file;          /* its number in settings.files; only the first may have [preforkd] */
	int line;          /* at hand */
	size_t first_pool; /* of the file */
	enum config_place place;
	enum option_section section;
	void *target;                            /* the section's struct */
	struct setting_origin *origin;           /* the section's */
	char label[CONFIG_SHOWN_BYTES];          /* "pool:web" */
	struct setting_origin preforkd, signals; /* where these sections begin */
	int signal_line[_NSIG], preset_line;
	int *include_line; /* of each word of preforkd.include; owned */
	size_t include_count;
};

void config_builder_init(struct config_builder *builder, struct faults *faults);
/* What comes now is the file's: the main one's first, then those it includes. */
void config_builder_begin_file(
	struct config_builder *builder, const char *path, const char *folder);
/* The word of `include` that names the file or folder at fault is the index-th. */
void config_builder_bad_include(struct config_builder *builder, size_t index, const char *why);
/* A section begins; name is changed. */
void config_builder_section(struct config_builder *builder, int line, char *name);
/* value: with its quoting, balanced. */
void config_builder_key(
	struct config_builder *builder, int line, const char *key, const char *value);
/* A header that could not be read: the keys below it belong nowhere. name may be NULL. */
void config_builder_bad_section(
	struct config_builder *builder, int line, const char *name, const char *why);
/* A line that could not be read. key: NULL, or the key whose value it was to be. */
void config_builder_bad_line(
	struct config_builder *builder, int line, const char *key, const char *why);
/* The settings, checked whole (the caller frees them), or NULL when there was a fault. */
struct settings *config_builder_finish(struct config_builder *builder);

#endif
