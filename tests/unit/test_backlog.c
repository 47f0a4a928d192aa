/*
 * What the kernel says of real queues: of every kind of socket, of what is none, and that looking
 * costs nobody a connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backlog.h"
#include "test_files.h"
#include "test_main.h"

#define LIMIT 20

struct place {
	struct sockaddr_storage address;
	socklen_t length;
	int fd, family, type;
};

static struct test_dir dir;

static socklen_t choose_address(struct place *place, int family, const char *path)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&place->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&place->address;
	struct sockaddr_un *local = (struct sockaddr_un *)&place->address;

	place->address.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*four);
	}
	if (family == AF_INET6) {
		six->sin6_addr = in6addr_loopback;
		return sizeof(*six);
	}
	if (!path)
		return sizeof(sa_family_t); /* an abstract one that the kernel chooses */
	snprintf(local->sun_path, sizeof(local->sun_path), "%s", path);
	return sizeof(*local);
}

static struct place place_open(int family, int type, const char *path)
{
	struct place place = {.family = family, .type = type};

	place.length = choose_address(&place, family, path);
	place.fd = socket(family, type | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(place.fd, 0);
	ck_assert_int_eq(bind(place.fd, (struct sockaddr *)&place.address, place.length), 0);
	place.length = sizeof(place.address);
	getsockname(place.fd, (struct sockaddr *)&place.address, &place.length);
	if (type != SOCK_DGRAM)
		ck_assert_int_eq(listen(place.fd, LIMIT), 0);
	return place;
}

static int place_connect(const struct place *place)
{
	int fd = socket(place->family, place->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (const struct sockaddr *)&place->address, place->length) == 0)
		return fd;
	if (errno != EINPROGRESS)
		ck_assert_int_eq(errno, EAGAIN);
	return fd;
}

static const struct kind_case {
	int family, type;
	bool named;
} kinds[] = {
	{AF_INET, SOCK_STREAM, false},
	{AF_INET6, SOCK_STREAM, false},
	{AF_UNIX, SOCK_STREAM, true},
	{AF_UNIX, SOCK_STREAM, false},
	{AF_UNIX, SOCK_SEQPACKET, true},
	{AF_UNIX, SOCK_SEQPACKET, false},
};
#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

static void expect(struct backlog_reader *reader, int fd, int waiting, int limit)
{
	const struct backlog_count count = backlog_read(reader, fd);

	ck_assert_int_eq(count.waiting, waiting);
	ck_assert_int_eq(count.limit, limit);
}

START_TEST(counts_a_queue)
{
	const struct kind_case *kind = &kinds[_i];
	struct backlog_reader reader;
	struct place place;

	test_dir_make(&dir);
	place = place_open(kind->family, kind->type, kind->named ? test_path(&dir, "s") : NULL);
	backlog_open(&reader);
	expect(&reader, place.fd, 0, LIMIT);
	ck_assert(!backlog_any(place.fd));
	for (int i = 1; i <= 7; i++) {
		place_connect(&place);
		expect(&reader, place.fd, i, LIMIT);
		ck_assert(backlog_any(place.fd));
	}
	for (int i = 6; i >= 0; i--) {
		ck_assert_int_ge(accept(place.fd, NULL, NULL), 0);
		expect(&reader, place.fd, i, LIMIT);
	}
	backlog_close(&reader);
	test_dir_remove(&dir);
}
END_TEST

START_TEST(counts_up_to_the_limit)
{
	const struct kind_case *kind = &kinds[_i];
	struct place place = place_open(kind->family, kind->type, NULL);
	struct backlog_reader reader;

	if (kind->named)
		return;
	backlog_open(&reader);
	for (int i = 0; i < LIMIT + 5; i++)
		place_connect(&place);
	expect(&reader, place.fd, LIMIT + 1, LIMIT);
	ck_assert_int_eq(listen(place.fd, 5), 0);
	expect(&reader, place.fd, LIMIT + 1, 5);
	backlog_close(&reader);
}
END_TEST

/* Who gave up waits all the same, until somebody accepts it: TCP and unix sockets agree. */
START_TEST(counts_who_gave_up)
{
	const struct kind_case *kind = &kinds[_i];
	struct place place = place_open(kind->family, kind->type, NULL);
	struct backlog_reader reader;

	if (kind->named)
		return;
	backlog_open(&reader);
	close(place_connect(&place));
	expect(&reader, place.fd, 1, LIMIT);
	ck_assert_int_ge(accept(place.fd, NULL, NULL), 0);
	expect(&reader, place.fd, 0, LIMIT);
	backlog_close(&reader);
}
END_TEST

START_TEST(knows_of_datagrams_whether)
{
	static const int families[] = {AF_INET, AF_UNIX};
	struct place place = place_open(families[_i], SOCK_DGRAM, NULL);
	int client = socket(families[_i], SOCK_DGRAM, 0);
	struct backlog_reader reader;
	char byte;

	backlog_open(&reader);
	expect(&reader, place.fd, 0, BACKLOG_UNKNOWN);
	/* one of no bytes, too */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sendto(client, "x", i > 0, 0, (struct sockaddr *)&place.address,
					 place.length),
			i > 0);
	for (int i = 0; i < 3; i++) {
		expect(&reader, place.fd, 1, BACKLOG_UNKNOWN);
		ck_assert_int_ge(recv(place.fd, &byte, 1, 0), 0);
	}
	expect(&reader, place.fd, 0, BACKLOG_UNKNOWN);
	backlog_close(&reader);
}
END_TEST

START_TEST(says_when_it_does_not_know)
{
	struct backlog_reader reader;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	const int fds[] = {-1, 900, null, tcp, netlink};

	backlog_open(&reader);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		errno = ENOTTY;
		expect(&reader, fds[i], BACKLOG_UNKNOWN, BACKLOG_UNKNOWN);
		ck_assert_int_eq(errno, ENOTTY);
	}
	ck_assert(!backlog_any(-1));
	ck_assert(!backlog_any(900));
	ck_assert_int_eq(reader.fd, -1);
	backlog_close(&reader);
}
END_TEST

/* A connected unix socket has no queue of connections; what was sent to it waits or not. */
START_TEST(of_a_connected_one_it_knows_whether)
{
	struct backlog_reader reader;
	int end[2];

	backlog_open(&reader);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	expect(&reader, end[0], 0, BACKLOG_UNKNOWN);
	ck_assert_int_eq(write(end[1], "x", 1), 1);
	expect(&reader, end[0], 1, BACKLOG_UNKNOWN);
	backlog_close(&reader);
}
END_TEST

/* One netlink socket, opened when it is needed; an answer that nobody took is passed over. */
START_TEST(asks_through_one_socket)
{
	struct place tcp = place_open(AF_INET, SOCK_STREAM, NULL);
	struct place local = place_open(AF_UNIX, SOCK_STREAM, NULL);
	struct backlog_reader reader;
	int fd;

	backlog_open(&reader);
	expect(&reader, tcp.fd, 0, LIMIT);
	ck_assert_int_eq(reader.fd, -1);
	expect(&reader, local.fd, 0, LIMIT);
	fd = reader.fd;
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	place_connect(&local);
	for (int i = 0; i < 1000; i++)
		expect(&reader, local.fd, 1, LIMIT);
	ck_assert_int_eq(reader.fd, fd);
	backlog_close(&reader);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(reader.fd, -1);
}
END_TEST

/* No netlink, as in a unit with RestrictAddressFamilies: unknown, and whether is still known. */
START_TEST(lives_without_sock_diag)
{
	struct place local = place_open(AF_UNIX, SOCK_STREAM, NULL);
	struct backlog_reader reader;

	backlog_open(&reader);
	reader.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	place_connect(&local);
	expect(&reader, local.fd, BACKLOG_UNKNOWN, BACKLOG_UNKNOWN);
	ck_assert(backlog_any(local.fd));
	backlog_close(&reader);
}
END_TEST

static Suite *backlog_suite(void)
{
	Suite *suite = suite_create("backlog");
	TCase *queues = tcase_create("queues");
	TCase *others = tcase_create("others");

	tcase_add_loop_test(queues, counts_a_queue, 0, KINDS);
	tcase_add_loop_test(queues, counts_up_to_the_limit, 0, KINDS);
	tcase_add_loop_test(queues, counts_who_gave_up, 0, KINDS);
	suite_add_tcase(suite, queues);
	tcase_add_loop_test(others, knows_of_datagrams_whether, 0, 2);
	tcase_add_test(others, says_when_it_does_not_know);
	tcase_add_test(others, of_a_connected_one_it_knows_whether);
	tcase_add_test(others, asks_through_one_socket);
	tcase_add_test(others, lives_without_sock_diag);
	suite_add_tcase(suite, others);
	return suite;
}

int main(void)
{
	return test_main(backlog_suite());
}
