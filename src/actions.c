/*
 * Signals to actions. Running is weaker than stopping: once the end has begun, only what ends, what
 * is forwarded and reopening count. Nothing waits here.
 */
#include "actions.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "configuration.h"
#include "errmsg.h"
#include "logger.h"
#include "pool.h"
#include "settings.h"
#include "signal_map.h"
#include "signal_name.h"
#include "startup.h"
#include "supervisor.h"

static void forward_to_all(struct supervisor *supervisor, const struct signal_rule *rule)
{
	int count = 0;

	if (rule->worker_signal == 0)
		return;
	/* There is one walk, and those whom it would not reach any more would never be stopped. */
	if (rule->interval_ms > 0 && supervisor->walk.on && supervisor->walk.stops) {
		log_notice(NULL, "%s not sent: one worker after another is being stopped",
			signal_name(rule->worker_signal));
		return;
	}
	if (rule->interval_ms > 0) {
		walk_begin(&supervisor->walk, supervisor->loop, false, rule->worker_signal,
			rule->interval_ms);
		return;
	}
	for (size_t i = 0; i < supervisor->pool_count; i++)
		count += pool_forward_all(supervisor->pool[i], rule->worker_signal);
	log_info(NULL, "%s sent to %d workers", signal_name(rule->worker_signal), count);
}

static void send_stop(struct supervisor *supervisor, const struct signal_rule *rule, int64_t now_ms)
{
	if (rule->interval_ms > 0) {
		walk_begin(&supervisor->walk, supervisor->loop, true, rule->worker_signal,
			rule->interval_ms);
		return;
	}
	walk_end(&supervisor->walk, supervisor->loop);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_stop_all(supervisor->pool[i], rule->worker_signal, now_ms);
}

static void log_stop(const struct supervisor *supervisor, const struct signal_rule *rule)
{
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		const struct pool *pool = supervisor->pool[i];
		struct log_subject subject = LOG_SUBJECT_NONE;
		int signal_number = rule->worker_signal;

		if (signal_number == 0)
			signal_number = pool->settings->stop_signal;
		subject.pool = pool->name;
		log_notice(&subject, "stopping %d workers with %s, KILL after %.3g s",
			pool->present, signal_name(signal_number),
			(double)pool->settings->stop_timeout_ms / 1000);
	}
}

static void begin_stop(
	struct supervisor *supervisor, const struct signal_rule *rule, int64_t now_ms)
{
	supervisor->phase = PHASE_STOPPING;
	reload_abandon(supervisor);
	upgrade_abandon(supervisor);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_begin_stop(supervisor->pool[i]);
	service_manager_stopping(&supervisor->manager);
	log_stop(supervisor, rule);
	send_stop(supervisor, rule, now_ms);
}

static void end(struct supervisor *supervisor, const struct signal_rule *rule, int64_t now_ms)
{
	switch (ending_request(&supervisor->ending, rule->worker_signal, now_ms)) {
	case ENDING_BEGIN: begin_stop(supervisor, rule, now_ms); return;
	case ENDING_RENEW:
		log_stop(supervisor, rule);
		send_stop(supervisor, rule, now_ms);
		return;
	case ENDING_KILL:
		walk_end(&supervisor->walk, supervisor->loop);
		for (size_t i = 0; i < supervisor->pool_count; i++)
			pool_kill_all(supervisor->pool[i], now_ms);
		return;
	case ENDING_NOTHING: return;
	}
}

void actions_stop(struct supervisor *supervisor, int exit_status, int64_t now_ms)
{
	const struct signal_rule rule = {.action = SIGNAL_STOP};

	if (supervisor->phase == PHASE_STOPPING)
		return;
	supervisor->exit_status = exit_status;
	/* No request of anybody's: the first signal that comes now is not "the same again". */
	begin_stop(supervisor, &rule, now_ms);
}

static void reopen(struct supervisor *supervisor)
{
	struct errmsg err;

	if (logger_reopen(&err) < 0)
		log_error(NULL, "log_file: %s", err.text);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_reopen(supervisor->pool[i]);
}

static void resize(struct supervisor *supervisor, const struct signal_rule *rule)
{
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		struct pool *pool = supervisor->pool[i];
		struct log_subject subject = LOG_SUBJECT_NONE;

		if (rule->action == SIGNAL_DRAIN)
			pool_drain(pool, rule->worker_signal);
		else if (rule->action == SIGNAL_RESUME)
			pool_resume(pool);
		else
			pool_grow(pool, rule->action == SIGNAL_GROW ? 1 : -1,
				rule->action == SIGNAL_GROW ? 0 : rule->worker_signal);
		subject.pool = pool->name;
		log_notice(&subject, "max_workers is %d now (configured: %d)%s",
			pool_rule(pool).max_workers, (int)pool->settings->max_workers,
			pool->drained ? ", drained" : "");
	}
	if (rule->action == SIGNAL_GROW || rule->action == SIGNAL_RESUME)
		forward_to_all(supervisor, rule);
}

void actions_perform(struct supervisor *supervisor, const struct signal_rule *rule, int64_t now_ms)
{
	const bool stopping = supervisor->phase == PHASE_STOPPING;

	switch (rule->action) {
	case SIGNAL_UNLISTED:
	case SIGNAL_IGNORE:
	case SIGNAL_FORWARD: forward_to_all(supervisor, rule); return;
	case SIGNAL_STOP: end(supervisor, rule, now_ms); return;
	case SIGNAL_REOPEN:
		reopen(supervisor);
		forward_to_all(supervisor, rule);
		return;
	case SIGNAL_RELOAD:
	case SIGNAL_RECONFIGURE:
		if (!stopping)
			reload_ask(supervisor,
				rule->action == SIGNAL_RELOAD ? RELOAD_ALL : RELOAD_RECONFIGURE,
				rule->worker_signal);
		return;
	case SIGNAL_UPGRADE:
		if (!stopping)
			upgrade_ask(supervisor);
		return;
	case SIGNAL_DRAIN:
	case SIGNAL_RESUME:
	case SIGNAL_GROW:
	case SIGNAL_SHRINK:
		if (!stopping)
			resize(supervisor, rule);
		return;
	}
}

static void log_unlisted(
	struct supervisor *supervisor, const struct signal_event *event, int64_t now_ms)
{
	char more[64] = "";
	uint64_t held_back;

	if (!rate_limit_pass(&supervisor->unlisted_log, now_ms, &held_back))
		return;
	if (held_back)
		snprintf(more, sizeof(more), " (and %" PRIu64 " more before)", held_back);
	log_notice(NULL, "%s from pid %d (uid %d) ignored: not listed in [signals]%s",
		signal_name(event->number), (int)event->pid, (int)event->uid, more);
}

/* The terminal went away: nobody is left to whom a reload would matter. */
static bool is_hangup(const struct signal_event *event, const struct signal_rule *rule)
{
	return event->number == SIGHUP && event->code == SI_KERNEL &&
	       (rule->action == SIGNAL_RELOAD || rule->action == SIGNAL_RECONFIGURE);
}

static void take_signal(
	struct supervisor *supervisor, const struct signal_event *event, int64_t now_ms)
{
	const struct signal_rule hangup = {.action = SIGNAL_STOP};
	const struct signal_rule *rule =
		&supervisor->configuration->settings->signals.rule[event->number];

	if (event->number == SIGCHLD) {
		supervisor->children_ended = true;
		return;
	}
	if (rule->action == SIGNAL_UNLISTED) {
		log_unlisted(supervisor, event, now_ms);
		return;
	}
	if (event->number == SIGWINCH && startup_foreground_of_terminal()) {
		log_debug(NULL, "the terminal's size changed: ignored");
		return;
	}
	if (is_hangup(event, rule))
		rule = &hangup;
	log_notice(NULL, "%s from pid %d (uid %d): %s", signal_name(event->number), (int)event->pid,
		(int)event->uid, signal_action_name(rule->action));
	actions_perform(supervisor, rule, now_ms);
}

void actions_take_signals(struct supervisor *supervisor, int64_t now_ms)
{
	struct signal_event event;

	if (!supervisor->signals_waiting)
		return;
	supervisor->signals_waiting = false;
	while (signals_read(&supervisor->signals, &event))
		take_signal(supervisor, &event, now_ms);
}
