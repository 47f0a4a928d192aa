/* Signals as events: none gets lost, none strikes, and who sent them is told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "signals.h"
#include "test_main.h"

#define KERNEL_SIGSET_BYTES ((_NSIG - 1) / 8)

static struct signals signals;

static void setup(void)
{
	struct errmsg err = {""};

	ck_assert_msg(signals_open(&signals, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
	signals_close(&signals);
}

static bool can_be_blocked(int number)
{
	return number != SIGKILL && number != SIGSTOP;
}

/* By the system call: kill(2) of the C library's own numbers works too, but is none of its API. */
static void send_to_ourselves(int number)
{
	ck_assert_int_eq(syscall(SYS_kill, getpid(), number), 0);
}

/* SIGPIPE to ourselves is passed over, so it comes from a child. */
static void send_from_child(int number)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0) {
		kill(parent, number);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(every_signal_is_read)
{
	struct signal_event event;

	if (!can_be_blocked(_i) || _i == SIGPIPE)
		return;
	send_to_ourselves(_i);
	ck_assert(signals_read(&signals, &event));
	ck_assert_int_eq(event.number, _i);
	ck_assert_int_eq(event.pid, getpid());
	ck_assert_uint_eq(event.uid, getuid());
	ck_assert_int_eq(event.code, SI_USER);
	ck_assert(!signals_read(&signals, &event));
}
END_TEST

START_TEST(all_at_once)
{
	struct signal_event event;
	int seen[_NSIG] = {0};
	int number;

	for (number = 1; number < _NSIG; number++) {
		if (can_be_blocked(number) && number != SIGPIPE)
			send_to_ourselves(number);
	}
	while (signals_read(&signals, &event))
		seen[event.number]++;
	for (number = 1; number < _NSIG; number++) {
		/* SIGCONT and the stopping signals remove each other */
		if (can_be_blocked(number) && number != SIGPIPE && number < SIGCONT)
			ck_assert_msg(
				seen[number] == 1, "signal %d: %d times", number, seen[number]);
		if (number > SIGSYS)
			ck_assert_int_eq(seen[number], 1);
	}
}
END_TEST

START_TEST(our_own_sigpipe_is_passed_over)
{
	struct signal_event event;
	int end[2];

	ck_assert_int_eq(pipe(end), 0);
	close(end[0]);
	ck_assert_int_eq(write(end[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	send_to_ourselves(SIGHUP);
	ck_assert(signals_read(&signals, &event));
	ck_assert_int_eq(event.number, SIGHUP);
	ck_assert(!signals_read(&signals, &event));
	close(end[1]);
}
END_TEST

START_TEST(a_strangers_sigpipe_is_not)
{
	struct signal_event event;

	send_from_child(SIGPIPE);
	ck_assert(signals_read(&signals, &event));
	if (event.number == SIGCHLD)
		ck_assert(signals_read(&signals, &event));
	ck_assert_int_eq(event.number, SIGPIPE);
	ck_assert_int_ne(event.pid, getpid());
}
END_TEST

START_TEST(a_childs_end_is_an_event)
{
	struct signal_event event;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(signals_read(&signals, &event));
	ck_assert_int_eq(event.number, SIGCHLD);
	ck_assert_int_eq(event.pid, pid);
	ck_assert_int_eq(event.code, CLD_EXITED);
}
END_TEST

START_TEST(the_descriptor)
{
	ck_assert_int_eq(fcntl(signals.fd, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(signals.fd, F_GETFL) & O_NONBLOCK);
}
END_TEST

START_TEST(everything_is_blocked)
{
	uint64_t mask = 0;
	uint64_t blockable = ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1));

	ck_assert_int_eq(
		syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, KERNEL_SIGSET_BYTES), 0);
	ck_assert_uint_eq(mask, blockable);
}
END_TEST

static int caught;

static void catch_it(int number)
{
	caught = number;
}

START_TEST(what_comes_after_the_end_waits_for_ever)
{
	signal(SIGUSR2, catch_it);
	send_to_ourselves(SIGUSR2);
	signals_close(&signals);
	send_to_ourselves(SIGTERM);
	ck_assert_int_eq(caught, 0);
	ck_assert_int_eq(signals.fd, -1);
	signals_close(&signals); /* twice is once */
}
END_TEST

START_TEST(real_time_signals_queue)
{
	union sigval value = {.sival_int = 1};
	struct signal_event event;
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_int_eq(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
	for (i = 0; i < 100; i++) {
		ck_assert(signals_read(&signals, &event));
		ck_assert_int_eq(event.number, SIGRTMIN + 1);
		ck_assert_int_eq(event.code, SI_QUEUE);
	}
	ck_assert(!signals_read(&signals, &event));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals");
	TCase *tests = tcase_create("signals");

	test_needs_kernel();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, every_signal_is_read, 1, _NSIG);
	tcase_add_test(tests, all_at_once);
	tcase_add_test(tests, our_own_sigpipe_is_passed_over);
	tcase_add_test(tests, a_strangers_sigpipe_is_not);
	tcase_add_test(tests, a_childs_end_is_an_event);
	tcase_add_test(tests, the_descriptor);
	tcase_add_test(tests, everything_is_blocked);
	tcase_add_test(tests, what_comes_after_the_end_waits_for_ever);
	tcase_add_test(tests, real_time_signals_queue);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
