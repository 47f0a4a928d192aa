/*
 * The listening sockets lie with the service manager, too: when the supervisor and all of its
 * workers die at once, who has connected is answered by the next ones.
 */
#include "fake_manager.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "rolling_pool.h"

#define REQUEST "GET / HTTP/1.0\r\n\r\n"
#define WORKERS 2

static int port;

static void write_config(const char *more)
{
	config("log_level = debug\n[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 64\n"
	       "[socket:local]\nlisten = unix:@dir@/s\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\ncommand = @worker@ state _ http\n"
	       "ready = scoreboard\nstop_timeout = 5s\n"
	       "[pool:near]\n" QUICK
	       "max_workers = 1\nsockets = local\ncommand = @worker@ state _ http\n%s",
		port, WORKERS, more);
}

static bool is_ready(void)
{
	return manager_heard("READY=1") && log_has("ready: the first");
}

static void start_with(const char *more)
{
	port = free_port();
	manager_open();
	write_config(more);
	manager_start();
	WAIT_FOR(is_ready() && stored("preforkd/tcp") >= 0 && stored("preforkd/local/") >= 0);
}

/* All of them at once: nobody is left who has the sockets, but for the manager. */
static void die(void)
{
	pid_t pids[MANY_WORKERS];
	int count = workers(pids);

	daemon_kill(SIGSTOP);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
	WAIT_FOR(process_left() == 0);
}

static void rise(void)
{
	manager_hear();
	file_write("log", "%s", "");
	manager.heard[0] = '\0';
	manager_start();
	WAIT_FOR(is_ready());
}

/* Sends a request, whoever is there or not. */
static int ask(int fd)
{
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL), strlen(REQUEST));
	return fd;
}

static void expect_answer(int fd)
{
	char answer[1024];
	ssize_t got = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);

	ck_assert_int_gt(got, 0);
	answer[got] = '\0';
	ck_assert_ptr_nonnull(strstr(answer, " 200 "));
	close(fd);
}

static int local(void)
{
	return unix_connect(path_of("s"), SOCK_STREAM);
}

static int bound(int type, int family, const char *path)
{
	struct sockaddr_in inet = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(local.sun_path, sizeof(local.sun_path), "%s", path ? path : "");
	if (family == AF_INET)
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&inet, sizeof(inet)), 0);
	else
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
	return fd;
}

/* --- what is stored --- */

START_TEST(each_socket_is_stored_once)
{
	struct stat file;
	char name[64];

	start_with("[socket:dark]\nlisten = unix:@preforkd-test-dark\n"
		   "[socket:udp]\nlisten = 127.0.0.1:0\ntype = dgram\n");
	WAIT_FOR(stored("preforkd/udp") >= 0 && manager.count == 4);
	ck_assert_int_eq(manager.stored, 4);
	ck_assert_int_ge(stored("preforkd/dark"), 0);
	ck_assert(manager_heard("FDSTORE=1 FDPOLL=0 FDNAME=preforkd/udp\n"));
	ck_assert(manager_heard("FDSTORE=1 FDNAME=preforkd/tcp\n"));
	ck_assert_int_eq(lstat(path_of("s"), &file), 0);
	snprintf(name, sizeof(name), "preforkd/local/%lx-%lx", (unsigned long)file.st_dev,
		(unsigned long)file.st_ino);
	ck_assert_int_ge(stored(name), 0);
	EXPECT_STOP();
	manager_hear();
	/* its file is gone */
	ck_assert_int_eq(stored(name), -1);
	ck_assert_int_eq(manager.count, 3);
}
END_TEST

/* --- what comes back --- */

START_TEST(who_waits_is_answered_when_all_have_died)
{
	ino_t tcp, near;
	int waiting[20];

	start_with("");
	tcp = inode_of(stored("preforkd/tcp"));
	near = inode_of(stored("preforkd/local/"));
	for (int times = 0; times < long_or_short(100, 3); times++) {
		die();
		for (int i = 0; i < 20; i++)
			waiting[i] = ask(i % 2 ? local() : port_connect(port));
		rise();
		for (int i = 0; i < 20; i++)
			expect_answer(waiting[i]);
		ck_assert_int_eq(log_count("taken back from the service manager"), 2);
		ck_assert(!log_has("bound anew"));
	}
	manager_hear();
	ck_assert_int_eq(manager.count, 2);
	ck_assert(inode_of(stored("preforkd/tcp")) == tcp);
	ck_assert(inode_of(stored("preforkd/local/")) == near);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

START_TEST(over_an_orderly_restart_tcp_waits)
{
	int waiting;

	start_with("");
	EXPECT_STOP();
	waiting = ask(port_connect(port));
	ck_assert_int_eq(local(), -1);
	rise();
	expect_answer(waiting);
	expect_answer(ask(local()));
	ck_assert_int_eq(log_count("taken back from the service manager"), 1);
	EXPECT_STOP();
}
END_TEST

/* It was bound to a name beside, and says so for ever. */
START_TEST(so_is_who_waits_where_a_stale_file_was)
{
	int waiting;

	port = free_port();
	manager_open();
	close(bound(SOCK_STREAM, AF_UNIX, path_of("s")));
	write_config("");
	manager_start();
	WAIT_FOR(is_ready() && stored("preforkd/tcp") >= 0 && stored("preforkd/local/") >= 0);
	die();
	waiting = ask(local());
	rise();
	expect_answer(waiting);
	ck_assert_int_eq(log_count("taken back from the service manager"), 2);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* Those that serve on are adopted, and theirs is the same socket. */
START_TEST(workers_that_serve_on_are_adopted)
{
	struct crew before, after;

	start_with("");
	before = crew_of("web");
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
	rise();
	ck_assert_int_eq(log_count("taken back from the service manager"), 2);
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	expect_answer(ask(port_connect(port)));
	reload_well();
	expect_answer(ask(port_connect(port)));
	expect_answer(ask(local()));
	manager_hear();
	ck_assert_int_eq(manager.count, 2);
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	WAIT_FOR(crew_left(&before) == 0);
	ck_assert(!file_exists("s"));
}
END_TEST

START_TEST(what_a_worker_made_of_it_is_mended)
{
	int fd, waiting;

	start_with("");
	fd = stored("preforkd/tcp");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	die();
	waiting = ask(port_connect(port));
	rise();
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	expect_answer(waiting);
	EXPECT_STOP();
}
END_TEST

/* --- the store keeps in step --- */

static void configure_again(const char *listen, const char *command)
{
	config("log_level = debug\n[socket:tcp]\nlisten = %s\n[pool:web]\n" QUICK
	       "max_workers = 1\nsockets = tcp\ncommand = %s\nready = scoreboard\n",
		listen, command);
}

START_TEST(a_reload_adds_removes_and_binds_anew)
{
	char listen[64];
	ino_t before;

	start_with("");
	before = inode_of(stored("preforkd/tcp"));
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", free_port());
	configure_again(listen, "@worker@ state _ http");
	reload_well();
	WAIT_FOR(stored("preforkd/local/") < 0);
	WAIT_FOR(stored("preforkd/tcp") >= 0 && inode_of(stored("preforkd/tcp")) != before);
	ck_assert_int_eq(manager.count, 1);
	WAIT_FOR(log_has("the last worker of the removed pool has gone"));
	write_config("[socket:dark]\nlisten = unix:@preforkd-test-dark\n");
	reload_well();
	WAIT_FOR(stored("preforkd/dark") >= 0 && stored("preforkd/local/") >= 0 &&
		 manager.count == 3);
	die();
	rise();
	ck_assert_int_eq(log_count("taken back from the service manager"), 3);
	EXPECT_STOP();
}
END_TEST

/* While a roll can go either way, both are there. */
START_TEST(a_reload_that_fails_leaves_the_old_ones)
{
	char listen[64];
	ino_t before;

	start_with("");
	before = inode_of(stored("preforkd/tcp"));
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", free_port());
	configure_again(listen, "sh -c 'until [ -e @dir@/gate ]; do sleep 0.02; done; exit 1'");
	daemon_kill(SIGHUP);
	WAIT_FOR(manager_hear() && manager.count == 3);
	file_write("gate", "%s", "");
	WAIT_FOR(reloads_failed() == 1);
	WAIT_FOR(manager_hear() && manager.count == 2);
	ck_assert(inode_of(stored("preforkd/tcp")) == before);
	EXPECT_STOP();
}
END_TEST

START_TEST(an_upgrade_changes_nothing)
{
	ino_t before;

	start_with("");
	before = inode_of(stored("preforkd/tcp"));
	manager.heard[0] = '\0';
	daemon_kill(SIGUSR2);
	WAIT_FOR(log_has(" upgraded: "));
	WAIT_FOR(manager_heard(
		path_of("READY=1 MAINPID=%d\n", (int)daemon_pid()) + strlen(test_folder()) + 1));
	ck_assert_int_eq(manager.count, 2);
	ck_assert(inode_of(stored("preforkd/tcp")) == before);
	ck_assert(!manager_heard("FDSTOREREMOVE"));
	die();
	rise();
	ck_assert_int_eq(log_count("taken back from the service manager"), 2);
	EXPECT_STOP();
}
END_TEST

/* --- what is of no use --- */

/* How one that is stored can be another one than it must be. */
static int other_address(void)
{
	int fd = bound(SOCK_STREAM, AF_INET, NULL);

	listen(fd, 1);
	return fd;
}

static int other_type(void)
{
	return bound(SOCK_DGRAM, AF_INET, NULL);
}

static int other_family(void)
{
	int fd = bound(SOCK_STREAM, AF_UNIX, path_of("other"));

	listen(fd, 1);
	return fd;
}

static int not_listening(void)
{
	return bound(SOCK_STREAM, AF_INET, NULL);
}

static int a_file(void)
{
	file_write("plain", "%s", "x");
	return open(path_of("plain"), O_RDWR | O_CLOEXEC);
}

static int a_pipe(void)
{
	int end[2];

	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	close(end[1]);
	return end[0];
}

static const struct {
	const char *name;
	int (*make)(void);
	const char *said;
} useless[] = {
	{"preforkd/tcp", other_address, "is bound to another address"},
	{"preforkd/tcp", other_type, "is of type dgram, not stream"},
	{"preforkd/tcp", other_family, "is bound to another address"},
	{"preforkd/tcp", not_listening, "does not listen"},
	{"preforkd/tcp", a_file, "is not a socket"},
	{"preforkd/tcp", a_pipe, "is not a socket"},
	{"preforkd/local/1-2", a_file, "is not a socket"},
	{"preforkd/local/1-2", other_family, "is bound to another address"},
	{"preforkd/nobody", other_address, "no [socket:nobody] is in the configuration"},
	{"preforkd/", other_address, "its name is none of ours"},
	{"preforkd/../../etc", other_address, "its name is none of ours"},
	{"preforkd/tcp/zz", other_address, "its name is none of ours"},
};

START_TEST(what_is_of_no_use_is_closed_and_leaves_the_store)
{
	port = free_port();
	manager_open();
	manager_keep(useless[_i].name, useless[_i].make());
	write_config("");
	manager_start();
	WAIT_FOR(is_ready());
	ck_assert(log_has(useless[_i].said));
	ck_assert_int_eq(log_count("the service manager had stored"), 1);
	ck_assert(!log_has("may still hold"));
	WAIT_FOR(stored("preforkd/tcp") >= 0 && manager.count == 2);
	expect_answer(ask(port_connect(port)));
	expect_answer(ask(local()));
	EXPECT_STOP();
}
END_TEST

/* Its address is free only when the manager has closed it. */
START_TEST(the_address_of_another_section_becomes_free)
{
	start_with("");
	die();
	config("log_level = debug\n[socket:other]\nlisten = 127.0.0.1:%d\n"
	       "[socket:near]\nlisten = unix:@dir@/s\n[pool:web]\n" QUICK
	       "max_workers = 1\nsockets = other near\ncommand = @worker@ state _ http\n",
		port);
	rise();
	WAIT_FOR(stored("preforkd/other") >= 0 && stored("preforkd/near/") >= 0);
	ck_assert_int_eq(manager.count, 2);
	expect_answer(ask(port_connect(port)));
	ck_assert_int_eq(log_count("the service manager had stored"), 2);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

START_TEST(a_file_that_is_another_one_stays)
{
	int other;

	start_with("");
	die();
	ck_assert_int_eq(unlink(path_of("s")), 0);
	other = bound(SOCK_STREAM, AF_UNIX, path_of("s"));
	close(other); /* stale, and not ours */
	rise();
	ck_assert(log_has("is not its file any more"));
	expect_answer(ask(local()));
	EXPECT_STOP();
}
END_TEST

START_TEST(one_that_was_shut_down_is_bound_anew)
{
	start_with("");
	die();
	ck_assert_int_eq(shutdown(stored("preforkd/tcp"), SHUT_RD), 0);
	rise();
	ck_assert(log_has("does not listen"));
	expect_answer(ask(port_connect(port)));
	EXPECT_STOP();
}
END_TEST

/* The start after the next one meets them as this one did. */
START_TEST(a_start_that_fails_leaves_them)
{
	int waiting[2];

	start_with("");
	die();
	waiting[0] = ask(port_connect(port));
	waiting[1] = ask(local());
	file_write("other", "%s", "in the way");
	write_config("[socket:other]\nlisten = unix:@dir@/other\n");
	for (int i = 0; i < 2; i++) {
		manager_start();
		ck_assert_int_eq(daemon_wait(), 73);
		manager_hear();
		ck_assert_int_eq(manager.count, 2);
	}
	write_config("");
	rise();
	expect_answer(waiting[0]);
	expect_answer(waiting[1]);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* --- those that are passed --- */

START_TEST(what_a_socket_unit_passes_is_another_matter)
{
	start_with("");
	die();
	/* as by FileDescriptorName=local: taken, but not stored */
	ck_assert_int_eq(unlink(path_of("s")), 0);
	manager.first_fd = bound(SOCK_STREAM, AF_UNIX, path_of("s"));
	listen(manager.first_fd, 8);
	manager.first_name = "local";
	rise();
	ck_assert_int_eq(log_count("taken back from the service manager"), 1);
	ck_assert_int_eq(log_count("the service manager had stored preforkd/local/"), 1);
	ck_assert_int_eq(manager.count, 1);
	expect_answer(ask(local()));
	EXPECT_STOP();
	ck_assert(file_exists("s"));
}
END_TEST

/* --- LISTEN_FDS that lies --- */

static void expect_nothing_taken(void)
{
	manager_remove("preforkd/tcp"); /* else nobody could bind */
	manager_start();
	WAIT_FOR(is_ready());
	ck_assert(!log_has("taken back"));
	expect_answer(ask(port_connect(port)));
	EXPECT_STOP();
}

START_TEST(for_another_process)
{
	start_with("");
	die();
	file_write("log", "%s", "");
	manager.heard[0] = '\0';
	manager.listen_pid = "1";
	unlink(path_of("s"));
	expect_nothing_taken();
}
END_TEST

static const char *const counts[] = {"", "0", "-1", "x", "99999999999999999999", "2x"};

START_TEST(of_no_number)
{
	start_with("");
	die();
	file_write("log", "%s", "");
	manager.heard[0] = '\0';
	manager.listen_fds = counts[_i];
	unlink(path_of("s"));
	expect_nothing_taken();
}
END_TEST

START_TEST(more_than_there_are)
{
	start_with("");
	die();
	manager.listen_fds = "2000000000";
	rise();
	ck_assert_int_eq(log_count("taken back from the service manager"), 2);
	expect_answer(ask(port_connect(port)));
	EXPECT_STOP();
}
END_TEST

/* --- a manager that is slow, or gone --- */

START_TEST(a_full_socket_blocks_nothing)
{
	char more[8192] = "";

	port = free_port();
	manager_open();
	for (int i = 0; i < 60; i++)
		sprintf(more + strlen(more), "[socket:s%d]\nlisten = unix:@preforkd-test-%d-%d\n",
			i, (int)getpid(), i);
	write_config(more);
	manager_start();
	WAIT_FOR(log_has("ready: the first"));
	expect_answer(ask(port_connect(port)));
	WAIT_FOR(manager_heard("READY=1") && manager.count == 62);
	EXPECT_STOP();
}
END_TEST

START_TEST(nobody_listens)
{
	port = free_port();
	manager_open();
	close(manager.fd);
	if (_i)
		unlink(path_of("notify"));
	write_config("");
	manager_start();
	WAIT_FOR(log_has("ready: the first"));
	expect_answer(ask(port_connect(port)));
	reload_well();
	EXPECT_STOP();
}
END_TEST

/* It does not say that it has closed what it was told to: that is waited for, but not long. */
START_TEST(a_deaf_one_costs_seconds)
{
	port = free_port();
	manager_open();
	manager_keep("preforkd/nobody", other_address());
	write_config("");
	manager_start();
	WAIT_FOR(log_has("ready: the first"));
	ck_assert(log_has("may still hold"));
	expect_answer(ask(port_connect(port)));
	EXPECT_STOP();
}
END_TEST

/* --- what else it is told --- */

START_TEST(a_reload_is_told_with_its_time)
{
	long long usec;
	const char *at;
	int64_t before;

	start_with("");
	before = now_ms();
	manager.heard[0] = '\0';
	reload_well();
	WAIT_FOR(manager_heard("READY=1"));
	at = strstr(manager.heard, "RELOADING=1 MONOTONIC_USEC=");
	ck_assert_ptr_nonnull(at);
	ck_assert(at < strstr(manager.heard, "READY=1"));
	ck_assert_int_eq(sscanf(at, "RELOADING=1 MONOTONIC_USEC=%lld\n", &usec), 1);
	ck_assert_int_ge(usec, before * 1000);
	ck_assert_int_le(usec, (now_ms() + 1) * 1000);
	EXPECT_STOP();
	ck_assert(manager_heard("STOPPING=1"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fd_store");
	TCase *store = harness_case(suite, "stored");
	TCase *step = harness_case(suite, "in step");
	TCase *other = harness_case(suite, "of no use");
	TCase *lies = harness_case(suite, "lies");
	TCase *slow = harness_case(suite, "slow");

	tcase_add_test(store, each_socket_is_stored_once);
	tcase_add_test(store, who_waits_is_answered_when_all_have_died);
	tcase_add_test(store, so_is_who_waits_where_a_stale_file_was);
	tcase_add_test(store, over_an_orderly_restart_tcp_waits);
	tcase_add_test(store, workers_that_serve_on_are_adopted);
	tcase_add_test(store, what_a_worker_made_of_it_is_mended);
	tcase_add_test(step, a_reload_adds_removes_and_binds_anew);
	tcase_add_test(step, a_reload_that_fails_leaves_the_old_ones);
	tcase_add_test(step, an_upgrade_changes_nothing);
	tcase_add_test(step, a_reload_is_told_with_its_time);
	tcase_add_loop_test(other, what_is_of_no_use_is_closed_and_leaves_the_store, 0,
		(int)(sizeof(useless) / sizeof(*useless)));
	tcase_add_test(other, the_address_of_another_section_becomes_free);
	tcase_add_test(other, a_file_that_is_another_one_stays);
	tcase_add_test(other, one_that_was_shut_down_is_bound_anew);
	tcase_add_test(other, a_start_that_fails_leaves_them);
	tcase_add_test(other, what_a_socket_unit_passes_is_another_matter);
	tcase_add_test(lies, for_another_process);
	tcase_add_loop_test(lies, of_no_number, 0, (int)(sizeof(counts) / sizeof(*counts)));
	tcase_add_test(lies, more_than_there_are);
	tcase_add_test(slow, a_full_socket_blocks_nothing);
	tcase_add_loop_test(slow, nobody_listens, 0, 2);
	tcase_add_test(slow, a_deaf_one_costs_seconds);
	return harness_main(suite);
}
