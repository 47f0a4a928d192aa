/*
 * A grid of cells and a pen that writes into it. Its rule: a cell always holds a printable
 * character of one column, or one of two columns with its right half behind it. It must not know
 * what is drawn, nor a terminal.
 */
#include "grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "text.h"

struct grid *grid_new(int rows, int columns, bool ascii)
{
	struct grid *grid = memory_alloc(sizeof(*grid));

	grid->rows = rows > 0 ? rows : 1;
	grid->columns = columns > 0 ? columns : 1;
	grid->ascii = ascii;
	grid->cell = memory_alloc((size_t)grid->rows * (size_t)grid->columns * sizeof(struct cell));
	for (int i = 0; i < grid->rows * grid->columns; i++)
		grid->cell[i] = (struct cell){L' ', STYLE_PLAIN};
	return grid;
}

void grid_free(struct grid *grid)
{
	if (!grid)
		return;
	free(grid->cell);
	free(grid);
}

static struct cell *cell_at(const struct grid *grid, int row, int column)
{
	return &grid->cell[row * grid->columns + column];
}

const struct cell *grid_cell(const struct grid *grid, int row, int column)
{
	return cell_at(grid, row, column);
}

struct pen grid_pen(struct grid *grid, int row)
{
	return (struct pen){grid, row, 0, grid->columns};
}

static bool inside(const struct pen *pen, int columns)
{
	return pen->row >= 0 && pen->row < pen->grid->rows && pen->column >= 0 &&
	       pen->column + columns <= pen->limit && pen->column + columns <= pen->grid->columns;
}

static void put(struct pen *pen, enum style style, wchar_t glyph, int columns)
{
	for (int i = 0; i < columns; i++)
		*cell_at(pen->grid, pen->row, pen->column + i) =
			(struct cell){i ? L'\0' : glyph, (unsigned char)style};
	pen->column += columns;
}

void pen_glyph(struct pen *pen, enum style style, wchar_t glyph, int count)
{
	while (count-- > 0 && inside(pen, 1))
		put(pen, style, glyph, 1);
}

void pen_text(struct pen *pen, enum style style, const char *text)
{
	wchar_t next;
	int columns;

	while ((next = text_next(&text, pen->grid->ascii, &columns)) != L'\0') {
		if (!inside(pen, columns)) {
			/* Nothing narrower may slip in behind it */
			pen->limit = pen->column;
			return;
		}
		put(pen, style, next, columns);
	}
}

void pen_format(struct pen *pen, enum style style, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	pen_text(pen, style, text);
}

void pen_left(struct pen *pen, enum style style, int width, const char *text)
{
	struct pen column = *pen;
	int end = pen->column + width < pen->limit ? pen->column + width : pen->limit;

	column.limit = end;
	pen_text(&column, style, text);
	pen->column = column.column;
	pen_glyph(pen, style, L' ', end - column.column);
}

void pen_right(struct pen *pen, enum style style, int width, const char *text)
{
	int columns = text_columns(text, pen->grid->ascii);
	int blank = columns < width ? width - columns : 0;

	pen_glyph(pen, style, L' ', blank);
	pen_left(pen, style, width - blank, text);
}

void pen_fill(struct pen *pen, enum style style)
{
	while (inside(pen, 1))
		put(pen, style, L' ', 1);
}
