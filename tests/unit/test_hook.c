/* Commands at a worker's end, in a world without processes: nothing waits for them. */
#include <errno.h>
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

static const enum fake_call calls[] = {FAKE_FORK, FAKE_PIDFD_OPEN};

/* It is said, and costs the pool nothing. */
START_TEST(one_that_cannot_start)
{
	struct pool_world world;
	pid_t worker;

	world_begin(&world, HOOKED "max_workers = 1\n");
	world_pass(&world, 2000);
	worker = world_pid(&world, 0);
	fake_sys_fail(calls[_i], 1, EAGAIN);
	world_exit(&world, 0, 0);
	ck_assert_int_ne(world_pid(&world, 0), worker);
	ck_assert_uint_eq(fake_sys_living(), 1);
	ck_assert_uint_eq(fake_sys_zombies(), 0);
	ck_assert_int_eq(world_logged(&world, "on_exit: cannot"), 1);
	ck_assert_int_eq(world_logged(&world, "no worker can be started"), 0);
	world_end(&world);
}
END_TEST

/* A command from the folder of the very worker it is about. */
START_TEST(it_runs_where_its_worker_did)
{
	char keys[PATH_MAX + 200];
	struct pool_world world;
	struct test_dir dir;

	test_dir_make(&dir);
	ck_assert_int_eq(mkdir(test_path(&dir, "0"), 0755), 0);
	ck_assert_int_eq(mkdir(test_path(&dir, "1"), 0755), 0);
	test_write_file(test_path(&dir, "1/hook"), "#!/bin/sh\n");
	ck_assert_int_eq(chmod(test_path(&dir, "1/hook"), 0755), 0);
	snprintf(keys, sizeof(keys),
		"max_workers = 2\nmin_uptime = 10ms\ndirectory = %s/%%{slot}\non_exit = ./hook\n",
		dir.path);
	world_begin(&world, keys);
	world_pass(&world, 20);
	world_exit(&world, 0, 0);
	ck_assert_uint_eq(fake_sys_living(), 2);
	ck_assert_int_eq(world_logged(&world, "on_exit: "), 1);
	world_exit(&world, 1, 0);
	ck_assert_uint_eq(fake_sys_living(), 3);
	world_end(&world);
	test_dir_remove(&dir);
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
	tcase_add_loop_test(tests, one_that_cannot_start, 0, sizeof(calls) / sizeof(calls[0]));
	tcase_add_test(tests, it_runs_where_its_worker_did);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
