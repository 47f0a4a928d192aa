/*
 * One loop turn: what came in (signals, reports, ended children, changed scoreboards) is taken,
 * each dirty pool is reconciled, and the supervisor looks at its own phase. Nothing sleeps or
 * waits, and nothing is done anywhere else.
 */
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "actions.h"
#include "adopt.h"
#include "configuration.h"
#include "control_handler.h"
#include "errmsg.h"
#include "exit_status.h"
#include "helper_program.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_past.h"
#include "pool_reconcile.h"
#include "pool_start.h"
#include "roster.h"
#include "settings.h"
#include "state.h"
#include "strangers.h"
#include "sys.h"

#define CLEAR_MS           1000 /* how long what workers left behind may take to die */
#define CLEAR_INTERVAL_SEC 0.02
#define SIGNAL_LOOK_SEC    0.1
#define LEAVE_INTERVAL_SEC 0.05
#define UNLISTED_LOG_MS    1000

static void on_changed(void *owner)
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

static int64_t attended_now(void *owner)
{
	return attend(owner);
}

static void on_moved(void *owner, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why)
{
	struct supervisor *supervisor = owner;

	supervisor->keeper.dirty = true;
	events_worker(&supervisor->events, pool, worker, from, why);
}

static void take_reports(struct supervisor *supervisor)
{
	struct spawn_report report;

	while (spawn_reports_read(&supervisor->reports, &report)) {
		if (upgrade_take_report(&supervisor->upgrade, &report))
			continue;
		for (size_t i = 0; i < supervisor->pool_count; i++)
			if (pool_take_report(supervisor->pool[i], &report))
				break;
	}
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

static bool all_pools(const struct supervisor *supervisor, bool (*is)(const struct pool *))
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (!is(supervisor->pool[i]))
			return false;
	return true;
}

static bool pool_is_ready(const struct pool *pool)
{
	return pool->first_ready || pool->removed;
}

static bool pool_is_finished(const struct pool *pool)
{
	return pool_empty(pool) || pool_stuck(pool);
}

static void tell_starter(struct supervisor *supervisor, int status, const char *message)
{
	const struct supervisor_starter *starter = supervisor->starter;

	supervisor->starter = NULL;
	if (starter)
		starter->tell(starter->context, status, message);
}

static void become_ready(struct supervisor *supervisor)
{
	struct errmsg err;

	if (!all_pools(supervisor, pool_is_ready))
		return;
	supervisor->phase = PHASE_RUNNING;
	if (pidfile_write(&supervisor->pidfile, &err) < 0)
		log_error(NULL, "pid_file: %s", err.text);
	log_notice(NULL, "ready: the first workers of every pool are there");
	service_manager_ready(&supervisor->manager);
	tell_starter(supervisor, EX_OK, "");
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
	if (!all_pools(supervisor, pool_is_finished) || supervisor->leavers.count > 0)
		return;
	if (!all_pools(supervisor, pool_empty))
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

static int open_loop(struct supervisor *supervisor, struct errmsg *err)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);

	/* Not the default loop: that one reaps every child by waitpid(-1) behind our back. */
	if (!loop)
		return errmsg_set(err, "no event loop: libev found no usable backend");
	supervisor->loop = loop;
	ev_prepare_init(&supervisor->prepare, on_turn);
	ev_idle_init(&supervisor->again, on_again);
	ev_timer_init(
		&supervisor->clear_timer, on_look_timer, CLEAR_INTERVAL_SEC, CLEAR_INTERVAL_SEC);
	ev_timer_init(
		&supervisor->leave_timer, on_look_timer, LEAVE_INTERVAL_SEC, LEAVE_INTERVAL_SEC);
	supervisor->prepare.data = supervisor;
	supervisor->walk.changed = on_changed;
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

static int open_runtime_dir(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;
	const char *wanted = settings->preforkd.runtime_dir;
	char *path;
	bool busy;
	int result;

	if (past)
		return runtime_dir_take_up(
			&supervisor->runtime_dir, past->runtime_path, past->lock_fd, err);
	path = wanted ? memory_copy_string(wanted) : runtime_dir_default(supervisor->name);
	result = runtime_dir_open(
		&supervisor->runtime_dir, path, supervisor->options->config_path, &busy, err);

	if (result == 0 && !runtime_dir_in_memory(&supervisor->runtime_dir))
		log_warning(NULL,
			"runtime_dir %s is on a disk: every write to a scoreboard may wait for it; "
			"better in /run or /dev/shm",
			path);
	free(path);
	return result;
}

static int open_pidfile(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;

	if (!past)
		return pidfile_open(&supervisor->pidfile, settings->preforkd.pid_file, err);
	if (past->pidfile_fd >= 0)
		pidfile_take_up(&supervisor->pidfile, past->pidfile_path, past->pidfile_fd);
	return 0;
}

static int open_reports(struct supervisor *supervisor, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;

	if (!past)
		return spawn_reports_open(&supervisor->reports, err);
	spawn_reports_take_up(&supervisor->reports, past->reports_read_fd, past->reports_write_fd);
	return 0;
}

static void make_place(struct supervisor *supervisor)
{
	supervisor->auto_library =
		helper_library(supervisor->options->library_folder, "libprefork-auto.so");
	supervisor->place = (struct pool_place){
		.loop = supervisor->loop,
		.launch = {.name = supervisor->name,
			.auto_library = supervisor->auto_library,
			.found_limits = supervisor->options->found_limits},
		.scoreboard_folder = supervisor->runtime_dir.path,
		.reports = &supervisor->reports,
		.changed = on_changed,
		.now = attended_now,
		.moved = on_moved,
		.owner = supervisor,
	};
}

static int open_pools(struct supervisor *supervisor, struct errmsg *err)
{
	const struct settings *settings = supervisor->configuration->settings;
	struct pool_past past;
	struct errmsg reason;

	for (size_t i = 0; i < settings->pool_count; i++) {
		const struct pool_settings *wanted = &settings->pools[i];
		const bool known = adopt_pool(supervisor, wanted->name, &past);
		struct pool *pool = known ? pool_take_up(supervisor->configuration, wanted,
						    &supervisor->place, &past, &reason)
					  : pool_new(supervisor->configuration, wanted,
						    &supervisor->place, &reason);

		if (!pool)
			return errmsg_set(
				err, "[pool:%s]: %s", settings->pools[i].name, reason.text);
		roster_add(supervisor, pool);
	}
	adopt_end(supervisor);
	return 0;
}

static int open_configuration(
	struct supervisor *supervisor, struct settings *settings, struct errmsg *err)
{
	int saved, unused;

	adopt_sockets(supervisor, settings);
	supervisor->configuration =
		configuration_open(settings, NULL, supervisor->options->passed, err);
	saved = errno;
	unused = passed_sockets_free(supervisor->options->passed);
	if (unused > 0)
		log_warning(NULL, "%d sockets passed in (LISTEN_FDS) are named by no [socket:...]",
			unused);
	errno = saved;
	return supervisor->configuration ? 0 : -1;
}

/* The page needs the control server's answers, but not its socket. */
static int open_http(struct supervisor *supervisor, struct errmsg *err)
{
	const char *address = supervisor->configuration->settings->preforkd.http;
	const struct state *past = supervisor->options->resumed;
	struct listener_past listener;
	char *program;
	int result;

	if (strcmp(address, "off") == 0)
		return 0;
	if (past)
		listener = (struct listener_past){.fd = past->http.fd,
			.path = past->http.path,
			.dev = past->http.dev,
			.ino = past->http.ino};
	program = helper_program(supervisor->options->helper_folder, "preforkd-http");
	result = http_process_open(&supervisor->http, supervisor->loop, supervisor->control,
		&supervisor->reports, address, program,
		past && past->http.fd >= 0 ? &listener : NULL, err);
	free(program);
	return result;
}

/* As before the upgrade. */
static void resume(struct supervisor *supervisor)
{
	const struct state *past = supervisor->options->resumed;

	supervisor->began_ms = sys_now_ms() - past->up_ms;
	if (past->running) {
		supervisor->phase = PHASE_RUNNING;
		service_manager_ready(&supervisor->manager);
	}
	upgrade_finish(supervisor);
}

static int supervisor_open(
	struct supervisor *supervisor, struct settings *settings, struct errmsg *err)
{
	/* Signals first: from here on, whoever ends us finds nothing left behind. */
	if (open_loop(supervisor, err) < 0 || open_signals(supervisor, err) < 0 ||
		open_runtime_dir(supervisor, settings, err) < 0 ||
		open_pidfile(supervisor, settings, err) < 0)
		return -1;
	adopt_find(supervisor, settings);
	if (open_configuration(supervisor, settings, err) < 0 ||
		open_reports(supervisor, err) < 0 || control_handler_open(supervisor, err) < 0 ||
		open_http(supervisor, err) < 0)
		return -1;
	service_manager_open(&supervisor->manager, supervisor->loop);
	make_place(supervisor);
	if (open_pools(supervisor, err) < 0)
		return -1;
	keeper_open(&supervisor->keeper);
	if (supervisor->resumed)
		resume(supervisor);
	return 0;
}

/* A start that failed leaves workers that were there before it as it found them: their files too.
 */
static void leave_alone(struct supervisor *supervisor)
{
	if (!supervisor->past)
		return;
	for (size_t i = 0; i < supervisor->pool_count; i++)
		supervisor->pool[i]->left_alone = true;
	if (supervisor->configuration)
		socket_table_leave(&supervisor->configuration->sockets);
	adopt_forget(supervisor);
}

static void supervisor_close(struct supervisor *supervisor)
{
	service_manager_close(&supervisor->manager);
	keeper_close(supervisor, all_pools(supervisor, pool_empty));
	http_process_close(&supervisor->http);
	control_handler_close(supervisor);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_free(supervisor->pool[i]);
	free(supervisor->pool);
	spawn_reports_close(&supervisor->reports);
	reload_abandon(supervisor);
	configuration_release(supervisor->configuration);
	pidfile_close(&supervisor->pidfile);
	runtime_dir_close(&supervisor->runtime_dir);
	signals_close(&supervisor->signals);
	free(supervisor->name);
	free(supervisor->auto_library);
	strangers_forget(&supervisor->strangers);
	if (!supervisor->loop)
		return;
	walk_end(&supervisor->walk, supervisor->loop);
	leavers_free(&supervisor->leavers);
	ev_loop_destroy(supervisor->loop);
}

static void find_strangers(struct supervisor *supervisor)
{
	const struct state *past = supervisor->options->resumed;
	struct strangers *strangers = &supervisor->strangers;

	if (!past) {
		strangers_find(strangers);
		return;
	}
	strangers->before = memory_alloc(past->stranger_count * sizeof(*strangers->before) + 1);
	for (size_t i = 0; i < past->stranger_count; i++)
		strangers->before[strangers->count++] =
			(struct stranger){.pid = past->stranger[i].pid,
				.started_ticks = past->stranger[i].started_ticks};
}

int supervisor_run(struct settings *settings, const struct supervisor_options *options)
{
	struct supervisor supervisor = {
		.options = options,
		.starter = options->starter,
		.failure = {"stopped before the first workers were ready"},
		.runtime_dir = {.fd = -1, .lock_fd = -1},
		.pidfile = {.fd = -1},
		.reports = {.read_fd = -1, .write_fd = -1},
		.signals = {.fd = -1},
		.unlisted_log = {.interval_ms = UNLISTED_LOG_MS},
	};
	int status;

	supervisor.resumed = options->resumed != NULL;
	supervisor.name = memory_copy_string(
		supervisor.resumed ? options->resumed->name : settings->preforkd.name);
	supervisor.began_ms = sys_now_ms();
	find_strangers(&supervisor);
	srandom((unsigned)sys_boottime_ns() ^ (unsigned)getpid());
	if (supervisor_open(&supervisor, settings, &supervisor.failure) < 0) {
		supervisor.exit_status = exit_status_of_errno(errno);
		log_error(NULL, "%s", supervisor.failure.text);
		leave_alone(&supervisor);
		if (!supervisor.configuration)
			settings_free(settings);
	} else {
		ev_run(supervisor.loop, 0);
		log_notice(NULL, "stopped");
	}
	supervisor_close(&supervisor);
	status = supervisor.exit_status;
	/* A start that somebody ended is none, and there is nothing left in the way of another. */
	tell_starter(&supervisor, status == EX_OK ? EX_TEMPFAIL : status, supervisor.failure.text);
	return status;
}
