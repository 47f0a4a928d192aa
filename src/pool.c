/*
 * A pool's life and slots. Nothing here starts or retires a worker by itself: these functions
 * change what is asked for and mark the pool dirty.
 */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "generation.h"
#include "memory.h"
#include "notify_message.h"
#include "scoreboard.h"
#include "settings.h"
#include "state.h"
#include "sys.h"
#include "users.h"

#define LOG_INTERVAL_MS 1000

void pool_mark_dirty(struct pool *pool)
{
	pool->dirty = true;
	pool->place.changed(pool->place.owner);
}

static void on_fact(void *context)
{
	pool_mark_dirty(context);
}

static void on_moved(
	void *context, const struct worker *worker, enum worker_state from, enum worker_event why)
{
	const struct pool *pool = context;

	if (pool->place.moved)
		pool->place.moved(pool->place.owner, pool, worker, from, why);
}

/* Also when a connection waits: it is the last moment to know who is idle. */
static void on_board_changed(void *context)
{
	struct pool *pool = context;

	pool->board_dirty = true;
	pool_mark_dirty(pool);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *pool = timer->data;

	(void)loop;
	(void)events;
	pool->timer_at = WORKER_NEVER;
	pool_mark_dirty(pool);
}

static uid_t owner_uid(const struct generation *generation)
{
	const struct identity *identity = &generation->launch.identity;

	return identity->change ? identity->uid : (uid_t)-1;
}

static gid_t owner_gid(const struct generation *generation)
{
	const struct identity *identity = &generation->launch.identity;

	return identity->change ? identity->gid : (gid_t)-1;
}

static void on_message(void *context, pid_t pid, uid_t uid, const struct notify_message *message)
{
	(void)uid;
	pool_take_message(context, pid, message);
}

/* Workers in a chroot cannot see a path of ours. */
static int open_notify(struct pool *pool, const struct pool_settings *settings,
	const struct identity *identity, const struct pool_past *past, struct errmsg *err)
{
	const char *address = past ? past->pool->notify_address : NULL;
	char *path = memory_format("%s/%s.notify", pool->place.scoreboard_folder, pool->name);
	const struct notify_socket_settings wanted = {
		.path = path,
		.abstract = settings->chroot != NULL,
		.again = address && address[0] == '@' ? address : NULL,
		.uid = identity->change ? identity->uid : (uid_t)-1,
		.gid = identity->change ? identity->gid : (gid_t)-1,
		.message = on_message,
		.context = pool,
	};
	int result = -1;

	if (past && past->pool->notify_fd >= 0)
		result = notify_socket_take_up(
			&pool->notify, pool->place.loop, &wanted, past->pool->notify_fd, err);
	if (result < 0)
		result = notify_socket_open(&pool->notify, pool->place.loop, &wanted, err);
	free(path);
	return result;
}

static char *board_path(const struct pool_settings *settings, const char *folder)
{
	if (settings->scoreboard_file)
		return memory_copy_string(settings->scoreboard_file);
	return memory_format("%s/%s.scoreboard", folder, settings->name);
}

/* So many the workers need that are there. */
static int slots_of(const struct state_pool *pool)
{
	int slots = 0;

	for (size_t i = 0; i < pool->worker_count; i++)
		if (pool->worker[i].pidfd >= 0 && pool->worker[i].slot >= slots)
			slots = pool->worker[i].slot + 1;
	return slots;
}

static int open_board(struct pool *pool, const struct generation *generation,
	const struct pool_past *past, struct errmsg *err)
{
	const int slots = past ? slots_of(past->pool) : 0;
	const int max_workers = (int)generation->settings->max_workers;
	struct scoreboard_settings board = {
		.slots = slots > max_workers ? slots : max_workers,
		.uid = owner_uid(generation),
		.gid = owner_gid(generation),
		.path = pool->board_path,
		.take_up = past != NULL,
		.pool = pool->name,
		.changed = on_board_changed,
		.context = pool,
	};

	pool->context.board = scoreboard_open(pool->place.loop, &board, err);
	return pool->context.board ? 0 : -1;
}

static void init_parts(struct pool *pool)
{
	struct ev_loop *loop = pool->place.loop;

	pool->context.loop = loop;
	pool->context.pool_name = pool->name;
	pool->context.tally = &pool->tally;
	pool->context.changed = on_fact;
	pool->context.moved = on_moved;
	pool->context.pool = pool;
	pool_demand_open(&pool->demand, loop, on_board_changed, pool);
	sinks_init(&pool->sinks, (uid_t)-1, (gid_t)-1);
	pool->hooks = (struct hooks){
		.loop = loop,
		.pool_name = pool->name,
		.reports = pool->place.reports,
		.changed = on_fact,
		.pool = pool,
		.telling.interval_ms = LOG_INTERVAL_MS,
	};
	pool->failure_log.interval_ms = pool->machine_log.interval_ms = LOG_INTERVAL_MS;
	for (int i = 0; i < POLICY_REASON_COUNT; i++)
		pool->decision_log[i].interval_ms = LOG_INTERVAL_MS;
	pool->due_at = pool->timer_at = WORKER_NEVER;
	ev_timer_init(&pool->timer, on_timer, 0, 0);
	pool->timer.data = pool;
}

struct generation *pool_generation_of(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, uint64_t number, struct errmsg *err)
{
	struct launch_place place = pool->place.launch;

	place.scoreboard_path = pool->board_path;
	if (settings->ready == READY_AUTO || settings->ready == READY_NOTIFY)
		place.notify_address = notify_socket_address(&pool->notify);
	return generation_new(configuration, settings, &place, number, err);
}

struct generation *pool_make_generation(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, struct errmsg *err)
{
	struct generation *generation =
		pool_generation_of(pool, configuration, settings, pool->last_generation + 1, err);

	if (generation)
		pool->last_generation++;
	return generation;
}

void pool_set_generation(struct pool *pool, struct generation *generation)
{
	generation_hold(generation);
	pool_demand_stop(&pool->demand); /* its sockets may end with it */
	generation_release(pool->current);
	pool->current = generation;
	pool->settings = generation->settings;
	pool->sinks.uid = owner_uid(generation);
	pool->sinks.gid = owner_gid(generation);
	pool_mark_dirty(pool);
}

/* The first, or that of workers which are there. */
static struct generation *first_generation(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, const struct pool_past *past, struct errmsg *err)
{
	struct generation *generation;

	if (past)
		pool->last_generation = past->pool->last_generation;
	if (!past || past->outdated || past->pool->generation == 0)
		return pool_make_generation(pool, configuration, settings, err);
	generation = pool_generation_of(pool, configuration, settings, past->pool->generation, err);
	if (generation)
		generation->proven = past->pool->proven;
	return generation;
}

static int open_parts(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, const struct pool_past *past, struct errmsg *err)
{
	struct identity identity;
	struct generation *generation;
	int result;

	if (users_resolve(&identity, settings->user, settings->group, &settings->groups, err) < 0)
		return -1;
	result = open_notify(pool, settings, &identity, past, err);
	identity_free(&identity);
	if (result < 0)
		return -1;
	generation = first_generation(pool, configuration, settings, past, err);
	if (!generation)
		return -1;
	pool_set_generation(pool, generation);
	generation_release(generation);
	return open_board(pool, generation, past, err);
}

struct pool *pool_open(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, const struct pool_past *past, struct errmsg *err)
{
	struct pool *pool = memory_alloc(sizeof(*pool));
	int saved;

	pool->place = *place;
	pool->name = memory_copy_string(settings->name);
	pool->board_path = past && !past->absence.died
				   ? memory_copy_string(past->pool->board_path)
				   : board_path(settings, place->scoreboard_folder);
	init_parts(pool);
	if (open_parts(pool, configuration, settings, past, err) == 0)
		return pool;
	saved = errno;
	pool_free(pool);
	errno = saved;
	return NULL;
}

struct pool *pool_new(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, struct errmsg *err)
{
	return pool_open(configuration, settings, place, NULL, err);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	for (int i = 0; i < pool->slot_count; i++) {
		worker_forget(pool->slot[i]);
		free(pool->slot[i]);
	}
	free(pool->slot);
	ev_timer_stop(pool->place.loop, &pool->timer);
	pool_demand_close(&pool->demand);
	hooks_end(&pool->hooks);
	sinks_fini(&pool->sinks);
	if (pool->left_alone)
		pool->notify.has_file = false;
	notify_socket_close(&pool->notify);
	if (pool->context.board && pool->left_alone)
		scoreboard_leave(pool->context.board);
	else if (pool->context.board)
		scoreboard_close(pool->context.board);
	generation_release(pool->roll.from);
	generation_release(pool->current);
	free(pool->board_path);
	free(pool->name);
	free(pool);
}

static int clamp(int64_t value, int max)
{
	if (value < 0)
		return 0;
	return value < max ? (int)value : max;
}

struct policy_rule pool_rule(const struct pool *pool)
{
	const struct pool_settings *settings = pool->settings;
	int max = clamp(settings->max_workers + pool->offset, INT32_MAX);
	int64_t max_spare = settings->max_spare_workers;
	int64_t start = settings->start_workers;

	if (pool->drained)
		max = pool->drained_to;
	if (max_spare == SETTING_UNSET)
		max_spare = settings->min_spare_workers == 0 ? 0 : max;
	if (start == SETTING_UNSET)
		start = settings->min_spare_workers;
	return (struct policy_rule){
		.max_workers = max,
		.dynamic = pool_settings_dynamic(settings),
		.min_spare = clamp(settings->min_spare_workers, max),
		.max_spare = clamp(max_spare, max),
		.start_workers = clamp(start, max),
		.max_spawn_step = (int)settings->max_spawn_step,
		.grow_on_backlog = pool_settings_grow_on_backlog(settings),
		.idle_timeout_ms = settings->idle_timeout_ms,
		.spawn_interval_ms = settings->spawn_interval_ms,
	};
}

struct worker *pool_worker(const struct pool *pool, int slot)
{
	if (slot < 0 || slot >= pool->slot_count || !worker_present(pool->slot[slot]))
		return NULL;
	return pool->slot[slot];
}

struct worker *pool_add_slot(struct pool *pool)
{
	struct worker *worker;

	if (scoreboard_grow(pool->context.board, pool->slot_count + 1) < 0)
		return NULL;
	worker = memory_alloc(sizeof(*worker));
	worker->record.slot = pool->slot_count;
	worker->context = &pool->context;
	pool->slot = memory_resize(pool->slot, (size_t)pool->slot_count + 1, sizeof(*pool->slot));
	pool->slot[pool->slot_count++] = worker;
	return worker;
}

struct worker *pool_free_slot(struct pool *pool)
{
	while (pool->first_free < pool->slot_count && worker_present(pool->slot[pool->first_free]))
		pool->first_free++;
	if (pool->first_free < pool->slot_count)
		return pool->slot[pool->first_free];
	return pool_add_slot(pool);
}

/* What the operator asks for now is not held back until a roll has ended. */
void pool_grow(struct pool *pool, int by, int signal_number)
{
	int *number = pool->drained ? &pool->drained_to : &pool->offset;
	int64_t least = pool->drained ? 0 : -pool->settings->max_workers;

	if (*number + by >= least)
		*number += by;
	pool->roll.held = 0;
	pool->leave_signal = signal_number;
	pool_mark_dirty(pool);
}

void pool_drain(struct pool *pool, int signal_number)
{
	pool->leave_signal = signal_number;
	pool->drained = true;
	pool->drained_to = 0;
	pool->roll.held = 0;
	pool_mark_dirty(pool);
}

void pool_resume(struct pool *pool)
{
	pool->drained = false;
	pool_mark_dirty(pool);
}

void pool_remove(struct pool *pool)
{
	pool->removed = true;
	pool->roll.on = false;
	pool->roll.failures = 0;
	pool_drain(pool, 0);
}

void pool_begin_stop(struct pool *pool)
{
	pool->stopping = true;
	scoreboard_slow_down(pool->context.board);
	pool_mark_dirty(pool);
}

void pool_stop_all(struct pool *pool, int signal_number, int64_t now_ms)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			worker_stop(pool->slot[i], signal_number, now_ms);
	pool_mark_dirty(pool);
}

void pool_kill_all(struct pool *pool, int64_t now_ms)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			worker_kill(pool->slot[i], "asked to end twice", now_ms);
	pool_mark_dirty(pool);
}

int pool_forward_all(struct pool *pool, int signal_number)
{
	int count = 0;

	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]))
			count += worker_forward(pool->slot[i], signal_number);
	return count;
}

void pool_reopen(struct pool *pool)
{
	sinks_reopen(&pool->sinks);
}

static struct worker *find_worker(const struct pool *pool, pid_t pid)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && pool->slot[i]->record.pid == pid)
			return pool->slot[i];
	return NULL;
}

bool pool_owns_pid(const struct pool *pool, pid_t pid)
{
	return find_worker(pool, pid) || hooks_own_pid(&pool->hooks, pid);
}

bool pool_take_end(struct pool *pool, pid_t pid)
{
	struct worker *worker = find_worker(pool, pid);

	if (!worker)
		return hooks_own_pid(&pool->hooks, pid);
	worker->ended = true;
	pool_mark_dirty(pool);
	return true;
}

bool pool_take_report(struct pool *pool, const struct spawn_report *report)
{
	struct worker *worker = find_worker(pool, report->pid);

	if (worker)
		worker->failure = *report;
	return worker != NULL;
}

/* By its process, or by its process group: a shell script sends through a program of its own. */
void pool_take_message(struct pool *pool, pid_t pid, const struct notify_message *message)
{
	struct worker *worker = find_worker(pool, pid);

	if (!worker)
		worker = find_worker(pool, sys_process_group(pid));
	if (!worker)
		return;
	worker_notified(worker, message, pool->place.now(pool->place.owner));
	pool_mark_dirty(pool);
}

bool pool_empty(const struct pool *pool)
{
	return pool->present == 0 && pool->hooks.running == 0;
}

bool pool_stuck(const struct pool *pool)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && !pool->slot[i]->times.kill_warned)
			return false;
	return pool->present > 0;
}
