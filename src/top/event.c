/*
 * Events in words. Its rule: an unknown or broken one is passed over, since newer supervisors may
 * tell more. Pure.
 */
#include "event.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *string_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "web/3: ", "web: " or nothing. */
static void describe_place(char *out, size_t bytes, const json_t *event)
{
	const char *pool = string_of(event, "pool");

	out[0] = '\0';
	if (json_is_integer(json_object_get(event, "slot")))
		snprintf(out, bytes, "%s/%lld: ", pool, number_of(event, "slot"));
	else if (pool[0])
		snprintf(out, bytes, "%s: ", pool);
}

static bool describe(char *out, size_t bytes, bool *changed, const json_t *event)
{
	const char *kind = string_of(event, "event");
	const char *why = string_of(event, "why");
	char place[64];

	*changed = true;
	describe_place(place, sizeof(place), event);
	if (strcmp(kind, "worker") == 0) {
		snprintf(out, bytes, "%s%s -> %s%s%s%s", place, string_of(event, "from"),
			string_of(event, "to"), *why ? " (" : "", why, *why ? ")" : "");
		return true;
	}
	if (strcmp(kind, "progress") == 0) {
		snprintf(out, bytes, "%s%s: %lld of %lld", place, string_of(event, "action"),
			number_of(event, "done"), number_of(event, "total"));
		return true;
	}
	if (strcmp(kind, "finished") == 0) {
		bool good = json_is_true(json_object_get(event, "ok"));

		snprintf(out, bytes, "%s: %s", string_of(event, "action"),
			string_of(event, good ? "message" : "error"));
		return true;
	}
	*changed = false;
	if (strcmp(kind, "log") != 0)
		return false;
	snprintf(out, bytes, "%s%s", place, string_of(event, "message"));
	return true;
}

bool event_describe(char *out, size_t bytes, bool *changed, const char *line, size_t length)
{
	json_t *event = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
	bool told;

	*changed = false;
	if (!event)
		return false;
	told = describe(out, bytes, changed, event);
	json_decref(event);
	return told;
}
