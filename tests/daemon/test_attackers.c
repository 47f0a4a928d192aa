/*
 * What a user who is not root tries against a supervisor that is: by its sockets and locks, by what
 * it believes of files, and by what it passes on. See test_attacks.c for what it opens.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "rolling_pool.h"

#define THEIRS "user = %d\ngroup = %d\n"

static const char *const no_arguments[] = {NULL};

static void become_hostile(void)
{
	if (setgid(lonely_user()) < 0 || setuid(lonely_user()) < 0)
		_exit(125);
}

static pid_t hostile_start(const char *what, const char *first, const char *second)
{
	const char *argv[] = {worker_beside("hostile_user"), what, first, second, NULL};

	return program_start("hostile", become_hostile, argv);
}

static void hostile_end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(program_wait(pid), 128 + SIGKILL);
}

/* A process of root that tells of every signal. */
static pid_t victim_start(void)
{
	const char *const argv[] = {
		worker_program(), "stay", "signals", path_of("victim.got"), NULL};
	pid_t pid = program_start("victim", NULL, argv);

	WAIT_FOR(file_has("victim.got", " ready "));
	return pid;
}

static void expect_unhurt(pid_t victim)
{
	ck_assert(process_runs(victim));
	ck_assert_int_eq(file_count("victim.got", "\n"), 1);
	kill(victim, SIGKILL);
	program_wait(victim);
}

static void die(void)
{
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
	file_write("log", "%s", "");
}

/* --- who is it? --- */

static const char *const nobodies[] = {"user = nosuchuser", "user = 0day", "user = -1",
	"user = 4294967295", "user = 4294967296", "user = 18446744073709551616", "user = 0x0",
	"user = root root", "user = +0", "user = 1.0", "group = nosuchgroup", "group = 4294967296",
	"user = nobody\ngroups = nosuchgroup", "user = nobody\nlimit_nofile = lots",
	"user = nobody\nchroot = @dir@/nowhere"};
#define NOBODIES (int)(sizeof(nobodies) / sizeof(nobodies[0]))

START_TEST(a_user_who_is_none_is_not_root)
{
	char text[400];
	int before;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	snprintf(text, sizeof(text),
		"[pool:web]\nmax_workers = 1\n%s\ncommand = @worker@ touch @dir@/ran\n",
		nobodies[_i]);
	config("%s", text);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 78);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "run", "web"), 78);
	daemon_start();
	EXPECT_EXIT(78);
	/* nor by a reload */
	config("[pool:web]\n" QUICK "max_workers = 1\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1 && log_has("ready: the first"));
	before = worker_any();
	config("%s", text);
	reload_badly();
	ck_assert_int_eq(worker_any(), before);
	ck_assert(!file_exists("ran"));
	EXPECT_STOP();
}
END_TEST

/* --- sockets and locks --- */

static void clear_umask(void)
{
	umask(0);
}

START_TEST(no_socket_is_open_for_a_moment)
{
	pid_t control, served;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	config("[socket:s]\nlisten = unix:@dir@/s\nmode = 0600\n"
	       "[pool:web]\n" QUICK "max_workers = 1\nsockets = s\ncommand = @worker@\n");
	ck_assert_int_eq(mkdir(path_of("got"), 01777), 0);
	ck_assert_int_eq(chmod(path_of("got"), 01777), 0);
	control = hostile_start("connect", path_of("run/control.sock"), path_of("got/control"));
	served = hostile_start("connect", path_of("s"), path_of("got/s"));
	for (int i = 0; i < long_or_short(300, 15); i++) {
		file_write("log", "%s", "");
		daemon_start_as(clear_umask, no_arguments);
		WAIT_FOR(log_has("ready: the first"));
		daemon_kill(SIGTERM);
		ck_assert_int_eq(daemon_wait(), 0);
	}
	hostile_end(control);
	hostile_end(served);
	ck_assert(!file_exists("got/control") && !file_exists("got/s"));
}
END_TEST

/* A lock that somebody else waits for is his when we die. */
START_TEST(no_lock_of_theirs_keeps_us_from_starting)
{
	pid_t hostile[2];

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	ck_assert_int_eq(mkdir(path_of("got"), 01777), 0);
	ck_assert_int_eq(chmod(path_of("got"), 01777), 0);
	config("pid_file = @dir@/my.pid\n[pool:web]\n" QUICK "max_workers = 1\n"
	       "command = @worker@\n");
	daemon_start();
	WAIT_FOR(log_has("ready: the first") && file_number("my.pid") == daemon_pid());
	hostile[0] = hostile_start("lock", path_of("my.pid"), path_of("got/pid"));
	hostile[1] = hostile_start("lock", path_of("run/lock"), path_of("got/lock"));
	nap_ms(slow_ms(100)); /* they are waiting */
	for (int i = 0; i < 3; i++) {
		die();
		nap_ms(50);
		daemon_start();
		WAIT_FOR(log_has("ready: the first") && file_number("my.pid") == daemon_pid());
	}
	ck_assert(!file_exists("got/lock"));
	hostile_end(hostile[0]);
	hostile_end(hostile[1]);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	ck_assert(!file_exists("my.pid"));
}
END_TEST

static const char *const verbs[] = {"", " ", "eval", "system ls", "exec /bin/sh", "__class__",
	"main", "supervisor_run", "sys_kill 1 9", "stop;reload", "../stop", "STOP", "Reload",
	"stopp", "signal KILL ; kill 1", "signal 99", "signal -9 web", "scale web 999999999999",
	"restart web -1", "restart web 4294967296", "\x01\x02", "{\"verb\":\"stop\"}",
	"GET / HTTP/1.0"};

START_TEST(no_verb_is_more_than_its_word)
{
	char answer[4096];
	pid_t worker;

	config("[pool:web]\n" QUICK "max_workers = 1\ncommand = @worker@ signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(file_has("got", " ready ") && log_has("ready: the first"));
	worker = worker_any();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		int fd = unix_connect(path_of("run/control.sock"), SOCK_STREAM);
		ssize_t got;

		ck_assert_int_ge(fd, 0);
		ck_assert_int_ge(send(fd, verbs[i], strlen(verbs[i]), MSG_NOSIGNAL), 0);
		ck_assert_int_eq(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
		got = recv(fd, answer, sizeof(answer) - 1, 0);
		answer[got > 0 ? got : 0] = '\0';
		ck_assert_msg(strstr(answer, "\"ok\":false") != NULL, "%s: %s", verbs[i], answer);
		close(fd);
	}
	ck_assert_int_eq(worker_any(), worker);
	ck_assert_int_eq(file_count("got", "\n"), 1);
	EXPECT_STOP();
}
END_TEST

/* An address is taken for what it is: no name of a file in a folder of ours. */
START_TEST(control_is_no_tcp)
{
	int port = free_port();

	config("control = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\ncommand = @worker@\n", port);
	daemon_start();
	WAIT_FOR(!daemon_alive() || worker_count() == 1);
	ck_assert_int_eq(port_connect(port), -1);
	if (daemon_alive())
		daemon_kill(SIGTERM);
	ck_assert_int_ge(daemon_wait(), 0);
}
END_TEST

START_TEST(a_flood_of_notifications_of_another_user_is_nothing)
{
	pid_t hostile;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	config("[pool:web]\nready = notify\n" QUICK "max_workers = 1\ntimeout = 30s\n"
	       "command = %s wait @dir@/go notify READY=1\n",
		worker_beside("notify_worker"));
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	hostile = hostile_start("flood", path_of("run/web.notify"), NULL);
	HOLDS_FOR(500, !log_has("ready: the first") && worker_count() == 1);
	file_write("go", "%s", "");
	WAIT_FOR(log_has("ready: the first"));
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "status"), 0);
	hostile_end(hostile);
	ck_assert_int_le(log_count("\n"), 30);
	EXPECT_STOP();
}
END_TEST

/* --- what is believed --- */

static void start_theirs(const char *more)
{
	config("%s[pool:web]\n" QUICK "max_workers = 2\n" THEIRS "command = @worker@\n", more,
		(int)lonely_user(), (int)lonely_user());
	daemon_start();
	WAIT_FOR(worker_count() == 2 && present() == 2 && log_has("ready: the first"));
}

static void change_number(char *bytes, size_t length, uint64_t from, uint64_t to)
{
	for (size_t at = 0; at + sizeof(from) <= length; at++)
		if (memcmp(bytes + at, &from, sizeof(from)) == 0)
			memcpy(bytes + at, &to, sizeof(to));
}

static uint64_t started_ticks(pid_t pid)
{
	const char *after_name = strrchr(file_text(path_of("/proc/%d/stat", (int)pid)), ')');
	unsigned long long ticks = 0;

	ck_assert_int_eq(sscanf(after_name + 1,
				 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
				 "%*d %*d %*d %*d %llu",
				 &ticks),
		1);
	return ticks;
}

/* As if somebody had got at the file after all: the victim in the place of a worker. */
static void forge_state(pid_t worker, pid_t victim, bool with_ticks)
{
	static char bytes[1 << 20];
	int fd = open(path_of("run/state"), O_RDWR | O_CLOEXEC);
	ssize_t length = read(fd, bytes, sizeof(bytes));

	ck_assert_int_gt(length, 0);
	change_number(bytes, (size_t)length, (uint64_t)worker, (uint64_t)victim);
	if (with_ticks)
		change_number(bytes, (size_t)length, started_ticks(worker), started_ticks(victim));
	ck_assert_int_eq(pwrite(fd, bytes, (size_t)length, 0), length);
	close(fd);
}

START_TEST(a_forged_state_hurts_nobody)
{
	bool by_command = _i & 1, with_ticks = _i & 2;
	pid_t victim, worker;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	victim = victim_start();
	start_theirs("");
	worker = worker_of("web", 1);
	die();
	forge_state(worker, victim, with_ticks);
	if (by_command) {
		ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 0);
		ck_assert(!file_exists("run/state"));
	} else {
		daemon_start();
		WAIT_FOR(log_has("ready: the first") && present() == 2);
		ck_assert_int_ne(board_pid("web", 0), victim);
		ck_assert_int_ne(board_pid("web", 1), victim);
		daemon_kill(SIGTERM);
		ck_assert_int_eq(daemon_wait(), 0);
	}
	expect_unhurt(victim);
	kill(worker, SIGKILL);
}
END_TEST

/* The scoreboard's numbers, which workers can write, are looked at then, too. */
START_TEST(a_forged_scoreboard_hurts_nobody_either)
{
	char text[16];
	pid_t victim;
	int fd;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	victim = victim_start();
	start_theirs("");
	die();
	fd = open(path_of("run/web.scoreboard"), O_RDWR | O_CLOEXEC);
	snprintf(text, sizeof(text), "%-8d", (int)victim);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pwrite(fd, text, 8, i * 64 + 3), 8);
	close(fd);
	if (_i) {
		ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 0);
	} else {
		daemon_start();
		WAIT_FOR(log_has("ready: the first") && present() == 2);
		daemon_kill(SIGTERM);
		ck_assert_int_eq(daemon_wait(), 0);
	}
	expect_unhurt(victim);
}
END_TEST

/* The file is another user's, one of several links, readable by others, or in a folder of his. */
START_TEST(a_state_of_somebody_else_is_not_read)
{
	struct crew before;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	start_theirs("");
	before = crew_of("web");
	die();
	switch (_i) {
	case 0: ck_assert_int_eq(chown(path_of("run/state"), lonely_user(), 0), 0); break;
	case 1: ck_assert_int_eq(chmod(path_of("run/state"), 0660), 0); break;
	case 2: ck_assert_int_eq(link(path_of("run/state"), path_of("other")), 0); break;
	case 3: ck_assert_int_eq(chown(path_of("run"), lonely_user(), 0), 0); break;
	case 4: ck_assert_int_eq(chmod(path_of("run"), 0777), 0); break;
	}
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "stop"), 69);
	ck_assert_int_eq(crew_left(&before), before.count);
	daemon_start();
	WAIT_FOR(!daemon_alive() || log_has("ready: the first"));
	ck_assert(!log_has("adopted"));
	if (daemon_alive())
		daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), _i < 3 ? 0 : 77);
	ck_assert_int_eq(crew_left(&before), before.count);
	for (int i = 0; i < before.count; i++)
		kill(before.pid[i], SIGKILL);
}
END_TEST

/* Newlines, long texts and the words of the state itself, wherever a worker can put them. */
START_TEST(words_of_a_worker_forge_no_state)
{
	struct crew before, after;
	pid_t victim = victim_start();

	file_write("talker",
		"#!/bin/sh\n"
		"long=$(printf '%%060000d' %d)\n"
		"while :; do\n"
		"printf '\\n%d\\n\\000\\377state %d' | dd of=\"$PREFORKD_SCOREBOARD\" bs=1 "
		"seek=$((PREFORKD_SCOREBOARD_OFFSET + 25)) conv=notrunc 2>/dev/null\n"
		"systemd-notify --status=\"$long\" 2>/dev/null\n"
		"systemd-notify --status=\"a\nPID=%d\nMAINPID=%d\" 2>/dev/null\n"
		"sleep 0.05; done\n",
		(int)victim, (int)victim, (int)victim, (int)victim, (int)victim);
	ck_assert_int_eq(chmod(path_of("talker"), 0755), 0);
	config("name = odd.name_-\n[pool:web]\n" QUICK "max_workers = 2\n"
	       "environment = ODD=\"%d PID=%d\"\ncommand = @dir@/talker\n",
		(int)victim, (int)victim);
	daemon_start();
	WAIT_FOR(worker_count() == 2 && log_has("ready: the first"));
	before = crew_of("web");
	ck_assert_int_eq(before.count, 2);
	for (int i = 0; i < 3; i++) {
		nap_ms(slow_ms(150));
		die();
		daemon_start();
		WAIT_FOR(log_has("ready: the first"));
		after = crew_of("web");
		ck_assert(same_crew(&before, &after));
	}
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	expect_unhurt(victim);
}
END_TEST

static void write_own_config(void)
{
	file_write("own.ini", "[pool:web]\nmax_workers = 1\ncommand = %s\n", worker_program());
	ck_assert_int_eq(chmod(path_of("own.ini"), 0644), 0);
}

/* In a folder of everybody, somebody else was there first. */
START_TEST(a_folder_in_tmp_that_is_not_ours_is_not_used)
{
	const char *const arguments[] = {"-c", path_of("own.ini"), NULL};
	char place[64];
	int status;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	snprintf(place, sizeof(place), "/tmp/preforkd-%d", (int)lonely_user());
	write_own_config();
	if (_i == 0)
		ck_assert_int_eq(mkdir(place, 0777), 0);
	else
		ck_assert_int_eq(symlink(test_folder(), place), 0);
	ck_assert_int_eq(lchown(place, 65534, 65534), 0);
	status = preforkd_run_as(become_hostile, arguments);
	if (_i == 0)
		rmdir(place);
	else
		unlink(place);
	ck_assert_msg(status == 73 || status == 77, "status %d", status);
	ck_assert(file_has("run.err", place));
}
END_TEST

/* --- what is passed on --- */

static void keep_secrets(void)
{
	setenv("NOTIFY_SOCKET", "/nowhere/secret", 1);
	setenv("WATCHDOG_USEC", "3600000000", 1);
	setenv("LISTEN_FDNAMES", "secret", 1);
	setenv("CREDENTIALS_DIRECTORY", "/nowhere/kept", 1);
	if (open("/etc/passwd", O_RDONLY) < 0) /* not CLOEXEC */
		_exit(125);
}

static int descriptors_in(const char *report)
{
	return file_count(report, "\nfd ") + (strncmp(file_text(report), "fd ", 3) == 0);
}

/* To hooks, and to workers after all that changes descriptors. */
START_TEST(nothing_leaks_to_hooks_or_later_workers)
{
	config("log_file = @dir@/my.log\npid_file = @dir@/my.pid\n"
	       "[socket:s]\nlisten = unix:@dir@/s\n[socket:other]\nlisten = unix:@dir@/o\n"
	       "[pool:web]\n" QUICK "max_workers = 1\nsockets = s\nstdout = @dir@/web.out\n"
	       "on_spawn = @worker@ report @dir@/hook exit 0\n"
	       "command = @worker@ report @dir@/report http\n"
	       "[pool:notes]\n" QUICK "max_workers = 1\nstderr = log\ncommand = @worker@\n");
	daemon_start_as(keep_secrets, no_arguments);
	for (int i = 0; i < 4; i++) {
		WAIT_FOR(file_exists("hook") && file_exists("report"));
		WAIT_FOR(file_has("my.log", "ready: the first") && present() == 1);
		ck_assert_int_eq(descriptors_in("hook"), 3);
		ck_assert_int_eq(descriptors_in("report"), 5); /* socket and scoreboard */
		ck_assert(!file_has("hook", "secret") && !file_has("report", "secret"));
		ck_assert(!file_has("hook", "passwd") && !file_has("report", "passwd"));
		unlink(path_of("hook"));
		unlink(path_of("report"));
		if (i == 0)
			daemon_kill(SIGUSR1);
		if (i == 1)
			daemon_kill(SIGUSR2);
		if (i == 2) {
			daemon_kill(SIGKILL);
			daemon_wait();
			daemon_start();
			WAIT_FOR(file_count("my.log", "ready: the first") >= 2);
		}
		nap_ms(slow_ms(50));
		kill(worker_of("web", 0), SIGKILL);
	}
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attackers");
	TCase *sockets = harness_case(suite, "sockets and locks");
	TCase *believed = harness_case(suite, "believed");
	TCase *passed = harness_case(suite, "passed on");

	tcase_add_test(sockets, no_socket_is_open_for_a_moment);
	tcase_add_test(sockets, no_lock_of_theirs_keeps_us_from_starting);
	tcase_add_test(sockets, no_verb_is_more_than_its_word);
	tcase_add_test(sockets, control_is_no_tcp);
	tcase_add_test(sockets, a_flood_of_notifications_of_another_user_is_nothing);
	tcase_add_loop_test(believed, a_user_who_is_none_is_not_root, 0, NOBODIES);
	tcase_add_loop_test(believed, a_forged_state_hurts_nobody, 0, 4);
	tcase_add_loop_test(believed, a_forged_scoreboard_hurts_nobody_either, 0, 2);
	tcase_add_loop_test(believed, a_state_of_somebody_else_is_not_read, 0, 5);
	tcase_add_test(believed, words_of_a_worker_forge_no_state);
	tcase_add_loop_test(believed, a_folder_in_tmp_that_is_not_ours_is_not_used, 0, 2);
	tcase_add_test(passed, nothing_leaks_to_hooks_or_later_workers);
	return harness_main(suite);
}
