/*
 * One slot and the process in it, without a pool: each function of worker.h by itself, on a real
 * scoreboard, with invented processes.
 */
#include "worker.h"

#include <errno.h>
#include <string.h>

#include "config_world.h"
#include "errmsg.h"
#include "fake_sys.h"
#include "generation.h"
#include "logger.h"
#include "scoreboard.h"
#include "sys.h"
#include "tally.h"
#include "test_files.h"
#include "test_main.h"

#define MIN_UPTIME_MS 1000

static struct fixture {
	struct test_dir dir;
	struct settings *settings;
	struct pool_settings *pool;
	struct ev_loop *loop;
	struct generation generation;
	struct tally tally;
	struct worker_context context;
	struct worker worker;
	struct spawn_reports reports;
	int facts, board_fd;
	unsigned descriptors;
	struct errmsg err;
} it;

static void on_fact(void *context)
{
	((struct fixture *)context)->facts++;
}

static void setup(void)
{
	const struct logger_settings log = {.target = "/dev/null"};

	memset(&it, 0, sizeof(it));
	ck_assert_int_eq(logger_open(&log, &it.err), 0);
	test_dir_make(&it.dir);
	it.settings = must_parse("[pool:web]\ncommand = /bin/true\nready = scoreboard\n");
	it.pool = &it.settings->pools[0];
	it.loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	ck_assert_int_eq(spawn_reports_open(&it.reports, &it.err), 0);
	it.generation = (struct generation){
		.references = 1,
		.number = 3,
		.settings = it.pool,
		.limits = {.min_uptime_ms = MIN_UPTIME_MS,
			.start_timeout_ms = 60000,
			.stop_timeout_ms = 30000},
	};
	it.context = (struct worker_context){
		.loop = it.loop,
		.pool_name = "web",
		.tally = &it.tally,
		.board = scoreboard_open(it.loop,
			&(struct scoreboard_settings){.path = test_path(&it.dir, "board"),
				.slots = 3,
				.uid = (uid_t)-1,
				.gid = (gid_t)-1,
				.pool = "web",
				.changed = on_fact,
				.context = &it},
			&it.err),
		.changed = on_fact,
		.pool = &it,
	};
	ck_assert_ptr_nonnull(it.context.board);
	it.board_fd = open(test_path(&it.dir, "board"), O_RDWR | O_CLOEXEC);
	it.worker = (struct worker){.record = {.slot = 1}, .context = &it.context};
	it.descriptors = fake_sys_descriptors();
}

static void teardown(void)
{
	ck_assert_uint_eq(fake_sys_strays(), 0);
	if (worker_present(&it.worker))
		worker_forget(&it.worker);
	ck_assert_uint_eq(fake_sys_descriptors(), it.descriptors);
	close(it.board_fd);
	scoreboard_close(it.context.board);
	spawn_reports_close(&it.reports);
	ev_loop_destroy(it.loop);
	settings_free(it.settings);
	test_dir_remove(&it.dir);
}

static int start(void)
{
	static char *nothing[] = {NULL};
	static const int fd[] = {0, 1, 2};
	const struct spawn_plan plan = {.path = "/bin/true",
		.argv = nothing,
		.envp = nothing,
		.fd = fd,
		.fd_count = 3,
		.umask = -1};

	return worker_start(&it.worker, &it.generation, &plan, &it.reports, sys_now_ms(), &it.err);
}

static pid_t must_start(void)
{
	ck_assert_msg(start() == 0, "%s", it.err.text);
	return it.worker.record.pid;
}

static char board_byte(int at)
{
	char byte = '\0';

	ck_assert_int_eq(pread(it.board_fd, &byte, 1, BOARD_LINE_BYTES + at), 1);
	return byte;
}

/* The worker has written, and is listened to. */
static void say(int at, const char *text)
{
	char line[BOARD_LINE_BYTES];

	memcpy(line, it.worker.line, sizeof(line));
	memcpy(line + at, text, strlen(text));
	worker_observe(&it.worker, line, sys_now_ms());
}

static void notice_end(void)
{
	ev_run(it.loop, EVRUN_NOWAIT);
	ck_assert(it.worker.ended);
}

/* --- its beginning ---------------------------------------------------------------------------- */

START_TEST(a_start_fills_the_slot)
{
	const int64_t boot_ns = sys_boottime_ns();
	pid_t pid = must_start();

	ck_assert_int_eq(pid, fake_sys_last_pid());
	ck_assert(it.worker.record.state == WORKER_STARTING);
	ck_assert_int_eq(it.worker.record.slot, 1);
	ck_assert_uint_eq(it.worker.record.generation, 3);
	ck_assert_int_eq(it.worker.record.started_boot_ns, boot_ns);
	ck_assert_int_eq(it.worker.times.started_at, sys_now_ms());
	ck_assert_int_eq(board_byte(BOARD_PID_AT), '5');
	ck_assert(worker_present(&it.worker));
	ck_assert_int_eq(it.facts, 0);
}
END_TEST

static const enum fake_call start_calls[] = {FAKE_FORK, FAKE_PIDFD_OPEN};

START_TEST(a_start_that_fails_leaves_it_empty)
{
	fake_sys_fail(start_calls[_i], 1, ENOMEM);
	ck_assert_int_lt(start(), 0);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert(!worker_present(&it.worker));
	ck_assert_uint_eq(fake_sys_living(), 0);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_uint_eq(fake_sys_descriptors(), it.descriptors);
	ck_assert_int_eq(board_byte(BOARD_PID_AT), ' ');
	must_start();
}
END_TEST

/* --- what it says ------------------------------------------------------------------------------
 */

START_TEST(words_and_noise)
{
	static const struct {
		const char *byte;
		enum worker_activity expected;
	} said[] = {
		{"\x01", ACTIVITY_NONE},
		{"_", ACTIVITY_IDLE},
		{" ", ACTIVITY_IDLE},
		{"\x7f", ACTIVITY_IDLE},
		{"\xff", ACTIVITY_IDLE},
		{"!", ACTIVITY_BUSY},
		{"~", ACTIVITY_BUSY},
		{"\n", ACTIVITY_BUSY},
		{".", ACTIVITY_NONE},
	};

	must_start();
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		fake_sys_advance_ms(10);
		say(BOARD_STATE_AT, said[i].byte);
		ck_assert_int_eq(it.worker.activity, said[i].expected);
		ck_assert_int_eq(it.worker.times.sign_at, sys_now_ms());
	}
	ck_assert(it.worker.record.state == WORKER_READY);
}
END_TEST

START_TEST(our_own_bytes_are_no_sign_of_life)
{
	const int64_t begun_at = sys_now_ms();

	must_start();
	fake_sys_advance_ms(10);
	say(BOARD_RETIRE_AT, "R123");
	say(BOARD_LINE_BYTES - 1, "x");
	ck_assert_int_eq(it.worker.times.sign_at, begun_at);
	say(BOARD_BEAT_AT, "x");
	ck_assert_int_eq(it.worker.times.sign_at, begun_at + 10);
	ck_assert(it.worker.record.state == WORKER_STARTING);
}
END_TEST

/* Since when it is idle or busy, and since when with this job. */
START_TEST(times_of_jobs)
{
	int64_t begun_at;

	must_start();
	say(BOARD_JOBS_AT, "0");
	ck_assert(it.worker.jobs_known && !it.worker.job_done);
	say(BOARD_STATE_AT, "B");
	begun_at = it.worker.activity_at;
	fake_sys_advance_ms(10);
	say(BOARD_STATE_AT, "C");
	ck_assert_int_eq(it.worker.times.job_at, begun_at);
	say(BOARD_JOBS_AT, "1");
	ck_assert(it.worker.job_done);
	ck_assert_int_eq(it.worker.times.job_at, begun_at + 10);
	ck_assert_int_eq(it.worker.activity_at, begun_at);
	fake_sys_advance_ms(10);
	say(BOARD_JOBS_AT, "1x");
	ck_assert_int_eq(it.worker.times.job_at, begun_at + 10);
	say(BOARD_STATE_AT, "_");
	ck_assert_int_eq(it.worker.activity_at, begun_at + 20);
}
END_TEST

/* --- what is asked of it ------------------------------------------------------------------------
 */

static void bring_to(enum worker_state state)
{
	must_start();
	if (state == WORKER_READY || state == WORKER_RETIRING) {
		ck_assert_int_eq(pwrite(it.board_fd, "B", 1, BOARD_LINE_BYTES), 1);
		say(BOARD_STATE_AT, "B");
	}
	if (state == WORKER_RETIRING)
		worker_retire(&it.worker, 0, "test", sys_now_ms());
	if (state == WORKER_STOPPING)
		worker_stop(&it.worker, 0, sys_now_ms());
	if (state == WORKER_KILLED) {
		fake_sys_set_unkillable(it.worker.record.pid, true);
		worker_kill(&it.worker, "test", sys_now_ms());
	}
	ck_assert(it.worker.record.state == state);
}

static void do_retire(void)
{
	worker_retire(&it.worker, SIGQUIT, "test", sys_now_ms());
}

static void do_stop(void)
{
	worker_stop(&it.worker, 0, sys_now_ms());
}

static void do_stop_otherwise(void)
{
	worker_stop(&it.worker, SIGQUIT, sys_now_ms());
}

static void do_kill(void)
{
	worker_kill(&it.worker, "test", sys_now_ms());
}

static void do_stop_by_kill(void)
{
	worker_stop(&it.worker, SIGKILL, sys_now_ms());
}

/* What each does in each state: the state after it, and the signal that is sent. */
static const struct {
	void (*action)(void);
	struct {
		enum worker_state state;
		int signal_number;
	} expected[WORKER_STATE_COUNT];
} actions[] = {
	{do_retire, {[WORKER_STARTING] = {WORKER_STOPPING, SIGQUIT},
			    [WORKER_READY] = {WORKER_RETIRING, 0},
			    [WORKER_RETIRING] = {WORKER_RETIRING, 0},
			    [WORKER_STOPPING] = {WORKER_STOPPING, 0},
			    [WORKER_KILLED] = {WORKER_KILLED, 0}}},
	{do_stop, {[WORKER_STARTING] = {WORKER_STOPPING, SIGTERM},
			  [WORKER_READY] = {WORKER_STOPPING, SIGTERM},
			  [WORKER_RETIRING] = {WORKER_STOPPING, SIGTERM},
			  [WORKER_STOPPING] = {WORKER_STOPPING, 0},
			  [WORKER_KILLED] = {WORKER_KILLED, 0}}},
	{do_stop_otherwise, {[WORKER_STARTING] = {WORKER_STOPPING, SIGQUIT},
				    [WORKER_READY] = {WORKER_STOPPING, SIGQUIT},
				    [WORKER_RETIRING] = {WORKER_STOPPING, SIGQUIT},
				    [WORKER_STOPPING] = {WORKER_STOPPING, SIGQUIT},
				    [WORKER_KILLED] = {WORKER_KILLED, 0}}},
	{do_kill, {[WORKER_STARTING] = {WORKER_KILLED, SIGKILL},
			  [WORKER_READY] = {WORKER_KILLED, SIGKILL},
			  [WORKER_RETIRING] = {WORKER_KILLED, SIGKILL},
			  [WORKER_STOPPING] = {WORKER_KILLED, SIGKILL},
			  [WORKER_KILLED] = {WORKER_KILLED, 0}}},
	{do_stop_by_kill, {[WORKER_STARTING] = {WORKER_KILLED, SIGKILL},
				  [WORKER_READY] = {WORKER_KILLED, SIGKILL},
				  [WORKER_RETIRING] = {WORKER_KILLED, SIGKILL},
				  [WORKER_STOPPING] = {WORKER_KILLED, SIGKILL},
				  [WORKER_KILLED] = {WORKER_KILLED, 0}}},
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

START_TEST(each_action_in_each_state)
{
	const enum worker_state from = WORKER_STARTING + _i % (WORKER_STATE_COUNT - 1);
	const int action = _i / (WORKER_STATE_COUNT - 1);
	const int signal_number = actions[action].expected[from].signal_number;
	unsigned before;

	bring_to(from);
	before = fake_sys_signals_to(it.worker.record.pid, signal_number);
	if (signal_number == 0)
		before = (unsigned)fake_sys_signal_count();
	actions[action].action();
	ck_assert_int_eq(it.worker.record.state, actions[action].expected[from].state);
	if (signal_number == 0)
		ck_assert_uint_eq(fake_sys_signal_count(), before);
	else
		ck_assert_uint_eq(
			fake_sys_signals_to(it.worker.record.pid, signal_number), before + 1);
	/* Once each. */
	before = (unsigned)fake_sys_signal_count();
	actions[action].action();
	ck_assert_uint_eq(fake_sys_signal_count(), before);
}
END_TEST

START_TEST(an_ended_worker_gets_no_signal)
{
	fake_sys_exit(must_start(), 0);
	notice_end();
	ck_assert_int_ge(it.facts, 1);
	ck_assert(!worker_forward(&it.worker, SIGUSR1));
	worker_stop(&it.worker, 0, sys_now_ms());
	worker_kill(&it.worker, "test", sys_now_ms());
	ck_assert_uint_eq(fake_sys_signal_count(), 0);
}
END_TEST

START_TEST(a_worker_with_its_group)
{
	pid_t pid;

	it.pool->signal_group = true;
	pid = must_start();
	ck_assert(worker_forward(&it.worker, SIGUSR1));
	ck_assert_uint_eq(fake_sys_group_signals_to(pid, SIGUSR1), 1);
	ck_assert_uint_eq(fake_sys_signals_to(pid, 0), 0);
	fake_sys_fail(FAKE_KILL_GROUP, 1, ESRCH);
	ck_assert(worker_forward(&it.worker, SIGUSR2));
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGUSR2), 1);
}
END_TEST

/* --- its end ------------------------------------------------------------------------------------
 */

enum { ASKED = 1, READY = 2, OLD = 4, JOB = 8, INFINITE = 16, LATE = 32 };

static const struct {
	int before;
	int status; /* negative: the signal */
	int report; /* errno of what it could not do before its exec */
	bool failed, environment;
} endings[] = {
	{0, 0, 0, true, false},
	{0, 1, 0, true, false},
	{0, -SIGSEGV, 0, true, false},
	{OLD, 0, 0, true, false}, /* never ready */
	{READY, 0, 0, true, false},
	{READY, 3, 0, true, false},
	{READY | OLD, 0, 0, false, false},
	{READY | OLD, 3, 0, false, false},
	{READY | OLD, -SIGSEGV, 0, false, false},
	{JOB, 0, 0, false, false},
	{JOB, -SIGKILL, 0, false, false},
	{READY | JOB, 3, 0, false, false},
	{ASKED, 0, 0, false, false},
	{ASKED, 3, 0, false, false},
	{ASKED | READY, -SIGTERM, 0, false, false},
	{INFINITE | READY | OLD, 0, 0, false, false},
	{INFINITE | READY | OLD, 3, 0, true, false},
	{INFINITE | READY | OLD | JOB, 3, 0, true, false},
	{INFINITE | READY | OLD | JOB, -SIGSEGV, 0, true, false},
	{INFINITE | ASKED | READY | OLD, 3, 0, false, false},
	{LATE | OLD, -SIGKILL, 0, true, false},
	{LATE | ASKED | OLD, -SIGKILL, 0, true, false},
	{0, 127, ENOENT, true, false},
	{0, 127, EACCES, true, false},
	{OLD, 127, ENOENT, true, false},
	{0, 127, EAGAIN, false, true},
	{0, 127, ENOMEM, false, true},
	{0, 127, EMFILE, false, true},
	{INFINITE, 127, ENFILE, false, true},
};

START_TEST(which_end_is_a_failure)
{
	const int before = endings[_i].before;
	struct worker_end end;
	pid_t pid = must_start();

	if (before & INFINITE)
		it.pool->min_uptime_ms = DURATION_INFINITE;
	if (before & READY)
		say(BOARD_STATE_AT, "_");
	if (before & JOB)
		say(BOARD_JOBS_AT, "1");
	if (before & ASKED)
		worker_stop(&it.worker, 0, sys_now_ms());
	fake_sys_advance_ms(before & OLD ? MIN_UPTIME_MS : MIN_UPTIME_MS - 1);
	it.worker.start_failed = before & LATE;
	it.worker.failure = (struct spawn_report){
		.pid = endings[_i].report ? pid : 0, .error = endings[_i].report};
	if (endings[_i].status < 0)
		fake_sys_end_by_signal(pid, -endings[_i].status);
	else
		fake_sys_exit(pid, endings[_i].status);
	notice_end();
	worker_reap(&it.worker, &end, sys_now_ms());
	ck_assert_int_eq(end.failed, endings[_i].failed);
	ck_assert_int_eq(end.environment, endings[_i].environment);
	ck_assert_int_eq(end.asked, (before & ASKED) != 0);
	ck_assert_int_eq(end.code, endings[_i].status < 0 ? CLD_KILLED : CLD_EXITED);
	ck_assert_int_eq(end.status, abs(endings[_i].status));
}
END_TEST

START_TEST(reaping_empties_the_slot)
{
	struct worker_end end;
	pid_t pid = must_start();

	say(BOARD_STATE_AT, "B");
	ck_assert_int_eq(pwrite(it.board_fd, "B", 1, BOARD_LINE_BYTES), 1);
	fake_sys_advance_ms(1234);
	fake_sys_exit(pid, 9);
	notice_end();
	worker_reap(&it.worker, &end, sys_now_ms());
	/* The group was killed before the number was given back: afterwards it would be a stray. */
	ck_assert_uint_eq(fake_sys_group_signals_to(pid, SIGKILL), 1);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_int_eq(end.record.pid, pid);
	ck_assert_int_eq(end.record.slot, 1);
	ck_assert_int_eq(end.age_ms, 1234);
	ck_assert(!worker_present(&it.worker));
	ck_assert_int_eq(board_byte(BOARD_STATE_AT), '.');
	ck_assert_int_eq(board_byte(BOARD_PID_AT), ' ');
	ck_assert_uint_eq(fake_sys_descriptors(), it.descriptors);
	/* The next one knows nothing of it. */
	must_start();
	ck_assert(it.worker.activity == ACTIVITY_NONE && !it.worker.job_done);
	ck_assert_int_eq(it.worker.ready_at, 0);
}
END_TEST

START_TEST(a_status_that_is_lost)
{
	struct worker_end end;

	fake_sys_exit(must_start(), 0);
	notice_end();
	fake_sys_fail(FAKE_WAIT, 1, ECHILD);
	worker_reap(&it.worker, &end, sys_now_ms());
	ck_assert_int_eq(end.code, 0);
	ck_assert(!worker_present(&it.worker));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *tests = tcase_create("worker");

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_start_fills_the_slot);
	tcase_add_loop_test(tests, a_start_that_fails_leaves_it_empty, 0,
		sizeof(start_calls) / sizeof(start_calls[0]));
	tcase_add_test(tests, words_and_noise);
	tcase_add_test(tests, our_own_bytes_are_no_sign_of_life);
	tcase_add_test(tests, times_of_jobs);
	tcase_add_loop_test(
		tests, each_action_in_each_state, 0, ACTIONS * (WORKER_STATE_COUNT - 1));
	tcase_add_test(tests, an_ended_worker_gets_no_signal);
	tcase_add_test(tests, a_worker_with_its_group);
	tcase_add_loop_test(tests, which_end_is_a_failure, 0, sizeof(endings) / sizeof(endings[0]));
	tcase_add_test(tests, reaping_empties_the_slot);
	tcase_add_test(tests, a_status_that_is_lost);
	return test_main(suite);
}
