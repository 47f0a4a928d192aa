#ifndef PREFORKD_WORKER_H
#define PREFORKD_WORKER_H
/*
 * One slot and the process in it: the pidfd that says when it ended, its deadlines, and the only
 * setter of its state. Floor 2.
 *
 * Everything here records facts or carries out what the pool decided; nothing is started from here.
 * Times are milliseconds of the supervisor's attended clock.
 */
#include <ev.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "board.h"
#include "notify_message.h"
#include "process_usage.h"
#include "spawn.h"
#include "worker_state.h"

struct errmsg;
struct generation;
struct scoreboard;
struct state_worker;
struct tally;

/* Who a worker is: enough to find it again from another process (adoption, upgrade). */
struct worker_record {
	int slot;
	pid_t pid;
	int64_t started_boot_ns; /* CLOCK_BOOTTIME: what /proc/PID/stat's start time counts in */
	uint64_t started_ticks;  /* that time itself; 0: not looked up yet */
	uint64_t generation;     /* with the slot, its identity; the pid alone is not */
	enum worker_state state;
};

/* How workers of a pool have shown that they are ready: `ready = auto` demands it of all. */
enum worker_shown { SHOWN_NOTHING, SHOWN_SCOREBOARD, SHOWN_NOTIFY };

struct worker;

/* What all workers of a pool share; the pool owns it. */
struct worker_context {
	struct ev_loop *loop;
	const char *pool_name;
	struct scoreboard *board;
	struct tally *tally;
	enum worker_shown shown;
	bool replacing;              /* some worker may have to be replaced, or replaces one */
	void (*changed)(void *pool); /* a fact was recorded: reconcile */
	/* its state was another one before; may be NULL */
	void (*moved)(void *pool, const struct worker *worker, enum worker_state from,
		enum worker_event why);
	void *pool;
};

/* Why it is to be replaced although its generation is the current one. */
enum worker_recycle { RECYCLE_NOT, RECYCLE_JOBS, RECYCLE_AGE, RECYCLE_MEMORY, RECYCLE_ASKED };

struct worker {
	struct worker_record record;
	struct worker_context *context;
	struct generation *generation; /* held while there is a process */
	enum worker_activity activity;
	struct worker_times times;
	int64_t activity_at; /* since when idle, busy or silent */
	int64_t ready_at;    /* 0: never was */
	uint64_t round;      /* the back-off's, at its start */
	uint64_t jobs;
	uint64_t max_jobs;           /* to be replaced after so many; 0: never */
	enum worker_recycle recycle; /* is to be replaced */
	bool replacement;  /* was started for one that is to be replaced and still there */
	bool jobs_known;   /* writes a job count */
	bool job_done;     /* has reported a job done */
	bool asked;        /* we asked it to leave: its exit is no failure */
	bool start_failed; /* not ready in time */
	bool settled;      /* ready and past min_uptime: has reset the back-off */
	bool ready_told;   /* on_ready was run */
	bool leaving;      /* says so itself (STOPPING=1) */
	int said_errno;    /* by ERRNO=; 0: nothing */
	bool foreign;      /* another supervisor started it: it is no child of ours */
	bool ended;        /* its pidfd says so; not reaped yet */
	struct spawn_report failure; /* pid 0: none came */
	struct process_usage usage;  /* as last looked at; status.c */
	bool usage_known;
	int64_t usage_at;
	int retire_signal; /* the soft signal that waits for its job to end */
	int soft_signal;   /* the last one it got */
	int pidfd;
	ev_io exit_watcher;
	ev_timer watch_again;                         /* while it cannot be watched */
	char line[BOARD_LINE_BYTES];                  /* as last seen */
	char status[NOTIFY_MESSAGE_STATUS_BYTES + 1]; /* by STATUS=; printable */
};

/* How it ended. */
struct worker_end {
	struct worker_record record;
	int64_t age_ms;
	int code;   /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0: nobody knows */
	int status; /* exit status or signal */
	bool asked;
	bool failed;      /* counts for the back-off */
	bool environment; /* the machine refused (EAGAIN, ENOMEM, ...), not the program's fault */
	uint64_t round;
	struct spawn_report failure;
};

/* Starts a process of the generation in the empty slot. 0, or -1 with the reason and errno; the
 * slot is empty then. */
int worker_start(struct worker *worker, struct generation *generation,
	const struct spawn_plan *plan, struct spawn_reports *reports, int64_t now_ms,
	struct errmsg *err);

/* How long nobody looked after workers that are taken up, and by which clock they were last. */
struct worker_absence {
	int64_t now_ms;   /* by our clock */
	int64_t shift_ms; /* to make our times of those that were written down */
	bool died;        /* nobody was there: what they did meanwhile was not seen */
};
/* A worker that is there already moves into the empty slot, with what was known of it. Its line is
 * read by the scoreboard's first refresh, which must not have been yet. */
void worker_take_up(struct worker *worker, struct generation *generation,
	const struct state_worker *from, const struct worker_absence *absence);

/* From now on its end is noticed; for worker_start() and worker_take_up(). */
void worker_watch_exit(struct worker *worker);

/* Takes in what its line of the scoreboard says. */
void worker_observe(struct worker *worker, const char *line, int64_t now_ms);
/* What it sent to its NOTIFY_SOCKET. */
void worker_notified(struct worker *worker, const struct notify_message *message, int64_t now_ms);
/* Does what is due, and returns when the next thing will be (WORKER_NEVER). */
int64_t worker_advance(struct worker *worker, int64_t now_ms);

/* The one way to retire: R on the scoreboard, the soft signal (0: the pool's stop_signal) as soon
 * as it is idle. Once. */
void worker_retire(struct worker *worker, int signal_number, const char *why, int64_t now_ms);
/* The soft signal at once (0: the pool's stop_signal). */
void worker_stop(struct worker *worker, int signal_number, int64_t now_ms);
/* KILL at once, to its process group. */
void worker_kill(struct worker *worker, const char *why, int64_t now_ms);
/* Any signal, without a change of state. false: it has ended already. */
bool worker_forward(struct worker *worker, int signal_number);

/* Ends what is left of its process group, reaps it, empties the slot. */
void worker_reap(struct worker *worker, struct worker_end *end, int64_t now_ms);
/* Stops watching without touching the process (our own exit); the worker is not used again. */
void worker_forget(struct worker *worker);

/* Its resident size is known anew: above max_memory it is to be replaced. */
void worker_measured(struct worker *worker, int64_t resident_bytes);

/* Is there one in the slot? Asked a dozen times for each slot at each look. */
static inline bool worker_present(const struct worker *worker)
{
	return worker->record.state != WORKER_EMPTY;
}

enum worker_class worker_counts_as(const struct worker *worker);

#endif
