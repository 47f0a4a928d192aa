/*
 * Which command does what. Everything is read and checked before anybody is asked; what a command
 * changes, the supervisor decides.
 */
#include "client.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "client_arguments.h"
#include "client_link.h"
#include "client_orphans.h"
#include "client_place.h"
#include "client_wait.h"
#include "control_verbs.h"
#include "errmsg.h"
#include "helper_program.h"
#include "memory.h"
#include "status_text.h"
#include "suggest.h"

#define TOP              "top"
#define TOP_PROGRAM      "preforkd-top"
#define ANSWER_LIMIT_SEC 10
#define OTHERS_MAX       8

bool client_knows(const char *command)
{
	enum control_verb verb;

	return strcmp(command, TOP) == 0 || control_verb_find(command, &verb);
}

const char *client_nearest(const char *command, const char *const *others, int count)
{
	const char *names[VERB_COUNT + 1 + OTHERS_MAX];
	size_t names_count = 0;

	for (int i = 0; i < VERB_COUNT; i++)
		names[names_count++] = control_verb_info((enum control_verb)i)->name;
	names[names_count++] = TOP;
	for (int i = 0; i < count && i < OTHERS_MAX; i++)
		names[names_count++] = others[i];
	return suggest_nearest(command, names, names_count);
}

/* --- status --- */

static int columns_of_output(void)
{
	struct winsize window = {0};

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0)
		return 0;
	return window.ws_col;
}

static int show_refusal(const struct client_arguments *arguments, const json_t *refusal)
{
	json_int_t status = json_integer_value(json_object_get(refusal, "exit_status"));
	const char *error = json_string_value(json_object_get(refusal, "error"));

	return client_fail(arguments, status > 0 && status <= 255 ? (int)status : EX_SOFTWARE,
		"%s: %s", arguments->word[0], error ? error : "no reason given");
}

static int show_status(const struct client_arguments *arguments, const char *line, const char *path)
{
	json_t *document = json_loads(line, 0, NULL);
	int status = EX_OK;
	char *text = NULL;

	if (!json_is_object(document))
		status = client_fail(
			arguments, EX_UNAVAILABLE, "%s: that is no answer of a supervisor", path);
	else if (json_is_false(json_object_get(document, "ok")))
		status = show_refusal(arguments, document);
	else if (arguments->options.json)
		puts(line);
	else if ((text = status_text_render(document, columns_of_output())))
		fputs(text, stdout);
	else
		status = client_fail(arguments, EX_OSERR, "no memory for the answer");
	free(text);
	json_decref(document);
	return status;
}

/* --- events: each line as it comes --- */

static int show_events(
	const struct client_arguments *arguments, struct client_link *link, char *line)
{
	enum client_read got = CLIENT_LINE;
	struct errmsg err;
	json_t *first = json_loads(line, 0, NULL);
	int status = EX_OK;

	if (!json_object_get(first, "event"))
		status = show_refusal(arguments, first);
	json_decref(first);
	while (status == EX_OK && got == CLIENT_LINE) {
		puts(line);
		if (fflush(stdout) != 0)
			return EX_IOERR;
		got = client_link_read(link, &line, 0, &err);
	}
	if (got == CLIENT_FAILED)
		return client_fail(arguments, EX_UNAVAILABLE, "%s", err.text);
	return status;
}

/* status and events: one request, and what comes is shown. */
static int read_out(struct client_places *places, const struct client_arguments *arguments,
	const struct control_command *command)
{
	struct errmsg err = {"the supervisor hung up without an answer"};
	struct client_link link;
	int status = client_link_open(&link, places, &err);
	char *line;

	if (status != EX_OK)
		return client_fail(arguments, status, "%s", err.text);
	client_link_ask(&link, arguments->word);
	if (client_link_read(&link, &line, ANSWER_LIMIT_SEC, &err) != CLIENT_LINE)
		status = client_fail(arguments, EX_UNAVAILABLE, "%s", err.text);
	else if (command->verb == VERB_EVENTS)
		status = show_events(arguments, &link, line);
	else
		status = show_status(arguments, line, link.path);
	client_link_close(&link);
	return status;
}

/* --- top: a program of its own --- */

static int become_top(const struct client_arguments *arguments, const char *socket)
{
	int rest = 0, words = 0;
	char *program = helper_program(arguments->options.helper_folder, TOP_PROGRAM);
	const char **argv;
	int error;

	while (arguments->rest && arguments->rest[rest])
		rest++;
	argv = memory_resize(NULL, (size_t)rest + 4, sizeof(*argv));
	argv[words++] = TOP_PROGRAM;
	argv[words++] = "--socket";
	argv[words++] = socket;
	for (int i = 0; i < rest; i++)
		argv[words++] = arguments->rest[i];
	argv[words] = NULL;
	execv(program, (char **)argv);
	error = errno;
	client_fail(arguments, EX_UNAVAILABLE, "cannot start %s: %s", program, strerror(error));
	free(argv);
	free(program);
	return EX_UNAVAILABLE;
}

static int run_top(struct client_places *places, const struct client_arguments *arguments)
{
	struct client_link link;
	struct errmsg err;
	int status = client_link_open(&link, places, &err);

	if (status != EX_OK)
		return client_fail(arguments, status, "%s", err.text);
	client_link_close(&link);
	return become_top(arguments, places->place[places->found].path);
}

/* --- all --- */

static int run(const struct client_arguments *arguments, struct client_places *places,
	const struct control_command *command)
{
	const struct control_verb_info *verb;
	int status;

	if (!command)
		return run_top(places, arguments);
	if (command->verb == VERB_STATUS || command->verb == VERB_EVENTS)
		return read_out(places, arguments, command);
	verb = control_verb_info(command->verb);
	if ((command->verb == VERB_STOP || command->verb == VERB_QUIT) &&
		client_orphans_end(places, arguments, command->signal_number, &status))
		return status;
	return client_perform(
		places, arguments, command, verb->takes_time && !arguments->options.no_wait);
}

int client_run(const struct client_options *options, char **command, int count)
{
	bool is_top = strcmp(command[0], TOP) == 0;
	struct client_arguments arguments;
	struct control_command request;
	struct client_places places;
	struct errmsg err;
	int status;

	if (client_arguments_parse(&arguments, options, command, count, &err) < 0 ||
		(!is_top &&
			control_verb_parse(&request, arguments.word, arguments.words, &err) < 0))
		return client_fail(&arguments, EX_USAGE, "%s", err.text);
	status = client_places_find(&places, &arguments.options, &err);
	if (status == EX_OK)
		status = run(&arguments, &places, is_top ? NULL : &request);
	else
		client_fail(&arguments, status, "%s", err.text);
	client_places_free(&places);
	if (fflush(stdout) != 0 && status == EX_OK)
		status = EX_IOERR;
	return status;
}
