#ifndef PREFORKD_TESTS_ROLLING_POOL_H
#define PREFORKD_TESTS_ROLLING_POOL_H
/*
 * What tests of rolling ask again and again of the pool `web`. A worker's age counts as proof after
 * 20 ms (QUICK), so that a reload is as fast as its workers are.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define QUICK "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"

/* As the log tells. */
#define reloads_done()      log_count(" reload done in ")
#define reloads_failed()    log_count(" reload failed, ")
#define reconfigures_done() log_count(" reconfigure done in ")

/* Short, or as long as the promise with PREFORKD_TEST_LONG=1. */
static inline int long_or_short(int long_form, int short_form)
{
	return getenv("PREFORKD_TEST_LONG") ? long_form : short_form;
}

/* The supervisor has no more descriptors than before; if it has, which ones it has. */
static inline void expect_descriptors(int count)
{
	int64_t until = now_ms() + slow_ms(20000);
	char command[64];

	while (process_descriptors(daemon_pid()) > count && now_ms() < until)
		nap_ms(2);
	if (process_descriptors(daemon_pid()) <= count)
		return;
	snprintf(command, sizeof(command), "ls -l /proc/%d/fd >&2", (int)daemon_pid());
	if (system(command) != 0)
		fprintf(stderr, "cannot list them\n");
	ck_abort_msg("%d descriptors, not only %d", process_descriptors(daemon_pid()), count);
}

/* Is it as big as it was? Under sanitizers, whose quarantine grows, they tell of leaks themselves.
 */
static inline bool is_as_big(pid_t pid, long resident_kib)
{
	long slack_kib = slow_ms(1000) > 1000 ? 256 * 1024 : 1024;

	return process_resident_kib(pid) <= resident_kib + slack_kib;
}

/* Without those that it opens for a moment. */
static inline int steady_descriptors(pid_t pid)
{
	int least = process_descriptors(pid);

	for (int i = 0; i < 20; i++) {
		int now = process_descriptors(pid);

		least = now < least ? now : least;
		nap_ms(2);
	}
	return least;
}

/* A worker that lies beside testworker. */
static inline const char *worker_beside(const char *name)
{
	static char path[2][PATH_MAX];
	static int next;

	next ^= 1;
	snprintf(path[next], PATH_MAX, "%s", worker_program());
	snprintf(strrchr(path[next], '/'), 64, "/%s", name);
	return path[next];
}

/* So many that have written a state and are not asked to leave. */
static inline int serving_of(const char *pool)
{
	char name[64];
	int count = 0;

	snprintf(name, sizeof(name), "run/%s.scoreboard", pool);
	const char *line = file_text(name);

	for (size_t left = strlen(line); left >= 64; left -= 64, line += 64)
		count += line[3] != ' ' && line[0] != '.' && line[2] != 'R';
	return count;
}

#define serving() serving_of("web")

static inline int present_of(const char *pool)
{
	char name[64];
	int count = 0;

	snprintf(name, sizeof(name), "run/%s.scoreboard", pool);
	const char *line = file_text(name);

	for (size_t left = strlen(line); left >= 64; left -= 64, line += 64)
		count += line[3] != ' ';
	return count;
}

#define present() present_of("web")

/* examples/hello as any other worker, without sanitizers. */
static inline const char *hello_program(void)
{
	return worker_beside("hello_worker");
}

/* In the place of workers that never write a state: all of them are idle. */
static inline void say_ready(const char *pool)
{
	int fd = open(path_of("run/%s.scoreboard", pool), O_RDWR | O_CLOEXEC);
	char line[64];

	for (off_t at = 0; pread(fd, line, sizeof(line), at) == sizeof(line); at += 64) {
		if (line[3] != ' ' && line[0] == '.')
			ck_assert_int_eq(pwrite(fd, "_", 1, at), 1);
	}
	close(fd);
}

/* The pool's workers as they are now. */
struct crew {
	pid_t pid[64];
	int count;
};

static inline struct crew crew_of(const char *pool)
{
	struct crew crew = {.count = 0};
	char name[64];

	snprintf(name, sizeof(name), "run/%s.scoreboard", pool);
	for (off_t slot = 0; slot < file_size(name) / 64 && crew.count < 64; slot++)
		if (board_pid(pool, (int)slot) > 1)
			crew.pid[crew.count++] = board_pid(pool, (int)slot);
	return crew;
}

static inline bool is_in_crew(pid_t pid, const struct crew *crew)
{
	for (int i = 0; i < crew->count; i++)
		if (crew->pid[i] == pid)
			return true;
	return false;
}

/* How many of them are still there. */
static inline int crew_left(const struct crew *crew)
{
	int left = 0;

	for (int i = 0; i < crew->count; i++)
		left += process_runs(crew->pid[i]);
	return left;
}

static inline bool same_crew(const struct crew *a, const struct crew *b)
{
	int same = 0;

	for (int i = 0; i < a->count; i++)
		same += is_in_crew(a->pid[i], b);
	return a->count == b->count && same == a->count;
}

/* One reload, to its good end. */
static inline void reload_well(void)
{
	int before = reloads_done();

	daemon_kill(SIGHUP);
	WAIT_FOR(reloads_done() > before);
}

static inline void reload_badly(void)
{
	int before = reloads_failed();

	daemon_kill(SIGHUP);
	WAIT_FOR(reloads_failed() > before);
}

#endif
