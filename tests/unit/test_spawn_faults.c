/* Starting processes when something cannot be done: it is reported with its step and reason. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "identity.h"
#include "spawn_fixture.h"
#include "test_main.h"

static volatile sig_atomic_t children;
static char not_executable[] = "/tmp/test_spawn.XXXXXX";

static void fails_with(const char *step, int error)
{
	struct spawned spawned = start();
	struct spawn_report report;
	int status = end_of(&spawned);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 127);
	ck_assert(spawn_reports_read(&reports, &report));
	ck_assert_int_eq(report.pid, spawned.pid);
	ck_assert_str_eq(spawn_step_name(report.step), step);
	ck_assert_msg(report.error == error, "%s: %s, not %s", step, strerror(report.error),
		strerror(error));
	ck_assert(!spawn_reports_read(&reports, &report));
}

START_TEST(failures_of_exec)
{
	static char long_word[256 * 1024];
	char *too_much[] = {self, long_word, NULL};
	int fd = mkstemp(not_executable);

	ck_assert_int_ge(fd, 0);
	plan.path = "/nowhere/at/all";
	fails_with("exec", ENOENT);
	plan.path = not_executable;
	fails_with("exec", EACCES);
	ck_assert_int_eq(write(fd, "no program\n", 11), 11);
	fchmod(fd, 0755);
	close(fd);
	fails_with("exec", ENOEXEC);
	unlink(not_executable);
	ck_assert_int_eq(symlink(not_executable, not_executable), 0);
	fails_with("exec", ELOOP);
	unlink(not_executable);
	memset(long_word, 'x', sizeof(long_word) - 1);
	plan.path = self;
	plan.argv = too_much;
	fails_with("exec", E2BIG);
	plan.argv = worker_argv;
	run();
}
END_TEST

START_TEST(failures_of_other_steps)
{
	struct rlimit limits[SPAWN_LIMITS] = {{0, 0}};
	int bad[] = {default_fd[0], output[1], 2, -1};
	cpu_set_t none;

	plan.directory = "/nowhere";
	fails_with("chdir", ENOENT);
	plan.directory = NULL;
	plan.fd = bad;
	plan.fd_count = 4;
	fails_with("dup2", EBADF);
	plan.fd = default_fd;
	plan.fd_count = 3;
	plan.limits = limits;
	limits[RLIMIT_CORE] = (struct rlimit){5, 4};
	plan.limit_set = 1ULL << RLIMIT_CORE;
	fails_with("setrlimit", EINVAL);
	plan.limit_set = 0;
	CPU_ZERO(&none);
	plan.cpus = &none;
	plan.cpus_bytes = sizeof(none);
	fails_with("sched_setaffinity", EINVAL);
	plan.cpus = NULL;
	plan.oom_score_adj_set = true;
	plan.oom_score_adj = 5000;
	fails_with("oom_score_adj", EINVAL);
	plan.oom_score_adj_set = false;
	plan.chroot = "/nowhere";
	fails_with("chroot", ENOENT);
	plan.chroot = NULL;
	run();
}
END_TEST

START_TEST(failures_for_lack_of_rights)
{
	struct identity user = {.change = true, .uid = 65534, .gid = 65534};
	struct rlimit limits[SPAWN_LIMITS];

	if (geteuid() == 0) {
		/* once without rights, it can get no others */
		ck_assert_int_eq(setgroups(0, NULL), 0);
		ck_assert_int_eq(setresuid(65533, 65533, 65533), 0);
	}
	plan.identity = &user;
	fails_with("setgroups", EPERM);
	plan.identity = NULL;
	plan.limits = limits;
	plan.limit_set = 1ULL << RLIMIT_CORE;
	limits[RLIMIT_CORE] = (struct rlimit){0, 0};
	ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limits[RLIMIT_CORE]), 0);
	limits[RLIMIT_CORE].rlim_max = RLIM_INFINITY;
	fails_with("setrlimit", EPERM);
	plan.limit_set = 0;
	plan.chroot = "/";
	fails_with("chroot", EPERM);
	plan.chroot = NULL;
	plan.nice_set = true;
	plan.nice = -20;
	fails_with("setpriority", EACCES);
}
END_TEST

/* The report's end moves out of the way of a target of its own number. */
START_TEST(failures_when_the_pipe_is_in_the_way)
{
	int wanted[MAX_FDS];
	int i;

	for (i = 0; i < MAX_FDS; i++)
		wanted[i] = default_fd[i < 3 ? i : 0];
	ck_assert_int_lt(reports.write_fd, MAX_FDS);
	plan.fd = wanted;
	plan.fd_count = MAX_FDS;
	plan.path = "/nowhere";
	fails_with("exec", ENOENT);
}
END_TEST

START_TEST(no_report_of_a_wrong_size_counts)
{
	struct spawn_report report;

	ck_assert(!spawn_reports_read(&reports, &report));
	ck_assert_int_eq(write(reports.write_fd, "short", 5), 5);
	ck_assert(!spawn_reports_read(&reports, &report));
	ck_assert_str_eq(spawn_step_name(-1), "unknown step");
	ck_assert_str_eq(spawn_step_name(1000), "unknown step");
}
END_TEST

/* --- a child that cannot be watched, or not made --- */

static void on_child(int signal_number)
{
	(void)signal_number;
	children++;
}

/* It is not even begun. */
START_TEST(no_descriptor_left)
{
	struct rlimit limit;
	struct errmsg err;
	struct spawned spawned;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	plan.argv = sleeper_argv;
	signal(SIGCHLD, on_child);
	ck_assert_int_eq(spawn_start(&spawned, &plan, &reports, &err), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(children, 0);
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* In a process that may lose its rights: 0 when all is as it should be. */
static int start_without_processes(void)
{
	struct rlimit none = {0, 0};
	struct errmsg err;
	struct spawned spawned;

	if (setrlimit(RLIMIT_NPROC, &none) || (geteuid() == 0 && setresuid(65533, 65533, 65533)))
		return 1;
	if (spawn_start(&spawned, &plan, &reports, &err) != -1)
		return 2;
	if (errno != EAGAIN)
		return 3;
	return strstr(err.text, "fork") ? 0 : 4;
}

START_TEST(no_process_left)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(start_without_processes());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(failing_to_become_it)
{
	struct errmsg err;

	plan.path = "/nowhere/at/all";
	default_fd[1] = 1;
	ck_assert_int_eq(spawn_become(&plan, &err), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert(strstr(err.text, "exec of /nowhere/at/all") != NULL);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("spawn_faults");
	TCase *tests = tcase_create("spawn_faults");

	spawn_fixture_main(argc, argv);
	tcase_add_checked_fixture(tests, spawn_fixture_setup, spawn_fixture_teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, failures_of_exec);
	tcase_add_test(tests, failures_of_other_steps);
	tcase_add_test(tests, failures_for_lack_of_rights);
	tcase_add_test(tests, failures_when_the_pipe_is_in_the_way);
	tcase_add_test(tests, no_report_of_a_wrong_size_counts);
	tcase_add_test(tests, no_descriptor_left);
	tcase_add_test(tests, no_process_left);
	tcase_add_test(tests, failing_to_become_it);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
