/*
 * The lines of [signals], to rules and back. Signals are told apart by number, so TERM, SIGTERM and
 * 15 are the same line. Actions are written in small letters, which keeps `stop` and the signal
 * STOP apart. This is data only: what an action does is the supervisor's business.
 */
#include "signal_map.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "errmsg.h"
#include "signal_name.h"
#include "suggest.h"
#include "value.h"
#include "words.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const action_names[] = {
#define X(symbol, name) name,
	SIGNAL_ACTIONS(X)
#undef X
};

static const char fault_reason[] = "is raised by a program's own faults, it cannot be mapped";

/* Signals that no line can be about. */
static const struct {
	int number;
	const char *reason;
} not_receivable[] = {
	{SIGKILL, "cannot be received by any process"},
	{SIGSTOP, "cannot be received by any process"},
	{SIGCHLD, "tells of children that ended, it cannot be mapped"},
	{SIGSEGV, fault_reason},
	{SIGBUS, fault_reason},
	{SIGFPE, fault_reason},
	{SIGILL, fault_reason},
	{SIGTRAP, fault_reason},
	{SIGABRT, fault_reason},
	{SIGSYS, fault_reason},
};

static const struct {
	int number;
	enum signal_action action;
} defaults[] = {
	{SIGTERM, SIGNAL_STOP},
	{SIGINT, SIGNAL_STOP},
	{SIGQUIT, SIGNAL_STOP},
	{SIGHUP, SIGNAL_RELOAD},
	{SIGUSR1, SIGNAL_REOPEN},
	{SIGUSR2, SIGNAL_UPGRADE},
	{SIGWINCH, SIGNAL_DRAIN},
	{SIGTTIN, SIGNAL_GROW},
	{SIGTTOU, SIGNAL_SHRINK},
};

const char *signal_action_name(enum signal_action action)
{
	return action_names[action];
}

void signal_map_init(struct signal_map *map)
{
	*map = (struct signal_map){0};
	for (size_t i = 0; i < COUNT(defaults); i++)
		map->rule[defaults[i].number].action = defaults[i].action;
}

/* "X is not a signal (did you mean Y?)"; with the actions among the proposals where one might have
 * been meant. */
static int refuse_name(const char *name, bool action_fits, struct errmsg *err)
{
	const char *candidates[SIGNAL_NAMES_MAX + COUNT(action_names)];
	const char *near, *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
	const char *what = action_fits ? "neither an action nor a signal" : "not a signal";
	size_t count = 0;

	for (size_t i = SIGNAL_UNLISTED + 1; action_fits && i < COUNT(action_names); i++)
		candidates[count++] = action_names[i];
	count += signal_names(candidates + count);
	near = suggest_nearest(bare, candidates, count);
	if (near)
		return errmsg_set(err, "\"%.80s\" is %s (did you mean %s?)", name, what, near);
	return errmsg_set(err, "\"%.80s\" is %s", name, what);
}

static int parse_received(int *out, const char *received, struct errmsg *err)
{
	int number = signal_number(received);

	if (number < 0)
		return refuse_name(received, false, err);
	for (size_t i = 0; i < COUNT(not_receivable); i++)
		if (not_receivable[i].number == number)
			return errmsg_set(
				err, "%s %s", signal_name(number), not_receivable[i].reason);
	*out = number;
	return 0;
}

/* SIGNAL_UNLISTED, which cannot be asked for, when the word is no action. */
static enum signal_action find_action(const char *word)
{
	for (size_t i = SIGNAL_UNLISTED + 1; i < COUNT(action_names); i++)
		if (strcmp(word, action_names[i]) == 0)
			return (enum signal_action)i;
	return SIGNAL_UNLISTED;
}

static bool takes_interval(enum signal_action action)
{
	return action == SIGNAL_STOP || action == SIGNAL_FORWARD;
}

static int parse_interval(struct signal_rule *rule, const char *text, struct errmsg *err)
{
	if (!takes_interval(rule->action))
		return errmsg_set(err, "%s takes no interval, only stop and forward do",
			signal_action_name(rule->action));
	if (value_parse_duration(&rule->interval_ms, text, err) < 0)
		return -1;
	if (rule->interval_ms == DURATION_INFINITE)
		return errmsg_set(err, "the interval cannot be infinite");
	return 0;
}

/* "QUIT" or "QUIT/2s". `alone`: it is all there is, so it could have been meant as an action. */
static int parse_signal(struct signal_rule *rule, const char *word, bool alone, struct errmsg *err)
{
	const char *slash = strchr(word, '/');
	char name[32];
	size_t length = slash ? (size_t)(slash - word) : strlen(word);

	if (slash && length == 0)
		return errmsg_set(
			err, "an interval needs a signal before it, as in TERM%.40s", word);
	if (length >= sizeof(name))
		return refuse_name(word, alone, err);
	memcpy(name, word, length);
	name[length] = '\0';
	if (alone && strcasecmp(name, "stop") == 0)
		return errmsg_set(err, "write stop for the action, or forward STOP for the signal");
	rule->worker_signal = signal_number(name);
	if (rule->worker_signal < 0)
		return refuse_name(name, alone, err);
	return slash ? parse_interval(rule, slash + 1, err) : 0;
}

/* A word alone: an action, or a signal, which is short for sending it on. */
static int parse_one_word(
	struct signal_rule *rule, int received, const char *word, struct errmsg *err)
{
	bool ending = received == SIGTERM || received == SIGINT || received == SIGQUIT;

	rule->action = find_action(word);
	if (rule->action == SIGNAL_FORWARD)
		return errmsg_set(err, "forward needs a signal, as in forward TERM");
	if (rule->action != SIGNAL_UNLISTED)
		return 0;
	rule->action = ending ? SIGNAL_STOP : SIGNAL_FORWARD;
	return parse_signal(rule, word, true, err);
}

static int parse_two_words(struct signal_rule *rule, char *const *word, struct errmsg *err)
{
	const char *near;

	rule->action = find_action(word[0]);
	if (rule->action != SIGNAL_UNLISTED)
		return parse_signal(rule, word[1], false, err);
	near = suggest_nearest(word[0], action_names + 1, COUNT(action_names) - 1);
	if (near)
		return errmsg_set(
			err, "\"%.80s\" is not an action (did you mean %s?)", word[0], near);
	return errmsg_set(err, "\"%.80s\" is not an action", word[0]);
}

static int parse_rule(
	struct signal_rule *rule, int received, const struct words *words, struct errmsg *err)
{
	switch (words->count) {
	case 1: return parse_one_word(rule, received, words->word[0], err);
	case 2: return parse_two_words(rule, words->word, err);
	default: return errmsg_set(err, "it should be ACTION [SIGNAL[/INTERVAL]] or SIGNAL");
	}
}

int signal_map_set(
	struct signal_map *map, const char *received, const char *text, struct errmsg *err)
{
	struct signal_rule rule = {0};
	struct words words;
	int number = 0, result;

	if (parse_received(&number, received, err) < 0 || words_split_blanks(&words, text, err) < 0)
		return -1;
	result = parse_rule(&rule, number, &words, err);
	words_free(&words);
	if (result == 0)
		map->rule[number] = rule;
	return result;
}

void signal_rule_format(char text[64], const struct signal_rule *rule)
{
	const char *action = signal_action_name(rule->action);
	char interval[VALUE_TEXT_BYTES];

	if (rule->worker_signal <= 0) {
		snprintf(text, 64, "%s", action);
		return;
	}
	if (rule->interval_ms <= 0) {
		snprintf(text, 64, "%s %s", action, signal_name(rule->worker_signal));
		return;
	}
	value_format_duration(interval, rule->interval_ms);
	snprintf(text, 64, "%s %s/%.24s", action, signal_name(rule->worker_signal), interval);
}
