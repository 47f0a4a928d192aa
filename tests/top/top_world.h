#ifndef PREFORKD_TOP_WORLD_H
#define PREFORKD_TOP_WORLD_H
/*
 * Documents as a supervisor answers them, made to measure, for the tests of the live view.
 */
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "model.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Notes that would harm a terminal or a layout. */
static const char *const hostile_notes[] = {"", "GET /", "\x1b[2J\x1b[H", "\x07\x08\x0d\x0a",
	"\x7f", "\xc3\xa4\xc3\xb6\xc3\xbc", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "e\xcc\x81",
	"\xe2\x80\xae"
	"abc",
	"\xf0\x9f\x98\x80 smile",
	"\xc2\x9b"
	"31m",
	"\xef\xbf\xbd", "%s%n%d", "{\"a\":1}",
	"a very long note indeed, longer than any column of any table is wide"};

static inline json_t *world_worker(int slot)
{
	static const char *const states[] = {
		"idle", "busy", "busy", "starting", "unknown", "retiring", "stopping", "killed"};
	static const char *const letters[] = {"_", "W", "K", ".", ".", "W", "_", "."};
	int kind = slot % 8;

	return json_pack("{s:i,s:i,s:i,s:s,s:s,s:f,s:f,s:I,s:I,s:f,s:s}", "slot", slot, "pid",
		1000 + slot, "generation", 2, "state", states[kind], "letter", letters[kind],
		"since", slot * 0.7, "age", slot * 13.1, "jobs", (json_int_t)slot * 1001,
		"resident", (json_int_t)slot * 70000, "cpu", slot * 0.3, "note",
		hostile_notes[(size_t)slot % COUNT(hostile_notes)]);
}

static inline json_t *world_pool(const char *name, int workers, int max_workers)
{
	json_t *list = json_array();

	for (int i = 0; i < workers; i++)
		json_array_append_new(list, world_worker(i));
	return json_pack("{s:s,s:b,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:s,s:f,s:{s:i,s:f,s:s},"
			 "s:{s:i,s:i,s:i,s:i},s:[{s:s,s:s,s:i,s:i,s:i}],s:o}",
		"name", name, "dynamic", 1, "max_workers", max_workers, "live", workers, "busy",
		workers / 4, "idle", workers / 4, "unknown", workers / 8, "starting", workers / 8,
		"retiring", workers / 4, "jobs", 5, "jobs_per_second", 87.2, "decision",
		"2 idle + 1 starting < min_spare_workers 5: starting 2", "decided", 12.0, "backoff",
		"failures", 3, "remaining", 1.5, "last", "exited with status 1", "roll", "replaced",
		3, "total", 12, "starting", 1, "failures", 1, "sockets", "name", "http", "address",
		"127.0.0.1:8080", "waiting", 3, "waiting_max", 17, "limit", 4096, "workers", list);
}

/* A document of so many pools with so many workers each. */
static inline json_t *world_status(int pools, int workers, int max_workers)
{
	json_t *list = json_array();
	char name[32];

	for (int i = 0; i < pools; i++) {
		snprintf(name, sizeof(name), "pool%d", i);
		json_array_append_new(list, world_pool(name, workers, max_workers));
	}
	return json_pack("{s:s,s:s,s:i,s:s,s:f,s:f,s:{s:s,s:f,s:s},s:f,s:{s:i,s:i},s:i,s:o}",
		"version", "0.1.0", "name", "app", "pid", 4711, "phase", "running", "time",
		1790000000.0, "uptime", 3600.5, "reload", "state", "failed", "at", 1789999000.5,
		"reason", "[pool:web]: 3 new workers failed", "loop_lag_max", 0.0021, "descriptors",
		"open", 57, "limit", 1024, "log_lines_lost", 7, "pools", list);
}

/* The model of a document, which is taken over. */
static inline struct top_model *world_model(json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT);
	struct errmsg err = {""};
	struct top_model *model = model_parse(text, strlen(text), &err);

	free(text);
	json_decref(document);
	ck_assert_msg(model, "%s", err.text);
	return model;
}

static inline void world_utf8(void)
{
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
}

#endif
