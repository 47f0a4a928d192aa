#ifndef PREFORKD_EVENTS_H
#define PREFORKD_EVENTS_H
/*
 * What happens, as JSON objects for whoever listens on the control socket: changes of workers, the
 * supervisor's own log lines, how far a reload has come, how it ended. Nothing is made while nobody
 * listens. What takes time has a number, by which who asked for it knows its progress and its end
 * from others'. Floor 3.
 */
#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "worker_state.h"

struct log_record;
struct pool;
struct supervisor;
struct worker;

/* What was told last, so that the same is not told again. */
struct events {
	struct control *control; /* borrowed; NULL: no control socket */
	bool telling;            /* a line of the log about telling is no event */
	uint64_t last_id;        /* of what takes time */
};

/* A number for something that takes time. Never 0. */
uint64_t events_new_id(struct events *events);

/* For logger_tap(). */
void events_log(void *events, const struct log_record *record);
void events_worker(struct events *events, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why);
/* done of total, of the action in the pool; NULL: in all. */
void events_progress(struct events *events, uint64_t id, const char *action, const char *pool,
	int done, int total, int starting);
/* exit_status 0: it worked, text says what was done; else why it did not. pool: NULL: all. */
void events_finished(struct events *events, uint64_t id, const char *action, const char *pool,
	int exit_status, const char *text);

#endif
