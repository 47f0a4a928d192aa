#ifndef PREFORKD_TOP_SCREEN_H
#define PREFORKD_TOP_SCREEN_H
/*
 * The terminal: a grid on it, keys from it. The only file that knows ncurses.
 */
#include <stdbool.h>

struct errmsg;
struct grid;
struct screen;

/* Takes the terminal on standard output and input over, until screen_close(). NULL with the reason
 * (it is of no known type). */
struct screen *screen_open(bool colour, struct errmsg *err);
void screen_close(struct screen *screen);

/* How big it is now; to be asked after SIGWINCH, which must be blocked and taken by the caller. */
void screen_size(struct screen *screen, int *rows, int *columns);
/* Only what differs from what is there is written. */
void screen_draw(struct screen *screen, const struct grid *grid);
/* A key as view_key() takes it; 0: none waiting. */
int screen_key(struct screen *screen);

#endif
