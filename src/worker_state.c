/*
 * The table of a worker's life and its deadlines. Every pair of state and event has an entry, so
 * that a forgotten one shows as IMPOSSIBLE in the exhaustive test and not in the field.
 */
#include "worker_state.h"

#include <stddef.h>

#define IMPOSSIBLE (-1)

static const signed char next_state[WORKER_STATE_COUNT][WORKER_EVENT_COUNT] = {
	/* SPAWNED, GOT_READY, ASKED_TO_RETIRE, SIGNALLED, KILL_SENT, REAPED */
	[WORKER_EMPTY] = {WORKER_STARTING, IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE,
		IMPOSSIBLE},
	[WORKER_STARTING] = {IMPOSSIBLE, WORKER_READY, WORKER_RETIRING, WORKER_STOPPING,
		WORKER_KILLED, WORKER_EMPTY},
	[WORKER_READY] = {IMPOSSIBLE, WORKER_READY, WORKER_RETIRING, WORKER_STOPPING, WORKER_KILLED,
		WORKER_EMPTY},
	[WORKER_RETIRING] = {IMPOSSIBLE, WORKER_RETIRING, WORKER_RETIRING, WORKER_STOPPING,
		WORKER_KILLED, WORKER_EMPTY},
	[WORKER_STOPPING] = {IMPOSSIBLE, WORKER_STOPPING, WORKER_STOPPING, WORKER_STOPPING,
		WORKER_KILLED, WORKER_EMPTY},
	[WORKER_KILLED] = {IMPOSSIBLE, WORKER_KILLED, WORKER_KILLED, WORKER_KILLED, WORKER_KILLED,
		WORKER_EMPTY},
};

int worker_state_next(enum worker_state state, enum worker_event event)
{
	return next_state[state][event];
}

const char *worker_state_name(enum worker_state state)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		WORKER_STATES(X)
#undef X
	};

	return names[state];
}

const char *worker_event_name(enum worker_event event)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		WORKER_EVENTS(X)
#undef X
	};

	return names[event];
}

static enum worker_class classify_by_activity(
	enum worker_activity activity, enum worker_class when_silent)
{
	switch (activity) {
	case ACTIVITY_NONE: return when_silent;
	case ACTIVITY_IDLE: return CLASS_IDLE;
	case ACTIVITY_BUSY: return CLASS_BUSY;
	}
	return when_silent;
}

enum worker_class worker_classify(enum worker_state state, enum worker_activity activity)
{
	switch (state) {
	case WORKER_EMPTY: return CLASS_EMPTY;
	case WORKER_STARTING: return classify_by_activity(activity, CLASS_STARTING);
	case WORKER_READY: return classify_by_activity(activity, CLASS_UNKNOWN);
	case WORKER_RETIRING:
	case WORKER_STOPPING:
	case WORKER_KILLED:
	case WORKER_STATE_COUNT: break;
	}
	return CLASS_LEAVING;
}

/* Keeps the earlier of what is known and `due` at `at`; of two at the same time the first one. */
static void consider(enum worker_due due, int64_t at, enum worker_due *first, int64_t *first_at)
{
	if (at >= *first_at)
		return;
	*first = due;
	*first_at = at;
}

/* Points in time far off must not overflow when a duration of "for ever" is added. */
static int64_t later(int64_t at, int64_t duration_ms)
{
	return duration_ms >= WORKER_NEVER - at ? WORKER_NEVER : at + duration_ms;
}

/* Who asked for more time gets it. */
static int64_t patient(const struct worker_times *times, int64_t at)
{
	return at > times->extended_until ? at : times->extended_until;
}

/* Who said that it leaves has so long for it as one that is asked to. */
static void consider_leaving(const struct worker_times *times, const struct worker_limits *limits,
	enum worker_due *first, int64_t *first_at)
{
	if (times->leaving_at > 0)
		consider(DUE_SIGNAL,
			patient(times, later(times->leaving_at, limits->stop_timeout_ms)), first,
			first_at);
}

static enum worker_due due_while_serving(enum worker_activity activity,
	const struct worker_times *times, const struct worker_limits *limits, int64_t *at)
{
	enum worker_due due = DUE_NOTHING;

	*at = WORKER_NEVER;
	if (limits->timeout_ms > 0)
		consider(DUE_HEARTBEAT, later(times->sign_at, limits->timeout_ms), &due, at);
	if (limits->request_timeout_ms > 0 && activity == ACTIVITY_BUSY && !times->job_warned)
		consider(DUE_REQUEST, later(times->job_at, limits->request_timeout_ms), &due, at);
	if (times->expires_at > 0)
		consider(DUE_EXPIRED, times->expires_at, &due, at);
	consider_leaving(times, limits, &due, at);
	return due;
}

static enum worker_due due_while_starting(
	const struct worker_times *times, const struct worker_limits *limits, int64_t *at)
{
	enum worker_due due = DUE_NOTHING;

	*at = WORKER_NEVER;
	if (limits->ready_when_alive)
		consider(DUE_READY, later(times->started_at, limits->min_uptime_ms), &due, at);
	if (limits->start_timeout_ms > 0)
		consider(DUE_START_TIMEOUT,
			patient(times, later(times->started_at, limits->start_timeout_ms)), &due,
			at);
	consider_leaving(times, limits, &due, at);
	return due;
}

enum worker_due worker_next_due(enum worker_state state, enum worker_activity activity,
	const struct worker_times *times, const struct worker_limits *limits, int64_t *at)
{
	enum worker_due due = DUE_NOTHING;
	int64_t patience_ms = times->hung ? WORKER_HUNG_KILL_MS : limits->stop_timeout_ms;

	*at = WORKER_NEVER;
	switch (state) {
	case WORKER_STARTING: return due_while_starting(times, limits, at);
	case WORKER_READY: return due_while_serving(activity, times, limits, at);
	case WORKER_RETIRING:
		due = due_while_serving(activity, times, limits, at);
		consider(DUE_SIGNAL, later(times->retired_at, limits->stop_timeout_ms), &due, at);
		return due;
	case WORKER_STOPPING:
		consider(DUE_KILL, patient(times, later(times->signalled_at, patience_ms)), &due,
			at);
		return due;
	case WORKER_KILLED:
		if (!times->kill_warned)
			consider(DUE_UNKILLABLE, later(times->killed_at, WORKER_UNKILLABLE_MS),
				&due, at);
		return due;
	case WORKER_EMPTY:
	case WORKER_STATE_COUNT: break;
	}
	return DUE_NOTHING;
}
