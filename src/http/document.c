/*
 * The status document, read. Rule: what is missing or of another type is passed over, never a
 * crash: the supervisor may be older or newer than we are. Must not ask for a document.
 */
#include "document.h"

#include <string.h>

#define PATH_PART_BYTES 64

json_t *document_find(json_t *object, const char *path)
{
	char part[PATH_PART_BYTES];

	while (object) {
		const char *dot = strchrnul(path, '.');
		size_t length = (size_t)(dot - path);

		if (length >= sizeof(part))
			return NULL;
		memcpy(part, path, length);
		part[length] = '\0';
		object = json_object_get(object, part);
		if (!*dot)
			return object;
		path = dot + 1;
	}
	return NULL;
}

const char *document_string(json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

double document_number(json_t *object, const char *path)
{
	return json_number_value(document_find(object, path));
}

/* --- what has changed: FNV-1a over everything but real numbers, which all are times and rates */

static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 1099511628211u;
	return hash;
}

static uint64_t mix_string(uint64_t hash, const char *text)
{
	return mix(hash, text, strlen(text) + 1);
}

static uint64_t mix_value(uint64_t hash, const json_t *value);

static uint64_t mix_object(uint64_t hash, const json_t *object)
{
	json_t *writable = (json_t *)object; /* jansson's iterators take no const */

	for (void *i = json_object_iter(writable); i; i = json_object_iter_next(writable, i)) {
		hash = mix_string(hash, json_object_iter_key(i));
		hash = mix_value(hash, json_object_iter_value(i));
	}
	return hash;
}

static uint64_t mix_array(uint64_t hash, const json_t *array)
{
	size_t count = json_array_size(array);

	hash = mix(hash, &count, sizeof(count));
	for (size_t i = 0; i < count; i++)
		hash = mix_value(hash, json_array_get(array, i));
	return hash;
}

static uint64_t mix_value(uint64_t hash, const json_t *value)
{
	json_type type = json_typeof(value);
	json_int_t number;

	hash = mix(hash, &type, sizeof(type));
	switch (type) {
	case JSON_OBJECT: return mix_object(hash, value);
	case JSON_ARRAY: return mix_array(hash, value);
	case JSON_STRING: return mix_string(hash, json_string_value(value));
	case JSON_INTEGER:
		number = json_integer_value(value);
		return mix(hash, &number, sizeof(number));
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL: break;
	}
	return hash;
}

uint64_t document_fingerprint(const json_t *document)
{
	return mix_value(14695981039346656037u, document);
}

/* --- readiness */

/* A pool that starts its workers on demand serves with none of them there, as long as they start.
 */
static bool serves_on_demand(json_t *pool)
{
	json_t *spare = json_object_get(pool, "min_spare_workers");

	return json_is_integer(spare) && json_integer_value(spare) == 0 &&
	       document_number(pool, "max_workers") > 0 &&
	       document_number(pool, "backoff.failures") <= 0;
}

static void check_pool(json_t *pool, struct text *reasons)
{
	const char *name = document_string(pool, "name");
	double ready = document_number(pool, "idle") + document_number(pool, "busy") +
		       document_number(pool, "unknown");

	if (json_is_true(json_object_get(pool, "drained")))
		text_print(reasons, "pool %s is drained\n", name);
	else if (ready < 1 && !serves_on_demand(pool))
		text_print(reasons, "pool %s has no ready worker, %.0f starting\n", name,
			document_number(pool, "starting"));
}

bool document_ready(json_t *document, struct text *reasons)
{
	const char *phase = document_string(document, "phase");
	size_t length = reasons->length, i;
	json_t *pool;

	if (strcmp(phase, "running") != 0)
		text_print(reasons, "the supervisor is %s\n", phase);
	json_array_foreach(json_object_get(document, "pools"), i, pool) check_pool(pool, reasons);
	return reasons->length == length && !reasons->failed;
}
