#ifndef PREFORKD_ORPHANS_H
#define PREFORKD_ORPHANS_H
/* The workers that a supervisor left behind: found, verified, held by pidfds, ended. Floor 2. */
#include <stdbool.h>
#include <stddef.h>

struct errmsg;
struct leavers;
struct state;
struct state_pool;

/* By the state's file in the folder (path: for the reason). *state is NULL where there is none, or
 * nobody of it lives; or where it cannot be read: then the reason, with what to do, else an empty
 * one. The caller frees it with state_free(), after orphans_forget(). -1 with the reason and errno:
 * descriptors or memory lack, and nobody knows. */
int orphans_find(struct state **state, int dir_fd, const char *path, struct errmsg *err);
/* Opens the pidfds of the state's workers; ours: those that are no foreign ones are our children.
 * -1 as above. */
int orphans_hold(struct state *state, bool ours, struct errmsg *err);
/* How many are held. */
size_t orphans_count(const struct state *state);
/* Asks them to leave; their pidfds become the leavers'. */
void orphans_end_pool(struct leavers *leavers, struct state_pool *pool, const char *why);
void orphans_end(struct leavers *leavers, struct state *state, const char *why);
/* Closes the pidfds that nobody took. */
void orphans_forget(struct state *state);

#endif
