#ifndef PREFORKD_TOP_EVENT_H
#define PREFORKD_TOP_EVENT_H
/*
 * One line of the control socket's `events`, in words for the last line of the screen.
 */
#include <stdbool.h>
#include <stddef.h>

/* What happened, cut to `bytes`; false (and out untouched) if there is nothing to tell. *changed:
 * a worker's state or the pool's did, so that a new status is worth asking for. */
bool event_describe(char *out, size_t bytes, bool *changed, const char *line, size_t length);

#endif
