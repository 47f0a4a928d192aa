/* Hostile workers at the scoreboard, as our own user and as another one: whatever they do to the
 * file as fast as they can, the supervisor lives, is never above max_workers nor below min_spare,
 * starts and retires no faster than its rules allow to anybody, says what happened without a
 * flood, and has put all right once they rest. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dynamic_pool.h"

#define MAX_WORKERS     8
#define MIN_SPARE       2
#define MAX_SPARE       3
#define IDLE_TIMEOUT_MS 200

/* For how long harm is done. */
static int harm_ms(void)
{
	return getenv("PREFORKD_TEST_LONG") ? 20000 : 700;
}

static void start(const char *keys, const char *harm)
{
	config("[pool:web]\n" QUICK "max_workers = %d\nmin_spare_workers = %d\n"
	       "max_spare_workers = %d\nidle_timeout = %dms\nstop_timeout = 1s\n%s"
	       "command = %s %s\n",
		MAX_WORKERS, MIN_SPARE, MAX_SPARE, IDLE_TIMEOUT_MS, keys,
		worker_named("board_worker"), harm);
	daemon_start();
	WAIT_FOR(worker_count() >= MIN_SPARE);
}

/* Whatever they claim, a retirement takes a surplus that has lasted idle_timeout, and a start a
 * place that a retirement made free. */
static void expect_caps(int64_t began)
{
	int64_t periods = (now_ms() - began) / IDLE_TIMEOUT_MS + 1;

	ck_assert_int_le(retirements(), periods * (MAX_WORKERS - MAX_SPARE));
	ck_assert_int_le(starts(), MAX_WORKERS + retirements());
	ck_assert_int_le(log_count("harmed: "), (now_ms() - began) / 1000 + 2);
	ck_assert_int_le(log_count("cannot be "), (now_ms() - began) / 1000 + 2);
}

static void endure(int64_t began)
{
	int descriptors = process_descriptors(daemon_pid());

	HOLDS_FOR(harm_ms(),
		daemon_alive() && worker_count() <= MAX_WORKERS && worker_count() >= MIN_SPARE);
	expect_caps(began);
	/* a pidfd for each worker, and a second scoreboard while the first is without a name */
	ck_assert_int_le(process_descriptors(daemon_pid()), descriptors + MAX_WORKERS + 4);
	/* it has time for other things */
	daemon_kill(SIGUSR1);
	WAIT_FOR(log_has("reopen"));
}

static bool all_is_right(void)
{
	struct stat st;
	int living = worker_count();

	return living >= MIN_SPARE && living <= MAX_SPARE &&
	       lstat(path_of("run/web.scoreboard"), &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & 07777) == 0644 && st.st_size == (off_t)MAX_WORKERS * LINE &&
	       in_state('_') == living && in_state('.') == MAX_WORKERS - living &&
	       lines_with(2, ' ') == MAX_WORKERS && lines_with(63, '\n') == MAX_WORKERS;
}

static void expect_peace(void)
{
	file_write("rest", "%s", "");
	WAIT_FOR(all_is_right());
	EXPECT_STOP();
	ck_assert(!file_exists("run/web.scoreboard"));
}

static const struct {
	const char *harm;
	bool is_seen; /* the file as a whole is harmed, or our bytes of it */
} kinds[] = {
	{"noise @dir@", true},
	{"claim @dir@ _", true},
	{"claim @dir@ A", true},
	{"claim @dir@ _.A", true},
	{"resize @dir@", true},
	{"modes @dir@", true},
};
#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

START_TEST(our_own_user_harms_the_file)
{
	int64_t began = now_ms();

	start("", kinds[_i].harm);
	endure(began);
	ck_assert(!kinds[_i].is_seen || log_has("harmed: "));
	expect_peace();
}
END_TEST

START_TEST(another_user_harms_the_file)
{
	int64_t began = now_ms();

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	start("user = nobody\n", kinds[_i].harm);
	endure(began);
	ck_assert(!kinds[_i].is_seen || log_has("harmed: "));
	expect_peace();
}
END_TEST

START_TEST(our_own_user_harms_the_name)
{
	int64_t began = now_ms();

	start("",
		"names @dir@\n[signals]\nUSR1 = reopen\nUSR2 = resume\nWINCH = drain\nTERM = stop");
	endure(began);
	ck_assert(log_has("harmed: "));
	file_write("rest", "%s", "");
	/* a file that lost its last name is left behind with those that have it open */
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	daemon_kill(SIGUSR2);
	expect_peace();
}
END_TEST

START_TEST(another_user_cannot_harm_the_name)
{
	struct stat before, after;
	int64_t began = now_ms();

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	start("user = nobody\n", "names @dir@");
	ck_assert_int_eq(lstat(path_of("run/web.scoreboard"), &before), 0);
	endure(began);
	ck_assert_int_eq(lstat(path_of("run/web.scoreboard"), &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert(!log_has("harmed: "));
	expect_peace();
}
END_TEST

/* Signals go to the supervisor's own children only, whatever pids the scoreboard names. */
START_TEST(a_pid_on_the_scoreboard_is_signalled_by_nobody)
{
	const char *const argv[] = {
		worker_program(), "stay", "signals", path_of("victim.got"), NULL};
	pid_t victim = program_start("victim", NULL, argv);
	char harm[64];
	int64_t began = now_ms();

	WAIT_FOR(file_has("victim.got", "ready"));
	snprintf(harm, sizeof(harm), "victim @dir@ %d", (int)victim);
	start("request_timeout = 100ms\nsignal_group = yes\n", harm);
	HOLDS_FOR(harm_ms(), worker_count() <= MAX_WORKERS);
	for (int i = 0; i < 3; i++) {
		daemon_kill(SIGTTOU);
		nap_ms(20);
	}
	daemon_kill(SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	expect_caps(began);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	ck_assert(process_runs(victim));
	ck_assert_int_eq(file_count("victim.got", "\n"), 1);
	kill(victim, SIGKILL);
	program_wait(victim);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("harm to the scoreboard");
	TCase *own = harness_case(suite, "own user");
	TCase *other = harness_case(suite, "other user");

	tcase_add_loop_test(own, our_own_user_harms_the_file, 0, KINDS);
	tcase_add_test(own, our_own_user_harms_the_name);
	tcase_add_test(own, a_pid_on_the_scoreboard_is_signalled_by_nobody);
	tcase_add_loop_test(other, another_user_harms_the_file, 0, KINDS);
	tcase_add_test(other, another_user_cannot_harm_the_name);
	return harness_main(suite);
}
