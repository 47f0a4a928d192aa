/*
 * The board as on Apache's status page: a character for each slot. Its rule: a slot is found by
 * counting, so the empty ones are shown as well; when there is no room for all, the last line says
 * how many are missing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "layout_inside.h"
#include "memory.h"

#define LABEL_COLUMNS 7
#define GROUP         10
#define SLOTS_MAX     65536

wchar_t draw_letter(const struct top_worker *worker)
{
	switch (worker->state) {
	case TOP_BUSY: return worker->letter == '_' ? L'W' : (wchar_t)worker->letter;
	case TOP_STARTING: return L'+';
	case TOP_UNKNOWN: return L'?';
	case TOP_IDLE: return L'_';
	case TOP_RETIRING: return L'R';
	case TOP_STOPPING: return L'-';
	case TOP_KILLED: return L'x';
	case TOP_STATE_COUNT: break;
	}
	return L'?';
}

static int slots_of(const struct top_pool *pool)
{
	int slots = pool->max_workers;

	for (size_t i = 0; i < pool->workers; i++)
		if (pool->worker[i].slot >= slots)
			slots = pool->worker[i].slot + 1;
	return slots < SLOTS_MAX ? slots : SLOTS_MAX;
}

/* Slots in a line: whole groups, where a group fits. */
static int slots_a_line(const struct grid *grid)
{
	int groups = (grid->columns - LABEL_COLUMNS) / (GROUP + 1);

	if (groups > 0)
		return groups * GROUP;
	return grid->columns > LABEL_COLUMNS + 3 ? grid->columns - LABEL_COLUMNS : grid->columns;
}

int draw_board_rows(const struct grid *grid, const struct top_pool *pool)
{
	int line = slots_a_line(grid);

	return pool ? (slots_of(pool) + line - 1) / line : 0;
}

static void draw_slot(struct pen *pen, const struct top_worker *worker)
{
	if (worker)
		pen_glyph(pen, draw_style(worker->state), draw_letter(worker), 1);
	else
		pen_glyph(pen, STYLE_FREE, pen->grid->ascii ? L'.' : L'\u00b7', 1);
}

static void draw_line(
	struct grid *grid, int row, const struct top_worker *const *worker, int first, int slots)
{
	struct pen pen = grid_pen(grid, row);
	bool label = grid->columns > LABEL_COLUMNS + 3;

	if (label)
		pen_format(&pen, STYLE_DIM, "%*d  ", LABEL_COLUMNS - 2, first);
	for (int i = 0; i < slots; i++) {
		if (i > 0 && i % GROUP == 0 && grid->columns >= LABEL_COLUMNS + GROUP + 1)
			pen_text(&pen, STYLE_PLAIN, " ");
		draw_slot(&pen, worker[first + i]);
	}
}

/* Over the end of the last line. */
static void draw_missing(struct grid *grid, int row, int missing)
{
	struct pen pen = grid_pen(grid, row);
	char text[32];
	int columns = snprintf(text, sizeof(text), " ...%d more ", missing);

	pen.column = columns < grid->columns ? grid->columns - columns : 0;
	pen_text(&pen, STYLE_WARN, text);
}

void draw_board(struct grid *grid, const struct top_pool *pool, struct span span)
{
	const struct top_worker **worker;
	int slots, line = slots_a_line(grid);

	if (!pool || span.rows < 1)
		return;
	slots = slots_of(pool);
	worker = memory_alloc((size_t)slots * sizeof(*worker));
	for (size_t i = 0; i < pool->workers; i++)
		if (pool->worker[i].slot < slots)
			worker[pool->worker[i].slot] = &pool->worker[i];
	for (int i = 0; i < span.rows && i * line < slots; i++)
		draw_line(grid, span.row + i, worker, i * line,
			slots - i * line < line ? slots - i * line : line);
	if (span.rows * line < slots && grid->columns > 40)
		draw_missing(grid, span.row + span.rows - 1, slots - span.rows * line);
	free(worker);
}
