/*
 * JSON into structures. Its rule: any document gives a model or a reason, never a surprise later:
 * strings are never NULL, numbers are in range. It must not draw, nor know where the text is from.
 */
#include "model.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "memory.h"

static double get_number(const json_t *object, const char *key, double fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : fallback;
}

static int64_t get_count(const json_t *object, const char *key, int64_t fallback)
{
	double value = get_number(object, key, (double)fallback);

	if (!(value > -9e15))
		return fallback;
	return value < 9e15 ? (int64_t)value : (int64_t)9e15;
}

static int get_int(const json_t *object, const char *key, int fallback)
{
	int64_t value = get_count(object, key, fallback);

	return value < -1 ? -1 : value > INT_MAX / 16 ? INT_MAX / 16 : (int)value;
}

/* A number of workers: not negative. */
static int get_size(const json_t *object, const char *key)
{
	int value = get_int(object, key, 0);

	return value < 0 ? 0 : value;
}

static char *get_string(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return memory_copy_string(value ? value : "");
}

static bool get_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

const char *top_state_name(enum top_state state)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		TOP_STATES(X)
#undef X
	};

	return state < TOP_STATE_COUNT ? names[state] : "unknown";
}

static enum top_state get_state(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "state"));

	for (int state = 0; name && state < TOP_STATE_COUNT; state++)
		if (strcmp(name, top_state_name((enum top_state)state)) == 0)
			return (enum top_state)state;
	return TOP_UNKNOWN;
}

static char get_letter(const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "letter"));

	return text && *text > ' ' && *text < 0x7f ? *text : '.';
}

static void parse_worker(struct top_worker *worker, const json_t *object)
{
	worker->slot = get_size(object, "slot");
	worker->pid = get_size(object, "pid");
	worker->generation = get_size(object, "generation");
	worker->state = get_state(object);
	worker->letter = get_letter(object);
	worker->since = get_number(object, "since", -1);
	worker->age = get_number(object, "age", -1);
	worker->jobs = get_count(object, "jobs", -1);
	worker->resident = get_count(object, "resident", -1);
	worker->cpu = get_number(object, "cpu", -1);
	worker->load = -1;
	worker->load_cpu = worker->cpu;
	worker->load_age = worker->age;
	worker->note = get_string(object, "note");
}

static void parse_socket(struct top_socket *socket, const json_t *object)
{
	socket->name = get_string(object, "name");
	socket->address = get_string(object, "address");
	socket->waiting = get_count(object, "waiting", -1);
	socket->waiting_max = get_count(object, "waiting_max", -1);
	socket->limit = get_count(object, "limit", -1);
}

static void parse_lists(struct top_pool *pool, const json_t *object)
{
	const json_t *workers = json_object_get(object, "workers");
	const json_t *sockets = json_object_get(object, "sockets");

	pool->workers = json_array_size(workers);
	pool->worker = memory_alloc(pool->workers * sizeof(*pool->worker));
	for (size_t i = 0; i < pool->workers; i++)
		parse_worker(&pool->worker[i], json_array_get(workers, i));
	pool->sockets = json_array_size(sockets);
	pool->socket = memory_alloc(pool->sockets * sizeof(*pool->socket));
	for (size_t i = 0; i < pool->sockets; i++)
		parse_socket(&pool->socket[i], json_array_get(sockets, i));
}

static void parse_roll(struct top_pool *pool, const json_t *roll)
{
	pool->rolling = json_is_object(roll);
	pool->replaced = get_size(roll, "replaced");
	pool->roll_total = get_size(roll, "total");
	pool->roll_starting = get_size(roll, "starting");
	pool->roll_failures = get_size(roll, "failures");
}

static void parse_pool(struct top_pool *pool, const json_t *object)
{
	const json_t *backoff = json_object_get(object, "backoff");

	pool->name = get_string(object, "name");
	pool->dynamic = get_bool(object, "dynamic");
	pool->drained = get_bool(object, "drained");
	pool->max_workers = get_size(object, "max_workers");
	pool->configured_max = get_size(object, "configured_max_workers");
	pool->min_spare = get_int(object, "min_spare_workers", -1);
	pool->max_spare = get_int(object, "max_spare_workers", -1);
	pool->generation = get_size(object, "generation");
	pool->live = get_size(object, "live");
	pool->starting = get_size(object, "starting");
	pool->idle = get_size(object, "idle");
	pool->busy = get_size(object, "busy");
	pool->unknown = get_size(object, "unknown");
	pool->retiring = get_size(object, "retiring");
	pool->jobs = get_count(object, "jobs", -1);
	pool->jobs_per_second = get_number(object, "jobs_per_second", -1);
	pool->starts = get_count(object, "starts", -1);
	pool->failed = get_count(json_object_get(object, "exits"), "failed", 0);
	pool->limit_hits = get_count(object, "limit_hits", 0);
	pool->backoff_failures = get_count(backoff, "failures", 0);
	pool->backoff_remaining = get_number(backoff, "remaining", 0);
	pool->backoff_last = get_string(backoff, "last");
	pool->decision = get_string(object, "decision");
	pool->decided = get_number(object, "decided", -1);
	parse_roll(pool, json_object_get(object, "roll"));
	parse_lists(pool, object);
}

static void parse_supervisor(struct top_model *model, const json_t *root)
{
	const json_t *reload = json_object_get(root, "reload");
	double at = get_number(reload, "at", -1);

	model->name = get_string(root, "name");
	model->version = get_string(root, "version");
	model->phase = get_string(root, "phase");
	model->reload = get_string(reload, "state");
	model->reload_reason = get_string(reload, "reason");
	model->pid = get_size(root, "pid");
	model->time = get_number(root, "time", 0);
	model->uptime = get_number(root, "uptime", -1);
	model->loop_lag = get_number(root, "loop_lag_max", -1);
	model->descriptors = get_count(json_object_get(root, "descriptors"), "open", -1);
	model->lines_lost = get_count(root, "log_lines_lost", 0);
	model->reload_ago = at > 0 && model->time >= at ? model->time - at : -1;
}

static struct top_model *parse_root(const json_t *root, struct errmsg *err)
{
	const json_t *pools = json_object_get(root, "pools");
	const char *refusal = json_string_value(json_object_get(root, "error"));
	struct top_model *model;

	if (refusal) {
		errmsg_set(err, "%s", refusal);
		return NULL;
	}
	if (!json_is_array(pools)) {
		errmsg_set(err, "the answer is no status");
		return NULL;
	}
	model = memory_alloc(sizeof(*model));
	parse_supervisor(model, root);
	model->pools = json_array_size(pools);
	model->pool = memory_alloc(model->pools * sizeof(*model->pool));
	for (size_t i = 0; i < model->pools; i++)
		parse_pool(&model->pool[i], json_array_get(pools, i));
	return model;
}

struct top_model *model_parse(const char *text, size_t bytes, struct errmsg *err)
{
	json_error_t error;
	json_t *root = json_loadb(text, bytes, JSON_ALLOW_NUL, &error);
	struct top_model *model;

	if (!root) {
		errmsg_set(err, "the answer is no JSON: %s", error.text);
		return NULL;
	}
	model = parse_root(root, err);
	json_decref(root);
	return model;
}

static void free_pool(struct top_pool *pool)
{
	for (size_t i = 0; i < pool->workers; i++)
		free(pool->worker[i].note);
	for (size_t i = 0; i < pool->sockets; i++) {
		free(pool->socket[i].name);
		free(pool->socket[i].address);
	}
	free(pool->worker);
	free(pool->socket);
	free(pool->name);
	free(pool->backoff_last);
	free(pool->decision);
}

void model_free(struct top_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->pools; i++)
		free_pool(&model->pool[i]);
	free(model->pool);
	free(model->name);
	free(model->version);
	free(model->phase);
	free(model->reload);
	free(model->reload_reason);
	free(model);
}

const struct top_pool *model_pool(const struct top_model *model, const char *name)
{
	for (size_t i = 0; name && i < model->pools; i++)
		if (strcmp(model->pool[i].name, name) == 0)
			return &model->pool[i];
	return NULL;
}
