#ifndef PREFORKD_HTTP_PROCESS_H
#define PREFORKD_HTTP_PROCESS_H
/*
 * The process that serves the status page and the metrics (preforkd-http(8)): started and kept
 * running by the supervisor, without its rights and without its environment, at the other end of a
 * channel that knows reading verbs only. What it does wrong costs nothing but itself. Floor 2.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backoff.h"
#include "identity.h"
#include "listener.h"

struct control;
struct errmsg;
struct spawn_report;
struct spawn_reports;

struct http_process {
	struct ev_loop *loop;
	struct control *control;
	struct spawn_reports *reports;
	struct listener listener; /* bound once, handed to each of them */
	char *address;            /* owned; where it is to be bound */
	struct identity identity; /* nobody's, where we are root */
	char *program;            /* owned; NULL: closed */
	pid_t pid;                /* 0: none runs */
	pid_t last_pid;           /* of the one that was started last, also when it has ended */
	int pidfd;
	int64_t started_ms;
	ev_io exit_watcher;
	ev_timer next_start;
	struct backoff failures;
};

struct http_process_settings {
	struct control *control;
	struct spawn_reports *reports;
	const char *address;              /* ADDRESS:PORT or unix:PATH */
	const char *program;              /* the path of preforkd-http */
	const struct listener_past *past; /* the socket from before an exec of ourselves; or NULL */
	bool may_be_held; /* by the process of a supervisor that died: it leaves soon */
};

/* A zeroed one is closed. Binds the address, later when it may be held, and starts the program. -1
 * with the reason and errno. */
int http_process_open(struct http_process *http, struct ev_loop *loop,
	const struct http_process_settings *settings, struct errmsg *err);
bool http_process_owns(const struct http_process *http, pid_t pid);
/* Logs why it could not be executed; false: it is of another process. Its number may be a worker's
 * by now: the pools are asked first. */
bool http_process_take_report(const struct http_process *http, const struct spawn_report *report);
/* Ends it, and removes the socket's file. */
void http_process_close(struct http_process *http);

#endif
