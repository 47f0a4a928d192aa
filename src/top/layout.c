/*
 * Who gets which rows of the screen. Its rule: what matters most gets its first row before
 * anything else gets its second. It must not know what the parts look like.
 */
#include "layout.h"

#include <string.h>

#include "layout_inside.h"
#include "view.h"

struct plan {
	int title, notice, pools, details, board, table, ticker, keys;
	int above_details, above_board, above_table; /* blank rows */
};

/* As many of the wanted rows as are left. */
static void take(int *left, int *part, int wanted)
{
	int rows = wanted - *part;

	if (rows > *left)
		rows = *left;
	if (rows <= 0)
		return;
	*part += rows;
	*left -= rows;
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

static const char *notice_of(const struct scene *scene, enum style *style)
{
	*style = STYLE_ALERT;
	if (scene->banner)
		return scene->banner;
	if (scene->model && strcmp(scene->model->reload, "failed") == 0)
		return scene->model->reload_reason;
	*style = STYLE_WARN;
	return "";
}

static bool has_notice(const struct scene *scene)
{
	enum style style;

	return notice_of(scene, &style)[0] != '\0';
}

static struct plan make_plan(
	const struct grid *grid, const struct scene *scene, const struct top_pool *pool)
{
	struct plan plan = {0};
	int left = grid->rows;
	int pools = scene->model ? (int)scene->model->pools : 0;
	int details = draw_details_rows(pool), board = draw_board_rows(grid, pool);
	int workers = pool ? (int)pool->workers : 0;

	take(&left, &plan.title, 1);
	take(&left, &plan.notice, has_notice(scene));
	take(&left, &plan.pools, pools > 0);
	take(&left, &plan.keys, 1);
	take(&left, &plan.table, least(3, workers + 1));
	take(&left, &plan.board, least(1, board));
	take(&left, &plan.details, least(2, details));
	take(&left, &plan.pools, least(pools, grid->rows / 6));
	take(&left, &plan.table, least(5, workers + 1));
	take(&left, &plan.details, details);
	take(&left, &plan.board, least(board, grid->rows / 5));
	take(&left, &plan.keys, 2);
	take(&left, &plan.pools, least(pools, grid->rows / 4));
	take(&left, &plan.ticker, scene->ticker[0] != '\0');
	take(&left, &plan.above_details, plan.details > 1);
	take(&left, &plan.above_table, plan.table > 1);
	take(&left, &plan.above_board, plan.board > 0 && grid->rows >= 30);
	take(&left, &plan.table, least(workers + 1, grid->rows / 2));
	take(&left, &plan.board, least(board, grid->rows / 3));
	take(&left, &plan.table, grid->rows);
	return plan;
}

/* The next rows from the top. */
static struct span below(int *row, int gap, int rows)
{
	struct span span = {*row + gap, rows};

	*row += gap + rows;
	return span;
}

static void draw_notice(struct grid *grid, const struct scene *scene, struct span span)
{
	enum style style;
	const char *text = notice_of(scene, &style);
	struct pen pen = grid_pen(grid, span.row);

	if (span.rows < 1)
		return;
	pen_text(&pen, style, " ");
	pen_text(&pen, style, text);
	pen_fill(&pen, style);
}

static void draw_ticker(struct grid *grid, const struct scene *scene, struct span span)
{
	struct pen pen = grid_pen(grid, span.row);

	if (span.rows < 1)
		return;
	pen_text(&pen, STYLE_DIM, " ");
	pen_text(&pen, STYLE_DIM, scene->ticker);
}

void layout_draw(struct grid *grid, const struct scene *scene)
{
	const struct top_pool *pool = view_pool(scene->view, scene->model);
	struct plan plan = make_plan(grid, scene, pool);
	int row = 0;

	if (scene->view->help) {
		draw_help(grid);
		return;
	}
	draw_title(grid, scene);
	row = plan.title;
	draw_notice(grid, scene, below(&row, 0, plan.notice));
	draw_pools(grid, scene, below(&row, 0, plan.pools));
	draw_details(grid, scene, pool, below(&row, plan.above_details, plan.details));
	draw_board(grid, pool, below(&row, plan.above_board, plan.board));
	draw_table(grid, scene, pool, below(&row, plan.above_table, plan.table));
	draw_ticker(grid, scene, below(&row, 0, plan.ticker));
	draw_keys(grid, below(&row, 0, plan.keys));
}
