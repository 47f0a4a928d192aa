/*
 * What is sent to the socket of notifications: who is believed, what is dropped, what a flood can
 * do. Senders are processes of their own where it matters.
 */
#include "notify_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys.h"
#include "test_main.h"

/* --- who is believed --- */

START_TEST(a_sender_that_is_gone_is_named_right)
{
	pid_t pid;
	int i;

	must_open();
	for (i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0)
			_exit(send_text("STOPPING=1"));
		must_end(pid); /* reaped: nothing of it is left */
		turn();
		ck_assert_int_eq(heard.count, i + 1);
		ck_assert_int_eq(heard.pid, pid);
		ck_assert(heard.message.stopping);
	}
}
END_TEST

START_TEST(nobody_can_name_another)
{
	struct sockaddr_un address;
	struct ucred claim = {.pid = 1, .uid = getuid(), .gid = getgid()};
	char control[CMSG_SPACE(sizeof(claim))] = "";
	struct iovec part = {(char[]){"READY=1"}, 7};
	struct msghdr header = {.msg_name = &address,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *item = CMSG_FIRSTHDR(&header);
	pid_t pid;

	must_open();
	item->cmsg_level = SOL_SOCKET;
	item->cmsg_type = SCM_CREDENTIALS;
	item->cmsg_len = CMSG_LEN(sizeof(claim));
	memcpy(CMSG_DATA(item), &claim, sizeof(claim));
	header.msg_namelen = address_of(&address, socket_path);
	ck_assert_int_eq(chmod(socket_path, 0666), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		_exit(sendmsg(fd, &header, 0) != -1 || errno != EPERM);
	}
	must_end(pid);
	turn();
	ck_assert_int_eq(heard.count, 0);
}
END_TEST

/* In a pid namespace of its own, where the sender outside has no number. */
static void listen_inside(int tell, int asked)
{
	char byte = 'x';

	ev_loop_fork(loop);
	if (notify_socket_open(&notify, loop, &settings, &err) || write(tell, &byte, 1) != 1)
		_exit(2);
	if (read(asked, &byte, 1) != 1)
		_exit(3);
	turn();
	if (heard.count != 0)
		_exit(4);
	if (send_text("WATCHDOG=1")) /* still answers */
		_exit(5);
	turn();
	notify_socket_close(&notify);
	ev_loop_destroy(loop);
	_exit(heard.count != 1 || heard.pid != getpid());
}

/* A namespace's first process must be a child of the one that made it. */
static void make_inside(int tell, int asked)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID)) {
		close(tell); /* only root may */
		_exit(0);
	}
	pid = fork();
	if (pid == 0)
		listen_inside(tell, asked);
	_exit(waitpid(pid, &status, 0) != pid || status != 0);
}

START_TEST(a_sender_without_a_number_is_ignored)
{
	int to[2], from[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		make_inside(from[1], to[0]);
	close(from[1]);
	if (read(from[0], &byte, 1) == 1) {
		notify.address = socket_path;
		must_send("READY=1");
		notify.address = NULL;
		ck_assert_int_eq(write(to[1], "x", 1), 1);
	}
	must_end(pid);
}
END_TEST

static void see_end(struct ev_loop *of, ev_io *watcher, int events)
{
	(void)events;
	ev_io_stop(of, watcher);
	ck_assert_int_eq(heard.count, 1);
	heard.count = 100;
}

/* Whichever of the two happened first. */
START_TEST(last_words_are_heard_before_the_end_is_seen)
{
	int end[2];
	ev_io ended;

	must_open();
	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	ev_io_init(&ended, see_end, end[0], EV_READ);
	ev_io_start(loop, &ended);
	turn();
	if (_i)
		close(end[1]);
	must_send("STOPPING=1");
	if (!_i)
		close(end[1]);
	turn();
	ck_assert_int_eq(heard.count, 100);
	close(end[0]);
}
END_TEST

/* --- what is dropped --- */

START_TEST(an_empty_one_says_nothing)
{
	const struct notify_message nothing = {0};

	must_open();
	must_send("");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_mem_eq(&heard.message, &nothing, sizeof(nothing));
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
	ck_assert(heard.message.ready);
}
END_TEST

START_TEST(a_long_one_is_ignored)
{
	static const struct {
		size_t length;
		int count;
	} cases[] = {{4095, 1}, {4096, 1}, {4097, 0}, {65536, 0}};
	static char bytes[65536];

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "READY=1\nSTATUS=", 15);
	must_open();
	ck_assert_int_eq(send_with(bytes, cases[_i].length, NULL, 0), 0);
	turn();
	ck_assert_int_eq(heard.count, cases[_i].count);
	must_send("WATCHDOG=1");
	turn();
	ck_assert_int_eq(heard.count, cases[_i].count + 1);
	ck_assert(heard.message.watchdog);
}
END_TEST

START_TEST(what_is_ignored_is_told_once)
{
	static const char bytes[NOTIFY_MESSAGE_MAX_BYTES + 1];
	char words[128];
	int i;

	must_open();
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(send_with(bytes, sizeof(bytes), NULL, 0), 0);
		turn();
	}
	snprintf(words, sizeof(words), "of pid %ld (user %ld) is ignored: it is too long\n",
		(long)getpid(), (long)getuid());
	ck_assert_int_eq(log_says(words), 1);
	ck_assert_int_eq(log_says("\n"), 1);
	notify.telling.next_at = 0;
	ck_assert_int_eq(send_with(bytes, sizeof(bytes), NULL, 0), 0);
	turn();
	ck_assert_int_eq(log_says("too long; 4 more since"), 1);
}
END_TEST

static bool is_ended(int read_end)
{
	struct pollfd end = {.fd = read_end, .events = POLLIN};

	ck_assert_int_ge(poll(&end, 1, 0), 0);
	return end.revents == POLLHUP;
}

START_TEST(passed_descriptors_are_closed)
{
	static const char *const texts[] = {"BARRIER=1", "READY=1\nFDSTORE=1", "", NULL};
	char noise[5000] = "too long";
	int end[2], fd[MOST_FDS], counts[] = {1, 2, 100, MOST_FDS};
	unsigned before;
	int i;

	must_open();
	turn();
	for (i = 0; i < (int)(sizeof(counts) / sizeof(*counts)); i++) {
		before = descriptors();
		ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
		for (int k = 0; k < MOST_FDS; k++)
			fd[k] = end[1];
		ck_assert_int_eq(send_with(texts[_i] ? texts[_i] : noise,
					 texts[_i] ? strlen(texts[_i]) : sizeof(noise), fd,
					 (size_t)counts[i]),
			0);
		close(end[1]);
		ck_assert(!is_ended(end[0]));
		turn();
		ck_assert(is_ended(end[0]));
		close(end[0]);
		ck_assert_uint_eq(descriptors(), before);
	}
	ck_assert_int_eq(heard.count, texts[_i] ? i : 0);
	ck_assert_int_eq(heard.message.barrier, _i == 0);
}
END_TEST

START_TEST(no_descriptor_left_is_no_trouble)
{
	struct rlimit files;
	int fd[MOST_FDS], end[2];
	unsigned before;

	must_open();
	turn();
	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	for (int k = 0; k < MOST_FDS; k++)
		fd[k] = end[1];
	ck_assert_int_eq(send_with("READY=1", 7, fd, MOST_FDS), 0);
	close(end[1]);
	before = descriptors();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = (rlim_t)end[1] + (_i ? 10 : 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert(heard.message.ready);
	ck_assert(is_ended(end[0]));
	ck_assert_uint_eq(descriptors(), before);
	close(end[0]);
}
END_TEST

/* A TCP connection that has bytes to send which nobody takes, and lingers for them. */
static int lingering(int *listener, int *peer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger linger = {.l_onoff = 1, .l_linger = 20};
	static const char bytes[65536];
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(*listener, (struct sockaddr *)&address, sizeof(address)) || listen(*listener, 1) ||
		getsockname(*listener, (struct sockaddr *)&address, &length) ||
		connect(fd, (struct sockaddr *)&address, length))
		ck_abort_msg("no loopback");
	*peer = accept(*listener, NULL, NULL);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

START_TEST(a_lingering_socket_holds_up_nobody)
{
	int listener, peer, fd = lingering(&listener, &peer);
	int64_t began_at;

	must_open();
	ck_assert_int_eq(send_with("READY=1", 7, &fd, 1), 0);
	close(fd); /* the last but the one on its way */
	began_at = sys_now_ms();
	turn();
	ck_assert_int_lt(sys_now_ms() - began_at, 10000);
	ck_assert_int_eq(heard.count, 1);
	close(peer);
	close(listener);
}
END_TEST

/* --- floods --- */

/* A sender that our socket is connected to is not held up by the ten that may wait otherwise. */
static int unlimited_sender(void)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX}, address;
	socklen_t length = sizeof(own);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own.sun_family)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	ck_assert_int_eq(connect(notify_socket_fd(&notify), (struct sockaddr *)&own, length), 0);
	length = address_of(&address, notify_socket_address(&notify));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

START_TEST(a_turn_takes_its_share)
{
	int fd, sent;

	must_open();
	turn();
	fd = unlimited_sender();
	for (sent = 0; sent < 2 * NOTIFY_SOCKET_TURN_MESSAGES + 7; sent++)
		ck_assert_int_eq(send(fd, "WATCHDOG=1", 10, 0), 10);
	turn();
	ck_assert_int_eq(heard.count, NOTIFY_SOCKET_TURN_MESSAGES);
	turn();
	ck_assert_int_eq(heard.count, 2 * NOTIFY_SOCKET_TURN_MESSAGES);
	turn();
	ck_assert_int_eq(heard.count, sent);
	close(fd);
}
END_TEST

static void flood(unsigned count)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, notify_socket_address(&notify));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	for (unsigned i = 1; i <= count; i++) {
		char text[64];
		int bytes = snprintf(text, sizeof(text), "WATCHDOG=1\nERRNO=%u", i % 4096);

		if (sendto(fd, text, (size_t)bytes, 0, (struct sockaddr *)&address, length) < 0)
			_exit(1);
	}
	_exit(0);
}

static void count_timer(struct ev_loop *of, ev_timer *timer, int events)
{
	(void)of;
	(void)events;
	++*(int *)timer->data;
}

START_TEST(a_flood_starves_nobody_and_loses_nothing)
{
	const unsigned each = 20000 / test_slowness();
	pid_t pid[3];
	ev_timer timer;
	int ticks = 0, before;
	long sum = 0;

	must_open();
	turn();
	for (unsigned i = 1; i <= each; i++)
		sum += 3 * (i % 4096);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			flood(each);
	}
	ev_timer_init(&timer, count_timer, 0.0001, 0.0001);
	timer.data = &ticks;
	ev_timer_start(loop, &timer);
	while (heard.count < (int)(3 * each)) {
		before = heard.count;
		ev_run(loop, EVRUN_ONCE);
		ck_assert_int_le(heard.count - before, NOTIFY_SOCKET_TURN_MESSAGES);
	}
	for (int i = 0; i < 3; i++)
		must_end(pid[i]);
	ev_timer_stop(loop, &timer);
	turn();
	ck_assert_int_eq(heard.count, 3 * each);
	ck_assert_int_eq(heard.sum, sum);
	ck_assert_int_gt(ticks, 0);
}
END_TEST

START_TEST(one_that_cannot_be_watched_is_looked_at)
{
	must_open();
	turn();
	ev_io_stop(loop, &notify.readable); /* as libev does it then */
	ev_feed_event(loop, &notify.readable, EV_ERROR | EV_READ);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 0);
	while (heard.count < 1)
		ev_run(loop, EVRUN_ONCE);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
}
END_TEST

/* Any bytes, any number of descriptors, from a sender that is gone: never more open than before. */
START_TEST(noise_changes_nothing)
{
	uint64_t random = test_seed();
	static char bytes[9000];
	int fd[MOST_FDS], rounds = 2000 / (int)test_slowness();
	unsigned before;

	must_open();
	turn();
	for (int i = 0; i < MOST_FDS; i++)
		fd[i] = 0;
	before = descriptors();
	for (int i = 0; i < rounds; i++) {
		size_t length = test_random_below(&random, sizeof(bytes));
		size_t count = test_random_below(&random, 4) ? 0 : test_random_below(&random, 9);

		for (size_t k = 0; k < length; k++)
			bytes[k] = (char)test_random(&random);
		ck_assert_int_eq(send_with(bytes, length, fd, count), 0);
		turn();
	}
	ck_assert_uint_eq(descriptors(), before);
	ck_assert_int_gt(heard.count, rounds / 4);
	must_send("READY=1");
	turn();
	ck_assert(heard.message.ready);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_senders");
	TCase *tests = tcase_create("notify_senders");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, a_sender_that_is_gone_is_named_right);
	tcase_add_loop_test(tests, last_words_are_heard_before_the_end_is_seen, 0, 2);
	tcase_add_test(tests, nobody_can_name_another);
	tcase_add_test(tests, a_sender_without_a_number_is_ignored);
	tcase_add_test(tests, an_empty_one_says_nothing);
	tcase_add_loop_test(tests, a_long_one_is_ignored, 0, 4);
	tcase_add_test(tests, what_is_ignored_is_told_once);
	tcase_add_loop_test(tests, passed_descriptors_are_closed, 0, 4);
	tcase_add_loop_test(tests, no_descriptor_left_is_no_trouble, 0, 2);
	tcase_add_test(tests, a_lingering_socket_holds_up_nobody);
	tcase_add_test(tests, a_turn_takes_its_share);
	tcase_add_test(tests, a_flood_starves_nobody_and_loses_nothing);
	tcase_add_test(tests, one_that_cannot_be_watched_is_looked_at);
	tcase_add_test(tests, noise_changes_nothing);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
