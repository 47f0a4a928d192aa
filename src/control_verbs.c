/*
 * The table of verbs and how their words are read. Both the client, before it asks, and the
 * supervisor, which trusts no client, go through here, so both say the same of a wrong request.
 */
#include "control_verbs.h"

#include <signal.h>
#include <string.h>

#include "errmsg.h"
#include "settings.h"
#include "signal_name.h"
#include "suggest.h"

#define NUMBER_MAX    1000000 /* of workers, of slots */
#define NUMBER_DIGITS 7
#define NAME_BYTES    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

static const struct control_verb_info verbs[VERB_COUNT] = {
#define X(symbol, ...) [VERB_##symbol] = {__VA_ARGS__},
	CONTROL_VERBS(X)
#undef X
};

const struct control_verb_info *control_verb_info(enum control_verb verb)
{
	return &verbs[verb];
}

bool control_verb_find(const char *name, enum control_verb *verb)
{
	for (int i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verbs[i].name, name) == 0) {
			*verb = (enum control_verb)i;
			return true;
		}
	}
	return false;
}

bool control_verb_reads_only(const char *name)
{
	enum control_verb verb;

	return control_verb_find(name, &verb) && verbs[verb].reads_only;
}

static int not_found(const char *what, const char *name, const char *nearest, struct errmsg *err)
{
	if (nearest)
		return errmsg_set(err, "no such %s: %s (did you mean %s?)", what, name, nearest);
	return errmsg_set(err, "no such %s: %s", what, name);
}

static int find_verb(struct control_command *command, const char *name, struct errmsg *err)
{
	const char *names[VERB_COUNT];

	if (control_verb_find(name, &command->verb))
		return 0;
	for (int i = 0; i < VERB_COUNT; i++)
		names[i] = verbs[i].name;
	return not_found("command", name, suggest_nearest(name, names, VERB_COUNT), err);
}

static int read_signal(struct control_command *command, const char *name, struct errmsg *err)
{
	const char *names[SIGNAL_NAMES_MAX];

	command->signal_number = signal_number(name);
	if (command->signal_number > 0)
		return 0;
	return not_found("signal", name, suggest_nearest(name, names, signal_names(names)), err);
}

static int read_pool(struct control_command *command, const char *name, struct errmsg *err)
{
	size_t length = strlen(name);

	if (length > SECTION_NAME_MAX || strspn(name, NAME_BYTES) != length)
		return not_found("pool", name, NULL, err);
	command->pool = name;
	return 0;
}

/* Digits only, up to NUMBER_MAX; -1 otherwise. */
static int read_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	int number = 0;

	if (digits == 0 || digits > NUMBER_DIGITS || text[digits])
		return -1;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	return number <= NUMBER_MAX ? number : -1;
}

static int read_slot(struct control_command *command, const char *text, struct errmsg *err)
{
	command->slot = read_number(text);
	if (command->slot < 0)
		return errmsg_set(err, "not a slot: %s (slots count from 0)", text);
	return 0;
}

static int read_scale(struct control_command *command, const char *text, struct errmsg *err)
{
	bool relative = *text == '+' || *text == '-';
	int number = read_number(text + relative);

	if (number < 0)
		return errmsg_set(err, "not a number of workers: %s (N, +N or -N)", text);
	command->scale = relative ? SCALE_BY : SCALE_TO;
	command->number = *text == '-' ? -number : number;
	return 0;
}

static int read_pool_and_slot(
	struct control_command *command, char *const word[], struct errmsg *err)
{
	if (!word[0])
		return 0;
	if (read_pool(command, word[0], err) < 0)
		return -1;
	return word[1] ? read_slot(command, word[1], err) : 0;
}

static int read_arguments(struct control_command *command, char *const word[], struct errmsg *err)
{
	switch (command->verb) {
	case VERB_STATUS:
	case VERB_RESTART: return read_pool_and_slot(command, word, err);
	case VERB_STOP: return word[0] ? read_signal(command, word[0], err) : 0;
	case VERB_QUIT: command->signal_number = SIGQUIT; return 0;
	case VERB_SIGNAL:
		if (read_signal(command, word[0], err) < 0)
			return -1;
		return read_pool_and_slot(command, word + 1, err);
	case VERB_SCALE:
		if (read_pool(command, word[0], err) < 0)
			return -1;
		return read_scale(command, word[1], err);
	case VERB_EVENTS:
	case VERB_RELOAD:
	case VERB_RECONFIGURE:
	case VERB_REOPEN:
	case VERB_DRAIN:
	case VERB_RESUME:
	case VERB_UPGRADE:
	case VERB_PING: return 0;
	}
	return 0;
}

int control_verb_parse(
	struct control_command *command, char *const word[], int words, struct errmsg *err)
{
	const struct control_verb_info *info;

	*command = (struct control_command){.slot = -1};
	if (words < 1)
		return errmsg_set(err, "no command");
	if (find_verb(command, word[0], err) < 0)
		return -1;
	info = control_verb_info(command->verb);
	if (words < info->least_words || words > info->most_words)
		return errmsg_set(err, "wrong number of arguments for %s, which is: %s%s%s",
			info->name, info->name, *info->arguments ? " " : "", info->arguments);
	return read_arguments(command, word + 1, err);
}
