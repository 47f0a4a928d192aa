/* The table of verbs, and what its parser makes of words. */
#include <signal.h>
#include <string.h>

#include "control_line.h"
#include "control_queue.h"
#include "control_verbs.h"
#include "errmsg.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Splits and parses, as the supervisor does. */
static int understand(struct control_command *command, const char *line, struct errmsg *err)
{
	static char text[CONTROL_LINE_MAX];
	char *word[CONTROL_WORDS_MAX + 1];
	int words;

	memcpy(text, line, strlen(line));
	words = control_line_split(text, strlen(line), word, err);
	return words < 0 ? -1 : control_verb_parse(command, word, words, err);
}

START_TEST(understood)
{
	static const struct {
		const char *line;
		struct control_command command;
	} cases[] = {
		{"status", {.verb = VERB_STATUS, .slot = -1}},
		{"status web", {.verb = VERB_STATUS, .pool = "web", .slot = -1}},
		{"events", {.verb = VERB_EVENTS, .slot = -1}},
		{"reload", {.verb = VERB_RELOAD, .slot = -1}},
		{"reconfigure", {.verb = VERB_RECONFIGURE, .slot = -1}},
		{"reopen", {.verb = VERB_REOPEN, .slot = -1}},
		{"drain", {.verb = VERB_DRAIN, .slot = -1}},
		{"resume", {.verb = VERB_RESUME, .slot = -1}},
		{"upgrade", {.verb = VERB_UPGRADE, .slot = -1}},
		{"ping", {.verb = VERB_PING, .slot = -1}},
		{"stop", {.verb = VERB_STOP, .slot = -1}},
		{"stop QUIT", {.verb = VERB_STOP, .slot = -1, .signal_number = SIGQUIT}},
		{"stop sigint", {.verb = VERB_STOP, .slot = -1, .signal_number = SIGINT}},
		{"quit", {.verb = VERB_QUIT, .slot = -1, .signal_number = SIGQUIT}},
		{"signal 10", {.verb = VERB_SIGNAL, .slot = -1, .signal_number = 10}},
		{"signal USR1 web",
			{.verb = VERB_SIGNAL, .pool = "web", .slot = -1, .signal_number = SIGUSR1}},
		{"signal HUP a.b-c_D 12", {.verb = VERB_SIGNAL,
						  .pool = "a.b-c_D",
						  .slot = 12,
						  .signal_number = SIGHUP}},
		{"scale web 0", {.verb = VERB_SCALE, .pool = "web", .slot = -1}},
		{"scale web 12", {.verb = VERB_SCALE, .pool = "web", .slot = -1, .number = 12}},
		{"scale web +2", {.verb = VERB_SCALE,
					 .pool = "web",
					 .slot = -1,
					 .scale = SCALE_BY,
					 .number = 2}},
		{"scale web -1000000", {.verb = VERB_SCALE,
					       .pool = "web",
					       .slot = -1,
					       .scale = SCALE_BY,
					       .number = -1000000}},
		{"restart web", {.verb = VERB_RESTART, .pool = "web", .slot = -1}},
		{"restart web 007", {.verb = VERB_RESTART, .pool = "web", .slot = 7}},
	};
	struct control_command got;
	struct errmsg err;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct control_command *wanted = &cases[i].command;

		ck_assert_msg(understand(&got, cases[i].line, &err) == 0, "%s: %s", cases[i].line,
			err.text);
		ck_assert_msg(got.verb == wanted->verb && got.slot == wanted->slot &&
				      got.signal_number == wanted->signal_number &&
				      got.scale == wanted->scale && got.number == wanted->number &&
				      strcmp(got.pool ? got.pool : "",
					      wanted->pool ? wanted->pool : "") == 0,
			"%s", cases[i].line);
	}
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *line, *reason;
	} cases[] = {
		{"statsu", "no such command: statsu (did you mean status?)"},
		{"RELOAD", "no such command: RELOAD (did you mean reload?)"},
		{"retsart web", "no such command: retsart (did you mean restart?)"},
		{"bananas", "no such command: bananas"},
		{"os.system", "no such command: os.system"},
		{"reload now", "wrong number of arguments for reload, which is: reload"},
		{"signal", "wrong number of arguments for signal, which is: signal SIGNAL [POOL "
			   "[SLOT]]"},
		{"signal TERM web 1 2", "wrong number of arguments for signal"},
		{"scale web", "wrong number of arguments for scale, which is: scale POOL N|+N|-N"},
		{"restart", "wrong number of arguments for restart, which is: restart POOL [SLOT]"},
		{"stop TREM", "no such signal: TREM (did you mean TERM?)"},
		{"stop 0", "no such signal: 0"},
		{"signal 65", "no such signal: 65"},
		{"signal -9", "no such signal: -9"},
		{"signal TERM we/b", "no such pool: we/b"},
		{"status ../web", "no such pool: ../web"},
		{"status aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "no such pool: aaaa"},
		{"signal TERM web x", "not a slot: x (slots count from 0)"},
		{"signal TERM web -1", "not a slot: -1"},
		{"restart web 99999999999999999999", "not a slot: 999"},
		{"scale web", "wrong number"},
		{"scale web +", "not a number of workers: + (N, +N or -N)"},
		{"scale web --1", "not a number of workers: --1"},
		{"scale web 1.5", "not a number of workers: 1.5"},
		{"scale web 1000001", "not a number of workers: 1000001"},
		{"scale web 0x10", "not a number of workers: 0x10"},
	};
	struct control_command got;
	struct errmsg err;

	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_msg(understand(&got, cases[i].line, &err) < 0, "%s", cases[i].line);
		ck_assert_msg(strstr(err.text, cases[i].reason) == err.text, "%s: %s",
			cases[i].line, err.text);
	}
	ck_assert_int_lt(control_verb_parse(&got, NULL, 0, &err), 0);
}
END_TEST

/* What may be asked of a channel is this, and nothing else, for ever. */
START_TEST(rights)
{
	static const char *const reading[] = {"status", "events", "ping"};
	enum control_verb verb;
	int found = 0;

	for (size_t i = 0; i < COUNT(reading); i++)
		ck_assert(control_verb_reads_only(reading[i]));
	for (int i = 0; i < VERB_COUNT; i++) {
		const struct control_verb_info *info = control_verb_info((enum control_verb)i);

		found += info->reads_only;
		ck_assert(control_verb_find(info->name, &verb));
		ck_assert_int_eq(verb, i);
		ck_assert_int_ge(info->least_words, 1);
		ck_assert_int_ge(info->most_words, info->least_words);
		ck_assert_int_le(info->most_words, CONTROL_WORDS_MAX);
		ck_assert(*info->help && !(info->reads_only && info->takes_time));
	}
	ck_assert_int_eq(found, COUNT(reading));
	ck_assert(!control_verb_reads_only("reload") && !control_verb_reads_only("nothing"));
}
END_TEST

START_TEST(lines_in_pieces)
{
	static const char stream[] = "one\n\ntwo three\nrest";
	struct control_line line = {.length = 0};
	char text[CONTROL_LINE_MAX], got[64] = "";
	size_t length;

	for (size_t i = 0; i < sizeof(stream) - 1; i++) {
		line.bytes[line.length++] = stream[i];
		while (control_line_take(&line, text, &length))
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "<%.*s>",
				(int)length, text);
	}
	ck_assert_str_eq(got, "<one><><two three>");
	ck_assert_uint_eq(line.length, 4);
	memset(line.bytes, 'x', sizeof(line.bytes));
	line.length = CONTROL_LINE_MAX - 1;
	ck_assert(!control_line_overflown(&line));
	line.length = CONTROL_LINE_MAX;
	ck_assert(control_line_overflown(&line) && !control_line_take(&line, text, &length));
	line.bytes[CONTROL_LINE_MAX - 1] = '\n';
	ck_assert(!control_line_overflown(&line) && control_line_take(&line, text, &length));
	ck_assert_uint_eq(length, CONTROL_LINE_MAX - 1);
	ck_assert_uint_eq(line.length, 0);
}
END_TEST

/* Whatever goes in comes out, in order, in pieces of any size. */
START_TEST(queue_in_pieces)
{
	struct control_queue queue = {0};
	uint64_t state = test_seed(), in = 0, out = 0;
	char line[5000];

	for (unsigned i = 0; i < 20000 / test_slowness(); i++) {
		size_t length = test_random_below(&state, i % 100 ? 100 : sizeof(line));
		size_t bytes = test_random_below(&state, 130);

		memset(line, 'a' + (int)(in++ % 26), length);
		ck_assert(control_queue_add(&queue, line, length));
		for (; bytes > 0 && control_queue_waiting(&queue) > 0; bytes--) {
			char c = queue.bytes[queue.begin];

			if (c == '\n')
				out++;
			else
				ck_assert_int_eq(c, 'a' + (int)(out % 26));
			control_queue_take(&queue, 1);
		}
		ck_assert_uint_le(queue.end, queue.size);
	}
	while (control_queue_waiting(&queue) > 0) {
		out += queue.bytes[queue.begin] == '\n';
		control_queue_take(&queue, 1);
	}
	ck_assert_uint_eq(in, out);
	ck_assert_ptr_null(queue.bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_verbs");
	TCase *tcase = tcase_create("control_verbs");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, understood);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, rights);
	tcase_add_test(tcase, lines_in_pieces);
	tcase_add_test(tcase, queue_in_pieces);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
