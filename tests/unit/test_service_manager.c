/* What a service manager hears, word for word, and when nobody wants to hear anything. */
#include "service_manager.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
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
	tcase_add_loop_test(tcase, watchdog, 0, (int)(sizeof(watchdogs) / sizeof(*watchdogs)));
	tcase_add_test(tcase, a_loop_that_turns_feeds_the_watchdog);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
