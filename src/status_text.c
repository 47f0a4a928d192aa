/*
 * Renders the status document. Everything in it is looked up by name and may lack, since another
 * version may have written it; all strings are made harmless, since workers have a say in some.
 */
#include "status_text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain_text.h"
#include "status_units.h"

#define NAME_COLUMNS 12
#define LINE_BYTES   4096 /* longer ones are cut; reasons and notes are shorter */

struct text {
	char *bytes; /* NULL after a failure */
	size_t length, size;
};

/* --- text in the making --- */

static void add_bytes(struct text *text, const char *bytes, size_t length)
{
	size_t size = text->size;
	char *larger;

	if (!text->bytes)
		return;
	while (size - text->length <= length)
		size *= 2;
	if (size > text->size) {
		larger = realloc(text->bytes, size);
		if (!larger) {
			free(text->bytes);
			text->bytes = NULL;
			return;
		}
		text->bytes = larger;
		text->size = size;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
	char part[LINE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(part, sizeof(part), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	add_bytes(text, part, (size_t)length < sizeof(part) ? (size_t)length : sizeof(part) - 1);
}

/* Ends the line: made harmless, cut to `columns` (0: not), without blanks at its end. */
static void end_line(struct text *text, size_t begin, int columns)
{
	size_t shown = 0;
	char *at;

	if (!text->bytes)
		return;
	plain_text_clean(text->bytes + begin);
	for (at = text->bytes + begin; *at; at++)
		if (columns > 0 && ((unsigned char)*at & 0xc0) != 0x80 &&
			shown++ == (size_t)columns)
			break;
	while (at > text->bytes + begin && at[-1] == ' ')
		at--;
	text->length = (size_t)(at - text->bytes);
	add_bytes(text, "\n", 1);
}

/* --- the document --- */

static const char *string_of(const json_t *object, const char *key)
{
	const char *string = json_string_value(json_object_get(object, key));

	return string ? string : "";
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static long whole_of(const json_t *object, const char *key)
{
	return (long)json_integer_value(json_object_get(object, key));
}

static bool has_number(const json_t *object, const char *key)
{
	return json_is_number(json_object_get(object, key));
}

typedef void unit(char text[STATUS_UNIT_BYTES], double number);

/* The number in that unit, "-" when it is not known. */
static const char *show(
	char text[STATUS_UNIT_BYTES], unit *in, const json_t *object, const char *key)
{
	if (!has_number(object, key))
		return "-";
	in(text, number_of(object, key));
	return text;
}

/* --- the supervisor --- */

static void add_reload(struct text *text, const json_t *document)
{
	const json_t *reload = json_object_get(document, "reload");
	const char *state = string_of(reload, "state"), *reason = string_of(reload, "reason");
	const char *action = string_of(reload, "action");
	char ago[STATUS_UNIT_BYTES], took[STATUS_UNIT_BYTES];
	bool rolls = strcmp(state, "rolling") == 0;
	size_t begin = text->length;

	if (!*state || strcmp(state, "none") == 0)
		return;
	add(text, "%s%s: %s", rolls ? "" : "last ", *action ? action : "reload", state);
	if (has_number(reload, "at") && !rolls) {
		status_duration(ago, number_of(document, "time") - number_of(reload, "at"));
		add(text, " %s ago", ago);
	}
	if (has_number(reload, "duration"))
		add(text, rolls ? " for %s" : ", took %s",
			show(took, status_duration, reload, "duration"));
	if (*reason)
		add(text, ": %s", reason);
	end_line(text, begin, 0);
}

static void add_supervisor(struct text *text, const json_t *document)
{
	const json_t *descriptors = json_object_get(document, "descriptors");
	char up[STATUS_UNIT_BYTES], lag[STATUS_UNIT_BYTES];
	size_t begin = text->length;

	add(text, "%s: %s, pid %ld, up %s, preforkd %s, %s", string_of(document, "name"),
		string_of(document, "phase"), whole_of(document, "pid"),
		show(up, status_duration, document, "uptime"), string_of(document, "version"),
		string_of(document, "config"));
	end_line(text, begin, 0);
	add_reload(text, document);
	if (number_of(document, "loop_lag_max") >= 0.1) {
		begin = text->length;
		add(text, "the supervisor itself was late by up to %s",
			show(lag, status_duration, document, "loop_lag_max"));
		end_line(text, begin, 0);
	}
	if (number_of(descriptors, "open") > 0.8 * number_of(descriptors, "limit")) {
		begin = text->length;
		add(text, "descriptors are short: %ld of %ld are open",
			whole_of(descriptors, "open"), whole_of(descriptors, "limit"));
		end_line(text, begin, 0);
	}
	if (whole_of(document, "log_lines_lost") > 0) {
		begin = text->length;
		add(text, "%ld lines of the log were lost", whole_of(document, "log_lines_lost"));
		end_line(text, begin, 0);
	}
}

/* --- a pool --- */

/* Begins a pool's line, and says where that began. A name too long for its column gets a line of
 * its own, so that what follows stays under its heads. */
static size_t begin_pool(struct text *text, const char *name)
{
	size_t begin = text->length;

	if (strlen(name) <= NAME_COLUMNS) {
		add(text, "%-*s", NAME_COLUMNS, name);
		return begin;
	}
	add(text, "%s", name);
	end_line(text, begin, 0);
	begin = text->length;
	add(text, "%*s", NAME_COLUMNS, "");
	return begin;
}

static void add_pool_numbers(struct text *text, const json_t *pool)
{
	char jobs[STATUS_UNIT_BYTES], rate[STATUS_UNIT_BYTES];
	size_t begin = begin_pool(text, string_of(pool, "name"));

	add(text, " %5ld %5ld %5ld %5ld %5ld %5ld  %8s %6s %7ld %6ld", whole_of(pool, "live"),
		whole_of(pool, "max_workers"), whole_of(pool, "busy"),
		whole_of(pool, "idle") + whole_of(pool, "unknown"), whole_of(pool, "starting"),
		whole_of(pool, "retiring"), show(jobs, status_count, pool, "jobs"),
		show(rate, status_rate, pool, "jobs_per_second"), whole_of(pool, "starts"),
		whole_of(json_object_get(pool, "exits"), "failed") +
			whole_of(json_object_get(pool, "exits"), "killed"));
	end_line(text, begin, 0);
}

static void add_limits(struct text *text, const json_t *pool)
{
	size_t begin = text->length;

	if (!has_number(pool, "min_spare_workers"))
		return;
	add(text, "  spare workers: %ld to %ld wanted, %ld at the start",
		whole_of(pool, "min_spare_workers"), whole_of(pool, "max_spare_workers"),
		whole_of(pool, "start_workers"));
	end_line(text, begin, 0);
}

static void add_sockets(struct text *text, const json_t *pool)
{
	const json_t *socket;
	size_t index, begin;

	json_array_foreach(json_object_get(pool, "sockets"), index, socket)
	{
		begin = text->length;
		add(text, "  socket %s %s", string_of(socket, "name"),
			string_of(socket, "address"));
		if (has_number(socket, "waiting"))
			add(text, ": %ld waiting, %ld at most, room for %ld",
				whole_of(socket, "waiting"), whole_of(socket, "waiting_max"),
				whole_of(socket, "limit"));
		end_line(text, begin, 0);
	}
}

/* What is out of the ordinary, each in a line. */
static void add_troubles(struct text *text, const json_t *pool)
{
	const json_t *roll = json_object_get(pool, "roll"),
		     *backoff = json_object_get(pool, "backoff");
	char remaining[STATUS_UNIT_BYTES];
	size_t begin = text->length;

	if (json_is_true(json_object_get(pool, "drained"))) {
		add(text, "  drained: no workers until resumed");
		end_line(text, begin, 0);
	}
	begin = text->length;
	if (json_is_object(roll)) {
		add(text, "  rolling: %ld of %ld replaced, %ld starting",
			whole_of(roll, "replaced"), whole_of(roll, "total"),
			whole_of(roll, "starting"));
		if (whole_of(roll, "failures") > 0)
			add(text, ", %ld failed", whole_of(roll, "failures"));
		end_line(text, begin, 0);
	}
	begin = text->length;
	if (whole_of(backoff, "failures") > 0 || number_of(backoff, "remaining") > 0) {
		add(text, "  backing off: %ld failures in a row, next start in %s",
			whole_of(backoff, "failures"),
			show(remaining, status_duration, backoff, "remaining"));
		end_line(text, begin, 0);
	}
	begin = text->length;
	if (whole_of(pool, "offset") != 0) {
		add(text, "  scaled by %+ld from %ld", whole_of(pool, "offset"),
			whole_of(pool, "configured_max_workers"));
		end_line(text, begin, 0);
	}
}

static void add_decision(struct text *text, const json_t *pool)
{
	char ago[STATUS_UNIT_BYTES];
	size_t begin = text->length;

	if (whole_of(pool, "limit_hits") > 0) {
		add(text, "  max_workers was reached %ld times", whole_of(pool, "limit_hits"));
		end_line(text, begin, 0);
	}
	begin = text->length;
	if (*string_of(pool, "decision")) {
		status_duration(ago, number_of(pool, "decided"));
		add(text, "  last decision, %s ago: %s", ago, string_of(pool, "decision"));
		end_line(text, begin, 0);
	}
}

static void add_worker(struct text *text, const json_t *worker, int columns)
{
	char since[STATUS_UNIT_BYTES], age[STATUS_UNIT_BYTES], jobs[STATUS_UNIT_BYTES];
	char resident[STATUS_UNIT_BYTES], cpu[STATUS_UNIT_BYTES];
	size_t begin = text->length;

	add(text, "  %4ld %7ld %4ld %-8s %s %6s %6s %6s %5s %6s %s", whole_of(worker, "slot"),
		whole_of(worker, "pid"), whole_of(worker, "generation"), string_of(worker, "state"),
		*string_of(worker, "letter") ? string_of(worker, "letter") : ".",
		show(since, status_duration, worker, "since"),
		show(age, status_duration, worker, "age"), show(jobs, status_count, worker, "jobs"),
		show(resident, status_size, worker, "resident"),
		show(cpu, status_duration, worker, "cpu"), string_of(worker, "note"));
	end_line(text, begin, columns);
}

static void add_pool(struct text *text, const json_t *pool, int columns)
{
	const json_t *workers = json_object_get(pool, "workers"), *worker;
	size_t index;

	add(text, "\nPOOL          LIVE   MAX  BUSY SPARE START LEAVE      JOBS  PER S  STARTS "
		  "FAILED\n");
	add_pool_numbers(text, pool);
	add_limits(text, pool);
	add_sockets(text, pool);
	add_troubles(text, pool);
	add_decision(text, pool);
	if (json_array_size(workers) == 0)
		return;
	add(text, "  SLOT     PID  GEN STATE        FOR    AGE   JOBS   RES    CPU NOTE\n");
	json_array_foreach(workers, index, worker) add_worker(text, worker, columns);
}

char *status_text_render(const json_t *document, int columns)
{
	struct text text = {.bytes = malloc(LINE_BYTES), .size = LINE_BYTES};
	const json_t *pool;
	size_t index;

	if (text.bytes)
		text.bytes[0] = '\0';
	add_supervisor(&text, document);
	json_array_foreach(json_object_get(document, "pools"), index, pool)
		add_pool(&text, pool, columns);
	return text.bytes;
}
