#ifndef PREFORKD_CONTROL_QUEUE_H
#define PREFORKD_CONTROL_QUEUE_H
/* Lines that wait to be written to one client. Grows as asked; its bound is the caller's. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

/* Begins as {0}. */
struct control_queue {
	char *bytes; /* owned */
	size_t size;
	size_t begin, end; /* what waits is between them */
};

/* Puts a line and a newline behind what waits. false: there is no memory, and nothing changed. */
bool control_queue_add(struct control_queue *queue, const char *line, size_t length);
size_t control_queue_waiting(const struct control_queue *queue);
/* So many of them were written. */
void control_queue_take(struct control_queue *queue, size_t bytes);
void control_queue_free(struct control_queue *queue);

#endif
