#ifndef PREFORKD_SUGGEST_H
#define PREFORKD_SUGGEST_H
/* "did you mean max_workers?": the nearest of some names, or none. Floor 0. */
#include <stddef.h>

/* The candidate nearest to name by edits (a transposition counts as one, a letter's case as none),
 * if it is near enough to be meant (up to a third of its length, one at least, fewer than letters);
 * else NULL. The first of several that are equally near. */
const char *suggest_nearest(const char *name, const char *const *candidates, size_t count);

#endif
