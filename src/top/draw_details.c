/*
 * The chosen pool in lines: a minute of it as sparklines, why it did what it did last, its queues,
 * a roll, its back-off. Its rule: the first lines are those that matter most, for there may be no
 * room for more.
 */
#include <string.h>

#include "chart.h"
#include "history.h"
#include "layout.h"
#include "layout_inside.h"
#include "text.h"

#define LEVELS 8

int draw_details_rows(const struct top_pool *pool)
{
	if (!pool)
		return 0;
	return 1 + (pool->decision[0] != '\0') + (pool->backoff_remaining > 0) + pool->rolling +
	       (int)(pool->sockets < 8 ? pool->sockets : 8);
}

/* The widest that fits and that a minute can be divided by. */
static int spark_cells(int room)
{
	static const int cells[] = {60, 30, 20, 15, 10, 6};

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		if (cells[i] <= room)
			return cells[i];
	return 0;
}

static void draw_spark(
	struct pen *pen, enum style style, const double *value, int cells, double scale)
{
	static const wchar_t blocks[LEVELS + 1] =
		L"\u2581\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
	static const wchar_t ascii[LEVELS + 1] = L"_.,:-=+*#";

	for (int i = 0; i < cells; i++) {
		int level = chart_level(value[i], scale, LEVELS);

		if (value[i] < 0)
			pen_glyph(pen, STYLE_DIM, L' ', 1);
		else
			pen_glyph(pen, level ? style : STYLE_FREE,
				(pen->grid->ascii ? ascii : blocks)[level], 1);
	}
}

/* A few busy ones of many do not fill the line: it is full at an eighth of the maximum at least. */
static double busy_scale(const struct top_pool *pool, double most)
{
	const int least = (pool->max_workers + 7) / 8;

	return most > least ? most : least;
}

static void draw_minute(struct pen *pen, const struct scene *scene, const struct top_pool *pool)
{
	const struct history_track *track = history_find(scene->history, pool->name);
	double value[HISTORY_SECONDS], most;
	char rate[TEXT_NUMBER_BYTES], peak[TEXT_NUMBER_BYTES];
	int cells = spark_cells((pen->limit - 53) / 2);

	if (cells == 0)
		cells = spark_cells(pen->limit - 22);
	if (cells == 0)
		return;
	most = history_spread(track, HISTORY_BUSY, scene->now_ms, value, cells);
	pen_text(pen, STYLE_DIM, "  busy ");
	draw_spark(pen, STYLE_BUSY, value, cells, busy_scale(pool, most));
	pen_format(pen, STYLE_PLAIN, " %-4d", pool->busy);
	pen_format(pen, STYLE_DIM, " peak %-4d", (int)most);

	most = history_spread(track, HISTORY_JOBS, scene->now_ms, value, cells);
	if (pen->column + cells + 16 > pen->limit || pool->jobs_per_second < 0)
		return;
	text_format_rate(rate, pool->jobs_per_second);
	text_format_rate(peak, most);
	pen_text(pen, STYLE_DIM, "  jobs/s ");
	draw_spark(pen, STYLE_CHART, value, cells, most);
	pen_format(pen, STYLE_PLAIN, " %-5s", rate);
	pen_format(pen, STYLE_DIM, " peak %s", peak);
}

static void draw_queue(struct pen *pen, const struct top_socket *socket)
{
	char number[TEXT_NUMBER_BYTES];

	pen_text(pen, STYLE_DIM, "  queue ");
	pen_text(pen, STYLE_PLAIN, socket->name);
	pen_text(pen, STYLE_PLAIN, " ");
	pen_text(pen, STYLE_DIM, socket->address);
	text_format_count(number, socket->waiting);
	pen_format(pen, socket->waiting > 0 ? STYLE_WARN : STYLE_PLAIN, "  %s waiting", number);
	text_format_count(number, socket->waiting_max);
	if (socket->waiting_max >= 0)
		pen_format(pen, STYLE_DIM, "  %s at most", number);
	text_format_count(number, socket->limit);
	if (socket->limit >= 0)
		pen_format(pen, STYLE_DIM, "  room for %s", number);
}

static void draw_roll(struct pen *pen, const struct top_pool *pool)
{
	pen_format(pen, STYLE_WARN, "  rolling  %d of %d replaced, %d starting", pool->replaced,
		pool->roll_total, pool->roll_starting);
	if (pool->roll_failures > 0)
		pen_format(pen, STYLE_ALERT, ", %d failed", pool->roll_failures);
}

static void draw_backoff(struct pen *pen, const struct top_pool *pool)
{
	char seconds[TEXT_NUMBER_BYTES];

	text_format_seconds(seconds, pool->backoff_remaining);
	pen_format(pen, STYLE_ALERT, "  back-off  %lld failures in a row, next start in %s",
		(long long)pool->backoff_failures, seconds);
	if (pool->backoff_last[0]) {
		pen_text(pen, STYLE_PLAIN, ": ");
		pen_text(pen, STYLE_PLAIN, pool->backoff_last);
	}
}

/* The pen for the next of the span's lines; one that draws nowhere when there is no more. */
static struct pen next_line(struct grid *grid, struct span *span)
{
	struct pen pen = grid_pen(grid, span->row);

	if (span->rows < 1)
		pen.limit = 0;
	span->row++;
	span->rows--;
	return pen;
}

void draw_details(
	struct grid *grid, const struct scene *scene, const struct top_pool *pool, struct span span)
{
	char ago[TEXT_NUMBER_BYTES];
	struct pen pen;

	if (!pool || span.rows < 1)
		return;
	pen = next_line(grid, &span);
	draw_minute(&pen, scene, pool);
	if (pool->backoff_remaining > 0) {
		pen = next_line(grid, &span);
		draw_backoff(&pen, pool);
	}
	if (pool->decision[0]) {
		pen = next_line(grid, &span);
		text_format_seconds(ago, pool->decided);
		pen_format(&pen, STYLE_DIM, "  %s ago ", ago);
		pen_text(&pen, STYLE_PLAIN, pool->decision);
	}
	if (pool->rolling) {
		pen = next_line(grid, &span);
		draw_roll(&pen, pool);
	}
	for (size_t i = 0; i < pool->sockets && span.rows > 0; i++) {
		pen = next_line(grid, &span);
		draw_queue(&pen, &pool->socket[i]);
	}
}
