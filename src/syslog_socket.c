/*
 * The way to syslogd. The socket is connected so that a daemon that died is noticed at the next
 * line, which is then tried once more on a new connection. Must never wait.
 */
#include "syslog_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "sys.h"

#define RETRY_INTERVAL_MS 1000
#define MS_PER_SEC        1000

void syslog_socket_open(struct syslog_socket *syslog, const char *path)
{
	*syslog = (struct syslog_socket){
		.path = memory_copy_string(path), .fd = -1, .tried_at = INT64_MIN / 2};
}

static void disconnect(struct syslog_socket *syslog)
{
	int saved = errno;

	if (syslog->fd >= 0)
		close(syslog->fd);
	syslog->fd = -1;
	errno = saved;
}

void syslog_socket_close(struct syslog_socket *syslog)
{
	disconnect(syslog);
	free(syslog->path);
	*syslog = (struct syslog_socket)SYSLOG_SOCKET_CLOSED;
}

static int severity(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return LOG_ERR;
	case LOG_LEVEL_WARNING: return LOG_WARNING;
	case LOG_LEVEL_NOTICE: return LOG_NOTICE;
	case LOG_LEVEL_INFO: return LOG_INFO;
	case LOG_LEVEL_DEBUG: return LOG_DEBUG;
	}
	return LOG_INFO;
}

/* Local time, as syslogd expects it; names of months whatever the locale. */
size_t syslog_socket_head(char *head, const struct log_record *record)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t sec = record->time_ms / MS_PER_SEC;
	struct tm local = {.tm_mday = 1};
	int length;

	localtime_r(&sec, &local);
	length = snprintf(head, SYSLOG_SOCKET_HEAD_BYTES,
		"<%d>%.3s %2d %02d:%02d:%02d preforkd%s%.200s[%ld]: ",
		LOG_DAEMON | severity(record->level), months + (size_t)3 * local.tm_mon,
		local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, record->name ? "/" : "",
		record->name ? record->name : "", (long)getpid());
	return (size_t)length;
}

static int connect_socket(struct syslog_socket *syslog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(syslog->path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, syslog->path, strlen(syslog->path));
	syslog->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (syslog->fd < 0)
		return -1;
	if (connect(syslog->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	disconnect(syslog);
	return -1;
}

static int ensure_connected(struct syslog_socket *syslog)
{
	int64_t now_ms = sys_now_ms();

	if (syslog->fd >= 0)
		return 0;
	if (now_ms - syslog->tried_at < RETRY_INTERVAL_MS) {
		errno = syslog->error;
		return -1;
	}
	syslog->tried_at = now_ms;
	if (connect_socket(syslog) == 0)
		return 0;
	syslog->error = errno;
	return -1;
}

int syslog_socket_send(struct syslog_socket *syslog, const char *bytes, size_t length)
{
	int tries;

	for (tries = 0; tries < 2; tries++) {
		if (ensure_connected(syslog) < 0)
			return -1;
		if (send(syslog->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == EMSGSIZE)
			return -1;
		syslog->error = errno;
		disconnect(syslog);
	}
	return -1;
}
