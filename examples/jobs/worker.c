/*
 * A job worker: does by name what clients ask it to (PROTOCOL.md), one job at a time. What it can
 *do is in functions.c.
 *
 *	cc -D_GNU_SOURCE -o worker *.c $(pkg-config --cflags --libs libprefork jansson)
 *	preforkd -c jobs.ini			many of it, on a socket of preforkd
 *	preforkd -c jobs.ini run jobs		one, in the foreground
 *	./worker --listen 127.0.0.1:9090	one, without preforkd
 */
#include <jansson.h>
#include <prefork.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "functions.h"
#include "wire.h"

struct job {
	const char *name; /* points into the message */
	job_function function;
	json_t *args; /* a reference */
	bool is_background;
};

static json_t *failure(const char *code, const char *message)
{
	return json_pack("{s:s, s:s}", "error", code, "message", message);
}

static void say(int client, json_t *answer)
{
	if (wire_write(client, answer, WIRE_LIMIT_MS))
		shutdown(client, SHUT_WR); /* the client need not wait for what comes after */
}

/* NULL: it can be done; else the answer that says why not. */
static json_t *job_understand(struct job *job, json_t *message)
{
	json_t *name = json_object_get(message, "function");
	json_t *background = json_object_get(message, "background");

	if (!json_is_string(name))
		return failure("bad_request", "not an object with a function");
	if (background && !json_is_boolean(background))
		return failure("bad_request", "background is neither true nor false");
	job->name = json_string_value(name);
	job->function = function_find(job->name);
	if (!job->function || strlen(job->name) != json_string_length(name))
		return failure("unknown_function", job->name);
	job->args = json_incref(json_object_get(message, "args"));
	if (!job->args)
		job->args = json_null();
	job->is_background = json_is_true(background);
	return NULL;
}

static json_t *job_perform(const struct job *job)
{
	const char *problem = "out of memory";
	json_t *result = job->function(job->args, &problem);

	if (result && json_dumpb(result, NULL, 0, JSON_ENCODE_ANY) > WIRE_LINE_MAX - 64) {
		json_decref(result);
		result = NULL;
		problem = "the result is longer than a line may be";
	}
	if (result)
		return json_pack("{s:o}", "result", result);
	fprintf(stderr, "%s: %s\n", job->name, problem);
	return failure("failed", problem);
}

static void job_do(const struct job *job, int client)
{
	prefork_state(job->is_background ? 'B' : 'W');
	prefork_note(job->name);
	if (!job->is_background) {
		say(client, job_perform(job));
		return;
	}
	say(client, json_pack("{s:b}", "accepted", 1));
	json_decref(job_perform(job));
}

static void serve(int client, void *unused)
{
	struct job job = {.args = NULL};
	json_t *message, *refusal;
	json_error_t error;
	size_t length;
	char *line;

	(void)unused;
	prefork_state('r');
	line = wire_read(client, WIRE_LIMIT_MS, &length);
	if (!line)
		return;
	message = json_loadb(line, length, JSON_ALLOW_NUL, &error);
	refusal = message ? job_understand(&job, message)
			  : failure("bad_request", "not a line of JSON");
	if (refusal)
		say(client, refusal);
	else if (job.function) /* not so, if there was no memory for a refusal */
		job_do(&job, client);
	json_decref(job.args);
	json_decref(message);
	free(line);
}

static int listen_alone(const char *address)
{
	int fd = wire_listen(address);

	return fd < 0 ? -1 : prefork_listen(fd);
}

int main(int argc, char **argv)
{
	bool is_alone = argc == 3 && strcmp(argv[1], "--listen") == 0;

	if (argc != 1 && !is_alone) {
		fprintf(stderr, "usage: worker [--listen ADDRESS]\n");
		return 64;
	}
	prefork_attach();
	if (is_alone && listen_alone(argv[2]) < 0) {
		perror(argv[2]);
		return 71;
	}
	if (prefork_serve(serve, NULL) == 0)
		return 0;
	perror("worker");
	return 1;
}
