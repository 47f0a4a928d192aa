/* preforkd -d: when the call returns and with what, and what the daemon has left behind. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FILES      "pid_file = @dir@/my.pid\nlog_file = @dir@/my.log\n"
#define ONE_WORKER "[pool:web]\nmax_workers = 1\nmin_uptime = 50ms\ncommand = @worker@\n"
#define REPORTING                                                                                  \
	"[pool:web]\nmax_workers = 1\nmin_uptime = 50ms\ncommand = @worker@ report @dir@/report\n"
/* Gets ready when the test says so, or never. */
#define UNREADY                                                                                    \
	"[pool:web]\nmax_workers = 1\nready = scoreboard\nstart_timeout = 60s\n"                   \
	"command = @worker@ report @dir@/report\n"

static pid_t daemonize(int expected)
{
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-d"), expected);
	return (pid_t)file_number("my.pid");
}

/* Starts it, and takes the pid file's process for the supervisor. */
static void daemonize_here(void)
{
	pid_t pid = daemonize(0);

	ck_assert_int_gt(pid, 1);
	daemon_is(pid);
}

/* The call alone, as long as it waits. */
static pid_t begin_call(void)
{
	const char *const argv[] = {preforkd_program(), "-c", path_of("app.ini"), "-d", NULL};

	return program_start("call", NULL, argv);
}

/* The daemon that a call waits for. */
static pid_t daemon_of(pid_t call)
{
	pid_t pids[MANY_WORKERS];

	WAIT_FOR(process_children(call, pids) == 1 && file_exists("report"));
	return process_children(call, pids) == 1 ? pids[0] : -1;
}

/* --- it returns --- */

START_TEST(returns_once_the_workers_are_ready)
{
	config(FILES "[pool:web]\nmax_workers = 2\n"
		     "ready = scoreboard\ncommand = @worker@ sleep 300 state _\n");
	int64_t began = now_ms();

	daemonize_here();
	ck_assert_int_ge(now_ms() - began, 290);
	ck_assert_int_eq(worker_count(), 2);
	ck_assert_int_eq(board_byte("web", 0, 0), '_');
	ck_assert_int_eq(board_byte("web", 1, 0), '_');
	ck_assert_int_gt(file_size("my.log"), 0);
	ck_assert_int_eq(file_size("run.out"), 0);
	ck_assert_int_eq(file_size("run.err"), 0);
	EXPECT_STOP();
	ck_assert(!file_exists("my.pid"));
}
END_TEST

static const char *link_of(pid_t pid, const char *name)
{
	static char link[512];
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = readlink(path, link, sizeof(link) - 1);
	link[length > 0 ? length : 0] = '\0';
	return link;
}

START_TEST(the_daemon_has_left_session_folder_and_descriptors)
{
	config(FILES REPORTING);
	daemonize_here();
	ck_assert_int_ne(getsid(daemon_pid()), getsid(0));
	ck_assert_int_ne(getsid(daemon_pid()), daemon_pid());
	ck_assert_str_eq(link_of(daemon_pid(), "cwd"), "/");
	ck_assert_str_eq(link_of(daemon_pid(), "fd/0"), "/dev/null");
	ck_assert_str_eq(link_of(daemon_pid(), "fd/1"), "/dev/null");
	ck_assert_str_eq(link_of(daemon_pid(), "fd/2"), "/dev/null");
	WAIT_FOR(file_exists("report"));
	ck_assert_str_eq(file_value("report", "fd 1 "), "/dev/null");
	ck_assert_str_eq(file_value("report", "fd 2 "), "/dev/null");
	ck_assert_str_eq(file_value("report", "cwd "), "/");
	ck_assert_int_eq(atoi(file_value("report", "ppid ")), daemon_pid());
	EXPECT_STOP();
}
END_TEST

/* As ssh does: end of file on the call's output, and on whatever else a script had open. */
START_TEST(holds_nothing_that_a_script_waits_for)
{
	char line[1024];
	const char *const argv[] = {"/bin/sh", "-c", line, NULL};

	config(FILES ONE_WORKER);
	snprintf(line, sizeof(line), "(%s -c %s -d 7>&1 9>&1; echo returned $?) 2>&1 | cat",
		preforkd_program(), path_of("app.ini"));
	ck_assert_int_eq(program_wait(program_start("script", NULL, argv)), 0);
	ck_assert_str_eq(file_text("script.out"), "returned 0\n");
	daemon_is((pid_t)file_number("my.pid"));
	ck_assert(daemon_alive());
	EXPECT_STOP();
}
END_TEST

static void go_to_folder(void)
{
	if (chdir(test_folder()) < 0)
		_exit(121);
}

START_TEST(names_relative_to_the_callers_folder_are_found)
{
	config("pid_file = my.pid\nlog_file = my.log\n" ONE_WORKER);
	ck_assert_int_eq(
		preforkd_run_as(go_to_folder, (const char *const[]){"-c", "app.ini", "-d", NULL}),
		0);
	daemon_is((pid_t)file_number("my.pid"));
	ck_assert_int_gt(file_size("my.log"), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_log_on_standard_error_goes_to_syslog_instead)
{
	config("pid_file = @dir@/my.pid\nlog_file = stderr\n" ONE_WORKER);
	daemonize_here();
	ck_assert_int_eq(file_size("run.err"), 0);
	EXPECT_STOP();
	ck_assert_int_eq(file_size("run.err"), 0);
}
END_TEST

static char socket_path[108];

/* A listening socket as descriptor 3, and one more that nobody promised as 4. */
static void pass_a_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char pid[32];

	memcpy(address.sun_path, socket_path, sizeof(socket_path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 8) < 0 || dup2(fd, 3) < 0 || dup2(fd, 4) < 0)
		_exit(121);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "main", 1);
}

START_TEST(sockets_that_are_passed_in_are_taken)
{
	snprintf(socket_path, sizeof(socket_path), "%s", path_of("main"));
	config(FILES "[socket:main]\nlisten = unix:@dir@/main\n"
		     "[pool:web]\nmax_workers = 1\nmin_uptime = 50ms\nsockets = main\n"
		     "command = @worker@ http\n");
	ck_assert_int_eq(preforkd_run_as(pass_a_socket,
				 (const char *const[]){"-c", path_of("app.ini"), "-d", NULL}),
		0);
	daemon_is((pid_t)file_number("my.pid"));
	ck_assert_ptr_nonnull(http_exchange(unix_connect(socket_path, SOCK_STREAM), "/"));
	EXPECT_STOP();
	ck_assert_int_lt(unix_connect(socket_path, SOCK_STREAM), 0);
}
END_TEST

/* --- it says why not --- */

START_TEST(workers_that_always_fail_are_75)
{
	config(FILES "[pool:web]\nmax_workers = 1\n"
		     "err_respawn_interval = 10ms\ncommand = @worker@ exit 3\n");
	daemonize(75);
	ck_assert_msg(file_has("run.err", "[pool:web]"), "%s", file_text("run.err"));
	ck_assert_int_eq(process_left(), 0);
	ck_assert(!file_exists("my.pid"));
	ck_assert(!file_exists("run/lock"));
}
END_TEST

/* -t cannot see that: the file is there and executable. */
START_TEST(a_command_that_cannot_be_executed_is_75)
{
	file_write("broken", "#!/nonexistent/interpreter\n");
	ck_assert_int_eq(chmod(path_of("broken"), 0755), 0);
	config(FILES "[pool:web]\nmax_workers = 1\n"
		     "err_respawn_interval = 10ms\ncommand = @dir@/broken\n");
	daemonize(75);
	ck_assert_msg(file_has("run.err", "[pool:web]"), "%s", file_text("run.err"));
	ck_assert_int_eq(process_left(), 0);
}
END_TEST

START_TEST(faults_are_told_before_it_goes)
{
	config("[pool:web]\nmax_workers = 1\n");
	daemonize(78);
	ck_assert(file_has("run.err", "[pool:web] command: "));
	config("[pool:web]\nmax_workers = 1\ncommand = ./below-my-folder-only\n");
	daemonize(78);
	ck_assert(file_has("run.err", "[pool:web] command: "));
	ck_assert_int_eq(preforkd_run("-d", "-c", path_of("nothing.ini")), 66);
	ck_assert_int_eq(process_left(), 0);
}
END_TEST

START_TEST(places_that_cannot_be_had_are_73)
{
	config("pid_file = /proc/preforkd-test\n" ONE_WORKER);
	daemonize(73);
	ck_assert(file_has("run.err", "/proc/preforkd-test"));
	file_write("victim", "precious\n");
	ck_assert_int_eq(link(path_of("victim"), path_of("planted")), 0);
	config("log_file = @dir@/planted\n" ONE_WORKER);
	daemonize(73);
	ck_assert_msg(file_has("run.err", "preforkd: log_file: "), "%s", file_text("run.err"));
	ck_assert_int_eq(process_left(), 0);
}
END_TEST

START_TEST(a_second_one_is_told_of_the_first)
{
	char first[64];

	config(FILES ONE_WORKER);
	daemonize_here();
	snprintf(first, sizeof(first), "already runs with pid %d (%s)", (int)daemon_pid(),
		path_of("app.ini"));
	daemonize(73);
	ck_assert_msg(file_has("run.err", first), "%s", file_text("run.err"));
	ck_assert_int_eq(file_number("my.pid"), daemon_pid());
	ck_assert_int_eq(worker_count(), 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(beside_t_or_a_command_it_is_64)
{
	config(ONE_WORKER);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-d", "-t"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "--daemon", "config"), 64);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-d", "run", "web"), 64);
	ck_assert_int_eq(preforkd_run("-d"), 64);
}
END_TEST

/* --- while it waits --- */

START_TEST(waits_for_as_long_as_it_takes)
{
	config(FILES UNREADY);
	pid_t call = begin_call();
	pid_t daemon = daemon_of(call);

	HOLDS_FOR(100, process_runs(call));
	ck_assert(!file_has("my.pid", "\n"));
	kill(call, SIGTERM);
	ck_assert_int_eq(program_wait(call), 128 + SIGTERM);
	ck_assert(!process_runs(daemon));
}
END_TEST

START_TEST(ctrl_c_ends_the_start)
{
	config(FILES UNREADY);
	pid_t call = begin_call();
	pid_t daemon = daemon_of(call);

	ck_assert_int_eq(kill(call, SIGINT), 0);
	ck_assert_int_eq(program_wait(call), 128 + SIGINT);
	ck_assert(!process_runs(daemon));
	ck_assert_int_eq(process_left(), 0);
	ck_assert_msg(file_has("call.err", "stopped before the first workers were ready"), "%s",
		file_text("call.err"));
	ck_assert(file_has("my.log", "stopped"));
	ck_assert(!file_exists("my.pid"));
}
END_TEST

START_TEST(a_daemon_that_dies_is_told_of)
{
	config(FILES UNREADY);
	pid_t call = begin_call();

	ck_assert_int_eq(kill(daemon_of(call), SIGKILL), 0);
	ck_assert_int_eq(program_wait(call), 70);
	ck_assert_msg(file_has("call.err", "ended by KILL"), "%s", file_text("call.err"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("in the background");
	TCase *returns = harness_case(suite, "returns");
	TCase *refusals = harness_case(suite, "refusals");
	TCase *waits = harness_case(suite, "waits");

	tcase_add_test(returns, returns_once_the_workers_are_ready);
	tcase_add_test(returns, the_daemon_has_left_session_folder_and_descriptors);
	tcase_add_test(returns, holds_nothing_that_a_script_waits_for);
	tcase_add_test(returns, names_relative_to_the_callers_folder_are_found);
	tcase_add_test(returns, a_log_on_standard_error_goes_to_syslog_instead);
	tcase_add_test(returns, sockets_that_are_passed_in_are_taken);
	tcase_add_test(refusals, workers_that_always_fail_are_75);
	tcase_add_test(refusals, a_command_that_cannot_be_executed_is_75);
	tcase_add_test(refusals, faults_are_told_before_it_goes);
	tcase_add_test(refusals, places_that_cannot_be_had_are_73);
	tcase_add_test(refusals, a_second_one_is_told_of_the_first);
	tcase_add_test(refusals, beside_t_or_a_command_it_is_64);
	tcase_add_test(waits, waits_for_as_long_as_it_takes);
	tcase_add_test(waits, ctrl_c_ends_the_start);
	tcase_add_test(waits, a_daemon_that_dies_is_told_of);
	return harness_main(suite);
}
