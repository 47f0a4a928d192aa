#ifndef PREFORKD_SIGNAL_PRESET_H
#define PREFORKD_SIGNAL_PRESET_H
/*
 * Signal maps with the habits of other programs, so that whoever changes from one of them, and
 * their scripts, need not learn new ones. Floor 0.
 */
#include <stddef.h>

#include "signal_map.h"

struct errmsg;

/* Makes *map that of the program `name`, and of nothing else: what the program does not know is
 * unlisted, but INT and QUIT stop whatever has no other use for them. 0, or -1 with the reason (and
 * a proposal) and *map untouched: there is no such preset. */
int signal_preset_init(struct signal_map *map, const char *name, struct errmsg *err);
/* The name of each, from 0; NULL after the last. */
const char *signal_preset_name(size_t index);

#endif
