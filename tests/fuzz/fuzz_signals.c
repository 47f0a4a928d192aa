/*
 * Any text as a signal map: lines of "SIGNAL = ACTION", set one after the other into the defaults
 * or, when the first line is the name of a preset, into that. A line that is accepted changes one
 * rule, whose text reads back to the same; one that is refused changes nothing and says why.
 */
#include "signal_map.h"

#include "must.h"
#include "signal_name.h"
#include "signal_preset.h"

#define LINES_MAX 4 /* they do not know each other; a fuzzer is the faster */

/* A rule has no padding. */
static bool same_map(const struct signal_map *a, const struct signal_map *b)
{
	return memcmp(a->rule, b->rule, sizeof(a->rule)) == 0 && a->preset == b->preset;
}

static void check_rule(const struct signal_map *map, int number)
{
	const struct signal_rule *rule = &map->rule[number];
	struct signal_map again = *map;
	char text[64], text_again[64];

	must(rule->action > SIGNAL_UNLISTED && rule->action <= SIGNAL_SHRINK);
	must(rule->worker_signal >= 0 && rule->worker_signal < _NSIG);
	must(rule->action != SIGNAL_FORWARD || rule->worker_signal > 0);
	must(rule->interval_ms >= 0);
	must(rule->interval_ms == 0 ||
		(rule->worker_signal > 0 &&
			(rule->action == SIGNAL_STOP || rule->action == SIGNAL_FORWARD)));
	signal_rule_format(text, rule);
	again.rule[number] = (struct signal_rule){0};
	must(signal_map_set(&again, signal_name(number), text, NULL) == 0);
	must(same_map(map, &again));
	signal_rule_format(text_again, &again.rule[number]);
	must(strcmp(text, text_again) == 0);
}

/* Nobody can receive these, or would know what to make of them. */
static void check_receivable(int number)
{
	static const int never[] = {SIGKILL, SIGSTOP, SIGCHLD, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

	must(number > 0 && number < _NSIG);
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		must(number != never[i]);
}

static void set_line(struct signal_map *map, char *line)
{
	struct signal_map before = *map;
	struct errmsg err = {""};
	char *equals = strchr(line, '=');
	int number;

	if (!equals)
		return;
	*equals = '\0';
	if (signal_map_set(map, line, equals + 1, &err) < 0) {
		must_be_reason(&err);
		must(same_map(&before, map));
		return;
	}
	number = signal_number(line);
	check_receivable(number);
	check_rule(map, number);
	before.rule[number] = map->rule[number];
	must(same_map(&before, map));
}

/* The first line, which stands for the preset; all of the text when it names none. */
static char *begin(struct signal_map *map, char *text)
{
	char *end = strchr(text, '\n');
	struct errmsg err = {""};

	signal_map_init(map);
	if (!end || memchr(text, '=', (size_t)(end - text)))
		return text;
	*end = '\0';
	if (signal_preset_init(map, text, &err) == 0)
		must(map->preset && strcmp(map->preset, text) == 0);
	else
		must_be_reason(&err);
	return end + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signal_map map;
	char *text = text_of(data, size), *rest = begin(&map, text);

	for (int lines = 0; rest && lines < LINES_MAX; lines++)
		set_line(&map, strsep(&rest, "\n"));
	for (int i = 1; i < _NSIG; i++)
		must(map.rule[i].action <= SIGNAL_SHRINK);
	free(text);
	return 0;
}
