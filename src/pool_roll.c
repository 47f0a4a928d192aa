/*
 * Rolling. Which worker is to be replaced follows from its generation and from what it was found to
 * be due for; how many may be on their way, and when one may go, is roll.c's word.
 */
#include "pool_roll.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "generation.h"
#include "logger.h"
#include "memory.h"
#include "pool_start.h"
#include "settings.h"

static bool obsolete(const struct pool *pool, const struct worker *worker)
{
	const struct generation *generation = worker->generation;

	if (generation == pool->current)
		return false;
	return generation->beside != pool->current->number || worker->ready_at == 0;
}

/* One that waits to take another's place does so first, even when its own time has come. */
bool pool_outdated(const struct pool *pool, const struct worker *worker)
{
	if (!worker_present(worker))
		return false;
	return obsolete(pool, worker) || (worker->recycle != RECYCLE_NOT && !worker->replacement);
}

/* Neither asked to leave nor about to leave by itself. */
static bool serving(const struct worker *worker)
{
	return !worker->leaving &&
	       (worker->record.state == WORKER_STARTING || worker->record.state == WORKER_READY);
}

static int *place_of(
	struct roll_census *census, const struct pool *pool, const struct worker *worker)
{
	const bool ready = worker->ready_at != 0;

	if (!serving(worker))
		return &census->leaving;
	if (pool_outdated(pool, worker))
		return ready ? &census->old_ready : &census->old_starting;
	if (worker->replacement)
		return ready ? &census->new_ready : &census->new_starting;
	return ready ? &census->fresh_ready : &census->fresh_starting;
}

struct roll_census pool_roll_census(const struct pool *pool)
{
	struct roll_census census = {.proven = pool->current->proven};

	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			++*place_of(&census, pool, pool->slot[i]);
	return census;
}

int pool_retire_rank(const struct worker *worker)
{
	switch (worker_counts_as(worker)) {
	case CLASS_IDLE: return 0;
	case CLASS_STARTING: return 1;
	case CLASS_UNKNOWN: return 2;
	case CLASS_BUSY: return 3;
	case CLASS_EMPTY:
	case CLASS_LEAVING: break;
	}
	return 4;
}

/* Those that are to be replaced anyway before others; the longest idle first; of the busy ones that
 * whose job began last, since the oldest job is the one that may be stuck. */
int pool_compare_retire(const void *left, const void *right)
{
	const struct worker *a = *(struct worker *const *)left;
	const struct worker *b = *(struct worker *const *)right;
	const int ranks = pool_retire_rank(a) - pool_retire_rank(b);
	int64_t at_a = a->activity_at, at_b = b->activity_at;

	if (ranks != 0)
		return ranks;
	if (pool_outdated(a->context->pool, a) != pool_outdated(b->context->pool, b))
		return pool_outdated(a->context->pool, a) ? -1 : 1;
	if (pool_retire_rank(a) == 3) {
		at_a = -a->times.job_at;
		at_b = -b->times.job_at;
	}
	return (at_a > at_b) - (at_a < at_b);
}

/* --- beginning and ending ----------------------------------------------------------------- */

static void aim_at(struct pool *pool, struct generation *to)
{
	int ready = 0;

	pool_set_generation(pool, to);
	pool->roll.on = true;
	pool->context.replacing = true;
	pool->roll.total = pool->roll.held = pool->roll.failures = 0;
	pool->roll.told_done = pool->roll.told_starting = -1;
	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];
		const bool above = worker->replacement;

		worker->replacement = false;
		if (!worker_present(worker) || !serving(worker))
			continue;
		pool->roll.held += !above;
		ready += worker->ready_at != 0;
		pool->roll.total += obsolete(pool, worker);
	}
	/* A pool that is in trouble already has nothing to go back to. */
	pool->roll.counts = ready > 0 || pool->failures.rounds == 0;
}

void pool_roll_begin(struct pool *pool, struct generation *to, int signal_number)
{
	if (!pool->roll.from) {
		pool->roll.from = generation_hold(pool->current);
		pool->roll.from_offset = pool->offset;
	}
	pool->roll.signal_number = signal_number;
	pool->offset = 0;
	pool->drained = false;
	pool->gave_up = false;
	aim_at(pool, to);
	backoff_forget(&pool->failures);
}

static void forget_way_back(struct pool *pool)
{
	generation_release(pool->roll.from);
	pool->roll.from = NULL;
}

void pool_roll_commit(struct pool *pool)
{
	forget_way_back(pool);
	pool->roll.on = false;
	pool->roll.held = pool->roll.failures = 0;
	pool_mark_dirty(pool);
}

void pool_roll_back(struct pool *pool, bool keep)
{
	struct generation *given_up = pool->current;

	if (!pool->roll.from)
		return;
	if (keep)
		given_up->beside = pool->roll.from->number;
	backoff_forget(&pool->failures);
	pool->offset = pool->roll.from_offset;
	aim_at(pool, pool->roll.from);
	forget_way_back(pool);
	/* What is left to be replaced is so without hurry, and nothing of it counts any more. */
	pool->roll.on = false;
}

bool pool_restart_worker(struct pool *pool, int slot)
{
	struct worker *worker = pool_worker(pool, slot);

	if (!worker || !serving(worker))
		return false;
	worker->recycle = RECYCLE_ASKED;
	pool->context.replacing = true;
	pool_mark_dirty(pool);
	return true;
}

bool pool_keep_worker(struct pool *pool, int slot)
{
	struct worker *worker = pool_worker(pool, slot);

	if (!worker || !serving(worker) || worker->recycle != RECYCLE_ASKED)
		return false;
	worker->recycle = RECYCLE_NOT;
	pool_mark_dirty(pool);
	return true;
}

static int needed(const struct policy_rule *rule)
{
	if (!rule->dynamic)
		return rule->max_workers;
	return rule->min_spare < rule->start_workers ? rule->min_spare : rule->start_workers;
}

bool pool_rolled(const struct pool *pool)
{
	const struct roll_census census = pool_roll_census(pool);
	const struct policy_rule rule = pool_rule(pool);

	if (!pool->roll.on)
		return true;
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && serving(pool->slot[i]) &&
			obsolete(pool, pool->slot[i]))
			return false;
	return !pool->roll.counts || pool->removed ||
	       census.fresh_ready + census.new_ready + census.old_ready >= needed(&rule);
}

void pool_roll_failed(struct pool *pool, uint64_t generation)
{
	if (pool->roll.on && pool->roll.counts && generation == pool->current->number)
		pool->roll.failures++;
}

/* --- step by step -------------------------------------------------------------------------- */

static void release_replacements(struct pool *pool, int superfluous)
{
	for (int i = 0; i < pool->slot_count && superfluous > 0; i++) {
		struct worker *worker = pool->slot[i];

		if (!worker->replacement || !worker_present(worker) || !serving(worker))
			continue;
		worker->replacement = false;
		superfluous--;
	}
}

static bool anything_to_do(const struct roll_census *census)
{
	return census->old_starting + census->old_ready + census->new_starting + census->new_ready >
	       0;
}

void pool_roll_settle(struct pool *pool, int64_t now_ms)
{
	struct roll_census census;

	if (!pool->context.replacing)
		return;
	census = pool_roll_census(pool);
	pool->context.replacing = pool->roll.on || anything_to_do(&census);
	release_replacements(pool, roll_superfluous(&census));
	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];

		if (worker_present(worker) && serving(worker) && worker->ready_at == 0 &&
			pool_outdated(pool, worker))
			worker_retire(worker, pool->roll.signal_number,
				"of another generation, and not ready", now_ms);
	}
	/* Given up, and nothing is left to be replaced. */
	if (!pool->roll.on && census.old_ready == 0)
		pool->roll.held = 0;
}

static const char *why_replaced(struct pool *pool, const struct worker *worker)
{
	switch (worker->recycle) {
	case RECYCLE_NOT: return "replaced by another generation";
	case RECYCLE_JOBS: pool->tally.recycled_jobs++; return "max_requests reached";
	case RECYCLE_AGE: pool->tally.recycled_age++; return "max_lifetime reached";
	case RECYCLE_MEMORY: pool->tally.recycled_memory++; return "max_memory exceeded";
	case RECYCLE_ASKED: return "restarted on request";
	}
	return "";
}

/* The worker that costs least of those to be replaced; NULL: none that is ready. */
static struct worker *choose(const struct pool *pool)
{
	struct worker *best = NULL;

	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];

		if (!worker_present(worker) || !serving(worker) || worker->ready_at == 0 ||
			!pool_outdated(pool, worker))
			continue;
		if (!best || pool_compare_retire(&worker, &best) < 0)
			best = worker;
	}
	return best;
}

/* The one that takes the place is an ordinary worker from now on. */
static void take_place(struct pool *pool)
{
	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];

		if (!worker->replacement || !worker_present(worker) || worker->ready_at == 0 ||
			!serving(worker))
			continue;
		worker->replacement = false;
		return;
	}
}

static void retire(struct pool *pool, const struct roll_plan *plan, int64_t now_ms)
{
	for (int i = 0; i < plan->retire; i++) {
		struct worker *worker = choose(pool);

		if (!worker)
			return;
		if (i < plan->taking)
			take_place(pool);
		worker_retire(worker, worker->recycle == RECYCLE_NOT ? pool->roll.signal_number : 0,
			why_replaced(pool, worker), now_ms);
		roll_retired(&pool->replaced, now_ms);
		/* It may have been the last one that held up the end of a roll given up. */
		if (!pool->roll.on && pool->roll.held > 0)
			pool_mark_dirty(pool);
	}
}

/* A percentage is one of max_workers, rounded up; one at a time at the least. */
static int surge_of(const struct pool_settings *settings, int max_workers)
{
	int64_t surge = settings->surge.number;

	if (settings->surge.percent)
		surge = (surge * max_workers + 99) / 100;
	if (surge < 1)
		return 1;
	return surge < INT_MAX / 2 ? (int)surge : INT_MAX / 2;
}

/* Until the first of a generation has stayed min_uptime, nobody is replaced by it. */
static int64_t proof_at(const struct pool *pool, const struct roll_census *census)
{
	int64_t first_at = ROLL_NEVER;

	if (census->proven || census->old_ready == 0)
		return first_at;
	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];
		int64_t at = worker->times.started_at + pool->current->limits.min_uptime_ms;

		if (worker_present(worker) && worker->generation == pool->current &&
			worker->ready_at != 0 && at < first_at)
			first_at = at;
	}
	return first_at;
}

int64_t pool_roll_advance(struct pool *pool, int64_t start_allowed_at, int64_t now_ms)
{
	const struct policy_rule spare = pool_rule(pool);
	const struct roll_rule rule = {
		.max_workers = spare.max_workers,
		.held = pool->roll.held,
		.surge = surge_of(pool->settings, spare.max_workers),
		.spawn_interval_ms = spare.spawn_interval_ms,
	};
	struct roll_census census;
	struct roll_plan plan;
	int64_t wake_at;

	if (!pool->context.replacing)
		return ROLL_NEVER;
	census = pool_roll_census(pool);
	if (!anything_to_do(&census))
		return ROLL_NEVER;
	wake_at = proof_at(pool, &census);
	/* The spare rules have retired those that they were for: they are to know. */
	if (roll_superfluous(&census) > 0)
		pool_mark_dirty(pool);
	plan = roll_decide(&pool->replaced, &rule, &census, start_allowed_at, now_ms);
	retire(pool, &plan, now_ms);
	if (plan.start > 0)
		pool_start_workers(pool, plan.start, true, now_ms);
	if (backoff_waiting(&pool->machine, now_ms) && pool->machine.until < wake_at)
		wake_at = pool->machine.until;
	return wake_at < plan.wake_at ? wake_at : plan.wake_at;
}
