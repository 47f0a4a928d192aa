#ifndef PREFORKD_CONFIG_WORLD_H
#define PREFORKD_CONFIG_WORLD_H
/*
 * What the tests of the configuration share: texts to settings, settings to texts, faults as one
 * text, a line each.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"
#include "faults.h"
#include "settings.h"

#define CONFIG_PATH "/srv/app/t.ini"

/* Every line of the faults, with the path cut to "t". malloced. */
static inline char *faults_text(const struct faults *faults)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; i < faults->count; i++) {
		const char *line = faults->fault[i].text;

		if (strncmp(line, CONFIG_PATH, strlen(CONFIG_PATH)) == 0)
			fprintf(out, "t%s\n", line + strlen(CONFIG_PATH));
		else
			fprintf(out, "%s\n", line);
	}
	fclose(out);
	return text;
}

static inline struct settings *parse_text(const char *text, struct faults *faults)
{
	*faults = (struct faults){0};
	return config_file_parse(CONFIG_PATH, text, strlen(text), faults);
}

/* The settings of a text that has nothing wrong with it. */
static inline struct settings *must_parse(const char *text)
{
	struct faults faults;
	struct settings *settings = parse_text(text, &faults);
	char *found = faults_text(&faults);

	ck_assert_msg(faults.errors == 0, "%s\nhas faults:\n%s", text, found);
	free(found);
	faults_free(&faults);
	return settings;
}

/* The text has exactly these faults and warnings, each "t:LINE: ...\n". */
static inline void check_faults(const char *text, const char *expected)
{
	struct faults faults;
	struct settings *settings = parse_text(text, &faults);
	char *found = faults_text(&faults);

	ck_assert_msg(strcmp(found, expected) == 0, "%s\nexpected:\n%s\nfound:\n%s", text, expected,
		found);
	ck_assert_ptr_nonnull(settings);
	free(found);
	settings_free(settings);
	faults_free(&faults);
}

static inline char *print_text(const struct settings *settings)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	config_file_print(settings, out);
	fclose(out);
	return text;
}

#endif
