/*
 * Any bytes as a configuration file: the reader ends with settings or with faults, which are lines
 * of text; settings that are printed read back to the same print. Lines of "%%" part the input:
 * behind the first are the files 1.ini, 2.ini, ... that can be included; there are no others.
 */
#include <errno.h>
#include <stdio.h>

#include "config_file.h"
#include "config_source.h"
#include "faults.h"
#include "must.h"
#include "settings.h"
#include "words.h"

#define PARTS_MAX 8

static struct part {
	char path[32];
	const char *bytes;
	size_t length;
} parts[PARTS_MAX];
static size_t part_count;

/* --- in the place of config_source.c ----------------------------------------------------- */

int config_source_read(struct config_bytes *out, const char *path, enum config_source source,
	size_t max_bytes, struct errmsg *err)
{
	(void)source;
	for (size_t i = 0; i < part_count; i++) {
		if (strcmp(parts[i].path, path) != 0)
			continue;
		must(parts[i].length <= max_bytes); /* the fuzzer's inputs are small */
		out->length = parts[i].length;
		out->bytes = malloc(out->length ? out->length : 1);
		must(out->bytes != NULL);
		memcpy(out->bytes, parts[i].bytes, out->length);
		return 0;
	}
	errno = ENOENT;
	return errmsg_errno(err, "cannot be read");
}

int config_source_find(struct words *paths, const char *pattern, struct errmsg *err)
{
	if (strchr(pattern, '['))
		return errmsg_set(err, "a folder of it cannot be read");
	if (!strchr(pattern, '*'))
		words_add(paths, pattern);
	for (size_t i = 1; i < part_count && strchr(pattern, '*'); i++)
		words_add(paths, parts[i].path);
	return 0;
}

bool config_source_same(const char *path, const char *other)
{
	return strcmp(path, other) == 0;
}

/* ----------------------------------------------------------------------------------------- */

static void take_apart(const char *bytes, size_t length)
{
	static const char mark[] = "\n%%\n";

	for (part_count = 0; part_count < PARTS_MAX;) {
		struct part *part = &parts[part_count];
		const char *end = memmem(bytes, length, mark, strlen(mark));

		snprintf(part->path, sizeof(part->path), "/fuzz/%zu.ini", part_count++);
		part->bytes = bytes;
		part->length = end ? (size_t)(end - bytes) : length;
		if (!end)
			return;
		length -= part->length + strlen(mark);
		bytes = end + strlen(mark);
	}
}

static char *print(const struct settings *settings, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	config_file_print(settings, out);
	fclose(out);
	return text;
}

static void check_round_trip(const struct settings *settings)
{
	struct faults faults = {0};
	size_t length, again_length;
	char *text = print(settings, &length), *again;
	struct settings *copy = config_file_parse("/fuzz/other.ini", text, length, &faults);

	must(copy && faults.errors == 0);
	again = print(copy, &again_length);
	must(length == again_length && memcmp(text, again, length) == 0);
	settings_free(copy);
	faults_free(&faults);
	free(again);
	free(text);
}

/* Each is one line, with its place and without control characters; none is lost. */
static void check_faults(const struct faults *faults)
{
	size_t errors = 0;

	for (size_t i = 0; i < faults->count; i++) {
		const struct fault *fault = &faults->fault[i];

		must(fault->text && fault->line >= 0);
		must(!fault->file || strncmp(fault->text, fault->file, strlen(fault->file)) == 0);
		for (const char *c = fault->text; *c; c++)
			must(((unsigned char)*c >= ' ' || *c == '\t') && *c != 0x7f);
		errors += !fault->warning;
	}
	must(errors == faults->errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct faults faults = {0};
	struct settings *settings;

	take_apart((const char *)data, size);
	settings = config_file_parse(parts[0].path, parts[0].bytes, parts[0].length, &faults);
	must(settings != NULL);
	check_faults(&faults);
	if (faults.errors == 0)
		check_round_trip(settings);
	settings_free(settings);
	faults_free(&faults);
	return 0;
}
