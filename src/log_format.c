/*
 * Rendering of log lines. Every byte that comes from elsewhere (a worker's line, a name) goes
 * through put_escaped(), which knows what each format must not contain. Room for the end of the
 * line is kept back while the message is written, so a line that is cut is still well-formed.
 * Never allocates.
 */
#include "log_format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TAIL_BYTES   64              /* more than every end of a line needs */
#define LAST_TIME_MS 253402300799999 /* in the year 9999 */
#define MS_PER_SEC   1000
#define SEC_PER_DAY  86400
#define REPLACEMENT  0xfffd
#define ESCAPE_BYTES 16

const char *log_level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR: return "error";
	case LOG_LEVEL_WARNING: return "warning";
	case LOG_LEVEL_NOTICE: return "notice";
	case LOG_LEVEL_INFO: return "info";
	case LOG_LEVEL_DEBUG: return "debug";
	}
	return "?";
}

static bool is_cut(const struct log_line *line)
{
	return line->wanted != line->length;
}

static void put(struct log_line *line, const char *bytes, size_t length)
{
	if (!is_cut(line) && line->length + length + TAIL_BYTES <= line->size) {
		memcpy(line->bytes + line->length, bytes, length);
		line->length += length;
	}
	line->wanted += length;
}

/* Where any place is good for a cut. */
static void put_run(struct log_line *line, const char *bytes, size_t length)
{
	size_t room = 0;

	if (!is_cut(line) && line->length + TAIL_BYTES < line->size)
		room = line->size - TAIL_BYTES - line->length;
	if (room > 0 && room < length) {
		put(line, bytes, room);
		bytes += room;
		length -= room;
	}
	put(line, bytes, length);
}

static void put_text(struct log_line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_number(struct log_line *line, const char *before, int64_t number)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%lld", before, (long long)number);
	put_text(line, text);
}

/* Into the room that was kept back. */
static void put_tail(struct log_line *line, const char *text)
{
	size_t length = strlen(text);

	if (line->length + length <= line->size) {
		memcpy(line->bytes + line->length, text, length);
		line->length += length;
	}
	line->wanted += length;
}

/* Bytes that the character at p has, 0 if it is no UTF-8: cut short, over-long, a surrogate. */
static size_t utf8_decode(const unsigned char *p, size_t left, unsigned *code)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length, i;

	*code = p[0];
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	*code = p[0] & (0x7fu >> length);
	for (i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if (*code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

static bool is_control(unsigned code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

static bool is_plain(enum log_format format, unsigned char byte)
{
	if (byte < 0x20)
		return byte == '\t' && format == LOG_FORMAT_TEXT;
	if (byte >= 0x7f)
		return false;
	return format == LOG_FORMAT_TEXT || (byte != '"' && byte != '\\');
}

/* One character that cannot stand as it is; valid is false for a byte outside of UTF-8. */
static void escape(char out[ESCAPE_BYTES], enum log_format format, unsigned code, bool valid)
{
	static const char letters[] = "\"\"\\\\\nn\rr\tt";
	size_t i;

	for (i = 0; valid && i < sizeof(letters) - 1; i += 2) {
		if ((unsigned char)letters[i] == code) {
			snprintf(out, ESCAPE_BYTES, "\\%c", letters[i + 1]);
			return;
		}
	}
	if (format == LOG_FORMAT_JSON && !valid)
		code = REPLACEMENT;
	if (format == LOG_FORMAT_JSON || (valid && code >= 0x80))
		snprintf(out, ESCAPE_BYTES, "\\u%04x", code);
	else
		snprintf(out, ESCAPE_BYTES, "\\x%02x", code);
}

/* What is at p and no plain byte: one character. Returns its length. */
static size_t put_character(
	struct log_line *line, enum log_format format, const unsigned char *p, size_t left)
{
	unsigned code;
	char escaped[ESCAPE_BYTES];
	size_t length = utf8_decode(p, left, &code);

	if (length > 1 && !is_control(code)) {
		put(line, (const char *)p, length);
		return length;
	}
	escape(escaped, format, length ? code : p[0], length > 0);
	put_text(line, escaped);
	return length ? length : 1;
}

static void put_escaped(
	struct log_line *line, enum log_format format, const char *bytes, size_t length)
{
	const unsigned char *p = (const unsigned char *)bytes, *end = p + length;

	while (p < end) {
		const unsigned char *start = p;

		while (p < end && is_plain(format, *p))
			p++;
		if (p > start)
			put_run(line, (const char *)start, (size_t)(p - start));
		if (p < end)
			p += put_character(line, format, p, (size_t)(end - p));
	}
}

/* Takes whole cycles of so many days out of *days, `most` at most; how many. */
static int take_cycles(int64_t *days, int64_t cycle_days, int most)
{
	int64_t count = *days / cycle_days;

	if (count > most)
		count = most;
	*days -= count * cycle_days;
	return (int)count;
}

/* The date so many days after 1970-01-01. Years are counted from March here, so that the leap day
 * is the last day of a year, of four years and of four centuries. */
static void put_date(struct log_line *line, int64_t days)
{
	static const int month_days[] = {31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29};
	int year, month = 0;
	char text[48];

	days += 719468; /* from 0000-03-01 to 1970-01-01 */
	year = 400 * take_cycles(&days, 146097, 24);
	year += 100 * take_cycles(&days, 36524, 3);
	year += 4 * take_cycles(&days, 1461, 24);
	year += take_cycles(&days, 365, 3);
	while (days >= month_days[month])
		days -= month_days[month++];
	month = month < 10 ? month + 3 : month - 9;
	year += month <= 2;
	snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, (int)days + 1);
	put_text(line, text);
}

static void put_time(struct log_line *line, int64_t time_ms)
{
	int64_t sec;
	int rest;
	char text[32];

	if (time_ms < 0)
		time_ms = 0;
	if (time_ms > LAST_TIME_MS)
		time_ms = LAST_TIME_MS;
	sec = time_ms / MS_PER_SEC;
	rest = (int)(sec % SEC_PER_DAY);
	put_date(line, sec / SEC_PER_DAY);
	snprintf(text, sizeof(text), "T%02d:%02d:%02d.%03dZ", rest / 3600, rest / 60 % 60,
		rest % 60, (int)(time_ms % MS_PER_SEC));
	put_text(line, text);
}

/* For people: two units at most. */
static void put_age(struct log_line *line, int64_t age_ms)
{
	long long sec = age_ms / MS_PER_SEC;
	char text[48];

	if (age_ms < MS_PER_SEC)
		snprintf(text, sizeof(text), " (age %lldms)", (long long)age_ms);
	else if (sec < 60)
		snprintf(
			text, sizeof(text), " (age %lld.%llds)", sec, (long long)age_ms / 100 % 10);
	else if (sec < 3600)
		snprintf(text, sizeof(text), " (age %lldm%02llds)", sec / 60, sec % 60);
	else if (sec < SEC_PER_DAY)
		snprintf(text, sizeof(text), " (age %lldh%02lldm)", sec / 3600, sec / 60 % 60);
	else
		snprintf(text, sizeof(text), " (age %lldd%02lldh)", sec / SEC_PER_DAY,
			sec / 3600 % 24);
	put_tail(line, text);
}

static void put_subject_text(struct log_line *line, const struct log_subject *subject)
{
	if (subject->pool)
		put_escaped(line, LOG_FORMAT_TEXT, subject->pool, strlen(subject->pool));
	if (subject->slot >= 0)
		put_number(line, "/", subject->slot);
	if (subject->pid > 0) {
		put_number(line, "[", subject->pid);
		put_text(line, "]");
	}
	if (subject->stream) {
		put_text(line, " ");
		put_text(line, subject->stream);
	}
	if (subject->pool || subject->pid > 0)
		put_text(line, ": ");
}

static void put_bare(struct log_line *line, const struct log_record *record)
{
	if (record->subject)
		put_subject_text(line, record->subject);
	put_escaped(line, LOG_FORMAT_TEXT, record->message, record->message_bytes);
	if (record->subject && record->subject->age_ms >= 0)
		put_age(line, record->subject->age_ms);
}

static void render_text(struct log_line *line, const struct log_record *record)
{
	put_time(line, record->time_ms);
	put_text(line, " ");
	put_text(line, log_level_name(record->level));
	put_text(line, " ");
	put_bare(line, record);
	put_tail(line, "\n");
}

/* A bare word where nothing in it could be mistaken, else quoted. */
static void put_logfmt_value(struct log_line *line, const char *key, const char *value)
{
	size_t length = strlen(value), i;
	bool quoted = length == 0;

	for (i = 0; i < length; i++) {
		if (!is_plain(LOG_FORMAT_LOGFMT, (unsigned char)value[i]) || strchr(" =", value[i]))
			quoted = true;
	}
	put_text(line, key);
	put_text(line, quoted ? "\"" : "");
	put_escaped(line, LOG_FORMAT_LOGFMT, value, length);
	put_text(line, quoted ? "\"" : "");
}

static void put_subject_logfmt(struct log_line *line, const struct log_subject *subject)
{
	if (subject->pool)
		put_logfmt_value(line, " pool=", subject->pool);
	if (subject->slot >= 0)
		put_number(line, " slot=", subject->slot);
	if (subject->pid > 0)
		put_number(line, " pid=", subject->pid);
	if (subject->age_ms >= 0)
		put_number(line, " age_ms=", subject->age_ms);
	if (subject->stream)
		put_logfmt_value(line, " stream=", subject->stream);
}

static void render_logfmt(struct log_line *line, const struct log_record *record)
{
	put_text(line, "time=");
	put_time(line, record->time_ms);
	put_text(line, " level=");
	put_text(line, log_level_name(record->level));
	if (record->name)
		put_logfmt_value(line, " name=", record->name);
	if (record->subject)
		put_subject_logfmt(line, record->subject);
	put_text(line, " msg=\"");
	put_escaped(line, LOG_FORMAT_LOGFMT, record->message, record->message_bytes);
	put_tail(line, "\"\n");
}

static void put_json_string(struct log_line *line, const char *key, const char *value)
{
	put_text(line, key);
	put_text(line, "\"");
	put_escaped(line, LOG_FORMAT_JSON, value, strlen(value));
	put_text(line, "\"");
}

static void put_subject_json(struct log_line *line, const struct log_subject *subject)
{
	if (subject->pool)
		put_json_string(line, ",\"pool\":", subject->pool);
	if (subject->slot >= 0)
		put_number(line, ",\"slot\":", subject->slot);
	if (subject->pid > 0)
		put_number(line, ",\"pid\":", subject->pid);
	if (subject->age_ms >= 0)
		put_number(line, ",\"age_ms\":", subject->age_ms);
	if (subject->stream)
		put_json_string(line, ",\"stream\":", subject->stream);
}

static void render_json(struct log_line *line, const struct log_record *record)
{
	put_text(line, "{\"time\":\"");
	put_time(line, record->time_ms);
	put_json_string(line, "\",\"level\":", log_level_name(record->level));
	if (record->name)
		put_json_string(line, ",\"name\":", record->name);
	if (record->subject)
		put_subject_json(line, record->subject);
	put_text(line, ",\"message\":\"");
	put_escaped(line, LOG_FORMAT_JSON, record->message, record->message_bytes);
	put_tail(line, "\"}\n");
}

void log_format_render(
	struct log_line *line, enum log_format format, const struct log_record *record)
{
	line->length = line->wanted = 0;
	switch (format) {
	case LOG_FORMAT_TEXT: render_text(line, record); break;
	case LOG_FORMAT_LOGFMT: render_logfmt(line, record); break;
	case LOG_FORMAT_JSON: render_json(line, record); break;
	}
	if (!is_cut(line))
		return;
	/* With room for the end kept back, the same line asks for that room again. */
	line->wanted += TAIL_BYTES;
}

void log_format_render_bare(struct log_line *line, const struct log_record *record)
{
	line->length = line->wanted = 0;
	put_bare(line, record);
	if (is_cut(line))
		line->wanted += TAIL_BYTES;
}
