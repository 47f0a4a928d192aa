#ifndef PREFORKD_SERVICE_MANAGER_H
#define PREFORKD_SERVICE_MANAGER_H
/*
 * What we tell whoever started us, by sd_notify(3)'s protocol: READY, RELOADING, STOPPING, STATUS,
 * WATCHDOG in time, and EXTEND_TIMEOUT_USEC for as long as a start, a reload or a stop takes;
 * and what it is to keep for us (FDSTORE). Without a NOTIFY_SOCKET nothing is done. Never blocks
 * where it does not say so. What a full socket does not take is lost, but for READY, RELOADING and
 * STOPPING, which are sent again. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define SERVICE_MANAGER_LATE 4

struct service_manager {
	struct ev_loop *loop;
	int fd; /* -1: nobody wants to know */
	char *address;
	bool ready;          /* was told */
	ev_timer watchdog;   /* runs while one is wanted */
	ev_timer patience;   /* runs while it starts, reloads or stops */
	ev_timer status_gap; /* runs for a while after a status was told */
	ev_timer late_gap;   /* runs while it has no room for what it must be told */
	char late[SERVICE_MANAGER_LATE][96]; /* the oldest first */
	int late_count;
	char status[256]; /* the last one told */
	char newer[256];  /* to be told when the gap ends */
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
/* The start takes so long without the loop. */
void service_manager_starting(const struct service_manager *manager, int64_t ms);
void service_manager_stopping(struct service_manager *manager);
/* Its store of descriptors, from which the next process of ours gets them back (LISTEN_FDS). A copy
 * of this one goes there, by the name; watched: it leaves the store by itself when poll(2) finds it
 * hung up or faulty. What is there already is not put there twice. 0, or -1 with errno: EAGAIN, not
 * now. */
int service_manager_store(
	const struct service_manager *manager, const char *name, int fd, bool watched);
/* All of this name leave the store. Likewise. */
int service_manager_forget(const struct service_manager *manager, const char *name);
/* Until it has taken in what it was told (blocks). false: it could not be asked, or did not answer
 * in time. */
bool service_manager_wait(const struct service_manager *manager, int limit_ms);
void service_manager_close(struct service_manager *manager);

#endif
