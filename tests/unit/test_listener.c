/* Sockets that listen: every kind of address, options, and sockets that were passed in. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "errmsg.h"
#include "listener.h"
#include "test_main.h"

static struct listener_settings settings;
static struct listener listener = {.fd = -1};
static struct errmsg err;

static void want(const char *address, int type)
{
	address_free(&settings.listen);
	settings = (struct listener_settings){
		.type = type, .backlog = -1, .mode = 0660, .uid = (uid_t)-1, .gid = (gid_t)-1};
	ck_assert_msg(address_parse(&settings.listen, address, &err) == 0, "%s", err.text);
}

static void must_open(void)
{
	err.text[0] = '\0';
	ck_assert_msg(listener_open(&listener, &settings, -1, &err) == 0, "%s", err.text);
}

static void must_refuse(int passed_fd, const char *why)
{
	struct listener refused;

	ck_assert_int_eq(listener_open(&refused, &settings, passed_fd, &err), -1);
	ck_assert_int_eq(refused.fd, -1);
	ck_assert_msg(strstr(err.text, why) != NULL, "not \"%s\": %s", why, err.text);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &bytes), 0);
	return value;
}

static int port_of(int fd)
{
	struct sockaddr_storage own;
	socklen_t bytes = sizeof(own);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &bytes), 0);
	if (own.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&own)->sin6_port);
	return ntohs(((struct sockaddr_in *)&own)->sin_port);
}

/* 0, or errno. */
static int connect_to(int family, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
		.sin_port = htons((in_port_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_port = htons((in_port_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (family == AF_INET6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
			       : connect(fd, (struct sockaddr *)&v4, sizeof(v4)))
		error = errno;
	close(fd);
	return error;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && !bind(fd, (struct sockaddr *)&any, sizeof(any));

	close(fd);
	return has;
}

static void is_blocking_and_cloexec(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

START_TEST(one_address)
{
	char text[64];

	want("127.0.0.1:0", SOCK_STREAM);
	must_open();
	is_blocking_and_cloexec(listener.fd);
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_REUSEADDR), 1);
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_REUSEPORT), 0);
	snprintf(text, sizeof(text), "127.0.0.1:%d", port_of(listener.fd));
	ck_assert_str_eq(listener.port_text, text);
	ck_assert_ptr_null(listener.path);
	ck_assert_int_eq(connect_to(AF_INET, port_of(listener.fd)), 0);
	listener_close(&listener);
	ck_assert_int_eq(listener.fd, -1);
	listener_close(&listener);
}
END_TEST

START_TEST(every_address_of_both_families)
{
	char text[64];
	int port;

	want(":0", SOCK_STREAM);
	must_open();
	port = port_of(listener.fd);
	snprintf(text, sizeof(text), "%d", port);
	ck_assert_str_eq(listener.port_text, text);
	ck_assert_int_eq(connect_to(AF_INET, port), 0);
	if (has_ipv6())
		ck_assert_int_eq(connect_to(AF_INET6, port), 0);
	listener_close(&listener);
}
END_TEST

START_TEST(ipv6_only)
{
	char text[64];

	if (!has_ipv6())
		return;
	want(":0", SOCK_STREAM);
	settings.v6only = true;
	must_open();
	ck_assert_int_eq(connect_to(AF_INET6, port_of(listener.fd)), 0);
	ck_assert_int_eq(connect_to(AF_INET, port_of(listener.fd)), ECONNREFUSED);
	listener_close(&listener);
	want("[::1]:0", SOCK_STREAM);
	must_open();
	snprintf(text, sizeof(text), "[::1]:%d", port_of(listener.fd));
	ck_assert_str_eq(listener.port_text, text);
	listener_close(&listener);
}
END_TEST

START_TEST(names_are_looked_up)
{
	want("localhost:0", SOCK_STREAM);
	must_open();
	ck_assert(!strncmp(listener.port_text, "localhost:", 10));
	listener_close(&listener);
	want("no-such-host.invalid:80", SOCK_STREAM);
	must_refuse(-1, "cannot look up no-such-host.invalid:80");
	want("192.0.2.1:0", SOCK_STREAM); /* of nobody */
	must_refuse(-1, "cannot bind 192.0.2.1:0");
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

START_TEST(a_port_that_is_taken)
{
	char address[64];

	want("127.0.0.1:0", SOCK_STREAM);
	must_open();
	snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(listener.fd));
	want(address, SOCK_STREAM);
	must_refuse(-1, "Address already in use");
	ck_assert_int_eq(errno, EADDRINUSE);
	listener_close(&listener);
}
END_TEST

START_TEST(datagrams)
{
	char address[64];

	want("127.0.0.1:0", SOCK_DGRAM);
	must_open();
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_REUSEADDR), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", port_of(listener.fd));
	want(address, SOCK_DGRAM);
	must_refuse(-1, "Address already in use");
	listener_close(&listener);
}
END_TEST

START_TEST(options_are_set)
{
	int client;

	want("127.0.0.1:0", SOCK_STREAM);
	settings.reuse_port = settings.defer_accept = settings.nodelay = true;
	must_open();
	ck_assert_int_eq(option(listener.fd, SOL_SOCKET, SO_REUSEPORT), 1);
	ck_assert_int_gt(option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	ck_assert_int_eq(option(listener.fd, IPPROTO_TCP, TCP_NODELAY), 1);
	settings.defer_accept = false;
	listener_close(&listener);
	must_open();
	ck_assert_int_eq(option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	ck_assert_int_eq(connect_to(AF_INET, port_of(listener.fd)), 0);
	client = accept(listener.fd, NULL, NULL);
	ck_assert_int_eq(option(client, IPPROTO_TCP, TCP_NODELAY), 1); /* inherited */
	close(client);
	listener_close(&listener);
}
END_TEST

/* Of a listening TCP socket the kernel tells the backlog here. */
static unsigned backlog_of(int fd)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
	return info.tcpi_sacked;
}

START_TEST(the_backlog)
{
	FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
	unsigned most = 0;

	ck_assert(!file || fscanf(file, "%u", &most) == 1);
	if (file)
		fclose(file);
	want("127.0.0.1:0", SOCK_STREAM);
	must_open();
	if (most)
		ck_assert_uint_eq(backlog_of(listener.fd), most);
	settings.backlog = 7;
	ck_assert_int_eq(listener_change(&listener, &settings, &err), 0);
	ck_assert_uint_eq(backlog_of(listener.fd), 7);
	listener_close(&listener);
}
END_TEST

START_TEST(a_reserved_port)
{
	want("127.0.0.1:7", SOCK_STREAM);
	if (geteuid() == 0 && setresuid(65533, 65533, 65533))
		return;
	if (listener_open(&listener, &settings, -1, &err) == 0)
		return; /* net.ipv4.ip_unprivileged_port_start */
	ck_assert_int_eq(errno, EACCES);
	ck_assert(strstr(err.text, "CAP_NET_BIND_SERVICE") != NULL);
}
END_TEST

/* --- passed in --- */

static int passed_tcp(bool listening)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

START_TEST(a_passed_socket_is_taken)
{
	int fd = passed_tcp(true);
	char text[64];

	snprintf(text, sizeof(text), "127.0.0.1:%d", port_of(fd));
	want(text, SOCK_STREAM);
	ck_assert_msg(listener_open(&listener, &settings, fd, &err) == 0, "%s", err.text);
	ck_assert_int_eq(listener.fd, fd);
	ck_assert(listener.passed);
	ck_assert_str_eq(listener.port_text, text);
	is_blocking_and_cloexec(fd);
	listener_close(&listener);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(a_passed_socket_of_another_kind_is_refused)
{
	int good = passed_tcp(true), silent = passed_tcp(false), pair[2];
	int file = open("/dev/null", O_RDONLY);

	want("127.0.0.1:0", SOCK_STREAM);
	must_refuse(silent, "does not listen");
	must_refuse(file, "is not a socket");
	must_refuse(1000, "is not a socket");
	want("127.0.0.1:0", SOCK_DGRAM);
	must_refuse(good, "is of type stream, not dgram");
	want("127.0.0.1:1", SOCK_STREAM);
	must_refuse(good, "another address");
	want("127.0.0.2:0", SOCK_STREAM);
	must_refuse(good, "another address");
	want(":0", SOCK_STREAM);
	must_refuse(good, "another address");
	want("unix:/tmp/x", SOCK_STREAM);
	must_refuse(good, "another address");
	want("unix:@x", SOCK_DGRAM);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	must_refuse(pair[0], "another address");
	want("127.0.0.1:0", SOCK_DGRAM);
	must_refuse(pair[0], "another address");
	ck_assert_int_eq(fcntl(good, F_GETFD), 0); /* still the caller's */
	close(good);
	close(silent);
	close(file);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_passed_socket_of_every_address)
{
	char text[64];
	int fd;

	want(":0", SOCK_STREAM);
	must_open();
	snprintf(text, sizeof(text), ":%d", port_of(listener.fd));
	fd = dup(listener.fd);
	listener_close(&listener);
	want(text, SOCK_STREAM);
	ck_assert_msg(listener_open(&listener, &settings, fd, &err) == 0, "%s", err.text);
	listener_close(&listener);
}
END_TEST

static void forget_address(void)
{
	address_free(&settings.listen);
}

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tests = tcase_create("listener");

	tcase_add_checked_fixture(tests, NULL, forget_address);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, one_address);
	tcase_add_test(tests, every_address_of_both_families);
	tcase_add_test(tests, ipv6_only);
	tcase_add_test(tests, names_are_looked_up);
	tcase_add_test(tests, a_port_that_is_taken);
	tcase_add_test(tests, datagrams);
	tcase_add_test(tests, options_are_set);
	tcase_add_test(tests, the_backlog);
	tcase_add_test(tests, a_reserved_port);
	tcase_add_test(tests, a_passed_socket_is_taken);
	tcase_add_test(tests, a_passed_socket_of_another_kind_is_refused);
	tcase_add_test(tests, a_passed_socket_of_every_address);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
