#ifndef PREFORKD_POOL_ROLL_H
#define PREFORKD_POOL_ROLL_H
/*
 * Replacing a pool's workers, one for one (roll.h decides): all of them when there is a new
 * generation, single ones that have served their time. A roll can be given up: then those that are
 * left of the old generation stay, and new ones that serve are replaced in their turn. Floor 2.
 */
#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

struct generation;

/* Replaces all workers by those of the generation; they get the signal (0: their stop_signal). What
 * TTIN and TTOU did is forgotten, a drain ends. A roll under way goes on towards the new aim, and
 * back to where that one began. */
void pool_roll_begin(struct pool *pool, struct generation *to, int signal_number);
/* Is every worker replaced, and are as many ready as have to be? */
bool pool_rolled(const struct pool *pool);
/* There is no way back any more. */
void pool_roll_commit(struct pool *pool);
/* Back to the generation from before, which lives by `configuration` again. `keep`: those of the
 * new one that serve stay for good, since they differ in nothing but the program on the disk. */
void pool_roll_back(struct pool *pool, bool keep);
/* One worker is to be replaced. false: there is none in the slot. */
bool pool_restart_worker(struct pool *pool, int slot);
/* It stays after all. false: that was not asked for, or it is too late. */
bool pool_keep_worker(struct pool *pool, int slot);

/* Is it to be replaced, and how far is the roll? For status. */
bool pool_outdated(const struct pool *pool, const struct worker *worker);
struct roll_census pool_roll_census(const struct pool *pool);

/* The two halves of a reconcile (pool_reconcile.c): before the spare rules are asked, and after.
 * The second returns when to look again. */
void pool_roll_settle(struct pool *pool, int64_t now_ms);
int64_t pool_roll_advance(struct pool *pool, int64_t start_allowed_at, int64_t now_ms);
/* A worker of the generation has failed while it was rolled out. */
void pool_roll_failed(struct pool *pool, uint64_t generation);

/* In which order workers are asked to leave where any may be: those first that cost least. qsort(3)
 * of struct worker *. */
int pool_compare_retire(const void *left, const void *right);
int pool_retire_rank(const struct worker *worker); /* 0 idle ... 3 busy, 4 not there */

#endif
