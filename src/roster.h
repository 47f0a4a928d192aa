#ifndef PREFORKD_ROSTER_H
#define PREFORKD_ROSTER_H
/* The pools that the supervisor has: adding, finding, dropping those that are done with. Floor 3.
 */

#include <stdbool.h>

struct pool;
struct supervisor;

/* Owned by the supervisor from now on. */
void roster_add(struct supervisor *supervisor, struct pool *pool);
/* By name, one that is being removed too; NULL: none. */
struct pool *roster_find(const struct supervisor *supervisor, const char *name);
/* Is each of them? */
bool roster_all(const struct supervisor *supervisor, bool (*is)(const struct pool *pool));
/* Frees those that are in no configuration any more, and have no worker left. */
void roster_drop_removed(struct supervisor *supervisor);

#endif
