/*
 * Commands that change something. Who wants to see the end opens the events before it asks, and
 * asks only when the supervisor has said that they come: so the end cannot be missed, however soon.
 * The answer has a number, and so have the events about what was asked for: others may ask for the
 * same at the same time.
 */
#include "client_wait.h"

#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client_arguments.h"
#include "client_link.h"
#include "client_place.h"
#include "client_progress.h"
#include "control_verbs.h"
#include "errmsg.h"
#include "memory.h"
#include "plain_text.h"

#define ANSWER_LIMIT_SEC 10
#define EXIT_LIMIT_MS    10000

struct waiting {
	const struct client_arguments *arguments;
	const struct control_command *command;
	const char *name; /* of the verb */
	struct client_link stream;
	struct client_progress progress;
	json_int_t id; /* of what we asked for, in its events */
	int pidfd;     /* of the supervisor, while it is to stop; -1 */
};

/* --- how it is said --- */

static void print_json(json_t *result)
{
	char *text = json_dumps(result, JSON_COMPACT | JSON_PRESERVE_ORDER);

	puts(text ? text : "{}");
	free(text);
}

int client_fail(const struct client_arguments *arguments, int status, const char *format, ...)
{
	va_list list;
	json_t *result;
	char *text = NULL;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	if (arguments->options.json) {
		result = json_pack(
			"{s:b,s:s,s:i}", "ok", 0, "error", text ? text : "", "exit_status", status);
		print_json(result);
		json_decref(result);
	} else {
		fprintf(stderr, "preforkd: %s\n", text ? text : "");
	}
	free(text);
	return status;
}

static int exit_status_of(const json_t *result)
{
	json_int_t status = json_integer_value(json_object_get(result, "exit_status"));

	return status > 0 && status <= 255 ? (int)status : EX_SOFTWARE;
}

/* {"ok":...} to words and an exit status. */
static int conclude(const struct client_arguments *arguments, json_t *result)
{
	bool ok = json_is_true(json_object_get(result, "ok"));
	const char *words = json_string_value(json_object_get(result, ok ? "message" : "error"));
	char *text = plain_text_clean(memory_copy_string(words ? words : "no reason given"));

	if (arguments->options.json)
		print_json(result);
	else if (!ok)
		fprintf(stderr, "preforkd: %s: %s\n", arguments->word[0], text);
	else if (words)
		printf("%s\n", text);
	free(text);
	return ok ? EX_OK : exit_status_of(result);
}

static json_t *parse(const char *line)
{
	json_t *result = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(result))
		return result;
	json_decref(result);
	return NULL;
}

/* --- asking --- */

/* The answer to a request on a connection of its own; NULL: *status says why not, and it has been
 * said. */
static json_t *ask(
	struct client_places *places, const struct client_arguments *arguments, int *status)
{
	enum client_read got = CLIENT_FAILED;
	json_t *answer = NULL;
	struct client_link link;
	struct errmsg err;
	char *line;

	*status = client_link_open(&link, places, &err);
	if (*status == EX_OK) {
		client_link_ask(&link, arguments->word);
		got = client_link_read(&link, &line, ANSWER_LIMIT_SEC, &err);
		*status = EX_UNAVAILABLE;
		if (got == CLIENT_LINE)
			answer = parse(line);
		if (got == CLIENT_LINE && !answer)
			errmsg_set(&err, "%s: that is no answer of a supervisor", link.path);
		if (got == CLIENT_END)
			errmsg_set(&err, "%s: the supervisor hung up without an answer", link.path);
	}
	if (!answer)
		client_fail(arguments, *status, "%s", err.text);
	client_link_close(&link);
	return answer;
}

static int ask_and_conclude(struct client_places *places, const struct client_arguments *arguments)
{
	int status;
	json_t *answer = ask(places, arguments, &status);

	if (answer)
		status = conclude(arguments, answer);
	json_decref(answer);
	return status;
}

/* --- following --- */

static const char *done_word(enum control_verb verb)
{
	return verb == VERB_DRAIN || verb == VERB_STOP || verb == VERB_QUIT ? "gone" : "replaced";
}

static bool stops(const struct waiting *waiting)
{
	return waiting->command->verb == VERB_STOP || waiting->command->verb == VERB_QUIT;
}

static bool is_event(const json_t *event, const char *name)
{
	const char *found = json_string_value(json_object_get(event, "event"));

	return found && strcmp(found, name) == 0;
}

/* One event. Is it the end? Then *status is how it ended. */
static bool take_event(struct waiting *waiting, json_t *event, int *status)
{
	const json_t *id = json_object_get(event, "id");

	if (is_event(event, "dropped")) {
		client_progress_end(&waiting->progress);
		*status = client_fail(waiting->arguments, EX_TEMPFAIL,
			"events were lost, perhaps the one that the %s has ended; ask status",
			waiting->name);
		return true;
	}
	if (!json_is_integer(id) || json_integer_value(id) != waiting->id)
		return false;
	if (is_event(event, "progress") && !waiting->arguments->options.json)
		client_progress_show(&waiting->progress, event);
	if (!is_event(event, "finished") ||
		(stops(waiting) && json_is_true(json_object_get(event, "ok"))))
		return false;
	client_progress_end(&waiting->progress);
	json_object_del(event, "event");
	*status = conclude(waiting->arguments, event);
	return true;
}

/* The events have ended: what a stop is to lead to, and what nothing else is. Who starts anew at
 * once must find nobody in the way, so it waits for the process too. */
static int supervisor_left(struct waiting *waiting)
{
	struct pollfd at = {.fd = waiting->pidfd, .events = POLLIN};
	json_t *result;
	int status;

	client_progress_end(&waiting->progress);
	if (!stops(waiting))
		return client_fail(waiting->arguments, EX_UNAVAILABLE,
			"the supervisor left before the %s had ended", waiting->name);
	if (waiting->pidfd >= 0 && poll(&at, 1, EXIT_LIMIT_MS) == 0)
		return client_fail(waiting->arguments, EX_TEMPFAIL,
			"the supervisor hung up, but its process is still there");
	result = json_pack("{s:s,s:b,s:s}", "action", waiting->name, "ok", 1, "message", "stopped");
	status = conclude(waiting->arguments, result);
	json_decref(result);
	return status;
}

static int follow(struct waiting *waiting)
{
	enum client_read got;
	struct errmsg err;
	json_t *event;
	bool ended = false;
	char *line;
	int status = EX_SOFTWARE;

	while (!ended) {
		got = client_link_read(&waiting->stream, &line, 0, &err);
		if (got == CLIENT_END)
			return supervisor_left(waiting);
		if (got == CLIENT_FAILED)
			return client_fail(waiting->arguments, EX_UNAVAILABLE, "%s", err.text);
		event = parse(line);
		ended = event && take_event(waiting, event, &status);
		json_decref(event);
	}
	return status;
}

/* Opens the events and waits until they come. The exit status; what went wrong has been said. */
static int open_stream(struct waiting *waiting, struct client_places *places)
{
	char events[] = "events", *const word[] = {events, NULL};
	const struct client_arguments *arguments = waiting->arguments;
	struct errmsg err = {"the supervisor hung up"};
	int status = client_link_open(&waiting->stream, places, &err);
	json_t *first = NULL;
	char *line;

	if (status != EX_OK)
		return client_fail(arguments, status, "%s", err.text);
	client_link_ask(&waiting->stream, word);
	if (client_link_read(&waiting->stream, &line, ANSWER_LIMIT_SEC, &err) == CLIENT_LINE)
		first = parse(line);
	if (!first)
		status = client_fail(arguments, EX_UNAVAILABLE, "%s", err.text);
	else if (!is_event(first, "streaming"))
		status = conclude(arguments, first);
	json_decref(first);
	return status;
}

/* It begins when something else has ended: why nothing is seen for a while. */
static void say_what_is_first(const struct waiting *waiting, const json_t *answer)
{
	const char *words = json_string_value(json_object_get(answer, "message"));
	char *text = plain_text_clean(memory_copy_string(words ? words : ""));

	if (!waiting->arguments->options.json) {
		puts(text);
		fflush(stdout);
	}
	free(text);
}

static int ask_and_follow(struct waiting *waiting, struct client_places *places)
{
	int status = open_stream(waiting, places);
	json_t *answer;

	if (status != EX_OK)
		return status;
	if (stops(waiting))
		waiting->pidfd = client_link_pidfd(&waiting->stream);
	answer = ask(places, waiting->arguments, &status);
	if (!answer)
		return status;
	waiting->id = json_integer_value(json_object_get(answer, "id"));
	if (!json_is_true(json_object_get(answer, "ok")) || waiting->id == 0) {
		status = conclude(waiting->arguments, answer);
	} else {
		if (json_object_get(answer, "after"))
			say_what_is_first(waiting, answer);
		status = follow(waiting);
	}
	json_decref(answer);
	return status;
}

int client_perform(struct client_places *places, const struct client_arguments *arguments,
	const struct control_command *command, bool wait)
{
	struct waiting waiting = {.arguments = arguments,
		.command = command,
		.name = control_verb_info(command->verb)->name,
		.stream.fd = -1,
		.pidfd = -1};
	int status;

	if (!wait)
		return ask_and_conclude(places, arguments);
	client_progress_init(&waiting.progress, stdout, done_word(command->verb));
	status = ask_and_follow(&waiting, places);
	client_progress_free(&waiting.progress);
	client_link_close(&waiting.stream);
	if (waiting.pidfd >= 0)
		close(waiting.pidfd);
	return status;
}
