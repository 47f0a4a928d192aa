#ifndef PREFORKD_LOG_FORMAT_H
#define PREFORKD_LOG_FORMAT_H
/*
 * One event as one line: text for people, logfmt or json for programs. Whatever the message holds,
 * the line stays one line, and a terminal that shows it does nothing but show it. Floor 0.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* What an event is about. NULL, 0 and -1 mean "not known": LOG_SUBJECT_NONE, then set some. */
struct log_subject {
	const char *pool;
	int slot;
	pid_t pid;
	int64_t age_ms;
	const char *stream; /* "stdout" or "stderr": the text is a worker's own line */
};
#define LOG_SUBJECT_NONE                                                                           \
	{                                                                                          \
		.slot = -1, .age_ms = -1                                                           \
	}

struct log_record {
	int64_t time_ms; /* since 1970, UTC */
	enum log_level level;
	const char *name;                  /* the instance, may be NULL; not shown in text */
	const struct log_subject *subject; /* may be NULL */
	const char *message;
	size_t message_bytes;
};

struct log_line {
	char *bytes; /* the caller's */
	size_t size;
	size_t length; /* filled in: what was written, ends in a newline */
	size_t wanted; /* filled in: the size for the whole; above `size` when the message was cut
			*/
};
/* Room for everything but a message: with less, a line may lose its end. */
#define LOG_LINE_MIN_BYTES 2048

/*
 * text:   2026-11-20T23:11:02.123Z info web/3[1234]: exited with status 1 (age 5m12s)
 * logfmt: time=2026-11-20T23:11:02.123Z level=info name=app pool=web slot=3 pid=1234 age_ms=312000
 *         msg="exited with status 1"
 * json:   {"time":"2026-11-20T23:11:02.123Z","level":"info","name":"app","pool":"web","slot":3,
 *         "pid":1234,"age_ms":312000,"message":"exited with status 1"}
 *
 * Valid UTF-8 stays as it is, tabs too in text. Other control characters (C0, DEL, C1) become \n,
 * \x1b, \u0085; bytes that are no UTF-8 \xff in text and logfmt, U+FFFD in json. A message that
 * does not fit is cut between two characters and the line is closed properly.
 */
void log_format_render(
	struct log_line *line, enum log_format format, const struct log_record *record);
/* "web/3[1234] stdout: message" and no newline behind it: for syslog, which adds time and level. */
void log_format_render_bare(struct log_line *line, const struct log_record *record);
/* "error", "warning", ... */
const char *log_level_name(enum log_level level);

#endif
