#ifndef PREFORKD_TEST_PREFORK_WORLD_H
#define PREFORKD_TEST_PREFORK_WORLD_H
/*
 * What a worker finds that preforkd has started, without preforkd: a scoreboard of three lines, of
 * which the middle one is ours, and the environment that tells where.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "libprefork/prefork.h"
#include "test_files.h"
#include "test_main.h"

#define OUR_LINE BOARD_LINE_BYTES

struct prefork_world {
	struct test_dir dir;
	const char *path;
	int fd; /* as inherited */
	char line[BOARD_LINE_BYTES + 1];
};

static inline void world_set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

static inline void world_write(struct prefork_world *world, int at, const char *bytes, int count)
{
	ck_assert_int_eq(pwrite(world->fd, bytes, (size_t)count, OUR_LINE + at), count);
}

/* 0: none yet. */
static inline void world_set_pid(struct prefork_world *world, pid_t pid)
{
	char field[BOARD_PID_BYTES + 1];

	snprintf(field, sizeof(field), "%-8.0d", (int)pid);
	world_write(world, BOARD_PID_AT, field, BOARD_PID_BYTES);
}

static inline void world_fill(struct prefork_world *world)
{
	for (int line = 0; line < 3; line++)
		ck_assert_int_eq(dprintf(world->fd, ".%62s\n", ""), BOARD_LINE_BYTES);
	world_set_pid(world, getpid());
}

static inline void world_make(struct prefork_world *world)
{
	test_dir_make(&world->dir);
	world->path = test_path(&world->dir, "web.scoreboard");
	world->fd = open(world->path, O_RDWR | O_CREAT, 0644);
	ck_assert_int_ge(world->fd, 0);
	world_fill(world);
	setenv("PREFORKD_SCOREBOARD", world->path, 1);
	world_set_number("PREFORKD_SCOREBOARD_FD", world->fd);
	world_set_number("PREFORKD_SCOREBOARD_OFFSET", OUR_LINE);
}

/* The same, and attached. */
static inline void world_attach(struct prefork_world *world)
{
	world_make(world);
	ck_assert_int_eq(prefork_attach(), 1);
}

static inline void world_remove(struct prefork_world *world)
{
	test_dir_remove(&world->dir);
}

/* Our line as it stands, as a string without its newline. */
static inline const char *world_line(struct prefork_world *world)
{
	ck_assert_int_eq(
		pread(world->fd, world->line, BOARD_LINE_BYTES, OUR_LINE), BOARD_LINE_BYTES);
	ck_assert_int_eq(world->line[BOARD_LINE_BYTES - 1], '\n');
	world->line[BOARD_LINE_BYTES - 1] = '\0';
	return world->line;
}

static inline char world_state(struct prefork_world *world)
{
	return world_line(world)[BOARD_STATE_AT];
}

static inline long world_jobs(struct prefork_world *world)
{
	return strtol(world_line(world) + BOARD_JOBS_AT, NULL, 10);
}

static inline void world_retire(struct prefork_world *world)
{
	world_write(world, BOARD_RETIRE_AT, "R", 1);
}

/* All there is to call, twice over. */
static inline void call_all(void)
{
	for (int i = 0; i < 2; i++) {
		prefork_busy("x");
		prefork_state('D');
		prefork_note("y");
		prefork_done();
		prefork_beat();
		prefork_idle();
		prefork_stopping();
		prefork_take("z");
	}
}

#endif
