#ifndef PREFORKD_LOGGER_H
#define PREFORKD_LOGGER_H
/*
 * The supervisor's log: to stderr, syslog or a file, as text, logfmt or json, one event a line.
 * Where stderr is systemd's journal, each line begins with its priority. Never blocks and never
 * fails: what cannot be written is counted, and the count is written first as soon as writing works
 * again. A stopped terminal, a pipe that nobody reads and a full disk cost lines, not time; a file
 * that was removed is made again within seconds. The one module with a global, its own state. errno
 * survives every call. Floor 1.
 *
 * SIGPIPE and SIGXFSZ must be blocked or ignored by the process; what a write of ours raises is
 * taken back before the call returns, so that it is never mistaken for a signal that somebody sent.
 * Descriptors 0-2 must be open before the first line.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_format.h"

struct errmsg;

struct logger_settings {
	const char *name;   /* the instance, for syslog, logfmt and json; copied; may be NULL */
	const char *target; /* "stderr", "syslog" or an absolute path; copied */
	const char *syslog_socket; /* NULL: /dev/log; copied */
	enum log_level level;
	enum log_format format;
};

/* Opens the target. On failure the old target stays. Before the first call, lines go to stderr as
 * text at level info. That nobody listens to syslog is no failure: it may start after us. */
int logger_open(const struct logger_settings *settings, struct errmsg *err);
/* Opens the file anew (USR1, logrotate). Of other targets: nothing. */
int logger_reopen(struct errmsg *err);
void logger_close(void);
bool logger_enabled(enum log_level level);

void logger_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A line that may hold anything, NUL too: control characters are escaped. */
void logger_write_bytes(
	enum log_level level, const struct log_subject *subject, const char *bytes, size_t length);
/* Hands every line that is logged to `tap`, too; NULL: to nobody any more. */
void logger_tap(void (*tap)(void *context, const struct log_record *record), void *context);
/* Lines lost so far, all in all. */
uint64_t logger_lost(void);

#define log_error(subject, ...)   logger_write(LOG_LEVEL_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) logger_write(LOG_LEVEL_WARNING, subject, __VA_ARGS__)
#define log_notice(subject, ...)  logger_write(LOG_LEVEL_NOTICE, subject, __VA_ARGS__)
#define log_info(subject, ...)    logger_write(LOG_LEVEL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                                                    \
	do {                                                                                       \
		if (logger_enabled(LOG_LEVEL_DEBUG))                                               \
			logger_write(LOG_LEVEL_DEBUG, subject, __VA_ARGS__);                       \
	} while (0)

#endif
