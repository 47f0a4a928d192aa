/* Sockets that the supervisor binds or is given: workers serve on them, files come and go. */
#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVING "[pool:web]\nmax_workers = %d\nsockets = main\ncommand = @worker@ http\n"
#define QUICK   "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"

static const char *const no_arguments[] = {NULL};

static void expect_a_worker(const char *body)
{
	ck_assert_ptr_nonnull(body);
	pid_t pids[MANY_WORKERS];
	int count = workers(pids);

	for (int i = 0; i < count; i++) {
		if (pids[i] == atoi(body))
			return;
	}
	ck_abort_msg("'%s' is no worker's answer", body);
}

static int port_in_use;

static void start_on_port(const char *format)
{
	char listen[64];

	port_in_use = free_port();
	snprintf(listen, sizeof(listen), "%s:%d", format, port_in_use);
	config("[socket:main]\nlisten = %s\n" SERVING, listen, 2);
	daemon_start();
	WAIT_FOR(worker_count() == 2);
}

START_TEST(tcp)
{
	start_on_port("127.0.0.1");
	for (int i = 0; i < 5; i++)
		expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
	ck_assert_int_eq(port_connect(port_in_use), -1);
}
END_TEST

START_TEST(tcp6)
{
	start_on_port("[::1]");
	expect_a_worker(http_exchange(port6_connect(port_in_use), "/"));
	ck_assert_int_eq(port_connect(port_in_use), -1);
	EXPECT_STOP();
}
END_TEST

START_TEST(both_families)
{
	start_on_port("");
	expect_a_worker(http_exchange(port6_connect(port_in_use), "/"));
	expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
}
END_TEST

START_TEST(all_workers_serve)
{
	int fds[4], pids[4];

	port_in_use = free_port();
	config("[socket:main]\nlisten = 127.0.0.1:%d\n" SERVING, port_in_use, 4);
	daemon_start();
	WAIT_FOR(worker_count() == 4);
	for (int i = 0; i < 4; i++) {
		static const char request[] = "GET /sleep/600 HTTP/1.0\r\n\r\n";

		fds[i] = port_connect(port_in_use);
		ck_assert_int_eq(
			send(fds[i], request, sizeof(request) - 1, 0), sizeof(request) - 1);
	}
	for (int i = 0; i < 4; i++) {
		char answer[512];
		ssize_t got = recv(fds[i], answer, sizeof(answer) - 1, MSG_WAITALL);

		ck_assert_int_gt(got, 0);
		answer[got] = '\0';
		pids[i] = atoi(strstr(answer, "\r\n\r\n") + 4);
		close(fds[i]);
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(pids[i], pids[j]);
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(connections_wait_while_there_is_no_worker)
{
	port_in_use = free_port();
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\nsockets = main\n"
	       "command = @worker@ sleep 300 http\n" QUICK,
		port_in_use);
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	nap_ms(slow_ms(40));
	kill(worker_any(), SIGKILL);
	expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
}
END_TEST

/* One that ends by a shutdown of the socket, which would be everybody's end. */
START_TEST(a_socket_that_a_worker_shuts_down_listens_again)
{
	const char *server = getenv("AUTO_SERVER");
	char text[256];
	int fd;

	SKIP_UNLESS(server, "AUTO_SERVER is not set");
	port_in_use = free_port();
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\nsockets = main\n"
	       "crash_loop = backoff\ncommand = %s shutting\n" QUICK,
		port_in_use, server);
	daemon_start();
	for (int i = 0; i < 3; i++) {
		WAIT_FOR((fd = port_connect(port_in_use)) >= 0);
		ck_assert_int_eq(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
		ck_assert_int_gt(read(fd, text, sizeof(text)), 0);
		close(fd);
		WAIT_FOR(log_count("a worker has shut it down; listening again") == i + 1);
	}
	EXPECT_STOP();
}
END_TEST

/* --- unix sockets --- */

static mode_t umask_to_use;

static void set_umask(void)
{
	umask(umask_to_use);
}

static mode_t file_mode(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(path_of("%s", name), &st), 0);
	return st.st_mode;
}

START_TEST(the_mode_of_a_unix_socket_is_exact)
{
	static const struct {
		mode_t mask;
		const char *key;
		mode_t expected;
	} cases[] = {{0, "", 0660}, {0777, "", 0660}, {0777, "mode = 0606\n", 0606},
		{022, "mode = 0666\n", 0666}, {0, "mode = 0600\n", 0600}};

	umask_to_use = cases[_i].mask;
	config("[socket:main]\nlisten = unix:@dir@/s\n%s[pool:web]\nmax_workers = 1\n"
	       "sockets = main\ncommand = @worker@ http\n",
		cases[_i].key);
	daemon_start_as(set_umask, no_arguments);
	WAIT_FOR(worker_count() == 1);
	ck_assert_uint_eq(file_mode("s"), S_IFSOCK | cases[_i].expected);
	expect_a_worker(http_exchange(unix_connect(path_of("s"), SOCK_STREAM), "/"));
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

START_TEST(a_unix_socket_belongs_to_the_pools_user_or_the_named_one)
{
	struct stat st;

	SKIP_UNLESS(geteuid() == 0, "only root can give files away");
	config("[socket:main]\nlisten = unix:@dir@/s\n"
	       "[socket:named]\nlisten = unix:@dir@/t\nuser = root\ngroup = nogroup\n"
	       "[pool:web]\nmax_workers = 1\nsockets = main named\nuser = nobody\n"
	       "command = @worker@ http\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	ck_assert_int_eq(stat(path_of("s"), &st), 0);
	ck_assert_int_eq(st.st_uid, 65534);
	ck_assert_int_eq(stat(path_of("t"), &st), 0);
	ck_assert_int_eq(st.st_uid, 0);
	ck_assert_int_eq(st.st_gid, 65534);
	EXPECT_STOP();
}
END_TEST

START_TEST(abstract)
{
	char name[128];

	snprintf(name, sizeof(name), "@preforkd-test-%d", (int)getpid());
	config("[socket:main]\nlisten = unix:%s\n" SERVING, name, 1);
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	expect_a_worker(http_exchange(unix_connect(name, SOCK_STREAM), "/"));
	EXPECT_STOP();
}
END_TEST

START_TEST(udp_datagrams)
{
	char answer[64] = "";
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	port_in_use = free_port();
	address.sin_port = htons((uint16_t)port_in_use);
	config("[socket:main]\nlisten = 127.0.0.1:%d\ntype = dgram\n" SERVING, port_in_use, 1);
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	ck_assert_int_gt(recv(fd, answer, sizeof(answer) - 1, 0), 0);
	expect_a_worker(answer);
	close(fd);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_socket_as_standard_input)
{
	port_in_use = free_port();
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 1\n"
	       "stdin = socket:main\ncommand = @worker@ report @dir@/report http\n",
		port_in_use);
	daemon_start();
	WAIT_FOR(file_exists("report"));
	ck_assert_int_eq(strncmp(file_value("report", "fd 0 "), "socket:", 7), 0);
	ck_assert_str_eq(file_value("report", "fd 3 "), path_of("run/web.scoreboard"));
	expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
}
END_TEST

/* --- what is in the way --- */

static int bind_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 10), 0);
	return fd;
}

static void configure_unix(void)
{
	config("[socket:main]\nlisten = unix:@dir@/s\n" SERVING, 1);
}

START_TEST(a_stale_unix_socket_is_replaced)
{
	close(bind_unix(path_of("s")));
	ck_assert(file_exists("s"));
	configure_unix();
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	expect_a_worker(http_exchange(unix_connect(path_of("s"), SOCK_STREAM), "/"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_live_unix_socket_is_refused_and_left)
{
	int fd = bind_unix(path_of("s"));

	configure_unix();
	daemon_start();
	EXPECT_EXIT(73);
	ck_assert(log_has("/s"));
	int client = unix_connect(path_of("s"), SOCK_STREAM);

	ck_assert_int_ge(client, 0);
	close(client);
	close(fd);
}
END_TEST

START_TEST(a_file_in_the_way_is_refused_and_left)
{
	file_write("s", "precious\n");
	configure_unix();
	daemon_start();
	EXPECT_EXIT(73);
	ck_assert_str_eq(file_text("s"), "precious\n");
}
END_TEST

START_TEST(a_unix_socket_that_is_no_longer_ours_stays)
{
	configure_unix();
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	unlink(path_of("s"));
	int fd = bind_unix(path_of("s"));

	EXPECT_STOP();
	ck_assert(file_exists("s"));
	close(fd);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	config("[socket:main]\nlisten = 127.0.0.1:%d\n" SERVING, ntohs(address.sin_port), 1);
	daemon_start();
	EXPECT_EXIT(73);
	ck_assert(log_has("Address already in use"));
	close(fd);
}
END_TEST

START_TEST(a_port_is_bound_again_at_once_after_a_stop)
{
	start_on_port("127.0.0.1");
	expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
	daemon_start();
	WAIT_FOR(worker_count() == 2);
	expect_a_worker(http_get(port_in_use, "/"));
	EXPECT_STOP();
}
END_TEST

/* --- passed in --- */

static int passed_fd;

static void pass_socket(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (dup2(passed_fd, 3) != 3)
		_exit(120);
	fcntl(3, F_SETFD, 0);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "main", 1);
}

START_TEST(a_socket_passed_in_is_taken_and_its_file_left)
{
	passed_fd = bind_unix(path_of("s"));
	configure_unix();
	daemon_start_as(pass_socket, no_arguments);
	WAIT_FOR(worker_count() == 1);
	close(passed_fd);
	expect_a_worker(http_exchange(unix_connect(path_of("s"), SOCK_STREAM), "/"));
	EXPECT_STOP();
	ck_assert(file_exists("s"));
}
END_TEST

START_TEST(a_socket_passed_in_that_nobody_named_is_closed)
{
	passed_fd = bind_unix(path_of("other"));
	config("[pool:web]\nmax_workers = 1\ncommand = @worker@ report @dir@/report\n");
	daemon_start_as(pass_socket, no_arguments);
	WAIT_FOR(file_exists("report"));
	close(passed_fd);
	ck_assert_int_eq(unix_connect(path_of("other"), SOCK_STREAM), -1);
	ck_assert(!file_has("report", "socket:"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sockets");
	TCase *network = harness_case(suite, "network");
	TCase *local = harness_case(suite, "unix");
	TCase *way = harness_case(suite, "in the way");
	TCase *passed = harness_case(suite, "passed in");

	tcase_add_test(network, tcp);
	tcase_add_test(network, tcp6);
	tcase_add_test(network, both_families);
	tcase_add_test(network, all_workers_serve);
	tcase_add_test(network, connections_wait_while_there_is_no_worker);
	tcase_add_test(network, a_socket_that_a_worker_shuts_down_listens_again);
	tcase_add_test(network, udp_datagrams);
	tcase_add_test(network, a_socket_as_standard_input);
	tcase_add_loop_test(local, the_mode_of_a_unix_socket_is_exact, 0, 5);
	tcase_add_test(local, a_unix_socket_belongs_to_the_pools_user_or_the_named_one);
	tcase_add_test(local, abstract);
	tcase_add_test(way, a_stale_unix_socket_is_replaced);
	tcase_add_test(way, a_live_unix_socket_is_refused_and_left);
	tcase_add_test(way, a_file_in_the_way_is_refused_and_left);
	tcase_add_test(way, a_unix_socket_that_is_no_longer_ours_stays);
	tcase_add_test(way, a_port_in_use_is_refused);
	tcase_add_test(way, a_port_is_bound_again_at_once_after_a_stop);
	tcase_add_test(passed, a_socket_passed_in_is_taken_and_its_file_left);
	tcase_add_test(passed, a_socket_passed_in_that_nobody_named_is_closed);
	return harness_main(suite);
}
