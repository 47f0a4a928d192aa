/*
 * Children that nobody started here, as real processes: none is left a zombie, none of our own
 * loses its status, and whoever is not our child is left alone.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger.h"
#include "strangers.h"
#include "test_files.h"
#include "test_main.h"

#define KNOWN_MAX 4

static struct {
	struct test_dir dir;
	struct strangers strangers;
	pid_t known[KNOWN_MAX];
	int known_count, asked;
} it;

static bool is_known(void *context, pid_t pid)
{
	ck_assert_ptr_eq(context, &it);
	it.asked++;
	for (int i = 0; i < it.known_count; i++)
		if (it.known[i] == pid)
			return true;
	return false;
}

static void setup(void)
{
	struct logger_settings settings = {.level = LOG_LEVEL_DEBUG};

	test_dir_make(&it.dir);
	settings.target = test_path(&it.dir, "log");
	ck_assert_int_eq(logger_open(&settings, NULL), 0);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
}

static void teardown(void)
{
	strangers_forget(&it.strangers);
	logger_close();
	test_dir_remove(&it.dir);
}

static bool is_logged(const char *text)
{
	static char log[1 << 16];

	test_read_file(test_path(&it.dir, "log"), log, sizeof(log));
	return strstr(log, text) != NULL;
}

/* A child that has ended, and is a zombie now. */
static pid_t ended_child(int status)
{
	siginfo_t info;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(status);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

/* A child that lives until it is killed, under a name. */
static pid_t living_child(const char *name)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_NAME, name);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "x", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static bool is_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* KILL takes a moment: every process that was killed ends without our help. */
static void kill_all_strangers(void)
{
	while (strangers_kill(&it.strangers, is_known, &it) > 0)
		usleep(1000);
}

START_TEST(no_children_no_work)
{
	ck_assert(strangers_reap(is_known, &it));
	ck_assert_int_eq(strangers_kill(&it.strangers, is_known, &it), 0);
	ck_assert_int_eq(it.asked, 0);
}
END_TEST

START_TEST(the_dead_are_reaped)
{
	pid_t pid[20];

	for (int i = 0; i < 20; i++)
		pid[i] = ended_child(i);
	ck_assert(strangers_reap(is_known, &it));
	for (int i = 0; i < 20; i++)
		ck_assert(!is_child(pid[i]));
	ck_assert(is_logged("reaped the orphan"));
}
END_TEST

START_TEST(our_own_keep_their_status)
{
	siginfo_t info;
	pid_t stranger;

	it.known[it.known_count++] = ended_child(42);
	stranger = ended_child(1);
	ck_assert(!strangers_reap(is_known, &it));
	ck_assert(is_child(it.known[0]));
	ck_assert_int_eq(waitid(P_PID, (id_t)it.known[0], &info, WEXITED), 0);
	ck_assert_int_eq(info.si_status, 42);
	ck_assert(strangers_reap(is_known, &it));
	ck_assert(!is_child(stranger));
}
END_TEST

START_TEST(the_living_are_not_waited_for)
{
	pid_t pid = living_child("alive");

	ck_assert(strangers_reap(is_known, &it));
	ck_assert(is_child(pid));
	kill_all_strangers();
	ck_assert(!is_child(pid));
}
END_TEST

/* The name in /proc may look like anything. */
static const char *const names[] = {
	"plain", "a b", ") S 1", "(((", "))) R 0 0", "x\ny", "", "%s%n"};

START_TEST(what_is_left_behind_is_killed_by_any_name)
{
	pid_t pid = living_child(names[_i]);

	it.known[it.known_count++] = living_child(names[_i]);
	ck_assert_int_eq(kill(it.known[0], 0), 0);
	kill_all_strangers();
	ck_assert(!is_child(pid));
	ck_assert(is_logged("left behind by a worker"));
	ck_assert(is_child(it.known[0]));
	ck_assert_int_eq(kill(it.known[0], SIGKILL), 0);
	ck_assert_int_eq(waitpid(it.known[0], NULL, 0), it.known[0]);
}
END_TEST

/* A child of a child is none of ours until it is an orphan. */
START_TEST(grandchildren_come_to_us_by_and_by)
{
	int line[2];
	pid_t child, grandchild;

	ck_assert_int_eq(pipe(line), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		grandchild = living_child("grandchild");
		prctl(PR_SET_PDEATHSIG, 0);
		if (write(line[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(line[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	it.known[it.known_count++] = child;
	ck_assert_int_eq(strangers_kill(&it.strangers, is_known, &it), 0);
	ck_assert_int_eq(kill(grandchild, 0), 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	it.known_count = 0;
	kill_all_strangers();
	while (kill(grandchild, 0) == 0)
		strangers_reap(is_known, &it);
	ck_assert_int_eq(errno, ESRCH);
}
END_TEST

/* A script that became the supervisor may have left children of its own. */
START_TEST(who_was_there_before_us_may_stay)
{
	pid_t before[3], after;

	for (int i = 0; i < 3; i++)
		before[i] = living_child("before");
	strangers_find(&it.strangers);
	ck_assert_uint_eq(it.strangers.count, 3);
	after = living_child("after");
	kill_all_strangers();
	ck_assert(!is_child(after));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(kill(before[i], SIGKILL), 0);
		while (is_child(before[i]))
			strangers_reap(is_known, &it);
	}
	strangers_forget(&it.strangers);
	strangers_find(&it.strangers);
	ck_assert_uint_eq(it.strangers.count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("strangers");
	TCase *tests = tcase_create("strangers");

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, no_children_no_work);
	tcase_add_test(tests, the_dead_are_reaped);
	tcase_add_test(tests, our_own_keep_their_status);
	tcase_add_test(tests, the_living_are_not_waited_for);
	tcase_add_loop_test(tests, what_is_left_behind_is_killed_by_any_name, 0,
		sizeof(names) / sizeof(names[0]));
	tcase_add_test(tests, grandchildren_come_to_us_by_and_by);
	tcase_add_test(tests, who_was_there_before_us_may_stay);
	return test_main(suite);
}
