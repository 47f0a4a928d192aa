/*
 * The supervisor's whole life in one process: its real loop and real signals, with invented workers
 * and in a time that passes only when nothing else is left to do. What happens is scheduled before
 * it begins; what came of it is asked afterwards.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "board.h"
#include "config_world.h"
#include "fake_sys.h"
#include "listener.h"
#include "logger.h"
#include "startup.h"
#include "supervisor.h"
#include "test_files.h"
#include "test_main.h"

#define OBEY_MS 50 /* how long workers take to leave when asked to */

static struct fixture {
	struct test_dir dir;
	unsigned living; /* as counted by see_living() */
	int64_t began_at;
	uint64_t random;
	bool obey;
} it;

static void setup(void)
{
	struct logger_settings log = {.level = LOG_LEVEL_INFO};

	memset(&it, 0, sizeof(it));
	it.obey = true;
	test_dir_make(&it.dir);
	log.target = test_path(&it.dir, "log");
	ck_assert_int_eq(logger_open(&log, NULL), 0);
}

static void teardown(void)
{
	logger_close();
	test_dir_remove(&it.dir);
}

static int logged(const char *text)
{
	static char log[1 << 20];
	int count = 0;

	test_read_file(test_path(&it.dir, "log"), log, sizeof(log));
	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

/* --- what happens ---------------------------------------------------------------------------- */

static void at(int64_t ms, fake_event *event, intptr_t argument)
{
	fake_sys_at(FAKE_START_MS + ms, event, (void *)argument);
}

static void signal_us(void *number)
{
	ck_assert_int_eq(kill(getpid(), (int)(intptr_t)number), 0);
}

static void see_living(void *unused)
{
	(void)unused;
	it.living = fake_sys_living();
}

static void end_all(void *status)
{
	for (pid_t pid = fake_sys_last_pid(); pid >= FAKE_FIRST_PID; pid--)
		if (fake_sys_alive(pid))
			fake_sys_exit(pid, (int)(intptr_t)status);
}

/* Every 10 ms whatever lives ends. */
static void end_all_always(void *status)
{
	end_all(status);
	fake_sys_after(10, end_all_always, status);
}

/* Nobody gets any time: the whole machine is frozen. */
static void freeze(void *ms)
{
	fake_sys_advance_ms((intptr_t)ms);
}

static void write_board(int slot, int byte, char text)
{
	int fd = open(test_path(&it.dir, "run/web.scoreboard"), O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ck_assert_int_eq(pwrite(fd, &text, 1, slot * BOARD_LINE_BYTES + byte), 1);
	close(fd);
}

/* The first worker shows every second that it lives. */
static void beat(void *unused)
{
	static char byte;

	byte = byte == 'x' ? 'y' : 'x';
	write_board(0, BOARD_BEAT_AT, byte);
	fake_sys_after(1000, beat, unused);
}

static void say(void *state)
{
	write_board(0, BOARD_STATE_AT, (char)(intptr_t)state);
}

static void leave(void *pid)
{
	if (fake_sys_alive((pid_t)(intptr_t)pid))
		fake_sys_exit((pid_t)(intptr_t)pid, 0);
}

static void on_signal(pid_t pid, int number, bool group, void *context)
{
	(void)group;
	(void)context;
	if (it.obey && (number == SIGTERM || number == SIGQUIT))
		fake_sys_after(OBEY_MS, leave, (void *)(intptr_t)pid);
}

/* --- the run ---------------------------------------------------------------------------------- */

/* The exit status of a supervisor with this configuration. Nothing is left behind. */
static int run(const char *config)
{
	struct startup_limits limits = {0};
	struct passed_sockets passed = {0};
	const struct supervisor_options options = {.config_path = "test.ini",
		.log_level = -1,
		.found_limits = &limits,
		.passed = &passed};
	struct settings *settings;
	unsigned descriptors;
	char *text = NULL;
	int status;

	ck_assert_int_ge(
		asprintf(&text, "[preforkd]\nruntime_dir = %s/run\n%s", it.dir.path, config), 0);
	settings = must_parse(text);
	free(text);
	fake_sys_on_signal(on_signal, NULL);
	descriptors = fake_sys_descriptors();
	it.began_at = fake_sys_now_ms();
	status = supervisor_run(settings, &options);
	ck_assert_uint_eq(fake_sys_descriptors(), descriptors);
	ck_assert_uint_eq(fake_sys_strays(), 0);
	ck_assert_int_ne(access(test_path(&it.dir, "run/web.scoreboard"), F_OK), 0);
	return status;
}

static void check_lasted(int64_t expected_ms)
{
	const int64_t found_ms = fake_sys_now_ms() - it.began_at;

	ck_assert_int_ge(found_ms, expected_ms);
	ck_assert_int_le(found_ms, expected_ms + 100);
}

/* Signals to workers with this number, whoever got them. */
static int sent(int number)
{
	int count = 0;

	for (size_t i = 0; i < fake_sys_signal_count(); i++)
		count += fake_sys_signal(i)->number == number && !fake_sys_signal(i)->group;
	return count;
}

START_TEST(a_life)
{
	at(1500, see_living, 0);
	at(5000, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 5\n"), 0);
	ck_assert_uint_eq(it.living, 5);
	ck_assert_uint_eq(fake_sys_living(), 0);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_int_eq(sent(SIGTERM), 5);
	ck_assert_int_eq(logged("ready: the first workers of every pool are there"), 1);
	ck_assert_int_eq(logged("stopped"), 1);
	check_lasted(5000 + OBEY_MS);
}
END_TEST

/* Batches of starts are no absence, however many. */
START_TEST(a_thousand_workers_in_three_pools)
{
	at(0, see_living, 0);
	at(20, see_living, 0);
	at(5000, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 500\n"
			     "[pool:two]\ncommand = /bin/true\nmax_workers = 300\n"
			     "[pool:three]\ncommand = /bin/true\nmax_workers = 200\n"),
		0);
	ck_assert_uint_eq(it.living, 1000);
	ck_assert_int_eq(logged("stopped or starved"), 0);
	ck_assert_int_eq(logged("ready: the first workers"), 1);
	check_lasted(5000 + OBEY_MS);
}
END_TEST

START_TEST(a_pool_that_never_gets_ready)
{
	at(10, end_all_always, _i);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 2\n"), EX_TEMPFAIL);
	ck_assert_int_eq(logged("giving up after"), 1);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	/* One second and two, each with up to a tenth more. */
	ck_assert_int_ge(fake_sys_now_ms() - it.began_at, 3000);
	ck_assert_int_le(fake_sys_now_ms() - it.began_at, 3400);
}
END_TEST

START_TEST(a_stop_during_a_back_off)
{
	at(10, end_all, 1);
	at(400, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 3\n"), 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	check_lasted(400);
}
END_TEST

START_TEST(a_stop_while_forks_are_refused)
{
	fake_sys_break(FAKE_FORK, EAGAIN);
	at(30000, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 3\n"), 0);
	ck_assert_uint_ge(fake_sys_count(FAKE_FORK), 15);
	check_lasted(30000);
}
END_TEST

START_TEST(a_doubled_key_press_is_one)
{
	it.obey = false;
	at(2000, signal_us, SIGINT);
	at(2700, signal_us, SIGINT);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nstop_timeout = 5s\n"), 0);
	ck_assert_int_eq(sent(SIGTERM), 10);
	check_lasted(7000);
}
END_TEST

START_TEST(who_insists_gets_kill)
{
	it.obey = false;
	at(2000, signal_us, SIGTERM);
	at(3100, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nstop_timeout = 5s\n"), 0);
	check_lasted(3100);
}
END_TEST

START_TEST(another_signal_renews_the_deadline)
{
	it.obey = false;
	at(2000, signal_us, SIGTERM);
	at(5000, signal_us, SIGQUIT);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nstop_timeout = 5s\n"
			     "[signals]\nQUIT = stop INT\n"),
		0);
	ck_assert_int_eq(sent(SIGTERM), 10);
	ck_assert_int_eq(sent(SIGINT), 10);
	check_lasted(10000);
}
END_TEST

START_TEST(one_after_another_is_stopped)
{
	at(2000, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 3\n"
			     "[signals]\nTERM = stop QUIT/2s\n"),
		0);
	ck_assert_int_eq(sent(SIGQUIT), 3);
	check_lasted(6000 + OBEY_MS);
}
END_TEST

static void make_unkillable(void *unused)
{
	(void)unused;
	fake_sys_set_unkillable(fake_sys_last_pid(), true);
}

START_TEST(what_cannot_be_killed_does_not_hold_us_up)
{
	it.obey = false;
	at(1000, make_unkillable, 0);
	at(2000, signal_us, SIGTERM);
	ck_assert_int_eq(
		run("[pool:web]\ncommand = /bin/true\nmax_workers = 2\nstop_timeout = 3s\n"),
		EX_OSERR);
	ck_assert_uint_eq(fake_sys_living(), 1);
	/* KILL after 3 s, believed to be in vain after 10 more; a second for what is left behind.
	 */
	ck_assert_int_ge(fake_sys_now_ms() - it.began_at, 15000);
	ck_assert_int_le(fake_sys_now_ms() - it.began_at, 16200);
}
END_TEST

/* Frozen together with its workers, for longer than their timeout: nobody is killed for that. */
START_TEST(nobody_answers_for_our_absence)
{
	at(1000, say, '_');
	at(1000, beat, 0);
	at(20500, freeze, 60000);
	at(120000, signal_us, SIGTERM);
	ck_assert_int_eq(
		run("[pool:web]\ncommand = /bin/true\nmax_workers = 1\ntimeout = 10s\n"), 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 1);
	ck_assert_int_eq(logged("stopped or starved"), 1);
	ck_assert_int_eq(sent(SIGKILL), 0);
}
END_TEST

/* ... but who hangs is still found. */
START_TEST(who_hangs_is_found_after_our_absence)
{
	at(1000, say, '_');
	at(5500, freeze, 60000);
	at(120000, see_living, 0);
	at(120000, signal_us, SIGTERM);
	ck_assert_int_eq(
		run("[pool:web]\ncommand = /bin/true\nmax_workers = 1\ntimeout = 10s\n"), 0);
	ck_assert_int_ge(logged("no sign of life within timeout"), 1);
	ck_assert_int_ge((int)fake_sys_count(FAKE_FORK), 2);
}
END_TEST

START_TEST(sizes_by_signal)
{
	static const struct {
		int signal_number;
		unsigned living;
	} step[] = {{SIGTTIN, 3}, {SIGTTIN, 4}, {SIGTTOU, 3}, {SIGUSR2, 0}, {SIGTTIN, 1},
		{SIGHUP, 3}, {SIGTTOU, 2}, {SIGTTOU, 1}, {SIGTTOU, 0}, {SIGTTOU, 0}, {SIGTTIN, 1}};
	const int count = _i;

	for (int i = 0; i < count; i++)
		at(2000 + 1000 * i, signal_us, step[i].signal_number);
	at(2000 + 1000 * count - 100, see_living, 0);
	at(2000 + 1000 * count, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 2\n"
			     "[signals]\nUSR2 = drain\nHUP = resume\n"),
		0);
	ck_assert_uint_eq(it.living, count ? step[count - 1].living : 2);
}
END_TEST

static void bury_orphans(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++)
		fake_sys_orphan(i);
	signal_us((void *)SIGCHLD);
}

static void see_zombies(void *unused)
{
	(void)unused;
	it.living = fake_sys_zombies();
}

START_TEST(orphans_are_reaped)
{
	it.living = 99;
	at(2000, bury_orphans, 0);
	at(2010, end_all, 0);
	at(2100, see_zombies, 0);
	at(3000, signal_us, SIGTERM);
	ck_assert_int_eq(run("[pool:web]\ncommand = /bin/true\nmax_workers = 3\n"), 0);
	ck_assert_uint_eq(it.living, 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 6);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
}
END_TEST

/* --- anything ------------------------------------------------------------------------------------
 */

static const int any_signal[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU, SIGALRM, SIGCHLD,
	SIGPIPE, SIGCONT, SIGURG, SIGIO};

static void schedule_anything(void)
{
	for (int i = 0; i < 30; i++) {
		const int64_t when = (int64_t)test_random_below(&it.random, 30000);

		switch (test_random_below(&it.random, 5)) {
		case 0: at(when, end_all, (intptr_t)test_random_below(&it.random, 2)); break;
		case 1: at(when, say, (intptr_t)test_random_below(&it.random, 256)); break;
		case 2: at(when, freeze, (intptr_t)test_random_below(&it.random, 5000)); break;
		default:
			at(when, signal_us,
				any_signal[test_random_below(
					&it.random, sizeof(any_signal) / sizeof(any_signal[0]))]);
			break;
		}
	}
	at((int64_t)test_random_below(&it.random, 30000), signal_us, SIGTERM);
	if (test_random_below(&it.random, 2))
		at(40000, signal_us, SIGINT);
}

/* Whatever comes, the stop ends, with the right status, and leaves nothing. */
START_TEST(every_life_ends)
{
	it.random = test_seed();
	for (unsigned life = 0; life < 150 / test_slowness() + 5; life++) {
		fake_sys_reset();
		it.obey = test_random_below(&it.random, 2);
		schedule_anything();
		if (test_random_below(&it.random, 4) == 0)
			fake_sys_fail(
				FAKE_ANY, 1 + (unsigned)test_random_below(&it.random, 200), EAGAIN);
		run("[pool:web]\ncommand = /bin/true\nmax_workers = 3\ncrash_loop = backoff\n"
		    "[pool:two]\ncommand = /bin/true\nmin_spare_workers = 1\nmax_workers = 4\n"
		    "crash_loop = backoff\n[signals]\nUSR2 = drain\nHUP = resume\n");
		ck_assert_uint_eq(fake_sys_living(), 0);
	}
}
END_TEST

static int live_and_stop(void)
{
	at(2000, end_all, 1);
	at(9000, signal_us, SIGTERM);
	return run("[pool:web]\ncommand = /bin/true\nmax_workers = 2\nstdout = log\n");
}

/* 0 where it could start; else it says what it could not open. */
START_TEST(every_call_fails_once)
{
	unsigned calls;
	int status;

	ck_assert_int_eq(live_and_stop(), 0);
	calls = fake_sys_count(FAKE_ANY);
	ck_assert_uint_gt(calls, 30);
	for (unsigned nth = 1; nth <= calls; nth += test_slowness()) {
		fake_sys_reset();
		fake_sys_fail(FAKE_ANY, nth, EMFILE);
		status = live_and_stop();
		ck_assert_msg(status == 0 || status == EX_CANTCREAT || status == EX_OSERR,
			"call %u: status %d", nth, status);
		ck_assert_uint_eq(fake_sys_living(), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervisor");
	TCase *life = tcase_create("life"), *anything = tcase_create("anything");

	suite_add_tcase(suite, life);
	tcase_set_timeout(life, 120);
	tcase_add_checked_fixture(life, setup, teardown);
	tcase_add_test(life, a_life);
	tcase_add_test(life, a_thousand_workers_in_three_pools);
	tcase_add_loop_test(life, a_pool_that_never_gets_ready, 0, 2);
	tcase_add_test(life, a_stop_during_a_back_off);
	tcase_add_test(life, a_stop_while_forks_are_refused);
	tcase_add_test(life, a_doubled_key_press_is_one);
	tcase_add_test(life, who_insists_gets_kill);
	tcase_add_test(life, another_signal_renews_the_deadline);
	tcase_add_test(life, one_after_another_is_stopped);
	tcase_add_test(life, what_cannot_be_killed_does_not_hold_us_up);
	tcase_add_test(life, nobody_answers_for_our_absence);
	tcase_add_test(life, who_hangs_is_found_after_our_absence);
	tcase_add_loop_test(life, sizes_by_signal, 0, 12);
	tcase_add_test(life, orphans_are_reaped);
	suite_add_tcase(suite, anything);
	tcase_add_checked_fixture(anything, setup, teardown);
	tcase_set_timeout(anything, 120);
	tcase_add_test(anything, every_life_ends);
	tcase_add_test(anything, every_call_fails_once);
	return test_main(suite);
}
