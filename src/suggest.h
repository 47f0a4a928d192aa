#ifndef PREFORKD_SUGGEST_H
#define PREFORKD_SUGGEST_H
/* "did you mean max_workers?": the nearest of some names, or none. Floor 0. */
#include <stddef.h>

/* The candidate nearest to name by edits (transpositions count as one), if it is near enough to be
 * meant (at most a third of its length, at least one edit); else NULL. */
const char *suggest_nearest(const char *name, const char *const *candidates, size_t count);

#endif
