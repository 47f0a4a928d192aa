/*
 * Messages to whoever started us, by NOTIFY_SOCKET: preforkd or systemd. Rule: the environment is
 * read at attach only, since getenv(3) is no call for a signal handler; no descriptor is kept, so
 * that none can be lost. Must not wait: a message that finds the queue full is dropped.
 */
#include "inside.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	struct sockaddr_un address;
	socklen_t length; /* 0: nobody listens */
	bool watchdog;
} notify;

/* WATCHDOG_PID is left out by some. */
static bool watchdog_is_for_us(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	return getenv("WATCHDOG_USEC") && (!pid || strtol(pid, NULL, 10) == getpid());
}

void prefork_notify_learn(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	prefork_notify_forget();
	if (length < 2 || length >= sizeof(notify.address.sun_path) || !strchr("/@", *path))
		return;
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, path, length);
	if (*path == '@')
		notify.address.sun_path[0] = '\0';
	notify.watchdog = watchdog_is_for_us();
	notify.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

void prefork_notify_forget(void)
{
	notify.length = 0;
	notify.watchdog = false;
}

int prefork_notify_send(const char *message)
{
	ssize_t sent;
	int fd;

	if (notify.length == 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	sent = sendto(fd, message, strlen(message), MSG_NOSIGNAL,
		(const struct sockaddr *)&notify.address, notify.length);
	close(fd);
	return sent < 0 ? -1 : 1;
}

void prefork_notify_watchdog(void)
{
	int saved = errno;

	if (notify.watchdog)
		prefork_notify_send("WATCHDOG=1");
	errno = saved;
}
