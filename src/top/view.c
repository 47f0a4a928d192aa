/*
 * Keys to choices. Its rule: whatever is pressed, the choice stays one that can be drawn. It must
 * not know a terminal; the layout tells it how much could be shown.
 */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model.h"

static const struct {
	char key;
	const char *heading, *help;
	int width;
} columns[] = {
#define X(symbol, key, heading, help, width) {key, heading, help, width},
	VIEW_COLUMNS(X)
#undef X
};

const char *view_heading(enum view_column column)
{
	return columns[column].heading;
}

const char *view_help_word(enum view_column column)
{
	return columns[column].help;
}

int view_width(enum view_column column)
{
	return columns[column].width;
}

void view_fini(struct view *view)
{
	free(view->pool);
	view->pool = NULL;
}

static size_t pool_index(const struct view *view, const struct top_model *model)
{
	for (size_t i = 0; view->pool && i < model->pools; i++)
		if (strcmp(model->pool[i].name, view->pool) == 0)
			return i;
	return 0;
}

const struct top_pool *view_pool(const struct view *view, const struct top_model *model)
{
	if (!model || model->pools == 0)
		return NULL;
	return &model->pool[pool_index(view, model)];
}

/* The next pool or, with step -1, the one before; round and round. */
static void step_pool(struct view *view, const struct top_model *model, int step)
{
	size_t index;

	if (!model || model->pools == 0)
		return;
	index = pool_index(view, model) + model->pools;
	index = (step > 0 ? index + 1 : index - 1) % model->pools;
	free(view->pool);
	view->pool = memory_copy_string(model->pool[index].name);
	view->scroll = 0;
}

static void scroll_to(struct view *view, int row)
{
	int last = view->all_rows - view->page_rows;

	if (row > last)
		row = last;
	view->scroll = row > 0 ? row : 0;
}

static bool move_key(struct view *view, int key)
{
	int page = view->page_rows > 1 ? view->page_rows - 1 : 1;

	switch (key) {
	case VIEW_KEY_UP: scroll_to(view, view->scroll - 1); return true;
	case VIEW_KEY_DOWN: scroll_to(view, view->scroll + 1); return true;
	case VIEW_KEY_PAGE_UP: scroll_to(view, view->scroll - page); return true;
	case VIEW_KEY_PAGE_DOWN: scroll_to(view, view->scroll + page); return true;
	case VIEW_KEY_HOME: scroll_to(view, 0); return true;
	case VIEW_KEY_END: scroll_to(view, view->all_rows); return true;
	default: return false;
	}
}

static bool pool_key(struct view *view, int key, const struct top_model *model)
{
	switch (key) {
	case '\t':
	case VIEW_KEY_RIGHT: step_pool(view, model, 1); return true;
	case VIEW_KEY_BACK_TAB:
	case VIEW_KEY_LEFT: step_pool(view, model, -1); return true;
	default: return false;
	}
}

/* The same key again takes the filter away. */
static bool filter_key(struct view *view, int key)
{
	enum view_filter filter = key == 'B' || key == 'b' ? VIEW_BUSY : VIEW_IDLE;

	if (!strchr("bBdD", key))
		return false;
	view->filter = view->filter == filter ? VIEW_ALL : filter;
	view->scroll = 0;
	return true;
}

/* Of numbers one wants the biggest first; the same key again turns it round. */
static bool biggest_first(enum view_column column)
{
	return column >= VIEW_SINCE && column <= VIEW_LOAD;
}

static bool sort_key(struct view *view, int key)
{
	for (int column = 0; column < VIEW_COLUMN_COUNT; column++) {
		if (columns[column].key != (key >= 'A' && key <= 'Z' ? key - 'A' + 'a' : key))
			continue;
		view->reverse = view->sort == (enum view_column)column
					? !view->reverse
					: biggest_first((enum view_column)column);
		view->sort = (enum view_column)column;
		view->scroll = 0;
		return true;
	}
	return false;
}

bool view_key(struct view *view, int key, const struct top_model *model)
{
	bool helped = view->help;

	view->help = false;
	switch (key) {
	case 'q':
	case 'Q': view->quit = true; return true;
	case 'h':
	case '?': view->help = !helped; return true;
	case VIEW_KEY_ESCAPE: return true;
	case 'r': view->reverse = !view->reverse; return true;
	case ' ': view->paused = !view->paused; return true;
	default: break;
	}
	if (move_key(view, key) || pool_key(view, key, model))
		return true;
	return key > 0 && key < 0x7f && (filter_key(view, key) || sort_key(view, key));
}
