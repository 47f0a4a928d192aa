/*
 * The log. Lines are made in a buffer on the stack and written by one call; nothing here waits,
 * allocates for an ordinary line, or gives up: a line that cannot be written is counted, and the
 * count goes out before the next line that can. Must not be used between fork and exec.
 */
#include "logger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "errmsg.h"
#include "journal.h"
#include "memory.h"
#include "outlet.h"
#include "syslog_socket.h"

#define LINE_BYTES    8192 /* longer lines are malloced; those for syslog are cut */
#define MESSAGE_BYTES 2048

enum target { TARGET_UNSET, TARGET_STDERR, TARGET_JOURNAL, TARGET_FILE, TARGET_SYSLOG };

struct logger {
	enum target target;
	enum log_level level;
	enum log_format format;
	char *name; /* owned */
	struct outlet outlet;
	struct syslog_socket syslog;
	uint64_t lost, untold;
	int error; /* why the untold ones were lost */
	void (*tap)(void *context, const struct log_record *record);
	void *tap_context;
};

#define LOGGER_INITIAL                                                                             \
	{                                                                                          \
		.level = LOG_LEVEL_INFO, .outlet = OUTLET_CLOSED, .syslog = SYSLOG_SOCKET_CLOSED   \
	}
static struct logger logger = LOGGER_INITIAL;

/* --- opening --- */

static void open_stderr(struct logger *new)
{
	new->target = journal_listens(STDERR_FILENO) ? TARGET_JOURNAL : TARGET_STDERR;
	outlet_borrow(&new->outlet, STDERR_FILENO);
}

static int open_target(
	struct logger *new, const struct logger_settings *settings, struct errmsg *err)
{
	if (strcmp(settings->target, "stderr") == 0) {
		open_stderr(new);
		return 0;
	}
	if (strcmp(settings->target, "syslog") == 0) {
		new->target = TARGET_SYSLOG;
		syslog_socket_open(&new->syslog,
			settings->syslog_socket ? settings->syslog_socket : SYSLOG_SOCKET_PATH);
		return 0;
	}
	new->target = TARGET_FILE;
	return outlet_open(&new->outlet, settings->target, (uid_t)-1, (gid_t)-1, err);
}

static void close_target(struct logger *old)
{
	outlet_close(&old->outlet);
	syslog_socket_close(&old->syslog);
	free(old->name);
	old->name = NULL;
}

int logger_open(const struct logger_settings *settings, struct errmsg *err)
{
	struct logger new = LOGGER_INITIAL;
	int saved;

	new.level = settings->level;
	new.format = settings->format;
	new.lost = logger.lost;
	new.untold = logger.untold;
	new.tap = logger.tap;
	new.tap_context = logger.tap_context;
	new.error = logger.error;
	if (open_target(&new, settings, err) < 0) {
		saved = errno;
		close_target(&new);
		errno = saved;
		return -1;
	}
	new.name = memory_copy_string(settings->name);
	close_target(&logger);
	logger = new;
	return 0;
}

int logger_reopen(struct errmsg *err)
{
	return logger.target == TARGET_FILE ? outlet_reopen(&logger.outlet, err) : 0;
}

void logger_close(void)
{
	uint64_t lost = logger.lost;

	close_target(&logger);
	logger = (struct logger)LOGGER_INITIAL;
	logger.lost = lost;
}

bool logger_enabled(enum log_level level)
{
	return level <= logger.level;
}

uint64_t logger_lost(void)
{
	return logger.lost;
}

/* --- one line --- */

/* For the journal: the priority first, and no time, which it adds itself. */
static void render_for_journal(struct log_line *line, const struct log_record *record)
{
	const char *head = journal_priority(record->level);
	const size_t head_bytes = strlen(head);
	struct log_line rest = {
		.bytes = line->bytes + head_bytes, .size = line->size - head_bytes - 1};

	memcpy(line->bytes, head, head_bytes);
	if (logger.format == LOG_FORMAT_TEXT) {
		log_format_render_bare(&rest, record);
		rest.bytes[rest.length++] = '\n';
	} else {
		log_format_render(&rest, logger.format, record);
	}
	line->length = head_bytes + rest.length;
	line->wanted = head_bytes + rest.wanted + 1;
}

static void render(struct log_line *line, const struct log_record *record)
{
	if (logger.target == TARGET_JOURNAL)
		render_for_journal(line, record);
	else
		log_format_render(line, logger.format, record);
}

static int send_to_outlet(const struct log_record *record)
{
	char buffer[LINE_BYTES];
	struct log_line line = {.bytes = buffer, .size = sizeof(buffer)};
	char *longer = NULL;
	struct iovec part;
	int result;

	render(&line, record);
	if (line.wanted > line.size)
		longer = malloc(line.wanted);
	if (longer) {
		line.bytes = longer;
		line.size = line.wanted;
		render(&line, record);
	}
	part = (struct iovec){.iov_base = line.bytes, .iov_len = line.length};
	result = outlet_write(&logger.outlet, &part, 1);
	free(longer);
	return result;
}

static int send_to_syslog(const struct log_record *record)
{
	char buffer[LINE_BYTES];
	size_t head = syslog_socket_head(buffer, record);
	struct log_line line = {.bytes = buffer + head, .size = sizeof(buffer) - head};

	if (logger.format == LOG_FORMAT_TEXT) {
		log_format_render_bare(&line, record);
	} else {
		log_format_render(&line, logger.format, record);
		line.length--; /* a datagram needs no newline */
	}
	return syslog_socket_send(&logger.syslog, buffer, head + line.length);
}

static int send_record(const struct log_record *record)
{
	switch (logger.target) {
	case TARGET_UNSET: open_stderr(&logger); return send_to_outlet(record);
	case TARGET_STDERR:
	case TARGET_JOURNAL:
	case TARGET_FILE: return send_to_outlet(record);
	case TARGET_SYSLOG: return send_to_syslog(record);
	}
	return -1;
}

/* Says how many lines were lost. False: it cannot be written either. */
static bool tell_lost(int64_t time_ms)
{
	char text[256];
	struct log_record record = {.time_ms = time_ms,
		.level = LOG_LEVEL_WARNING,
		.name = logger.name,
		.message = text};

	if (logger.untold == 0)
		return true;
	snprintf(text, sizeof(text), "%" PRIu64 " log line%s lost here: %s", logger.untold,
		logger.untold == 1 ? " was" : "s were", strerror(logger.error));
	record.message_bytes = strlen(text);
	if (send_record(&record) < 0)
		return false;
	logger.untold = 0;
	return true;
}

static int64_t wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void logger_write_bytes(
	enum log_level level, const struct log_subject *subject, const char *bytes, size_t length)
{
	struct log_record record = {.time_ms = wall_clock_ms(),
		.level = level,
		.name = logger.name,
		.subject = subject,
		.message = bytes,
		.message_bytes = length};
	int saved = errno;

	if (!logger_enabled(level))
		return;
	if (!tell_lost(record.time_ms) || send_record(&record) < 0) {
		if (logger.untold == 0)
			logger.error = errno;
		logger.untold++;
		logger.lost++;
	}
	if (logger.tap)
		logger.tap(logger.tap_context, &record);
	errno = saved;
}

void logger_tap(void (*tap)(void *context, const struct log_record *record), void *context)
{
	logger.tap = tap;
	logger.tap_context = context;
}

void logger_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
{
	char text[MESSAGE_BYTES];
	char *longer = NULL;
	va_list arguments;
	int saved = errno, length;

	if (!logger_enabled(level))
		return;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length >= (int)sizeof(text)) {
		va_start(arguments, format);
		if (vasprintf(&longer, format, arguments) < 0)
			longer = NULL;
		va_end(arguments);
		if (!longer)
			length = sizeof(text) - 1;
	}
	if (length > 0)
		logger_write_bytes(level, subject, longer ? longer : text, (size_t)length);
	free(longer);
	errno = saved;
}
