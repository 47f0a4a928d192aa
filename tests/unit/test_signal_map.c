/* The lines of [signals]: what they mean, which are refused and how, and rules that come back. */
#include <signal.h>
#include <string.h>

#include "errmsg.h"
#include "signal_map.h"
#include "signal_name.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum signal_action actions[] = {
#define X(symbol, name) SIGNAL_##symbol,
	SIGNAL_ACTIONS(X)
#undef X
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

START_TEST(defaults_of_the_manual)
{
	struct signal_map map;

	memset(&map, 0xa5, sizeof(map));
	signal_map_init(&map);
	for (int number = 0; number < _NSIG; number++) {
		enum signal_action expected = SIGNAL_UNLISTED;

		for (size_t i = 0; i < COUNT(defaults); i++)
			if (defaults[i].number == number)
				expected = defaults[i].action;
		ck_assert_int_eq(map.rule[number].action, expected);
		ck_assert_int_eq(map.rule[number].worker_signal, 0);
		ck_assert_int_eq(map.rule[number].interval_ms, 0);
	}
}
END_TEST

static const struct {
	const char *received, *text;
	int number;
	struct signal_rule rule;
} lines[] = {
	{"TERM", "stop", SIGTERM, {SIGNAL_STOP, 0, 0}},
	{"TERM", "stop QUIT", SIGTERM, {SIGNAL_STOP, SIGQUIT, 0}},
	{"TERM", "stop QUIT/2s", SIGTERM, {SIGNAL_STOP, SIGQUIT, 2000}},
	{"TERM", "  stop\tQUIT  ", SIGTERM, {SIGNAL_STOP, SIGQUIT, 0}},
	{"TERM", "stop KILL", SIGTERM, {SIGNAL_STOP, SIGKILL, 0}},
	{"SIGTERM", "stop", SIGTERM, {SIGNAL_STOP, 0, 0}},
	{"sigterm", "stop", SIGTERM, {SIGNAL_STOP, 0, 0}},
	{"15", "stop sigquit", SIGTERM, {SIGNAL_STOP, SIGQUIT, 0}},
	{"15", "stop 3", SIGTERM, {SIGNAL_STOP, 3, 0}},
	/* short for stop */
	{"TERM", "QUIT", SIGTERM, {SIGNAL_STOP, SIGQUIT, 0}},
	{"INT", "TERM", SIGINT, {SIGNAL_STOP, SIGTERM, 0}},
	{"QUIT", "QUIT", SIGQUIT, {SIGNAL_STOP, SIGQUIT, 0}},
	{"TERM", "TERM/0.5", SIGTERM, {SIGNAL_STOP, SIGTERM, 500}},
	{"TERM", "15", SIGTERM, {SIGNAL_STOP, 15, 0}},
	/* short for forward */
	{"USR1", "USR2", SIGUSR1, {SIGNAL_FORWARD, SIGUSR2, 0}},
	{"USR1", "usr1", SIGUSR1, {SIGNAL_FORWARD, SIGUSR1, 0}},
	{"HUP", "TERM/1m", SIGHUP, {SIGNAL_FORWARD, SIGTERM, 60000}},
	{"USR1", "SIGSTOP", SIGUSR1, {SIGNAL_FORWARD, SIGSTOP, 0}},
	{"RTMIN+3", "RTMAX-1", -3, {SIGNAL_FORWARD, -1, 0}},
	/* every action, with and without a signal */
	{"USR1", "ignore", SIGUSR1, {SIGNAL_IGNORE, 0, 0}},
	{"TERM", "ignore", SIGTERM, {SIGNAL_IGNORE, 0, 0}},
	{"USR1", "forward HUP", SIGUSR1, {SIGNAL_FORWARD, SIGHUP, 0}},
	{"TERM", "forward HUP/10ms", SIGTERM, {SIGNAL_FORWARD, SIGHUP, 10}},
	{"USR1", "forward STOP", SIGUSR1, {SIGNAL_FORWARD, SIGSTOP, 0}},
	{"USR1", "forward HUP/0", SIGUSR1, {SIGNAL_FORWARD, SIGHUP, 0}},
	{"HUP", "reload", SIGHUP, {SIGNAL_RELOAD, 0, 0}},
	{"HUP", "reload QUIT", SIGHUP, {SIGNAL_RELOAD, SIGQUIT, 0}},
	{"HUP", "reconfigure", SIGHUP, {SIGNAL_RECONFIGURE, 0, 0}},
	{"HUP", "reopen", SIGHUP, {SIGNAL_REOPEN, 0, 0}},
	{"HUP", "reopen USR1", SIGHUP, {SIGNAL_REOPEN, SIGUSR1, 0}},
	{"HUP", "upgrade", SIGHUP, {SIGNAL_UPGRADE, 0, 0}},
	{"CONT", "drain", SIGCONT, {SIGNAL_DRAIN, 0, 0}},
	{"TSTP", "resume", SIGTSTP, {SIGNAL_RESUME, 0, 0}},
	{"IO", "grow", SIGIO, {SIGNAL_GROW, 0, 0}},
	{"POLL", "shrink INT", SIGIO, {SIGNAL_SHRINK, SIGINT, 0}},
	{"PIPE", "ignore", SIGPIPE, {SIGNAL_IGNORE, 0, 0}},
};

START_TEST(lines_are_read)
{
	struct signal_map map, before;
	struct errmsg err = {""};
	struct signal_rule expected = lines[_i].rule;
	/* SIGRTMIN is no constant: the table says -3 and -1 for RTMIN+3 and RTMAX-1 */
	int number = lines[_i].number < 0 ? SIGRTMIN + 3 : lines[_i].number;

	if (expected.worker_signal < 0)
		expected.worker_signal = SIGRTMAX - 1;
	signal_map_init(&map);
	before = map;
	ck_assert_msg(signal_map_set(&map, lines[_i].received, lines[_i].text, &err) == 0,
		"%s = %s: %s", lines[_i].received, lines[_i].text, err.text);
	ck_assert_int_eq(map.rule[number].action, expected.action);
	ck_assert_int_eq(map.rule[number].worker_signal, expected.worker_signal);
	ck_assert_int_eq(map.rule[number].interval_ms, expected.interval_ms);
	map.rule[number] = before.rule[number];
	ck_assert_mem_eq(&map, &before, sizeof(map));
}
END_TEST

static const struct {
	const char *received, *text, *reason;
} refused[] = {
	/* what is received */
	{"", "stop", "\"\" is not a signal"},
	{"preset", "unicorn", "\"preset\" is not a signal"},
	{"TREM", "stop", "(did you mean TERM?)"},
	{"SIGTREM", "stop", "\"SIGTREM\" is not a signal (did you mean TERM?)"},
	{"usr3", "stop", "(did you mean USR1?)"},
	{"0", "stop", "is not a signal"},
	{"65", "stop", "is not a signal"},
	{"32", "stop", "is not a signal"},
	{"-1", "stop", "is not a signal"},
	{"TERM INT", "stop", "is not a signal"},
	{"KILL", "stop", "KILL cannot be received"},
	{"9", "stop", "KILL cannot be received"},
	{"SIGSTOP", "stop", "STOP cannot be received"},
	{"SEGV", "stop", "SEGV is raised by a program's own faults"},
	{"BUS", "ignore", "faults"},
	{"FPE", "ignore", "faults"},
	{"ILL", "ignore", "faults"},
	{"TRAP", "ignore", "faults"},
	{"ABRT", "ignore", "faults"},
	{"IOT", "ignore", "ABRT is raised"},
	{"SYS", "ignore", "faults"},
	{"CHLD", "ignore", "CHLD tells of children"},
	{"CLD", "ignore", "CHLD tells of children"},
	/* the action */
	{"HUP", "", "it should be ACTION [SIGNAL[/INTERVAL]] or SIGNAL"},
	{"HUP", " \t", "it should be ACTION"},
	{"HUP", "stop QUIT now", "it should be ACTION"},
	{"HUP", "stop QUIT / 2s", "it should be ACTION"},
	{"HUP", "relaod", "\"relaod\" is neither an action nor a signal (did you mean reload?)"},
	{"HUP", "RELOAD", "(did you mean reload?)"},
	{"HUP", "Reload", "(did you mean reload?)"},
	{"HUP", "TREM", "(did you mean TERM?)"},
	{"HUP", "bananas", "\"bananas\" is neither an action nor a signal"},
	{"HUP", "unlisted", "neither an action nor a signal"},
	{"HUP", "unlisted TERM", "\"unlisted\" is not an action"},
	{"HUP", "frward TERM", "\"frward\" is not an action (did you mean forward?)"},
	{"HUP", "TERM QUIT", "\"TERM\" is not an action"},
	{"HUP", "STOP", "write stop for the action, or forward STOP for the signal"},
	{"TERM", "Stop", "write stop for the action"},
	{"HUP", "\"reload\"", "neither an action nor a signal"},
	/* the worker signal */
	{"HUP", "forward", "forward needs a signal, as in forward TERM"},
	{"HUP", "forward reload", "\"reload\" is not a signal"},
	{"HUP", "stop QIUT", "\"QIUT\" is not a signal (did you mean QUIT?)"},
	{"HUP", "stop 0", "\"0\" is not a signal"},
	{"HUP", "stop 99", "\"99\" is not a signal"},
	{"HUP", "stop 33", "\"33\" is not a signal"},
	{"HUP", "stop QUITQUITQUITQUITQUITQUITQUITQUITQUIT", "is not a signal"},
	/* the interval */
	{"HUP", "stop /2s", "an interval needs a signal before it, as in TERM/2s"},
	{"HUP", "/2s", "an interval needs a signal"},
	{"HUP", "stop/2s", "write stop"},
	{"HUP", "stop QUIT/", "empty"},
	{"HUP", "stop QUIT/x", "\"x\" is not a duration"},
	{"HUP", "stop QUIT/-1s", "negative"},
	{"HUP", "stop QUIT/1s/1s", "not a duration"},
	{"HUP", "stop QUIT/infinity", "infinite"},
	{"HUP", "QUIT/2x", "not a duration"},
	{"HUP", "reload QUIT/2s", "reload takes no interval, only stop and forward do"},
	{"HUP", "drain QUIT/2s", "takes no interval"},
	{"HUP", "ignore QUIT/2s", "takes no interval"},
};

START_TEST(lines_are_refused)
{
	struct signal_map map, before;
	struct errmsg err = {""};

	signal_map_init(&map);
	before = map;
	ck_assert_msg(signal_map_set(&map, refused[_i].received, refused[_i].text, &err) == -1,
		"%s = %s", refused[_i].received, refused[_i].text);
	ck_assert_msg(strstr(err.text, refused[_i].reason), "%s = %s: %s", refused[_i].received,
		refused[_i].text, err.text);
	ck_assert_mem_eq(&map, &before, sizeof(map));
	ck_assert_int_eq(signal_map_set(&map, refused[_i].received, refused[_i].text, NULL), -1);
}
END_TEST

START_TEST(actions_have_names)
{
	static const char *const names[] = {"unlisted", "ignore", "forward", "stop", "reload",
		"reconfigure", "reopen", "upgrade", "drain", "resume", "grow", "shrink"};

	ck_assert_uint_eq(COUNT(actions), COUNT(names));
	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_str_eq(signal_action_name(actions[i]), names[i]);
}
END_TEST

START_TEST(rules_as_text)
{
	static const struct {
		struct signal_rule rule;
		const char *text;
	} cases[] = {
		{{SIGNAL_STOP, 0, 0}, "stop"},
		{{SIGNAL_STOP, SIGQUIT, 0}, "stop QUIT"},
		{{SIGNAL_STOP, SIGQUIT, 2000}, "stop QUIT/2s"},
		{{SIGNAL_FORWARD, SIGUSR2, 250}, "forward USR2/250ms"},
		{{SIGNAL_UNLISTED, 0, 0}, "unlisted"},
		{{SIGNAL_RECONFIGURE, SIGVTALRM, 0}, "reconfigure VTALRM"},
	};
	char text[64];

	for (size_t i = 0; i < COUNT(cases); i++) {
		signal_rule_format(text, &cases[i].rule);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

static int random_signal(uint64_t *state)
{
	int number;

	do
		number = (int)test_random_below(state, _NSIG);
	while (signal_number(signal_name(number)) != number);
	return number;
}

/* Every rule that can be asked for is read back the same, whatever signal receives it. */
START_TEST(random_rules_come_back)
{
	uint64_t state = test_seed();

	for (int i = 0; i < 20000; i++) {
		struct signal_rule rule = {
			.action = actions[1 + test_random_below(&state, COUNT(actions) - 1)]};
		struct signal_map map;
		struct errmsg err = {""};
		char text[64];
		int received = random_signal(&state);

		if (rule.action == SIGNAL_FORWARD || test_random_below(&state, 2))
			rule.worker_signal = random_signal(&state);
		if (rule.worker_signal &&
			(rule.action == SIGNAL_STOP || rule.action == SIGNAL_FORWARD))
			rule.interval_ms = (int64_t)(test_random(&state) >>
						     (11 + test_random_below(&state, 53)));
		signal_map_init(&map);
		signal_rule_format(text, &rule);
		if (signal_map_set(&map, signal_name(received), "ignore", NULL) < 0)
			continue; /* one that cannot be received */
		ck_assert_msg(signal_map_set(&map, signal_name(received), text, &err) == 0,
			"%s: %s", text, err.text);
		ck_assert_int_eq(map.rule[received].action, rule.action);
		ck_assert_int_eq(map.rule[received].worker_signal, rule.worker_signal);
		ck_assert_int_eq(map.rule[received].interval_ms, rule.interval_ms);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signal_map");
	TCase *tcase = tcase_create("signal_map");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, defaults_of_the_manual);
	tcase_add_loop_test(tcase, lines_are_read, 0, (int)COUNT(lines));
	tcase_add_loop_test(tcase, lines_are_refused, 0, (int)COUNT(refused));
	tcase_add_test(tcase, actions_have_names);
	tcase_add_test(tcase, rules_as_text);
	tcase_add_test(tcase, random_rules_come_back);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
