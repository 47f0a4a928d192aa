/*
 * Places for logs in every kind of trouble: workers go on writing without waiting, what is lost is
 * counted, and what can be written again is. PREFORKD_TEST_LONG=1: more of it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "rolling_pool.h"

#define BLOCKED_MS 100
#define LINES      2000

static const char *const no_arguments[] = {NULL};

static bool mount_small(void)
{
	mkdir(path_of("small"), 0777);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", path_of("small"), "tmpfs", 0, "size=64k") == 0;
}

static bool make_read_only(bool read_only)
{
	return mount(NULL, path_of("small"), NULL, MS_REMOUNT | (read_only ? MS_RDONLY : 0),
		       "size=64k") == 0;
}

static long status_number(const char *key)
{
	char named[64];
	const char *at;

	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "status", "--json"), 0);
	snprintf(named, sizeof(named), "\"%s\":", key);
	at = strstr(file_text("run.out"), named);
	ck_assert_ptr_nonnull(at);
	return strtol(at + strlen(named), NULL, 10);
}

/* --- nobody waits --- */

enum trouble { NO_SPACE, FULL_DISK, NO_FOLDER, NOBODY_READS };
#define TROUBLES 4

static const char *place_of(enum trouble trouble)
{
	switch (trouble) {
	case NO_SPACE: return "/dev/full";
	case FULL_DISK: return path_of("small/made");
	case NO_FOLDER: return path_of("folder/made");
	case NOBODY_READS: return path_of("fifo");
	}
	return NULL;
}

static bool prepare(enum trouble trouble)
{
	switch (trouble) {
	case NO_SPACE: return true;
	case FULL_DISK: return geteuid() == 0 && mount_small();
	case NO_FOLDER: return mkdir(path_of("folder"), 0755) == 0;
	case NOBODY_READS:
		/* open, so that it can be opened for writing; not read */
		return mkfifo(path_of("fifo"), 0600) == 0 &&
		       open(path_of("fifo"), O_RDWR | O_NONBLOCK | O_CLOEXEC) >= 0;
	}
	return false;
}

static void begin(enum trouble trouble)
{
	if (trouble == NO_FOLDER) {
		ck_assert_int_eq(unlink(path_of("folder/made")), 0);
		ck_assert_int_eq(rmdir(path_of("folder")), 0);
	}
}

static long longest_ms(int workers)
{
	const char *line;
	long longest_us = 0;

	WAIT_FOR_WITHIN(30000, file_count("took", "\n") == workers);
	line = file_text("took");
	for (int i = 0; i < workers; i++, line = strchr(line, '\n') + 1)
		longest_us = atol(line) > longest_us ? atol(line) : longest_us;
	return longest_us / 1000;
}

/* By a file of its own, and by the supervisor's log, which is in trouble, too. */
static void configure(const char *place, bool by_log)
{
	config("%s%s%s[pool:web]\nmax_workers = 2\nstdout = %s\nstop_timeout = 200ms\n"
	       "command = %s await @dir@/go print %d 200 @dir@/took\n",
		by_log ? "log_file = " : "", by_log ? place : "", by_log ? "\n" : "",
		by_log ? "log" : place, worker_beside("fault_worker"), LINES);
}

static long round_in_trouble(enum trouble trouble, bool by_log)
{
	long longest;

	configure(place_of(trouble), by_log);
	daemon_start_as(NULL, no_arguments);
	WAIT_FOR(worker_count() == 2 && status_number("live") == 2);
	nap_ms(slow_ms(50));
	begin(trouble);
	file_write("go", "%s", "");
	longest = longest_ms(2);
	ck_assert(daemon_alive());
	if (trouble == NO_FOLDER)
		daemon_kill(SIGUSR1); /* or it is found out by and by */
	else if (by_log)
		WAIT_FOR(status_number("log_lines_lost") > 0);
	else
		WAIT_FOR(log_has("of workers lost: "));
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	unlink(path_of("took"));
	unlink(path_of("go"));
	return longest;
}

/* On a machine that is busy with other things any write may take long; not three times in a row. */
START_TEST(no_worker_waits_for_a_log_in_trouble)
{
	enum trouble trouble = (enum trouble)(_i % TROUBLES);
	long longest = BLOCKED_MS;

	SKIP_UNLESS(prepare(trouble), "no mounts of its own");
	for (int i = 0; i < 3 && longest >= slow_ms(BLOCKED_MS); i++) {
		longest = round_in_trouble(trouble, _i >= TROUBLES);
		if (trouble == NO_FOLDER)
			mkdir(path_of("folder"), 0755);
	}
	ck_assert_msg(longest < slow_ms(BLOCKED_MS), "a write took %ld ms", longest);
}
END_TEST

/* --- written again --- */

/* Full, then emptied: without being asked to reopen anything, the next lines are there. */
START_TEST(a_log_is_written_again_when_it_can_be)
{
	bool by_log = _i;
	int64_t mended;

	SKIP_UNLESS(prepare(FULL_DISK), "no mounts of its own");
	config("%s[pool:web]\nmax_workers = 1\nstdout = %s\nstop_timeout = 200ms\n" QUICK
	       "command = @worker@ print-forever\n",
		by_log ? "log_file = @dir@/small/made\n" : "",
		by_log ? "log" : path_of("small/made"));
	daemon_start();
	WAIT_FOR(file_size("small/made") > 50000); /* full */
	nap_ms(100);
	ck_assert_int_eq(unlink(path_of("small/made")), 0);
	mended = now_ms();
	WAIT_FOR_WITHIN(
		11000, by_log ? file_has("small/made", "lost") : file_size("small/made") > 0);
	ck_assert_int_le(now_ms() - mended, slow_ms(11000));
	EXPECT_STOP();
}
END_TEST

/* Read-only when the workers start, writable a moment later. */
START_TEST(a_read_only_place_is_waited_for)
{
	SKIP_UNLESS(prepare(FULL_DISK), "no mounts of its own");
	ck_assert(make_read_only(true));
	config("[pool:web]\nmax_workers = 1\nstdout = @dir@/small/made\n" QUICK
	       "command = @worker@ talk signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(log_has("Read-only file system") && file_has("got", " ready "));
	ck_assert(make_read_only(false));
	WAIT_FOR_WITHIN(11000,
		(kill(worker_any(), SIGUSR2), nap_ms(20), file_has("small/made", "got USR2\n")));
	/* and the supervisor's own says why not */
	EXPECT_STOP();
	ck_assert(make_read_only(true));
	config("log_file = @dir@/small/log\n[pool:web]\nmax_workers = 2\ncommand = @worker@\n");
	daemon_start();
	EXPECT_EXIT(73);
}
END_TEST

/* --- what is in lines --- */

START_TEST(bytes_of_every_kind_are_kept_in_lines)
{
	static const char *const words[] = {"before", "after", "first byte", "last byte"};
	const char *name = _i ? "web.out" : "log";

	config("[pool:web]\nmax_workers = 1\nstdout = %s\ncommand = %s nul-lines\n",
		_i ? "@dir@/web.out" : "log", worker_beside("fault_worker"));
	daemon_start();
	WAIT_FOR(worker_count() == 1 && file_size(name) > 30);
	nap_ms(50);
	char command[PATH_MAX + 64];

	for (int i = 0; i < 4; i++) {
		snprintf(command, sizeof(command), "grep -qa '%s' '%s'", words[i],
			path_of("%s", name));
		ck_assert_msg(system(command) == 0, "%s is not in it", words[i]);
	}
	EXPECT_STOP();
}
END_TEST

/* --- a flood --- */

START_TEST(a_flood_into_nowhere_needs_no_memory)
{
	long resident_kib;

	ck_assert(prepare(NOBODY_READS));
	config("log_file = @dir@/fifo\n[pool:a]\nmax_workers = 2\nstdout = log\n"
	       "command = @worker@ print-forever\nstop_timeout = 200ms\n"
	       "[pool:b]\nmax_workers = 2\nstdout = @dir@/fifo\nstop_timeout = 200ms\n"
	       "command = %s print 1000000 100000 /dev/null\n",
		worker_beside("fault_worker"));
	daemon_start();
	WAIT_FOR(worker_count() == 4);
	nap_ms(slow_ms(500));
	resident_kib = process_resident_kib(daemon_pid());
	for (int i = 0; i < long_or_short(60, 3); i++) {
		int64_t began = now_ms();

		ck_assert_int_ge(status_number("log_lines_lost"), 0); /* it answers */
		ck_assert_int_lt(now_ms() - began, slow_ms(1000));
		nap_ms(500);
	}
	ck_assert(is_as_big(daemon_pid(), resident_kib + 4096));
	EXPECT_STOP();
}
END_TEST

/* --- descriptors that we share with workers --- */

static int shared[2];

static void share_descriptors(void)
{
	if (dup2(shared[1], STDOUT_FILENO) < 0 || dup2(shared[1], STDERR_FILENO) < 0)
		_exit(125);
}

static bool make_terminal(void)
{
	shared[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (shared[0] < 0 || grantpt(shared[0]) < 0 || unlockpt(shared[0]) < 0)
		return false;
	shared[1] = open(ptsname(shared[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	return shared[1] >= 0;
}

static size_t drain(void)
{
	char bytes[65536];
	size_t all = 0;
	ssize_t got;

	fcntl(shared[0], F_SETFL, O_NONBLOCK);
	while ((got = read(shared[0], bytes, sizeof(bytes))) > 0)
		all += (size_t)got;
	return all;
}

/* Workers fill what they share with us, made non-blocking by them, and exit; nobody reads. */
START_TEST(a_full_non_blocking_output_makes_nobody_spin)
{
	int64_t before_ms;

	ck_assert(_i ? make_terminal() : pipe2(shared, O_CLOEXEC) == 0);
	config("[pool:web]\nmax_workers = 2\nmin_uptime = 20ms\nerr_respawn_interval = 20ms\n"
	       "command = %s nonblock print 3000 100 /dev/null exit-after 300 exit 0\n",
		worker_beside("fault_worker"));
	daemon_start_as(share_descriptors, no_arguments);
	WAIT_FOR(worker_count() == 2);
	nap_ms(slow_ms(300));
	before_ms = process_cpu_ms(daemon_pid());
	nap_ms(1500);
	ck_assert_int_lt(process_cpu_ms(daemon_pid()) - before_ms, slow_ms(150));
	ck_assert_uint_gt(drain(), 1000);
	nap_ms(700);
	ck_assert_uint_gt(drain(), 10); /* it goes on telling */
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("logs in trouble");
	TCase *waits = harness_case(suite, "nobody waits");
	TCase *content = harness_case(suite, "content");

	tcase_add_loop_test(waits, no_worker_waits_for_a_log_in_trouble, 0, 2 * TROUBLES);
	tcase_add_loop_test(waits, a_log_is_written_again_when_it_can_be, 0, 2);
	tcase_add_test(waits, a_read_only_place_is_waited_for);
	tcase_add_loop_test(waits, a_full_non_blocking_output_makes_nobody_spin, 0, 2);
	tcase_add_loop_test(content, bytes_of_every_kind_are_kept_in_lines, 0, 2);
	tcase_add_test(content, a_flood_into_nowhere_needs_no_memory);
	return harness_main(suite);
}
