/*
 * The lines that name the keys, and the page that explains what is seen. Its rule: a key stands
 * before its word, and the help page begins with how to leave it.
 */
#include <string.h>

#include "layout_inside.h"
#include "view.h"

static void key_word(struct pen *pen, const char *key, const char *word)
{
	int columns = (int)(strlen(key) + strlen(word)) + 2;

	if (pen->column + columns > pen->limit)
		return;
	pen_text(pen, STYLE_PLAIN, " ");
	pen_text(pen, STYLE_KEY, key);
	pen_text(pen, STYLE_DIM, " ");
	pen_text(pen, STYLE_DIM, word);
	pen_text(pen, STYLE_PLAIN, " ");
}

/* The letter to press is the capital one. */
static void sort_words(struct pen *pen)
{
	pen_text(pen, STYLE_DIM, " sort");
	for (int column = 0; column < VIEW_COLUMN_COUNT; column++) {
		const char *word = view_help_word((enum view_column)column);

		if (pen->column + 1 + (int)strlen(word) > pen->limit)
			return;
		pen_text(pen, STYLE_PLAIN, " ");
		for (; *word; word++) {
			bool capital = *word >= 'A' && *word <= 'Z';

			pen_glyph(pen, capital ? STYLE_KEY : STYLE_DIM, (wchar_t)*word, 1);
		}
	}
	key_word(pen, "r", "reverse");
}

void draw_keys(struct grid *grid, struct span span)
{
	static const char *const keys[][2] = {{"q", "quit"}, {"h", "help"}, {"tab", "pool"},
		{"b", "busy"}, {"d", "idle"}, {"space", "pause"}, {"r", "reverse"},
		{"up down", "scroll"}};
	struct pen pen;

	if (span.rows < 1)
		return;
	if (span.rows > 1) {
		pen = grid_pen(grid, span.row);
		sort_words(&pen);
		span.row++;
	}
	pen = grid_pen(grid, span.row);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (span.rows == 1 || keys[i][0][0] != 'r')
			key_word(&pen, keys[i][0], keys[i][1]);
}

static const struct {
	const char *key, *meaning;
} help_lines[] = {
	{"h ?", "this page; any key leaves it"},
	{"q", "quit"},
	{"tab left right", "the next pool, the one before"},
	{"up down pgup pgdn", "scroll the table; home and end as well"},
	{"b d", "busy ones only, idle ones only; again: all"},
	{"l p g s i a", "sort by sLot, Pid, Generation, State, sInce, Age"},
	{"j m c o n", "... Jobs, Memory, Cpu (time), lOad (%), Note"},
	{"r", "reverse; so does the same column's key again"},
	{"space", "pause, and go on"},
	{"", ""},
	{"_", "idle"},
	{"W", "busy, or the letter that the worker wrote"},
	{"+", "starting"},
	{"?", "unknown: it serves, but never said what it does"},
	{"R", "retiring: asked to leave once it is idle"},
	{"-", "stopping: it got its signal"},
	{"x", "killed"},
	{".", "an empty slot"},
};

void draw_help(struct grid *grid)
{
	struct pen pen = grid_pen(grid, 0);
	int key = grid->columns < 50 ? 9 : 18;

	pen_text(&pen, STYLE_TITLE, " preforkd top: keys and letters ");
	for (int i = 0; i < (int)(sizeof(help_lines) / sizeof(help_lines[0])); i++) {
		int gap = grid->rows > 21 ? 2 : 1;

		pen = grid_pen(grid, i + gap);
		pen_text(&pen, STYLE_PLAIN, " ");
		pen_left(&pen, STYLE_KEY, key, help_lines[i].key);
		pen_text(&pen, STYLE_PLAIN, " ");
		pen_text(&pen, STYLE_PLAIN, help_lines[i].meaning);
	}
}
