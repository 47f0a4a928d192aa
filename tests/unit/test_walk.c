/* A signal for one worker after another, in a world without processes. */
#include <signal.h>
#include <string.h>

#include "pool_reconcile.h"
#include "pool_world.h"
#include "walk.h"

#define STEP_MS 500

/* Two pools of three, and who got what so far. */
static struct fixture {
	struct pool_world world;
	struct pool *pool[2];
	pid_t pid[2][3]; /* at the beginning */
	struct walk walk;
	ev_prepare prepare;
	int changes;
} it;

static void on_changed(void *owner)
{
	((struct fixture *)owner)->changes++;
}

/* As the supervisor does, in each turn. */
static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	(void)watcher;
	(void)events;
	walk_step(&it.walk, loop, it.pool, 2, fake_sys_now_ms());
}

static void begin(void)
{
	struct errmsg err;

	memset(&it, 0, sizeof(it));
	world_begin(&it.world, "max_workers = 3\n[pool:two]\ncommand = /bin/true\n"
			       "max_workers = 3\nstop_signal = INT\n");
	it.pool[0] = it.world.pool;
	it.pool[1] = pool_new(it.world.configuration, &it.world.configuration->settings->pools[1],
		&it.world.pool->place, &err);
	ck_assert_msg(it.pool[1] != NULL, "%s", err.text);
	pool_reconcile(it.pool[1], fake_sys_now_ms());
	it.walk.changed = on_changed;
	it.walk.owner = &it;
	ev_prepare_init(&it.prepare, on_turn);
	ev_prepare_start(it.world.loop, &it.prepare);
	for (int pool = 0; pool < 2; pool++)
		for (int slot = 0; slot < 3; slot++)
			it.pid[pool][slot] = pool_worker(it.pool[pool], slot)->record.pid;
}

static void end(void)
{
	ck_assert(!it.walk.on);
	ck_assert(!ev_is_active(&it.walk.timer));
	pool_free(it.pool[1]);
	world_end(&it.world);
}

/* How many of the signal each slot of both pools has got: "100 000". */
static const char *who_got(int number)
{
	static char text[8];

	for (int i = 0; i < 7; i++) {
		if (i == 3)
			text[i] = ' ';
		else
			text[i] = (char)('0' + fake_sys_signals_to(it.pid[i / 4][i % 4], number));
	}
	return text;
}

START_TEST(one_after_another)
{
	static const char *const got[] = {
		"100 000", "110 000", "111 000", "111 100", "111 110", "111 111", "111 111"};

	begin();
	walk_begin(&it.walk, it.world.loop, false, SIGUSR1, STEP_MS);
	world_settle(&it.world);
	for (size_t i = 0; i < sizeof(got) / sizeof(got[0]); i++) {
		ck_assert_str_eq(who_got(SIGUSR1), got[i]);
		world_pass(&it.world, STEP_MS - 10);
		ck_assert_str_eq(who_got(SIGUSR1), got[i]);
		world_pass(&it.world, 11);
	}
	ck_assert_str_eq(who_got(SIGCONT), "000 000");
	ck_assert_int_eq(world_count(&it.world, CLASS_LEAVING), 0);
	end();
}
END_TEST

START_TEST(a_stop_takes_each_pools_own_signal)
{
	begin();
	walk_begin(&it.walk, it.world.loop, true, 0, STEP_MS);
	world_pass(&it.world, 6 * STEP_MS + 100);
	ck_assert_str_eq(who_got(SIGTERM), "111 000");
	ck_assert_str_eq(who_got(SIGINT), "000 111");
	ck_assert_int_eq(world_count(&it.world, CLASS_LEAVING), 3);
	/* The deadline of each begins with its own turn: the last one has 27 s left. */
	world_pass(&it.world, 30000 - 6 * STEP_MS - 100 + 10);
	ck_assert_str_eq(who_got(SIGKILL), "100 000");
	end();
}
END_TEST

START_TEST(empty_slots_take_no_time)
{
	begin();
	pool_begin_stop(it.pool[0]);
	world_exit(&it.world, 1, 0);
	world_exit(&it.world, 2, 0);
	walk_begin(&it.walk, it.world.loop, false, SIGUSR1, STEP_MS);
	world_pass(&it.world, 100);
	ck_assert_int_eq(fake_sys_signals_to(it.pid[0][0], SIGUSR1), 1);
	world_pass(&it.world, STEP_MS);
	ck_assert_int_eq(fake_sys_signals_to(it.pid[1][0], SIGUSR1), 1);
	world_pass(&it.world, 3 * STEP_MS);
	end();
}
END_TEST

START_TEST(a_new_walk_begins_anew)
{
	begin();
	walk_begin(&it.walk, it.world.loop, false, SIGUSR1, STEP_MS);
	world_pass(&it.world, STEP_MS + 100);
	ck_assert_str_eq(who_got(SIGUSR1), "110 000");
	walk_begin(&it.walk, it.world.loop, true, SIGQUIT, 2 * STEP_MS);
	world_pass(&it.world, 100);
	ck_assert_str_eq(who_got(SIGQUIT), "100 000");
	world_pass(&it.world, 2 * STEP_MS);
	ck_assert_str_eq(who_got(SIGQUIT), "110 000");
	ck_assert_str_eq(who_got(SIGUSR1), "110 000");
	walk_end(&it.walk, it.world.loop);
	world_pass(&it.world, 20 * STEP_MS);
	ck_assert_str_eq(who_got(SIGQUIT), "110 000");
	end();
}
END_TEST

START_TEST(a_walk_nobody_began)
{
	begin();
	walk_end(&it.walk, it.world.loop);
	world_pass(&it.world, 1000);
	ck_assert_int_eq(it.changes, 0);
	ck_assert_str_eq(who_got(0), "000 000");
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("walk");
	TCase *tests = tcase_create("walk");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, one_after_another);
	tcase_add_test(tests, a_stop_takes_each_pools_own_signal);
	tcase_add_test(tests, empty_slots_take_no_time);
	tcase_add_test(tests, a_new_walk_begins_anew);
	tcase_add_test(tests, a_walk_nobody_began);
	return test_main(suite);
}
