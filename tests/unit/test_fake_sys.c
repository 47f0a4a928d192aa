/* The fake world itself: that it behaves like the kernel, and that libev lives in its time. */
#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "errmsg.h"
#include "fake_sys.h"
#include "spawn.h"
#include "sys.h"
#include "test_main.h"

#define HOUR_MS 3600000

static pid_t fork_one(void)
{
	return sys_fork(false, NULL, NULL);
}

static void break_loop(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void count_up(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	++*(int *)timer->data;
}

static void count_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)events;
	++*(int *)io->data;
	ev_io_stop(loop, io);
}

static int64_t real_ms(void)
{
	return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

START_TEST(libev_lives_in_our_time)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	int64_t began_ms = real_ms();
	ev_timer hour, tick;
	int ticks = 0;

	ev_timer_init(&hour, break_loop, HOUR_MS / 1000, 0);
	ev_timer_init(&tick, count_up, 1, 1);
	tick.data = &ticks;
	ev_timer_start(loop, &hour);
	ev_timer_start(loop, &tick);
	ev_run(loop, 0);
	ck_assert_int_ge(ticks, HOUR_MS / 1000 - 1);
	ck_assert_int_le(ticks, HOUR_MS / 1000);
	ck_assert_int_ge(fake_sys_now_ms(), FAKE_START_MS + HOUR_MS);
	ck_assert_int_le(fake_sys_now_ms(), FAKE_START_MS + HOUR_MS + 2);
	ck_assert_int_lt(real_ms() - began_ms, 10000);
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(timers_are_exact)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	int64_t before_ms;
	ev_timer timer;
	int i;

	for (i = 1; i < 300; i++) {
		ev_now_update(loop);
		before_ms = sys_now_ms();
		ev_timer_init(&timer, break_loop, i * 0.007, 0);
		ev_timer_start(loop, &timer);
		ev_run(loop, 0);
		ck_assert_int_ge(sys_now_ms() - before_ms, i * 7);
		ck_assert_int_le(sys_now_ms() - before_ms, i * 7 + 1);
	}
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(time_by_hand)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	ev_timer tick;
	int ticks = 0;

	ev_timer_init(&tick, count_up, 10, 0);
	tick.data = &ticks;
	ev_timer_start(loop, &tick);
	ev_run(loop, EVRUN_NOWAIT);
	fake_sys_advance_ms(9999);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(ticks, 0);
	fake_sys_advance_ms(1);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(ticks, 1);
	ck_assert_int_eq(fake_sys_now_ms(), FAKE_START_MS + 10000);
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(clocks_agree)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	double wall = ev_time(), now = ev_now(loop);
	int64_t boottime_ns = sys_boottime_ns();

	ck_assert_int_eq(sys_now_ms(), FAKE_START_MS);
	ck_assert_double_gt(wall, 1.6e9);
	fake_sys_advance_ms(1500);
	ev_now_update(loop);
	ck_assert_int_eq(sys_now_ms(), FAKE_START_MS + 1500);
	ck_assert_int_eq(sys_boottime_ns() - boottime_ns, 1500000000);
	ck_assert_double_eq_tol(ev_time() - wall, 1.5, 1e-4);
	ck_assert_double_eq_tol(ev_now(loop) - now, 1.5, 1e-4);
	ev_loop_destroy(loop);
}
END_TEST

static void end_it(void *context)
{
	fake_sys_exit(*(pid_t *)context, 3);
}

START_TEST(an_exit_wakes_the_loop)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	pid_t pid = fork_one();
	int pidfd = sys_pidfd_open(pid);
	int seen = 0;
	siginfo_t info;
	ev_io io;

	ev_io_init(&io, count_io, pidfd, EV_READ);
	io.data = &seen;
	ev_io_start(loop, &io);
	fake_sys_after(HOUR_MS, end_it, &pid);
	ev_run(loop, 0); /* ends with its last watcher */
	ck_assert_int_eq(seen, 1);
	ck_assert_int_eq(fake_sys_now_ms(), FAKE_START_MS + HOUR_MS);
	ck_assert_int_eq(sys_wait_child(pid, &info, WNOHANG), 0);
	ck_assert_int_eq(info.si_pid, pid);
	ck_assert_int_eq(info.si_code, CLD_EXITED);
	ck_assert_int_eq(info.si_status, 3);
	sys_close(pidfd);
	ev_loop_destroy(loop);
}
END_TEST

START_TEST(a_loop_without_hope_is_told)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	int end[2], seen = 0;
	ev_io io;

	ck_assert_int_eq(sys_pipe(end), 0);
	ev_io_init(&io, count_io, end[0], EV_READ);
	io.data = &seen;
	ev_io_start(loop, &io);
	ev_run(loop, 0);
}
END_TEST

START_TEST(zombies_until_reaped)
{
	pid_t pid = fork_one();
	siginfo_t info;
	int pidfd;

	ck_assert_int_eq(sys_wait_child(pid, &info, WNOHANG), 0);
	ck_assert_int_eq(info.si_pid, 0);
	ck_assert(fake_sys_alive(pid));
	fake_sys_end_by_signal(pid, SIGSEGV);
	ck_assert(fake_sys_is_zombie(pid));
	ck_assert_uint_eq(fake_sys_zombies(), 1);
	ck_assert_uint_eq(fake_sys_living(), 0);
	pidfd = sys_pidfd_open(pid);
	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGTERM), 0);
	ck_assert_int_eq(sys_wait_any(&info, WNOHANG | WNOWAIT), 0);
	ck_assert_int_eq(info.si_pid, pid);
	ck_assert_int_eq(sys_wait_any(&info, WNOHANG), 0);
	ck_assert_int_eq(info.si_code, CLD_KILLED);
	ck_assert_int_eq(info.si_status, SIGSEGV);
	ck_assert_int_eq(sys_wait_any(&info, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(sys_wait_child(pid, &info, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGTERM), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_int_eq(sys_pidfd_open(pid), -1);
	ck_assert_int_eq(errno, ESRCH);
	sys_close(pidfd);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGTERM), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(fake_sys_strays(), 0);
}
END_TEST

START_TEST(foreign_processes_and_orphans)
{
	pid_t foreign = fake_sys_foreign_process();
	pid_t orphan = fake_sys_orphan(7);
	int pidfd = sys_pidfd_open(foreign);
	siginfo_t info;

	ck_assert_int_eq(sys_wait_child(foreign, &info, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_int_eq(sys_wait_any(&info, WNOHANG), 0);
	ck_assert_int_eq(info.si_pid, orphan);
	ck_assert_int_eq(info.si_status, 7);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGKILL), 0);
	ck_assert(!fake_sys_alive(foreign));
	ck_assert(!fake_sys_is_zombie(foreign));
	ck_assert_int_eq(sys_kill_group(foreign, SIGKILL), -1);
	ck_assert_uint_eq(fake_sys_strays(), 0);
	sys_close(pidfd);
}
END_TEST

static void exit_on_term(pid_t pid, int number, bool group, void *context)
{
	(void)group;
	++*(int *)context;
	if (number == SIGTERM)
		fake_sys_exit(pid, 0);
}

START_TEST(signals_are_written_down)
{
	pid_t a = fork_one(), b = fork_one(), c = fork_one();
	int pidfd = sys_pidfd_open(a);
	int seen = 0;

	fake_sys_on_signal(exit_on_term, &seen);
	fake_sys_set_unkillable(c, true);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGHUP), 0);
	fake_sys_advance_ms(5);
	ck_assert_int_eq(sys_pidfd_signal(pidfd, SIGTERM), 0);
	ck_assert_int_eq(sys_kill_group(b, SIGKILL), 0);
	ck_assert_int_eq(sys_kill_child(c, SIGKILL), 0);
	ck_assert_int_eq(seen, 4);
	ck_assert(!fake_sys_alive(a) && !fake_sys_alive(b) && fake_sys_alive(c));
	ck_assert_uint_eq(fake_sys_signal_count(), 4);
	ck_assert_int_eq(fake_sys_signal(1)->number, SIGTERM);
	ck_assert_int_eq(fake_sys_signal(1)->at_ms, FAKE_START_MS + 5);
	ck_assert(fake_sys_signal(2)->group && !fake_sys_signal(3)->group);
	ck_assert_uint_eq(fake_sys_signals_to(a, 0), 2);
	ck_assert_uint_eq(fake_sys_signals_to(a, SIGTERM), 1);
	ck_assert_uint_eq(fake_sys_signals_to(b, SIGKILL), 0);
	ck_assert_uint_eq(fake_sys_group_signals_to(b, SIGKILL), 1);
	sys_close(pidfd);
}
END_TEST

START_TEST(strays_are_counted)
{
	pid_t pid = fork_one();
	siginfo_t info;

	fake_sys_exit(pid, 0);
	ck_assert_int_eq(
		sys_kill_group(pid, SIGKILL), 0); /* a zombie: its group is still its own */
	ck_assert_uint_eq(fake_sys_strays(), 0);
	ck_assert_int_eq(sys_wait_child(pid, &info, 0), 0);
	ck_assert_int_eq(sys_kill_group(pid, SIGKILL), -1);
	ck_assert_int_eq(sys_kill_group(0, SIGKILL), -1);
	ck_assert_int_eq(sys_kill_group(1, SIGKILL), -1);
	ck_assert_int_eq(sys_kill_child(-1, SIGKILL), -1);
	ck_assert_int_eq(sys_kill_child(4, SIGKILL), -1);
	ck_assert_uint_eq(fake_sys_strays(), 5);
}
END_TEST

START_TEST(groups_and_memory_can_be_set)
{
	pid_t worker = fork_one(), helper = fake_sys_foreign_process();
	siginfo_t info;

	ck_assert_int_eq(sys_process_group(worker), worker);
	ck_assert_int_eq(sys_resident_bytes(worker), 0);
	fake_sys_set_group(helper, worker);
	fake_sys_set_resident_bytes(worker, INT64_C(5) << 30);
	fake_sys_set_resident_bytes(helper, -1);
	ck_assert_int_eq(sys_process_group(helper), worker);
	ck_assert_int_eq(sys_resident_bytes(worker), INT64_C(5) << 30);
	ck_assert_int_eq(sys_resident_bytes(helper), -1);
	fake_sys_exit(worker, 0);
	ck_assert_int_eq(sys_process_group(worker), worker);
	ck_assert_int_eq(sys_resident_bytes(worker), 0);
	ck_assert_int_eq(sys_wait_child(worker, &info, 0), 0);
	ck_assert_int_eq(sys_process_group(worker), -1);
	ck_assert_int_eq(errno, ESRCH);
	ck_assert_int_eq(sys_resident_bytes(worker), -1);
	fake_sys_fail(FAKE_PROCESS_GROUP, 1, EPERM);
	ck_assert_int_eq(sys_process_group(helper), -1);
	ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(calls_fail_by_order)
{
	siginfo_t info;
	int end[2];

	fake_sys_fail(FAKE_FORK, 2, EAGAIN);
	ck_assert_int_gt(fork_one(), 0);
	ck_assert_int_eq(fork_one(), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(fork_one(), 0);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 3);
	fake_sys_fail(FAKE_ANY, 2, EMFILE);
	ck_assert_int_eq(sys_wait_any(&info, WNOHANG), 0);
	ck_assert_int_eq(sys_pipe(end), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(sys_pipe(end), 0);
	fake_sys_break(FAKE_FORK, EAGAIN);
	ck_assert_int_eq(fork_one(), -1);
	ck_assert_int_eq(fork_one(), -1);
	fake_sys_break(FAKE_FORK, 0);
	ck_assert_int_gt(fork_one(), 0);
	fake_sys_fail(FAKE_CLOSE, 1, EIO);
	ck_assert_int_eq(sys_close(end[0]), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(close(end[0]), -1);
	sys_close(end[1]);
}
END_TEST

START_TEST(descriptors_are_counted_without_our_own)
{
	unsigned before = fake_sys_descriptors();
	int pidfd = sys_pidfd_open(fork_one());
	int reused;

	ck_assert_uint_eq(fake_sys_descriptors(), before + 1);
	close(pidfd); /* behind our back */
	reused = sys_pidfd_open(fork_one());
	ck_assert_int_eq(reused, pidfd);
	ck_assert_uint_eq(fake_sys_descriptors(), before + 1);
	sys_close(reused);
	ck_assert_uint_eq(fake_sys_descriptors(), before);
	fake_sys_reset();
	ck_assert_uint_eq(fake_sys_descriptors(), before);
}
END_TEST

START_TEST(a_pid_can_be_reused)
{
	pid_t first = fork_one();
	siginfo_t info;

	fake_sys_exit(first, 0);
	ck_assert_int_eq(sys_wait_child(first, &info, 0), 0);
	fake_sys_next_pid(first);
	ck_assert_int_eq(fork_one(), first);
	ck_assert(fake_sys_alive(first));
	ck_assert_int_eq(sys_kill_child(first, SIGKILL), 0);
	ck_assert_int_eq(sys_wait_child(first, &info, 0), 0);
	ck_assert_int_eq(info.si_status, SIGKILL);
}
END_TEST

/* --- spawn.c in this world --- */

static char *no_words[] = {NULL};

/* Starts one; the reason when it fails must have that word. */
static int spawn_one(struct spawned *spawned, struct spawn_reports *reports, const char *word)
{
	const int fd[] = {0, 1, 2};
	struct spawn_plan plan = {.path = "/worker",
		.argv = no_words,
		.envp = no_words,
		.fd = fd,
		.fd_count = 3,
		.umask = -1};
	struct errmsg err = {""};
	int result = spawn_start(spawned, &plan, reports, &err);

	if (result)
		ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
	return result;
}

START_TEST(a_spawn_that_fails_leaves_nothing)
{
	static const enum fake_call calls[] = {FAKE_FORK, FAKE_PIDFD_OPEN};
	static const char *const words[] = {"fork", "pidfd"};
	unsigned before = fake_sys_descriptors();
	struct spawn_reports reports;
	struct spawned spawned;

	fake_sys_fail(FAKE_PIPE, 1, EMFILE);
	ck_assert_int_eq(spawn_reports_open(&reports, NULL), -1);
	spawn_reports_close(&reports);
	ck_assert_int_eq(spawn_reports_open(&reports, NULL), 0);
	fake_sys_fail(calls[_i], 1, EAGAIN);
	ck_assert_int_eq(spawn_one(&spawned, &reports, words[_i]), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(spawned.pidfd, -1);
	ck_assert_uint_eq(fake_sys_living() + fake_sys_zombies(), 0);
	ck_assert_uint_eq(fake_sys_strays(), 0);
	ck_assert_int_eq(spawn_one(&spawned, &reports, ""), 0);
	ck_assert_int_eq(spawned.pid, fake_sys_last_pid());
	ck_assert(fake_sys_alive(spawned.pid));
	sys_close(spawned.pidfd);
	spawn_reports_close(&reports);
	ck_assert_uint_eq(fake_sys_descriptors(), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fake_sys");
	TCase *tests = tcase_create("fake_sys");

	tcase_add_test(tests, libev_lives_in_our_time);
	tcase_add_test(tests, timers_are_exact);
	tcase_add_test(tests, time_by_hand);
	tcase_add_test(tests, clocks_agree);
	tcase_add_test(tests, an_exit_wakes_the_loop);
	tcase_add_test_raise_signal(tests, a_loop_without_hope_is_told, SIGABRT);
	tcase_add_test(tests, zombies_until_reaped);
	tcase_add_test(tests, foreign_processes_and_orphans);
	tcase_add_test(tests, signals_are_written_down);
	tcase_add_test(tests, strays_are_counted);
	tcase_add_test(tests, groups_and_memory_can_be_set);
	tcase_add_test(tests, calls_fail_by_order);
	tcase_add_test(tests, descriptors_are_counted_without_our_own);
	tcase_add_test(tests, a_pid_can_be_reused);
	tcase_add_loop_test(tests, a_spawn_that_fails_leaves_nothing, 0, 2);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
