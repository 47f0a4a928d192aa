#ifndef PREFORKD_TESTS_HARNESS_H
#define PREFORKD_TESTS_HARNESS_H
/*
 * For tests that drive the real preforkd from outside: every test has a folder, a configuration in
 * it and mostly one supervisor. Whatever a test leaves behind, also when it fails, crashes or runs
 * out of time, a janitor ends and removes; of a test that failed it shows the log first.
 *
 *	START_TEST(keeps_its_number)
 *	{
 *		config("[pool:web]\ncommand = @worker@\nmax_workers = 3\n");
 *		daemon_start();
 *		WAIT_FOR(worker_count() == 3);
 *		daemon_kill(SIGTERM);
 *		EXPECT_EXIT(0);
 *	}
 *
 * Environment: PREFORKD (the program), TESTWORKER, PREFORKD_TEST_SLOWNESS (a factor for every
 * limit, for sanitizers and valgrind), PREFORKD_TEST_KEEP (folders stay), CK_RUN_CASE and others of
 * Check's own. File names that are not absolute are in the test's folder. Strings that are returned
 * are valid until the next few calls of the same function.
 */
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MANY_WORKERS 1200 /* the most that workers() can tell */

/* The suite's frame: main() returns harness_main(suite). */
int harness_main(Suite *suite);
/* A case with the folder made before and removed after each of its tests. */
TCase *harness_case(Suite *suite, const char *name);

/* The test cannot be done on this machine: says why, and ends as passed. */
#define SKIP_UNLESS(condition, reason)                                                             \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			harness_skipped(reason);                                                   \
			return;                                                                    \
		}                                                                                  \
	} while (0)
void harness_skipped(const char *reason);

/* The same for what is promised, but comes with a later version: the program itself says so, of the
 * configuration as it is now, or in the file of its output. The test begins to count by itself. */
#define SKIP_IF_LATER() SKIP_UNLESS(!config_is_later(), "not available in this version")
#define SKIP_IF_SAID_LATER(file)                                                                   \
	SKIP_UNLESS(!file_has(file, "not available in this version"), "not in this version")
bool config_is_later(void);

/* A user (and group) whom no other test runs processes as, also not one that runs beside this. */
uid_t lonely_user(void);

/* Waiting: looks every 2 ms, fails after a limit that is far off (20 s), or soon after the
 * supervisor's end, since then nothing more will come. */
#define WAIT_FOR(condition) WAIT_FOR_WITHIN(20000, condition)
#define WAIT_FOR_WITHIN(ms, condition)                                                             \
	do {                                                                                       \
		int64_t until_ = now_ms() + slow_ms(ms);                                           \
		while (!(condition)) {                                                             \
			ck_assert_msg(now_ms() < until_, "waited in vain for: %s", #condition);    \
			until_ = harness_nap(until_);                                              \
		}                                                                                  \
	} while (0)
/* It stays true for so long. */
#define HOLDS_FOR(ms, condition)                                                                   \
	do {                                                                                       \
		int64_t until_ = now_ms() + (ms);                                                  \
		while (now_ms() < until_) {                                                        \
			ck_assert_msg(condition, "did not stay true: %s", #condition);             \
			nap_ms(2);                                                                 \
		}                                                                                  \
	} while (0)
int64_t now_ms(void); /* CLOCK_MONOTONIC */
void nap_ms(int64_t ms);
int64_t slow_ms(int64_t ms); /* times the machine's slowness */
int64_t harness_nap(int64_t until);

/* --- files (harness_files.c) --- */
const char *test_folder(void);
const char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *worker_program(void);
const char *preforkd_program(void);
void file_write(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool file_exists(const char *name);
off_t file_size(const char *name);       /* -1: not there */
const char *file_text(const char *name); /* "" when it is not there */
bool file_has(const char *name, const char *part);
int file_count(const char *name, const char *part);
/* What follows `start` in the first line that begins with it, or NULL. */
const char *file_value(const char *name, const char *start);
long file_number(const char *name); /* the decimal number it begins with, 0 when there is none */

/* Writes app.ini: [preforkd] with a runtime_dir, then the text, which may go on with keys of that
 * section. @worker@ and @dir@ in it are replaced. */
void config(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The supervisor's standard error, "log" in the folder. */
#define log_has(part)   file_has("log", part)
#define log_count(part) file_count("log", part)

/* --- the supervisor (harness.c) --- */
/* Runs `preforkd -c app.ini [argument...]` and remembers it; standard output goes to "out". */
void daemon_start(void);
#define daemon_start_with(...) daemon_start_as(NULL, (const char *const[]){__VA_ARGS__, NULL})
/* The same: prepare() is called in the child right before exec. */
void daemon_start_as(void (*prepare)(void), const char *const arguments[]);
pid_t daemon_pid(void);
/* Takes another process for the supervisor from now on (one that went into the background). */
void daemon_is(pid_t pid);
void daemon_kill(int signal_number);
bool daemon_alive(void);
/* Waits for its end: the exit status, 128 + the signal that ended it, or -1. */
int daemon_wait(void);
#define EXPECT_EXIT(status)                                                                        \
	do {                                                                                       \
		ck_assert_int_eq(daemon_wait(), status);                                           \
		WAIT_FOR_WITHIN(1000, process_left() == 0);                                        \
	} while (0)
/* TERM, status 0 and nothing left. */
#define EXPECT_STOP()                                                                              \
	do {                                                                                       \
		daemon_kill(SIGTERM);                                                              \
		EXPECT_EXIT(0);                                                                    \
	} while (0)
/* Runs `preforkd ARGUMENT...` to its end: the exit status; output in "run.out", "run.err". */
#define preforkd_run(...) preforkd_run_as(NULL, (const char *const[]){__VA_ARGS__, NULL})
int preforkd_run_as(void (*prepare)(void), const char *const arguments[]);
/* Starts any program, output in "NAME.out" and "NAME.err"; ended with the test. */
pid_t program_start(const char *name, void (*prepare)(void), const char *const argv[]);
int program_wait(pid_t pid); /* as daemon_wait() */

/* --- processes (harness_proc.c) --- */
/* The workers: children of the supervisor that have executed their program (hooks are not). */
int workers(pid_t pids[MANY_WORKERS]);
int worker_count(void);
int worker_count_of(const char *pool);
pid_t worker_any(void); /* one of them, waits for it */
/* The pid that the supervisor wrote into a slot of the scoreboard, 0: none. */
pid_t board_pid(const char *pool, int slot);
pid_t worker_of(const char *pool, int slot); /* the same, waits for it */
char board_byte(const char *pool, int slot, int at);
bool process_runs(pid_t pid);  /* there, and no zombie */
char process_state(pid_t pid); /* 'R', 'S', 'T', 'Z', ...; 0: not there */
int process_children(pid_t parent, pid_t pids[MANY_WORKERS]); /* zombies too */
int process_zombies(void);                                    /* among the supervisor's children */
int process_family(void); /* all that run because of the test, the supervisor too */
int process_left(void);   /* our own children, but for the janitor; zombies are reaped */
int process_descriptors(pid_t pid);
int64_t process_cpu_ms(pid_t pid); /* user and system */
long process_resident_kib(pid_t pid);

/* --- the network (harness_net.c) --- */
int free_port(void);
int port_connect(int port);  /* a connected socket to 127.0.0.1, or -1 */
int port6_connect(int port); /* to ::1 */
/* "@NAME" is an abstract one. */
int unix_connect(const char *path, int type);
/* One request, one answer: the body (the worker's "PID SLOT"), or NULL. */
const char *http_get(int port, const char *path);
const char *http_exchange(int fd, const char *path); /* closes fd */

/* --- control groups of either version (harness_files.c) --- */
/* Makes a group for this test: its folder, or NULL where that cannot be. Removed with the test. */
const char *cgroup_make(const char *controller);
bool cgroup_set(const char *group, const char *file, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool cgroup_freeze(const char *group, bool frozen);

#endif
