/*
 * Messages to whoever started us, by NOTIFY_SOCKET: preforkd or systemd. Rule: the environment is
 * read at attach only, since getenv(3) is no call for a signal handler; no descriptor is kept, so
 * that none can be lost. The queue holds some ten messages: what need not arrive is dropped when it
 * is full, and nothing waits without an end.
 */
#include "inside.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
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

static ssize_t send_once(int fd, const char *message, int patience_sec)
{
	const struct timeval patience = {.tv_sec = patience_sec};

	if (patience_sec > 0 &&
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -1;
	return sendto(fd, message, strlen(message),
		MSG_NOSIGNAL | (patience_sec > 0 ? 0 : MSG_DONTWAIT),
		(const struct sockaddr *)&notify.address, notify.length);
}

int prefork_notify_send(const char *message, int patience_sec)
{
	ssize_t sent;
	int fd, saved;

	if (notify.length == 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	do {
		sent = send_once(fd, message, patience_sec);
	} while (sent < 0 && errno == EINTR);
	saved = errno;
	close(fd);
	errno = saved;
	return sent < 0 ? -1 : 1;
}

void prefork_notify_watchdog(void)
{
	int saved = errno;

	if (notify.watchdog)
		prefork_notify_send("WATCHDOG=1", 0);
	errno = saved;
}
