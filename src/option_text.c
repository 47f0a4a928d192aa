/*
 * Options whose value is text of some kind: strings, paths, words, what standard input and output
 * are, addresses. Paths are made absolute here; whether they exist is preflight.c's question.
 */
#include "option_kind.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "errmsg.h"
#include "memory.h"
#include "settings.h"

static void replace_string(char **at, char *text)
{
	free(*at);
	*at = text;
}

static int set_string(const struct option_target *target, const char *text, struct errmsg *err)
{
	if (!*text)
		return errmsg_set(err, "is empty");
	replace_string(option_field(target->option, target->section), memory_copy_string(text));
	return 0;
}

static char *format_string(const struct option *option, const void *section)
{
	return memory_copy_string(*(char *const *)option_const_field(option, section));
}

static bool strings_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool equal_string(const struct option *option, const void *a, const void *b)
{
	return strings_equal(*(char *const *)option_const_field(option, a),
		*(char *const *)option_const_field(option, b));
}

static void release_string(const struct option *option, void *section)
{
	replace_string(option_field(option, section), NULL);
}

/* Is every %{...} in the text one that we know? */
static int check_percent(const struct option *option, const char *text, struct errmsg *err)
{
	static const struct expansion any = {.name = "name", .pool = "pool", .slot = 0};
	char *expanded;

	if (!(option->flags & OPTION_PERCENT))
		return 0;
	expanded = words_expand(text, &any, err);
	if (!expanded)
		return -1;
	free(expanded);
	return 0;
}

/* The folder, with its percent signs doubled where they would mean something. malloced. */
static char *copy_folder(const char *folder, bool percent)
{
	char *copy = memory_alloc(2 * strlen(folder) + 1);
	char *out = copy;

	for (; *folder; folder++) {
		if (*folder == '%' && percent)
			*out++ = '%';
		*out++ = *folder;
	}
	return copy;
}

/* "//" and "/./" become "/", in place, so that one path is written in one way. */
static void squeeze_path(char *path)
{
	char *out = path;

	for (const char *in = path; *in;) {
		if (in[0] == '/' && in[1] == '/')
			in++;
		else if (in[0] == '/' && in[1] == '.' && (in[2] == '/' || !in[2]))
			in += 2;
		else
			*out++ = *in++;
	}
	if (out == path && *path)
		*out++ = '/';
	*out = '\0';
}

char *option_make_path(const char *text, const char *folder, bool percent)
{
	char *start = *text == '/' ? NULL : copy_folder(folder, percent);
	char *path = start ? memory_format("%s/%s", start, text) : memory_copy_string(text);

	free(start);
	squeeze_path(path);
	return path;
}

/* The path that the text means, malloced, or NULL with the reason. */
static char *make_path(const struct option_target *target, const char *text, struct errmsg *err)
{
	char *path;

	if (!*text) {
		errmsg_set(err, "the path is empty");
		return NULL;
	}
	if (check_percent(target->option, text, err) < 0)
		return NULL;
	if (*text != '/' && !target->folder) {
		errmsg_set(err, "\"%.80s\" is not an absolute path", text);
		return NULL;
	}
	path = option_make_path(text, target->folder, target->option->flags & OPTION_PERCENT);
	if (strlen(path) < PATH_MAX)
		return path;
	errmsg_set(err, "the path is longer than %d bytes", PATH_MAX - 1);
	free(path);
	return NULL;
}

/* Where words and paths share a key, a path has a slash or a dot in it: a word that was mistyped
 * must not become a file's name. */
static bool looks_like_path(const char *text)
{
	return strpbrk(text, "/.") != NULL;
}

static int set_path(const struct option_target *target, const char *text, struct errmsg *err)
{
	const struct option *option = target->option;
	char *path;

	if (option->names && *text && !looks_like_path(text)) {
		if (!option_find_name(option->names, text))
			return option_refuse_name(option->names, true, text, err);
		path = memory_copy_string(text);
	} else {
		path = make_path(target, text, err);
	}
	if (!path)
		return -1;
	replace_string(option_field(option, target->section), path);
	return 0;
}

/* Takes the words over: in place of the old ones, or behind them. */
static void store_words(const struct option_target *target, struct words *words)
{
	struct words *at = option_field(target->option, target->section);

	if (!(target->option->flags & OPTION_REPEATS)) {
		words_free(at);
		*at = *words;
		return;
	}
	for (size_t i = 0; i < words->count; i++)
		words_add(at, words->word[i]);
	words_free(words);
}

/* NAME=value with a name that every shell and program takes. */
static bool is_assignment(const char *word)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "_0123456789";
	size_t length = strspn(word, allowed);

	return length > 0 && !(*word >= '0' && *word <= '9') && word[length] == '=';
}

static int check_word(const struct option *option, const char *word, struct errmsg *err)
{
	if (option->flags & OPTION_ASSIGNMENTS && !is_assignment(word))
		return errmsg_set(err, "\"%.80s\" is not NAME=value", word);
	return check_percent(option, word, err);
}

static int set_words(const struct option_target *target, struct words *words, struct errmsg *err)
{
	if (words->count == 0)
		return errmsg_set(err, "is empty");
	for (size_t i = 0; i < words->count; i++) {
		if (check_word(target->option, words->word[i], err) < 0) {
			words_free(words);
			return -1;
		}
	}
	store_words(target, words);
	return 0;
}

static int set_command(const struct option_target *target, const char *text, struct errmsg *err)
{
	struct words words;

	return words_split(&words, text, err) < 0 ? -1 : set_words(target, &words, err);
}

static int set_list(const struct option_target *target, const char *text, struct errmsg *err)
{
	struct words words;

	return words_split_blanks(&words, text, err) < 0 ? -1 : set_words(target, &words, err);
}

static char *format_command(const struct option *option, const void *section)
{
	const struct words *words = option_const_field(option, section);

	return words->count ? words_join(words) : NULL;
}

static char *format_list(const struct option *option, const void *section)
{
	const struct words *words = option_const_field(option, section);
	char *text = NULL;

	for (size_t i = 0; i < words->count; i++) {
		char *longer =
			memory_format("%s%s%s", text ? text : "", text ? " " : "", words->word[i]);

		free(text);
		text = longer;
	}
	return text;
}

static bool equal_words(const struct option *option, const void *a, const void *b)
{
	return words_equal(option_const_field(option, a), option_const_field(option, b));
}

static void release_words(const struct option *option, void *section)
{
	words_free(option_field(option, section));
}

/* "append:" of "append:/var/log/x", "log" of "log", "" of any other path. */
static const struct option_name *find_stdio(const struct option_name *names, const char *text)
{
	for (; names->name; names++) {
		size_t length = strlen(names->name);

		if (length == 0                          ? looks_like_path(text)
			: names->name[length - 1] == ':' ? strncmp(names->name, text, length) == 0
							 : strcmp(names->name, text) == 0)
			return names;
	}
	return NULL;
}

static int set_stdio(const struct option_target *target, const char *text, struct errmsg *err)
{
	const struct option_name *name = find_stdio(target->option->names, text);
	struct stdio_setting *at = option_field(target->option, target->section);
	struct stdio_setting setting = {0};
	const char *rest;

	if (!name)
		return option_refuse_name(target->option->names, false, text, err);
	setting.kind = (enum stdio_kind)name->value;
	rest = text + strlen(name->name);
	if (setting.kind == STDIO_SOCKET) {
		if (!*rest)
			return errmsg_set(err, "names no socket");
		setting.target = memory_copy_string(rest);
	} else if (setting.kind == STDIO_PATH || setting.kind == STDIO_APPEND) {
		setting.target = make_path(target, rest, err);
		if (!setting.target)
			return -1;
	}
	free(at->target);
	*at = setting;
	return 0;
}

static char *format_stdio(const struct option *option, const void *section)
{
	const struct stdio_setting *setting = option_const_field(option, section);

	for (const struct option_name *name = option->names; name->name; name++)
		if (name->value == (int)setting->kind)
			return memory_format(
				"%s%s", name->name, setting->target ? setting->target : "");
	return NULL;
}

static bool equal_stdio(const struct option *option, const void *a, const void *b)
{
	const struct stdio_setting *left = option_const_field(option, a),
				   *right = option_const_field(option, b);

	return left->kind == right->kind && strings_equal(left->target, right->target);
}

static void release_stdio(const struct option *option, void *section)
{
	struct stdio_setting *setting = option_field(option, section);

	free(setting->target);
	*setting = (struct stdio_setting){0};
}

/* A unix socket's path is relative to the folder too, and must still fit its address. */
static int resolve_address(
	struct address *address, const struct option_target *target, struct errmsg *err)
{
	char *path;

	if (address->kind != ADDRESS_UNIX)
		return 0;
	path = make_path(target, address->path, err);
	if (!path)
		return -1;
	replace_string(&address->path, path);
	if (strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return 0;
	return errmsg_set(err, "the path \"%.200s\" is longer than %zu bytes", path,
		sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
}

static int set_address(const struct option_target *target, const char *text, struct errmsg *err)
{
	struct address *at = option_field(target->option, target->section);
	struct address address;

	if (address_parse(&address, text, err) < 0)
		return -1;
	if (resolve_address(&address, target, err) < 0) {
		address_free(&address);
		return -1;
	}
	address_free(at);
	*at = address;
	return 0;
}

static char *format_address(const struct option *option, const void *section)
{
	const struct address *address = option_const_field(option, section);

	return address->kind == ADDRESS_NONE ? NULL : address_format(address);
}

static bool equal_address(const struct option *option, const void *a, const void *b)
{
	return address_equal(option_const_field(option, a), option_const_field(option, b));
}

static void release_address(const struct option *option, void *section)
{
	address_free(option_field(option, section));
}

const struct option_kind option_kind_string = {
	set_string, format_string, equal_string, release_string};
const struct option_kind option_kind_path = {set_path, format_string, equal_string, release_string};
const struct option_kind option_kind_command = {
	set_command, format_command, equal_words, release_words};
const struct option_kind option_kind_list = {set_list, format_list, equal_words, release_words};
const struct option_kind option_kind_stdio = {set_stdio, format_stdio, equal_stdio, release_stdio};
const struct option_kind option_kind_address = {
	set_address, format_address, equal_address, release_address};
