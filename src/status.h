#ifndef PREFORKD_STATUS_H
#define PREFORKD_STATUS_H
/*
 * The document that `preforkd status --json` prints: computed when asked, from the supervisor's own
 * records, so that its numbers never contradict each other. Its schema is in the tree
 * (docs/status.schema.json). Floor 3.
 */
#include <stddef.h>

struct supervisor;

/* One line, malloced; NULL: no memory. pool: only this one, NULL: all. */
char *status_document(const struct supervisor *supervisor, const char *pool, size_t *bytes);

#endif
