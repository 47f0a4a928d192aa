/*
 * Time that jumps, and machines that have been up for long: no deadline is early or late by 100 ms.
 * And what a pool that crashes all the time costs in a minute.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "namespace.h"
#include "rolling_pool.h"

#define HOUR_SEC     3600
#define SLACK_MS     100
#define STOP_MS      700
#define HEARTBEAT_MS 600

static const char *const no_arguments[] = {NULL};

/* --- a time of day that jumps --- */

static const char *clock_library(void)
{
	return worker_beside(".libs/shifted_clock.so");
}

static void shift_clock(void)
{
	setenv("LD_PRELOAD", clock_library(), 1);
	setenv("SHIFTED_CLOCK", path_of("shift"), 1);
}

/* The file's one number, which the supervisor sees at once. */
static volatile int64_t *make_shift(void)
{
	int fd = open(path_of("shift"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	void *at;

	ck_assert_int_eq(ftruncate(fd, sizeof(int64_t)), 0);
	at = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert(at != MAP_FAILED);
	close(fd);
	return at;
}

static void jump(volatile int64_t *shift_sec, int number)
{
	static const int64_t shifts[] = {HOUR_SEC, -HOUR_SEC, 0, 100 * HOUR_SEC, -1, 1};

	if (shift_sec)
		*shift_sec = shifts[number % 6];
}

static void configure(void)
{
	config("[pool:deaf]\n" QUICK "max_workers = 1\nstop_timeout = %dms\n"
	       "command = @worker@ stay signals @dir@/got\n"
	       "[pool:beats]\n" QUICK "max_workers = 2\ntimeout = %dms\nready = scoreboard\n"
	       "command = @worker@ beat board\n",
		STOP_MS, HEARTBEAT_MS);
}

/* How long who does not listen lives after having been asked to leave, with jumps all the while. */
static int64_t deaf_for_ms(volatile int64_t *shift_sec)
{
	int asked = file_count("got", " TERM ");
	int64_t began;
	pid_t pid;

	/* in either slot, once who was there before has left */
	WAIT_FOR(present_of("deaf") == 1);
	pid = crew_of("deaf").pid[0];
	WAIT_FOR(file_count("got", " ready ") == asked + 1);
	nap_ms(slow_ms(50));
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "restart", "--no-wait", "deaf"), 0);
	WAIT_FOR(file_count("got", " TERM ") == asked + 1);
	began = now_ms();
	for (int i = 0; process_runs(pid); i++) {
		if (i % 10 == 0)
			jump(shift_sec, i / 10);
		nap_ms(1);
	}
	return now_ms() - began;
}

/* How long one that stops beating lives: from the last sign at most. */
static int64_t silent_for_ms(volatile int64_t *shift_sec)
{
	pid_t pid = worker_of("beats", 0);
	int64_t began;

	nap_ms(slow_ms(50));
	kill(pid, SIGSTOP);
	began = now_ms();
	for (int i = 0; process_runs(pid); i++) {
		if (i % 10 == 0)
			jump(shift_sec, i / 10);
		nap_ms(1);
	}
	WAIT_FOR(board_pid("beats", 0) > 1 && board_pid("beats", 0) != pid);
	return now_ms() - began;
}

/* Late is what a busy machine makes of it, too, but not three times in a row. */
static void expect_in_time(
	int64_t (*measure)(volatile int64_t *), volatile int64_t *shift_sec, int64_t wanted_ms)
{
	int64_t took_ms = 0;

	for (int i = 0; i < 3; i++) {
		took_ms = measure(shift_sec);
		ck_assert_msg(took_ms >= wanted_ms - SLACK_MS, "early: %d ms", (int)took_ms);
		if (took_ms <= wanted_ms + slow_ms(SLACK_MS))
			return;
	}
	ck_abort_msg("late: %d ms instead of %d", (int)took_ms, (int)wanted_ms);
}

START_TEST(no_deadline_feels_a_jump_of_the_time_of_day)
{
	volatile int64_t *shift_sec = make_shift();
	pid_t other;

	SKIP_UNLESS(access(clock_library(), R_OK) == 0, "no library for the clock");
	configure();
	daemon_start_as(shift_clock, no_arguments);
	WAIT_FOR(log_has("ready: the first") && present_of("beats") == 2);
	other = worker_of("beats", 1);
	for (int i = 0; i < long_or_short(30, 1); i++) {
		expect_in_time(deaf_for_ms, shift_sec, STOP_MS);
		expect_in_time(silent_for_ms, shift_sec, HEARTBEAT_MS);
	}
	/* it was shifted indeed, and who was well lives on */
	*shift_sec = -100L * 365 * 24 * HOUR_SEC / 2;
	daemon_kill(SIGALRM);
	WAIT_FOR(log_has("\n19"));
	ck_assert_int_eq(worker_of("beats", 1), other);
	ck_assert_int_eq(log_count("stopped or starved"), 0);
	EXPECT_STOP();
}
END_TEST

/* --- a machine that has been up for long --- */

static int64_t uptime_sec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static pid_t start_at(int64_t uptime)
{
	static char offset[32];
	const char *argv[] = {"/usr/bin/unshare", "--time", "--fork", "--kill-child", "--monotonic",
		offset, "--boottime", offset, preforkd_program(), "-c", path_of("app.ini"), NULL};

	snprintf(offset, sizeof(offset), "%lld", (long long)(uptime - uptime_sec()));
	return program_start("log", NULL, argv);
}

/* Where 31, 32 and 63 bits of milliseconds, microseconds and nanoseconds would overflow soon after
 * the start, and ten years. */
static const int64_t uptimes_sec[] = {
	2147483, 4294967, 2147, 4294, 10LL * 365 * 24 * HOUR_SEC, 2147483647};
#define UPTIMES (int)(sizeof(uptimes_sec) / sizeof(uptimes_sec[0]))

static bool has_time_namespaces(void)
{
	static const char *const argv[] = {
		"/usr/bin/unshare", "--time", "--boottime", "1000", "--fork", "/bin/true", NULL};

	return geteuid() == 0 && access(argv[0], X_OK) == 0 &&
	       program_wait(program_start("try", NULL, argv)) == 0;
}

START_TEST(no_deadline_feels_how_long_the_machine_is_up)
{
	pid_t outside;

	SKIP_UNLESS(has_time_namespaces(), "no time namespaces");
	configure();
	outside = start_at(uptimes_sec[_i] - 1);
	WAIT_FOR(file_has("log.err", "ready: the first") && present_of("beats") == 2);
	daemon_is(only_child(outside));
	expect_in_time(deaf_for_ms, NULL, STOP_MS);
	expect_in_time(silent_for_ms, NULL, HEARTBEAT_MS);
	ck_assert_int_eq(file_count("log.err", "stopped or starved"), 0);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(program_wait(outside), 0);
}
END_TEST

/* --- a minute of crashes --- */

static const char *const crashes[] = {"exit 1", "exit 0", "signal SEGV"};

/* err_respawn_interval 1s, doubled up to err_respawn_max, with jitter: how many rounds of starts
 * there can be in so many seconds. */
static int rounds_in(int seconds, int *least)
{
	double least_at = 0, most_at = 0;
	int most = 0;

	*least = 0;
	for (double wait = 1; most_at <= seconds; wait = wait < 15 ? 2 * wait : 30) {
		most++;
		*least += least_at <= seconds;
		most_at += wait * 0.5;
		least_at += wait * 1.5;
	}
	return most;
}

START_TEST(a_minute_of_crashes_is_cheap_and_quiet)
{
	int seconds = long_or_short(60, 5), workers_each = 4, least;
	int most = rounds_in(seconds, &least), starts;

	config("[pool:web]\nmax_workers = %d\ncrash_loop = backoff\n"
	       "command = @worker@ touch @dir@/started %s\n",
		workers_each, crashes[_i]);
	daemon_start();
	WAIT_FOR(file_size("started") > 0);
	nap_ms(seconds * 1000);
	starts = file_count("started", "\n");
	ck_assert_int_le(starts, most * workers_each);
	ck_assert_int_ge(starts, least);
	ck_assert_int_lt(process_cpu_ms(daemon_pid()), slow_ms(seconds * 1000 / 20));
	ck_assert_int_le(log_count("\n"), 20 + seconds);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("time as a fault");
	TCase *jumps = harness_case(suite, "jumps");
	TCase *crashing = harness_case(suite, "crashes");

	tcase_add_test(jumps, no_deadline_feels_a_jump_of_the_time_of_day);
	tcase_add_loop_test(jumps, no_deadline_feels_how_long_the_machine_is_up, 0, UPTIMES);
	tcase_add_loop_test(crashing, a_minute_of_crashes_is_cheap_and_quiet, 0, 3);
	return harness_main(suite);
}
