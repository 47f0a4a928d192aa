/* What a worker finds when it looks around: exactly what the manual lists, and nothing else. */
#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT    "report"
#define is_root() (geteuid() == 0)

static const char *value(const char *start)
{
	const char *text = file_value(REPORT, start);

	ck_assert_msg(text != NULL, "the worker did not report '%s'", start);
	return text;
}

static int fd_count(void)
{
	return file_count(REPORT, "\nfd ") + (strncmp(file_text(REPORT), "fd ", 3) == 0);
}

/* Of "flags FD STATUS DESCRIPTOR", in octal. */
static unsigned fd_flags(int fd)
{
	char start[32];
	unsigned flags = 0;

	snprintf(start, sizeof(start), "flags %d ", fd);
	ck_assert_int_eq(sscanf(value(start), "%o", &flags), 1);
	return flags;
}

static void report_of(const char *keys)
{
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ report @dir@/" REPORT "\n%s", keys);
	daemon_start();
	WAIT_FOR(file_exists(REPORT));
}

START_TEST(three_descriptors_and_the_scoreboard)
{
	report_of("");
	ck_assert_str_eq(value("fd 0 "), "/dev/null");
	ck_assert_str_eq(value("fd 1 "), path_of("out"));
	ck_assert_str_eq(value("fd 2 "), path_of("log"));
	ck_assert_str_eq(value("fd 3 "), path_of("run/web.scoreboard"));
	ck_assert_int_eq(fd_count(), 4);
	ck_assert_str_eq(value("env PREFORKD_SCOREBOARD_FD="), "3");
	ck_assert_str_eq(value("env PREFORKD_SCOREBOARD_OFFSET="), "0");
	ck_assert_int_eq(fd_flags(3) & O_ACCMODE, O_RDWR);
	EXPECT_STOP();
}
END_TEST

START_TEST(sockets_come_from_three_on_then_the_scoreboard)
{
	config("[socket:b]\nlisten = unix:@dir@/b.sock\n[socket:a]\nlisten = unix:@dir@/a.sock\n"
	       "[socket:unused]\nlisten = unix:@dir@/c.sock\n"
	       "[pool:web]\nmax_workers = 1\nsockets = a b\n"
	       "command = @worker@ report @dir@/" REPORT "\n");
	daemon_start();
	WAIT_FOR(file_exists(REPORT));
	ck_assert_int_eq(strncmp(value("fd 3 "), "socket:", 7), 0);
	ck_assert_int_eq(strncmp(value("fd 4 "), "socket:", 7), 0);
	ck_assert_str_eq(value("fd 5 "), path_of("run/web.scoreboard"));
	ck_assert_int_eq(fd_count(), 6);
	ck_assert_int_eq(fd_flags(3) & O_NONBLOCK, 0);
	ck_assert_str_eq(value("env LISTEN_FDS="), "2");
	ck_assert_str_eq(value("env LISTEN_PID="), value("pid "));
	ck_assert_str_eq(value("env LISTEN_FDNAMES="), "a:b");
	ck_assert_str_eq(value("env EINHORN_FD_COUNT="), "2");
	ck_assert_str_eq(value("env EINHORN_FD_0="), "3");
	ck_assert_str_eq(value("env EINHORN_FD_1="), "4");
	char expected[600];

	snprintf(expected, sizeof(expected), "%s=3;%s=4", path_of("a.sock"), path_of("b.sock"));
	ck_assert_str_eq(value("env SERVER_STARTER_PORT="), expected);
	ck_assert_int_ge(atoi(value("env SERVER_STARTER_GENERATION=")), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(no_signal_is_blocked_ignored_or_caught)
{
	static const char *const zero = "0000000000000000";

	report_of("");
	ck_assert_str_eq(value("SigBlk:\t"), zero);
	ck_assert_str_eq(value("SigIgn:\t"), zero);
	ck_assert_str_eq(value("SigCgt:\t"), zero);
	ck_assert_str_eq(value("SigPnd:\t"), zero);
	ck_assert_str_eq(value("ShdPnd:\t"), zero);
	EXPECT_STOP();
}
END_TEST

START_TEST(leads_a_process_group_of_its_own)
{
	report_of("");
	ck_assert_str_eq(value("pgid "), value("pid "));
	ck_assert_int_eq(atoi(value("ppid ")), daemon_pid());
	ck_assert_str_ne(value("sid "), value("pid "));
	EXPECT_STOP();
}
END_TEST

START_TEST(knows_its_place_by_the_environment)
{
	report_of("");
	ck_assert_str_eq(value("env PREFORKD_NAME="), "app");
	ck_assert_str_eq(value("env PREFORKD_POOL="), "web");
	ck_assert_str_eq(value("env PREFORKD_SLOT="), "0");
	ck_assert_int_ge(atoi(value("env PREFORKD_GENERATION=")), 0);
	ck_assert_str_eq(value("env PREFORKD_SCOREBOARD="), path_of("run/web.scoreboard"));
	ck_assert_ptr_null(file_value(REPORT, "env PREFORKD_PID="));
	EXPECT_STOP();
}
END_TEST

START_TEST(the_name_is_the_configured_one)
{
	config("name = shop\n[pool:web]\nmax_workers = 1\n"
	       "command = @worker@ report @dir@/%%{name}-%%{pool}-%%{slot}-%%%%\n");
	daemon_start();
	WAIT_FOR(file_exists("shop-web-0-%"));
	ck_assert_str_eq(file_value("shop-web-0-%", "env PREFORKD_NAME="), "shop");
	EXPECT_STOP();
}
END_TEST

static void set_secrets(void)
{
	setenv("NOTIFY_SOCKET", "/nowhere/secret", 1);
	setenv("WATCHDOG_USEC", "3600000000", 1);
	setenv("WATCHDOG_PID", "12345", 1);
	setenv("LISTEN_PID", "12345", 1);
	setenv("LISTEN_FDS", "7", 1);
	setenv("LISTEN_FDNAMES", "secret", 1);
	setenv("SERVER_STARTER_PORT", "secret=9", 1);
	setenv("EINHORN_FD_COUNT", "9", 1);
	setenv("KEPT", "yes", 1);
}

START_TEST(the_supervisors_own_notify_and_listen_variables_are_not_passed_on)
{
	static const char *const none[] = {NULL};

	config("[pool:web]\nmax_workers = 1\nready = alive\n"
	       "command = @worker@ report @dir@/" REPORT "\n");
	daemon_start_as(set_secrets, none);
	WAIT_FOR(file_exists(REPORT));
	ck_assert(!file_has(REPORT, "secret"));
	ck_assert(!file_has(REPORT, "12345"));
	ck_assert_ptr_null(file_value(REPORT, "env WATCHDOG_USEC="));
	ck_assert_ptr_null(file_value(REPORT, "env NOTIFY_SOCKET="));
	ck_assert_str_eq(value("env KEPT="), "yes");
	EXPECT_STOP();
}
END_TEST

START_TEST(environment_adds_and_clear_environment_clears)
{
	static const char *const none[] = {NULL};

	config("[pool:web]\nmax_workers = 1\nclear_environment = yes\n"
	       "environment = ONE=1 TWO=\"2 and more\"\nenvironment = THREE=3\n"
	       "command = @worker@ report @dir@/" REPORT "\n");
	daemon_start_as(set_secrets, none);
	WAIT_FOR(file_exists(REPORT));
	ck_assert_str_eq(value("env ONE="), "1");
	ck_assert_str_eq(value("env THREE="), "3");
	ck_assert_ptr_null(file_value(REPORT, "env KEPT="));
	ck_assert_str_eq(value("env PATH="), getenv("PATH"));
	ck_assert_str_eq(value("env PREFORKD_POOL="), "web");
	EXPECT_STOP();
}
END_TEST

START_TEST(directory_umask_nice_and_limits_are_set)
{
	mkdir(path_of("sub"), 0755);
	config("[pool:web]\nmax_workers = 1\ndirectory = @dir@/sub\numask = 027\nnice = 5\n"
	       "limit_nofile = 100:200\nlimit_core = 0\nno_new_privileges = yes\n"
	       "command = @worker@ report ../" REPORT "\n");
	daemon_start();
	WAIT_FOR(file_exists(REPORT));
	ck_assert_str_eq(value("cwd "), path_of("sub"));
	ck_assert_str_eq(value("umask "), "0027");
	ck_assert_str_eq(value("nice "), "5");
	ck_assert_str_eq(value("limit 7 "), "100 200"); /* RLIMIT_NOFILE */
	ck_assert_str_eq(value("limit 4 "), "0 0");     /* RLIMIT_CORE */
	ck_assert_str_eq(value("NoNewPrivs:\t"), "1");
	EXPECT_STOP();
}
END_TEST

static void lower_nofile(void)
{
	struct rlimit limit = {.rlim_cur = 123, .rlim_max = 4567};

	setrlimit(RLIMIT_NOFILE, &limit);
	umask(0123);
}

START_TEST(limits_and_umask_are_those_the_supervisor_found)
{
	static const char *const none[] = {NULL};

	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ report @dir@/" REPORT "\n");
	daemon_start_as(lower_nofile, none);
	WAIT_FOR(file_exists(REPORT));
	ck_assert_str_eq(value("limit 7 "), "123 4567");
	ck_assert_str_eq(value("umask "), "0123");
	EXPECT_STOP();
}
END_TEST

START_TEST(another_user_with_its_group_and_its_home)
{
	SKIP_UNLESS(is_root(), "only root can become another user");
	mkdir(path_of("open"), 0777);
	chmod(path_of("open"), 0777);
	config("[pool:web]\nmax_workers = 1\nuser = nobody\n"
	       "command = @worker@ state W report @dir@/open/" REPORT "\n");
	daemon_start();
	WAIT_FOR(file_exists("open/" REPORT));
	rename(path_of("open/" REPORT), path_of(REPORT));
	ck_assert_str_eq(value("uid "), "65534 65534");
	ck_assert_str_eq(value("gid "), "65534 65534");
	ck_assert_str_eq(value("env USER="), "nobody");
	ck_assert_str_eq(value("env LOGNAME="), "nobody");
	ck_assert_str_eq(value("env HOME="), "/nonexistent");
	const char *groups = value("Groups:\t");

	ck_assert(strcmp(groups, "65534 ") == 0 || strcmp(groups, "65534") == 0 ||
		  strspn(groups, " ") == strlen(groups));
	/* it could write its state: the board is its user's */
	ck_assert_int_eq(board_byte("web", 0, 0), 'W');
	EXPECT_STOP();
}
END_TEST

START_TEST(notify_and_watchdog_variables_as_configured)
{
	config("[pool:web]\nmax_workers = 1\nready = notify\ncommand = @worker@\n");
	SKIP_IF_LATER();
	config("[pool:web]\nmax_workers = 1\nready = alive\ntimeout = 30s\n"
	       "command = @worker@ report @dir@/" REPORT "\n"
	       "[pool:n]\nmax_workers = 1\n"
	       "command = @worker@ report @dir@/" REPORT ".n\n");
	daemon_start();
	WAIT_FOR(file_exists(REPORT) && file_exists(REPORT ".n"));
	ck_assert_str_eq(value("env WATCHDOG_USEC="), "30000000");
	ck_assert_str_eq(value("env WATCHDOG_PID="), value("pid "));
	ck_assert_ptr_null(file_value(REPORT, "env NOTIFY_SOCKET="));
	ck_assert_ptr_nonnull(file_value(REPORT ".n", "env NOTIFY_SOCKET="));
	ck_assert_ptr_null(file_value(REPORT ".n", "env WATCHDOG_USEC="));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("what a worker inherits");
	TCase *process = harness_case(suite, "process");
	TCase *environment = harness_case(suite, "environment");

	tcase_add_test(process, three_descriptors_and_the_scoreboard);
	tcase_add_test(process, sockets_come_from_three_on_then_the_scoreboard);
	tcase_add_test(process, no_signal_is_blocked_ignored_or_caught);
	tcase_add_test(process, leads_a_process_group_of_its_own);
	tcase_add_test(process, directory_umask_nice_and_limits_are_set);
	tcase_add_test(process, limits_and_umask_are_those_the_supervisor_found);
	tcase_add_test(process, another_user_with_its_group_and_its_home);
	tcase_add_test(environment, knows_its_place_by_the_environment);
	tcase_add_test(environment, the_name_is_the_configured_one);
	tcase_add_test(
		environment, the_supervisors_own_notify_and_listen_variables_are_not_passed_on);
	tcase_add_test(environment, environment_adds_and_clear_environment_clears);
	tcase_add_test(environment, notify_and_watchdog_variables_as_configured);
	return harness_main(suite);
}
