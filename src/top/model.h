#ifndef PREFORKD_TOP_MODEL_H
#define PREFORKD_TOP_MODEL_H
/*
 * The document that the control socket answers to `status`, as the view needs it. Nothing in it is
 * believed: what lacks or is of another type is 0, empty or "not known" (-1, or NAN), numbers are
 * cut to their range.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct errmsg;

/* In the order in which the table sorts them. */
#define TOP_STATES(X)                                                                              \
	X(BUSY, "busy")                                                                            \
	X(STARTING, "starting")                                                                    \
	X(UNKNOWN, "unknown")                                                                      \
	X(IDLE, "idle")                                                                            \
	X(RETIRING, "retiring")                                                                    \
	X(STOPPING, "stopping")                                                                    \
	X(KILLED, "killed")

enum top_state {
#define X(symbol, name) TOP_##symbol,
	TOP_STATES(X)
#undef X
		TOP_STATE_COUNT
};

struct top_worker {
	int slot, pid, generation;
	enum top_state state;
	char letter;
	double since, age; /* seconds; negative: not known */
	int64_t jobs;      /* -1: not known */
	int64_t resident;  /* bytes; -1: not known */
	double cpu;        /* seconds of processor time; negative: not known */
	double load;       /* processors in use, lately; negative: not known */
	double load_cpu;   /* `cpu` where the measurement of load began ... */
	double load_age;   /* ... and `age` then */
	char *note;        /* any text; owned, never NULL */
};

struct top_socket {
	char *name, *address;
	int64_t waiting, waiting_max, limit; /* -1: not known */
};

struct top_pool {
	char *name;
	bool dynamic, drained, rolling;
	int max_workers, configured_max, min_spare, max_spare; /* the spare ones: -1 if none */
	int generation, live, starting, idle, busy, unknown, retiring;
	int64_t jobs, starts, failed, limit_hits;
	double jobs_per_second; /* negative: not known */
	int64_t backoff_failures;
	double backoff_remaining, decided; /* -1: no decision yet */
	char *backoff_last;                /* the last failure in words */
	int replaced, roll_total, roll_starting, roll_failures;
	char *decision;
	struct top_socket *socket;
	size_t sockets;
	struct top_worker *worker;
	size_t workers;
};

struct top_model {
	char *name, *version, *phase;
	char *reload, *reload_reason; /* state and reason */
	double reload_ago;            /* seconds; negative: not known */
	int pid;
	double time, uptime, loop_lag;
	int64_t descriptors, lines_lost;
	struct top_pool *pool;
	size_t pools;
};

/* NULL with the reason: no JSON, or the answer is an error, which is then told in its own words. */
struct top_model *model_parse(const char *text, size_t bytes, struct errmsg *err);
void model_free(struct top_model *model);

/* Takes from the model before this one what only two of them tell: the load of each worker. */
void model_follow(struct top_model *model, const struct top_model *before);

const struct top_pool *model_pool(const struct top_model *model, const char *name);
const char *top_state_name(enum top_state state);

#endif
