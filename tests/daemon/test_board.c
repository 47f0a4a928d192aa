/* The scoreboard as workers find it: where it is, what stands in it, and that a line is its
 * worker's. What hostile workers do to it is in test_board_harm.c. */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dynamic_pool.h"

static void expect_line(int slot, char state, char mark, pid_t pid, const char *jobs)
{
	const char *board = file_text("run/web.scoreboard");
	char line[LINE + 1], pid_text[16] = "";

	if (pid)
		snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	snprintf(line, sizeof(line), "%c %c%-8s %-12s %-38s\n", state, mark, pid_text, jobs, "");
	ck_assert_msg(strncmp(board + slot * LINE, line, LINE) == 0, "slot %d:\n%s", slot, board);
}

/* --- the layout --- */

START_TEST(each_line_has_the_bytes_that_are_promised)
{
	config("[pool:web]\n" QUICK "max_workers = 3\ncommand = @worker@ board\n");
	daemon_start();
	WAIT_FOR(in_state('_') == 3);
	ck_assert_int_eq(file_size("run/web.scoreboard"), 3 * LINE);
	for (int slot = 0; slot < 3; slot++)
		expect_line(slot, '_', ' ', worker_of("web", slot), "");
	daemon_kill(SIGTTOU);
	WAIT_FOR(in_state('.') == 1);
	for (int slot = 0; slot < 3; slot++) {
		if (board_pid("web", slot) == 0) {
			expect_line(slot, '.', ' ', 0, "");
			continue;
		}
		kill(board_pid("web", slot), SIGUSR1);
		kill(board_pid("web", slot), SIGHUP);
	}
	WAIT_FOR(lines_with(12, '1') == 2 && in_state('A') == 2);
	daemon_kill(SIGTTOU);
	WAIT_FOR(lines_with(2, 'R') == 1);
	for (int slot = 0; slot < 3; slot++) {
		if (board_pid("web", slot) != 0)
			expect_line(
				slot, 'A', board_byte("web", slot, 2), board_pid("web", slot), "1");
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_successor_finds_a_clean_line)
{
	config("[pool:web]\n" QUICK "max_workers = 1\ncommand = @worker@ board\n");
	daemon_start();
	WAIT_FOR(in_state('_') == 1);
	pid_t pid = worker_of("web", 0);

	kill(pid, SIGUSR1);
	kill(pid, SIGHUP);
	WAIT_FOR(board_byte("web", 0, 12) == '1' && in_state('A') == 1);
	nap_ms(slow_ms(30));
	kill(pid, SIGKILL);
	WAIT_FOR(board_pid("web", 0) != pid && in_state('_') == 1);
	expect_line(0, '_', ' ', worker_of("web", 0), "");
	EXPECT_STOP();
}
END_TEST

/* --- the way to it --- */

START_TEST(path_and_offset_lead_to_the_line)
{
	config("[pool:web]\nmax_workers = 3\ncommand = sh -c 'printf W | dd "
	       "of=\"$PREFORKD_SCOREBOARD\" bs=1 seek=$PREFORKD_SCOREBOARD_OFFSET conv=notrunc "
	       "2>&1; test $PREFORKD_SCOREBOARD_OFFSET = $((PREFORKD_SLOT * 64)) && echo $PREFORKD_"
	       "SLOT >>@dir@/right; exec sleep 300'\n");
	daemon_start();
	WAIT_FOR(in_state('W') == 3);
	WAIT_FOR(file_count("right", "\n") == 3);
	for (int slot = 0; slot < 3; slot++)
		expect_line(slot, 'W', ' ', worker_of("web", slot), "");
	EXPECT_STOP();
}
END_TEST

/* Each opens the file for itself, so that one's seek is no other's. */
START_TEST(positions_do_not_interfere)
{
	config("[pool:web]\nmax_workers = 4\ncommand = %s seek @dir@/result 3000\n",
		worker_named("board_worker"));
	daemon_start();
	WAIT_FOR(file_count("result", "\n") == 4);
	ck_assert_int_eq(file_count("result", "kept"), 4);
	EXPECT_STOP();
}
END_TEST

static bool is_root(void)
{
	return geteuid() == 0;
}

/* What a program needs to be run in that folder. */
static bool make_root(const char *folder, const char *program)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command),
		"mkdir '%s' && cp '%s' '%s/worker' && for l in $(ldd '%s' | grep -o '/[^ )]*'); do "
		"cp --parents -L \"$l\" '%s' || exit 1; done",
		folder, program, folder, program, folder);
	return system(command) == 0;
}

START_TEST(works_under_chroot)
{
	SKIP_UNLESS(is_root(), "only root can change the root");
	SKIP_UNLESS(make_root(path_of("jail"), worker_program()), "the libraries cannot be copied");
	config("[pool:web]\n" QUICK "max_workers = 2\nchroot = @dir@/jail\ncommand = /worker "
	       "board\n");
	daemon_start();
	WAIT_FOR(in_state('_') == 2);
	pid_t pid = worker_of("web", 1);

	daemon_kill(SIGTTOU);
	WAIT_FOR(worker_count() == 1);
	daemon_kill(SIGTTIN);
	WAIT_FOR(in_state('_') == 2);
	ck_assert(board_pid("web", 0) != pid || board_pid("web", 1) != pid);
	EXPECT_STOP();
}
END_TEST

START_TEST(works_without_a_right_to_the_folder)
{
	SKIP_UNLESS(is_root(), "only root can become another user");
	ck_assert_int_eq(mkdir(path_of("closed"), 0700), 0);
	ck_assert_int_eq(mkdir(path_of("run"), 0755), 0);
	ck_assert_int_eq(symlink("../closed/board", path_of("run/web.scoreboard")), 0);
	config("[pool:web]\n" QUICK "max_workers = 2\nuser = nobody\nscoreboard_file = "
	       "@dir@/closed/board\ncommand = @worker@ board\n");
	daemon_start();
	WAIT_FOR(board_byte("web", 0, 0) == '_' && board_byte("web", 1, 0) == '_');
	kill(worker_of("web", 1), SIGUSR1);
	WAIT_FOR(board_byte("web", 1, 0) == 'A');
	EXPECT_STOP();
}
END_TEST

/* --- the dead --- */

static int deaths(void)
{
	return getenv("PREFORKD_TEST_LONG") ? 10000 : 300;
}

START_TEST(the_slot_of_one_that_died_busy_is_cleared)
{
	/* of those that are told to rest none dies, so what is left says what was left behind */
	config("[pool:web]\n" QUICK
	       "max_workers = 6\nmin_spare_workers = 2\nmax_spare_workers = 2\n"
	       "idle_timeout = 50ms\ncommand = %s die-busy @dir@\n",
		worker_named("board_worker"));
	daemon_start();
	WAIT_FOR_WITHIN(40000, file_size("died") >= deaths());
	ck_assert(!log_has("in a row"));
	file_write("rest", "%s", "");
	WAIT_FOR(worker_count() == 2 && in_state('_') == 2 && in_state('.') == 4 &&
		 lines_with(3, ' ') == 4);
	HOLDS_FOR(200, in_state('.') == 4 && lines_with(3, ' ') == 4);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scoreboard");
	TCase *layout = harness_case(suite, "layout");
	TCase *way = harness_case(suite, "way");
	TCase *dead = harness_case(suite, "dead");

	tcase_add_test(layout, each_line_has_the_bytes_that_are_promised);
	tcase_add_test(layout, a_successor_finds_a_clean_line);
	tcase_add_test(way, path_and_offset_lead_to_the_line);
	tcase_add_test(way, positions_do_not_interfere);
	tcase_add_test(way, works_under_chroot);
	tcase_add_test(way, works_without_a_right_to_the_folder);
	tcase_add_test(dead, the_slot_of_one_that_died_busy_is_cleared);
	return harness_main(suite);
}
