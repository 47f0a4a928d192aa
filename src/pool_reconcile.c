/*
 * Facts in, one decision, effects out: the only place where workers of a pool are started, retired
 * and reaped. The order matters: first what the workers said, then who has gone, then what is due,
 * then the census and the plan.
 */
#include "pool_reconcile.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "errmsg.h"
#include "generation.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_roll.h"
#include "pool_start.h"
#include "scoreboard.h"
#include "settings.h"
#include "signal_name.h"
#include "socket_table.h"
#include "sys.h"

#define CRASH_LOOP_TRIES    3
#define CRASH_LOOP_FAILURES 10
#define MEASURE_INTERVAL_MS 1000

static struct backoff_rule failure_rule(const struct pool *pool)
{
	return (struct backoff_rule){
		.base_ms = pool->settings->err_respawn_interval_ms,
		.cap_ms = pool->settings->err_respawn_max_ms,
	};
}

static bool any_ended(const struct pool *pool)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && pool->slot[i]->ended)
			return true;
	return false;
}

static void observe(struct pool *pool, int64_t now_ms)
{
	struct scoreboard *board = pool->context.board;

	pool->board_dirty = false;
	scoreboard_refresh(board);
	for (int i = 0; i < pool->slot_count; i++)
		worker_observe(pool->slot[i], scoreboard_line(board, i), now_ms);
}

static void tell_ready(struct pool *pool, struct worker *worker, int64_t now_ms)
{
	const struct hook_event event = {
		.key = "on_ready",
		.slot = worker->record.slot,
		.generation = worker->record.generation,
		.pid = worker->record.pid,
		.age_ms = now_ms - worker->times.started_at,
	};

	worker->ready_told = true;
	hooks_run(&pool->hooks, &worker->generation->launch,
		&worker->generation->settings->on_ready, &event);
}

/* A worker that got ready and has stayed min_uptime ends a row of failures, and one of refusals: a
 * fork that worked does not, since exec may still be refused. When the next one of a row ends it.
 */
static int64_t settle(struct pool *pool, int64_t now_ms)
{
	int64_t least_ms = WORKER_NEVER - now_ms;

	for (int i = 0; i < pool->slot_count; i++) {
		struct worker *worker = pool->slot[i];
		int64_t left_ms;

		if (!worker_present(worker) || worker->ready_at == 0)
			continue;
		pool->ever_ready = true;
		if (!worker->ready_told)
			tell_ready(pool, worker, now_ms);
		if (worker->settled)
			continue;
		left_ms = worker->generation->limits.min_uptime_ms -
			  (now_ms - worker->times.started_at);
		least_ms = left_ms < least_ms ? left_ms : least_ms;
		if (left_ms > 0)
			continue;
		worker->settled = true;
		worker->generation->proven = true;
		backoff_reset(&pool->failures);
		backoff_reset(&pool->machine);
	}
	return pool->failures.rounds + pool->machine.rounds > 0 ? now_ms + least_ms : WORKER_NEVER;
}

static const char *describe_end(char text[POOL_TEXT_BYTES], const struct worker_end *end)
{
	if (end->failure.pid)
		snprintf(text, POOL_TEXT_BYTES, "could not be started: %s: %s",
			spawn_step_name(end->failure.step), strerror(end->failure.error));
	else if (end->code == 0)
		snprintf(text, POOL_TEXT_BYTES, "ended, and its status is lost");
	else if (end->code == CLD_EXITED)
		snprintf(text, POOL_TEXT_BYTES, "exited with status %d", end->status);
	else if (end->status == SIGKILL && !end->asked && end->record.state != WORKER_KILLED)
		snprintf(text, POOL_TEXT_BYTES,
			"killed by a KILL that we did not send, out of memory?");
	else
		snprintf(text, POOL_TEXT_BYTES, "ended by signal %s%s", signal_name(end->status),
			end->code == CLD_DUMPED ? ", core dumped" : "");
	return text;
}

static void log_failure(struct pool *pool, const struct worker_end *end,
	const struct log_subject *subject, int64_t now_ms)
{
	char text[POOL_TEXT_BYTES], more[64] = "";
	uint64_t held_back;

	if (!rate_limit_pass(&pool->failure_log, now_ms, &held_back))
		return;
	if (held_back)
		snprintf(more, sizeof(more), " (and %" PRIu64 " more)", held_back);
	log_warning(subject,
		"%s%s: failure %u in a row, next start in %.3g s (err_respawn_interval)",
		describe_end(text, end), more, pool->failures.failures,
		(double)(pool->failures.until - now_ms) / 1000);
}

static void count_end(struct pool *pool, const struct worker_end *end)
{
	if (end->failed || end->environment)
		pool->tally.exits_failed++;
	else if (end->asked)
		pool->tally.exits_asked++;
	else
		pool->tally.exits_voluntary++;
	pool->tally.killed += end->record.state == WORKER_KILLED;
}

/* Whatever nobody asked for gives a roll up sooner or later, a failure or not. */
static void note_failure(struct pool *pool, const struct worker_end *end)
{
	describe_end(pool->last_failure, end);
	pool_roll_failed(pool, end->record.generation);
}

static void account_end(struct pool *pool, const struct worker_end *end, int64_t now_ms)
{
	const struct backoff_rule rule = failure_rule(pool);
	const struct log_subject subject = {
		.pool = pool->name,
		.slot = end->record.slot,
		.pid = end->record.pid,
		.age_ms = end->age_ms,
	};
	char text[POOL_TEXT_BYTES];

	count_end(pool, end);
	if (!end->asked && !end->environment && !pool->stopping)
		note_failure(pool, end);
	if (pool->stopping || (!end->failed && !end->environment)) {
		log_info(&subject, "%s", describe_end(text, end));
		return;
	}
	if (end->environment) {
		pool_machine_failed(pool, describe_end(text, end), now_ms);
		return;
	}
	backoff_fail(&pool->failures, &rule, end->round, now_ms, pool_chance());
	log_failure(pool, end, &subject, now_ms);
}

static void reap(struct pool *pool, struct worker *worker, int64_t now_ms)
{
	struct generation *generation = generation_hold(worker->generation);
	struct worker_end end;
	struct hook_event event = {.key = "on_exit", .end = &end};

	worker_reap(worker, &end, now_ms);
	pool->present--;
	if (worker->record.slot < pool->first_free)
		pool->first_free = worker->record.slot;
	account_end(pool, &end, now_ms);
	event.slot = end.record.slot;
	event.generation = end.record.generation;
	event.pid = end.record.pid;
	event.age_ms = end.age_ms;
	hooks_run(&pool->hooks, &generation->launch, &generation->settings->on_exit, &event);
	generation_release(generation);
}

/* Some programs shut a listening socket down at their end, not knowing that it is not theirs. */
static void reap_ended(struct pool *pool, int64_t now_ms)
{
	const int present = pool->present;

	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && pool->slot[i]->ended)
			reap(pool, pool->slot[i], now_ms);
	if (pool->present < present && pool->current)
		socket_table_revive(&pool->current->configuration->sockets);
}

/* Resident sizes, where somebody wants to know them. When to look next. */
static int64_t measure(struct pool *pool, int64_t now_ms)
{
	if (pool->settings->max_memory_bytes <= 0 || pool->stopping || pool->present == 0)
		return WORKER_NEVER;
	if (now_ms - pool->measured_at < MEASURE_INTERVAL_MS)
		return pool->measured_at + MEASURE_INTERVAL_MS;
	pool->measured_at = now_ms;
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			worker_measured(
				pool->slot[i], sys_resident_bytes(pool->slot[i]->record.pid));
	return now_ms + MEASURE_INTERVAL_MS;
}

static int64_t advance(struct pool *pool, int64_t now_ms)
{
	int64_t due_at = WORKER_NEVER, at;

	for (int i = 0; i < pool->slot_count; i++) {
		if (!worker_present(pool->slot[i]))
			continue;
		at = worker_advance(pool->slot[i], now_ms);
		if (at < due_at)
			due_at = at;
	}
	return due_at;
}

/* The last words of those that have ended count, too: both ways of saying something. */
static void hear(struct pool *pool, int64_t now_ms)
{
	const bool ended = any_ended(pool);

	if (ended)
		notify_socket_read(&pool->notify);
	if (ended || pool->board_dirty)
		observe(pool, now_ms);
}

/* A replacement counts once it has taken another one's place. */
static bool in_waiting(const struct worker *worker)
{
	enum worker_class class = worker_counts_as(worker);

	return worker->replacement && class != CLASS_EMPTY && class != CLASS_LEAVING;
}

static struct policy_census take_census(const struct pool *pool, int *ready)
{
	struct policy_census census = {0};

	*ready = 0;
	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];

		*ready += worker->ready_at != 0 && worker_present(worker);
		if (in_waiting(worker))
			continue;
		switch (worker_counts_as(worker)) {
		case CLASS_EMPTY: break;
		case CLASS_STARTING: census.starting++; break;
		case CLASS_UNKNOWN: census.unknown++; break;
		case CLASS_IDLE: census.idle++; break;
		case CLASS_BUSY: census.busy++; break;
		case CLASS_LEAVING: census.leaving++; break;
		}
	}
	return census;
}

static int count_taking(const struct pool *pool, int64_t now_ms)
{
	int count = 0;

	for (int i = 0; i < pool->slot_count; i++)
		count += worker_counts_as(pool->slot[i]) == CLASS_BUSY &&
			 now_ms - pool->slot[i]->activity_at < POOL_TAKING_MS;
	return count;
}

static void retire(struct pool *pool, int count, bool idle_only, const char *why, int64_t now_ms)
{
	struct worker **order;

	order = memory_alloc((size_t)pool->slot_count * sizeof(*order));
	memcpy(order, pool->slot, (size_t)pool->slot_count * sizeof(*order));
	qsort(order, (size_t)pool->slot_count, sizeof(*order), pool_compare_retire);
	for (int i = 0; i < pool->slot_count && count > 0; i++) {
		const int rank = pool_retire_rank(order[i]);

		if (rank > 3 || (idle_only && rank > 0))
			break;
		/* It was not counted. */
		if (in_waiting(order[i]))
			continue;
		count--;
		worker_retire(order[i], idle_only ? 0 : pool->leave_signal, why, now_ms);
	}
	free(order);
}

/* Once per change of mind, and the same reason at most once a second. */
static void tell(struct pool *pool, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan, int64_t now_ms)
{
	struct log_subject subject = LOG_SUBJECT_NONE;

	if (plan->reason != POLICY_ENOUGH) {
		policy_explain(pool->decision, POOL_TEXT_BYTES, rule, census, plan);
		pool->decided_at = now_ms;
	}
	if (plan->reason == POLICY_WAITING || pool->failures.rounds > 0)
		return;
	if (plan->reason == POLICY_AT_MAX && (pool->told == POLICY_AT_MAX || !rule->dynamic))
		return;
	pool->tally.limit_hits += plan->reason == POLICY_AT_MAX;
	pool->told = plan->reason;
	if (plan->reason == POLICY_ENOUGH ||
		!rate_limit_pass(&pool->decision_log[plan->reason], now_ms, NULL))
		return;
	subject.pool = pool->name;
	logger_write(plan->reason == POLICY_AT_MAX ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, &subject,
		"%s", pool->decision);
}

static int64_t deterred_until(const struct pool *pool)
{
	return pool->failures.until > pool->machine.until ? pool->failures.until
							  : pool->machine.until;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t start(struct pool *pool, const struct policy_plan *plan, int64_t now_ms)
{
	if (plan->start + plan->lacking == 0)
		pool->lacking_since = 0;
	else if (pool->lacking_since == 0)
		pool->lacking_since = now_ms;
	if (plan->start == 0)
		return plan->wake_at;
	policy_started(&pool->memory, pool_start_workers(pool, plan->start, false, now_ms), now_ms);
	if (backoff_waiting(&pool->machine, now_ms) && pool->machine.until < plan->wake_at)
		return pool->machine.until;
	return plan->wake_at;
}

static int serving(const struct policy_census *census)
{
	return census->starting + census->unknown + census->idle + census->busy;
}

static int64_t carry_out(struct pool *pool, const struct policy_rule *rule,
	struct policy_census *census, int64_t now_ms)
{
	const struct demand_view view = {
		.generation = pool->current,
		.rule = rule,
		.census = census,
		.taking = count_taking(pool, now_ms),
		.retiring = policy_surplus_due(&pool->memory, rule, census, now_ms),
		.now_ms = now_ms,
	};
	struct policy_plan plan;
	int64_t rolled_at;

	census->waiting = pool_demand_look(&pool->demand, &view);
	plan = policy_decide(&pool->memory, rule, census, deterred_until(pool), now_ms);

	tell(pool, rule, census, &plan, now_ms);
	/* What a roll began with may stay until it has ended. */
	if (plan.retire_any > 0 && serving(census) > pool->roll.held)
		retire(pool, plan.retire_any, false, pool->decision, now_ms);
	if (plan.retire_idle > 0)
		retire(pool, plan.retire_idle, true, pool->decision, now_ms);
	plan.wake_at =
		sooner(start(pool, &plan, now_ms), pool_demand_watch(&pool->demand, &view, &plan));
	rolled_at = pool_roll_advance(
		pool, policy_start_allowed_at(&pool->memory, rule, deterred_until(pool)), now_ms);
	return sooner(rolled_at, plan.wake_at);
}

/* How many have to be ready for the first time. Of a dynamic pool's start_workers some may have
 * ended again: once nobody is starting any more, those that are kept are enough. */
static int first_workers(
	const struct pool *pool, const struct policy_rule *rule, const struct policy_census *census)
{
	if (!rule->dynamic)
		return rule->max_workers;
	if (pool->memory.initial_done && census->starting == 0 &&
		rule->min_spare < rule->start_workers)
		return rule->min_spare;
	return rule->start_workers;
}

static void judge(struct pool *pool, const struct policy_rule *rule,
	const struct policy_census *census, int ready)
{
	if (ready >= first_workers(pool, rule, census))
		pool->first_ready = true;
	/* A roll that fails is given up, not the supervisor. */
	if (pool->roll.on)
		return;
	switch ((enum crash_loop_rule)pool->settings->crash_loop) {
	case CRASH_LOOP_BACKOFF: return;
	case CRASH_LOOP_FIRST:
		pool->gave_up = !pool->ever_ready && pool->present == 0 &&
				pool->failures.rounds >= CRASH_LOOP_TRIES;
		return;
	case CRASH_LOOP_EXIT:
		pool->gave_up = pool->failures.failures >= CRASH_LOOP_FAILURES;
		return;
	}
}

static int64_t decide(struct pool *pool, int64_t now_ms)
{
	const struct policy_rule rule = pool_rule(pool);
	struct policy_census census;
	int ready;

	census = take_census(pool, &ready);
	judge(pool, &rule, &census, ready);
	return pool->gave_up ? WORKER_NEVER : carry_out(pool, &rule, &census, now_ms);
}

static void arm(struct pool *pool, int64_t now_ms)
{
	struct ev_loop *loop = pool->place.loop;

	if (pool->timer_at == pool->due_at)
		return;
	pool->timer_at = pool->due_at;
	ev_timer_stop(loop, &pool->timer);
	if (pool->due_at == WORKER_NEVER)
		return;
	ev_now_update(loop);
	ev_timer_set(&pool->timer, (double)(pool->due_at - now_ms) / 1000, 0);
	ev_timer_start(loop, &pool->timer);
}

void pool_reconcile(struct pool *pool, int64_t now_ms)
{
	int64_t wake_at, measured_at, settled_at;

	pool->dirty = false;
	hear(pool, now_ms);
	settled_at = settle(pool, now_ms);
	reap_ended(pool, now_ms);
	measured_at = measure(pool, now_ms);
	advance(pool, now_ms);
	if (!pool->stopping)
		pool_roll_settle(pool, now_ms);
	wake_at = pool->stopping ? WORKER_NEVER : decide(pool, now_ms);
	pool->due_at =
		sooner(advance(pool, now_ms), sooner(measured_at, sooner(settled_at, wake_at)));
	arm(pool, now_ms);
}
