/* What a service manager hears, word for word, and when nobody wants to hear anything. */
#include "service_manager.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test_files.h"
#include "test_main.h"

static struct test_dir dir;
static struct ev_loop *loop;
static struct service_manager manager;
static int listener = -1;

/* Binds the socket of a service manager; a name with @ is an abstract one. */
static void listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1);

	ck_assert_uint_lt(strlen(name), sizeof(address.sun_path));
	strcpy(address.sun_path, name);
	if (*name == '@') {
		address.sun_path[0] = '\0';
		length--;
	}
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void setup(void)
{
	test_dir_make(&dir);
	loop = ev_loop_new(EVFLAG_AUTO);
	ck_assert_ptr_nonnull(loop);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void teardown(void)
{
	service_manager_close(&manager);
	ev_loop_destroy(loop);
	if (listener >= 0)
		close(listener);
	test_dir_remove(&dir);
}

/* The next message, "" when there is none. */
static const char *heard(void)
{
	static char text[4096];
	ssize_t length = recv(listener, text, sizeof(text) - 1, 0);

	if (length < 0)
		ck_assert_int_eq(errno, EAGAIN);
	text[length < 0 ? 0 : length] = '\0';
	return text;
}

static void open_here(void)
{
	listen_at(test_path(&dir, "notify"));
	service_manager_open(&manager, loop);
	ck_assert_int_ge(manager.fd, 0);
}

START_TEST(nobody_listens)
{
	static const char *const addresses[] = {NULL, "", "relative", "vsock:2:1234", "@"};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		if (addresses[i])
			setenv("NOTIFY_SOCKET", addresses[i], 1);
		service_manager_open(&manager, loop);
		service_manager_status(&manager, "%s", "hello");
		service_manager_reloading(&manager);
		service_manager_ready(&manager);
		service_manager_reloading(&manager);
		service_manager_stopping(&manager);
		ck_assert_int_eq(ev_is_active(&manager.watchdog), 0);
		service_manager_close(&manager);
		service_manager_close(&manager);
		ck_assert_int_eq(manager.fd, -1);
	}
}
END_TEST

START_TEST(an_address_that_is_too_long)
{
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	service_manager_open(&manager, loop);
	ck_assert_int_eq(manager.fd, -1);
	service_manager_close(&manager);
	longest[sizeof(longest) - 2] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	service_manager_open(&manager, loop);
	ck_assert_int_ge(manager.fd, 0);
	service_manager_ready(&manager); /* to nobody */
}
END_TEST

START_TEST(an_abstract_address)
{
	char name[64];

	snprintf(name, sizeof(name), "@preforkd-test-%d", (int)getpid());
	listen_at(name);
	service_manager_open(&manager, loop);
	service_manager_stopping(&manager);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
}
END_TEST

START_TEST(a_life)
{
	struct timespec before, after;
	long long usec;
	char ready[64];

	snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d", (int)getpid());
	open_here();
	service_manager_reloading(&manager); /* while it starts: a part of the start */
	ck_assert_str_eq(heard(), "");
	service_manager_ready(&manager);
	ck_assert_str_eq(heard(), ready);
	clock_gettime(CLOCK_MONOTONIC, &before);
	service_manager_reloading(&manager);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
	ck_assert_int_ge(usec, before.tv_sec * 1000000LL + before.tv_nsec / 1000);
	ck_assert_int_le(usec, after.tv_sec * 1000000LL + after.tv_nsec / 1000);
	service_manager_ready(&manager);
	ck_assert_str_eq(heard(), ready);
	service_manager_stopping(&manager);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(patience_is_asked_for_while_it_takes)
{
	open_here();
	ck_assert(ev_is_active(&manager.patience));
	ck_assert_double_le(3 * manager.patience.repeat, 15);
	ev_invoke(loop, &manager.patience, EV_TIMER);
	ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=15000000");
	service_manager_ready(&manager);
	ck_assert(!ev_is_active(&manager.patience));
	service_manager_reloading(&manager);
	ck_assert(ev_is_active(&manager.patience));
	service_manager_ready(&manager);
	ck_assert(!ev_is_active(&manager.patience));
	service_manager_stopping(&manager);
	ck_assert(ev_is_active(&manager.patience));
	service_manager_close(&manager);
	ck_assert(!ev_is_active(&manager.patience));
}
END_TEST

START_TEST(a_status_is_told_once)
{
	open_here();
	service_manager_status(&manager, "%d workers", 3);
	ck_assert_str_eq(heard(), "STATUS=3 workers");
	service_manager_status(&manager, "%d workers", 3);
	ck_assert_str_eq(heard(), "");
	for (int i = 0; i < 1000; i++)
		service_manager_status(&manager, "%d workers", i);
	ck_assert_str_eq(heard(), "");
	ck_assert(ev_is_active(&manager.status_gap));
	ev_run(loop, EVRUN_ONCE);
	ck_assert_str_eq(heard(), "STATUS=999 workers");
	ck_assert_str_eq(heard(), "");
	service_manager_status(&manager, "%d workers", 5);
	service_manager_status(&manager, "%d workers", 999); /* as it was told */
	ev_timer_stop(loop, &manager.status_gap);
	ev_invoke(loop, &manager.status_gap, EV_TIMER);
	ck_assert_str_eq(heard(), "");
	ck_assert(!ev_is_active(&manager.status_gap)); /* nothing wakes the loop any more */
}
END_TEST

START_TEST(a_status_is_one_line)
{
	char longest[1000];

	open_here();
	service_manager_status(&manager, "%s", "one\nREADY=1\x1b");
	ck_assert_str_eq(heard(), "STATUS=one READY=1 ");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ev_timer_stop(loop, &manager.status_gap);
	service_manager_status(&manager, "%s", longest);
	ck_assert_uint_eq(strlen(heard()), sizeof(manager.status) - 1);
}
END_TEST

START_TEST(a_full_or_missing_socket_costs_nothing)
{
	open_here();
	for (int i = 0; i < 10000; i++)
		service_manager_ready(&manager);
	while (*heard())
		;
	service_manager_stopping(&manager);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
	close(listener);
	service_manager_ready(&manager);
	unlink(getenv("NOTIFY_SOCKET"));
	service_manager_ready(&manager);
	listen_at(getenv("NOTIFY_SOCKET")); /* another one in its place */
	service_manager_stopping(&manager);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
}
END_TEST

/* Once there is room, in order; a stop makes the rest void. */
START_TEST(what_it_must_hear_is_told_again)
{
	char ready[64];

	snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d", (int)getpid());
	open_here();
	while (service_manager_forget(&manager, "x") == 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	for (int i = 0; i < 10; i++)
		service_manager_ready(&manager);
	service_manager_reloading(&manager);
	service_manager_ready(&manager);
	ck_assert(ev_is_active(&manager.late_gap));
	ev_invoke(loop, &manager.late_gap, EV_TIMER);
	ck_assert_int_eq(manager.late_count, SERVICE_MANAGER_LATE);
	while (*heard())
		;
	ev_invoke(loop, &manager.late_gap, EV_TIMER);
	ck_assert(!ev_is_active(&manager.late_gap));
	ck_assert_str_eq(heard(), ready);
	ck_assert_str_eq(heard(), ready);
	ck_assert_ptr_nonnull(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	ck_assert_str_eq(heard(), ready);
	ck_assert_str_eq(heard(), "");
	while (service_manager_forget(&manager, "x") == 0)
		;
	service_manager_ready(&manager);
	service_manager_stopping(&manager);
	while (*heard())
		;
	ev_invoke(loop, &manager.late_gap, EV_TIMER);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
	ck_assert_str_eq(heard(), "");
}
END_TEST

/* The next message with its only descriptor, or none (-1). */
static const char *heard_with(int *fd)
{
	static char text[512];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} rights = {.bytes = {0}};
	struct iovec bytes = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = rights.bytes,
		.msg_controllen = sizeof(rights.bytes)};
	ssize_t length = recvmsg(listener, &message, MSG_CMSG_CLOEXEC);

	*fd = -1;
	text[length < 0 ? 0 : length] = '\0';
	if (CMSG_FIRSTHDR(&message)) {
		ck_assert_uint_eq(rights.header.cmsg_len, CMSG_LEN(sizeof(*fd)));
		memcpy(fd, CMSG_DATA(&rights.header), sizeof(*fd));
	}
	return text;
}

START_TEST(a_descriptor_is_stored_and_forgotten)
{
	struct stat here, there;
	int fd;

	service_manager_open(&manager, loop);
	ck_assert_int_eq(service_manager_store(&manager, "preforkd/web", 0, true), -1);
	service_manager_close(&manager);
	open_here();
	ck_assert_int_eq(fstat(listener, &here), 0);
	ck_assert_int_eq(service_manager_store(&manager, "preforkd/web", listener, true), 0);
	ck_assert_int_eq(service_manager_store(&manager, "preforkd/udp", listener, false), 0);
	ck_assert_int_eq(service_manager_forget(&manager, "preforkd/web"), 0);
	ck_assert_str_eq(heard_with(&fd), "FDSTORE=1\nFDNAME=preforkd/web");
	ck_assert_int_eq(fstat(fd, &there), 0);
	ck_assert(there.st_ino == here.st_ino);
	close(fd);
	ck_assert_str_eq(heard_with(&fd), "FDSTORE=1\nFDPOLL=0\nFDNAME=preforkd/udp");
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_str_eq(heard_with(&fd), "FDSTOREREMOVE=1\nFDNAME=preforkd/web");
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(it_is_waited_for_but_not_for_ever)
{
	pid_t pid;
	int fd;

	service_manager_open(&manager, loop);
	ck_assert(!service_manager_wait(&manager, 60000)); /* nobody is there */
	service_manager_close(&manager);
	open_here();
	ck_assert(!service_manager_wait(&manager, 20));
	ck_assert_str_eq(heard_with(&fd), "BARRIER=1");
	close(fd);
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		heard_with(&fd);
		_exit(0);
	}
	ck_assert(service_manager_wait(&manager, 60000));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	while (service_manager_forget(&manager, "x") == 0)
		;
	ck_assert(!service_manager_wait(&manager, 60000));
}
END_TEST

#define OURS "ours"

static const struct {
	const char *usec, *pid;
	double interval; /* 0: none */
} watchdogs[] = {
	{NULL, NULL, 0},
	{NULL, OURS, 0},
	{"3000000", NULL, 1.5},
	{"3000000", OURS, 1.5},
	{"3000000", "1", 0},
	{"3000000", "", 0},
	{"3000000", "x", 0},
	{"0", OURS, 0},
	{"", OURS, 0},
	{"-3000000", OURS, 0},
	{"3000000x", OURS, 0},
	{"inf", OURS, 0},
	{"99999999999999999999999", OURS, 0},
	{"200", OURS, 1e-4},
};

START_TEST(watchdog)
{
	char ours[16];

	if (watchdogs[_i].usec)
		setenv("WATCHDOG_USEC", watchdogs[_i].usec, 1);
	snprintf(ours, sizeof(ours), "%d", (int)getpid());
	if (watchdogs[_i].pid)
		setenv("WATCHDOG_PID",
			strcmp(watchdogs[_i].pid, OURS) == 0 ? ours : watchdogs[_i].pid, 1);
	open_here();
	ck_assert_int_eq(ev_is_active(&manager.watchdog) != 0, watchdogs[_i].interval > 0);
	if (!ev_is_active(&manager.watchdog))
		return;
	ck_assert_double_eq_tol(manager.watchdog.repeat, watchdogs[_i].interval, 1e-9);
	ev_invoke(loop, &manager.watchdog, EV_TIMER);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
}
END_TEST

START_TEST(a_loop_that_turns_feeds_the_watchdog)
{
	setenv("WATCHDOG_USEC", "20000", 1);
	open_here();
	service_manager_ready(&manager);
	heard();
	for (int fed = 0; fed < 5;) {
		ev_run(loop, EVRUN_ONCE);
		fed += strcmp(heard(), "WATCHDOG=1") == 0;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("service_manager");
	TCase *tcase = tcase_create("service_manager");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nobody_listens);
	tcase_add_test(tcase, an_address_that_is_too_long);
	tcase_add_test(tcase, an_abstract_address);
	tcase_add_test(tcase, a_life);
	tcase_add_test(tcase, patience_is_asked_for_while_it_takes);
	tcase_add_test(tcase, a_status_is_told_once);
	tcase_add_test(tcase, a_status_is_one_line);
	tcase_add_test(tcase, a_full_or_missing_socket_costs_nothing);
	tcase_add_test(tcase, what_it_must_hear_is_told_again);
	tcase_add_test(tcase, a_descriptor_is_stored_and_forgotten);
	tcase_add_test(tcase, it_is_waited_for_but_not_for_ever);
	tcase_add_loop_test(tcase, watchdog, 0, (int)(sizeof(watchdogs) / sizeof(*watchdogs)));
	tcase_add_test(tcase, a_loop_that_turns_feeds_the_watchdog);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
