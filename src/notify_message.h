#ifndef PREFORKD_NOTIFY_MESSAGE_H
#define PREFORKD_NOTIFY_MESSAGE_H
/*
 * What a worker said in one datagram to NOTIFY_SOCKET: lines of KEY=VALUE as for sd_notify(3), read
 * without trust. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_MESSAGE_MAX_BYTES       4096 /* longer ones are not read, as by systemd */
#define NOTIFY_MESSAGE_STATUS_BYTES    128
#define NOTIFY_MESSAGE_MAX_ERRNO       4095
#define NOTIFY_MESSAGE_MAX_EXTEND_USEC (INT64_C(366) * 86400 * 1000000)

struct notify_message {
	bool ready;            /* READY=1 */
	bool reloading;        /* RELOADING=1 */
	bool stopping;         /* STOPPING=1 */
	bool watchdog;         /* WATCHDOG=1 */
	bool watchdog_trigger; /* WATCHDOG=trigger: it wants to be taken for hung */
	bool barrier;          /* BARRIER=1; answered by closing the descriptor that came with it */
	bool has_status; /* STATUS=, perhaps empty: the former status does not hold any more */
	char status[NOTIFY_MESSAGE_STATUS_BYTES + 1]; /* 0x20 to 0x7e only, trailing blanks cut */
	bool has_errno;
	int errno_value;     /* 0 to NOTIFY_MESSAGE_MAX_ERRNO */
	int64_t extend_usec; /* EXTEND_TIMEOUT_USEC, at most the maximum above; 0: none */
};

/* Reads it; what is unknown, misspelled or out of bounds is passed over. Of lines with the same key
 * the last good one holds. MAINPID and all other keys are ignored: a worker cannot name another. */
void notify_message_read(struct notify_message *message, const char *bytes, size_t length);

#endif
