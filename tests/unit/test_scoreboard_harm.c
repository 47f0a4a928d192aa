/*
 * The scoreboard harmed by those who may write it and its folder: truncated, lengthened, scribbled
 * over, chmodded, removed, moved, replaced by anything. It is put right, its workers stay heard.
 */
#include "scoreboard.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scoreboard_world.h"
#include "test_main.h"

struct harmed {
	struct world world;
	int fd; /* of the worker in slot 1, which is idle with 17 jobs done */
	char other[300];
};

static void begin(struct harmed *harmed)
{
	struct world *world = &harmed->world;

	world_begin_board(world, 4);
	harmed->fd = world_worker(world, 1, 4711);
	world_write(harmed->fd, 1, 0, "_");
	world_write(harmed->fd, 1, BOARD_JOBS_AT, "17");
	world_run_until(world, world_is_idle, 1);
	world_run_for(world, 0.01);
	snprintf(harmed->other, sizeof(harmed->other), "%s/other", world->folder);
	ck_assert_int_eq(world_logged(), 0);
}

static void end(struct harmed *harmed)
{
	close(harmed->fd);
	world_end(&harmed->world);
}

/* Heard by its descriptor, and seen under the path at last. */
static bool is_busy_at_path(struct world *world, int slot)
{
	return world_path_byte(world, slot, 0) == 'W';
}

static void must_be_heard(struct harmed *harmed)
{
	world_write(harmed->fd, 1, 0, "W");
	world_run_until(&harmed->world, world_is_busy, 1);
	world_run_until(&harmed->world, is_busy_at_path, 1);
	scoreboard_set_retiring(harmed->world.board, 1);
	ck_assert_int_eq(world_byte(harmed->fd, 1, BOARD_RETIRE_AT), 'R');
	ck_assert_int_eq(world_path_byte(&harmed->world, 1, BOARD_RETIRE_AT), 'R');
}

static void truncate_all(struct harmed *harmed)
{
	ck_assert_int_eq(ftruncate(harmed->fd, 0), 0);
}

static void truncate_part(struct harmed *harmed)
{
	ck_assert_int_eq(ftruncate(harmed->fd, 100), 0);
}

static void lengthen(struct harmed *harmed)
{
	ck_assert_int_eq(pwrite(harmed->fd, "x", 1, 1 << 20), 1);
}

static void lengthen_hugely(struct harmed *harmed)
{
	ck_assert_int_eq(ftruncate(harmed->fd, (off_t)1 << 40), 0);
}

static void scribble_own(struct harmed *harmed)
{
	ck_assert_int_eq(pwrite(harmed->fd, "R1       ", 9, 64 + 2), 9);
	ck_assert_int_eq(pwrite(harmed->fd, "x", 1, 64 + 24), 1);
	ck_assert_int_eq(pwrite(harmed->fd, "x", 1, 64 + 63), 1);
}

static void forbid(struct harmed *harmed)
{
	ck_assert_int_eq(fchmod(harmed->fd, 0), 0);
}

static void give_away(struct harmed *harmed)
{
	if (geteuid() == 0)
		ck_assert_int_eq(fchown(harmed->fd, 12345, 12345), 0);
	else
		forbid(harmed);
}

static void remove_it(struct harmed *harmed)
{
	ck_assert_int_eq(unlink(harmed->world.path), 0);
}

static void move_it(struct harmed *harmed)
{
	ck_assert_int_eq(rename(harmed->world.path, harmed->other), 0);
}

static void put_symlink(struct harmed *harmed)
{
	move_it(harmed);
	ck_assert_int_eq(symlink(harmed->other, harmed->world.path), 0);
}

static void put_bad_symlink(struct harmed *harmed)
{
	remove_it(harmed);
	ck_assert_int_eq(symlink("/etc/shadow", harmed->world.path), 0);
}

static void put_fifo(struct harmed *harmed)
{
	remove_it(harmed);
	ck_assert_int_eq(mkfifo(harmed->world.path, 0666), 0);
}

static void put_file_over_it(struct harmed *harmed)
{
	int fd = open(harmed->other, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	ck_assert_int_eq(write(fd, "W", 1), 1);
	close(fd);
	ck_assert_int_eq(rename(harmed->other, harmed->world.path), 0);
}

static const struct {
	void (*harm)(struct harmed *harmed);
	const char *told;
} harm_case[] = {
	{truncate_all, "truncated"},
	{truncate_part, "truncated"},
	{lengthen, "lengthened"},
	{lengthen_hugely, "lengthened"},
	{scribble_own, "supervisor's bytes overwritten"},
	{forbid, "mode or owner changed"},
	{give_away, "mode or owner changed"},
	{remove_it, "removed"},
	{move_it, "moved or replaced"},
	{put_symlink, "moved or replaced"},
	{put_bad_symlink, "removed"},
	{put_fifo, "removed"},
	{put_file_over_it, "removed"},
};

START_TEST(harm_is_put_right)
{
	struct harmed harmed;
	char told[600];

	begin(&harmed);
	harm_case[_i].harm(&harmed);
	/* The file may look whole before the harm was seen. */
	while (world_logged() == 0)
		world_run_for(&harmed.world, 0.005);
	snprintf(told, sizeof(told),
		"scoreboard %s harmed: %s; putting it right (and 0 times before)",
		harmed.world.path, harm_case[_i].told);
	ck_assert_str_eq(world_last_log(), told);
	world_run_until(&harmed.world, world_is_whole, 0);
	/* Nothing that was known is lost, and nothing came in. */
	ck_assert_mem_eq(scoreboard_line(harmed.world.board, 1), "_  4711     17 ", 15);
	ck_assert_int_eq(world_path_byte(&harmed.world, 1, 0), '_');
	ck_assert_int_eq(world_path_byte(&harmed.world, 1, 3), '4');
	ck_assert_int_eq(world_path_byte(&harmed.world, 1, 13), '7');
	ck_assert_int_eq(world_path_byte(&harmed.world, 1, 63), '\n');
	must_be_heard(&harmed);
	ck_assert_int_eq(world_logged(), 1);
	end(&harmed);
}
END_TEST

START_TEST(line_of_nobody_is_emptied_silently)
{
	struct harmed harmed;

	begin(&harmed);
	world_write(harmed.fd, 0, 0, "W  1234     99");
	while (world_byte(harmed.fd, 0, 0) != '.')
		world_run_for(&harmed.world, 0.005);
	ck_assert_mem_eq(
		scoreboard_line(harmed.world.board, 0), scoreboard_line(harmed.world.board, 3), 64);
	ck_assert_int_eq(world_logged(), 0);
	end(&harmed);
}
END_TEST

/* A second harm is put right too, though nothing else happens to the file after it. */
START_TEST(harm_soon_after_harm)
{
	struct harmed harmed;

	begin(&harmed);
	scribble_own(&harmed);
	world_run_for(&harmed.world, 0.02);
	ck_assert_int_eq(world_byte(harmed.fd, 1, 3), '4');
	scribble_own(&harmed);
	world_run_for(&harmed.world, 0.02);
	ck_assert_mem_eq(scoreboard_line(harmed.world.board, 1), "_  4711     17 ", 15);
	while (world_byte(harmed.fd, 1, 3) != '4')
		world_run_for(&harmed.world, 0.02);
	ck_assert_int_eq(world_logged(), 1);
	end(&harmed);
}
END_TEST

/* Removed while workers have it: a new file for new ones; removed again: it stays nameless until
 * the older ones have left. All are heard all the time. */
START_TEST(removed_twice)
{
	struct harmed harmed;
	struct world *world = &harmed.world;
	int fresh, last;

	begin(&harmed);
	remove_it(&harmed);
	world_run_until(world, world_is_whole, 0);
	fresh = world_worker(world, 2, 5000);
	remove_it(&harmed);
	world_write(fresh, 2, 0, "_");
	world_run_until(world, world_is_idle, 2);
	world_run_for(world, 0.3);
	ck_assert_int_ne(access(world->path, F_OK), 0);
	world_write(harmed.fd, 1, 0, "W");
	world_run_until(world, world_is_busy, 1);
	last = world_worker(world, 3, 5001);
	world_write(last, 3, 0, "W");
	world_run_until(world, world_is_busy, 3);
	world_write(fresh, 2, 0, "W");
	world_run_until(world, world_is_busy, 2);

	scoreboard_clear(world->board, 1);
	world_run_until(world, world_is_whole, 0);
	world_run_until(world, is_busy_at_path, 2);
	world_write(fresh, 2, 0, "_");
	world_write(last, 3, 0, "_");
	world_run_until(world, world_is_idle, 2);
	world_run_until(world, world_is_idle, 3);
	scoreboard_set_retiring(world->board, 2);
	ck_assert_int_eq(world_byte(fresh, 2, BOARD_RETIRE_AT), 'R');
	scoreboard_clear(world->board, 2);
	scoreboard_clear(world->board, 3);
	ck_assert_int_eq(world_path_byte(world, 3, 0), '.');
	close(fresh);
	close(last);
	end(&harmed);
}
END_TEST

/* What cannot be put right at once is, as soon as it can be, without costing much until then. */
START_TEST(directory_in_its_place)
{
	struct harmed harmed;
	unsigned before;

	begin(&harmed);
	move_it(&harmed);
	world_fill_folder(&harmed.world);
	world_run_for(&harmed.world, 0.1);
	before = ev_iteration(harmed.world.loop);
	world_run_for(&harmed.world, 1.);
	ck_assert_uint_le(ev_iteration(harmed.world.loop) - before, 30);
	world_write(harmed.fd, 1, 0, "W");
	world_run_until(&harmed.world, world_is_busy, 1);
	world_empty_folder(&harmed.world);
	world_run_until(&harmed.world, world_is_whole, 0);
	must_be_heard(&harmed);
	end(&harmed);
}
END_TEST

START_TEST(folder_removed)
{
	struct harmed harmed;
	struct world *world = &harmed.world;
	int fd;

	begin(&harmed);
	remove_it(&harmed);
	ck_assert_int_eq(rmdir(world->folder), 0);
	world_run_for(world, 0.2);
	ck_assert_int_ge(world_logged(), 1);
	world_write(harmed.fd, 1, 0, "W");
	world_run_until(world, world_is_busy, 1);
	fd = world_worker(world, 2, 5000);
	world_write(fd, 2, 0, "_");
	world_run_until(world, world_is_idle, 2);
	close(fd);
	end(&harmed);
}
END_TEST

START_TEST(no_right_to_the_file)
{
	struct harmed harmed;
	int fd;

	begin(&harmed);
	forbid(&harmed);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(WORLD_STRANGER), 0);
	fd = scoreboard_open_for_worker(harmed.world.board);
	ck_assert_int_ge(fd, 0);
	close(fd);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	end(&harmed);
}
END_TEST

START_TEST(only_its_own_file_is_removed_at_close)
{
	struct harmed harmed;

	begin(&harmed);
	put_file_over_it(&harmed);
	scoreboard_close(harmed.world.board);
	harmed.world.board = NULL;
	ck_assert_int_eq(unlink(harmed.world.path), 0);
	end(&harmed);
}
END_TEST

/* Whether it succeeds is chance. */
static int do_harm(struct harmed *harmed, uint64_t *state)
{
	const char *path = harmed->world.path;
	char noise[512];

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)test_random(state);
	switch (test_random_below(state, 10)) {
	case 0: return unlink(path);
	case 1: return rename(path, harmed->other);
	case 2: return symlink("/etc/passwd", path);
	case 3: return mkfifo(path, 0666);
	case 4: return ftruncate(harmed->fd, (off_t)test_random_below(state, 400));
	case 5: return fchmod(harmed->fd, (mode_t)test_random_below(state, 01000));
	case 6: return mkdir(path, 0777) + rmdir(path);
	case 7: return rename(harmed->other, path);
	default:
		return (int)pwrite(
			harmed->fd, noise, sizeof(noise), (off_t)test_random_below(state, 256));
	}
}

/* Does harm of every kind, as fast as it can, as the pool's user; the seed changes the order. */
static pid_t start_villain(struct harmed *harmed, uint64_t seed)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child > 0)
		return child;
	if (geteuid() == 0 && (setgid(WORLD_STRANGER) < 0 || setuid(WORLD_STRANGER) < 0))
		_exit(1);
	for (;;)
		do_harm(harmed, &seed);
}

START_TEST(all_harm_at_full_speed)
{
	struct harmed harmed;
	uint64_t seed = test_seed() + (uint64_t)_i;
	pid_t child;

	begin(&harmed);
	child = start_villain(&harmed, seed);
	harmed.world.changes = 0;
	world_run_for(&harmed.world, 0.5);
	ck_assert_int_le(harmed.world.changes, 250);
	/* One of harm, one of what could not be put right, one of polling. */
	ck_assert_int_le(world_logged(), 3);
	ck_assert_mem_eq(scoreboard_line(harmed.world.board, 1) + 2, " 4711     ", 10);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	rmdir(harmed.world.path);
	world_run_until(&harmed.world, world_is_whole, 0);
	world_run_for(&harmed.world, 0.15);
	must_be_heard(&harmed);
	unlink(harmed.other);
	end(&harmed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scoreboard harm");
	TCase *harm = tcase_create("harm");

	tcase_set_timeout(harm, 60);
	tcase_add_loop_test(harm, harm_is_put_right, 0, sizeof(harm_case) / sizeof(harm_case[0]));
	tcase_add_test(harm, line_of_nobody_is_emptied_silently);
	tcase_add_test(harm, harm_soon_after_harm);
	tcase_add_test(harm, removed_twice);
	tcase_add_test(harm, directory_in_its_place);
	tcase_add_test(harm, folder_removed);
	tcase_add_test(harm, no_right_to_the_file);
	tcase_add_test(harm, only_its_own_file_is_removed_at_close);
	tcase_add_loop_test(harm, all_harm_at_full_speed, 0, 4);
	suite_add_tcase(suite, harm);
	return test_main(suite);
}
