#ifndef PREFORKD_POOL_H
#define PREFORKD_POOL_H
/*
 * One pool: its slots, what is asked of it, and what became of it. Whatever happens marks it dirty;
 * pool_reconcile() (pool_reconcile.c) is then called once a loop turn and is the only place where
 * workers are started and retired. Floor 2.
 *
 * The pool owns its slots, scoreboard, streams and hooks, and holds its generations, by which it
 * lives. Times are milliseconds of the supervisor's attended clock.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backoff.h"
#include "hook.h"
#include "launch.h"
#include "notify_socket.h"
#include "policy.h"
#include "pool_demand.h"
#include "rate_limit.h"
#include "roll.h"
#include "stream.h"
#include "tally.h"
#include "worker.h"

struct configuration;
struct errmsg;
struct generation;
struct pool;
struct pool_settings;
struct spawn_reports;
struct state_pool;

/* What a pool needs of its surroundings; outlives it. */
struct pool_place {
	struct ev_loop *loop;
	struct launch_place launch;
	const char *scoreboard_folder;
	struct spawn_reports *reports;
	void (*changed)(void *owner); /* some pool is dirty */
	int64_t (*now)(void *owner);  /* by the attended clock */
	/* a worker's state was another one before; may be NULL */
	void (*moved)(void *owner, const struct pool *pool, const struct worker *worker,
		enum worker_state from, enum worker_event why);
	void *owner;
};

#define POOL_TEXT_BYTES 256

/* The replacing of all workers by those of another generation (pool_roll.h). */
struct pool_roll {
	bool on;
	bool counts;             /* there is something to lose: failures give it up */
	struct generation *from; /* held: what it goes back to; NULL: a new pool, or no way back */
	int from_offset;
	int signal_number;            /* what those that are replaced get; 0: their stop_signal */
	int held;                     /* so many of its beginning may stay above max_workers */
	int total;                    /* to be replaced at its beginning */
	int failures;                 /* of the new generation */
	int told_done, told_starting; /* how far it was told to be */
};

struct pool {
	char *name;                           /* owned */
	char *board_path;                     /* of the scoreboard; owned */
	struct generation *current;           /* held: what new workers are started from */
	const struct pool_settings *settings; /* the current generation's */
	uint64_t last_generation;             /* the highest number in use */
	struct pool_place place;
	struct worker_context context;
	struct worker **slot; /* slot[0..slot_count-1], each once made stays */
	int slot_count;
	int first_free; /* no free slot below this one */
	int present;    /* slots with a worker in them */

	struct sinks sinks;
	struct hooks hooks;
	struct notify_socket notify;

	struct pool_demand demand;
	struct policy_memory memory;
	struct backoff failures; /* of the program */
	struct backoff machine;  /* fork refused, descriptors used up, ... */
	struct rate_limit failure_log, machine_log, decision_log[POLICY_REASON_COUNT];
	enum policy_reason told; /* the last decision that was logged */
	struct roll_memory replaced;
	struct pool_roll roll;
	struct tally tally;
	int64_t lacking_since;          /* workers are wanted and not started; 0: none */
	char decision[POOL_TEXT_BYTES]; /* the last one that wanted something, in words */
	int64_t decided_at;
	char last_failure[POOL_TEXT_BYTES]; /* why the last worker failed */

	int offset;       /* TTIN and TTOU */
	bool drained;     /* no workers until resume ... */
	int drained_to;   /* ... but so many, by TTIN */
	int leave_signal; /* what those above the maximum get; 0: the pool's stop_signal */
	bool stopping;    /* nothing is started any more */
	bool ever_ready;  /* some worker got ready */
	bool first_ready; /* all of the first workers did */
	bool gave_up;     /* crash_loop says so */
	bool left_alone;  /* its workers go on without us: so do their files */
	bool removed;     /* no longer configured: freed once it is empty */

	bool dirty;
	bool board_dirty;
	int64_t due_at;      /* when something is due next; WORKER_NEVER */
	int64_t timer_at;    /* what the timer is set to */
	int64_t measured_at; /* when resident sizes were last looked at */
	ev_timer timer;
};

/* Opens scoreboard, launch plan; starts no worker (the first reconcile does). NULL with the
 * reason. */
struct pool *pool_new(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, struct errmsg *err);
/* What is known of a pool that was there before us. */
struct pool_past {
	const struct state_pool *pool;
	struct worker_absence absence;
	bool outdated; /* its workers are to be replaced: the configuration is another by now */
};
/* The same in the place of a pool that was there before us, whose workers have not moved in yet. */
struct pool *pool_open(struct configuration *configuration, const struct pool_settings *settings,
	const struct pool_place *place, const struct pool_past *past, struct errmsg *err);

/* The next generation of the pool, by a section of the configuration; it changes nothing yet. NULL
 * with the reason. */
struct generation *pool_make_generation(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, struct errmsg *err);
/* One of this number. */
struct generation *pool_generation_of(struct pool *pool, struct configuration *configuration,
	const struct pool_settings *settings, uint64_t number, struct errmsg *err);
/* New workers are of this generation from now on; held by the pool. */
void pool_set_generation(struct pool *pool, struct generation *generation);
/* Processes that are still there are left alone. */
void pool_free(struct pool *pool);

void pool_mark_dirty(struct pool *pool);
/* What the policy is asked with now. */
struct policy_rule pool_rule(const struct pool *pool);
/* One slot more, or NULL where there is no room for its line. */
struct worker *pool_add_slot(struct pool *pool);
/* An empty slot, made where needed, or NULL where there can be no more. */
struct worker *pool_free_slot(struct pool *pool);
/* The slot's worker, or NULL: none there. */
struct worker *pool_worker(const struct pool *pool, int slot);

/* TTIN (1) and TTOU (-1). Those who have to go get the signal (0: the pool's stop_signal). */
void pool_grow(struct pool *pool, int by, int signal_number);
void pool_drain(struct pool *pool, int signal_number);
void pool_resume(struct pool *pool);
/* It is in no configuration any more: its workers are retired. */
void pool_remove(struct pool *pool);
/* Nothing is started from here on. */
void pool_begin_stop(struct pool *pool);
/* A soft signal to all (0: the pool's stop_signal); KILL to all. */
void pool_stop_all(struct pool *pool, int signal_number, int64_t now_ms);
void pool_kill_all(struct pool *pool, int64_t now_ms);
/* Any signal to all, without a change of state. How many got it. */
int pool_forward_all(struct pool *pool, int signal_number);
void pool_reopen(struct pool *pool);

/* Is the pid one of a worker or a hook, which the pool reaps itself? */
bool pool_owns_pid(const struct pool *pool, pid_t pid);
/* The same of a process that has ended: if it is a worker, that is noted. */
bool pool_take_end(struct pool *pool, pid_t pid);
/* Hands over a report of a child that could not exec. false: not ours. */
bool pool_take_report(struct pool *pool, const struct spawn_report *report);
/* What a process sent to the pool's NOTIFY_SOCKET: of a worker, or of one in its process group. */
void pool_take_message(struct pool *pool, pid_t pid, const struct notify_message *message);
/* Nothing left: no worker, no hook. */
bool pool_empty(const struct pool *pool);
/* All that is left cannot be killed. */
bool pool_stuck(const struct pool *pool);

#endif
