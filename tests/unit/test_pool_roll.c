/*
 * A pool rolls from one generation to the next, and back: never fewer ready workers than before,
 * never more than may be, whatever the new ones do, and whatever is asked meanwhile.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "board.h"
#include "generation.h"
#include "pool_roll.h"
#include "roll_crew.h"

#define FAST "ready = scoreboard\ncrash_loop = backoff\n" /* as crew_begin() has it */

static struct crew crew; /* too big for a stack */

static void check_rolled(uint64_t generation, int workers)
{
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_DONE);
	ck_assert_int_eq(crew_serving(&crew, generation), workers);
	ck_assert_int_eq(crew.world.pool->present, workers);
	ck_assert_int_eq(crew.world.pool->roll.held, 0);
}

/* --- all is well ------------------------------------------------------------------------------ */

static const struct {
	int workers;
	const char *surge;
	int at_a_time;
} sizes[] = {{1, "1", 1}, {2, "1", 1}, {3, "2", 2}, {8, "1", 1}, {8, "3", 3}, {8, "25%", 2},
	{8, "1%", 1}, {3, "50%", 2}, {4, "100%", 4}, {2, "9", 2}};

START_TEST(a_static_pool)
{
	const int workers = sizes[_i].workers;
	char keys[100];

	snprintf(keys, sizeof(keys), "max_workers = %d\nsurge = %s\n", workers, sizes[_i].surge);
	crew_begin(&crew, keys);
	crew.boot_ms = 700;
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(2, workers);
	ck_assert_int_ge(crew.least_ready, workers);
	ck_assert_int_eq(crew.most_present, workers + sizes[_i].at_a_time);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 2 * (unsigned)workers);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + workers; pid++)
		ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	crew_end(&crew);
}
END_TEST

START_TEST(a_dynamic_pool)
{
	crew_begin(&crew, "max_workers = 8\nmin_spare_workers = 3\nmax_spare_workers = 5\n");
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(2, 3);
	ck_assert_int_ge(crew.least_ready, 3);
	ck_assert_int_le(crew.most_present, 5); /* one comes, one goes */
	/* With all of them busy: three more were there before. */
	world_say(&crew.world, 0, 8, "B");
	crew_pass(&crew, 1000);
	ck_assert_int_eq(crew_serving(&crew, 2), 6);
	world_roll(&crew.world, NULL);
	crew_watch(&crew);
	crew_pass(&crew, 9000);
	ck_assert_int_ge(crew.least_ready, 6);
	crew_pass(&crew, 50000);
	/* The new ones are idle, and more than are kept so. */
	ck_assert_int_ge(crew.least_ready, 5);
	ck_assert_int_le(crew.most_present, 9);
	ck_assert_int_eq(crew_serving(&crew, 3), 5);
	crew_end(&crew);
}
END_TEST

START_TEST(nobody_there_is_nobody_to_replace)
{
	char keys[200];

	snprintf(keys, sizeof(keys),
		"max_workers = 8\nmin_spare_workers = 0\nsockets = a\n"
		"[socket:a]\nlisten = unix:@preforkd-test-%d\n",
		(int)getpid());
	crew_begin(&crew, keys);
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(2, 0);
	crew_end(&crew);
}
END_TEST

START_TEST(slow_starters_are_waited_for)
{
	crew_begin(&crew, "max_workers = 3\nstart_timeout = 60s\n");
	crew.boot_ms = 20000;
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 19000);
	ck_assert_int_eq(crew_serving(&crew, 1), 3);
	ck_assert_int_eq(crew_serving(&crew, 2), 1);
	crew_finish_roll(&crew);
	check_rolled(2, 3);
	ck_assert_int_ge(crew.least_ready, 3);
	crew_end(&crew);
}
END_TEST

/* A second each before the first of them, since nobody knows yet whether they stay. */
START_TEST(nobody_goes_before_the_new_ones_have_proven_themselves)
{
	crew_begin(&crew, "max_workers = 3\nmin_uptime = 3s\n");
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 2900);
	ck_assert_int_eq(crew_serving(&crew, 1), 3);
	crew_pass(&crew, 300);
	ck_assert_int_le(crew_serving(&crew, 1), 2);
	crew_finish_roll(&crew);
	check_rolled(2, 3);
	crew_end(&crew);
}
END_TEST

START_TEST(retirements_are_paced)
{
	int64_t begun_at, last_at = 0;

	crew_begin(&crew, "max_workers = 5\nspawn_interval = 3s\n");
	begun_at = fake_sys_now_ms();
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(2, 5);
	ck_assert_int_ge(fake_sys_now_ms() - begun_at, 12000);
	ck_assert_int_le(fake_sys_now_ms() - begun_at, 20000);
	for (size_t i = 0; i < fake_sys_signal_count(); i++) {
		const struct fake_signal *signal = fake_sys_signal(i);

		if (signal->number != SIGTERM)
			continue;
		ck_assert(last_at == 0 || signal->at_ms - last_at >= 3000);
		last_at = signal->at_ms;
	}
	crew_end(&crew);
}
END_TEST

/* The longest idle first, then who is busy; among these the shortest job first. */
START_TEST(who_costs_least_goes_first)
{
	static const int order[] = {2, 0, 3, 1};
	int64_t at[4];

	crew_begin(&crew, "max_workers = 4\nstop_timeout = 60s\nspawn_interval = 2s\nsurge = 2\n");
	world_say(&crew.world, 0, 1, "B"); /* idle again, later than 2 */
	crew_pass(&crew, 1000);
	world_say(&crew.world, 1, 2, "B");
	crew_pass(&crew, 1000);
	world_say(&crew.world, 3, 4, "B");
	world_say(&crew.world, 0, 1, "_");
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 20000);
	for (int slot = 0; slot < 4; slot++) {
		const pid_t pid = FAKE_FIRST_PID + slot;
		const struct worker *worker = world_worker(&crew.world, slot);

		at[slot] = crew.law.process[slot].retired_at;
		ck_assert_int_gt(at[slot], 0);
		/* Those that are busy are asked, and no more. */
		ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), slot % 2 ? 0 : 1);
		if (slot % 2)
			ck_assert_int_eq(worker->record.state, WORKER_RETIRING);
	}
	for (int i = 1; i < 4; i++)
		ck_assert_int_lt(at[order[i - 1]], at[order[i]]);
	ck_assert_int_eq(crew_serving(&crew, 2), 4);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_DONE);
	crew_end(&crew);
}
END_TEST

START_TEST(the_signal_may_be_another)
{
	struct generation *next;
	struct errmsg err;

	crew_begin(&crew, "max_workers = 2\n");
	next = pool_make_generation(
		crew.world.pool, crew.world.configuration, crew.world.pool->settings, &err);
	ck_assert_ptr_nonnull(next);
	pool_roll_begin(crew.world.pool, next, SIGQUIT);
	generation_release(next);
	crew_pass(&crew, 5000);
	ck_assert_int_eq(crew_serving(&crew, 2), 2);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 2; pid++) {
		ck_assert_uint_eq(fake_sys_signals_to(pid, SIGQUIT), 1);
		ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 0);
	}
	crew_end(&crew);
}
END_TEST

/* An old one that crashes meanwhile is replaced by a new one, and the room is not exceeded. */
START_TEST(old_ones_may_crash_meanwhile)
{
	crew_begin(&crew, "max_workers = 4\n");
	crew.boot_ms = 2000;
	world_roll(&crew.world, NULL);
	for (int slot = 0; slot < 4; slot++) {
		crew_pass(&crew, 300);
		world_crash(&crew.world, slot, SIGSEGV);
	}
	crew_finish_roll(&crew);
	check_rolled(2, 4);
	ck_assert_int_le(crew.most_present, 5);
	crew_end(&crew);
}
END_TEST

/* --- sizes ------------------------------------------------------------------------------------ */

START_TEST(to_another_size)
{
	static const struct {
		int from, to;
	} cases[] = {{4, 2}, {2, 4}, {4, 1}, {1, 4}, {8, 3}};
	const int from = cases[_i].from, to = cases[_i].to;
	char keys[200];

	snprintf(keys, sizeof(keys), "max_workers = %d\n", from);
	crew_begin(&crew, keys);
	snprintf(keys, sizeof(keys), FAST "max_workers = %d\nnice = 1\n", to);
	world_roll(&crew.world, keys);
	crew_finish_roll(&crew);
	check_rolled(2, to);
	ck_assert_int_ge(crew.least_ready, from < to ? from : to);
	ck_assert_int_le(crew.most_present, (from > to ? from : to) + 1);
	crew_end(&crew);
}
END_TEST

/* ... and back, when it is given up: with no more and no fewer than there were. */
START_TEST(to_another_size_and_back)
{
	static const struct {
		int from, to;
	} cases[] = {{4, 2}, {2, 4}, {4, 1}, {1, 4}, {8, 3}};
	const int from = cases[_i % 5].from, to = cases[_i % 5].to;
	char keys[200];

	snprintf(keys, sizeof(keys), "max_workers = %d\n", from);
	crew_begin(&crew, keys);
	snprintf(keys, sizeof(keys), FAST "max_workers = %d\nnice = 1\n", to);
	world_roll(&crew.world, keys);
	crew_pass(&crew, _i / 5 * 600);
	if (crew.world.roll == ROLL_ON) {
		world_roll_back(&crew.world);
		crew_finish_roll(&crew);
		crew_pass(&crew, 3000);
		ck_assert_int_eq(crew_serving(&crew, 1), from);
		ck_assert_int_eq(crew.world.pool->present, from);
	}
	ck_assert_int_le(crew.most_present, (from > to ? from : to) + 1);
	crew_end(&crew);
}
END_TEST

START_TEST(to_a_dynamic_pool_and_back)
{
	crew_begin(&crew, "max_workers = 4\n");
	world_roll(&crew.world, FAST "max_workers = 6\nmin_spare_workers = 1\n"
				     "max_spare_workers = 2\nidle_timeout = 2s\n");
	crew_finish_roll(&crew);
	crew_pass(&crew, 10000);
	check_rolled(2, 2);
	world_roll(&crew.world, FAST "max_workers = 4\n");
	crew_finish_roll(&crew);
	check_rolled(3, 4);
	crew_end(&crew);
}
END_TEST

/* --- new ones that are no good ------------------------------------------------------------------
 */

static const struct {
	enum crew_fault fault;
	int64_t fault_ms;
	bool changed; /* the configuration, too */
	int new_ones; /* that stay */
} faults[] = {
	{CREW_EXITS, 0, false, 0},
	{CREW_EXITS, 0, true, 0},
	{CREW_HANGS, 0, false, 0},
	{CREW_HANGS, 0, true, 0},
	{CREW_CRASHES, 0, false, 0},
	{CREW_CRASHES, 500, false, 0},
	{CREW_CRASHES, 500, true, 0},
};

START_TEST(three_failures_give_it_up)
{
	crew_begin(&crew, "max_workers = 4\nstart_timeout = 5s\n");
	crew.fault = faults[_i].fault;
	crew.fault_ms = faults[_i].fault_ms;
	crew.fault_from = 2;
	world_roll(&crew.world,
		faults[_i].changed ? FAST "max_workers = 4\nstart_timeout = 5s\nnice = 1\n" : NULL);
	crew_finish_roll(&crew);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_GIVEN_UP);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 4 + 3);
	ck_assert_int_eq(crew_serving(&crew, 1), 4);
	ck_assert_int_ge(crew.least_ready, 4);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 4; pid++)
		ck_assert(fake_sys_alive(pid));
	/* They are not touched again. */
	crew_pass(&crew, 100000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 4 + 3);
	for (pid_t pid = FAKE_FIRST_PID; pid < FAKE_FIRST_PID + 4; pid++)
		ck_assert_uint_eq(world_signals(pid), 0);
	/* The next one tries again, and may be better. */
	crew.fault = CREW_WELL;
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	ck_assert_int_eq(crew_serving(&crew, 3), 4);
	ck_assert_int_eq(crew.world.pool->present, 4);
	crew_end(&crew);
}
END_TEST

/* They fail when half of the old ones have gone: capacity stays what it was. */
static void begin_late_failure(const char *to)
{
	crew_begin(&crew, "max_workers = 6\nspawn_interval = 1s\n");
	crew.fault_from = 2;
	world_roll(&crew.world, to);
	while (crew_serving(&crew, 1) > 3)
		crew_pass(&crew, 20);
	crew.fault = CREW_CRASHES;
	crew.fault_slots = 1;
	/* Only the one in the first slot, again and again. */
	while (crew.world.roll == ROLL_ON)
		crew_pass(&crew, 20);
}

START_TEST(new_ones_that_serve_stay_where_only_the_program_changed)
{
	int old, kept;

	begin_late_failure(NULL);
	old = crew_serving(&crew, 1);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_GIVEN_UP);
	crew.fault = CREW_WELL;
	crew_finish_roll(&crew);
	crew_pass(&crew, 20000);
	kept = crew_serving(&crew, 2);
	ck_assert_int_eq(crew.world.pool->present, 6);
	ck_assert_int_ge(kept, 1);
	ck_assert_int_ge(crew_serving(&crew, 1), old);
	/* They are old ones of the next roll, and stay when that is given up, too. */
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 300);
	world_roll_back(&crew.world);
	crew_finish_roll(&crew);
	crew_pass(&crew, 20000);
	ck_assert_int_eq(crew_serving(&crew, 2), kept);
	ck_assert_int_eq(crew.world.pool->present, 6);
	/* ... and go when it is not. */
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(4, 6);
	crew_end(&crew);
}
END_TEST

START_TEST(new_ones_that_serve_are_replaced_where_the_configuration_changed)
{
	begin_late_failure(FAST "max_workers = 6\nspawn_interval = 1s\nnice = 1\n");
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_GIVEN_UP);
	crew.fault = CREW_WELL;
	crew_finish_roll(&crew);
	ck_assert_int_eq(crew_serving(&crew, 1), 6);
	ck_assert_int_eq(crew.world.pool->present, 6);
	crew_end(&crew);
}
END_TEST

/* Within a second of the pool's own start, when nobody has proven anything. */
START_TEST(given_up_at_an_early_age)
{
	crew_begin(&crew, "max_workers = 2\nmin_uptime = 8s\n");
	world_roll(&crew.world, FAST "max_workers = 2\nmin_uptime = 8s\nnice = 1\n");
	crew_pass(&crew, 500);
	ck_assert_int_eq(crew_serving(&crew, 2), 1);
	world_roll_back(&crew.world);
	crew_finish_roll(&crew);
	ck_assert_int_eq(crew_serving(&crew, 1), 2);
	ck_assert_int_eq(crew.world.pool->present, 2);
	crew_end(&crew);
}
END_TEST

/* A pool that fails anyway has nothing to lose: it lives by what is new, at once. */
START_TEST(a_pool_in_trouble_has_no_way_back)
{
	crew_begin(&crew, "max_workers = 2\nerr_respawn_interval = 20s\n");
	crew.fault = CREW_EXITS;
	for (int slot = 0; slot < 2; slot++)
		world_crash(&crew.world, slot, SIGSEGV);
	crew_pass(&crew, 60000);
	ck_assert_int_eq(crew_ready(&crew), 0);
	world_roll(&crew.world, NULL);
	crew.fault = CREW_WELL;
	crew_pass(&crew, 3000);
	check_rolled(2, 2);
	ck_assert_int_eq(crew_ready(&crew), 2);
	crew_end(&crew);
}
END_TEST

/* --- what is asked meanwhile -------------------------------------------------------------------
 */

START_TEST(drained_and_resumed)
{
	crew_begin(&crew, "max_workers = 4\n");
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 100 * _i);
	pool_drain(crew.world.pool, 0);
	crew_pass(&crew, 2000);
	ck_assert_int_eq(crew.world.pool->present, 0);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_DONE);
	pool_resume(crew.world.pool);
	crew_pass(&crew, 2000);
	check_rolled(2, 4);
	crew_end(&crew);
}
END_TEST

START_TEST(a_roll_ends_a_drain)
{
	crew_begin(&crew, "max_workers = 4\n");
	pool_drain(crew.world.pool, 0);
	crew_pass(&crew, 1000);
	ck_assert_int_eq(crew.world.pool->present, 0);
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	check_rolled(2, 4);
	crew_end(&crew);
}
END_TEST

START_TEST(grown_and_shrunk)
{
	const int by = _i % 2 ? 1 : -1;

	crew_begin(&crew, "max_workers = 4\n");
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 300 * _i);
	law_note(&crew.law);
	for (int i = 0; i < 2; i++) {
		pool_grow(crew.world.pool, by, 0);
		law_note(&crew.law);
	}
	crew_pass(&crew, 10000);
	ck_assert_int_eq(crew.world.pool->present, 4 + 2 * by);
	ck_assert_int_eq(crew_serving(&crew, 2), 4 + 2 * by);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_DONE);
	crew_end(&crew);
}
END_TEST

/* What TTIN and TTOU did is forgotten by a roll, and remembered when it is given up. */
START_TEST(sizes_asked_for_are_forgotten)
{
	crew_begin(&crew, "max_workers = 4\n");
	pool_grow(crew.world.pool, 1, 0);
	pool_grow(crew.world.pool, 1, 0);
	crew_pass(&crew, 3000);
	ck_assert_int_eq(crew_serving(&crew, 1), 6);
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 200);
	world_roll_back(&crew.world);
	crew_finish_roll(&crew);
	crew_pass(&crew, 3000);
	ck_assert_int_eq(crew.world.pool->present, 6);
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	ck_assert_int_ge(crew.least_ready, 4);
	check_rolled(3, 4);
	crew_end(&crew);
}
END_TEST

/* A pool that becomes smaller retires those it counts, not those that wait for a place. */
START_TEST(shrinking_takes_no_replacement)
{
	pid_t replacement;

	crew_begin(&crew, "max_workers = 2\nstop_timeout = 60s\nmin_uptime = 4s\n");
	world_say(&crew.world, 0, 2, "B");
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 1000);
	replacement = world_pid(&crew.world, 2);
	ck_assert_int_gt(replacement, 0);
	pool_grow(crew.world.pool, -1, 0);
	crew_pass(&crew, 1000);
	ck_assert_int_eq(world_count(&crew.world, CLASS_LEAVING), 1);
	ck_assert_uint_eq(world_signals(replacement), 0);
	crew_pass(&crew, 5000);
	ck_assert_uint_eq(world_signals(replacement), 0);
	ck_assert_int_eq(crew_serving(&crew, 2), 1);
	crew_end(&crew);
}
END_TEST

/* --- stopping ----------------------------------------------------------------------------------
 */

/* crew_end() stops it, and demands that it ends, and that nothing is started any more. */
START_TEST(a_stop_at_any_time)
{
	crew_begin(&crew, "max_workers = 3\nstart_timeout = 2s\nstop_timeout = 3s\n");
	crew.boot_ms = 300;
	crew.fault = (enum crew_fault)(_i % 4);
	crew.fault_ms = 200;
	crew.fault_from = 2;
	world_roll(&crew.world, NULL);
	crew_pass(&crew, _i / 4 * 250);
	crew_end(&crew);
}
END_TEST

/* --- the machine --------------------------------------------------------------------------------
 */

START_TEST(refused_forks_are_no_failures)
{
	crew_begin(&crew, "max_workers = 2\n");
	fake_sys_break(FAKE_FORK, EAGAIN);
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 30000);
	ck_assert_int_eq((int)crew.world.roll, (int)ROLL_ON);
	ck_assert_int_eq(crew.world.pool->roll.failures, 0);
	ck_assert_int_eq(crew_ready(&crew), 2);
	fake_sys_break(FAKE_FORK, 0);
	crew_finish_roll(&crew);
	check_rolled(2, 2);
	ck_assert_int_ge(crew.least_ready, 2);
	crew_end(&crew);
}
END_TEST

/* What a machine refuses, once, at any time: the roll goes on. */
static const enum fake_call refused[] = {
	FAKE_FORK, FAKE_PIDFD_OPEN, FAKE_OPEN, FAKE_PIPE, FAKE_PREAD, FAKE_PWRITE};

static void roll_with_a_refusal(enum fake_call call, unsigned nth)
{
	crew_begin(&crew, "max_workers = 2\n");
	fake_sys_fail(call, nth, EMFILE);
	if (!world_try_roll(&crew.world, NULL)) {
		ck_assert_int_eq(crew_serving(&crew, 1), 2);
		world_roll(&crew.world, NULL);
	}
	crew_finish_roll(&crew);
	crew_pass(&crew, 3000);
	ck_assert_msg(crew.world.roll == ROLL_DONE, "call %u of kind %d", nth, (int)call);
	ck_assert_int_eq(crew.world.pool->present, 2);
	fake_sys_fail(call, 0, 0);
	crew_end(&crew);
}

START_TEST(every_call_fails_once)
{
	const enum fake_call call = refused[_i];
	unsigned first, calls;

	crew_begin(&crew, "max_workers = 2\n");
	first = fake_sys_count(call);
	world_roll(&crew.world, NULL);
	crew_finish_roll(&crew);
	calls = fake_sys_count(call) - first;
	crew_end(&crew);
	for (unsigned nth = 1; nth <= calls && nth < 100; nth += test_slowness())
		roll_with_a_refusal(call, nth);
}
END_TEST

/* It takes its place in the count, so the roll waits; but for nothing else. */
START_TEST(an_old_one_that_nothing_kills)
{
	const pid_t pid = FAKE_FIRST_PID;

	crew_begin(&crew, "max_workers = 2\nstop_timeout = 1s\n");
	fake_sys_set_unkillable(pid, true);
	crew.leave_ms = 100000;
	world_roll(&crew.world, NULL);
	crew_pass(&crew, 30000);
	ck_assert(fake_sys_alive(pid));
	ck_assert_uint_eq(fake_sys_signals_to(pid, SIGTERM), 1);
	ck_assert_int_ge(crew.least_ready, 2);
	ck_assert_int_le(crew.most_present, 3);
	fake_sys_set_unkillable(pid, false);
	fake_sys_end_by_signal(pid, SIGKILL);
	crew_finish_roll(&crew);
	check_rolled(2, 2);
	crew_end(&crew);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_roll");
	TCase *well = tcase_create("well"), *size = tcase_create("sizes"),
	      *bad = tcase_create("failures"), *asked = tcase_create("asked"),
	      *machine = tcase_create("machine");

	law_in_memory();
	suite_add_tcase(suite, well);
	tcase_set_timeout(well, 60);
	tcase_add_loop_test(well, a_static_pool, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(well, a_dynamic_pool);
	tcase_add_test(well, nobody_there_is_nobody_to_replace);
	tcase_add_test(well, slow_starters_are_waited_for);
	tcase_add_test(well, nobody_goes_before_the_new_ones_have_proven_themselves);
	tcase_add_test(well, retirements_are_paced);
	tcase_add_test(well, who_costs_least_goes_first);
	tcase_add_test(well, the_signal_may_be_another);
	tcase_add_test(well, old_ones_may_crash_meanwhile);
	suite_add_tcase(suite, size);
	tcase_set_timeout(size, 60);
	tcase_add_loop_test(size, to_another_size, 0, 5);
	tcase_add_loop_test(size, to_another_size_and_back, 0, 40);
	tcase_add_test(size, to_a_dynamic_pool_and_back);
	suite_add_tcase(suite, bad);
	tcase_set_timeout(bad, 60);
	tcase_add_loop_test(bad, three_failures_give_it_up, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(bad, new_ones_that_serve_stay_where_only_the_program_changed);
	tcase_add_test(bad, new_ones_that_serve_are_replaced_where_the_configuration_changed);
	tcase_add_test(bad, given_up_at_an_early_age);
	tcase_add_test(bad, a_pool_in_trouble_has_no_way_back);
	suite_add_tcase(suite, asked);
	tcase_set_timeout(asked, 60);
	tcase_add_loop_test(asked, drained_and_resumed, 0, 20);
	tcase_add_test(asked, a_roll_ends_a_drain);
	tcase_add_loop_test(asked, grown_and_shrunk, 0, 10);
	tcase_add_test(asked, sizes_asked_for_are_forgotten);
	tcase_add_test(asked, shrinking_takes_no_replacement);
	tcase_add_loop_test(asked, a_stop_at_any_time, 0, 48);
	suite_add_tcase(suite, machine);
	tcase_set_timeout(machine, 120);
	tcase_add_test(machine, refused_forks_are_no_failures);
	tcase_add_loop_test(
		machine, every_call_fails_once, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(machine, an_old_one_that_nothing_kills);
	return test_main(suite);
}
