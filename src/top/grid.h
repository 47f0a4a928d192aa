#ifndef PREFORKD_TOP_GRID_H
#define PREFORKD_TOP_GRID_H
/*
 * What is to stand on the screen, as cells: drawn by layout.c without a terminal, shown by
 * screen.c. Whoever writes beyond an edge writes nothing there.
 */
#include <stdbool.h>
#include <wchar.h>

/* What a cell means; its colour is the screen's business. */
enum style {
	STYLE_PLAIN,
	STYLE_DIM,
	STYLE_STRONG,
	STYLE_TITLE,
	STYLE_BUSY,
	STYLE_IDLE,
	STYLE_STARTING,
	STYLE_UNKNOWN,
	STYLE_RETIRING,
	STYLE_FREE,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_ALERT,
	STYLE_HEADING,
	STYLE_SORTED, /* the heading that the table is sorted by */
	STYLE_KEY,
	STYLE_CHART,
	STYLE_COUNT
};

struct cell {
	wchar_t glyph; /* L'\0': the right half of a wide character */
	unsigned char style;
};

struct grid {
	int rows, columns;
	bool ascii;        /* no character beyond 7 bits */
	struct cell *cell; /* rows * columns of them; owned */
};

/* All blanks. Sizes below 1 are 1. */
struct grid *grid_new(int rows, int columns, bool ascii);
void grid_free(struct grid *grid);
const struct cell *grid_cell(const struct grid *grid, int row, int column);

/* A place to write at: text goes from column on and ends before limit. */
struct pen {
	struct grid *grid;
	int row, column, limit;
};

struct pen grid_pen(struct grid *grid, int row);
void pen_glyph(struct pen *pen, enum style style, wchar_t glyph, int count);
void pen_text(struct pen *pen, enum style style, const char *text);
void pen_format(struct pen *pen, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The text in a column of its own, `width` wide, cut or filled with blanks. */
void pen_left(struct pen *pen, enum style style, int width, const char *text);
void pen_right(struct pen *pen, enum style style, int width, const char *text);
/* All that is left of the row gets the style. */
void pen_fill(struct pen *pen, enum style style);

#endif
