/*
 * The datagrams of sd_notify(3), sent by hand: one socket, one sendto(2) a message, so that a
 * service manager that does not listen costs nothing. The watchdog is fed from the loop itself, and
 * so is the service manager's patience: a loop that does not turn gets neither. Must not flood it.
 */
#include "service_manager.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

#define PATIENCE_SEC   5 /* how often; each asks for three times as much */
#define PATIENCE_TEXT  "EXTEND_TIMEOUT_USEC=15000000"
#define STATUS_GAP_SEC 1
#define USEC_DIGITS    18

static void send_text(struct service_manager *manager, const char *text)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t length;

	if (manager->fd < 0)
		return;
	length = strlen(manager->address);
	memcpy(to.sun_path, manager->address, length);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	else
		length++;
	sendto(manager->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	send_text(timer->data, "WATCHDOG=1");
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	send_text(timer->data, PATIENCE_TEXT);
}

static void be_patient(struct service_manager *manager, bool wanted)
{
	if (manager->fd < 0)
		return;
	if (wanted)
		ev_timer_again(manager->loop, &manager->patience);
	else
		ev_timer_stop(manager->loop, &manager->patience);
}

static void tell_status(struct service_manager *manager)
{
	if (strcmp(manager->newer, manager->status) == 0)
		return;
	memcpy(manager->status, manager->newer, sizeof(manager->status));
	send_text(manager, manager->status);
	ev_timer_set(&manager->status_gap, STATUS_GAP_SEC, 0);
	ev_timer_start(manager->loop, &manager->status_gap);
}

static void on_status_gap(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_status(timer->data);
}

/* A variable's value as a number, 0: it is none. */
static long long variable_number(const char *name)
{
	const char *text = getenv(name);

	if (!text || strlen(text) > USEC_DIGITS || text[strspn(text, "0123456789")])
		return 0;
	return strtoll(text, NULL, 10);
}

/* Is the watchdog meant for us? Twice as often as it is wanted, as sd_watchdog_enabled(3) says. */
static double watchdog_interval(void)
{
	if (getenv("WATCHDOG_PID") && variable_number("WATCHDOG_PID") != getpid())
		return 0;
	return (double)variable_number("WATCHDOG_USEC") / 1e6 / 2;
}

static void init_timers(struct service_manager *manager, double watchdog_sec)
{
	ev_timer_init(&manager->watchdog, on_watchdog, watchdog_sec, watchdog_sec);
	ev_timer_init(&manager->patience, on_patience, PATIENCE_SEC, PATIENCE_SEC);
	ev_timer_init(&manager->status_gap, on_status_gap, STATUS_GAP_SEC, 0);
	manager->watchdog.data = manager->patience.data = manager->status_gap.data = manager;
}

void service_manager_open(struct service_manager *manager, struct ev_loop *loop)
{
	const char *address = getenv("NOTIFY_SOCKET");
	const double interval = watchdog_interval();

	*manager = (struct service_manager){.loop = loop, .fd = -1};
	init_timers(manager, interval);
	if (!address || (*address != '/' && *address != '@') ||
		strlen(address) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return;
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (manager->fd < 0)
		return;
	manager->address = memory_copy_string(address);
	if (interval > 0)
		ev_timer_start(loop, &manager->watchdog);
	be_patient(manager, true);
}

void service_manager_status(struct service_manager *manager, const char *format, ...)
{
	char *newer = manager->newer;
	size_t at;
	va_list arguments;

	if (manager->fd < 0)
		return;
	at = (size_t)sprintf(newer, "STATUS=");
	va_start(arguments, format);
	vsnprintf(newer + at, sizeof(manager->newer) - at, format, arguments);
	va_end(arguments);
	/* A newline would begin another message */
	for (; newer[at]; at++)
		if (iscntrl((unsigned char)newer[at]))
			newer[at] = ' ';
	if (!ev_is_active(&manager->status_gap))
		tell_status(manager);
}

void service_manager_ready(struct service_manager *manager)
{
	char text[64];

	manager->ready = true;
	be_patient(manager, false);
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)getpid());
	send_text(manager, text);
}

void service_manager_reloading(struct service_manager *manager)
{
	struct timespec now;
	char text[96];

	if (!manager->ready)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	send_text(manager, text);
	be_patient(manager, true);
}

void service_manager_stopping(struct service_manager *manager)
{
	send_text(manager, "STOPPING=1\n" PATIENCE_TEXT);
	be_patient(manager, true);
}

void service_manager_close(struct service_manager *manager)
{
	if (!manager->loop)
		return;
	ev_timer_stop(manager->loop, &manager->watchdog);
	ev_timer_stop(manager->loop, &manager->patience);
	ev_timer_stop(manager->loop, &manager->status_gap);
	if (manager->fd >= 0)
		close(manager->fd);
	free(manager->address);
	*manager = (struct service_manager){.fd = -1};
}
