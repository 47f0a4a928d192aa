/*
 * The title and one line for each pool: its name, a bar, numbers. Its rule: the chosen pool is
 * always among those that are shown.
 */
#include <stdio.h>
#include <string.h>

#include "chart.h"
#include "layout.h"
#include "layout_inside.h"
#include "text.h"
#include "view.h"

#define NAME_COLUMNS 16
#define BAR_PARTS    6

static enum style phase_style(const char *phase)
{
	return strcmp(phase, "running") == 0 ? STYLE_GOOD : STYLE_WARN;
}

static void title_reload(struct pen *pen, const struct top_model *model)
{
	char ago[TEXT_NUMBER_BYTES];

	text_format_seconds(ago, model->reload_ago);
	if (strcmp(model->reload, "rolling") == 0)
		pen_text(pen, STYLE_WARN, "  reloading");
	else if (strcmp(model->reload, "failed") == 0)
		pen_format(pen, STYLE_ALERT, "  reload failed %s ago", ago);
	else if (strcmp(model->reload, "done") == 0)
		pen_format(pen, STYLE_DIM, "  reloaded %s ago", ago);
}

static void title_numbers(struct pen *pen, const struct top_model *model)
{
	if (model->lines_lost > 0)
		pen_format(pen, STYLE_ALERT, "  %lld log lines lost", (long long)model->lines_lost);
	if (model->loop_lag >= 0)
		pen_format(pen, model->loop_lag > 0.1 ? STYLE_WARN : STYLE_DIM, "  lag %.1f ms",
			model->loop_lag * 1000);
	if (model->descriptors >= 0)
		pen_format(pen, STYLE_DIM, "  %lld fds", (long long)model->descriptors);
}

static void title_words(struct pen *pen, const struct top_model *model)
{
	char uptime[TEXT_NUMBER_BYTES];

	text_format_seconds(uptime, model->uptime);
	pen_text(pen, STYLE_TITLE, " ");
	pen_text(pen, STYLE_TITLE, model->name);
	pen_text(pen, STYLE_TITLE, " ");
	pen_format(pen, STYLE_PLAIN, "  pid %d  up %s", model->pid, uptime);
	pen_text(pen, STYLE_PLAIN, "  ");
	pen_text(pen, phase_style(model->phase), model->phase);
	title_reload(pen, model);
	title_numbers(pen, model);
}

void draw_title(struct grid *grid, const struct scene *scene)
{
	struct pen pen = grid_pen(grid, 0);
	int clock = (int)strlen(scene->clock);

	if (!scene->model)
		pen_text(&pen, STYLE_TITLE, " preforkd ");
	else
		title_words(&pen, scene->model);
	if (scene->view->paused)
		pen_text(&pen, STYLE_WARN, "  paused");
	if (pen.column + clock + 3 > grid->columns)
		return;
	pen.column = grid->columns - clock - 1;
	pen_text(&pen, STYLE_DIM, scene->clock);
}

enum style draw_style(enum top_state state)
{
	switch (state) {
	case TOP_BUSY: return STYLE_BUSY;
	case TOP_STARTING: return STYLE_STARTING;
	case TOP_UNKNOWN: return STYLE_UNKNOWN;
	case TOP_IDLE: return STYLE_IDLE;
	case TOP_RETIRING:
	case TOP_STOPPING:
	case TOP_KILLED: return STYLE_RETIRING;
	case TOP_STATE_COUNT: break;
	}
	return STYLE_PLAIN;
}

/* Without colour the parts of a bar are told apart by their shade. */
static void draw_bar(struct pen *pen, const struct top_pool *pool, int width)
{
	static const struct {
		wchar_t glyph, ascii;
		enum style style;
	} parts[BAR_PARTS] = {
		{L'\u2588', L'#', STYLE_BUSY},
		{L'\u2593', L'=', STYLE_IDLE},
		{L'\u2593', L'?', STYLE_UNKNOWN},
		{L'\u2592', L'+', STYLE_STARTING},
		{L'\u2591', L'-', STYLE_RETIRING},
		{L'\u00b7', L'.', STYLE_FREE},
	};
	int amount[BAR_PARTS] = {
		pool->busy, pool->idle, pool->unknown, pool->starting, pool->retiring, 0};
	int cells[BAR_PARTS], sum = 0;

	for (int i = 0; i < BAR_PARTS - 1; i++)
		sum += amount[i];
	amount[BAR_PARTS - 1] = pool->max_workers - sum;
	chart_share(cells, amount, BAR_PARTS, width);
	for (int i = 0; i < BAR_PARTS; i++)
		pen_glyph(pen, parts[i].style, pen->grid->ascii ? parts[i].ascii : parts[i].glyph,
			cells[i]);
}

/* The numbers behind the bar: each in a column of its own, if any pool has it. */
#define NUMBERS 6

static void format_numbers(char text[NUMBERS][32], const struct top_pool *pool)
{
	const struct {
		int count;
		const char *word;
	} counts[] = {{pool->busy, "busy"}, {pool->idle, "idle"}, {pool->unknown, "unknown"},
		{pool->starting, "starting"}, {pool->retiring, "retiring"}};
	char rate[TEXT_NUMBER_BYTES];

	for (int i = 0; i < NUMBERS - 1; i++) {
		text[i][0] = '\0';
		if (counts[i].count > 0)
			snprintf(text[i], 32, "%d %s", counts[i].count, counts[i].word);
	}
	text_format_rate(rate, pool->jobs_per_second);
	text[NUMBERS - 1][0] = '\0';
	if (pool->jobs_per_second >= 0)
		snprintf(text[NUMBERS - 1], 32, "%s/s", rate);
}

/* How wide the name, the bar and what is behind it are, the same for all pools. */
struct widths {
	int name, bar, live, number[NUMBERS];
};

static void widen(int *width, int columns)
{
	if (columns > *width)
		*width = columns;
}

static struct widths measure(const struct grid *grid, const struct top_model *model)
{
	struct widths widths = {0, grid->columns / 3, 0, {0}};
	char live[48], number[NUMBERS][32];

	for (size_t i = 0; i < model->pools; i++) {
		const struct top_pool *pool = &model->pool[i];

		widen(&widths.name, text_columns(pool->name, grid->ascii));
		widen(&widths.live,
			snprintf(live, sizeof(live), "%d/%d", pool->live, pool->max_workers));
		format_numbers(number, pool);
		for (int k = 0; k < NUMBERS; k++)
			widen(&widths.number[k], (int)strlen(number[k]));
	}
	if (widths.name > NAME_COLUMNS && grid->columns < 120)
		widths.name = NAME_COLUMNS;
	if (widths.bar > 60)
		widths.bar = 60;
	if (grid->columns < 30)
		widths.bar = 0;
	return widths;
}

static void draw_numbers(struct pen *pen, const struct top_pool *pool, const struct widths *widths)
{
	static const enum style styles[NUMBERS] = {
		STYLE_BUSY, STYLE_IDLE, STYLE_UNKNOWN, STYLE_STARTING, STYLE_RETIRING, STYLE_PLAIN};
	char text[NUMBERS][32];
	bool narrow = pen->limit < 100;

	format_numbers(text, pool);
	for (int i = 0; i < NUMBERS; i++) {
		int width = narrow ? (int)strlen(text[i]) : widths->number[i];

		if (width > 0) {
			pen_text(pen, STYLE_PLAIN, "  ");
			pen_right(pen, styles[i], width, text[i]);
		}
	}
	if (pool->drained)
		pen_text(pen, STYLE_WARN, "  drained");
	if (pool->rolling)
		pen_text(pen, STYLE_WARN, "  rolling");
	if (pool->backoff_remaining > 0)
		pen_text(pen, STYLE_ALERT, "  back-off");
}

static void draw_pool(
	struct pen *pen, const struct top_pool *pool, const struct widths *widths, bool chosen)
{
	char live[48];

	snprintf(live, sizeof(live), "%d/%d", pool->live, pool->max_workers);
	pen_glyph(pen, STYLE_KEY, !chosen ? L' ' : pen->grid->ascii ? L'>' : L'\u25b8', 1);
	pen_left(pen, chosen ? STYLE_STRONG : STYLE_PLAIN, widths->name, pool->name);
	pen_text(pen, STYLE_PLAIN, " ");
	if (widths->bar > 0)
		draw_bar(pen, pool, widths->bar);
	pen_text(pen, STYLE_PLAIN, " ");
	pen_right(pen, STYLE_STRONG, widths->live, live);
	draw_numbers(pen, pool, widths);
}

void draw_pools(struct grid *grid, const struct scene *scene, struct span span)
{
	const struct top_model *model = scene->model;
	const struct top_pool *chosen = view_pool(scene->view, model);
	struct widths widths;
	int pools, first;

	if (span.rows < 1 || !model || !chosen)
		return;
	pools = (int)model->pools;
	widths = measure(grid, model);
	first = (int)(chosen - model->pool) - span.rows / 2;
	if (first > pools - span.rows)
		first = pools - span.rows;
	if (first < 0)
		first = 0;
	for (int i = 0; i < span.rows && first + i < pools; i++) {
		struct pen pen = grid_pen(grid, span.row + i);

		draw_pool(
			&pen, &model->pool[first + i], &widths, &model->pool[first + i] == chosen);
	}
}
