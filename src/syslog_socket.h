#ifndef PREFORKD_SYSLOG_SOCKET_H
#define PREFORKD_SYSLOG_SOCKET_H
/*
 * Lines to the system's log daemon (RFC 3164 over a unix datagram socket). syslog(3) waits when the
 * daemon does not read; this never does. A daemon that is gone is looked for once a second.
 * Floor 1.
 */
#include <stddef.h>
#include <stdint.h>

#include "log_format.h"

#define SYSLOG_SOCKET_PATH       "/dev/log"
#define SYSLOG_SOCKET_HEAD_BYTES 320

struct syslog_socket {
	char *path; /* owned */
	int fd;     /* -1: not connected */
	int64_t tried_at;
	int error; /* of the last try */
};
#define SYSLOG_SOCKET_CLOSED                                                                       \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Only remembers the path; the first line connects. */
void syslog_socket_open(struct syslog_socket *syslog, const char *path);
/* "<30>Nov 20 23:11:02 preforkd/NAME[1234]: " to head (SYSLOG_SOCKET_HEAD_BYTES); its length. */
size_t syslog_socket_head(char *head, const struct log_record *record);
/* 0, or -1 with errno: the line is lost. */
int syslog_socket_send(struct syslog_socket *syslog, const char *bytes, size_t length);
void syslog_socket_close(struct syslog_socket *syslog);

#endif
