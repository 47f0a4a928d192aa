/*
 * Any bytes as a notification: nothing is read beyond them, what is said keeps its bounds, and the
 * flags are those that a slow and plain reading finds.
 */
#include "notify_message.h"

#include "must.h"

/* Is there such a line between newlines or the ends? */
static bool has_line(const char *bytes, size_t size, const char *line)
{
	size_t length = strlen(line);

	for (size_t at = 0; at + length <= size; at++) {
		if (at > 0 && bytes[at - 1] != '\n')
			continue;
		if (at + length < size && bytes[at + length] != '\n')
			continue;
		if (memcmp(bytes + at, line, length) == 0)
			return true;
	}
	return false;
}

static void check_flags(const struct notify_message *message, const char *bytes, size_t size)
{
	while (size > 0 && bytes[size - 1] == '\0')
		size--;
	must(message->ready == has_line(bytes, size, "READY=1"));
	must(message->reloading == has_line(bytes, size, "RELOADING=1"));
	must(message->stopping == has_line(bytes, size, "STOPPING=1"));
	must(message->watchdog == has_line(bytes, size, "WATCHDOG=1"));
	must(message->watchdog_trigger == has_line(bytes, size, "WATCHDOG=trigger"));
	must(message->barrier == has_line(bytes, size, "BARRIER=1"));
}

static void check_values(const struct notify_message *message)
{
	size_t length = strnlen(message->status, sizeof(message->status));

	must(length <= NOTIFY_MESSAGE_STATUS_BYTES);
	must(length == 0 || (message->has_status && message->status[length - 1] != ' '));
	for (size_t i = 0; i < length; i++)
		must(message->status[i] >= 0x20 && message->status[i] <= 0x7e);
	must(message->errno_value >= 0 && message->errno_value <= NOTIFY_MESSAGE_MAX_ERRNO);
	must(message->has_errno || message->errno_value == 0);
	must(message->extend_usec >= 0 && message->extend_usec <= NOTIFY_MESSAGE_MAX_EXTEND_USEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify_message message;

	notify_message_read(&message, (const char *)data, size);
	check_flags(&message, (const char *)data, size);
	check_values(&message);
	return 0;
}
