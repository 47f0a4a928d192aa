/*
 * The table of workers. Its rule: where the screen is too narrow for all columns, the least
 * telling ones go, but never the one it is sorted by. It puts the view's scroll right: only here it
 * is known how many rows there are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "layout.h"
#include "layout_inside.h"
#include "text.h"
#include "view.h"

#define NOTE_LEAST 8

/* The columns that are shown, and how wide. */
struct columns {
	bool shown[VIEW_COLUMN_COUNT];
	int note;
};

static int needed(enum view_column column)
{
	int width = view_width(column);

	if (column == VIEW_NOTE)
		return NOTE_LEAST + 1;
	return (width < 0 ? -width : width) + 1;
}

static void show(struct columns *columns, int *left, enum view_column column)
{
	if (columns->shown[column] || needed(column) > *left)
		return;
	columns->shown[column] = true;
	*left -= needed(column);
}

static struct columns choose_columns(const struct grid *grid, enum view_column sort)
{
	static const enum view_column order[] = {VIEW_SLOT, VIEW_STATE, VIEW_SINCE, VIEW_NOTE,
		VIEW_PID, VIEW_JOBS, VIEW_RESIDENT, VIEW_AGE, VIEW_CPU, VIEW_LOAD, VIEW_GENERATION};
	struct columns columns = {{false}, 0};
	int left = grid->columns;

	show(&columns, &left, VIEW_SLOT);
	show(&columns, &left, sort);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		show(&columns, &left, order[i]);
	columns.note = columns.shown[VIEW_NOTE] ? left + NOTE_LEAST : 0;
	return columns;
}

static void write_cell(struct pen *pen, enum style style, enum view_column column,
	const struct columns *columns, const char *text)
{
	int width = view_width(column);

	if (column == VIEW_NOTE)
		pen_left(pen, style, columns->note, text);
	else if (width < 0)
		pen_left(pen, style, -width, text);
	else
		pen_right(pen, style, width, text);
	pen_text(pen, style == STYLE_SORTED ? STYLE_HEADING : style, " ");
}

static void draw_heading(struct pen *pen, const struct columns *columns, const struct view *view)
{
	char text[32];

	for (int column = 0; column < VIEW_COLUMN_COUNT; column++) {
		bool sorted = column == (int)view->sort;
		const char *arrow = !sorted ? "" : view->reverse ? "\u25be" : "\u25b4";

		if (sorted && pen->grid->ascii)
			arrow = view->reverse ? "-" : "+";
		snprintf(text, sizeof(text), "%s%s", view_heading((enum view_column)column), arrow);
		if (columns->shown[column])
			write_cell(pen, sorted ? STYLE_SORTED : STYLE_HEADING,
				(enum view_column)column, columns, text);
	}
	pen_fill(pen, STYLE_HEADING);
}

static void format_worker(
	char *text, size_t bytes, const struct top_worker *worker, enum view_column column)
{
	switch (column) {
	case VIEW_SLOT: snprintf(text, bytes, "%d", worker->slot); break;
	case VIEW_PID: snprintf(text, bytes, "%d", worker->pid); break;
	case VIEW_GENERATION: snprintf(text, bytes, "%d", worker->generation); break;
	case VIEW_STATE:
		snprintf(text, bytes, "%lc %s", (wint_t)draw_letter(worker),
			top_state_name(worker->state));
		break;
	case VIEW_SINCE: text_format_seconds(text, worker->since); break;
	case VIEW_AGE: text_format_seconds(text, worker->age); break;
	case VIEW_JOBS: text_format_count(text, worker->jobs); break;
	case VIEW_RESIDENT: text_format_bytes(text, worker->resident); break;
	case VIEW_CPU: text_format_seconds(text, worker->cpu); break;
	case VIEW_LOAD:
		snprintf(text, bytes, worker->load < 0 ? "-" : "%.0f%%", worker->load * 100);
		break;
	case VIEW_NOTE:
	case VIEW_COLUMN_COUNT: break;
	}
}

static void draw_worker(
	struct pen *pen, const struct columns *columns, const struct top_worker *worker)
{
	char text[64];

	for (int column = 0; column < VIEW_COLUMN_COUNT; column++) {
		enum style style = STYLE_PLAIN;

		text[0] = '\0';
		if (!columns->shown[column])
			continue;
		format_worker(text, sizeof(text), worker, (enum view_column)column);
		if (column == VIEW_STATE)
			style = draw_style(worker->state);
		write_cell(pen, style, (enum view_column)column, columns,
			column == VIEW_NOTE ? worker->note : text);
	}
}

static void settle_scroll(struct view *view, int page_rows, int all_rows)
{
	view->page_rows = page_rows > 0 ? page_rows : 0;
	view->all_rows = all_rows;
	if (view->scroll > all_rows - view->page_rows)
		view->scroll = all_rows - view->page_rows;
	if (view->scroll < 0)
		view->scroll = 0;
}

/* At the right of the heading, over the notes' column: which of the rows these are, and of how
 * many.
 */
static void draw_place(
	struct pen pen, const struct view *view, const struct top_pool *pool, int room)
{
	static const char *const filters[] = {"", "busy only ", "idle only "};
	char text[80];
	int columns;

	if (view->filter == VIEW_ALL && view->all_rows <= view->page_rows)
		return;
	columns = snprintf(text, sizeof(text), " %s%d-%d of %d ", filters[view->filter],
		view->all_rows > 0 ? view->scroll + 1 : 0,
		view->scroll + view->page_rows < view->all_rows ? view->scroll + view->page_rows
								: view->all_rows,
		(int)pool->workers);
	if (columns > room)
		return;
	pen.column = pen.limit - columns;
	pen_text(&pen, STYLE_HEADING, text);
}

void draw_table(
	struct grid *grid, const struct scene *scene, const struct top_pool *pool, struct span span)
{
	struct columns columns = choose_columns(grid, scene->view->sort);
	const struct top_worker **row;
	struct pen pen = grid_pen(grid, span.row);
	size_t count;

	if (span.rows < 1 || !pool) {
		settle_scroll(scene->view, 0, 0);
		return;
	}
	row = view_rows(scene->view, pool, &count);
	settle_scroll(scene->view, span.rows - 1, (int)count);
	draw_heading(&pen, &columns, scene->view);
	draw_place(grid_pen(grid, span.row), scene->view, pool, columns.note - 6);
	for (int i = 0; i < scene->view->page_rows && scene->view->scroll + i < (int)count; i++) {
		pen = grid_pen(grid, span.row + 1 + i);
		draw_worker(&pen, &columns, row[scene->view->scroll + i]);
	}
	free(row);
}
