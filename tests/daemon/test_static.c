/* A static pool keeps its number of workers, whatever becomes of them. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"
#define MANY  500

/* The times of the lines that `testworker touch` wrote, in their order. */
static int touched(const char *name, long long times_ms[], int max)
{
	int count = 0;
	long long at;

	for (const char *line = file_text(name); line && *line && count < max;) {
		if (sscanf(line, "%*d %*d %lld", &at) == 1)
			times_ms[count++] = at;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return count;
}

START_TEST(keeps_its_number)
{
	config("[pool:web]\ncommand = @worker@\nmax_workers = 3\n");
	daemon_start();
	WAIT_FOR(worker_count() == 3);
	HOLDS_FOR(200, worker_count() == 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(starts_ten_by_default)
{
	config("[pool:web]\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 10);
	HOLDS_FOR(50, worker_count() == 10);
	EXPECT_STOP();
}
END_TEST

START_TEST(keeps_the_number_of_each_pool)
{
	config("[pool:a]\ncommand = @worker@\nmax_workers = 1\n"
	       "[pool:b]\ncommand = @worker@ sleep 1\nmax_workers = 4\n");
	daemon_start();
	WAIT_FOR(worker_count_of("a") == 1 && worker_count_of("b") == 4);
	HOLDS_FOR(50, worker_count() == 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(gives_each_worker_a_slot_of_its_own)
{
	bool seen[5] = {false};

	config("[pool:web]\ncommand = @worker@ touch @dir@/slot.%%{slot}\nmax_workers = 5\n");
	daemon_start();
	WAIT_FOR(worker_count() == 5);
	for (int i = 0; i < 5; i++) {
		int pid, slot;

		WAIT_FOR(sscanf(file_text(path_of("slot.%d", i)), "%d %d", &pid, &slot) == 2);
		ck_assert_int_eq(slot, i);
		WAIT_FOR(board_pid("web", i) == pid);
		ck_assert(!seen[slot]);
		seen[slot] = true;
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_killed_worker_is_replaced_in_its_slot)
{
	config("[pool:web]\n" QUICK "command = @worker@\nmax_workers = 8\n");
	daemon_start();
	WAIT_FOR(worker_count() == 8);
	nap_ms(slow_ms(40));
	for (int i = 0; i < 20; i++) {
		pid_t killed = worker_of("web", i % 8);

		ck_assert_int_gt(killed, 1);
		ck_assert_int_eq(kill(killed, SIGKILL), 0);
		WAIT_FOR(board_pid("web", i % 8) != killed && worker_count() == 8);
		ck_assert(!process_runs(killed));
	}
	WAIT_FOR(process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(is_never_above_its_number)
{
	pid_t pids[MANY_WORKERS];

	config("[pool:web]\n" QUICK "command = @worker@\nmax_workers = 6\n");
	daemon_start();
	WAIT_FOR(worker_count() == 6);
	nap_ms(slow_ms(40));
	for (int i = 0; i < 10; i++) {
		for (int j = workers(pids) / 2; j > 0; j--)
			kill(pids[j - 1], SIGKILL);
		HOLDS_FOR(30, worker_count() <= 6);
	}
	WAIT_FOR(worker_count() == 6);
	EXPECT_STOP();
}
END_TEST

static int still_there(const pid_t pids[], int count)
{
	int there = 0;

	for (int i = 0; i < count; i++)
		there += process_state(pids[i]) != 0;
	return there;
}

/* How long it took until all were reaped. */
static int64_t kill_all(void)
{
	static pid_t pids[MANY_WORKERS];
	int64_t began_at;

	nap_ms(slow_ms(50));
	ck_assert_int_eq(workers(pids), MANY);
	began_at = now_ms();
	for (int i = 0; i < MANY; i++)
		kill(pids[i], SIGKILL);
	WAIT_FOR(still_there(pids, MANY) == 0);
	return now_ms() - began_at;
}

/* The best of three: others use the machine, too. */
START_TEST(many_killed_at_once_are_reaped_and_replaced)
{
	int64_t took_ms = INT64_MAX;

	config("[pool:web]\n" QUICK "command = @worker@\nmax_workers = %d\n", MANY);
	daemon_start();
	WAIT_FOR(worker_count() == MANY);
	for (int i = 0; i < 3 && took_ms > 1000; i++) {
		took_ms = kill_all();
		WAIT_FOR_WITHIN(5000, worker_count() == MANY);
	}
	ck_assert_int_le(took_ms, 1000);
	HOLDS_FOR(100, process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(children_that_end_at_once_are_all_noticed)
{
	config("[pool:web]\ncrash_loop = backoff\nmin_uptime = 20ms\nerr_respawn_interval = 1ms\n"
	       "err_respawn_max = 1ms\ncommand = @worker@ touch @dir@/started exit 0\n"
	       "max_workers = 4\n");
	daemon_start();
	WAIT_FOR(file_count("started", "\n") >= 300);
	WAIT_FOR(process_zombies() == 0);
	int before = file_count("started", "\n");

	WAIT_FOR(file_count("started", "\n") > before + 20);
	EXPECT_STOP();
}
END_TEST

START_TEST(bin_true_over_and_over_leaves_no_zombie)
{
	config("[pool:web]\ncrash_loop = backoff\nmin_uptime = 20ms\nerr_respawn_interval = 1ms\n"
	       "err_respawn_max = 1ms\ncommand = /bin/true\nmax_workers = 8\n");
	daemon_start();
	nap_ms(500);
	for (int i = 0; i < 20; i++)
		WAIT_FOR_WITHIN(1000, process_zombies() == 0);
	ck_assert(daemon_alive());
	EXPECT_STOP();
}
END_TEST

START_TEST(exits_after_min_uptime_are_replaced_at_once)
{
	config("[pool:web]\nmin_uptime = 30ms\nerr_respawn_interval = 20s\nmax_workers = 1\n"
	       "command = @worker@ touch @dir@/started exit-after 100 1\n");
	daemon_start();
	WAIT_FOR_WITHIN(10000, file_count("started", "\n") >= 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(spawn_interval_lies_between_two_starts)
{
	long long times_ms[4];

	config("[pool:web]\nspawn_interval = 100ms\nmax_workers = 4\n"
	       "command = @worker@ touch @dir@/started\n");
	daemon_start();
	WAIT_FOR(file_count("started", "\n") == 4);
	ck_assert_int_eq(touched("started", times_ms, 4), 4);
	ck_assert_int_ge(times_ms[3] - times_ms[0], 270);
	ck_assert_int_lt(times_ms[3] - times_ms[0], slow_ms(1000));
	EXPECT_STOP();
}
END_TEST

START_TEST(ttin_and_ttou_change_the_number)
{
	config("[pool:web]\ncommand = @worker@\nmax_workers = 2\n");
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 3);
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 4);
	for (int left = 3; left >= 0; left--) {
		daemon_kill(SIGTTOU);
		WAIT_FOR(worker_count() == left);
	}
	daemon_kill(SIGTTOU);
	HOLDS_FOR(100, worker_count() == 0 && daemon_alive());
	daemon_kill(SIGTTIN);
	WAIT_FOR(worker_count() == 1);
	HOLDS_FOR(100, worker_count() == 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(ttou_retires_one_gracefully_and_only_one)
{
	config("[pool:web]\ncommand = @worker@ linger 200 signals @dir@/got\nmax_workers = 4\n");
	daemon_start();
	WAIT_FOR(file_count("got", " ready") == 4);
	daemon_kill(SIGTTOU);
	WAIT_FOR(file_count("got", " TERM") == 1);
	WAIT_FOR(worker_count() == 3);
	HOLDS_FOR(150, worker_count() == 3);
	ck_assert_int_eq(file_count("got", " TERM"), 1);
	EXPECT_STOP();
	ck_assert_int_eq(file_count("got", " TERM"), 4);
}
END_TEST

START_TEST(the_scoreboard_names_who_lives_and_forgets_who_died)
{
	config("[pool:web]\nerr_respawn_interval = 20s\nmin_uptime = infinity\nmax_workers = 2\n"
	       "command = @worker@ state W\nready = scoreboard\n");
	daemon_start();
	WAIT_FOR(board_byte("web", 0, 0) == 'W' && board_byte("web", 1, 0) == 'W');
	WAIT_FOR(worker_count() == 2);
	ck_assert_int_eq(file_size("run/web.scoreboard"), 2 * 64);
	pid_t pid = worker_of("web", 1);

	ck_assert(process_runs(pid));
	kill(pid, SIGKILL);
	WAIT_FOR(board_byte("web", 1, 0) == '.' && board_pid("web", 1) == 0);
	ck_assert_int_eq(board_byte("web", 0, 0), 'W');
	ck_assert_int_eq(board_byte("web", 1, 63), '\n');
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("static pools");
	TCase *number = harness_case(suite, "number");
	TCase *replacing = harness_case(suite, "replacing");

	tcase_add_test(number, keeps_its_number);
	tcase_add_test(number, starts_ten_by_default);
	tcase_add_test(number, keeps_the_number_of_each_pool);
	tcase_add_test(number, gives_each_worker_a_slot_of_its_own);
	tcase_add_test(number, spawn_interval_lies_between_two_starts);
	tcase_add_test(number, ttin_and_ttou_change_the_number);
	tcase_add_test(number, ttou_retires_one_gracefully_and_only_one);
	tcase_add_test(replacing, a_killed_worker_is_replaced_in_its_slot);
	tcase_add_test(replacing, is_never_above_its_number);
	tcase_add_test(replacing, many_killed_at_once_are_reaped_and_replaced);
	tcase_add_test(replacing, children_that_end_at_once_are_all_noticed);
	tcase_add_test(replacing, bin_true_over_and_over_leaves_no_zombie);
	tcase_add_test(replacing, exits_after_min_uptime_are_replaced_at_once);
	tcase_add_test(replacing, the_scoreboard_names_who_lives_and_forgets_who_died);
	return harness_main(suite);
}
