/*
 * The picture at every size from 1x1 to 300x100, of nothing, of a few workers and of a thousand:
 * every cell is drawable, what matters is there, and plain text says the same.
 */
#include <wctype.h>

#include "grid.h"
#include "history.h"
#include "layout.h"
#include "plain.h"
#include "top_world.h"
#include "view.h"

static int columns_of(wchar_t glyph)
{
	return glyph >= L' ' && glyph < 0x7f ? 1 : wcwidth(glyph);
}

/* A character of two columns has its right half behind it; nothing else is without width. */
static bool cell_is_good(const struct grid *grid, int row, int column)
{
	const struct cell *cell = grid_cell(grid, row, column);
	bool half = column > 0 && columns_of(grid_cell(grid, row, column - 1)->glyph) == 2;

	if (cell->style >= STYLE_COUNT || half != (cell->glyph == L'\0'))
		return false;
	if (half)
		return true;
	if (columns_of(cell->glyph) < 1 || column + columns_of(cell->glyph) > grid->columns)
		return false;
	return !grid->ascii || cell->glyph < 0x7f;
}

static void check_cells(const struct grid *grid)
{
	for (int row = 0; row < grid->rows; row++)
		for (int column = 0; column < grid->columns; column++)
			if (!cell_is_good(grid, row, column))
				ck_abort_msg("row %d, column %d of %dx%d", row, column,
					grid->columns, grid->rows);
}

static void draw_one(struct view *view, const struct top_model *model,
	const struct history *history, int rows, int columns)
{
	struct scene scene = {model, history, view, 5000, "12:34:56",
		rows % 7 == 0 ? "no supervisor answers" : NULL, rows % 3 ? "an event" : ""};
	struct grid *grid = grid_new(rows, columns, columns % 2);

	layout_draw(grid, &scene);
	check_cells(grid);
	ck_assert_int_ge(view->scroll, 0);
	ck_assert_int_le(view->page_rows, rows);
	grid_free(grid);
}

/* One size of `step`; where all is slow, fewer. */
static void draw_sizes(struct view *view, const struct top_model *model, int step)
{
	struct history history = {NULL, 0};

	world_utf8();
	step *= test_slowness() > 1 ? 7 * (int)test_slowness() : 1;
	for (int second = 0; model && second < 6; second++)
		history_add(&history, model, second * 1000, 2);
	for (int size = 0; size < 300 * 100; size += step)
		draw_one(view, model, &history, size % 100 + 1, size / 100 + 1);
	history_fini(&history);
}

static const struct {
	int pools, workers, max_workers, step;
} worlds[] = {{0, 0, 0, 3}, {1, 0, 0, 3}, {1, 0, 10, 7}, {1, 5, 2, 7}, {3, 40, 40, 1},
	{1, 1000, 1000, 19}, {10, 100, 1000, 19}, {40, 2, 1000000, 67}};

START_TEST(every_size_can_be_drawn)
{
	struct top_model *model = world_model(
		world_status(worlds[_i].pools, worlds[_i].workers, worlds[_i].max_workers));
	struct view view = {.scroll = 1000, .sort = (enum view_column)(_i % VIEW_COLUMN_COUNT)};

	draw_sizes(&view, model, worlds[_i].step);
	view_fini(&view);
	model_free(model);
}
END_TEST

START_TEST(nothing_and_help_can_be_drawn)
{
	struct view view = {.paused = true};

	draw_sizes(&view, NULL, 3);
	view.help = true;
	draw_sizes(&view, NULL, 3);
}
END_TEST

/* The whole grid as text, a line for each row. */
static char *text_of(const struct grid *grid)
{
	char *text = calloc((size_t)(grid->rows * (grid->columns * 4 + 1)) + 1, 1), *at = text;

	for (int row = 0; row < grid->rows; row++) {
		for (int column = 0; column < grid->columns; column++) {
			wchar_t glyph = grid_cell(grid, row, column)->glyph;

			if (glyph != L'\0')
				at += wctomb(at, glyph);
		}
		*at++ = '\n';
	}
	return text;
}

static char *draw_text(struct view *view, const struct top_model *model, const char *banner,
	int rows, int columns, bool ascii)
{
	struct history history = {NULL, 0};
	struct scene scene = {model, &history, view, 5000, "12:34:56", banner, "an event"};
	struct grid *grid = grid_new(rows, columns, ascii);
	char *text;

	world_utf8();
	history_add(&history, model, 5000, 2);
	layout_draw(grid, &scene);
	text = text_of(grid);
	grid_free(grid);
	history_fini(&history);
	return text;
}

static void must_have(const char *text, const char *const *wanted)
{
	for (; *wanted; wanted++)
		ck_assert_msg(strstr(text, *wanted), "no \"%s\" in\n%s", *wanted, text);
}

START_TEST(all_is_seen_on_a_usual_screen)
{
	static const char *const wanted[] = {" app ", "pid 4711", "up 1h00", "running",
		"reload failed 16m39 ago", "3 new workers failed", "lag 2.1 ms", "12:34:56",
		"\u25b8pool0", " pool1", "16/40", "4 busy", "4 idle", "87.2/s", "back-off",
		"peak 4", "2 idle + 1 starting < min_spare_workers 5: starting 2",
		"3 of 12 replaced", "127.0.0.1:8080  3 waiting  17 at most", "0  _WK+?R-x_W K+?R-x",
		"SLOT\u25b4", "NOTE", "1001", "K busy", "an event", "q quit", "sLot", NULL};
	struct top_model *model = world_model(world_status(2, 16, 40));
	struct view view = {.scroll = 0};
	char *text = draw_text(&view, model, NULL, 40, 120, false);

	must_have(text, wanted);
	free(text);
	text = draw_text(&view, model, "no supervisor answers", 40, 120, false);
	ck_assert_ptr_nonnull(strstr(text, "no supervisor answers"));
	free(text);
	model_free(model);
}
END_TEST

START_TEST(a_small_screen_shows_what_matters)
{
	static const char *const tiny[] = {" app ", "pool0", "SLOT", "q quit", NULL};
	static const char *const usual[] = {" app ", "pid 4711", "pool0", "16/40", "busy ",
		"12s ago ", "SLOT", "STATE", "PID", "SINCE", "NOTE", "W busy", NULL};
	struct top_model *model = world_model(world_status(2, 16, 40));
	struct view view = {.scroll = 0};
	char *text = draw_text(&view, model, NULL, 5, 20, true);

	must_have(text, tiny);
	free(text);
	text = draw_text(&view, model, NULL, 24, 80, true);
	must_have(text, usual);
	free(text);
	model_free(model);
}
END_TEST

START_TEST(the_column_it_is_sorted_by_stays)
{
	struct top_model *model = world_model(world_status(1, 16, 40));
	struct view view = {.sort = (enum view_column)_i};
	char *text = draw_text(&view, model, NULL, 20, 24, true);

	ck_assert_msg(strstr(text, view_heading((enum view_column)_i)), "%s", text);
	free(text);
	model_free(model);
}
END_TEST

/* Without gaps between the columns. */
START_TEST(the_heading_is_one_band)
{
	struct top_model *model = world_model(world_status(1, 60, 60));
	struct history history = {NULL, 0};
	struct view view = {.scroll = 0};
	struct scene scene = {model, &history, &view, 5000, "", NULL, ""};
	struct grid *grid = grid_new(40, 120, true);
	int headings = 0;

	layout_draw(grid, &scene);
	for (int row = 0; row < grid->rows; row++) {
		int styled = 0;

		for (int column = 0; column < grid->columns; column++) {
			unsigned char style = grid_cell(grid, row, column)->style;

			styled += style == STYLE_HEADING || style == STYLE_SORTED;
		}
		ck_assert(styled == 0 || styled == grid->columns);
		headings += styled > 0;
	}
	ck_assert_int_eq(headings, 1);
	grid_free(grid);
	model_free(model);
}
END_TEST

START_TEST(the_board_says_what_it_leaves_out)
{
	struct top_model *model = world_model(world_status(1, 3, 5000));
	struct view view = {.scroll = 0};
	char *text = draw_text(&view, model, NULL, 24, 80, true);

	ck_assert_msg(strstr(text, "more"), "%s", text);
	free(text);
	model_free(model);
}
END_TEST

START_TEST(plain_text_says_the_same)
{
	static const char *const wanted[] = {
		"app: pid 4711, up 1h00, running, loop lag 2.1 ms, reload "
		"failed: [pool:web]: 3 new workers failed\n",
		"pool pool0: 16 of 40 workers: 4 busy, 4 idle, 2 unknown, 2 starting, 4 retiring; "
		"5 "
		"jobs, 87.2 a second\n",
		"last decision, 12s ago: 2 idle",
		"back-off: 3 failures in a row, next start in 1.5s: exited with status 1\n",
		"rolling: 3 of 12 replaced, 1 starting, 1 failed",
		"queue http 127.0.0.1:8080: 3 waiting, 17 at most, room for 4096", "  SLOT", NULL};
	struct top_model *model = world_model(world_status(2, 16, 40));
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	world_utf8();
	plain_print(out, model, true);
	fclose(out);
	must_have(text, wanted);
	for (size_t i = 0; i < bytes; i++)
		ck_assert(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f));
	free(text);
	model_free(model);
}
END_TEST

START_TEST(a_pen_keeps_inside)
{
	struct grid *grid = grid_new(2, 5, false);
	struct pen pen = grid_pen(grid, 0);
	char *text;

	world_utf8();
	pen_text(&pen, STYLE_PLAIN,
		"ab\u65e5\u672cx"); /* no half of a character, and nothing behind */
	pen_text(&pen, STYLE_PLAIN, "y");
	pen = grid_pen(grid, 1);
	pen_right(&pen, STYLE_PLAIN, 3, "7");
	pen_left(&pen, STYLE_PLAIN, 9, "12345");
	pen = grid_pen(grid, 2);
	pen_text(&pen, STYLE_PLAIN, "below");
	pen = grid_pen(grid, -1);
	pen_fill(&pen, STYLE_ALERT);
	text = text_of(grid);
	ck_assert_str_eq(text, "ab\u65e5 \n  712\n");
	check_cells(grid);
	free(text);
	grid_free(grid);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("top: layout");
	TCase *tests = tcase_create("layout");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, every_size_can_be_drawn, 0, COUNT(worlds));
	tcase_add_test(tests, nothing_and_help_can_be_drawn);
	tcase_add_test(tests, all_is_seen_on_a_usual_screen);
	tcase_add_test(tests, a_small_screen_shows_what_matters);
	tcase_add_loop_test(tests, the_column_it_is_sorted_by_stays, 0, VIEW_COLUMN_COUNT);
	tcase_add_test(tests, the_heading_is_one_band);
	tcase_add_test(tests, the_board_says_what_it_leaves_out);
	tcase_add_test(tests, plain_text_says_the_same);
	tcase_add_test(tests, a_pen_keeps_inside);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
