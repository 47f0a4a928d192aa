#ifndef PREFORKD_LOGGER_H
#define PREFORKD_LOGGER_H
/*
 * The supervisor's log: to stderr, syslog or a file, as text, logfmt or json, one event a line.
 * Never blocks and never fails: what cannot be written is counted, and the count is written first
 * as soon as writing works again. The one module with a global, its own state. Floor 1.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct errmsg;

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* What an event is about. NULL, 0 and -1 mean "not known": LOG_SUBJECT_NONE, then set some. */
struct log_subject {
	const char *pool;
	int slot;
	pid_t pid;
	int64_t age_ms;
	const char *stream; /* "stdout" or "stderr": the text is a worker's own line */
};
#define LOG_SUBJECT_NONE { .slot = -1, .age_ms = -1 }

struct logger_settings {
	const char *name;   /* the instance, for syslog and json; copied */
	const char *target; /* "stderr", "syslog" or an absolute path; copied */
	enum log_level level;
	enum log_format format;
};

/* Opens the target. On failure the old target stays. Before the first call, lines go to stderr as
 * text at level info. */
int logger_open(const struct logger_settings *settings, struct errmsg *err);
/* Opens the file anew (USR1, logrotate). Of other targets: nothing. */
int logger_reopen(struct errmsg *err);
void logger_close(void);
bool logger_enabled(enum log_level level);

void logger_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A line that may hold anything, NUL too: control characters are escaped. */
void logger_write_bytes(enum log_level level, const struct log_subject *subject, const char *bytes,
	size_t length);
/* Lines lost so far, all in all. */
uint64_t logger_lost(void);

#define log_error(subject, ...)	  logger_write(LOG_LEVEL_ERROR, subject, __VA_ARGS__)
#define log_warning(subject, ...) logger_write(LOG_LEVEL_WARNING, subject, __VA_ARGS__)
#define log_notice(subject, ...)  logger_write(LOG_LEVEL_NOTICE, subject, __VA_ARGS__)
#define log_info(subject, ...)	  logger_write(LOG_LEVEL_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...)                                                                    \
	do {                                                                                       \
		if (logger_enabled(LOG_LEVEL_DEBUG))                                               \
			logger_write(LOG_LEVEL_DEBUG, subject, __VA_ARGS__);                       \
	} while (0)

#endif
