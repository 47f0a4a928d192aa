/* Commands at a worker's end, in a world without processes: nothing waits for them. */
#include <signal.h>

#include "pool_world.h"

#define HOOKED "on_exit = /bin/true\nmin_uptime = 1s\n"

/* A pool whose worker has just ended: the pid of its hook. */
static pid_t begin_with_hook(struct pool_world *world, const char *keys)
{
	pid_t hook;

	world_begin(world, keys);
	world_pass(world, 2000);
	world_exit(world, 0, 0);
	hook = world_pid(world, 0) - 1;
	ck_assert(fake_sys_alive(hook));
	ck_assert(pool_owns_pid(world->pool, hook));
	return hook;
}

START_TEST(one_that_ends_is_reaped)
{
	struct pool_world world;
	const pid_t hook = begin_with_hook(&world, HOOKED "max_workers = 1\n");

	fake_sys_exit(hook, _i);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert(!pool_owns_pid(world.pool, hook));
	ck_assert_int_eq(world_logged(&world, "on_exit: ended with status 1"), _i);
	world_end(&world);
}
END_TEST

START_TEST(one_that_hangs_is_killed)
{
	struct pool_world world;
	const pid_t hook = begin_with_hook(&world, HOOKED "max_workers = 1\n");

	world_pass(&world, HOOK_TIMEOUT_SEC * 1000 - 100);
	ck_assert(fake_sys_alive(hook));
	world_pass(&world, 200);
	ck_assert(!fake_sys_alive(hook));
	ck_assert_uint_ge(fake_sys_group_signals_to(hook, SIGKILL), 1);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	world_end(&world);
}
END_TEST

START_TEST(one_that_nothing_kills_is_not_waited_for)
{
	struct pool_world world;
	const pid_t hook = begin_with_hook(&world, HOOKED "max_workers = 1\n");

	fake_sys_set_unkillable(hook, true);
	world_obey(SIGTERM, 0);
	pool_begin_stop(world.pool);
	pool_stop_all(world.pool, 0, fake_sys_now_ms());
	world_pass(&world, HOOK_TIMEOUT_SEC * 1000);
	ck_assert(!pool_empty(world.pool));
	world_pass(&world, HOOK_TIMEOUT_SEC * 1000 + 100);
	ck_assert(pool_empty(world.pool));
	ck_assert(!pool_owns_pid(world.pool, hook));
	fake_sys_set_unkillable(hook, false);
	fake_sys_end_by_signal(hook, SIGKILL);
	world_end(&world);
}
END_TEST

START_TEST(many_are_left_out_and_little_is_said)
{
	struct pool_world world;

	world_begin(&world, HOOKED "max_workers = 200\n");
	world_pass(&world, 2000);
	for (int slot = 0; slot < 200; slot++)
		fake_sys_exit(world_pid(&world, slot), 0);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 200 + HOOKS_MAX);
	ck_assert_int_eq(world_logged(&world, "on_exit: "), 1);
	world_end(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hook");
	TCase *tests = tcase_create("hook");

	tcase_add_loop_test(tests, one_that_ends_is_reaped, 0, 2);
	tcase_add_test(tests, one_that_hangs_is_killed);
	tcase_add_test(tests, one_that_nothing_kills_is_not_waited_for);
	tcase_add_test(tests, many_are_left_out_and_little_is_said);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
