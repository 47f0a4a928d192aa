#ifndef PREFORKD_TOP_LAYOUT_INSIDE_H
#define PREFORKD_TOP_LAYOUT_INSIDE_H
/*
 * The parts of the picture: each says how many rows it would like, and draws itself into those it
 * gets.
 */
#include <stdint.h>
#include <wchar.h>

#include "grid.h"
#include "model.h"

struct scene;

/* Rows of the screen that a part got. */
struct span {
	int row, rows;
};

/* How a state is drawn: on the board (busy ones by their own letter), in a bar, in which style. */
wchar_t draw_letter(const struct top_worker *worker);
enum style draw_style(enum top_state state);

void draw_title(struct grid *grid, const struct scene *scene);
void draw_pools(struct grid *grid, const struct scene *scene, struct span span);
/* What is known of the chosen pool beside its bar. */
int draw_details_rows(const struct top_pool *pool);
void draw_details(struct grid *grid, const struct scene *scene, const struct top_pool *pool,
	struct span span);
int draw_board_rows(const struct grid *grid, const struct top_pool *pool);
void draw_board(struct grid *grid, const struct top_pool *pool, struct span span);
void draw_table(struct grid *grid, const struct scene *scene, const struct top_pool *pool,
	struct span span);
void draw_keys(struct grid *grid, struct span span);
void draw_help(struct grid *grid);

#endif
