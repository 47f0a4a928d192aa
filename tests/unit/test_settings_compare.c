/*
 * Comparing configurations: every key of the option table counts for its own effect and for no
 * other, and what a worker would notice is told from what it would not.
 */
#include <string.h>

#include "config_world.h"
#include "errmsg.h"
#include "settings_compare.h"
#include "test_main.h"

static const enum option_effect effects[] = {
	EFFECT_RESTART, EFFECT_RUNNING, EFFECT_WORKERS, EFFECT_SOCKET};

/* A value of the key's type that is not its default. */
static const char *other_value(const struct option *option)
{
	switch (option->type) {
	case OPTION_STRING: return "other";
	case OPTION_INT: return "7";
	case OPTION_BOOL: return NULL; /* the other one */
	case OPTION_DURATION: return "77s";
	case OPTION_SIZE: return "77K";
	case OPTION_MODE: return "0600";
	case OPTION_ENUM: return NULL; /* another name */
	case OPTION_SIGNAL: return "USR2";
	case OPTION_PATH: return "/srv/other";
	case OPTION_COMMAND: return "/bin/false other";
	case OPTION_LIST: return "other";
	case OPTION_STDIO: return NULL; /* another word */
	case OPTION_LIMIT: return "77";
	case OPTION_AMOUNT: return "7";
	case OPTION_CPUS: return "0";
	case OPTION_ADDRESS: return "127.0.0.1:7777";
	}
	return NULL;
}

static bool set(const struct option *option, void *section, const char *text)
{
	struct errmsg err;

	return option_set(option, section, text, "/srv", &err) == 0;
}

/* Makes the key differ from its default, whatever its type. */
static void change(const struct option *option, void *section, const void *untouched)
{
	static const char *const words[] = {"yes", "no", "null", "log", "socket:a"};
	const char *text = option->flags & OPTION_ASSIGNMENTS ? "A=1" : other_value(option);

	if (text && set(option, section, text) && !option_equal(option, section, untouched))
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (set(option, section, words[i]) && !option_equal(option, section, untouched))
			return;
	for (const struct option_name *name = option->names; name && name->name; name++)
		if (set(option, section, name->name) && !option_equal(option, section, untouched))
			return;
	ck_abort_msg("%s: no other value found", option->key);
}

static bool section_differs(
	enum option_section section, const void *a, const void *b, enum option_effect effect)
{
	if (section == SECTION_SOCKET)
		return settings_socket_differs(a, b, effect);
	return settings_pool_differs(a, b, effect);
}

static size_t section_bytes(enum option_section section)
{
	return section == SECTION_SOCKET ? sizeof(struct socket_settings)
					 : sizeof(struct pool_settings);
}

START_TEST(every_key_counts_for_its_own_effect)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];
		void *a, *b;

		if (option->section == SECTION_PREFORKD)
			continue;
		a = calloc(1, section_bytes(option->section));
		b = calloc(1, section_bytes(option->section));
		options_set_defaults(option->section, a);
		options_set_defaults(option->section, b);
		for (size_t e = 0; e < 4; e++)
			ck_assert(!section_differs(option->section, a, b, effects[e]));
		change(option, b, a);
		for (size_t e = 0; e < 4; e++)
			ck_assert_msg(section_differs(option->section, a, b, effects[e]) ==
					      (effects[e] == option->effect),
				"%s, effect %d", option->key, (int)effects[e]);
		options_free(option->section, a);
		options_free(option->section, b);
		free(a);
		free(b);
	}
}
END_TEST

/* --- what a worker would notice --------------------------------------------------------------- */

#define BASE                                                                                       \
	"[socket:a]\nlisten = 127.0.0.1:8001\n[socket:b]\nlisten = 127.0.0.1:8002\n"               \
	"[pool:web]\ncommand = /bin/true\nsockets = a\n"

static const struct {
	const char *from, *to;
	bool differ;
} workers[] = {
	{BASE, BASE, false},
	{BASE, BASE "max_workers = 3\n", false},
	{BASE, BASE "stop_signal = QUIT\ntimeout = 5s\nsurge = 3\nmax_requests = 7\n", false},
	{BASE, BASE "environment = A=1\n", true},
	{BASE, BASE "nice = 3\n", true},
	{BASE, BASE "ready = notify\n", true},
	{BASE "environment = A=1\n", BASE, true},
	{BASE "environment = A=1 B=2\n", BASE "environment = B=2 A=1\n", true},
	/* An equal value, written in another way. */
	{BASE "limit_nofile = 1024\n", BASE "limit_nofile = 1024:1024\n", false},
	/* Its socket moves, or is another kind; that of others does; it gets another one. */
	{BASE,
		"[socket:a]\nlisten = 127.0.0.1:8003\n[socket:b]\nlisten = 127.0.0.1:8002\n"
		"[pool:web]\ncommand = /bin/true\nsockets = a\n",
		true},
	{BASE,
		"[socket:a]\nlisten = 127.0.0.1:8001\nnodelay = yes\n"
		"[socket:b]\nlisten = 127.0.0.1:8002\n"
		"[pool:web]\ncommand = /bin/true\nsockets = a\n",
		true},
	{BASE,
		"[socket:a]\nlisten = 127.0.0.1:8001\nbacklog = 5\n"
		"[socket:b]\nlisten = 127.0.0.1:8003\n"
		"[pool:web]\ncommand = /bin/true\nsockets = a\n",
		false},
	{BASE,
		"[socket:a]\nlisten = 127.0.0.1:8001\n[pool:web]\ncommand = /bin/true\nsockets = "
		"a\n",
		false},
	{BASE,
		"[socket:a]\nlisten = 127.0.0.1:8001\n[socket:b]\nlisten = 127.0.0.1:8002\n"
		"[pool:web]\ncommand = /bin/true\nsockets = a b\n",
		true},
	{BASE,
		"[socket:b]\nlisten = 127.0.0.1:8001\n"
		"[pool:web]\ncommand = /bin/true\nsockets = b\n",
		true},
	{"[socket:a]\nlisten = unix:@a\n[pool:web]\ncommand = /bin/true\nstdin = socket:a\n",
		"[socket:a]\nlisten = unix:@b\n[pool:web]\ncommand = /bin/true\nstdin = socket:a\n",
		true},
};

START_TEST(what_a_worker_would_notice)
{
	struct settings *from = must_parse(workers[_i].from), *to = must_parse(workers[_i].to);

	ck_assert_msg(settings_workers_differ(from, &from->pools[0], to, &to->pools[0]) ==
			      workers[_i].differ,
		"%s\nand\n%s", workers[_i].from, workers[_i].to);
	settings_free(from);
	settings_free(to);
}
END_TEST

/* --- what has to wait ------------------------------------------------------------------------- */

static char told[1000];

static void tell(const char *section, const char *name, const char *key)
{
	size_t length = strlen(told);

	snprintf(told + length, sizeof(told) - length, "[%s%s] %s\n", section, name, key);
}

static void check_told(const char *from, const char *to, const char *expected)
{
	struct settings *a = must_parse(from), *b = must_parse(to);

	told[0] = '\0';
	settings_each_restart(a, b, tell);
	ck_assert_str_eq(told, expected);
	settings_free(a);
	settings_free(b);
}

START_TEST(what_has_to_wait_is_named)
{
	check_told("[pool:web]\ncommand = /bin/true\n", "[pool:web]\ncommand = /bin/false\n", "");
	check_told("[preforkd]\nname = a\nlog_level = debug\n[pool:web]\ncommand = /bin/true\n",
		"[preforkd]\nname = b\nruntime_dir = /srv/r\n[pool:web]\ncommand = /bin/true\n",
		"[preforkd] name\n[preforkd] runtime_dir\n");
	check_told("[pool:web]\ncommand = /bin/true\n",
		"[pool:web]\ncommand = /bin/true\nscoreboard_file = /srv/b\n",
		"[pool:web] scoreboard_file\n");
	/* Of a new pool nothing has to wait. */
	check_told("[pool:web]\ncommand = /bin/true\n",
		"[pool:web]\ncommand = /bin/true\n"
		"[pool:two]\ncommand = /bin/true\nscoreboard_file = /srv/b\n",
		"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings_compare");
	TCase *compare = tcase_create("compare");

	suite_add_tcase(suite, compare);
	tcase_add_test(compare, every_key_counts_for_its_own_effect);
	tcase_add_loop_test(
		compare, what_a_worker_would_notice, 0, sizeof(workers) / sizeof(workers[0]));
	tcase_add_test(compare, what_has_to_wait_is_named);
	return test_main(suite);
}
