#ifndef PREFORKD_CONFIG_FILE_H
#define PREFORKD_CONFIG_FILE_H
/*
 * The INI file to settings and back. Read with inih, fed line by line so that none of its limits
 * shows (Debian's cuts lines at 199 bytes, cuts at " ;" inside quotes, joins indented lines and
 * drops empty sections, all silently). Floor 1.
 */
#include <stddef.h>
#include <stdio.h>

struct faults;
struct settings;

/* The settings of the file at `path` and of those that it includes, checked within themselves
 * (settings_check()), for the caller to free; NULL with errno (and a fault) when the file could not
 * be read, while one of the others that could not is a fault like any. Settings with faults are
 * there only to look for further ones (preflight_check()): what was wrong has its default in them.
 */
struct settings *config_file_read(const char *path, struct faults *faults);
/* The same from the file's bytes; path is only its name (for faults, relative paths and `name`).
 * What it includes is read from files. */
struct settings *config_file_parse(
	const char *path, const char *bytes, size_t length, struct faults *faults);
/* The effective configuration, defaults included, as one INI file that reads back the same. */
void config_file_print(const struct settings *settings, FILE *out);

#endif
