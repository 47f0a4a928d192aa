/* A new version that is no good: one that exits at once, one that is never ready, one that crashes
 * after it was. The old one answers all the time, capacity stays, everything goes back by itself,
 * and TERM in the middle ends it all. Short waits; the numbers are interface.md's. */
#include "harness.h"

#include <sys/stat.h>

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 3

/* What the new version does in the place of serving, and what its readiness is. */
static const struct {
	const char *ready, *command, *reason;
} broken[] = {
	{"", "@worker@ touch @dir@/new exit 1", "exited with status 1"},
	{"", "@worker@ touch @dir@/new exit 0", "exited with status 0"},
	{"", "@worker@ touch @dir@/new signal SEGV", "SEGV"},
	{"", "@dir@/not-executable", "could not be started: exec"},
	{"ready = scoreboard\nstart_timeout = 150ms\n", "@worker@ touch @dir@/new", "KILL"},
	{"ready = notify\nstart_timeout = 150ms\n", "@worker@ touch @dir@/new board", "KILL"},
	{"", "@worker@ touch @dir@/new state _ exit-after 40 1", "exited with status 1"},
	{"", "@worker@ touch @dir@/new state _ sleep 10 signal SEGV", "SEGV"},
};
#define BROKEN     (int)(sizeof(broken) / sizeof(broken[0]))
#define EXEC_FAILS 3

static void write_old(int port, const char *keys)
{
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\nmax_workers = %d\n"
	       "min_uptime = 500ms\nerr_respawn_interval = 50ms\nsockets = tcp\n%s",
		port, WORKERS, keys);
}

static void write_new(int port, const char *ready, const char *command)
{
	char keys[512];

	snprintf(keys, sizeof(keys), "%scommand = %s\n", ready, command);
	write_old(port, keys);
}

static int start_old(const char *keys)
{
	int port = free_port();

	write_old(port, keys);
	daemon_start();
	WAIT_FOR(serving() == WORKERS && log_has("ready: "));
	return port;
}

/* It is found and may be executed when the file is checked, and then it cannot. */
static void make_program_that_cannot_be_executed(void)
{
	file_write("not-executable", "#!/no/such/interpreter\n");
	ck_assert_int_eq(chmod(path_of("not-executable"), 0755), 0);
}

static void expect_capacity(const struct load *watch)
{
	struct sights sights = watch_end(watch);

	ck_assert_int_ge(sights.min_serving, WORKERS);
	ck_assert_int_le(sights.max_present, WORKERS + 1);
}

static int new_ones(void)
{
	return file_count("new", "\n");
}

/* One that it makes no sense to wait for. */
#define BEGUN(index) ((index) == EXEC_FAILS ? log_has("generation 2") : new_ones() > 0)

/* --- another configuration --- */

START_TEST(a_broken_version_is_taken_back_by_itself)
{
	int port = start_old("command = @worker@ http\n");
	struct crew old = crew_of("web"), after;
	struct load load = load_closed(load_port(port), "/sleep/1", 3);
	struct load open = load_open(load_port(port), "/", 50);
	struct load watch = watch_start("web");

	make_program_that_cannot_be_executed();
	write_new(port, broken[_i].ready, broken[_i].command);
	reload_badly();
	ck_assert(log_has("3 new workers failed, the last one "));
	ck_assert(log_has(broken[_i].reason));
	WAIT_FOR(present() == WORKERS);
	load_await(&load, 20);
	expect_capacity(&watch);
	load_end_without_loss(&load);
	load_end_without_loss(&open);
	after = crew_of("web");
	ck_assert(same_crew(&old, &after));
	/* one that is killed for being slow may be too slow to tell of itself */
	ck_assert_int_le(new_ones(), 3);
	if (_i != EXEC_FAILS && strcmp(broken[_i].reason, "KILL") != 0)
		ck_assert_int_eq(new_ones(), 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(term_in_the_middle_of_it_ends_everything)
{
	int port = start_old("command = @worker@ http\n");

	make_program_that_cannot_be_executed();
	write_new(port, broken[_i].ready, broken[_i].command);
	daemon_kill(SIGHUP);
	WAIT_FOR(BEGUN(_i));
	EXPECT_STOP();
}
END_TEST

START_TEST(the_next_reload_tries_again)
{
	int port = start_old("command = @worker@ http\n");
	struct load load = load_closed(load_port(port), "/sleep/1", 3);
	struct crew old = crew_of("web");

	for (int i = 0; i < 3; i++) {
		write_new(port, broken[i].ready, broken[i].command);
		reload_badly();
	}
	ck_assert_int_eq(crew_left(&old), WORKERS);
	write_old(port, "command = @worker@ http touch @dir@/good\n");
	reload_well();
	WAIT_FOR(crew_left(&old) == 0 && present() == WORKERS);
	ck_assert_int_eq(file_count("good", "\n"), WORKERS);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* What was taken back is as it was: number, workers that are missing, TTIN's word. */
START_TEST(the_old_configuration_is_in_force_again)
{
	int port = start_old("command = @worker@ http touch @dir@/old\n");

	daemon_kill(SIGTTIN);
	WAIT_FOR(serving() == WORKERS + 1);
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\nmax_workers = 7\n"
	       "min_uptime = 500ms\nerr_respawn_interval = 50ms\nsockets = tcp\n"
	       "command = @worker@ exit 1\n",
		port);
	reload_badly();
	WAIT_FOR(serving() == WORKERS + 1 && present() == WORKERS + 1);
	pid_t killed = worker_of("web", 0);

	kill(killed, SIGKILL);
	WAIT_FOR(!process_runs(killed) && board_pid("web", 0) != killed);
	WAIT_FOR(serving() == WORKERS + 1 && present() == WORKERS + 1);
	ck_assert_int_ge(file_count("old", "\n"), WORKERS + 2);
	HOLDS_FOR(50, present() == WORKERS + 1);
	EXPECT_STOP();
}
END_TEST

/* Two have taken the place of old ones when the others begin to fail. */
START_TEST(new_ones_that_serve_stay_until_old_ones_are_ready_in_their_place)
{
	int port = start_old("command = @worker@ http touch @dir@/old\n");
	struct load load = load_closed(load_port(port), "/sleep/1", 3), watch;

	watch = watch_start("web");
	file_write("program",
		"#!/bin/sh\n"
		"echo >>%s; [ $(wc -l <%s) -le 2 ] || exit 1\n"
		"exec %s http touch %s\n",
		path_of("tries"), path_of("tries"), worker_program(), path_of("new"));
	ck_assert_int_eq(chmod(path_of("program"), 0755), 0);
	write_new(port, "", "@dir@/program");
	reload_badly();
	ck_assert_int_eq(new_ones(), 2);
	WAIT_FOR(file_count("old", "\n") == WORKERS + 2);
	WAIT_FOR(present() == WORKERS && serving() == WORKERS);
	load_await(&load, 20);
	expect_capacity(&watch);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* --- the same configuration, another program --- */

static void write_program(const char *first, const char *what)
{
	file_write("program.new", "#!/bin/sh\necho >>%s\n%s\nexec %s %s\n", path_of("tries"), first,
		worker_program(), what);
	ck_assert_int_eq(chmod(path_of("program.new"), 0755), 0);
	ck_assert_int_eq(rename(path_of("program.new"), path_of("program")), 0);
}

/* Old ones cannot come back, since their program is no more: they are not touched. */
START_TEST(a_broken_program_on_disk_costs_no_old_worker)
{
	struct crew old, after;
	struct load load, watch;
	int port;

	write_program("", "http");
	port = start_old("command = @dir@/program\n");
	old = crew_of("web");
	load = load_closed(load_port(port), "/sleep/1", 3);
	watch = watch_start("web");
	write_program("exit 1", "http");
	reload_badly();
	write_program("sleep 60", "http");
	write_old(port, "command = @dir@/program\nready = scoreboard\nstart_timeout = 100ms\n");
	reload_badly();
	load_await(&load, 20);
	expect_capacity(&watch);
	load_end_without_loss(&load);
	after = crew_of("web");
	ck_assert(same_crew(&old, &after));
	EXPECT_STOP();
}
END_TEST

START_TEST(of_a_program_that_fails_now_and_then_those_that_serve_stay_for_good)
{
	struct crew old, mixed, after;
	struct load watch;

	write_program("", "http");
	start_old("command = @dir@/program\n");
	old = crew_of("web");
	watch = watch_start("web");
	/* the 4th is the first of the new version: it serves, the others fail */
	file_write("program.new",
		"#!/bin/sh\necho >>%s\n[ $(wc -l <%s) -le 4 ] || exit 1\nexec %s http\n",
		path_of("tries"), path_of("tries"), worker_program());
	ck_assert_int_eq(chmod(path_of("program.new"), 0755), 0);
	ck_assert_int_eq(rename(path_of("program.new"), path_of("program")), 0);
	reload_badly();
	WAIT_FOR(present() == WORKERS && serving() == WORKERS);
	mixed = crew_of("web");
	ck_assert_int_eq(crew_left(&old), WORKERS - 1);
	HOLDS_FOR(200, serving() == WORKERS && present() == WORKERS);
	after = crew_of("web");
	ck_assert(same_crew(&mixed, &after));
	expect_capacity(&watch);
	/* the next reload takes them all */
	write_program("", "http");
	reload_well();
	WAIT_FOR(crew_left(&mixed) == 0 && serving() == WORKERS);
	EXPECT_STOP();
}
END_TEST

/* --- several pools --- */

#define TWO_POOLS                                                                                  \
	"[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@ board touch @dir@/web.%d\n"      \
	"[pool:%s]\nmax_workers = 1\n" QUICK "command = @worker@ %s\n"

START_TEST(one_pool_that_fails_takes_all_pools_back)
{
	config(TWO_POOLS, 1, "other", "board touch @dir@/other.1");
	daemon_start();
	WAIT_FOR(serving() == 2 && serving_of("other") == 1 && log_has("ready: "));
	config(TWO_POOLS, 2, "other", "exit 1");
	reload_badly();
	ck_assert(log_has("[pool:other]: 3 new workers failed"));
	WAIT_FOR(file_count("web.1", "\n") >= 2 + file_count("web.2", "\n") && serving() == 2 &&
		 present() == 2);
	ck_assert_int_eq(serving_of("other"), 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(an_added_pool_that_fails_goes_again)
{
	struct crew old;

	config("[pool:web]\nmax_workers = 2\n" QUICK "command = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	old = crew_of("web");
	config(TWO_POOLS, 2, "added", "exit 1");
	reload_badly();
	WAIT_FOR(!file_exists("run/added.scoreboard"));
	WAIT_FOR(serving() == 2 && present() == 2);
	ck_assert(daemon_alive());
	ck_assert_int_eq(log_count("crash_loop"), 0);
	ck_assert_int_le(crew_left(&old), 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("broken versions");
	TCase *configured = harness_case(suite, "another configuration");
	TCase *program = harness_case(suite, "another program");
	TCase *pools = harness_case(suite, "pools");

	tcase_add_loop_test(configured, a_broken_version_is_taken_back_by_itself, 0, BROKEN);
	tcase_add_loop_test(configured, term_in_the_middle_of_it_ends_everything, 0, BROKEN);
	tcase_add_test(configured, the_next_reload_tries_again);
	tcase_add_test(configured, the_old_configuration_is_in_force_again);
	tcase_add_test(
		configured, new_ones_that_serve_stay_until_old_ones_are_ready_in_their_place);
	tcase_add_test(program, a_broken_program_on_disk_costs_no_old_worker);
	tcase_add_test(
		program, of_a_program_that_fails_now_and_then_those_that_serve_stay_for_good);
	tcase_add_test(pools, one_pool_that_fails_takes_all_pools_back);
	tcase_add_test(pools, an_added_pool_that_fails_goes_again);
	return harness_main(suite);
}
