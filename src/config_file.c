/*
 * The INI files to settings and back. Our own reader takes each line apart (config_line.c) and
 * hands inih a short stand-in for it, so that inih sees sections and keys but none of its limits
 * ever cuts, joins or drops anything of the user's: what it calls back about is the line at hand.
 * What the sections and keys mean is config_builder.c's.
 */
#include "config_file.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_builder.h"
#include "config_line.h"
#include "config_source.h"
#include "errmsg.h"
#include "faults.h"
#include "memory.h"
#include "options.h"
#include "signal_name.h"

#define FILES_MAX_BYTES (16u << 20) /* together */
#define FILES_MAX       1000
#define FAULTS_MAX      1000 /* somebody reads a file of another kind; no need to go on */

struct reader {
	struct config_builder *builder;
	const char *next, *end;  /* what is not read yet */
	int number;              /* of the line at hand */
	char *text;              /* of it; owned */
	struct config_line line; /* its parts */
	bool header; /* inih was told of its section, the key that stands for it is still due */
};

static void refuse_line(struct reader *reader, const char *why)
{
	if (reader->line.kind == CONFIG_LINE_SECTION)
		config_builder_bad_section(reader->builder, reader->number, reader->line.name, why);
	else
		config_builder_bad_line(reader->builder, reader->number, reader->line.name, why);
	reader->line.kind = CONFIG_LINE_NOTHING;
}

/* Makes the next line of the text the one at hand. false: there is none, or too much is wrong. */
static bool next_line(struct reader *reader)
{
	const char *newline;
	struct errmsg err;
	size_t length;

	if (reader->next == reader->end)
		return false;
	reader->number++;
	if (reader->builder->faults->count >= FAULTS_MAX) {
		config_builder_bad_line(reader->builder, reader->number, NULL,
			"too many faults, the rest is not read");
		return false;
	}
	newline = memchr(reader->next, '\n', (size_t)(reader->end - reader->next));
	length = (size_t)((newline ? newline : reader->end) - reader->next);
	free(reader->text);
	reader->text = memory_alloc(length + 1);
	memcpy(reader->text, reader->next, length);
	reader->next += length + (newline ? 1 : 0);
	if (config_line_parse(&reader->line, reader->text, length, &err) < 0)
		refuse_line(reader, err.text);
	return true;
}

/* inih's fgets(3). A header becomes "[LINE]" and a key of its own below it, since inih calls back
 * for keys only; a key becomes "key = LINE". */
static char *feed_line(char *buffer, int size, void *context)
{
	struct reader *reader = context;

	if (reader->header) {
		reader->header = false;
		snprintf(buffer, (size_t)size, "section = %d\n", reader->number);
		return buffer;
	}
	do {
		if (!next_line(reader))
			return NULL;
	} while (reader->line.kind == CONFIG_LINE_NOTHING);
	reader->header = reader->line.kind == CONFIG_LINE_SECTION;
	if (reader->header)
		snprintf(buffer, (size_t)size, "[%d]\n", reader->number);
	else
		snprintf(buffer, (size_t)size, "key = %d\n", reader->number);
	return buffer;
}

static int take_line(void *context, const char *section, const char *name, const char *value)
{
	struct reader *reader = context;

	(void)section;
	(void)value;
	assert(atoi(value) == reader->number);
	if (strcmp(name, "section") == 0)
		config_builder_section(reader->builder, reader->number, reader->line.name);
	else
		config_builder_key(
			reader->builder, reader->number, reader->line.name, reader->line.value);
	return 1;
}

/* The folder of the file, absolute. */
static char *find_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	char *folder = memory_format(
		"%s%s%.*s", here ? here : "", here && length ? "/" : "", (int)length, path);

	free(here);
	return folder;
}

static void parse_file(
	struct config_builder *builder, const char *path, const char *bytes, size_t length)
{
	static const char byte_order_mark[] = {'\xef', '\xbb', '\xbf'};
	struct reader reader = {.builder = builder, .next = bytes, .end = bytes + length};
	char *folder = find_folder(path);

	config_builder_begin_file(builder, path, folder);
	free(folder);
	if (length >= sizeof(byte_order_mark) &&
		memcmp(bytes, byte_order_mark, sizeof(byte_order_mark)) == 0)
		reader.next += sizeof(byte_order_mark);
	ini_parse_stream(feed_line, &reader, take_line, &reader);
	free(reader.text);
}

/* --- included files ---------------------------------------------------------------------- */

struct inclusion {
	struct config_builder *builder;
	size_t word;       /* of `include`, at hand */
	size_t left_bytes; /* that all files together may still have */
};

static bool is_read(const struct settings *settings, const char *path)
{
	for (size_t i = 1; i < settings->file_count; i++)
		if (strcmp(settings->files[i], path) == 0)
			return true;
	return false;
}

static void include_file(struct inclusion *inclusion, const char *path)
{
	struct config_builder *builder = inclusion->builder;
	struct config_bytes file;
	struct errmsg reason, fault;

	if (is_read(builder->settings, path))
		return;
	if (config_source_same(path, builder->settings->files[0])) {
		errmsg_set(&fault, "\"%.400s\" is the file that includes it", path);
		config_builder_bad_include(builder, inclusion->word, fault.text);
		return;
	}
	if (config_source_read(&file, path, CONFIG_INCLUDED, inclusion->left_bytes, &reason) < 0) {
		errmsg_set(&fault, "\"%.400s\" %s", path, reason.text);
		config_builder_bad_include(builder, inclusion->word, fault.text);
		return;
	}
	inclusion->left_bytes -= file.length;
	parse_file(builder, path, file.bytes, file.length);
	free(file.bytes);
}

/* The pattern, absolute. What is special in the folder's name stands for itself. malloced. */
static char *find_pattern(const char *text, const char *folder)
{
	char *escaped = memory_alloc(2 * strlen(folder) + 1), *out = escaped;
	char *pattern;

	for (; *folder; folder++) {
		if (strchr("*?[\\", *folder))
			*out++ = '\\';
		*out++ = *folder;
	}
	pattern = option_make_path(text, escaped, false);
	free(escaped);
	return pattern;
}

static void include_word(struct inclusion *inclusion, const char *text, const char *folder)
{
	struct config_builder *builder = inclusion->builder;
	char *pattern = find_pattern(text, folder);
	struct words paths = {0};
	struct errmsg err;

	if (config_source_find(&paths, pattern, &err) < 0)
		config_builder_bad_include(builder, inclusion->word, err.text);
	if (builder->settings->file_count + paths.count > FILES_MAX)
		config_builder_bad_include(builder, inclusion->word, "more than 1000 files");
	else
		for (size_t i = 0; i < paths.count && builder->faults->count < FAULTS_MAX; i++)
			include_file(inclusion, paths.word[i]);
	words_free(&paths);
	free(pattern);
}

struct settings *config_file_parse(
	const char *path, const char *bytes, size_t length, struct faults *faults)
{
	struct config_builder builder;
	struct inclusion inclusion = {
		.builder = &builder,
		.left_bytes = length < FILES_MAX_BYTES ? FILES_MAX_BYTES - length : 0,
	};
	const struct words *include;
	char *folder = find_folder(path);

	config_builder_init(&builder, faults);
	if (length == 0)
		faults_add(
			faults, path, 0, NULL, NULL, "the file is empty: there is no [pool:NAME]");
	parse_file(&builder, path, bytes, length);
	/* No loop: only the main file can add to it. */
	include = &builder.settings->preforkd.include;
	for (; inclusion.word < include->count; inclusion.word++)
		include_word(&inclusion, include->word[inclusion.word], folder);
	free(folder);
	return config_builder_finish(&builder);
}

struct settings *config_file_read(const char *path, struct faults *faults)
{
	struct settings *settings;
	struct config_bytes file;
	struct errmsg err;
	int error;

	if (config_source_read(&file, path, CONFIG_MAIN, FILES_MAX_BYTES, &err) < 0) {
		error = errno;
		faults_add(faults, path, 0, NULL, NULL, "%s", err.text);
		errno = error;
		return NULL;
	}
	settings = config_file_parse(path, file.bytes, file.length, faults);
	free(file.bytes);
	return settings;
}

/* --- and back ---------------------------------------------------------------------------- */

/* One that repeats gets a line a word, so that no line outgrows what a value may have. */
static void print_words(const struct option *option, const struct words *words, FILE *out)
{
	for (size_t i = 0; i < words->count; i++) {
		char *word = words_quote(words->word[i]);

		fprintf(out, "%s = %s\n", option->key, word);
		free(word);
	}
}

static void print_option(const struct option *option, const void *section, FILE *out)
{
	char *value = option_format(option, section);
	char *quoted;

	if (!value)
		return;
	/* The words of a command are quoted already. */
	quoted = option->type == OPTION_COMMAND ? NULL : config_value_quote(value);
	fprintf(out, "%s = %s\n", option->key, quoted ? quoted : value);
	free(quoted);
	free(value);
}

static void print_section(
	enum option_section section, const char *name, const void *section_struct, FILE *out)
{
	fprintf(out, "%s[%s%s]\n", section == SECTION_PREFORKD ? "" : "\n",
		option_section_name(section), name ? name : "");
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];

		if (option->section != section || option->flags & (OPTION_LATER | OPTION_DISSOLVES))
			continue;
		if (option->flags & OPTION_REPEATS)
			print_words(option,
				(const struct words *)((const char *)section_struct +
						       option->offset),
				out);
		else
			print_option(option, section_struct, out);
	}
}

static void print_signals(const struct signal_map *signals, FILE *out)
{
	char rule[64];

	fputs("\n[signals]\n", out);
	if (signals->preset)
		fprintf(out, "preset = %s\n", signals->preset);
	for (int number = 1; number < _NSIG; number++) {
		if (signals->rule[number].action == SIGNAL_UNLISTED)
			continue;
		signal_rule_format(rule, &signals->rule[number]);
		fprintf(out, "%s = %s\n", signal_name(number), rule);
	}
}

void config_file_print(const struct settings *settings, FILE *out)
{
	print_section(SECTION_PREFORKD, NULL, &settings->preforkd, out);
	for (size_t i = 0; i < settings->socket_count; i++)
		print_section(
			SECTION_SOCKET, settings->sockets[i].name, &settings->sockets[i], out);
	for (size_t i = 0; i < settings->pool_count; i++)
		print_section(SECTION_POOL, settings->pools[i].name, &settings->pools[i], out);
	print_signals(&settings->signals, out);
}
