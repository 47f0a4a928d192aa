/*
 * A pool as it was, written down and taken up. A worker keeps its slot, its generation and all that
 * was known of it. What cannot be had (a line of a scoreboard, a pipe) costs a line of log, never
 * the worker.
 */
#include "pool_past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errmsg.h"
#include "generation.h"
#include "launch.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "process_look.h"
#include "settings.h"
#include "state.h"
#include "sys.h"

/* --- taking up --- */

/* Others than the current one live by its settings: theirs are not known any more. Held by the
 * caller. */
static struct generation *find_generation(
	struct pool *pool, const struct state_worker *from, struct errmsg *err)
{
	struct generation *generation;

	if (from->generation == pool->current->number)
		return generation_hold(pool->current);
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) &&
			pool->slot[i]->generation->number == from->generation)
			return generation_hold(pool->slot[i]->generation);
	generation = pool_generation_of(
		pool, pool->current->configuration, pool->settings, from->generation, err);
	if (generation) {
		generation->beside = from->beside;
		generation->proven = from->proven;
	}
	return generation;
}

static void take_up_output(struct pool *pool, const struct worker *worker, int number,
	const struct stdio_setting *setting)
{
	const struct stream_origin origin = {.pool = pool->name,
		.slot = worker->record.slot,
		.name = number == 1 ? "stdout" : "stderr"};
	const struct log_subject subject = {.pool = pool->name,
		.slot = worker->record.slot,
		.pid = worker->record.pid,
		.age_ms = -1};
	struct errmsg err;
	char *path = NULL;

	if (setting->kind != STDIO_LOG && setting->kind != STDIO_PATH)
		return;
	if (setting->kind == STDIO_PATH)
		path = launch_expand(&pool->current->launch, setting->target, origin.slot, &err);
	if ((setting->kind == STDIO_PATH && !path) ||
		!stream_take_up(pool->place.loop, &pool->sinks, path, &origin, worker->record.pid,
			number, &err))
		log_warning(&subject, "its %s cannot be read any more: %s", origin.name, err.text);
	free(path);
}

/* By the worker's own descriptors: ours died with our predecessor. */
static void take_up_outputs(struct pool *pool, const struct worker *worker)
{
	take_up_output(pool, worker, 1, &pool->settings->standard_output);
	take_up_output(pool, worker, 2, &pool->settings->standard_error);
}

static int move_in(struct pool *pool, const struct pool_past *past, struct state_worker *from,
	struct errmsg *err)
{
	const struct log_subject subject = {
		.pool = pool->name, .slot = from->slot, .pid = from->pid, .age_ms = -1};
	struct generation *generation;
	struct worker *worker;

	while (pool->slot_count <= from->slot)
		if (!pool_add_slot(pool))
			return errmsg_errno(err, "no room on the scoreboard");
	worker = pool->slot[from->slot];
	if (worker_present(worker))
		return 0; /* nobody writes two of them */
	generation = find_generation(pool, from, err);
	if (!generation)
		return -1;
	worker_take_up(worker, generation, from, &past->absence);
	from->pidfd = -1;
	generation_release(generation);
	pool->present++;
	if (past->absence.died) {
		log_info(
			&subject, "adopted, generation %llu", (unsigned long long)from->generation);
		take_up_outputs(pool, worker);
	}
	return 0;
}

/* The log and the file of a pipe stay what they were for as long as the pipe is there. */
static void take_on_streams(struct pool *pool, const struct pool_past *past)
{
	for (size_t i = 0; i < past->pool->stream_count; i++) {
		struct state_stream *from = &past->pool->stream[i];
		const struct stream_origin origin = {.pool = pool->name,
			.slot = from->slot,
			.name = from->number == 1 ? "stdout" : "stderr"};

		if (from->fd >= 0)
			stream_take_on(pool->place.loop, &pool->sinks, from->path, &origin,
				from->pid, from->fd, from->pending);
	}
}

static void take_up_facts(struct pool *pool, const struct pool_past *past)
{
	const struct state_pool *from = past->pool;

	pool->offset = from->offset;
	pool->drained = from->drained;
	pool->drained_to = from->drained_to;
	pool->context.shown = (enum worker_shown)from->shown;
	pool->ever_ready = from->ever_ready;
	pool->memory.initial_done = from->initial_done;
	pool->tally = from->tally;
	pool->board_dirty = true;
	if (past->absence.died)
		return;
	pool->first_ready = from->first_ready;
	pool->failures.round = from->failure_round;
	pool->failures.rounds = from->failure_rounds;
	pool->failures.failures = from->failures;
	if (from->failure_until != 0)
		pool->failures.until = from->failure_until + past->absence.shift_ms;
}

static int all_move_in(struct pool *pool, const struct pool_past *past, struct errmsg *err)
{
	take_up_facts(pool, past);
	take_on_streams(pool, past);
	for (size_t i = 0; i < past->pool->worker_count; i++)
		if (past->pool->worker[i].pidfd >= 0 &&
			move_in(pool, past, &past->pool->worker[i], err) < 0)
			return -1;
	/* Some may be to be replaced: whether so, a look at them tells. */
	pool->context.replacing = true;
	return 0;
}

struct pool *pool_take_up(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, const struct pool_past *past, struct errmsg *err)
{
	struct pool *pool = pool_open(configuration, settings, place, past, err);

	if (!pool || all_move_in(pool, past, err) == 0)
		return pool;
	pool->left_alone = true;
	pool_free(pool);
	return NULL;
}

/* --- writing down --- */

static void record_worker(struct worker *worker, struct state_worker *out)
{
	const struct generation *generation = worker->generation;
	const struct pool_settings *settings = generation->settings;
	const struct identity *identity = &generation->launch.identity;

	if (worker->record.started_ticks == 0)
		worker->record.started_ticks = process_started_ticks(worker->record.pid);
	*out = (struct state_worker){
		.slot = worker->record.slot,
		.pid = worker->record.pid,
		.started_ticks = worker->record.started_ticks,
		.started_boot_ns = worker->record.started_boot_ns,
		.uid = identity->change ? identity->uid : geteuid(),
		.generation = worker->record.generation,
		.beside = generation->beside,
		.proven = generation->proven,
		.state = worker->record.state,
		.activity = worker->activity,
		.times = worker->times,
		.activity_at = worker->activity_at,
		.ready_at = worker->ready_at,
		.jobs = worker->jobs,
		.max_jobs = worker->max_jobs,
		.recycle = worker->recycle,
		.replacement = worker->replacement,
		.jobs_known = worker->jobs_known,
		.job_done = worker->job_done,
		.asked = worker->asked,
		.start_failed = worker->start_failed,
		.settled = worker->settled,
		.ready_told = worker->ready_told,
		.leaving = worker->leaving,
		.foreign = worker->foreign,
		.retire_signal = worker->retire_signal,
		.soft_signal = worker->soft_signal,
		.stop_signal = settings->stop_signal,
		.stop_timeout_ms = settings->stop_timeout_ms,
		.status = worker->status[0] ? worker->status : NULL,
		.pidfd = -1,
	};
	memcpy(out->line, worker->line, BOARD_LINE_BYTES);
}

static void record_stream(void *context, const struct stream_view *view)
{
	struct state_pool *out = context;

	out->stream = memory_resize(out->stream, out->stream_count + 1, sizeof(*out->stream));
	out->stream[out->stream_count++] = (struct state_stream){
		.slot = view->origin->slot,
		.pid = view->pid,
		.number = strcmp(view->origin->name, "stdout") == 0 ? 1 : 2,
		.fd = view->fd,
		.path = (char *)view->path,
		.pending = view->pending_bytes > 0
				   ? memory_format("%.*s", (int)view->pending_bytes, view->pending)
				   : NULL,
	};
}

void pool_record_streams(const struct pool *pool, struct state_pool *out)
{
	streams_each(&pool->sinks, record_stream, out);
}

void pool_release_streams(struct state_pool *pool)
{
	for (size_t i = 0; i < pool->stream_count; i++)
		free(pool->stream[i].pending);
	free(pool->stream);
}

void pool_record(const struct pool *pool, struct state_pool *out)
{
	const struct identity *identity = &pool->current->launch.identity;

	*out = (struct state_pool){
		.name = pool->name,
		.board_path = pool->board_path,
		.notify_address = (char *)notify_socket_address(&pool->notify),
		.notify_fd = notify_socket_fd(&pool->notify),
		.last_generation = pool->last_generation,
		.generation = pool->current->number,
		.proven = pool->current->proven,
		.uid = identity->change ? identity->uid : geteuid(),
		.offset = pool->offset,
		.drained = pool->drained,
		.drained_to = pool->drained_to,
		.shown = (int)pool->context.shown,
		.ever_ready = pool->ever_ready,
		.first_ready = pool->first_ready,
		.initial_done = pool->memory.initial_done,
		.failure_round = pool->failures.round,
		.failure_rounds = pool->failures.rounds,
		.failures = pool->failures.failures,
		.failure_until = pool->failures.until,
		.tally = pool->tally,
		.worker = memory_alloc((size_t)pool->slot_count * sizeof(*out->worker) + 1),
	};
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			record_worker(pool->slot[i], &out->worker[out->worker_count++]);
}
