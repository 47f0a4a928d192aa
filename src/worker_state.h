#ifndef PREFORKD_WORKER_STATE_H
#define PREFORKD_WORKER_STATE_H
/*
 * The life of one worker as a table of states and events, and what is due next in it. A worker has
 * two sides: how far the supervisor is with it (its state) and what it says of itself on the
 * scoreboard (its activity). Pure: time comes in, no process is touched. Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>

#define WORKER_STATES(X)                                                                           \
	X(EMPTY, "empty")       /* a slot without a worker */                                      \
	X(STARTING, "starting") /* forked, not ready */                                            \
	X(READY, "ready")                                                                          \
	X(RETIRING, "retiring") /* R is set; the soft signal waits until it is idle */             \
	X(STOPPING, "stopping") /* has got the soft signal */                                      \
	X(KILLED, "killed")     /* has got KILL */

#define WORKER_EVENTS(X)                                                                           \
	X(SPAWNED, "spawned")                                                                      \
	X(GOT_READY, "got ready")                                                                  \
	X(ASKED_TO_RETIRE, "asked to retire")                                                      \
	X(SIGNALLED, "signalled")                                                                  \
	X(KILL_SENT, "kill sent")                                                                  \
	X(REAPED, "reaped")

enum worker_state {
#define X(symbol, name) WORKER_##symbol,
	WORKER_STATES(X)
#undef X
		WORKER_STATE_COUNT
};

enum worker_event {
#define X(symbol, name) WORKER_EVENT_##symbol,
	WORKER_EVENTS(X)
#undef X
		WORKER_EVENT_COUNT
};

/* The state after the event; the same state where the event changes nothing any more (a second
 * request to retire, READY after the soft signal); -1 where it cannot happen: our own bug. */
int worker_state_next(enum worker_state state, enum worker_event event);
const char *worker_state_name(enum worker_state state);
const char *worker_event_name(enum worker_event event);

/* What the worker says of itself. */
enum worker_activity { ACTIVITY_NONE, ACTIVITY_IDLE, ACTIVITY_BUSY };

/* How the census counts it. */
enum worker_class {
	CLASS_EMPTY,
	CLASS_STARTING, /* has written nothing and is not ready: spare */
	CLASS_UNKNOWN,  /* has written nothing and is ready: spare, never idle */
	CLASS_IDLE,
	CLASS_BUSY,
	CLASS_LEAVING, /* counts against the maximum, never as spare */
};
enum worker_class worker_classify(enum worker_state state, enum worker_activity activity);

/* The times that deadlines are computed from. Points in time in milliseconds of the supervisor's
 * attended clock (which stands still while the supervisor itself was stopped). */
struct worker_times {
	int64_t started_at;
	int64_t sign_at;      /* last sign of life: a byte of its own changed */
	int64_t job_at;       /* begin of the job it is busy with */
	int64_t retired_at;   /* asked to retire */
	int64_t leaving_at;   /* said that it leaves by itself; 0: never */
	int64_t signalled_at; /* last soft signal */
	int64_t killed_at;
	int64_t extended_until; /* it asked for more time (EXTEND_TIMEOUT_USEC); 0: never */
	int64_t expires_at;     /* max_lifetime; 0: never */
	bool hung;        /* the soft signal was timeout_signal: KILL follows after a second */
	bool job_warned;  /* request_timeout was said for this job */
	bool kill_warned; /* that KILL had no effect was said */
};

struct worker_limits {
	bool ready_when_alive; /* ready after min_uptime_ms without a word */
	int64_t min_uptime_ms;
	int64_t start_timeout_ms;
	int64_t timeout_ms;         /* 0: off */
	int64_t request_timeout_ms; /* 0: off */
	int64_t stop_timeout_ms;
};

enum worker_due {
	DUE_NOTHING,
	DUE_READY,         /* lived min_uptime: counts as ready */
	DUE_START_TIMEOUT, /* not ready in time: KILL */
	DUE_HEARTBEAT,     /* no sign of life: hung */
	DUE_REQUEST,       /* too long with one job */
	DUE_EXPIRED,       /* has reached max_lifetime: to be replaced */
	DUE_SIGNAL,        /* still busy with retiring or leaving: the soft signal goes out */
	DUE_KILL,          /* has not left by the soft signal */
	DUE_UNKILLABLE,    /* has not even left by KILL: say so */
};

#define WORKER_HUNG_KILL_MS  1000  /* after a timeout_signal that is not KILL */
#define WORKER_UNKILLABLE_MS 10000 /* after KILL */
#define WORKER_NEVER         INT64_MAX

/* What is due next, and when (WORKER_NEVER: nothing). */
enum worker_due worker_next_due(enum worker_state state, enum worker_activity activity,
	const struct worker_times *times, const struct worker_limits *limits, int64_t *at);

#endif
