/* Which name was meant: tables, and slips of the finger made at random. */
#include <string.h>

#include "suggest.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const keys[] = {"command", "max_workers", "min_spare_workers",
	"max_spare_workers", "start_workers", "listen", "log_file", "log_level", "log_format",
	"user", "group", "groups", "umask", "nice", "on", "x"};

START_TEST(nearest)
{
	static const struct {
		const char *name, *meant; /* NULL: none */
	} cases[] = {
		{"max_worker", "max_workers"},
		{"maxworkers", "max_workers"},
		{"max-workers", "max_workers"},
		{"MAX_WORKERS", "max_workers"},
		{"Max_Wrokers", "max_workers"},
		{"max_workersss", "max_workers"},
		{"mx_wrkrs", "max_workers"},
		{"max_spare_worker", "max_spare_workers"},
		{"min_spares_workers", "min_spare_workers"},
		{"comand", "command"},
		{"comamnd", "command"},
		{"ocmmand", "command"},
		{"commando", "command"},
		{"lisetn", "listen"},
		{"lsiten", "listen"},
		{"lstn", "listen"},
		{"lst", NULL},
		{"log_fiel", "log_file"},
		{"loglevel", "log_level"},
		{"log_forma", "log_format"},
		{"groop", "group"},
		{"grups", "groups"},
		{"groupz", "group"},
		{"nise", "nice"},
		{"inse", NULL},
		{"no", "on"},
		{"in", "on"},
		{"o", NULL},
		{"of", "on"},
		{"y", NULL},
		{"xy", NULL},
		{"", NULL},
		{"bananas", NULL},
		{"workers", NULL},
		{"max_workers", "max_workers"},
		{"umaks", "umask"},
		{"\xff\xfe", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *found = suggest_nearest(cases[i].name, keys, COUNT(keys));

		ck_assert_msg(
			found == cases[i].meant ||
				(found && cases[i].meant && strcmp(found, cases[i].meant) == 0),
			"\"%s\" gives %s, not %s", cases[i].name, found ? found : "none",
			cases[i].meant ? cases[i].meant : "none");
	}
}
END_TEST

START_TEST(first_of_equals_and_nearest_of_all)
{
	static const char *const near[] = {"abcdeX", "abcdeY", "abcdef"};

	ck_assert_str_eq(suggest_nearest("abcdeZ", near, 2), "abcdeX");
	ck_assert_str_eq(suggest_nearest("abcdef", near, 3), "abcdef");
	ck_assert_str_eq(suggest_nearest("ABCDEF", near, 3), "abcdef");
	ck_assert_ptr_null(suggest_nearest("abcdef", near, 0));
	ck_assert_ptr_null(suggest_nearest("abcdef", NULL, 0));
}
END_TEST

/* Over-long names are passed over on either side. */
START_TEST(long_names)
{
	static char name[70000];
	const char *candidates[] = {name, "aaa"};

	memset(name, 'a', 64);
	ck_assert_ptr_eq(suggest_nearest(name, candidates, 1), name);
	name[64] = 'a';
	ck_assert_ptr_null(suggest_nearest(name, candidates, 2));
	ck_assert_str_eq(suggest_nearest("aab", candidates, 2), "aaa");
	memset(name, 'a', sizeof(name) - 1);
	ck_assert_ptr_null(suggest_nearest(name, candidates, 2));
	ck_assert_str_eq(suggest_nearest("aab", candidates, 2), "aaa");
}
END_TEST

/* One slip: a letter left out, doubled, replaced, or swapped with its neighbour. */
static void slip(char *text, uint64_t *state)
{
	size_t length = strlen(text);
	size_t at = test_random_below(state, length - 1);
	char letter = text[at];

	switch (test_random_below(state, 4)) {
	case 0: memmove(text + at, text + at + 1, length - at); break;
	case 1: memmove(text + at + 1, text + at, length - at + 1); break;
	case 2: text[at] = '?'; break;
	default: text[at] = text[at + 1]; text[at + 1] = letter;
	}
}

START_TEST(random_slips_are_understood)
{
	/* so far apart that no slip leads from one to another */
	static const char *const apart[] = {"command", "max_workers", "listen", "umask", "reload",
		"scoreboard_file", "no_new_privileges", "HUP"};
	uint64_t state = test_seed();

	for (int i = 0; i < 20000; i++) {
		const char *meant = apart[test_random_below(&state, COUNT(apart))];
		const char *found;
		char text[32];

		snprintf(text, sizeof(text), "%s", meant);
		slip(text, &state);
		found = suggest_nearest(text, apart, COUNT(apart));
		ck_assert_msg(found == meant, "\"%s\" gives %s", text, found ? found : "none");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suggest");
	TCase *tcase = tcase_create("suggest");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nearest);
	tcase_add_test(tcase, first_of_equals_and_nearest_of_all);
	tcase_add_test(tcase, long_names);
	tcase_add_test(tcase, random_slips_are_understood);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
