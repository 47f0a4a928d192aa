/*
 * ncurses, and nothing of what is shown. Its rule: each cell is what the grid says, and only
 * differences are sent (curses does that), so that nothing flickers. Sizes come from the kernel,
 * since curses' own handler of SIGWINCH never runs here.
 */
#include "screen.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "errmsg.h"
#include "grid.h"
#include "memory.h"
#include "view.h"

struct screen {
	SCREEN *curses;
	attr_t attributes[STYLE_COUNT];
};

/* Colours: of 256, of 8, and what stands for them where there is none. */
static const struct {
	short many, few;
	attr_t attributes, without_colour;
} looks[STYLE_COUNT] = {
	[STYLE_PLAIN] = {-1, -1, 0, 0},
	[STYLE_DIM] = {245, -1, 0, 0},
	[STYLE_STRONG] = {-1, -1, A_BOLD, A_BOLD},
	[STYLE_TITLE] = {39, COLOR_CYAN, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD},
	[STYLE_BUSY] = {208, COLOR_YELLOW, 0, A_BOLD},
	[STYLE_IDLE] = {35, COLOR_GREEN, 0, 0},
	[STYLE_STARTING] = {45, COLOR_CYAN, 0, 0},
	[STYLE_UNKNOWN] = {110, COLOR_BLUE, 0, 0},
	[STYLE_RETIRING] = {170, COLOR_MAGENTA, 0, 0},
	[STYLE_FREE] = {240, -1, 0, 0},
	[STYLE_GOOD] = {35, COLOR_GREEN, A_BOLD, A_BOLD},
	[STYLE_WARN] = {220, COLOR_YELLOW, A_BOLD, A_BOLD},
	[STYLE_ALERT] = {203, COLOR_RED, A_BOLD, A_REVERSE},
	[STYLE_HEADING] = {245, COLOR_WHITE, A_REVERSE, A_REVERSE},
	[STYLE_SORTED] = {39, COLOR_CYAN, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD},
	[STYLE_KEY] = {39, COLOR_CYAN, A_BOLD, A_BOLD},
	[STYLE_CHART] = {39, COLOR_CYAN, 0, 0},
};

static void set_colours(struct screen *screen)
{
	start_color();
	use_default_colors();
	for (int style = 0; style < STYLE_COUNT; style++) {
		short colour = COLORS >= 256 ? looks[style].many : looks[style].few;

		screen->attributes[style] = looks[style].attributes;
		if (colour < 0)
			continue;
		init_pair((short)(style + 1), colour, -1);
		screen->attributes[style] |= (attr_t)COLOR_PAIR(style + 1);
	}
}

static void set_input(void)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
}

struct screen *screen_open(bool colour, struct errmsg *err)
{
	struct screen *screen = memory_alloc(sizeof(*screen));

	screen->curses = newterm(NULL, stdout, stdin);
	if (!screen->curses) {
		errmsg_set(err, "the terminal is of an unknown type (TERM)");
		free(screen);
		return NULL;
	}
	set_term(screen->curses);
	set_input();
	for (int style = 0; style < STYLE_COUNT; style++)
		screen->attributes[style] = looks[style].without_colour;
	if (colour && has_colors())
		set_colours(screen);
	return screen;
}

void screen_close(struct screen *screen)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen->curses);
	free(screen);
}

void screen_size(struct screen *screen, int *rows, int *columns)
{
	struct winsize size = {0};

	(void)screen;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
		(size.ws_row != LINES || size.ws_col != COLS))
		resizeterm(size.ws_row, size.ws_col);
	*rows = LINES;
	*columns = COLS;
}

/* Cells of the same style from a column on; returns the column behind them. */
static int draw_run(struct screen *screen, const struct grid *grid, int row, int column)
{
	unsigned char style = grid_cell(grid, row, column)->style;
	wchar_t text[128];
	int length = 0, next = column;

	while (next < grid->columns && length < 126) {
		const struct cell *cell = grid_cell(grid, row, next);

		if (cell->style != style)
			break;
		if (cell->glyph != L'\0')
			text[length++] = cell->glyph;
		next++;
	}
	attrset((int)screen->attributes[style]);
	mvaddnwstr(row, column, text, length);
	return next;
}

void screen_draw(struct screen *screen, const struct grid *grid)
{
	erase();
	for (int row = 0; row < grid->rows && row < LINES; row++)
		for (int column = 0; column < grid->columns;)
			column = draw_run(screen, grid, row, column);
	attrset(A_NORMAL);
	refresh();
}

int screen_key(struct screen *screen)
{
	int key = getch();

	(void)screen;
	switch (key) {
	case ERR: return 0;
	case KEY_UP: return VIEW_KEY_UP;
	case KEY_DOWN: return VIEW_KEY_DOWN;
	case KEY_LEFT: return VIEW_KEY_LEFT;
	case KEY_RIGHT: return VIEW_KEY_RIGHT;
	case KEY_PPAGE: return VIEW_KEY_PAGE_UP;
	case KEY_NPAGE: return VIEW_KEY_PAGE_DOWN;
	case KEY_HOME: return VIEW_KEY_HOME;
	case KEY_END: return VIEW_KEY_END;
	case KEY_BTAB: return VIEW_KEY_BACK_TAB;
	case 27: return VIEW_KEY_ESCAPE;
	default: return key < 0x80 ? key : VIEW_KEY_ESCAPE;
	}
}
