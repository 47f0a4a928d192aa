#ifndef PREFORKD_SERVICE_MANAGER_H
#define PREFORKD_SERVICE_MANAGER_H
/*
 * What we tell whoever started us, by sd_notify(3)'s protocol: READY, RELOADING, STOPPING, STATUS,
 * WATCHDOG in time, and EXTEND_TIMEOUT_USEC for as long as a start, a reload or a stop takes.
 * Without a NOTIFY_SOCKET nothing is done. Never blocks, and what cannot be sent is lost. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>

struct service_manager {
	struct ev_loop *loop;
	int fd; /* -1: nobody wants to know */
	char *address;
	bool ready;          /* was told */
	ev_timer watchdog;   /* runs while one is wanted */
	ev_timer patience;   /* runs while it starts, reloads or stops */
	ev_timer status_gap; /* runs for a while after a status was told */
	char status[256];    /* the last one told */
	char newer[256];     /* to be told when the gap ends */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; they stay, for an upgrade (workers never get
 * them). From here on it starts, until service_manager_ready(). */
void service_manager_open(struct service_manager *manager, struct ev_loop *loop);
/* One line for `systemctl status`; the same again is not sent, another one a second later at the
 * soonest. */
void service_manager_status(struct service_manager *manager, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void service_manager_ready(struct service_manager *manager);
/* Begins a reload; service_manager_ready() ends it, whether it worked or not. */
void service_manager_reloading(struct service_manager *manager);
void service_manager_stopping(struct service_manager *manager);
void service_manager_close(struct service_manager *manager);

#endif
