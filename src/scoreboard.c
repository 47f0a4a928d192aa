/*
 * The scoreboard of one pool: its life, and what the supervisor writes into it. Rule: what the
 * supervisor wrote is known here and never read back; each write is made at once, into the file
 * that the slot's worker has open. Must not judge what a worker says.
 */
#include "scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "exit_status.h"
#include "memory.h"
#include "scoreboard_inside.h"
#include "sys.h"

#define LOG_INTERVAL_MS 1000
#define WRITE_AGAIN_MS  100

void scoreboard_log_trouble(struct scoreboard *board, const char *what)
{
	int error = errno;

	if (rate_limit_pass(&board->trouble_log, sys_now_ms(), NULL))
		log_error(&board->subject, "scoreboard %s cannot be %s: %s", board->file.path, what,
			strerror(error));
}

void scoreboard_mend_later(struct scoreboard *board, int64_t pause_ms)
{
	ev_timer_stop(board->loop, &board->mend_timer);
	ev_timer_set(&board->mend_timer, (double)pause_ms / 1000., 0.);
	ev_timer_start(board->loop, &board->mend_timer);
}

void scoreboard_put(
	struct scoreboard *board, int fd, int slot, struct board_run run, const char *line)
{
	const off_t at = (off_t)slot * BOARD_LINE_BYTES + run.at;
	const size_t bytes = (size_t)run.bytes;

	if (sys_pwrite(fd, line + run.at, bytes, at) >= 0 ||
		sys_pwrite(fd, line + run.at, bytes, at) >= 0)
		return;
	scoreboard_log_trouble(board, "written");
	board->unwritten = true;
	scoreboard_mend_later(board, WRITE_AGAIN_MS);
}

void scoreboard_put_line(struct scoreboard *board, int fd, int slot, const char *line)
{
	scoreboard_put(board, fd, slot, (struct board_run){0, BOARD_LINE_BYTES}, line);
}

void scoreboard_put_own(struct scoreboard *board, int fd, int slot, const char *line)
{
	for (int i = 0; i < BOARD_OWN_RUNS; i++)
		scoreboard_put(board, fd, slot, board_own_run[i], line);
}

/* Memory for so many slots; those that are new are empty, the others stay. */
static int reserve(struct scoreboard *board, int slots)
{
	const size_t bytes = (size_t)slots * BOARD_LINE_BYTES;
	char *lines = realloc(board->lines, bytes);
	char *seen = realloc(board->seen, bytes);
	unsigned char *home = realloc(board->home, (size_t)slots);

	if (lines)
		board->lines = lines;
	if (seen)
		board->seen = seen;
	if (home)
		board->home = home;
	if (!lines || !seen || !home)
		return -1;
	for (int slot = board->slots; slot < slots; slot++) {
		board_line_write_empty(scoreboard_line_in(lines, slot));
		home[slot] = HOME_EMPTY;
	}
	return 0;
}

/* The workers' bytes of the lines that are there; ours stand for empty slots until the workers have
 * moved in. */
static int take_up(struct scoreboard *board)
{
	const off_t bytes = (off_t)scoreboard_bytes(board);
	char empty[BOARD_LINE_BYTES];
	off_t found;
	ssize_t got;

	if (scoreboard_file_take(&board->file, &found) < 0)
		return -1;
	got = sys_pread(board->file.fd, board->seen, (size_t)bytes, 0);
	if (got < 0) /* what workers said long ago stands nowhere else */
		got = sys_pread(board->file.fd, board->seen, (size_t)bytes, 0);
	if (got < 0) {
		const int problem = errno;

		sys_close(board->file.fd);
		board->file.fd = -1;
		errno = problem;
		return -1;
	}
	board_line_write_empty(empty);
	for (int slot = 0; (ssize_t)(slot + 1) * BOARD_LINE_BYTES <= got; slot++) {
		char *line = scoreboard_line_in(board->lines, slot);

		memcpy(line, scoreboard_line_in(board->seen, slot), BOARD_LINE_BYTES);
		board_own_bytes_copy(line, empty);
	}
	board->taken_up = true;
	if (found != bytes && scoreboard_file_resize(&board->file, bytes) < 0)
		scoreboard_log_trouble(board, "made as long as the pool is");
	return 0;
}

static int open_file(
	struct scoreboard *board, const struct scoreboard_settings *settings, struct errmsg *err)
{
	if (reserve(board, settings->slots) < 0)
		return errmsg_set(err, "no memory for a scoreboard of %d lines", settings->slots);
	board->slots = settings->slots;
	if (scoreboard_file_init(&board->file, settings->path, settings->uid, settings->gid, err) <
		0)
		return -1;
	if (settings->take_up && take_up(board) == 0)
		return 0;
	/* The workers write into the old one: it is not given up for a moment's shortage. */
	if (settings->take_up && errno_is_shortage(errno)) {
		errmsg_errno(err, "%s", settings->path);
		scoreboard_file_fini(&board->file, false);
		return -1;
	}
	if (scoreboard_file_make(&board->file, board->lines, scoreboard_bytes(board), err) == 0)
		return 0;
	scoreboard_file_fini(&board->file, false);
	return -1;
}

static void free_memory(struct scoreboard *board)
{
	free(board->lines);
	free(board->seen);
	free(board->home);
	free(board);
}

static void on_mend_time(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct scoreboard *board = timer->data;

	(void)loop;
	(void)revents;
	board->changed(board->context);
}

static void start_watching(struct scoreboard *board)
{
	scoreboard_watch_start(&board->watch, board->loop,
		&(struct scoreboard_watch_settings){
			.pool = board->subject.pool,
			.path = board->file.path,
			.changed = board->changed,
			.context = board->context,
		});
	scoreboard_watch_point(&board->watch, board->file.fd, -1);
	ev_timer_init(&board->mend_timer, on_mend_time, 0., 0.);
	board->mend_timer.data = board;
}

struct scoreboard *scoreboard_open(
	struct ev_loop *loop, const struct scoreboard_settings *settings, struct errmsg *err)
{
	struct scoreboard *board = memory_alloc(sizeof(*board));

	*board = (struct scoreboard){
		.loop = loop,
		.changed = settings->changed,
		.context = settings->context,
		.former_fd = -1,
		.harm_log.interval_ms = LOG_INTERVAL_MS,
		.trouble_log.interval_ms = LOG_INTERVAL_MS,
		.subject = {.pool = settings->pool, .slot = -1, .age_ms = -1},
	};
	if (open_file(board, settings, err) < 0) {
		free_memory(board);
		return NULL;
	}
	start_watching(board);
	return board;
}

static void close_board(struct scoreboard *board, bool remove)
{
	ev_timer_stop(board->loop, &board->mend_timer);
	scoreboard_watch_stop(&board->watch);
	if (board->former_fd >= 0)
		sys_close(board->former_fd);
	scoreboard_file_fini(&board->file, remove);
	free_memory(board);
}

void scoreboard_close(struct scoreboard *board)
{
	close_board(board, true);
}

void scoreboard_leave(struct scoreboard *board)
{
	close_board(board, false);
}

void scoreboard_slow_down(struct scoreboard *board)
{
	scoreboard_watch_slow_down(&board->watch);
}

const char *scoreboard_path(const struct scoreboard *board)
{
	return board->file.path;
}

int scoreboard_grow(struct scoreboard *board, int slots)
{
	const off_t old_bytes = (off_t)scoreboard_bytes(board);
	const char *fresh;
	ssize_t written;
	size_t bytes;

	if (slots <= board->slots)
		return 0;
	if (reserve(board, slots) < 0)
		return -1;
	fresh = scoreboard_line_in(board->lines, board->slots);
	bytes = (size_t)(slots - board->slots) * BOARD_LINE_BYTES;
	written = sys_pwrite(board->file.fd, fresh, bytes, old_bytes);
	if (written >= 0 && (size_t)written == bytes) {
		board->slots = slots;
		return 0;
	}
	scoreboard_log_trouble(board, "made longer");
	scoreboard_file_resize(&board->file, old_bytes);
	return -1;
}

int scoreboard_open_for_worker(struct scoreboard *board)
{
	return scoreboard_file_open_again(&board->file);
}

const char *scoreboard_line(const struct scoreboard *board, int slot)
{
	assert(slot >= 0 && slot < board->slots);
	return scoreboard_line_in(board->lines, slot);
}

static int fd_of(const struct scoreboard *board, int slot)
{
	return board->home[slot] == HOME_FORMER ? board->former_fd : board->file.fd;
}

const char *scoreboard_reread(struct scoreboard *board, int slot)
{
	const off_t at = (off_t)slot * BOARD_LINE_BYTES;
	char now[BOARD_LINE_BYTES];
	char *line;

	assert(slot >= 0 && slot < board->slots);
	line = scoreboard_line_in(board->lines, slot);
	if (board->home[slot] == HOME_EMPTY ||
		sys_pread(fd_of(board, slot), now, sizeof(now), at) != (ssize_t)sizeof(now))
		return line;
	board_own_bytes_copy(now, line);
	memcpy(line, now, sizeof(now));
	return line;
}

/* Into the file that the worker reads, and into the one that people read. */
static void put_both(struct scoreboard *board, int slot, struct board_run run)
{
	const char *line = scoreboard_line(board, slot);

	scoreboard_put(board, fd_of(board, slot), slot, run, line);
	if (board->home[slot] == HOME_FORMER)
		scoreboard_put(board, board->file.fd, slot, run, line);
}

void scoreboard_set_worker(struct scoreboard *board, int slot, pid_t pid)
{
	char fresh[BOARD_LINE_BYTES];

	assert(slot >= 0 && slot < board->slots);
	board->home[slot] = HOME_CURRENT;
	board_line_write_worker(fresh, pid);
	board_own_bytes_copy(scoreboard_line_in(board->lines, slot), fresh);
	/* The other bytes of ours are the same in an empty line. */
	scoreboard_put(board, board->file.fd, slot, board_own_run[0], fresh);
}

void scoreboard_set_retiring(struct scoreboard *board, int slot)
{
	assert(slot >= 0 && slot < board->slots);
	scoreboard_line_in(board->lines, slot)[BOARD_RETIRE_AT] = 'R';
	put_both(board, slot, (struct board_run){BOARD_RETIRE_AT, 1});
}

void scoreboard_clear(struct scoreboard *board, int slot)
{
	assert(slot >= 0 && slot < board->slots);
	board_line_write_empty(scoreboard_line_in(board->lines, slot));
	put_both(board, slot, (struct board_run){0, BOARD_LINE_BYTES});
	board->home[slot] = HOME_EMPTY;
}
