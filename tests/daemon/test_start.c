/* Starting: from odd surroundings, with commands and wrong calls; what is refused, and with
 * which exit status. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONE_WORKER "[pool:web]\nmax_workers = 1\ncommand = @worker@\n"
#define LENGTH(of) ((int)(sizeof(of) / sizeof((of)[0])))

static const char *const no_arguments[] = {NULL};

/* --- odd surroundings --- */

static void close_standard_descriptors(void)
{
	close(0);
	close(1);
	close(2);
}

static void leak_descriptors(void)
{
	for (int i = 0; i < 20; i++)
		if (open("/dev/null", O_RDWR) < 0)
			_exit(121);
}

static void block_all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void ignore_all_signals(void)
{
	for (int i = 1; i < _NSIG; i++)
		signal(i, SIG_IGN);
}

static void clear_umask(void)
{
	umask(0);
}

static void restrictive_umask(void)
{
	umask(0777);
}

static void set_limit(int which, rlim_t soft)
{
	struct rlimit limit;

	getrlimit((__rlimit_resource_t)which, &limit);
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	setrlimit((__rlimit_resource_t)which, &limit);
}

static void small_stack(void)
{
	set_limit(RLIMIT_STACK, 256 * 1024);
}

static void endless_stack(void)
{
	set_limit(RLIMIT_STACK, RLIM_INFINITY);
}

static void small_files(void)
{
	set_limit(RLIMIT_FSIZE, 65536); /* a worker's report has room in it */
}

static void few_descriptors(void)
{
	set_limit(RLIMIT_NOFILE, 64);
}

static void deleted_folder(void)
{
	const char *path = path_of("deleted");

	if (mkdir(path, 0755) < 0 || chdir(path) < 0 || rmdir(path) < 0)
		_exit(121);
}

static void no_environment(void)
{
	char folder[1024];

	/* the janitor needs to find it */
	snprintf(folder, sizeof(folder), "%s", getenv("PREFORKD_TEST_FOLDER"));
	clearenv();
	setenv("PREFORKD_TEST_FOLDER", folder, 1);
}

static void closed_lowest(void)
{
	close(0);
}

static void (*const surroundings[])(void) = {close_standard_descriptors, leak_descriptors,
	block_all_signals, ignore_all_signals, clear_umask, restrictive_umask, small_stack,
	endless_stack, small_files, few_descriptors, deleted_folder, no_environment, closed_lowest};

START_TEST(starts_in_odd_surroundings_and_its_workers_are_clean)
{
	config("[socket:s]\nlisten = unix:@dir@/s\n"
	       "[pool:web]\nmax_workers = 1\nsockets = s\ncommand = @worker@ report "
	       "@dir@/report\n");
	daemon_start_as(surroundings[_i], no_arguments);
	WAIT_FOR(file_exists("report"));
	WAIT_FOR(worker_count() == 1);
	ck_assert_str_eq(file_value("report", "SigBlk:\t"), "0000000000000000");
	ck_assert_str_eq(file_value("report", "SigIgn:\t"), "0000000000000000");
	for (int fd = 0; fd < 3; fd++) {
		char start[16];

		snprintf(start, sizeof(start), "fd %d ", fd);
		ck_assert_ptr_nonnull(file_value("report", start));
	}
	ck_assert_int_eq(strncmp(file_value("report", "fd 3 "), "socket:", 7), 0);
	ck_assert_str_eq(file_value("report", "fd 4 "), path_of("run/web.scoreboard"));
	ck_assert_ptr_null(file_value("report", "fd 5 "));
	/* its children's ends are noticed */
	nap_ms(slow_ms(40));
	pid_t pid = worker_any();

	kill(pid, SIGKILL);
	WAIT_FOR(worker_count() == 1 && worker_any() != pid);
	EXPECT_STOP();
	ck_assert(!file_exists("run/web.scoreboard"));
}
END_TEST

START_TEST(the_runtime_folder_is_0755_whatever_the_umask)
{
	struct stat st;

	config(ONE_WORKER);
	daemon_start_as(_i ? restrictive_umask : clear_umask, no_arguments);
	WAIT_FOR(worker_count() == 1);
	ck_assert_int_eq(stat(path_of("run"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	EXPECT_STOP();
}
END_TEST

/* --- -t, config, run --- */

START_TEST(t_says_that_all_is_well_and_writes_nothing)
{
	config("pid_file = @dir@/pid\nlog_file = @dir@/my.log\n[socket:s]\nlisten = unix:@dir@/s\n"
	       "[pool:web]\nmax_workers = 1\nsockets = s\ncommand = @worker@\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 0);
	ck_assert(!file_exists("run"));
	ck_assert(!file_exists("pid"));
	ck_assert(!file_exists("my.log"));
	ck_assert(!file_exists("s"));
}
END_TEST

START_TEST(t_lists_every_fault_with_its_line)
{
	config("pid_fil = x\n[pool:web]\ncommand = @dir@/nowhere\nmax_worker = 3\n"
	       "max_workers = many\nuser = nosuchuser\n[nonsense]\na = b\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 78);
	char expected[700];

	snprintf(expected, sizeof(expected), "%s:3: [preforkd] pid_fil: ", path_of("app.ini"));
	ck_assert_msg(file_has("run.err", expected), "%s", file_text("run.err"));
	ck_assert(file_has("run.err", "did you mean pid_file?"));
	ck_assert(file_has("run.err", ":6: [pool:web] max_worker: "));
	ck_assert(file_has("run.err", "did you mean max_workers?"));
	ck_assert(file_has("run.err", ":7: [pool:web] max_workers: "));
	ck_assert(file_has("run.err", "nonsense"));
}
END_TEST

START_TEST(t_checks_commands_users_and_groups)
{
	config("[pool:web]\ncommand = @dir@/nowhere\n[pool:b]\ncommand = @worker@\n"
	       "user = nosuchuser\n[pool:c]\ncommand = @worker@\ngroup = nosuchgroup\n"
	       "[pool:d]\ncommand = @dir@/app.ini\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 78);
	ck_assert(file_has("run.err", "[pool:web] command: "));
	ck_assert(file_has("run.err", "[pool:b] user: "));
	ck_assert(file_has("run.err", "[pool:c] group: "));
	ck_assert(file_has("run.err", "[pool:d] command: "));
}
END_TEST

START_TEST(config_prints_what_reads_back_the_same)
{
	config("[socket:s]\nlisten = 127.0.0.1:9\nbacklog = 7\n[pool:web]\nsockets = s\n"
	       "command = @worker@ 'two words' \"a;b\" %%%%\nmax_workers = 7\nstop_signal = QUIT\n"
	       "stop_timeout = 1500ms\nlimit_nofile = 100:200\nenvironment = A='b c'\n"
	       "stdout = log\nstderr = append:%%{pool}.err\n"
	       "[signals]\nTERM = stop QUIT/2s\nUSR2 = forward HUP\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "config"), 0);
	ck_assert(file_has("run.out", "max_workers = 7\n"));
	ck_assert(file_has("run.out", "min_uptime = "));
	rename(path_of("run.out"), path_of("again.ini"));
	ck_assert_int_eq(preforkd_run("-c", path_of("again.ini"), "config"), 0);
	char first[65536];

	snprintf(first, sizeof(first), "%s", file_text("again.ini"));
	ck_assert_str_eq(file_text("run.out"), first);
}
END_TEST

START_TEST(run_executes_one_worker_in_the_foreground)
{
	config("[socket:s]\nlisten = unix:@dir@/s\n[pool:web]\nsockets = s\nmax_workers = 5\n"
	       "command = @worker@ report @dir@/report exit 42\n");
	const char *argv[] = {preforkd_program(), "-c", path_of("app.ini"), "run", "web", NULL};
	pid_t pid = program_start("single", NULL, argv);

	ck_assert_int_eq(program_wait(pid), 42);
	ck_assert_int_eq(atoi(file_value("report", "pid ")), pid);
	ck_assert_str_eq(file_value("report", "env PREFORKD_POOL="), "web");
	ck_assert_str_eq(file_value("report", "env LISTEN_FDS="), "1");
	ck_assert_int_eq(strncmp(file_value("report", "fd 3 "), "socket:", 7), 0);
}
END_TEST

/* --- refusals --- */

START_TEST(usage_errors_are_64)
{
	config(ONE_WORKER);
	ck_assert_int_eq(preforkd_run("--nonsense"), 64);
	ck_assert_int_eq(preforkd_run("-c"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "nonsense"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "run"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t", "config"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "--log-level", "loud"), 64);
	ck_assert_int_gt(file_size("run.err"), 0);
}
END_TEST

START_TEST(version_and_help_are_0_and_on_standard_output)
{
	static const char *const calls[] = {"-V", "--version", "-h", "--help"};

	for (int i = 0; i < LENGTH(calls); i++) {
		ck_assert_int_eq(preforkd_run(calls[i]), 0);
		ck_assert(file_has("run.out", "preforkd"));
		ck_assert_int_eq(file_size("run.err"), 0);
	}
}
END_TEST

START_TEST(no_such_configuration_is_66)
{
	ck_assert_int_eq(preforkd_run("-c", path_of("nowhere.ini")), 66);
	ck_assert(file_has("run.err", "nowhere.ini"));
	ck_assert(file_has("run.err", "No such file or directory"));
}
END_TEST

static void become_stranger(void)
{
	if (setgid(lonely_user()) < 0 || setuid(lonely_user()) < 0)
		_exit(125);
}

START_TEST(an_unreadable_configuration_is_77)
{
	const char *const arguments[] = {"-c", path_of("app.ini"), NULL};

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	config(ONE_WORKER);
	chmod(path_of("app.ini"), 0600);
	ck_assert_int_eq(preforkd_run_as(become_stranger, arguments), 77);
	ck_assert(file_has("run.err", "Permission denied"));
}
END_TEST

START_TEST(faults_of_the_configuration_are_78)
{
	static const char *const faults[] = {
		"[pool:web]\n",                                        /* no command */
		"[pool:web]\ncommand = @worker@\nmax_workers = 0\n",   /* out of range */
		"[pool:web]\ncommand = @worker@\nuser = nosuchuser\n", /* not: as root */
		"[pool:web]\ncommand = @worker@\ngroup = nosuchgroup\n",
		"[pool:web]\ncommand = @worker@\nuser = 0day\n",
		"[pool:web]\ncommand = @worker@\nlimit_nofile = lots\n",
		"[pool:web]\ncommand = @worker@\nchroot = @dir@/nowhere\n",
		"[pool:web]\ncommand = @worker@\nsockets = nowhere\n",
		"[pool:web]\ncommand = @worker@\n[pool:web]\ncommand = @worker@\n",
		"[pool:web]\ncommand = @worker@\ncommand = @worker@\n",
		"[pool:web]\ncommand = @worker@\n[signals]\nKILL = stop\n",
		"[pool:web]\ncommand = 'open\n", "", /* no pool */
	};

	config("%s", faults[_i]);
	daemon_start();
	EXPECT_EXIT(78);
	ck_assert_int_gt(file_size("log"), 0);
	ck_assert(!file_exists("run/web.scoreboard"));
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_73)
{
	config("%s = /proc/preforkd-test\n" ONE_WORKER, _i ? "log_file" : "pid_file");
	daemon_start();
	EXPECT_EXIT(73);
	ck_assert(log_has("/proc/preforkd-test"));
}
END_TEST

/* A link that a worker's user could have put there is not followed. */
START_TEST(a_symbolic_link_is_not_followed)
{
	file_write("victim", "precious\n");
	ck_assert_int_eq(symlink(path_of("victim"), path_of("planted")), 0);
	config("%s = @dir@/planted\n" ONE_WORKER, _i ? "log_file" : "pid_file");
	daemon_start();
	EXPECT_EXIT(73);
	ck_assert_str_eq(file_text("victim"), "precious\n");
	ck_assert(log_has("planted"));
}
END_TEST

START_TEST(a_hard_link_or_a_fifo_is_no_log)
{
	file_write("victim", "precious\n");
	ck_assert_int_eq(link(path_of("victim"), path_of("planted")), 0);
	ck_assert_int_eq(mkfifo(path_of("fifo"), 0666), 0);
	config("%s = @dir@/%s\n" ONE_WORKER, _i == 1 ? "pid_file" : "log_file",
		_i ? "fifo" : "planted");
	daemon_start();
	if (_i < 2)
		EXPECT_EXIT(73);
	else
		WAIT_FOR(worker_count() == 1 || !daemon_alive()); /* a FIFO as log: must not hang */
	ck_assert_str_eq(file_text("victim"), "precious\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("start");
	TCase *odd = harness_case(suite, "surroundings");
	TCase *calls = harness_case(suite, "calls");
	TCase *refusals = harness_case(suite, "refusals");

	tcase_add_loop_test(
		odd, starts_in_odd_surroundings_and_its_workers_are_clean, 0, LENGTH(surroundings));
	tcase_add_loop_test(odd, the_runtime_folder_is_0755_whatever_the_umask, 0, 2);
	tcase_add_test(calls, t_says_that_all_is_well_and_writes_nothing);
	tcase_add_test(calls, t_lists_every_fault_with_its_line);
	tcase_add_test(calls, t_checks_commands_users_and_groups);
	tcase_add_test(calls, config_prints_what_reads_back_the_same);
	tcase_add_test(calls, run_executes_one_worker_in_the_foreground);
	tcase_add_test(refusals, usage_errors_are_64);
	tcase_add_test(refusals, version_and_help_are_0_and_on_standard_output);
	tcase_add_test(refusals, no_such_configuration_is_66);
	tcase_add_test(refusals, an_unreadable_configuration_is_77);
	tcase_add_loop_test(refusals, faults_of_the_configuration_are_78, 0, 13);
	tcase_add_loop_test(refusals, a_place_that_cannot_be_written_is_73, 0, 2);
	tcase_add_loop_test(refusals, a_symbolic_link_is_not_followed, 0, 2);
	tcase_add_loop_test(refusals, a_hard_link_or_a_fifo_is_no_log, 0, 3);
	return harness_main(suite);
}
