/* Where lines go: the supervisor's log, the workers' output, the pid file; and what happens when
 * they can go nowhere. */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"

/* Something worth a line: a worker is killed, and has been replaced. */
static void make_news(void)
{
	pid_t pid = worker_any();

	nap_ms(slow_ms(30));
	kill(pid, SIGKILL);
	WAIT_FOR(!process_runs(pid) && worker_count() == 1);
}

static void start_with_log(const char *keys)
{
	config("%s[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@\n", keys);
	daemon_start();
	WAIT_FOR(worker_count() == 1);
}

/* --- the supervisor's log --- */

START_TEST(standard_error_by_default)
{
	start_with_log("");
	make_news();
	WAIT_FOR(log_has("KILL"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_log_file_is_reopened_on_usr1)
{
	start_with_log("log_file = @dir@/my.log\n");
	WAIT_FOR(file_size("my.log") > 0);
	rename(path_of("my.log"), path_of("my.log.1"));
	daemon_kill(SIGUSR1);
	WAIT_FOR(file_exists("my.log"));
	off_t old_size = file_size("my.log.1");

	make_news();
	WAIT_FOR(file_has("my.log", "KILL"));
	ck_assert_int_eq(file_size("my.log.1"), old_size);
	ck_assert_int_eq(file_size("log"), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_log_file_is_for_its_owner)
{
	struct stat st;

	start_with_log("log_file = @dir@/my.log\n");
	ck_assert_int_eq(stat(path_of("my.log"), &st), 0);
	ck_assert_int_eq(st.st_mode & 027, 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(levels_cut_off_what_is_below)
{
	int lines[3];
	static const char *const levels[] = {"error", "info", "debug"};

	for (int i = 0; i < 3; i++) {
		unlink(path_of("log"));
		char key[64];

		snprintf(key, sizeof(key), "log_level = %s\n", levels[i]);
		start_with_log(key);
		make_news();
		EXPECT_STOP();
		lines[i] = log_count("\n");
	}
	ck_assert_int_eq(lines[0], 0);
	ck_assert_int_gt(lines[1], 2);
	ck_assert_int_gt(lines[2], lines[1]);
}
END_TEST

START_TEST(json_is_one_object_a_line)
{
	static const char *const check[] = {"/bin/sh", "-c",
		"command -v python3 >/dev/null || exit 77\n"
		"exec python3 -c 'import json, sys\n"
		"lines = [json.loads(line) for line in open(sys.argv[1], encoding=\"utf-8\")]\n"
		"assert len(lines) > 3\n"
		"assert all(isinstance(line, dict) for line in lines)\n"
		"assert all(\"level\" in line for line in lines)\n"
		"text = [line for line in lines if \"say \\\"hi\\\"\" in json.dumps(line)"
		" or \"say\" in str(line)]\n"
		"assert text, lines\n' \"$0\"",
		NULL, NULL};
	const char *argv[5];

	memcpy(argv, check, sizeof(check));
	argv[3] = path_of("log");
	config("log_format = json\nlog_level = debug\n[pool:web]\nmax_workers = 1\nstdout = log\n"
	       "command = sh -c 'printf \"say \\042hi\\042 \\\\ \\001 \\303\\274 \\377 there\\n\"; "
	       "exec @worker@'\n");
	daemon_start();
	WAIT_FOR(log_has("there"));
	EXPECT_STOP();
	int status = program_wait(program_start("json", NULL, argv));

	SKIP_UNLESS(status != 77, "no python3 to read json with");
	ck_assert_msg(status == 0, "%s", file_text("json.err"));
}
END_TEST

START_TEST(logfmt_is_pairs)
{
	start_with_log("log_format = logfmt\n");
	make_news();
	EXPECT_STOP();
	ck_assert_int_gt(log_count("\n"), 2);
	ck_assert_int_eq(log_count("level="), log_count("\n"));
	ck_assert(log_has("pool=web"));
}
END_TEST

/* --- what workers write --- */

START_TEST(output_into_the_log_is_marked)
{
	config("[pool:web]\nmax_workers = 1\nstdout = log\nstderr = log\n"
	       "command = @worker@ print 3 20 print-error 2 30\n");
	daemon_start();
	WAIT_FOR(log_count("xxxx\n") == 5);
	ck_assert(log_has("line 2 xxx"));
	ck_assert(log_has("web/0"));
	ck_assert_int_eq(file_size("out"), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(output_is_inherited_by_default)
{
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ print 3 20 print-error 1 22\n");
	daemon_start();
	WAIT_FOR(file_count("out", "xxx\n") == 3 && log_has("line 0 xxxxxxxxxxxxxxx\n"));
	ck_assert_int_eq(file_size("out"), 3 * 21);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_path_is_reopened_under_a_running_worker)
{
	config("[pool:web]\nmax_workers = 1\nstdout = @dir@/%%{pool}.out\n"
	       "command = @worker@ stay talk signals @dir@/got\nstop_timeout = 100ms\n");
	daemon_start();
	WAIT_FOR(file_has("got", " ready"));
	pid_t pid = worker_any();

	kill(pid, SIGUSR2);
	WAIT_FOR(file_has("web.out", "got USR2\n"));
	rename(path_of("web.out"), path_of("web.out.1"));
	daemon_kill(SIGUSR1);
	WAIT_FOR(file_exists("web.out"));
	kill(pid, SIGHUP);
	WAIT_FOR(file_has("web.out", "got HUP\n"));
	ck_assert_str_eq(file_text("web.out.1"), "got USR2\n");
	ck_assert_int_eq(worker_any(), pid);
	EXPECT_STOP();
}
END_TEST

START_TEST(append_writes_directly)
{
	file_write("web.out", "before\n");
	config("[pool:web]\nmax_workers = 1\nstdout = append:@dir@/web.out\n"
	       "command = @worker@ print 2 20 report @dir@/report\n");
	daemon_start();
	WAIT_FOR(file_exists("report"));
	ck_assert_int_eq(file_count("web.out", "xxx\n"), 2);
	ck_assert_int_eq(strncmp(file_text("web.out"), "before\n", 7), 0);
	ck_assert_str_eq(file_value("report", "fd 1 "), path_of("web.out"));
	EXPECT_STOP();
}
END_TEST

START_TEST(null_is_nowhere)
{
	config("[pool:web]\nmax_workers = 1\nstdout = null\nstderr = null\n"
	       "command = @worker@ print 2 20 report @dir@/report\n");
	daemon_start();
	WAIT_FOR(file_exists("report"));
	ck_assert_str_eq(file_value("report", "fd 1 "), "/dev/null");
	ck_assert_str_eq(file_value("report", "fd 2 "), "/dev/null");
	EXPECT_STOP();
}
END_TEST

START_TEST(lines_of_two_workers_stay_whole)
{
	config("[pool:web]\nmax_workers = 2\nstdout = @dir@/both\ncommand = @worker@ print 200 "
	       "400\n");
	daemon_start();
	WAIT_FOR(file_size("both") == 2 * 200 * 401);
	/* each line is "line N xxx...": cut ones would have another length */
	for (const char *line = file_text("both"); *line; line += 401) {
		ck_assert_int_eq(strncmp(line, "line ", 5), 0);
		ck_assert_int_eq(line[400], '\n');
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(a_line_of_a_megabyte_arrives)
{
	config("[pool:web]\nmax_workers = 1\nstdout = @dir@/big\n"
	       "command = @worker@ print 2 1000000 touch @dir@/done\n");
	daemon_start();
	WAIT_FOR(file_exists("done"));
	WAIT_FOR(file_size("big") >= 2 * 1000001);
	EXPECT_STOP();
}
END_TEST

START_TEST(the_last_words_of_a_worker_are_kept)
{
	config("[pool:web]\nmax_workers = 1\nstdout = @dir@/words\ncrash_loop = first\n"
	       "err_respawn_interval = 10ms\ncommand = @worker@ print 50 60 exit 1\n");
	daemon_start();
	EXPECT_EXIT(75);
	ck_assert_int_eq(file_count("words", "xxx\n"), 150);
}
END_TEST

/* --- when a log cannot be written --- */

START_TEST(a_full_disk_blocks_no_worker)
{
	config("log_file = /dev/full\n[pool:web]\nmax_workers = 2\nstdout = /dev/full\n"
	       "stderr = log\n" QUICK "command = @worker@ print 3000 100 print-error 3000 100 "
	       "touch @dir@/done\n");
	daemon_start();
	WAIT_FOR_WITHIN(5000, file_count("done", "\n") == 2);
	ck_assert(daemon_alive());
	EXPECT_STOP();
}
END_TEST

static bool mount_small(void)
{
	mkdir(path_of("small"), 0777);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", path_of("small"), "tmpfs", 0, "size=64k") == 0;
}

START_TEST(a_disk_that_gets_room_again_is_written_again)
{
	SKIP_UNLESS(geteuid() == 0 && mount_small(), "cannot mount a small tmpfs");
	config("[pool:web]\nmax_workers = 1\nstdout = @dir@/small/out\n"
	       "command = @worker@ print 3000 100 talk stay signals @dir@/got\nstop_timeout = "
	       "100ms\n");
	daemon_start();
	WAIT_FOR(file_has("got", " ready"));
	nap_ms(50);
	ck_assert(daemon_alive());
	ck_assert_int_lt(file_size("small/out"), 70000);
	ck_assert_int_eq(truncate(path_of("small/out"), 0), 0);
	kill(worker_any(), SIGUSR2);
	WAIT_FOR_WITHIN(12000, file_has("small/out", "got USR2\n"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_log_whose_folder_has_gone_is_lived_without)
{
	mkdir(path_of("logs"), 0755);
	start_with_log("log_file = @dir@/logs/my.log\n");
	rename(path_of("logs"), path_of("elsewhere"));
	daemon_kill(SIGUSR1);
	make_news();
	ck_assert(daemon_alive());
	rename(path_of("elsewhere"), path_of("logs"));
	daemon_kill(SIGUSR1);
	make_news();
	WAIT_FOR_WITHIN(12000, file_has("logs/my.log", "KILL"));
	EXPECT_STOP();
}
END_TEST

/* Whoever owns the folder may plant a link where a log was. */
START_TEST(a_link_planted_before_a_reopening_is_not_followed)
{
	file_write("victim", "precious\n");
	config("log_file = @dir@/my.log\n[pool:web]\nmax_workers = 1\n" QUICK
	       "stdout = @dir@/web.out\nstop_timeout = 100ms\n"
	       "command = @worker@ stay talk signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(file_has("got", " ready"));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "my.log" : "web.out";

		unlink(path_of("%s", name));
		ck_assert_int_eq(symlink(path_of("victim"), path_of("%s", name)), 0);
	}
	daemon_kill(SIGUSR1);
	nap_ms(50);
	kill(worker_any(), SIGUSR2);
	make_news();
	ck_assert_str_eq(file_text("victim"), "precious\n");
	EXPECT_STOP();
	ck_assert_str_eq(file_text("victim"), "precious\n");
}
END_TEST

static void allow_small_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 1000;
	setrlimit(RLIMIT_FSIZE, &limit);
}

START_TEST(a_log_at_the_limit_of_a_files_size_is_lived_without)
{
	static const char *const none[] = {NULL};

	config("log_file = @dir@/my.log\n[pool:web]\nmax_workers = 1\n" QUICK
	       "stdout = @dir@/out.log\ncommand = @worker@ print 100 100\n");
	daemon_start_as(allow_small_files, none);
	WAIT_FOR(worker_count() == 1);
	for (int i = 0; i < 10; i++)
		make_news();
	ck_assert_int_le(file_size("my.log"), 1000);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_flood_leaves_the_supervisor_responsive)
{
	config("log_file = /dev/null\n[pool:web]\nmax_workers = 2\nstdout = log\n"
	       "stop_timeout = 1s\ncommand = @worker@ print-forever\n");
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	nap_ms(300);
	daemon_kill(SIGTTIN);
	WAIT_FOR_WITHIN(2000, worker_count() == 3);
	EXPECT_STOP();
}
END_TEST

/* --- the pid file --- */

START_TEST(the_pid_file_is_written_when_ready_and_removed)
{
	config("pid_file = @dir@/my.pid\n[pool:web]\nmax_workers = 1\nready = scoreboard\n"
	       "command = @worker@ touch @dir@/started sleep 300 state _\n");
	daemon_start();
	WAIT_FOR(file_exists("started"));
	ck_assert_int_eq(file_number("my.pid"), 0);
	WAIT_FOR(file_number("my.pid") == daemon_pid());
	ck_assert_int_eq(board_byte("web", 0, 0), '_');
	EXPECT_STOP();
	ck_assert(!file_exists("my.pid"));
}
END_TEST

START_TEST(the_pid_file_is_locked)
{
	start_with_log("pid_file = @dir@/my.pid\n");
	int fd = open(path_of("my.pid"), O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
	EXPECT_STOP();
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}
END_TEST

START_TEST(a_stale_pid_file_is_taken_over)
{
	file_write("my.pid", "1234567\n");
	start_with_log("pid_file = @dir@/my.pid\n");
	WAIT_FOR(file_number("my.pid") == daemon_pid());
	EXPECT_STOP();
}
END_TEST

START_TEST(a_pid_file_that_is_no_longer_ours_stays)
{
	start_with_log("pid_file = @dir@/my.pid\n");
	WAIT_FOR(file_number("my.pid") == daemon_pid());
	unlink(path_of("my.pid"));
	file_write("my.pid", "77\n");
	EXPECT_STOP();
	ck_assert_str_eq(file_text("my.pid"), "77\n");
}
END_TEST

/* --- a second instance --- */

static void expect_refusal(const char *file)
{
	char first[32];
	int64_t began = now_ms();
	int status = preforkd_run("-c", path_of("%s", file));

	ck_assert_msg(status == 73 || status == 75, "status %d", status);
	ck_assert_int_lt(now_ms() - began, slow_ms(1000));
	snprintf(first, sizeof(first), "%d", (int)daemon_pid());
	ck_assert_msg(file_has("run.err", first), "the first one's pid is not named: %s",
		file_text("run.err"));
}

START_TEST(a_second_supervisor_is_refused_and_the_first_untouched)
{
	start_with_log("pid_file = @dir@/my.pid\n");
	WAIT_FOR(file_number("my.pid") == daemon_pid());
	pid_t worker = worker_any();

	expect_refusal("app.ini");
	ck_assert(daemon_alive());
	ck_assert_int_eq(worker_any(), worker);
	ck_assert_int_eq(board_pid("web", 0), worker);
	ck_assert_int_eq(file_number("my.pid"), daemon_pid());
	make_news();
	expect_refusal("app.ini"); /* again: the lock was not lost by the first try */
	EXPECT_STOP();
}
END_TEST

START_TEST(the_pid_file_refuses_a_second_one_too)
{
	start_with_log("pid_file = @dir@/my.pid\n");
	WAIT_FOR(file_number("my.pid") == daemon_pid());
	file_write("other.ini",
		"[preforkd]\npid_file = my.pid\nruntime_dir = other\n[pool:x]\n"
		"command = %s\n",
		worker_program());
	expect_refusal("other.ini");
	ck_assert_int_eq(file_number("my.pid"), daemon_pid());
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("logs");
	TCase *own = harness_case(suite, "the supervisor's log");
	TCase *output = harness_case(suite, "output");
	TCase *trouble = harness_case(suite, "trouble");
	TCase *pid = harness_case(suite, "pid file and second instance");

	tcase_add_test(own, standard_error_by_default);
	tcase_add_test(own, a_log_file_is_reopened_on_usr1);
	tcase_add_test(own, a_log_file_is_for_its_owner);
	tcase_add_test(own, levels_cut_off_what_is_below);
	tcase_add_test(own, json_is_one_object_a_line);
	tcase_add_test(own, logfmt_is_pairs);
	tcase_add_test(output, output_into_the_log_is_marked);
	tcase_add_test(output, output_is_inherited_by_default);
	tcase_add_test(output, a_path_is_reopened_under_a_running_worker);
	tcase_add_test(output, append_writes_directly);
	tcase_add_test(output, null_is_nowhere);
	tcase_add_test(output, lines_of_two_workers_stay_whole);
	tcase_add_test(output, a_line_of_a_megabyte_arrives);
	tcase_add_test(output, the_last_words_of_a_worker_are_kept);
	tcase_add_test(trouble, a_full_disk_blocks_no_worker);
	tcase_add_test(trouble, a_disk_that_gets_room_again_is_written_again);
	tcase_add_test(trouble, a_log_whose_folder_has_gone_is_lived_without);
	tcase_add_test(trouble, a_log_at_the_limit_of_a_files_size_is_lived_without);
	tcase_add_test(trouble, a_link_planted_before_a_reopening_is_not_followed);
	tcase_add_test(trouble, a_flood_leaves_the_supervisor_responsive);
	tcase_add_test(pid, the_pid_file_is_written_when_ready_and_removed);
	tcase_add_test(pid, the_pid_file_is_locked);
	tcase_add_test(pid, a_stale_pid_file_is_taken_over);
	tcase_add_test(pid, a_pid_file_that_is_no_longer_ours_stays);
	tcase_add_test(pid, a_second_supervisor_is_refused_and_the_first_untouched);
	tcase_add_test(pid, the_pid_file_refuses_a_second_one_too);
	return harness_main(suite);
}
