/*
 * The world of the scoreboard's tests. Rule: real files, real inotify, nothing slept for.
 */
#include "scoreboard_world.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"
#include "logger.h"

static int logged;
static char last_log[512];

bool logger_enabled(enum log_level level)
{
	(void)level;
	return false;
}

void logger_write(enum log_level level, const struct log_subject *subject, const char *format, ...)
{
	va_list arguments;

	ck_assert(level <= LOG_LEVEL_DEBUG);
	ck_assert_str_eq(subject->pool, "web");
	logged++;
	va_start(arguments, format);
	vsnprintf(last_log, sizeof(last_log), format, arguments);
	va_end(arguments);
	if (getenv("PREFORKD_TEST_LOG"))
		fprintf(stderr, "%s\n", last_log);
}

int world_logged(void)
{
	return logged;
}

const char *world_last_log(void)
{
	return last_log;
}

static int count_entries(const char *path, bool remove_too)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (remove_too && unlinkat(dirfd(folder), entry->d_name, 0) < 0)
			unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
	}
	closedir(folder);
	return count;
}

void world_begin(struct world *world)
{
	const char *base = getenv("TMPDIR");

	memset(world, 0, sizeof(*world));
	logged = 0;
	snprintf(world->folder, sizeof(world->folder), "%s/preforkd-board.XXXXXX",
		base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(world->folder));
	if (geteuid() == 0)
		ck_assert_int_eq(chown(world->folder, WORLD_STRANGER, WORLD_STRANGER), 0);
	snprintf(world->path, sizeof(world->path), "%s/web.scoreboard", world->folder);
	world->descriptors = count_entries("/proc/self/fd", false);
	world->loop = ev_loop_new(EVFLAG_AUTO);
}

static void on_change(void *context)
{
	struct world *world = context;

	world->changes++;
	world->dirty = true;
}

struct scoreboard_settings world_settings(struct world *world, int slots)
{
	const bool root = geteuid() == 0;

	return (struct scoreboard_settings){
		.path = world->path,
		.slots = slots,
		.uid = root ? WORLD_STRANGER : (uid_t)-1,
		.gid = root ? WORLD_STRANGER : (gid_t)-1,
		.pool = "web",
		.changed = on_change,
		.context = world,
	};
}

void world_begin_board(struct world *world, int slots)
{
	struct scoreboard_settings settings;
	struct errmsg err;

	world_begin(world);
	settings = world_settings(world, slots);
	world->board = scoreboard_open(world->loop, &settings, &err);
	ck_assert_msg(world->board != NULL, "%s", world->board ? "" : err.text);
}

void world_end(struct world *world)
{
	if (world->board)
		scoreboard_close(world->board);
	ck_assert_int_ne(access(world->path, F_OK), 0);
	ev_loop_destroy(world->loop);
	ck_assert_int_eq(count_entries("/proc/self/fd", false), world->descriptors);
	if (access(world->folder, F_OK) == 0) {
		count_entries(world->folder, true);
		ck_assert_int_eq(rmdir(world->folder), 0);
	}
}

static void on_time_up(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	*(bool *)timer->data = true;
	ev_break(loop, EVBREAK_ONE);
}

static bool run(
	struct world *world, double seconds, bool (*condition)(struct world *, int), int argument)
{
	bool over = false, holds = false;
	ev_timer timer;

	ev_now_update(world->loop);
	ev_timer_init(&timer, on_time_up, seconds, 0.);
	timer.data = &over;
	ev_timer_start(world->loop, &timer);
	while (!over && !(holds = condition && condition(world, argument))) {
		ev_run(world->loop, EVRUN_ONCE);
		if (world->dirty && world->board) {
			world->dirty = false;
			scoreboard_refresh(world->board);
		}
	}
	ev_timer_stop(world->loop, &timer);
	return holds;
}

void world_run_until(struct world *world, bool (*condition)(struct world *, int), int argument)
{
	ck_assert_msg(run(world, WORLD_WAIT_SEC, condition, argument), "never came true; log: %s",
		last_log);
}

void world_run_for(struct world *world, double seconds)
{
	run(world, seconds, NULL, 0);
}

int world_worker(struct world *world, int slot, pid_t pid)
{
	int fd = scoreboard_open_for_worker(world->board);

	ck_assert_int_ge(fd, 0);
	scoreboard_set_worker(world->board, slot, pid);
	return fd;
}

void world_write(int fd, int slot, int at, const char *text)
{
	size_t length = strlen(text);

	ck_assert_int_eq(pwrite(fd, text, length, slot * BOARD_LINE_BYTES + at), (ssize_t)length);
}

int world_byte(int fd, int slot, int at)
{
	unsigned char byte;

	return pread(fd, &byte, 1, slot * BOARD_LINE_BYTES + at) == 1 ? byte : -1;
}

int world_path_byte(struct world *world, int slot, int at)
{
	int fd = open(world->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int byte;

	if (fd < 0)
		return -1;
	byte = world_byte(fd, slot, at);
	close(fd);
	return byte;
}

static enum board_state state_of(struct world *world, int slot)
{
	struct board_line said;

	board_line_read(&said, scoreboard_line(world->board, slot));
	return said.state;
}

bool world_is_idle(struct world *world, int slot)
{
	return state_of(world, slot) == BOARD_IDLE;
}

bool world_is_busy(struct world *world, int slot)
{
	return state_of(world, slot) == BOARD_BUSY;
}

bool world_is_whole(struct world *world, int ignored)
{
	struct stat status;

	(void)ignored;
	return lstat(world->path, &status) == 0 && S_ISREG(status.st_mode) &&
	       (status.st_mode & 07777) == 0644 && status.st_size > 0 &&
	       status.st_size % BOARD_LINE_BYTES == 0 && world_path_byte(world, 0, 63) == '\n';
}

static void name_inside(const struct world *world, char path[sizeof(world->path) + 2])
{
	snprintf(path, sizeof(world->path) + 2, "%s/x", world->path);
}

void world_fill_folder(struct world *world)
{
	char path[sizeof(world->path) + 2];

	name_inside(world, path);
	ck_assert_int_eq(mkdir(world->path, 0777), 0);
	ck_assert_int_eq(mkdir(path, 0777), 0);
}

void world_empty_folder(struct world *world)
{
	char path[sizeof(world->path) + 2];

	name_inside(world, path);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(world->path), 0);
}
