/*
 * A worker that was there before us: what an earlier supervisor knew of it, made ours. It must
 * notice nothing, and what nobody saw is not held against it.
 */
#include "worker.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "generation.h"
#include "scoreboard.h"
#include "state.h"

static void shift(int64_t *at, int64_t by)
{
	if (*at != 0)
		*at += by;
}

/* What it did while nobody looked is not known: it is not held to account for that. */
static void take_times(struct worker *worker, const struct state_worker *from,
	const struct worker_absence *absence)
{
	struct worker_times *times = &worker->times;
	int64_t *const all[] = {&times->started_at, &times->sign_at, &times->job_at,
		&times->retired_at, &times->leaving_at, &times->signalled_at, &times->killed_at,
		&times->extended_until, &times->expires_at, &worker->activity_at,
		&worker->ready_at};

	*times = from->times;
	worker->activity_at = from->activity_at;
	worker->ready_at = from->ready_at;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		shift(all[i], absence->shift_ms);
	if (absence->died)
		times->sign_at = times->job_at = worker->activity_at = absence->now_ms;
}

static void take_facts(struct worker *worker, const struct state_worker *from)
{
	worker->activity = from->activity;
	worker->jobs = from->jobs;
	worker->max_jobs = from->max_jobs;
	worker->recycle = (enum worker_recycle)from->recycle;
	worker->replacement = from->replacement;
	worker->jobs_known = from->jobs_known;
	worker->job_done = from->job_done;
	worker->asked = from->asked;
	worker->start_failed = from->start_failed;
	worker->settled = from->settled;
	worker->ready_told = from->ready_told;
	worker->leaving = from->leaving;
	worker->retire_signal = from->retire_signal;
	worker->soft_signal = from->soft_signal;
	memcpy(worker->line, from->line, BOARD_LINE_BYTES);
	if (from->status)
		snprintf(worker->status, sizeof(worker->status), "%s", from->status);
}

void worker_take_up(struct worker *worker, struct generation *generation,
	const struct state_worker *from, const struct worker_absence *absence)
{
	struct worker_context *context = worker->context;

	assert(worker->record.state == WORKER_EMPTY);
	*worker = (struct worker){
		.record = {.slot = worker->record.slot,
			.pid = from->pid,
			.started_boot_ns = from->started_boot_ns,
			.started_ticks = from->started_ticks,
			.generation = from->generation,
			.state = from->state},
		.context = context,
		.generation = generation_hold(generation),
		.foreign = from->foreign || absence->died,
		.pidfd = from->pidfd,
	};
	take_facts(worker, from);
	take_times(worker, from, absence);
	scoreboard_set_worker(context->board, worker->record.slot, worker->record.pid);
	if (worker->times.retired_at != 0)
		scoreboard_set_retiring(context->board, worker->record.slot);
	worker_watch_exit(worker);
}
