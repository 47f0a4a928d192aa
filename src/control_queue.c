/*
 * A queue of bytes. What was written is moved away only when room is needed, and the memory is
 * given back when nothing waits, since most clients wait for nothing most of the time.
 */
#include "control_queue.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 4096

size_t control_queue_waiting(const struct control_queue *queue)
{
	return queue->end - queue->begin;
}

static bool make_room(struct control_queue *queue, size_t wanted)
{
	size_t waiting = control_queue_waiting(queue);
	size_t size = queue->size ? queue->size : SIZE_MIN;
	char *bytes;

	if (queue->size - queue->end >= wanted)
		return true;
	if (queue->begin > 0)
		memmove(queue->bytes, queue->bytes + queue->begin, waiting);
	queue->begin = 0;
	queue->end = waiting;
	while (size - waiting < wanted)
		size *= 2;
	if (size == queue->size)
		return true;
	bytes = realloc(queue->bytes, size);
	if (!bytes)
		return false;
	queue->bytes = bytes;
	queue->size = size;
	return true;
}

bool control_queue_add(struct control_queue *queue, const char *line, size_t length)
{
	if (!make_room(queue, length + 1))
		return false;
	memcpy(queue->bytes + queue->end, line, length);
	queue->bytes[queue->end + length] = '\n';
	queue->end += length + 1;
	return true;
}

void control_queue_take(struct control_queue *queue, size_t bytes)
{
	queue->begin += bytes;
	if (queue->begin == queue->end)
		control_queue_free(queue);
}

void control_queue_free(struct control_queue *queue)
{
	free(queue->bytes);
	*queue = (struct control_queue){0};
}
