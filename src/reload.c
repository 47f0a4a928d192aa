/*
 * A reload in three steps: prepare (read, check, bind, make generations; any failure leaves all as
 * it was), roll (the pools do that), commit or go back. What was prepared is kept in one struct
 * until it is in force.
 */
#include "reload.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "config_file.h"
#include "configuration.h"
#include "faults.h"
#include "generation.h"
#include "log_target.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_roll.h"
#include "preflight.h"
#include "roster.h"
#include "settings.h"
#include "settings_compare.h"
#include "state.h"
#include "supervisor.h"

#define FAILURES_MAX 3 /* of new workers; then the reload is given up */

/* What becomes of one section of the new configuration. */
struct change {
	struct pool *pool;
	bool added;                    /* the pool is new */
	struct generation *generation; /* held; NULL: changes in place, or is new */
	const struct pool_settings *settings;
};

struct prepared {
	struct configuration *configuration; /* held */
	struct change *change;               /* owned; one a section */
	size_t count;
	struct pidfile pidfile;
	bool other_pidfile;
};

/* --- preparing --- */

static void log_faults(const struct faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		log_error(NULL, "%s", faults->fault[i].text);
}

static struct settings *read_settings(const char *path, struct errmsg *err)
{
	struct faults faults = {0};
	struct settings *settings = config_file_read(path, &faults);

	if (settings)
		preflight_check(settings, &faults);
	log_faults(&faults);
	if (settings && faults.errors > 0) {
		settings_free(settings);
		settings = NULL;
	}
	if (!settings)
		errmsg_set(err, "the configuration has faults%s%.200s",
			faults.count > 0 ? ", the first: " : "",
			faults.count > 0 ? faults.fault[0].text : "");
	faults_free(&faults);
	return settings;
}

static int prepare_pidfile(
	struct prepared *prepared, const struct supervisor *supervisor, struct errmsg *err)
{
	const char *path = prepared->configuration->settings->preforkd.pid_file;
	const char *old = supervisor->pidfile.path;

	prepared->pidfile.fd = -1;
	prepared->other_pidfile = path ? !old || strcmp(path, old) != 0 : old != NULL;
	if (!prepared->other_pidfile)
		return 0;
	return pidfile_open(&prepared->pidfile, path, err);
}

static bool must_roll(const struct supervisor *supervisor, const struct pool *pool,
	const struct change *change, const struct prepared *prepared, enum reload_kind kind)
{
	return kind == RELOAD_ALL || pool->removed ||
	       settings_workers_differ(supervisor->configuration->settings, pool->settings,
		       prepared->configuration->settings, change->settings);
}

static int prepare_change(struct change *change, struct supervisor *supervisor,
	const struct prepared *prepared, enum reload_kind kind, struct errmsg *err)
{
	change->pool = roster_find(supervisor, change->settings->name);
	if (!change->pool) {
		change->added = true;
		change->pool = pool_new(
			prepared->configuration, change->settings, &supervisor->place, err);
		return change->pool ? 0 : -1;
	}
	if (!must_roll(supervisor, change->pool, change, prepared, kind))
		return 0;
	change->generation =
		pool_make_generation(change->pool, prepared->configuration, change->settings, err);
	return change->generation ? 0 : -1;
}

static int prepare_pools(struct prepared *prepared, struct supervisor *supervisor,
	enum reload_kind kind, struct errmsg *err)
{
	const struct settings *settings = prepared->configuration->settings;
	struct errmsg reason;

	prepared->change = memory_alloc(settings->pool_count * sizeof(*prepared->change));
	for (size_t i = 0; i < settings->pool_count; i++) {
		struct change *change = &prepared->change[prepared->count++];

		change->settings = &settings->pools[i];
		if (prepare_change(change, supervisor, prepared, kind, &reason) < 0)
			return errmsg_set(
				err, "[pool:%s]: %s", settings->pools[i].name, reason.text);
		if (!memory_ready())
			return errmsg_set(err, "no memory");
	}
	return 0;
}

static int prepare(struct prepared *prepared, struct supervisor *supervisor, enum reload_kind kind,
	struct errmsg *err)
{
	struct settings *settings = NULL;

	prepared->pidfile.fd = -1;
	if (!memory_ready())
		return errmsg_set(err, "no memory");
	settings = read_settings(supervisor->options->config_path, err);
	if (!settings)
		return -1;
	prepared->configuration =
		configuration_open(settings, supervisor->configuration, NULL, err);
	if (!prepared->configuration) {
		settings_free(settings);
		return -1;
	}
	if (prepare_pidfile(prepared, supervisor, err) < 0 ||
		prepare_pools(prepared, supervisor, kind, err) < 0)
		return -1;
	/* Last, since nothing after it can fail. */
	return log_target_open(supervisor->options, settings, err);
}

/* What is in force by now is no longer there; the rest goes. */
static void prepared_free(struct prepared *prepared)
{
	for (size_t i = 0; i < prepared->count; i++) {
		if (prepared->change[i].added)
			pool_free(prepared->change[i].pool);
		generation_release(prepared->change[i].generation);
	}
	free(prepared->change);
	pidfile_close(&prepared->pidfile);
	configuration_release(prepared->configuration);
}

/* --- putting into force --- */

static void warn_restart(const char *section, const char *name, const char *key)
{
	log_warning(NULL, "[%s%s] %s changed: it takes effect at the next start only", section,
		name, key);
}

static void change_in_place(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings)
{
	generation_move(pool->current, configuration, settings);
	pool_set_generation(pool, pool->current);
	pool->offset = 0;
	pool->drained = false;
}

static void apply_change(
	struct change *change, struct supervisor *supervisor, struct configuration *configuration)
{
	if (change->added) {
		roster_add(supervisor, change->pool);
		change->pool->roll.on = change->pool->roll.counts = true;
		change->added = false;
		return;
	}
	change->pool->removed = false;
	if (change->generation)
		pool_roll_begin(change->pool, change->generation, supervisor->reload.asked_signal);
	else
		change_in_place(change->pool, configuration, change->settings);
}

static void swap_pidfile(struct supervisor *supervisor, struct prepared *prepared)
{
	struct errmsg err;

	if (!prepared->other_pidfile)
		return;
	supervisor->reload.other_pidfile = true;
	supervisor->reload.old_pidfile = supervisor->pidfile;
	supervisor->pidfile = prepared->pidfile;
	prepared->pidfile = (struct pidfile){.fd = -1};
	if (pidfile_write(&supervisor->pidfile, &err) < 0)
		log_error(NULL, "pid_file: %s", err.text);
}

static void put_into_force(struct supervisor *supervisor, struct prepared *prepared, int64_t now_ms)
{
	struct reload *reload = &supervisor->reload;

	assert(prepared->configuration);
	settings_each_restart(supervisor->configuration->settings,
		prepared->configuration->settings, warn_restart);
	reload->from = supervisor->configuration;
	supervisor->configuration = configuration_hold(prepared->configuration);
	socket_table_apply(&supervisor->configuration->sockets);
	swap_pidfile(supervisor, prepared);
	for (size_t i = 0; i < prepared->count; i++)
		apply_change(&prepared->change[i], supervisor, prepared->configuration);
	fd_store_sync(supervisor);
	reload->state = RELOAD_ROLLING;
	reload->begun_ms = now_ms;
}

/* --- ending --- */

static void forget_old(struct reload *reload)
{
	if (reload->other_pidfile)
		pidfile_close(&reload->old_pidfile);
	reload->other_pidfile = false;
	configuration_release(reload->from);
	reload->from = NULL;
}

static void tell_end(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	const bool done = reload->state == RELOAD_DONE;
	char text[64];

	snprintf(text, sizeof(text), "done in %.3g s", (double)reload->took_ms / 1000);
	events_finished(&supervisor->events, reload->id, reload->action, reload->pool,
		done ? 0 : EX_TEMPFAIL, done ? text : reload->reason.text);
}

static void end(struct supervisor *supervisor, enum reload_state state, int64_t now_ms)
{
	struct reload *reload = &supervisor->reload;

	reload->state = state;
	reload->ended_at = (int64_t)time(NULL);
	reload->took_ms = now_ms - reload->begun_ms;
	forget_old(reload);
	fd_store_sync(supervisor);
	if (state == RELOAD_DONE)
		log_notice(
			NULL, "%s done in %.3g s", reload->action, (double)reload->took_ms / 1000);
	else
		log_error(NULL, "%s failed, the old configuration goes on: %s", reload->action,
			reload->reason.text);
	if (supervisor->phase == PHASE_RUNNING)
		service_manager_ready(&supervisor->manager);
	tell_end(supervisor);
}

static void commit(struct supervisor *supervisor, int64_t now_ms)
{
	const struct settings *settings = supervisor->configuration->settings;

	for (size_t i = 0; i < supervisor->pool_count; i++) {
		struct pool *pool = supervisor->pool[i];

		pool_roll_commit(pool);
		if (!settings_pool(settings, pool->name) && !pool->removed)
			pool_remove(pool);
	}
	end(supervisor, RELOAD_DONE, now_ms);
}

/* Do the workers of the pool differ in anything but the program on the disk? */
static bool same_to_workers(const struct pool *pool)
{
	const struct generation *from = pool->roll.from, *to = pool->current;

	return from && !settings_workers_differ(from->configuration->settings, from->settings,
			       to->configuration->settings, to->settings);
}

static void take_pool_back(struct pool *pool, struct configuration *configuration)
{
	const struct pool_settings *settings = settings_pool(configuration->settings, pool->name);

	if (!settings)
		pool_remove(pool);
	else if (pool->roll.on)
		pool_roll_back(pool, same_to_workers(pool));
	else if (pool->settings != settings && !pool->removed)
		change_in_place(pool, configuration, settings);
}

static void take_pidfile_back(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;

	if (!reload->other_pidfile)
		return;
	pidfile_close(&supervisor->pidfile);
	supervisor->pidfile = reload->old_pidfile;
	reload->other_pidfile = false;
}

static void give_up(struct supervisor *supervisor, int64_t now_ms)
{
	struct configuration *given_up = supervisor->configuration;
	struct reload *reload = &supervisor->reload;
	struct errmsg err;

	supervisor->configuration = configuration_hold(reload->from);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		take_pool_back(supervisor->pool[i], supervisor->configuration);
	socket_table_apply(&supervisor->configuration->sockets);
	take_pidfile_back(supervisor);
	if (log_target_open(supervisor->options, supervisor->configuration->settings, &err) < 0)
		log_error(NULL, "log_file: %s", err.text);
	configuration_release(given_up);
	end(supervisor, RELOAD_FAILED, now_ms);
}

/* --- from outside --- */

static const char *kind_name(enum reload_kind kind)
{
	return kind == RELOAD_ALL ? "reload" : "reconfigure";
}

uint64_t reload_ask(struct supervisor *supervisor, enum reload_kind kind, int signal_number)
{
	struct reload *reload = &supervisor->reload;

	if (!reload->asked)
		reload->asked_id = events_new_id(&supervisor->events);
	if (!reload->asked || kind > reload->asked_kind)
		reload->asked_kind = kind;
	if (reload->state == RELOAD_ROLLING)
		log_notice(NULL, "a reload is under way: one more follows it");
	reload->asked = true;
	reload->asked_signal = signal_number;
	return reload->asked_id;
}

static void begin(struct supervisor *supervisor, int64_t now_ms)
{
	struct reload *reload = &supervisor->reload;
	struct prepared prepared = {0};

	reload->asked = false;
	reload->id = reload->asked_id;
	service_manager_reloading(&supervisor->manager);
	reload->action = kind_name(reload->asked_kind);
	reload->pool = NULL;
	reload->begun_ms = now_ms;
	fd_store_settle(supervisor);
	if (prepare(&prepared, supervisor, reload->asked_kind, &reload->reason) == 0)
		put_into_force(supervisor, &prepared, now_ms);
	else
		end(supervisor, RELOAD_FAILED, now_ms);
	prepared_free(&prepared);
}

int reload_restart(
	struct supervisor *supervisor, const char *name, int64_t now_ms, struct errmsg *err)
{
	struct pool *pool = roster_find(supervisor, name);
	struct reload *reload = &supervisor->reload;
	struct generation *generation;
	bool drained;
	int offset;

	if (!pool || pool->removed)
		return errmsg_set(err, "there is no pool %.40s", name);
	if (reload->state == RELOAD_ROLLING)
		return errmsg_set(err, "a %s is under way", reload->action);
	if (!memory_ready())
		return errmsg_set(err, "no memory");
	generation = pool_make_generation(pool, supervisor->configuration, pool->settings, err);
	if (!generation)
		return -1;
	reload->from = configuration_hold(supervisor->configuration);
	reload->id = events_new_id(&supervisor->events);
	reload->action = "restart";
	reload->pool = pool->name;
	reload->state = RELOAD_ROLLING;
	reload->begun_ms = now_ms;
	/* Unlike a reload, it leaves a pool as it was scaled or drained. */
	offset = pool->offset;
	drained = pool->drained;
	pool_roll_begin(pool, generation, 0);
	pool->offset = offset;
	pool->drained = drained;
	generation_release(generation);
	return 0;
}

static int count_failures(const struct supervisor *supervisor, const struct pool **last)
{
	int failures = 0;

	for (size_t i = 0; i < supervisor->pool_count; i++) {
		failures += supervisor->pool[i]->roll.failures;
		if (supervisor->pool[i]->roll.failures > 0)
			*last = supervisor->pool[i];
	}
	return failures;
}

static bool all_rolled(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (!pool_rolled(supervisor->pool[i]))
			return false;
	return true;
}

/* How far the pools are, once per step. */
static void tell_progress(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		struct pool *pool = supervisor->pool[i];
		const struct roll_census census = pool_roll_census(pool);
		const int left = census.old_ready + census.old_starting;
		const int done = pool->roll.total > left ? pool->roll.total - left : 0;

		if (!pool->roll.on || (pool->roll.told_done == done &&
					      pool->roll.told_starting == census.new_starting))
			continue;
		pool->roll.told_done = done;
		pool->roll.told_starting = census.new_starting;
		events_progress(&supervisor->events, supervisor->reload.id,
			supervisor->reload.action, pool->name, done, pool->roll.total,
			census.new_starting);
	}
}

static void follow(struct supervisor *supervisor, int64_t now_ms)
{
	const struct pool *last = NULL;
	const int failures = count_failures(supervisor, &last);

	tell_progress(supervisor);
	if (last && failures >= FAILURES_MAX) {
		errmsg_set(&supervisor->reload.reason,
			"[pool:%s]: %d new workers failed, the last one %s", last->name, failures,
			last->last_failure);
		give_up(supervisor, now_ms);
	} else if (all_rolled(supervisor)) {
		commit(supervisor, now_ms);
	}
}

void reload_look(struct supervisor *supervisor, int64_t now_ms)
{
	struct reload *reload = &supervisor->reload;

	if (reload->state == RELOAD_ROLLING)
		follow(supervisor, now_ms);
	if (reload->asked && reload->state != RELOAD_ROLLING)
		begin(supervisor, now_ms);
}

void reload_record(const struct reload *reload, struct state_reload *out)
{
	*out = (struct state_reload){
		.state = (int)reload->state,
		.action = (char *)reload->action,
		.ended_at = reload->ended_at,
		.took_ms = reload->took_ms,
		.reason = reload->state == RELOAD_FAILED ? (char *)reload->reason.text : NULL,
	};
}

void reload_resume(struct reload *reload, const struct state_reload *past)
{
	static const char *const actions[] = {"reload", "reconfigure", "restart"};

	if (!past->action || (past->state != RELOAD_DONE && past->state != RELOAD_FAILED))
		return;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i], past->action) == 0)
			reload->action = actions[i];
	reload->state = (enum reload_state)past->state;
	reload->ended_at = past->ended_at;
	reload->took_ms = past->took_ms;
	if (past->reason)
		errmsg_set(&reload->reason, "%s", past->reason);
}

void reload_abandon(struct supervisor *supervisor)
{
	static const char why[] = "the supervisor is stopping";
	struct reload *reload = &supervisor->reload;

	if (reload->state == RELOAD_ROLLING) {
		reload->state = RELOAD_NONE;
		events_finished(&supervisor->events, reload->id, reload->action, reload->pool,
			EX_TEMPFAIL, why);
	}
	if (reload->asked)
		events_finished(&supervisor->events, reload->asked_id,
			kind_name(reload->asked_kind), NULL, EX_TEMPFAIL, why);
	reload->asked = false;
	forget_old(reload);
}
