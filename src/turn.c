/*
 * One loop turn: what came in (signals, reports, ended children, changed scoreboards) is taken,
 * each dirty pool is reconciled, and the supervisor looks at its own phase. Nothing sleeps or
 * waits, and nothing is done anywhere else.
 */
#include "turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "actions.h"
#include "control_handler.h"
#include "errmsg.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_reconcile.h"
#include "pool_start.h"
#include "roster.h"
#include "strangers.h"
#include "supervisor.h"
#include "sys.h"

#define CLEAR_MS           1000 /* how long what workers left behind may take to die */
#define CLEAR_INTERVAL_SEC 0.02
#define SIGNAL_LOOK_SEC    0.1
#define LEAVE_INTERVAL_SEC 0.05

void turn_changed(void *owner)
{
	struct supervisor *supervisor = owner;

	ev_idle_start(supervisor->loop, &supervisor->again);
}

static void on_again(struct ev_loop *loop, ev_idle *watcher, int events)
{
	(void)loop;
	(void)watcher;
	(void)events;
}

static void on_signals(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;

	supervisor->signals_waiting = true;
	if (!(events & EV_ERROR))
		return;
	ev_timer_set(&supervisor->signal_timer, SIGNAL_LOOK_SEC, 0);
	ev_timer_start(loop, &supervisor->signal_timer);
}

/* They could not be watched (no memory for one more): a look now and then, until they can. */
static void on_signal_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct supervisor *supervisor = timer->data;

	(void)events;
	supervisor->signals_waiting = true;
	ev_io_start(loop, &supervisor->signal_watcher);
}

static void on_look_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
}

/* Now, by the attended clock. */
static int64_t attend(struct supervisor *supervisor)
{
	int64_t due_at = WORKER_NEVER, now_ms, found_ms;

	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (supervisor->pool[i]->due_at < due_at)
			due_at = supervisor->pool[i]->due_at;
	now_ms = attendance_now(&supervisor->attendance, sys_now_ms(), due_at, &found_ms);
	if (found_ms == 0 && due_at != WORKER_NEVER && now_ms - due_at > supervisor->lag_max_ms)
		supervisor->lag_max_ms = now_ms - due_at;
	if (found_ms > 0)
		log_warning(NULL,
			"was stopped or starved within the last %.3g s: no worker is held to "
			"account for it",
			(double)found_ms / 1000);
	return now_ms;
}

int64_t turn_now(void *owner)
{
	return attend(owner);
}

void turn_moved(void *owner, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why)
{
	struct supervisor *supervisor = owner;

	supervisor->keeper.dirty = true;
	events_worker(&supervisor->events, pool, worker, from, why);
}

static void take_report(struct supervisor *supervisor, const struct spawn_report *report)
{
	if (upgrade_take_report(&supervisor->upgrade, report))
		return;
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (pool_take_report(supervisor->pool[i], report))
			return;
	http_process_take_report(&supervisor->http, report);
}

static void take_reports(struct supervisor *supervisor)
{
	struct spawn_report report;

	while (spawn_reports_read(&supervisor->reports, &report))
		take_report(supervisor, &report);
}

static bool is_ours(void *context, pid_t pid)
{
	const struct supervisor *supervisor = context;

	if (http_process_owns(&supervisor->http, pid) || upgrade_owns(&supervisor->upgrade, pid))
		return true;
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (pool_owns_pid(supervisor->pool[i], pid))
			return true;
	return false;
}

static bool take_end(void *context, pid_t pid)
{
	struct supervisor *supervisor = context;

	if (http_process_owns(&supervisor->http, pid) || upgrade_owns(&supervisor->upgrade, pid))
		return true;
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (pool_take_end(supervisor->pool[i], pid))
			return true;
	return false;
}

static void reap_strangers(struct supervisor *supervisor)
{
	if (supervisor->children_ended)
		supervisor->children_ended = !strangers_reap(take_end, supervisor);
}

static bool pool_is_ready(const struct pool *pool)
{
	return pool->first_ready || pool->removed;
}

static bool pool_is_finished(const struct pool *pool)
{
	return pool_empty(pool) || pool_stuck(pool);
}

void turn_tell_starter(struct supervisor *supervisor, int status, const char *message)
{
	const struct supervisor_starter *starter = supervisor->starter;

	supervisor->starter = NULL;
	if (starter)
		starter->tell(starter->context, status, message);
}

static void become_ready(struct supervisor *supervisor)
{
	struct errmsg err;

	if (!roster_all(supervisor, pool_is_ready))
		return;
	supervisor->phase = PHASE_RUNNING;
	if (pidfile_write(&supervisor->pidfile, &err) < 0)
		log_error(NULL, "pid_file: %s", err.text);
	log_notice(NULL, "ready: the first workers of every pool are there");
	service_manager_ready(&supervisor->manager);
	turn_tell_starter(supervisor, EX_OK, "");
}

static void give_up(struct supervisor *supervisor, int64_t now_ms)
{
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		const struct pool *pool = supervisor->pool[i];
		struct log_subject subject = LOG_SUBJECT_NONE;

		if (!pool->gave_up || supervisor->phase == PHASE_STOPPING)
			continue;
		subject.pool = pool->name;
		log_error(&subject, "giving up after %u failures in a row (crash_loop)",
			pool->failures.failures);
		errmsg_set(&supervisor->failure,
			"[pool:%s]: giving up after %u failures in a row (crash_loop)",
			subject.pool, pool->failures.failures);
		actions_stop(supervisor, EX_TEMPFAIL, now_ms);
	}
}

/* All workers have gone: what they left behind in sessions of their own goes too. */
static void finish(struct supervisor *supervisor, int64_t now_ms)
{
	if (!roster_all(supervisor, pool_is_finished) || supervisor->leavers.count > 0)
		return;
	if (!roster_all(supervisor, pool_empty))
		supervisor->exit_status = EX_OSERR;
	if (!supervisor->clearing) {
		supervisor->clearing = true;
		supervisor->clear_until = now_ms + CLEAR_MS;
		ev_timer_start(supervisor->loop, &supervisor->clear_timer);
	}
	if (strangers_kill(&supervisor->strangers, is_ours, supervisor) == 0 ||
		now_ms >= supervisor->clear_until)
		ev_break(supervisor->loop, EVBREAK_ALL);
}

static const char *state_text(const struct supervisor *supervisor)
{
	if (supervisor->phase == PHASE_STARTING)
		return ", starting";
	if (supervisor->phase == PHASE_STOPPING)
		return ", stopping";
	if (supervisor->reload.state == RELOAD_ROLLING)
		return ", reloading";
	return supervisor->reload.state == RELOAD_FAILED ? ", the last reload failed" : "";
}

/* One line for `systemctl status`. */
static void tell_status(struct supervisor *supervisor)
{
	const size_t pools = supervisor->pool_count;
	int workers = 0;

	for (size_t i = 0; i < pools; i++)
		workers += supervisor->pool[i]->present;
	service_manager_status(&supervisor->manager, "%d worker%s in %zu pool%s%s", workers,
		workers == 1 ? "" : "s", pools, pools == 1 ? "" : "s", state_text(supervisor));
}

static void look_at_phase(struct supervisor *supervisor, int64_t now_ms)
{
	give_up(supervisor, now_ms);
	switch (supervisor->phase) {
	case PHASE_STARTING: become_ready(supervisor); return;
	case PHASE_RUNNING: return;
	case PHASE_STOPPING: finish(supervisor, now_ms); return;
	}
}

/* The pools take turns where more is to be started than one loop turn has room for. Is something
 * left to be done? */
static bool reconcile_pools(struct supervisor *supervisor, int64_t now_ms)
{
	const size_t first = supervisor->next_pool, count = supervisor->pool_count;
	int64_t starts = 0;
	bool dirty = false;

	for (size_t i = 0; i < count && starts < RECONCILE_STARTS; i++) {
		struct pool *pool = supervisor->pool[(first + i) % count];
		const int64_t started = pool->memory.started;

		if (pool->dirty)
			pool_reconcile(pool, now_ms);
		starts += pool->memory.started - started;
		supervisor->next_pool = (first + i + 1) % count;
	}
	for (size_t i = 0; i < count; i++)
		dirty |= supervisor->pool[i]->dirty;
	return dirty;
}

static void look_at_leavers(struct supervisor *supervisor, int64_t now_ms)
{
	if (leavers_look(&supervisor->leavers, now_ms) == 0)
		ev_timer_stop(supervisor->loop, &supervisor->leave_timer);
	else
		ev_timer_start(supervisor->loop, &supervisor->leave_timer);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;
	const int64_t now_ms = attend(supervisor);
	bool dirty;

	(void)events;
	ev_idle_stop(loop, &supervisor->again);
	memory_ready();
	actions_take_signals(supervisor, now_ms);
	walk_step(&supervisor->walk, loop, supervisor->pool, supervisor->pool_count, now_ms);
	take_reports(supervisor);
	dirty = reconcile_pools(supervisor, now_ms);
	reap_strangers(supervisor);
	reload_look(supervisor, now_ms);
	control_handler_look(supervisor);
	tell_status(supervisor);
	roster_drop_removed(supervisor);
	look_at_leavers(supervisor, now_ms);
	look_at_phase(supervisor, now_ms);
	keeper_look(supervisor, now_ms);
	upgrade_look(supervisor, now_ms);
	if (dirty)
		ev_idle_start(loop, &supervisor->again);
}

/* libev aborts when it is told that there is no memory. */
static void *allocate_for_loop(void *block, long bytes) EV_NOEXCEPT
{
	if (bytes != 0)
		return memory_resize(block, 1, (size_t)bytes);
	free(block);
	return NULL;
}

/* What libev cannot watch, it says by an event; but it may have found that out after it looked for
 * events, and would sleep over it. */
static void before_sleep(struct ev_loop *loop) EV_NOEXCEPT
{
	struct supervisor *supervisor = ev_userdata(loop);

	if (ev_pending_count(loop) > 0)
		ev_async_send(loop, &supervisor->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
	(void)loop;
	(void)watcher;
	(void)events;
}

static int open_loop(struct supervisor *supervisor, struct errmsg *err)
{
	struct ev_loop *loop;

	ev_set_allocator(allocate_for_loop);
	loop = ev_loop_new(EVFLAG_AUTO);
	/* Not the default loop: that one reaps every child by waitpid(-1) behind our back. */
	if (!loop)
		return errmsg_set(err, "no event loop: libev found no usable backend");
	supervisor->loop = loop;
	ev_async_init(&supervisor->wake, on_wake);
	ev_async_start(loop, &supervisor->wake);
	ev_set_userdata(loop, supervisor);
	ev_set_loop_release_cb(loop, before_sleep, NULL);
	ev_prepare_init(&supervisor->prepare, on_turn);
	ev_idle_init(&supervisor->again, on_again);
	ev_timer_init(
		&supervisor->clear_timer, on_look_timer, CLEAR_INTERVAL_SEC, CLEAR_INTERVAL_SEC);
	ev_timer_init(
		&supervisor->leave_timer, on_look_timer, LEAVE_INTERVAL_SEC, LEAVE_INTERVAL_SEC);
	supervisor->prepare.data = supervisor;
	supervisor->walk.changed = turn_changed;
	supervisor->walk.owner = supervisor;
	ev_prepare_start(loop, &supervisor->prepare);
	return 0;
}

static int open_signals(struct supervisor *supervisor, struct errmsg *err)
{
	if (signals_open(&supervisor->signals, err) < 0)
		return -1;
	ev_io_init(&supervisor->signal_watcher, on_signals, supervisor->signals.fd, EV_READ);
	ev_init(&supervisor->signal_timer, on_signal_timer);
	supervisor->signal_watcher.data = supervisor->signal_timer.data = supervisor;
	ev_io_start(supervisor->loop, &supervisor->signal_watcher);
	/* Who asks for the end while we open the rest is heard before the first start; and children
	 * that ended before we came here sent no signal that we could see. */
	supervisor->signals_waiting = true;
	supervisor->children_ended = true;
	return 0;
}

int turn_open(struct supervisor *supervisor, struct errmsg *err)
{
	return open_loop(supervisor, err) < 0 ? -1 : open_signals(supervisor, err);
}
