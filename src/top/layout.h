#ifndef PREFORKD_TOP_LAYOUT_H
#define PREFORKD_TOP_LAYOUT_H
/*
 * The whole picture, for a screen of any size from 1x1 on: what there is no room for is left out,
 * the least important first.
 */
#include <stdint.h>

struct grid;
struct history;
struct top_model;
struct view;

struct scene {
	const struct top_model *model; /* NULL: none yet */
	const struct history *history;
	struct view *view;  /* told how many rows the table has, and has its scroll put right */
	int64_t now_ms;     /* of the history's clock */
	const char *clock;  /* the time of day; "" if not wanted */
	const char *banner; /* what is wrong with the connection; NULL if nothing */
	const char *ticker; /* the latest event; "" if none */
};

void layout_draw(struct grid *grid, const struct scene *scene);

#endif
