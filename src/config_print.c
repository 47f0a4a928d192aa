/*
 * Settings to an INI file that reads back the same. Every option of this version that has a value
 * is written, defaults too; one that repeats gets a line a word, so that no line outgrows what a
 * value may have.
 */
#include "config_file.h"

#include <stdlib.h>

#include "config_line.h"
#include "options.h"
#include "settings.h"
#include "signal_name.h"

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

		if (option->section != section || option->flags & OPTION_LATER)
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
