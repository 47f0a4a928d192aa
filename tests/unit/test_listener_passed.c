/* What systemd's variables say is taken in, as far as it is true, and then removed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"
#include "test_main.h"

static void set_number(const char *name, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

/* Descriptors from 3 on are ours to say what they are, so each test runs in a child. */
static void passes(int (*check)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		close_range(3, ~0U, 0);
		set_number("LISTEN_PID", getpid());
		_exit(check());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "line %d", WEXITSTATUS(status));
}

/* The exit status tells the line; those with checks are below 256. */
#define DEMAND(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static void open_up_to(int count)
{
	while (count-- > 0)
		socket(AF_UNIX, SOCK_STREAM, 0);
}

static int names(void)
{
	struct passed_sockets passed;

	open_up_to(4);
	set_number("LISTEN_FDS", 4);
	setenv("LISTEN_FDNAMES", "web:admin:web:", 1);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 4);
	DEMAND(!strcmp(passed.name[1], "admin") && !strcmp(passed.name[3], ""));
	DEMAND(fcntl(3, F_GETFD) == FD_CLOEXEC && fcntl(6, F_GETFD) == FD_CLOEXEC);
	DEMAND(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	DEMAND(passed_sockets_take(&passed, "admin") == 4);
	DEMAND(passed_sockets_take(&passed, "admin") == -1);
	DEMAND(passed_sockets_take(&passed, "web") == 3);
	DEMAND(passed_sockets_take(&passed, "web") == 5);
	DEMAND(passed_sockets_take(&passed, "other") == -1);
	DEMAND(passed_sockets_free(&passed) == 1);
	DEMAND(fcntl(3, F_GETFD) >= 0 && fcntl(4, F_GETFD) >= 0); /* the takers' */
	DEMAND(fcntl(6, F_GETFD) == -1);
	DEMAND(passed.count == 0 && passed_sockets_free(&passed) == 0);
	return 0;
}

/* Counted while they are there, but nobody takes them by a section's name, nor misses them. */
static int stored_ones(void)
{
	struct passed_sockets passed;

	open_up_to(3);
	set_number("LISTEN_FDS", 3);
	setenv("LISTEN_FDNAMES", "web:preforkd/web:preforkd/x/y", 1);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 3);
	DEMAND(passed_sockets_take(&passed, "web") == 3);
	DEMAND(passed_sockets_take(&passed, "web") == -1);
	DEMAND(passed_sockets_free(&passed) == 0);
	DEMAND(fcntl(4, F_GETFD) == -1 && fcntl(5, F_GETFD) == -1);
	return 0;
}

static int without_names(void)
{
	struct passed_sockets passed;

	open_up_to(2);
	set_number("LISTEN_FDS", 2);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 2);
	DEMAND(passed_sockets_take(&passed, "unknown") == 3);
	DEMAND(passed_sockets_free(&passed) == 1);
	return 0;
}

static int fewer_names(void)
{
	struct passed_sockets passed;

	open_up_to(2);
	set_number("LISTEN_FDS", 2);
	setenv("LISTEN_FDNAMES", "web", 1);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 2);
	DEMAND(!strcmp(passed.name[0], "web") && !strcmp(passed.name[1], "unknown"));
	DEMAND(passed_sockets_free(&passed) == 2);
	return 0;
}

static int another_process(void)
{
	struct passed_sockets passed;

	open_up_to(1);
	set_number("LISTEN_PID", getppid());
	set_number("LISTEN_FDS", 1);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 0);
	DEMAND(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"));
	DEMAND(passed_sockets_free(&passed) == 0);
	DEMAND(fcntl(3, F_GETFD) == 0);
	return 0;
}

static int more_than_there_are(void)
{
	struct passed_sockets passed;

	open_up_to(2);
	set_number("LISTEN_FDS", 2000000000);
	passed_sockets_read(&passed);
	DEMAND(passed.count == 2);
	DEMAND(passed_sockets_free(&passed) == 2);
	return 0;
}

static int noise(void)
{
	static const char *const counts[] = {
		"", "0", "-1", "+1", " 1", "1 ", "1x", "x", "99999999999999999999", "0x1"};
	struct passed_sockets passed;
	size_t i;

	open_up_to(1);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		set_number("LISTEN_PID", getpid());
		setenv("LISTEN_FDS", counts[i], 1);
		passed_sockets_read(&passed);
		DEMAND(passed.count == 0);
	}
	set_number("LISTEN_FDS", 1);
	passed_sockets_read(&passed); /* no LISTEN_PID by now */
	DEMAND(passed.count == 0);
	return 0;
}

static int (*const checks[])(void) = {names, stored_ones, without_names, fewer_names,
	another_process, more_than_there_are, noise};

START_TEST(what_is_passed)
{
	passes(checks[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener_passed");
	TCase *tests = tcase_create("listener_passed");

	tcase_add_loop_test(tests, what_is_passed, 0, (int)(sizeof(checks) / sizeof(checks[0])));
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
