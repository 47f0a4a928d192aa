/*
 * What happens to processes on a machine in trouble: killed, out of memory, frozen, deaf, full of
 * the children of others. Short; PREFORKD_TEST_LONG=1: as often as the page on reliability says.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "namespace.h"
#include "rolling_pool.h"

#define BACK_OFF "crash_loop = backoff\nerr_respawn_interval = 1ms\nerr_respawn_max = 1ms\n"

static const char *fault_worker(void)
{
	return worker_beside("fault_worker");
}

/* --- how fast --- */

#define ROUNDS_MAX 1000

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A byte from whoever has been executed. */
static void await_hello(int fifo)
{
	struct pollfd hello = {.fd = fifo, .events = POLLIN};
	char byte;

	ck_assert_int_eq(poll(&hello, 1, (int)slow_ms(20000)), 1);
	ck_assert_int_eq(read(fifo, &byte, 1), 1);
}

static pid_t bare_start(const char *path)
{
	static const char *argv[] = {NULL, "hello", NULL, NULL};
	pid_t pid;

	argv[0] = fault_worker();
	argv[2] = path;
	pid = vfork();
	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

/* What every supervisor has to do at least. */
static int64_t replace_bare(pid_t *pid, int fifo, const char *path)
{
	int64_t began = now_us();

	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = bare_start(path);
	await_hello(fifo);
	return now_us() - began;
}

static int64_t replace_ours(int slot, int fifo)
{
	pid_t pid = board_pid("web", slot);
	int64_t began = now_us();

	ck_assert_int_gt(pid, 1);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	await_hello(fifo);
	began = now_us() - began;
	WAIT_FOR(board_pid("web", slot) > 1 && board_pid("web", slot) != pid);
	return began;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Of so many; in the short form, of few, not the very worst. */
static int64_t late_one(int64_t times_us[], int count)
{
	qsort(times_us, (size_t)count, sizeof(times_us[0]), by_size);
	return times_us[count * (count >= 1000 ? 99 : 90) / 100];
}

static int open_fifo(const char *name)
{
	ck_assert_int_eq(mkfifo(path_of("%s", name), 0600), 0);
	return open(path_of("%s", name), O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

/* Both in turn, so that other load of the machine meets both. */
static bool as_fast_as_a_bare_loop(int rounds, int ours, int bare, const char *bare_path)
{
	static int64_t ours_us[ROUNDS_MAX], bare_us[ROUNDS_MAX];
	pid_t pid = bare_start(bare_path);

	await_hello(bare);
	for (int i = 0; i < rounds; i++) {
		nap_ms(slow_ms(30) / 8 +
			1); /* each slot comes every eighth time: past min_uptime */
		ours_us[i] = replace_ours(i % 8, ours);
		bare_us[i] = replace_bare(&pid, bare, bare_path);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	int64_t late_us = late_one(ours_us, rounds), bare_late_us = late_one(bare_us, rounds);

	printf("replaced within %lld us, bare %lld us\n", (long long)late_us,
		(long long)bare_late_us);
	return late_us <= slow_ms(3) * bare_late_us;
}

START_TEST(a_replacement_is_as_fast_as_a_bare_loop)
{
	int rounds = long_or_short(1000, 80), tries = 0;
	int ours = open_fifo("ours"), bare = open_fifo("bare");
	char bare_path[PATH_MAX];

	snprintf(bare_path, sizeof(bare_path), "%s", path_of("bare"));
	config("[pool:web]\n" QUICK "max_workers = 8\ncommand = %s hello @dir@/ours\n",
		fault_worker());
	daemon_start();
	for (int i = 0; i < 8; i++)
		await_hello(ours);
	WAIT_FOR(worker_count() == 8 && present() == 8);
	nap_ms(slow_ms(40));
	while (!as_fast_as_a_bare_loop(rounds, ours, bare, bare_path))
		ck_assert_int_lt(++tries, 3);
	ck_assert_int_eq(worker_count(), 8);
	ck_assert_int_eq(process_zombies(), 0);
	ck_assert(!log_has("in a row"));
	EXPECT_STOP();
}
END_TEST

/* --- no exit is lost --- */

/* A number of the status document: of the first place that says so. */
static long status_number(const char *key)
{
	char named[64];
	const char *at;

	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "status", "--json"), 0);
	snprintf(named, sizeof(named), "\"%s\":", key);
	at = strstr(file_text("run.out"), named);
	ck_assert_msg(at != NULL, "no %s in %s", key, file_text("run.out"));
	return strtol(at + strlen(named), NULL, 10);
}

static long exits_told(void)
{
	static const char *const kinds[] = {"asked", "voluntary", "failed"};
	long sum = 0;

	for (int i = 0; i < 3; i++)
		sum += status_number(kinds[i]);
	return sum;
}

START_TEST(every_exit_is_counted)
{
	long wanted = long_or_short(100000, 2000);

	config("log_level = error\n[pool:web]\n" BACK_OFF
	       "min_uptime = 20ms\ncommand = /bin/true\nmax_workers = 100\n");
	daemon_start();
	WAIT_FOR(file_exists("run/control.sock"));
	WAIT_FOR_WITHIN(600000, (nap_ms(20), status_number("starts") >= wanted));
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0 && process_zombies() == 0 && status_number("live") == 0);
	ck_assert_int_eq(exits_told(), status_number("starts"));
	EXPECT_STOP();
}
END_TEST

/* --- descriptors --- */

/* The lowest number that is free: from a limit there on, none can be had but those given back. */
static rlim_t lowest_free_descriptor(pid_t pid)
{
	rlim_t fd = 0;

	while (file_exists(path_of("/proc/%d/fd/%d", (int)pid, (int)fd)))
		fd++;
	return fd;
}

START_TEST(status_answers_without_descriptors)
{
	struct rlimit before, none;

	config("[pool:web]\nmax_workers = 4\nstdout = log\n" QUICK "command = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 4 && log_has("ready: the first"));
	nap_ms(slow_ms(50));
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, NULL, &before), 0);
	none = (struct rlimit){lowest_free_descriptor(daemon_pid()), before.rlim_max};
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &none, NULL), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(status_number("live"), 4);
		daemon_kill(SIGTTIN); /* cannot be had */
	}
	WAIT_FOR(log_has("Too many open files"));
	ck_assert_int_eq(status_number("live"), 4);
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_NOFILE, &before, NULL), 0);
	WAIT_FOR_WITHIN(5000, worker_count() == 14);
	EXPECT_STOP();
}
END_TEST

/* --- programs --- */

static void set_big_environment(void)
{
	static char big[100000];

	memset(big, 'x', sizeof(big) - 1);
	if (setenv("BIG_1", big, 1) < 0 || setenv("BIG_2", big, 1) < 0)
		_exit(125);
}

static void allow_arguments(rlim_t stack_bytes)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_STACK, NULL, &limit), 0);
	limit.rlim_cur = stack_bytes;
	ck_assert_int_eq(prlimit(daemon_pid(), RLIMIT_STACK, &limit, NULL), 0);
}

static void spoil_program(bool loop, bool spoiled)
{
	if (loop && spoiled) {
		ck_assert_int_eq(rename(path_of("program"), path_of("good")), 0);
		ck_assert_int_eq(symlink("program", path_of("program")), 0);
	} else if (loop) {
		ck_assert_int_eq(rename(path_of("good"), path_of("program")), 0);
	} else {
		/* a quarter of it is for arguments and environment, 128 KiB at least */
		allow_arguments(spoiled ? 512 << 10 : 8 << 20);
	}
}

/* A link that leads to itself; arguments and environment that are too long. */
START_TEST(what_cannot_be_executed_for_a_while_is_waited_for)
{
	static const char *const reason[] = {
		"Argument list too long", "Too many levels of symbolic links"};
	const char *const no_arguments[] = {NULL};

	bool loop = _i;

	ck_assert_int_eq(symlink(worker_program(), path_of("program")), 0);
	config("[pool:web]\nmax_workers = 2\nmin_uptime = 20ms\nerr_respawn_interval = 100ms\n"
	       "err_respawn_max = 200ms\ncrash_loop = backoff\n"
	       "command = @dir@/program touch @dir@/started\n");
	daemon_start_as(set_big_environment, no_arguments);
	WAIT_FOR(file_count("started", "\n") == 2 && log_has("ready: the first"));
	nap_ms(slow_ms(50));
	spoil_program(loop, true);
	kill(worker_of("web", 0), SIGKILL);
	WAIT_FOR(log_has(reason[_i]));
	/* Two while a try is under way. */
	HOLDS_FOR(500, status_number("live") >= 1 && file_count("started", "\n") == 2);
	ck_assert_int_le(log_count(reason[_i]), 4);
	spoil_program(loop, false);
	WAIT_FOR_WITHIN(2000, file_count("started", "\n") == 3);
	EXPECT_STOP();
}
END_TEST

/* --- places --- */

START_TEST(starts_without_most_of_dev)
{
	pid_t outside;

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config("[pool:web]\nmax_workers = 2\nstdout = log\n" QUICK
	       "command = @worker@ print 1 20\n");
	outside = start_in_namespace("mount --make-rprivate / && mount -t tmpfs tmpfs /dev && "
				     "mknod -m 666 /dev/null c 1 3 && exec \"$0\" -c \"$1\"");
	WAIT_FOR(file_has("log.err", "ready: the first") && file_count("log.err", "line 0") == 2);
	daemon_is(only_child(outside));
	nap_ms(slow_ms(50));
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_count("log.err", "line 0") == 3);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(program_wait(outside), 0);
}
END_TEST

/* --- memory --- */

static bool limit_memory(const char *group)
{
	/* what version 2 calls it, then version 1 */
	return group && (cgroup_set(group, "memory.max", "24M") ||
				cgroup_set(group, "memory.limit_in_bytes", "24M"));
}

START_TEST(who_is_killed_for_its_memory_is_replaced_alone)
{
	const char *group = cgroup_make("memory");
	struct crew before, after;

	SKIP_UNLESS(limit_memory(group), "no writable memory control group");
	config("[pool:web]\n" QUICK "max_workers = 4\ncommand = %s await @dir@/go.%%{slot} "
	       "eat 200\n",
		fault_worker());
	daemon_start();
	WAIT_FOR(worker_count() == 4 && present() == 4);
	before = crew_of("web");
	nap_ms(slow_ms(50));
	ck_assert(cgroup_set(group, "cgroup.procs", "%d", (int)before.pid[1]));
	file_write("go.1", "%s", "");
	WAIT_FOR(!process_runs(before.pid[1]));
	unlink(path_of("go.1"));
	WAIT_FOR(worker_count() == 4 && present() == 4);
	after = crew_of("web");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(is_in_crew(before.pid[i], &after), i != 1);
	WAIT_FOR(log_has("killed by a KILL that we did not send, out of memory?"));
	ck_assert_int_eq(log_count("out of memory?"), 1);
	EXPECT_STOP();
}
END_TEST

/* --- the deaf and the frozen --- */

/* From the soft signal to the end. */
static int64_t deaf_for_ms(void)
{
	const char *line;
	pid_t pid;

	unlink(path_of("got"));
	daemon_start();
	WAIT_FOR(file_has("got", " ready "));
	pid = worker_any();
	daemon_kill(SIGTERM);
	while (process_runs(pid))
		nap_ms(1);
	int64_t ended = now_ms();

	EXPECT_EXIT(0);
	line = strstr(file_text("got"), " TERM ");
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(file_count("got", " TERM "), 1);
	return ended - atoll(line + strlen(" TERM "));
}

START_TEST(kill_comes_when_it_was_announced)
{
	const int timeout_ms = 1000, slack_ms = 100;
	int64_t took_ms;
	int tries = 0;

	config("[pool:web]\nmax_workers = 1\nstop_timeout = %dms\n"
	       "command = @worker@ stay signals @dir@/got\n",
		timeout_ms);
	do {
		took_ms = deaf_for_ms();
		ck_assert_int_ge(took_ms, timeout_ms - slack_ms);
	} while (took_ms > timeout_ms + slow_ms(slack_ms) && ++tries < 3);
	ck_assert_int_le(took_ms, timeout_ms + slow_ms(slack_ms));
}
END_TEST

START_TEST(the_frozen_hold_up_no_stop)
{
	const char *group = cgroup_make("freezer");
	struct crew crew;
	int64_t began;

	SKIP_UNLESS(group, "no writable freezer control group");
	config("[pool:web]\n" QUICK "max_workers = 3\nstop_timeout = 300ms\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 3 && present() == 3);
	crew = crew_of("web");
	ck_assert(cgroup_set(group, "cgroup.procs", "%d", (int)crew.pid[0]));
	ck_assert(cgroup_freeze(group, true));
	began = now_ms();
	daemon_kill(SIGTERM);
	/* the others go; what KILL cannot end is waited for as the manual says */
	WAIT_FOR(crew_left(&crew) == 1);
	WAIT_FOR_WITHIN(30000, !daemon_alive());
	ck_assert_int_eq(daemon_wait(), 71);
	ck_assert_int_ge(now_ms() - began, 300);
	ck_assert(process_runs(crew.pid[0]) && log_has("after KILL"));
	ck_assert(cgroup_freeze(group, false));
	WAIT_FOR(!process_runs(crew.pid[0]));
}
END_TEST

START_TEST(a_frozen_supervisor_kills_nobody_for_it)
{
	const char *group = cgroup_make("freezer");
	struct crew before, after;

	SKIP_UNLESS(group, "no writable freezer control group");
	config("[pool:web]\nmax_workers = 3\ntimeout = 400ms\nready = scoreboard\n"
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(file_count("got", " ready ") == 3 && present_of("web") == 3);
	before = crew_of("web");
	ck_assert(cgroup_set(group, "cgroup.procs", "%d", (int)daemon_pid()));
	/* with one of its workers, the second time */
	for (int i = 0; i < 2; i++) {
		nap_ms(100);
		ck_assert(cgroup_freeze(group, true));
		nap_ms(long_or_short(60000, 1500));
		ck_assert(cgroup_freeze(group, false));
		HOLDS_FOR(1000, crew_left(&before) == 3);
		ck_assert(cgroup_set(group, "cgroup.procs", "%d", (int)before.pid[0]));
	}
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	ck_assert_int_eq(file_count("got", "\n"), 3);
	EXPECT_STOP();
}
END_TEST

/* --- the children of others --- */

#define STOP_TIMEOUT_MS 500

START_TEST(no_child_of_a_worker_outlives_the_stop)
{
	config("[pool:web]\nmax_workers = 2\nstop_timeout = %dms\n"
	       "command = @worker@ %s stay signals @dir@/got\n",
		STOP_TIMEOUT_MS, _i ? "fork-child setsid fork-child setsid" : "fork-child");
	daemon_start();
	WAIT_FOR(file_count("got", " ready ") == 2);
	WAIT_FOR(process_family() == (_i ? 7 : 5));
	int64_t began = now_ms();

	daemon_kill(SIGTERM);
	WAIT_FOR(process_family() == 0);
	ck_assert_int_le(now_ms() - began, STOP_TIMEOUT_MS + slow_ms(1000));
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("faults");
	TCase *killed = harness_case(suite, "killed");
	TCase *deaf = harness_case(suite, "deaf and frozen");

	tcase_add_test(killed, a_replacement_is_as_fast_as_a_bare_loop);
	tcase_add_test(killed, every_exit_is_counted);
	tcase_add_test(killed, status_answers_without_descriptors);
	tcase_add_loop_test(killed, what_cannot_be_executed_for_a_while_is_waited_for, 0, 2);
	tcase_add_test(killed, starts_without_most_of_dev);
	tcase_add_test(killed, who_is_killed_for_its_memory_is_replaced_alone);
	tcase_add_test(deaf, kill_comes_when_it_was_announced);
	tcase_add_test(deaf, the_frozen_hold_up_no_stop);
	tcase_add_test(deaf, a_frozen_supervisor_kills_nobody_for_it);
	tcase_add_loop_test(deaf, no_child_of_a_worker_outlives_the_stop, 0, 2);
	return harness_main(suite);
}
