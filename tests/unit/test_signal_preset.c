/* Other programs' habits: the whole map of each, and what is said of one that is not known. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "errmsg.h"
#include "signal_name.h"
#include "signal_preset.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Every line, in the order of numbers: HUP INT QUIT USR1 USR2 TERM TTIN TTOU WINCH. */
static const struct {
	const char *name, *lines;
} presets[] = {
	{"preforker", "INT = stop TERM\nQUIT = stop QUIT\nUSR1 = reopen\nTERM = stop TERM\n"
		      "TTIN = grow\nTTOU = shrink QUIT\nWINCH = drain QUIT\n"},
	{"unicorn", "HUP = reload QUIT\nINT = stop TERM\nQUIT = stop QUIT\nUSR1 = reopen USR1\n"
		    "USR2 = upgrade\nTERM = stop TERM\nTTIN = grow\nTTOU = shrink QUIT\n"
		    "WINCH = drain QUIT\n"},
	{"gunicorn", "HUP = reload TERM\nINT = stop QUIT\nQUIT = stop QUIT\nUSR1 = reopen USR1\n"
		     "USR2 = upgrade\nTERM = stop TERM\nTTIN = grow\nTTOU = shrink TERM\n"
		     "WINCH = drain TERM\n"},
	{"php-fpm", "INT = stop TERM\nQUIT = stop QUIT\nUSR1 = reopen\nUSR2 = reload QUIT\n"
		    "TERM = stop TERM\n"},
	{"apache", "HUP = reload TERM\nINT = stop\nQUIT = stop\nUSR1 = reload\nTERM = stop TERM\n"
		   "WINCH = stop\n"},
	{"start_server", "HUP = reload TERM\nINT = stop TERM\nQUIT = stop\nTERM = stop TERM\n"},
	{"parallel-prefork", "HUP = reload TERM\nINT = stop\nQUIT = stop\nUSR1 = reconfigure\n"
			     "TERM = stop TERM\n"},
};

static void write_lines(char text[1024], const struct signal_map *map)
{
	size_t length = 0;
	char rule[64];

	text[0] = '\0';
	for (int number = 1; number < _NSIG; number++) {
		if (map->rule[number].action == SIGNAL_UNLISTED)
			continue;
		signal_rule_format(rule, &map->rule[number]);
		length += (size_t)snprintf(
			text + length, 1024 - length, "%s = %s\n", signal_name(number), rule);
	}
}

START_TEST(each_is_its_own_whole_map)
{
	struct signal_map map;
	struct errmsg err = {""};
	char text[1024];

	memset(&map, 0xa5, sizeof(map));
	ck_assert_int_eq(signal_preset_init(&map, presets[_i].name, &err), 0);
	write_lines(text, &map);
	ck_assert_str_eq(text, presets[_i].lines);
	ck_assert_str_eq(map.preset, presets[_i].name);
	ck_assert_str_eq(signal_preset_name((size_t)_i), presets[_i].name);
}
END_TEST

/* Whatever the habits, a terminal's and an init's way to end a program ends this one. */
START_TEST(all_of_them_end)
{
	static const int ending[] = {SIGTERM, SIGINT, SIGQUIT};
	struct signal_map map;
	const char *name;
	size_t count = 0;

	for (; (name = signal_preset_name(count)); count++) {
		ck_assert_int_eq(signal_preset_init(&map, name, NULL), 0);
		for (size_t i = 0; i < COUNT(ending); i++)
			ck_assert_int_eq(map.rule[ending[i]].action, SIGNAL_STOP);
	}
	ck_assert_uint_eq(count, COUNT(presets));
}
END_TEST

/* Every line is one that [signals] takes. */
START_TEST(lines_can_be_written)
{
	struct signal_map map, copy;
	char text[64];

	ck_assert_int_eq(signal_preset_init(&map, presets[_i].name, NULL), 0);
	copy = (struct signal_map){.preset = map.preset};
	for (int number = 1; number < _NSIG; number++) {
		if (map.rule[number].action == SIGNAL_UNLISTED)
			continue;
		signal_rule_format(text, &map.rule[number]);
		ck_assert_int_eq(signal_map_set(&copy, signal_name(number), text, NULL), 0);
	}
	ck_assert_mem_eq(&map, &copy, sizeof(map));
}
END_TEST

#define NAMES "preforker, unicorn, gunicorn, php-fpm, apache, start_server, parallel-prefork"
static const struct {
	const char *name, *reason;
} refused[] = {
	{"unicron", "\"unicron\" is none of " NAMES "; did you mean unicorn?"},
	{"Unicorn", "\"Unicorn\" is none of " NAMES "; did you mean unicorn?"},
	{"php_fpm", "\"php_fpm\" is none of " NAMES "; did you mean php-fpm?"},
	{"start-server", "\"start-server\" is none of " NAMES "; did you mean start_server?"},
	{"nginx", "\"nginx\" is none of " NAMES},
	{"", "\"\" is none of " NAMES},
};

START_TEST(others_are_refused)
{
	struct signal_map map, before;
	struct errmsg err = {""};

	signal_map_init(&map);
	before = map;
	ck_assert_int_eq(signal_preset_init(&map, refused[_i].name, &err), -1);
	ck_assert_str_eq(err.text, refused[_i].reason);
	ck_assert_mem_eq(&map, &before, sizeof(map));
	ck_assert_int_eq(signal_preset_init(&map, refused[_i].name, NULL), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signal_preset");
	TCase *tests = tcase_create("signal_preset");

	tcase_add_loop_test(tests, each_is_its_own_whole_map, 0, (int)COUNT(presets));
	tcase_add_test(tests, all_of_them_end);
	tcase_add_loop_test(tests, lines_can_be_written, 0, (int)COUNT(presets));
	tcase_add_loop_test(tests, others_are_refused, 0, (int)COUNT(refused));
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
