/*
 * The datagrams of sd_notify(3), sent by hand: one socket, one sendto(2) a message, so that a
 * service manager that does not listen costs nothing. The watchdog is fed from the loop itself: a
 * loop that does not turn does not feed it.
 */
#include "service_manager.h"

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

/* Is the watchdog meant for us? Twice as often as it is wanted, as sd_watchdog_enabled(3) says. */
static double watchdog_interval(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtod(usec, NULL) / 1e6 / 2;
}

void service_manager_open(struct service_manager *manager, struct ev_loop *loop)
{
	const char *address = getenv("NOTIFY_SOCKET");
	const double interval = watchdog_interval();

	*manager = (struct service_manager){.loop = loop, .fd = -1};
	ev_timer_init(&manager->watchdog, on_watchdog, interval, interval);
	manager->watchdog.data = manager;
	if (!address || (*address != '/' && *address != '@') ||
		strlen(address) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return;
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (manager->fd < 0)
		return;
	manager->address = memory_copy_string(address);
	if (interval > 0)
		ev_timer_start(loop, &manager->watchdog);
}

void service_manager_status(struct service_manager *manager, const char *format, ...)
{
	char status[sizeof(manager->status)] = "STATUS=";
	const size_t key = strlen(status);
	va_list arguments;

	if (manager->fd < 0)
		return;
	va_start(arguments, format);
	vsnprintf(status + key, sizeof(status) - key, format, arguments);
	va_end(arguments);
	if (strcmp(status, manager->status) == 0)
		return;
	memcpy(manager->status, status, sizeof(status));
	send_text(manager, status);
}

void service_manager_ready(struct service_manager *manager)
{
	char text[64];

	manager->ready = true;
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
}

void service_manager_stopping(struct service_manager *manager)
{
	send_text(manager, "STOPPING=1");
}

void service_manager_extend(struct service_manager *manager, int64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%lld", (long long)ms * 1000);
	send_text(manager, text);
}

void service_manager_close(struct service_manager *manager)
{
	if (!manager->loop)
		return;
	ev_timer_stop(manager->loop, &manager->watchdog);
	if (manager->fd >= 0)
		close(manager->fd);
	free(manager->address);
	*manager = (struct service_manager){.fd = -1};
}
