#ifndef PREFORKD_EVENTS_H
#define PREFORKD_EVENTS_H
/*
 * What happens, as JSON objects for whoever listens on the control socket: changes of workers, the
 * supervisor's own log lines, how far a reload has come, how it ended. Nothing is made while nobody
 * listens. Floor 3.
 */
#include <stdbool.h>

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
};

double events_time(void); /* in seconds since 1970, as events tell it */
/* For logger_tap(). */
void events_log(void *events, const struct log_record *record);
void events_worker(struct events *events, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why);
/* done of total, of the action in the pool. */
void events_progress(struct events *events, const char *action, const char *pool, int done,
	int total, int starting);
/* exit_status 0: it worked, text says what was done; else why it did not. pool: NULL: all. */
void events_finished(struct events *events, const char *action, const char *pool, int exit_status,
	const char *text);

#endif
