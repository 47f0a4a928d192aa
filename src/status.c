/*
 * Facts to JSON. Every worker is counted once, by the state that its own line in the document
 * shows: so live is the sum of the others, whatever happens meanwhile.
 */
#include "status.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "backlog.h"
#include "board.h"
#include "configuration.h"
#include "generation.h"
#include "json_text.h"
#include "logger.h"
#include "pool.h"
#include "pool_roll.h"
#include "process_usage.h"
#include "settings.h"
#include "supervisor.h"
#include "sys.h"

#define USAGE_MS 3000

enum shown { SHOWN_STARTING, SHOWN_UNKNOWN, SHOWN_IDLE, SHOWN_BUSY, SHOWN_RETIRING, SHOWN_COUNT };

static double seconds(int64_t ms)
{
	return (double)ms / 1000;
}

static json_t *text_of(const char *text)
{
	return json_text(text, strlen(text));
}

/* Rather none than one that lacks something for want of memory. */
static json_t *whole(json_t *value, int error)
{
	if (!error)
		return value;
	json_decref(value);
	return NULL;
}

static double unix_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- a worker --- */

static enum shown shown_as(const struct worker *worker)
{
	switch (worker->record.state) {
	case WORKER_STARTING: return SHOWN_STARTING;
	case WORKER_READY: break;
	case WORKER_EMPTY:
	case WORKER_RETIRING:
	case WORKER_STOPPING:
	case WORKER_KILLED:
	case WORKER_STATE_COUNT: return SHOWN_RETIRING;
	}
	if (worker->leaving)
		return SHOWN_RETIRING;
	switch (worker->activity) {
	case ACTIVITY_NONE: return SHOWN_UNKNOWN;
	case ACTIVITY_IDLE: return SHOWN_IDLE;
	case ACTIVITY_BUSY: return SHOWN_BUSY;
	}
	return SHOWN_UNKNOWN;
}

static const char *state_name(const struct worker *worker)
{
	switch (shown_as(worker)) {
	case SHOWN_STARTING: return "starting";
	case SHOWN_UNKNOWN: return "unknown";
	case SHOWN_IDLE: return "idle";
	case SHOWN_BUSY: return "busy";
	case SHOWN_RETIRING:
	case SHOWN_COUNT: break;
	}
	return worker->record.state == WORKER_READY ? "retiring"
						    : worker_state_name(worker->record.state);
}

/* Since when it is what it is shown as. */
static int64_t since(const struct worker *worker)
{
	switch (worker->record.state) {
	case WORKER_RETIRING: return worker->times.retired_at;
	case WORKER_STOPPING: return worker->times.signalled_at;
	case WORKER_KILLED: return worker->times.killed_at;
	case WORKER_STARTING: return worker->times.started_at;
	case WORKER_READY:
	case WORKER_EMPTY:
	case WORKER_STATE_COUNT: break;
	}
	if (worker->activity == ACTIVITY_NONE)
		return worker->ready_at;
	return worker->activity_at;
}

/* A look into /proc costs more than all the rest: one in a few seconds will do. */
static void look_at_usage(struct worker *worker, int64_t now_ms)
{
	if (worker->usage_at != 0 && now_ms - worker->usage_at < USAGE_MS)
		return;
	worker->usage_at = now_ms;
	worker->usage_known = process_usage_read(&worker->usage, worker->record.pid);
}

static json_t *usage_or_null(bool known, json_t *value)
{
	if (known)
		return value;
	json_decref(value);
	return json_null();
}

static json_t *describe_worker(struct worker *worker, int64_t now_ms)
{
	char note[BOARD_NOTE_BYTES + 1], letter[2] = {worker->line[BOARD_STATE_AT]};
	struct board_line said;

	look_at_usage(worker, now_ms);
	board_note_read(note, worker->line);
	board_line_read(&said, worker->line);
	if (said.state == BOARD_NOISE)
		letter[0] = '?';
	return json_pack("{s:i,s:i,s:I,s:s,s:s,s:f,s:f,s:o,s:o,s:o,s:s}", "slot",
		worker->record.slot, "pid", (int)worker->record.pid, "generation",
		(json_int_t)worker->record.generation, "state", state_name(worker), "letter",
		letter, "since", seconds(now_ms - since(worker)), "age",
		seconds(now_ms - worker->times.started_at), "jobs",
		usage_or_null(worker->jobs_known, json_integer((json_int_t)worker->jobs)),
		"resident",
		usage_or_null(worker->usage_known, json_integer(worker->usage.resident_bytes)),
		"cpu", usage_or_null(worker->usage_known, json_real(worker->usage.cpu_sec)), "note",
		*worker->status ? worker->status : note);
}

/* --- a pool --- */

static json_t *describe_histogram(const struct histogram *histogram)
{
	json_t *bounds = json_array(), *counts = json_array();
	int error = 0;

	for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
		error |= json_array_append_new(bounds, json_real(histogram_bound[i]));
	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		error |= json_array_append_new(
			counts, json_integer((json_int_t)histogram->count[i]));
	return whole(json_pack("{s:o,s:o,s:f}", "bounds", bounds, "counts", counts, "sum",
			     histogram->sum),
		error);
}

static json_t *number_or_null(bool known, int number)
{
	return known ? json_integer(number) : json_null();
}

static json_t *describe_roll(const struct pool *pool)
{
	const struct roll_census census = pool_roll_census(pool);
	const int left = census.old_ready + census.old_starting;
	const int total = pool->roll.total > left ? pool->roll.total : left;

	if (!pool->roll.on && left == 0)
		return json_null();
	return json_pack("{s:i,s:i,s:i,s:i}", "replaced", total - left, "total", total, "starting",
		census.new_starting, "failures", pool->roll.failures);
}

static json_t *count_or_null(int count)
{
	return number_or_null(count != BACKLOG_UNKNOWN, count);
}

static json_t *describe_sockets(const struct pool *pool)
{
	const struct words *names = &pool->settings->sockets;
	struct backlog_reader reader;
	json_t *sockets = json_array();
	int error = 0;

	backlog_open(&reader);
	for (size_t i = 0; i < names->count; i++) {
		const struct socket_table *table = &pool->current->configuration->sockets;
		const struct listener *listener = socket_table_find(table, names->word[i]);
		const struct backlog_count count = backlog_read(&reader, listener->fd);
		const int most = socket_table_saw(table, names->word[i], count.waiting);

		error |= json_array_append_new(
			sockets, json_pack("{s:s,s:o,s:o,s:o,s:o}", "name", names->word[i],
					 "address", text_of(listener->port_text), "waiting",
					 count_or_null(count.waiting), "waiting_max",
					 number_or_null(count.waiting != BACKLOG_UNKNOWN, most),
					 "limit", count_or_null(count.limit)));
	}
	backlog_close(&reader);
	return whole(sockets, error);
}

static json_t *describe_tally(const struct tally *tally)
{
	return json_pack("{s:I,s:I,s:{s:I,s:I,s:I,s:I},s:{s:I,s:I,s:I},s:I,s:o,s:o}", "jobs",
		(json_int_t)tally->jobs, "starts", (json_int_t)tally->starts, "exits", "asked",
		(json_int_t)tally->exits_asked, "voluntary", (json_int_t)tally->exits_voluntary,
		"failed", (json_int_t)tally->exits_failed, "killed", (json_int_t)tally->killed,
		"recycled", "jobs", (json_int_t)tally->recycled_jobs, "age",
		(json_int_t)tally->recycled_age, "memory", (json_int_t)tally->recycled_memory,
		"limit_hits", (json_int_t)tally->limit_hits, "start_to_ready",
		describe_histogram(&tally->start_to_ready), "demand_to_start",
		describe_histogram(&tally->demand_to_start));
}

static json_t *describe_limits(const struct pool *pool)
{
	const struct policy_rule rule = pool_rule(pool);
	const bool dynamic = rule.dynamic;

	return json_pack("{s:b,s:i,s:I,s:o,s:o,s:o,s:i,s:b}", "dynamic", dynamic, "max_workers",
		rule.max_workers, "configured_max_workers", (json_int_t)pool->settings->max_workers,
		"min_spare_workers", number_or_null(dynamic, rule.min_spare), "max_spare_workers",
		number_or_null(dynamic, rule.max_spare), "start_workers",
		number_or_null(dynamic, rule.start_workers), "offset", pool->offset, "drained",
		pool->drained);
}

static json_t *describe_backoff(const struct pool *pool, int64_t now_ms)
{
	const int64_t until = pool->failures.until > pool->machine.until ? pool->failures.until
									 : pool->machine.until;

	return json_pack("{s:I,s:f,s:o}", "failures", (json_int_t)pool->failures.failures,
		"remaining", until > now_ms ? seconds(until - now_ms) : 0.0, "last",
		text_of(pool->last_failure));
}

/* A thing taken from elsewhere and not wanted any more. */
static int merge(json_t *into, json_t *from)
{
	const int error = json_object_update(into, from);

	json_decref(from);
	return error;
}

static json_t *describe_pool(struct pool *pool, int64_t now_ms)
{
	json_t *workers = json_array(), *document;
	int count[SHOWN_COUNT] = {0}, live = 0, error = 0;

	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];

		if (!worker_present(worker))
			continue;
		live++;
		count[shown_as(worker)]++;
		error |= json_array_append_new(workers, describe_worker(worker, now_ms));
	}
	document = json_pack("{s:s,s:I,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:s}", "name", pool->name,
		"generation", (json_int_t)pool->current->number, "live", live, "starting",
		count[SHOWN_STARTING], "idle", count[SHOWN_IDLE], "busy", count[SHOWN_BUSY],
		"unknown", count[SHOWN_UNKNOWN], "retiring", count[SHOWN_RETIRING],
		"jobs_per_second", tally_rate(&pool->tally, now_ms), "decision", pool->decision);
	error |= merge(document, describe_limits(pool));
	error |= merge(document, describe_tally(&pool->tally));
	error |= json_object_set_new(document, "decided",
		*pool->decision ? json_real(seconds(now_ms - pool->decided_at)) : json_null());
	error |= json_object_set_new(document, "backoff", describe_backoff(pool, now_ms));
	error |= json_object_set_new(document, "roll", describe_roll(pool));
	error |= json_object_set_new(document, "sockets", describe_sockets(pool));
	error |= json_object_set_new(document, "workers", workers);
	return whole(document, error);
}

/* --- the supervisor --- */

static const char *phase_name(const struct supervisor *supervisor)
{
	switch (supervisor->phase) {
	case PHASE_STARTING: return "starting";
	case PHASE_RUNNING:
		return supervisor->reload.state == RELOAD_ROLLING ? "reloading" : "running";
	case PHASE_STOPPING: return "stopping";
	}
	return "";
}

static json_t *describe_reload(const struct reload *reload, int64_t now_ms)
{
	static const char *const names[] = {"none", "rolling", "done", "failed"};
	const bool rolling = reload->state == RELOAD_ROLLING;
	const bool ended = reload->state == RELOAD_DONE || reload->state == RELOAD_FAILED;

	return json_pack("{s:s,s:s?,s:o,s:f,s:o}", "state", names[reload->state], "action",
		reload->action, "at", ended ? json_integer(reload->ended_at) : json_null(),
		"duration", rolling ? seconds(now_ms - reload->begun_ms) : seconds(reload->took_ms),
		"reason",
		reload->state == RELOAD_FAILED ? text_of(reload->reason.text) : json_null());
}

static int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = -1; /* the folder's own */

	if (!folder)
		return -1;
	for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

static json_t *describe_descriptors(void)
{
	struct rlimit limit = {0};
	int open = count_descriptors();

	getrlimit(RLIMIT_NOFILE, &limit);
	return json_pack("{s:o,s:I}", "open", number_or_null(open >= 0, open), "limit",
		(json_int_t)limit.rlim_cur);
}

static json_t *describe(const struct supervisor *supervisor, const char *wanted)
{
	const int64_t now_ms = supervisor->place.now(supervisor->place.owner);
	json_t *pools = json_array();
	int error = 0;

	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (!wanted || strcmp(supervisor->pool[i]->name, wanted) == 0)
			error |= json_array_append_new(
				pools, describe_pool(supervisor->pool[i], now_ms));
	return json_pack("{s:s,s:s,s:i,s:o,s:s,s:f,s:f,s:o,s:f,s:o,s:I,s:o}", "version",
		supervisor->options->version, "name", supervisor->name, "pid", (int)getpid(),
		"config", text_of(supervisor->options->config_path), "phase",
		phase_name(supervisor), "time", unix_time(), "uptime",
		seconds(sys_now_ms() - supervisor->began_ms), "reload",
		describe_reload(&supervisor->reload, now_ms), "loop_lag_max",
		seconds(supervisor->lag_max_ms), "descriptors", describe_descriptors(),
		"log_lines_lost", (json_int_t)logger_lost(), "pools", whole(pools, error));
}

char *status_document(const struct supervisor *supervisor, const char *pool, size_t *bytes)
{
	json_t *document = describe(supervisor, pool);
	char *text = json_text_of(document, bytes);

	json_decref(document);
	return text;
}
