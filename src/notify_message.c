/*
 * Notifications as bytes. Rule: a line is what stands between newlines, whatever else is in it, and
 * it means something only when it is spelled exactly; NUL is a byte as any other but at the very
 * end, where programs send their string's own. Must not look at who sent it: notify_socket.c does.
 */
#include "notify_message.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct span {
	const char *bytes;
	size_t length;
};

static const struct {
	const char *line;
	size_t flag; /* where in struct notify_message */
} plain[] = {
	{"READY=1", offsetof(struct notify_message, ready)},
	{"RELOADING=1", offsetof(struct notify_message, reloading)},
	{"STOPPING=1", offsetof(struct notify_message, stopping)},
	{"WATCHDOG=1", offsetof(struct notify_message, watchdog)},
	{"WATCHDOG=trigger", offsetof(struct notify_message, watchdog_trigger)},
	{"BARRIER=1", offsetof(struct notify_message, barrier)},
};

static bool span_is(struct span line, const char *text)
{
	return line.length == strlen(text) && memcmp(line.bytes, text, line.length) == 0;
}

/* Does the line begin with `KEY=`? Then *value is what follows. */
static bool span_has_key(struct span line, const char *key, struct span *value)
{
	size_t length = strlen(key);

	if (line.length < length || memcmp(line.bytes, key, length) != 0)
		return false;
	*value = (struct span){line.bytes + length, line.length - length};
	return true;
}

/* Digits and nothing else; beyond max it is max + 1. */
static bool read_number(struct span text, int64_t max, int64_t *out)
{
	int64_t number = 0;

	if (text.length == 0)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.bytes[i];

		if (byte < '0' || byte > '9')
			return false;
		if (number <= max)
			number = number * 10 + (byte - '0');
	}
	*out = number <= max ? number : max + 1;
	return true;
}

static void read_status(struct notify_message *message, struct span text)
{
	size_t length = text.length;

	if (length > NOTIFY_MESSAGE_STATUS_BYTES)
		length = NOTIFY_MESSAGE_STATUS_BYTES;
	while (length > 0 && text.bytes[length - 1] == ' ')
		length--;
	for (size_t i = 0; i < length; i++) {
		char byte = text.bytes[i];

		message->status[i] = byte >= 0x20 && byte <= 0x7e ? byte : '?';
	}
	message->status[length] = '\0';
	message->has_status = true;
}

static void read_errno(struct notify_message *message, struct span text)
{
	int64_t number;

	if (!read_number(text, NOTIFY_MESSAGE_MAX_ERRNO, &number) ||
		number > NOTIFY_MESSAGE_MAX_ERRNO)
		return;
	message->has_errno = true;
	message->errno_value = (int)number;
}

/* Who asks for more than there can be wants the most (UINT64_MAX says "for ever"). */
static void read_extend(struct notify_message *message, struct span text)
{
	int64_t number;

	if (!read_number(text, NOTIFY_MESSAGE_MAX_EXTEND_USEC, &number))
		return;
	if (number > NOTIFY_MESSAGE_MAX_EXTEND_USEC)
		number = NOTIFY_MESSAGE_MAX_EXTEND_USEC;
	message->extend_usec = number;
}

static void read_line(struct notify_message *message, struct span line)
{
	struct span value;

	for (size_t i = 0; i < COUNT(plain); i++) {
		if (span_is(line, plain[i].line)) {
			*(bool *)((char *)message + plain[i].flag) = true;
			return;
		}
	}
	if (span_has_key(line, "STATUS=", &value))
		read_status(message, value);
	else if (span_has_key(line, "ERRNO=", &value))
		read_errno(message, value);
	else if (span_has_key(line, "EXTEND_TIMEOUT_USEC=", &value))
		read_extend(message, value);
}

void notify_message_read(struct notify_message *message, const char *bytes, size_t length)
{
	*message = (struct notify_message){0};
	while (length > 0 && bytes[length - 1] == '\0')
		length--;
	while (length > 0) {
		const char *newline = memchr(bytes, '\n', length);
		struct span line = {bytes, newline ? (size_t)(newline - bytes) : length};

		read_line(message, line);
		bytes += line.length;
		length -= line.length;
		if (newline) {
			bytes++;
			length--;
		}
	}
}
