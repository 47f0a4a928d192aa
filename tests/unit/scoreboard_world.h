#ifndef PREFORKD_SCOREBOARD_WORLD_H
#define PREFORKD_SCOREBOARD_WORLD_H
/*
 * What the tests of the scoreboard share: a folder, a loop, a board in it with real inotify, and a
 * log that only counts.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "board.h"
#include "scoreboard.h"

#define WORLD_WAIT_SEC 10.
#define WORLD_STRANGER 65534

struct world {
	struct ev_loop *loop;
	char folder[200], path[256];
	struct scoreboard *board;
	int descriptors; /* open before the test */
	int changes;
	bool dirty;
};

/* The folder and the loop; no board yet. As root, the folder is WORLD_STRANGER's, as if it were the
 * workers'. */
void world_begin(struct world *world);
/* The board too. */
void world_begin_board(struct world *world, int slots);
struct scoreboard_settings world_settings(struct world *world, int slots);
/* Closes everything and demands that no descriptor is left, nor any file. */
void world_end(struct world *world);

/* Lets the loop run until the condition holds; the test fails when it never does. The board is read
 * anew after each change, as a pool does. */
void world_run_until(struct world *world, bool (*condition)(struct world *, int), int argument);
void world_run_for(struct world *world, double seconds);

/* A worker of its own in the slot: its descriptor. */
int world_worker(struct world *world, int slot, pid_t pid);
/* The worker writes into its line. */
void world_write(int fd, int slot, int at, const char *text);
/* One byte of a slot as the file of the descriptor has it; -1: nothing there. */
int world_byte(int fd, int slot, int at);
/* The same as it stands under the board's path. */
int world_path_byte(struct world *world, int slot, int at);

/* A folder with something in it in the place of the board, which nothing replaces; and away again.
 */
void world_fill_folder(struct world *world);
void world_empty_folder(struct world *world);

/* Conditions */
bool world_is_idle(struct world *world, int slot);
bool world_is_busy(struct world *world, int slot);
/* The path leads to a file of ours: regular, right size, mode and lines' ends. */
bool world_is_whole(struct world *world, int ignored);

/* What was logged so far, and the last line. */
int world_logged(void);
const char *world_last_log(void);

#endif
