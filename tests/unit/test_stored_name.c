/* The names in the service manager's store: what is written is read, anything else is refused. */
#include "stored_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_main.h"

#define LONGEST "0123456789abcdefghijklmnopqrst.-"

static const struct {
	const char *text;
	struct stored_name name;
} good[] = {
	{"preforkd/web", {.socket = "web"}},
	{"preforkd/" LONGEST, {.socket = LONGEST}},
	{"preforkd/-", {.socket = "-"}},
	{"preforkd/web/0-0", {.socket = "web", .has_file = true}},
	{"preforkd/web/fe01-1b2c",
		{.socket = "web", .has_file = true, .dev = 0xfe01, .ino = 0x1b2c}},
	{"preforkd/web/ffffffffffffffff-ffffffffffffffff",
		{.socket = "web", .has_file = true, .dev = UINT64_MAX, .ino = UINT64_MAX}},
};

START_TEST(what_is_written_is_read)
{
	struct stored_name name;
	char *text = stored_name_format(&good[_i].name);

	ck_assert_str_eq(text, good[_i].text);
	free(text);
	ck_assert(stored_name_is(good[_i].text));
	ck_assert(stored_name_read(&name, good[_i].text));
	ck_assert_str_eq(name.socket, good[_i].name.socket);
	ck_assert(name.has_file == good[_i].name.has_file);
	ck_assert(name.dev == good[_i].name.dev && name.ino == good[_i].name.ino);
}
END_TEST

/* Those that begin as ours do are ours, to be removed. */
static const struct {
	const char *text;
	bool ours;
} bad[] = {
	{"", false},
	{"web", false},
	{"preforkd", false},
	{"Preforkd/web", false},
	{"unknown", false},
	{"stored", false},
	{"preforkd/", true},
	{"preforkd//", true},
	{"preforkd/" LONGEST "x", true},
	{"preforkd/web/", true},
	{"preforkd/web/1", true},
	{"preforkd/web/-", true},
	{"preforkd/web/1-", true},
	{"preforkd/web/-1", true},
	{"preforkd/web/1-2-3", true},
	{"preforkd/web/1-2/", true},
	{"preforkd/web/01-2", true},
	{"preforkd/web/0x1-2", true},
	{"preforkd/web/A-2", true},
	{"preforkd/web/ 1-2", true},
	{"preforkd/web/1-+2", true},
	{"preforkd/web/1-2 ", true},
	{"preforkd/web/1-10000000000000000", true},
	{"preforkd/web/x-y", true},
};

START_TEST(anything_else_is_refused)
{
	struct stored_name name;

	ck_assert(!stored_name_read(&name, bad[_i].text));
	ck_assert(stored_name_is(bad[_i].text) == bad[_i].ours);
}
END_TEST

START_TEST(random_bytes_are_harmless)
{
	struct stored_name name;
	uint64_t state = test_seed();
	char text[64], *again;

	for (int i = 0; i < 20000; i++) {
		int length = snprintf(text, sizeof(text), "preforkd/w/%lx-%lx",
			(unsigned long)test_random(&state), (unsigned long)test_random(&state));

		if (i % 2)
			text[test_random(&state) % (unsigned)length] =
				(char)(test_random(&state) % 255 + 1);
		if (!stored_name_read(&name, text))
			continue;
		again = stored_name_format(&name);
		ck_assert_str_eq(again, text);
		free(again);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stored_name");
	TCase *tcase = tcase_create("stored_name");

	tcase_add_loop_test(tcase, what_is_written_is_read, 0, (int)(sizeof(good) / sizeof(*good)));
	tcase_add_loop_test(tcase, anything_else_is_refused, 0, (int)(sizeof(bad) / sizeof(*bad)));
	tcase_add_test(tcase, random_bytes_are_harmless);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
