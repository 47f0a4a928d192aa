#ifndef PREFORKD_STATE_H
#define PREFORKD_STATE_H
/*
 * All that another supervisor needs to go on in our place, as data and as bytes: after an upgrade
 * (the same process, another program), or after our death (another process). Read without trust:
 * every number within its bounds, every text with its length before it, nothing behind the end.
 * Floor 0.
 *
 * Points in time are milliseconds of the writer's attended clock, which showed clock_ms; 0 is
 * "never". Descriptors count for an upgrade only; -1: none.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "board.h"
#include "tally.h"
#include "worker_state.h"

struct errmsg;

#define STATE_VERSION   3
#define STATE_MAX_BYTES (64 << 20)

/* Before all else, so that every version can be told apart from every other. */
#define STATE_MAGIC "preforkd state "

struct state_socket {
	char *name;
	int fd;
	char *path; /* of the file that we made, with its dev and ino; NULL: none */
	uint64_t dev, ino;
	bool passed;
};

struct state_worker {
	int slot;
	pid_t pid;
	uint64_t started_ticks; /* as /proc/PID/stat says */
	int64_t started_boot_ns;
	uid_t uid; /* as whom it was started */
	uint64_t generation;
	uint64_t beside; /* its generation's; likewise proven */
	bool proven;
	enum worker_state state;
	enum worker_activity activity;
	struct worker_times times;
	int64_t activity_at, ready_at;
	uint64_t jobs, max_jobs;
	int recycle;
	bool replacement, jobs_known, job_done, asked, start_failed, settled, ready_told, leaving;
	bool foreign; /* no child of the writer's */
	int retire_signal, soft_signal;
	int stop_signal; /* its pool's, and how long it has to leave */
	int64_t stop_timeout_ms;
	char line[BOARD_LINE_BYTES];
	char *status;
	/* Not among the bytes: of the process, once it is known to be the one; -1: it has ended.
	 * Belongs to who takes the state up. */
	int pidfd;
};

/* The pipe of a worker's stdout (1) or stderr (2). */
struct state_stream {
	int slot;
	pid_t pid;
	int number;
	int fd;
	char *path;    /* where its lines go; NULL: our log */
	char *pending; /* the begin of a line; its newline has not come */
};

struct state_pool {
	char *name, *board_path;
	char *notify_address; /* NULL: none */
	int notify_fd;
	uint64_t last_generation, generation; /* the highest number; the current one */
	bool proven;                          /* the current one is */
	uid_t uid;                            /* as whom its workers are started */
	int offset;
	bool drained;
	int drained_to;
	int shown;
	bool ever_ready, first_ready, initial_done;
	uint64_t failure_round;
	unsigned failure_rounds, failures;
	int64_t failure_until;
	struct tally tally;
	struct state_worker *worker;
	size_t worker_count;
	struct state_stream *stream;
	size_t stream_count;
};

/* One that waits for a worker's end. */
struct state_wait {
	uint64_t id;
	char *pool;
	int slot;
	pid_t pid;
};

/* How the last reload ended. */
struct state_reload {
	int state;    /* enum reload_state */
	char *action; /* NULL: there was none */
	int64_t ended_at, took_ms;
	char *reason; /* NULL: it did not fail */
};

struct state_stranger {
	pid_t pid;
	uint64_t started_ticks;
};

struct state {
	char *boot_id;             /* the kernel's: pids and times count in one boot only */
	uint64_t pid_namespace;    /* ... and in one namespace */
	pid_t pid;                 /* the supervisor's */
	int64_t clock_ms, boot_ns; /* when this was written: attended, CLOCK_BOOTTIME */
	int64_t up_ms;             /* since it began */

	char *name, *runtime_path, *config_path, *program;
	int log_level;
	bool daemon;
	bool running; /* the first workers were there */
	int orphans;
	struct rlimit found[RLIM_NLIMITS]; /* startup_limits */
	uint64_t limits_changed;
	char *text;                      /* of the configuration in force */
	struct state_stranger *stranger; /* children that were there before us */
	size_t stranger_count;
	int lock_fd, pidfile_fd, control_fd, reports_read_fd, reports_write_fd;
	char *pidfile_path, *control_path;
	struct state_socket http; /* its listener; fd -1: none */

	struct state_socket *socket;
	size_t socket_count;
	struct state_pool *pool;
	size_t pool_count;
	int *stream_fd; /* control clients to whom events go */
	size_t stream_fd_count;
	struct state_wait *wait;
	size_t wait_count;
	uint64_t last_id, upgrade_id, drain_id; /* of what takes time; 0: none */
	struct state_reload reload;
};

/* malloced; NULL: no memory, or more than STATE_MAX_BYTES. */
char *state_to_bytes(const struct state *state, size_t *bytes);
/* For the caller to free; NULL with the reason: of another version, or no such bytes. */
struct state *state_of_bytes(const char *bytes, size_t length, struct errmsg *err);
/* All that it owns; it itself is the caller's. */
void state_fini(struct state *state);
void state_free(struct state *state); /* NULL is fine */

/* Calls `each` for every descriptor that is named. */
void state_each_fd(const struct state *state, void (*each)(void *context, int fd), void *context);

#endif
