#ifndef PREFORKD_LIBPREFORK_INSIDE_H
#define PREFORKD_LIBPREFORK_INSIDE_H
/*
 * What the parts of libprefork know of each other. From below: slot.c and notify.c, report.c (what
 * this worker does), stop.c (leaving), sockets.c, accept.c, attach.c. A part knows those before it.
 * Each has its state in one static struct, since a process has one line, one environment and one
 * set of signals; the `forget` calls put it back, in a child of fork(2), too. Hidden symbols.
 */
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* notify.c: learns from the environment where messages go to. */
void prefork_notify_learn(void);
void prefork_notify_forget(void);
/* 1 sent, 0 nobody is there, -1 errno. Where the queue is full, waits for so long at most; 0: drops
 * it. [s] */
int prefork_notify_send(const char *message, int patience_sec);
void prefork_notify_watchdog(void); /* WATCHDOG=1, if it is waited for. [s] */

/* report.c */
int prefork_report_attach(void); /* as prefork_attach() */
void prefork_report_forget(void);
bool prefork_report_is_busy(void);    /* this thread */
bool prefork_report_is_retired(void); /* the line asks us to leave. [s] */
void prefork_report_jobs(void);       /* writes the count as it is. [s] */

/* stop.c */
bool prefork_stop_is_set(void); /* was prefork_stop_on() called? */
int prefork_stop_fd(void);      /* readable once such a signal has come; -1 */
void prefork_stop_forget(void);

/* accept.c */
void prefork_listeners_forget(void);

#pragma GCC visibility pop

#endif
