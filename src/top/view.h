#ifndef PREFORKD_TOP_VIEW_H
#define PREFORKD_TOP_VIEW_H
/*
 * What the user wants to see: which pool, which workers in which order, how far down. Keys change
 * it; the layout draws by it.
 */
#include <stdbool.h>
#include <stddef.h>

struct top_model;
struct top_pool;
struct top_worker;

/* The columns of the table: what they are sorted by, the key for it, the heading, their width. A
 * negative width: aligned to the left. A big one takes what is left. */
#define VIEW_COLUMNS(X)                                                                            \
	X(SLOT, 'l', "SLOT", "sLot", 5)                                                            \
	X(PID, 'p', "PID", "Pid", 8)                                                               \
	X(GENERATION, 'g', "GEN", "Generation", 4)                                                 \
	X(STATE, 's', "STATE", "State", -10)                                                       \
	X(SINCE, 'i', "SINCE", "sInce", 7)                                                         \
	X(AGE, 'a', "AGE", "Age", 7)                                                               \
	X(JOBS, 'j', "JOBS", "Jobs", 9)                                                            \
	X(RESIDENT, 'm', "MEMORY", "Memory", 7)                                                    \
	X(CPU, 'c', "CPU", "Cpu", 7)                                                               \
	X(LOAD, 'o', "LOAD", "lOad", 6)                                                            \
	X(NOTE, 'n', "NOTE", "Note", -38)

enum view_column {
#define X(symbol, key, heading, help, width) VIEW_##symbol,
	VIEW_COLUMNS(X)
#undef X
		VIEW_COLUMN_COUNT
};

/* Keys that are no characters. */
enum view_key {
	VIEW_KEY_UP = 0x110000,
	VIEW_KEY_DOWN,
	VIEW_KEY_LEFT,
	VIEW_KEY_RIGHT,
	VIEW_KEY_PAGE_UP,
	VIEW_KEY_PAGE_DOWN,
	VIEW_KEY_HOME,
	VIEW_KEY_END,
	VIEW_KEY_BACK_TAB,
	VIEW_KEY_ESCAPE,
};

enum view_filter { VIEW_ALL, VIEW_BUSY, VIEW_IDLE };

struct view {
	char *pool; /* the chosen one's name; NULL: the first; owned */
	enum view_column sort;
	bool reverse;
	enum view_filter filter;
	int scroll;    /* rows of the table above the screen */
	int page_rows; /* of the table on the screen, as last drawn */
	int all_rows;  /* of the table, as last drawn */
	bool paused, help, quit;
};

void view_fini(struct view *view);
/* Does what the key means; false if it means nothing. The model may be NULL. */
bool view_key(struct view *view, int key, const struct top_model *model);
/* The chosen pool: the first where the chosen one is not there; NULL if there is none. */
const struct top_pool *view_pool(const struct view *view, const struct top_model *model);

/* The pool's workers that pass the filter, in order: an array of *count pointers, to be freed. What
 * is not known comes last, either way round. */
const struct top_worker **view_rows(
	const struct view *view, const struct top_pool *pool, size_t *count);

const char *view_heading(enum view_column column);
const char *view_help_word(enum view_column column);
int view_width(enum view_column column);

#endif
