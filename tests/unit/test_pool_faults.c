/*
 * A pool on a machine that refuses: fork, descriptors, files. First what is refused for a while,
 * the worst that can happen to a supervisor; then every single system call, one after the other.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "board.h"
#include "pool_world.h"
#include "strangers.h"

#define FAST "ready = scoreboard\n"

/* --- when the machine refuses ------------------------------------------------------------ */

static const struct {
	enum fake_call call;
	int error;
} refusal[] = {
	{FAKE_FORK, EAGAIN},
	{FAKE_FORK, ENOMEM},
	{FAKE_PIDFD_OPEN, EMFILE},
	{FAKE_OPEN, ENFILE},
	{FAKE_PIPE, EMFILE},
};

START_TEST(full_again_when_the_machine_gives_way)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 40\nstdout = log\n");
	world_say(&world, 0, 40, "_");
	world_pass(&world, 2000);
	fake_sys_break(refusal[_i].call, refusal[_i].error);
	for (int slot = 0; slot < 40; slot++)
		fake_sys_end_by_signal(world_pid(&world, slot), SIGKILL);
	world_pass(&world, 8000);
	ck_assert_uint_eq(fake_sys_living(), 0);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_int_ge(world_logged(&world, "no worker can be started"), 2);
	ck_assert_int_le(world_logged(&world, "no worker can be started"), 9);
	fake_sys_break(refusal[_i].call, 0);
	world_pass(&world, 2000);
	ck_assert_uint_eq(fake_sys_living(), 40);
	ck_assert(!world.pool->gave_up);
	world_end(&world);
}
END_TEST

/* A limit that lets some through must not keep those from starting, nor cost more than a try now
 * and then. */
START_TEST(as_many_as_the_machine_allows)
{
	struct pool_world world;
	unsigned tries;

	fake_sys_fail(FAKE_FORK, 6, EAGAIN);
	world_begin(&world, "max_workers = 10\n");
	fake_sys_break(FAKE_FORK, EAGAIN);
	ck_assert_uint_eq(fake_sys_living(), 5);
	world_pass(&world, 60000);
	tries = fake_sys_count(FAKE_FORK);
	world_pass(&world, 60000);
	ck_assert_uint_ge(fake_sys_count(FAKE_FORK) - tries, 25);
	ck_assert_uint_le(fake_sys_count(FAKE_FORK) - tries, 35);
	fake_sys_break(FAKE_FORK, 0);
	world_pass(&world, 2000);
	ck_assert_uint_eq(fake_sys_living(), 10);
	world_end(&world);
}
END_TEST

/* The fork works, but exec says EAGAIN (limit_nproc): no failure of the program, and no storm. */
START_TEST(exec_refused_for_lack_of_anything)
{
	struct pool_world world;
	unsigned tries;

	world_begin(&world, "max_workers = 1\n");
	for (int try = 0; try < 8; try++) {
		world_fail_exec(&world, 0, EAGAIN);
		ck_assert_uint_eq(fake_sys_living(), 0);
		ck_assert_int_le(world_until_start(&world), 2001);
		world_settle(&world);
	}
	ck_assert_uint_eq(world.pool->failures.failures, 0);
	tries = fake_sys_count(FAKE_FORK);
	for (int64_t until = fake_sys_now_ms() + 60000; fake_sys_now_ms() < until;) {
		world_fail_exec(&world, 0, EAGAIN);
		world_until_start(&world);
	}
	ck_assert_uint_le(fake_sys_count(FAKE_FORK) - tries, 35);
	world_pass(&world, 2000);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_end(&world);
}
END_TEST

/* Nobody else writes, so nothing else would make it look again. */
START_TEST(what_could_not_be_written_is_written_later)
{
	struct pool_world world;

	world_begin(&world, FAST "max_workers = 2\n");
	world_say(&world, 0, 2, "_");
	world_pass(&world, 2000);
	fake_sys_break(FAKE_FORK, EAGAIN);
	fake_sys_break(FAKE_PWRITE, ENOSPC);
	world_exit(&world, 1, 0);
	ck_assert_int_eq(world_byte(&world, 1, 0), '_');
	fake_sys_break(FAKE_PWRITE, 0);
	world_pass(&world, 200);
	ck_assert_int_eq(world_byte(&world, 1, 0), '.');
	ck_assert_int_eq(world_logged(&world, "harmed"), 0);
	fake_sys_break(FAKE_PWRITE, ENOSPC);
	fake_sys_break(FAKE_FORK, 0);
	world_pass(&world, 2000);
	fake_sys_break(FAKE_PWRITE, 0);
	ck_assert_int_eq(world_byte(&world, 1, BOARD_PID_AT), ' ');
	world_pass(&world, 2000);
	ck_assert_int_ne(world_byte(&world, 1, BOARD_PID_AT), ' ');
	ck_assert_int_eq(world_logged(&world, "harmed"), 0);
	world_end(&world);
}
END_TEST

START_TEST(a_pool_that_cannot_be_opened_leaves_nothing)
{
	struct pool_world world;
	struct errmsg err;

	ck_assert(!world_open(&world, "scoreboard_file = /nowhere/at/all\n", &err));
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all"));
	world_end(&world);
}
END_TEST

/* --- every call fails once ----------------------------------------------------------------- */

static const struct {
	enum fake_call call;
	int error;
} call_error[] = {
	{FAKE_ANY, EAGAIN},
	{FAKE_ANY, EIO},
	{FAKE_FORK, ENOMEM},
	{FAKE_PIDFD_OPEN, EMFILE},
	{FAKE_PIDFD_SIGNAL, EPERM},
	{FAKE_KILL_GROUP, ESRCH},
	{FAKE_KILL_CHILD, ESRCH},
	{FAKE_WAIT, EINTR},
	{FAKE_OPEN, EMFILE},
	{FAKE_PIPE, ENFILE},
	{FAKE_CLOSE, EINTR},
	{FAKE_PREAD, EIO},
	{FAKE_PWRITE, ENOSPC},
};

static bool is_ours(void *context, pid_t pid)
{
	return pool_owns_pid(context, pid);
}

/* Ends all workers but for what the pool itself does about it. */
static void kill_in_slots(const struct pool_world *world)
{
	for (int slot = 0; slot < world->pool->slot_count; slot++)
		if (world_pid(world, slot) && fake_sys_alive(world_pid(world, slot)))
			fake_sys_end_by_signal(world_pid(world, slot), SIGKILL);
}

static void check_full(struct pool_world *world, unsigned number)
{
	world_pass(world, 5000);
	strangers_reap(is_ours, world->pool);
	if (fake_sys_living() != number || fake_sys_zombies() != 0)
		ck_abort_msg("%u live and %u are zombies instead of %u and 0", fake_sys_living(),
			fake_sys_zombies(), number);
}

/* Start, states, death, growth, retirement, stop. */
static void live_a_life(struct pool_world *world)
{
	check_full(world, 3);
	world_say(world, 0, 2, "_");
	world_say(world, 1, 3, "B");
	world_crash(world, 1, SIGSEGV);
	check_full(world, 3);
	kill_in_slots(world);
	check_full(world, 3);
	pool_grow(world->pool, 1, 0);
	check_full(world, 4);
	world_say(world, 0, 4, "_");
	for (int less = 0; less < 2; less++)
		pool_grow(world->pool, -1, 0);
	world_pass(world, 5000);
	check_full(world, 2);
	pool_begin_stop(world->pool);
	pool_stop_all(world->pool, 0, fake_sys_now_ms());
	world_pass(world, 5000);
	check_full(world, 0);
	if (!pool_empty(world->pool))
		ck_abort_msg("the stop does not end");
}

/* false: nothing failed any more. */
static bool fail_nth(enum fake_call call, int error, unsigned nth)
{
	static const char keys[] =
		"max_workers = 3\nstdout = log\nstop_timeout = 3s\nmin_uptime = 10ms\n"
		"err_respawn_interval = 500ms\ncrash_loop = backoff\n";
	struct pool_world world;
	struct errmsg err;
	unsigned before;
	bool failed;

	world_prepare(&world, keys);
	world_obey(SIGTERM, 100);
	before = fake_sys_count(call);
	fake_sys_fail(call, nth, error);
	if (world_open_pool(&world, &err))
		live_a_life(&world);
	failed = fake_sys_count(call) - before >= nth;
	fake_sys_fail(call, 0, 0);
	world_end(&world);
	return failed;
}

START_TEST(every_call_may_fail_once)
{
	unsigned nth = 1;

	while (fail_nth(call_error[_i].call, call_error[_i].error, nth))
		nth++;
	if (call_error[_i].call != FAKE_KILL_CHILD) /* only when a pidfd could not be had */
		ck_assert_uint_gt(nth, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_faults");
	TCase *machine = tcase_create("machine"), *calls = tcase_create("calls");

	suite_add_tcase(suite, machine);
	tcase_add_loop_test(machine, full_again_when_the_machine_gives_way, 0,
		sizeof(refusal) / sizeof(refusal[0]));
	tcase_add_test(machine, as_many_as_the_machine_allows);
	tcase_add_test(machine, exec_refused_for_lack_of_anything);
	tcase_add_test(machine, what_could_not_be_written_is_written_later);
	tcase_add_test(machine, a_pool_that_cannot_be_opened_leaves_nothing);
	suite_add_tcase(suite, calls);
	tcase_set_timeout(calls, 120);
	tcase_add_loop_test(
		calls, every_call_may_fail_once, 0, sizeof(call_error) / sizeof(call_error[0]));
	return test_main(suite);
}
