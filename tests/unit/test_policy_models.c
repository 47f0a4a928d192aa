/*
 * The spare rules under simulated loads: workers with a boot time, requests with a service time,
 * arrivals in steps, bursts, tides and at random. Bounded from above are the workers there are too
 * many of, the time until a load is met, and the starts and retirements it takes.
 *
 * A model either decides after every single change, or once a millisecond, as a loop that finds
 * several changes at once does. Both must hold.
 */
#include <math.h>
#include <string.h>

#include "policy.h"
#include "policy_world.h"
#include "test_main.h"

#define WORKERS_MAX  256
#define REQUESTS_MAX 20000
#define LEAVE_MS     5
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

struct request {
	int64_t at, service_ms;
};

enum life { GONE, STARTING, IDLE, BUSY, LEAVING };

struct model {
	struct world world;
	int64_t boot_ms;
	bool batch; /* decides once a millisecond */

	struct request requests[REQUESTS_MAX]; /* in the order of their times */
	int request_count, arrived, served;

	enum life life[WORKERS_MAX];
	int64_t next_at[WORKERS_MAX]; /* of its life */
	int64_t since[WORKERS_MAX];
	int64_t wake_at;

	int starts, retirements;
	int peak_need, peak_workers;
	int64_t longest_wait_ms;
};

static struct model model; /* too big for a stack */

static void begin_model(struct policy_rule rule, int64_t boot_ms, bool batch)
{
	memset(&model, 0, sizeof(model));
	model.world.rule = rule;
	model.boot_ms = boot_ms;
	model.batch = batch;
	model.wake_at = 0;
}

static void add_request(int64_t at, int64_t service_ms)
{
	if (model.request_count == REQUESTS_MAX)
		ck_abort_msg("too many requests for this test");
	model.requests[model.request_count++] = (struct request){at, service_ms};
}

static int waiting(void)
{
	return model.arrived - model.served;
}

static void set_life(int slot, enum life life, int64_t next_at)
{
	model.life[slot] = life;
	model.next_at[slot] = next_at;
	model.since[slot] = model.world.now;
}

/* The one of that life for the longest time, or -1. */
static int longest(enum life life)
{
	int found = -1;

	for (int slot = 0; slot < WORKERS_MAX; slot++)
		if (model.life[slot] == life &&
			(found < 0 || model.since[slot] < model.since[found]))
			found = slot;
	return found;
}

static void count_census(void)
{
	struct policy_census census = {0};

	for (int slot = 0; slot < WORKERS_MAX; slot++) {
		switch (model.life[slot]) {
		case GONE: break;
		case STARTING: census.starting++; break;
		case IDLE: census.idle++; break;
		case BUSY: census.busy++; break;
		case LEAVING: census.leaving++; break;
		}
	}
	model.world.census = census;
}

/* Never more than are needed and as many spare ones as the rules speak of. */
static void check_overshoot(void)
{
	const struct policy_rule *rule = &model.world.rule;
	const struct policy_census *census = &model.world.census;
	int spare_most = smaller(rule->max_spare, rule->max_spawn_step);
	int workers = serving(census);

	if (spare_most < rule->min_spare)
		spare_most = rule->min_spare;
	if (census->busy + waiting() > model.peak_need)
		model.peak_need = census->busy + waiting();
	if (workers > model.peak_workers)
		model.peak_workers = workers;
	if (workers + census->leaving > rule->max_workers)
		ck_abort_msg("more than max_workers");
	if (workers > model.peak_need + spare_most)
		ck_abort_msg("%d workers for %d requests", workers, model.peak_need);
}

static void decide_and_act(void)
{
	struct policy_plan plan;

	count_census();
	plan = decide(&model.world);
	if (plan.retire_any > 0)
		ck_abort_msg("shrinks, though nobody asked");
	for (int i = 0; i < plan.start; i++)
		set_life(longest(GONE), STARTING, model.world.now + model.boot_ms);
	for (int i = 0; i < plan.retire_idle; i++)
		set_life(longest(IDLE), LEAVING, model.world.now + LEAVE_MS);
	policy_started(&model.world.memory, plan.start, model.world.now);
	model.starts += plan.start;
	model.retirements += plan.retire_idle;
	model.wake_at = plan.wake_at;
	count_census();
	check_overshoot();
}

/* One request is taken by the worker that has been idle for the longest, or one worker goes on in
 * its life, or one request arrives. false: nothing is to be done at this time. */
static bool change_once(void)
{
	const struct request *next = &model.requests[model.served];
	int64_t now = model.world.now;
	int idle = longest(IDLE);

	if (waiting() > 0 && idle >= 0) {
		if (now - next->at > model.longest_wait_ms)
			model.longest_wait_ms = now - next->at;
		set_life(idle, BUSY, now + next->service_ms);
		model.served++;
		return true;
	}
	for (int slot = 0; slot < WORKERS_MAX; slot++) {
		enum life life = model.life[slot];

		if (life == GONE || life == IDLE || model.next_at[slot] > now)
			continue;
		set_life(slot, life == LEAVING ? GONE : IDLE, POLICY_NEVER);
		return true;
	}
	if (model.arrived == model.request_count || model.requests[model.arrived].at > now)
		return false;
	model.arrived++;
	return true;
}

static void run_now(void)
{
	bool changed = model.wake_at <= model.world.now;

	for (;;) {
		while (change_once()) {
			changed = true;
			if (!model.batch)
				decide_and_act();
		}
		if (!changed)
			return;
		decide_and_act();
		changed = false;
	}
}

static int64_t next_event(void)
{
	int64_t at = model.wake_at;

	if (model.arrived < model.request_count && model.requests[model.arrived].at < at)
		at = model.requests[model.arrived].at;
	for (int slot = 0; slot < WORKERS_MAX; slot++)
		if (model.life[slot] != GONE && model.life[slot] != IDLE &&
			model.next_at[slot] < at)
			at = model.next_at[slot];
	return at;
}

static void run_until(int64_t until)
{
	int64_t at;

	while ((at = next_event()) <= until && at != POLICY_NEVER) {
		model.world.now = at;
		run_now();
	}
}

/* Until nothing happens any more: all are served, and the spare ones are as many as asked for. */
static void run_to_the_end(void)
{
	const struct policy_rule *rule = &model.world.rule;
	const struct policy_census *census = &model.world.census;

	run_until(POLICY_NEVER);
	count_census();
	ck_assert_int_eq(model.served, model.request_count);
	ck_assert_int_eq(census->busy + census->starting + census->leaving, 0);
	ck_assert_int_ge(census->idle, rule->min_spare);
	ck_assert_int_le(census->idle, rule->max_spare);
	ck_assert_int_eq(model.starts - model.retirements, census->idle);
}

/* How many boot times it may take until so many are served at once. */
static int rounds_until(const struct policy_rule *rule, int need)
{
	int rounds = 0, there = rule->min_spare, step = rule->min_spare;

	for (; there < need; rounds++) {
		there += step;
		step = smaller(smaller(2 * step, rule->max_spawn_step), rule->max_spare);
		step = step < rule->min_spare ? rule->min_spare : step;
	}
	return rounds;
}

static const struct {
	int min_spare, max_spare, max_workers;
} bounds[] = {{1, 1, 100}, {1, 100, 100}, {3, 5, 100}, {5, 5, 100}, {5, 10, 100}, {5, 100, 100}};
static const int64_t boots_ms[] = {0, 1, 30, 5000};
static const int loads[] = {1, 4, 5, 9, 10, 11, 40, 64};

static void step_of_load(
	struct policy_rule rule, int64_t boot_ms, int load, int64_t apart_ms, bool batch)
{
	int64_t met_by, spread_ms = apart_ms * load;

	begin_model(rule, boot_ms, batch);
	for (int i = 0; i < load; i++)
		add_request(20000 + i * apart_ms, 1000000);
	run_until(1000000);
	met_by = rounds_until(&rule, load) * (boot_ms + spread_ms);
	ck_assert_msg(model.served == load && model.longest_wait_ms <= met_by,
		"boot %d, load %d, spare %d-%d: waited %d", (int)boot_ms, load, rule.min_spare,
		rule.max_spare, (int)model.longest_wait_ms);
	/* Where no step was outrun, not one more than asked for. */
	if (load < 2 * rule.min_spare || rule.max_spare == rule.min_spare || boot_ms == 0)
		ck_assert_int_le(model.peak_workers, load + rule.min_spare);
	ck_assert_int_eq(model.retirements, 0);
	run_to_the_end();
}

START_TEST(step_loads)
{
	struct policy_rule rule =
		dynamic_rule(bounds[_i].min_spare, bounds[_i].max_spare, bounds[_i].max_workers);

	for (int boot = 0; boot < COUNT(boots_ms); boot++)
		for (int load = 0; load < COUNT(loads); load++)
			for (int way = 0; way < 4; way++)
				step_of_load(rule, boots_ms[boot], loads[load], way & 1, way & 2);
}
END_TEST

/* A program that takes five seconds to boot, five workers of which are taken: five more, not fifty
 * while they boot. */
START_TEST(slow_boot_is_no_storm)
{
	for (int load = 1; load < 10; load++) {
		begin_model(dynamic_rule(5, 50, 50), 5000, load % 2);
		for (int i = 0; i < load; i++)
			add_request(10000 + i, 60000);
		run_until(14999);
		ck_assert_int_eq(serving(&model.world.census), smaller(load, 5) + 5);
		run_until(50000);
		ck_assert_int_eq(model.peak_workers, load + 5);
	}
}
END_TEST

/* Fifty at once, five seconds to boot, five spare: four rounds, not nine. */
START_TEST(slow_boot_catches_up)
{
	begin_model(dynamic_rule(5, 100, 100), 5000, _i);
	for (int i = 0; i < 50; i++)
		add_request(10000, 60000);
	run_to_the_end();
	ck_assert_int_le(model.longest_wait_ms, 4 * 5000);
}
END_TEST

/* The load stays at the maximum: it is reached, held and never passed. */
START_TEST(overload)
{
	for (int boot = 0; boot < COUNT(boots_ms); boot++) {
		begin_model(dynamic_rule(3, 5, 20), boots_ms[boot], _i);
		for (int i = 0; i < 2000; i++)
			add_request(1000 + i, 200);
		run_to_the_end();
		ck_assert_int_eq(model.peak_workers, 20);
		ck_assert_int_eq(model.starts, 20);
		ck_assert_int_eq(model.retirements, 15);
	}
}
END_TEST

/* After a burst one short request at a time, by turns to all: the burst's workers go. */
START_TEST(burst_then_trickle)
{
	begin_model(dynamic_rule(3, 5, 50), 30, _i);
	for (int i = 0; i < 40; i++)
		add_request(1000, 2000);
	for (int i = 0; i < 300; i++)
		add_request(10000 + 100 * i, 10);
	run_until(5000);
	ck_assert_int_ge(serving(&model.world.census), 40);
	run_until(10000 + 2 * TIMEOUT_MS);
	ck_assert_int_le(serving(&model.world.census), 6);
	run_to_the_end();
}
END_TEST

/* Twenty at once and none, in turns: a tide that is faster than idle_timeout moves nobody. */
START_TEST(flapping)
{
	int starts, retirements;

	for (int boot = 0; boot < COUNT(boots_ms); boot++) {
		begin_model(dynamic_rule(3, 5, 50), boots_ms[boot], _i);
		for (int i = 0; i < 30 * 20; i++)
			add_request(10000 + i / 20 * 9000, 500);
		run_until(10000 + 10 * 9000 - 1);
		starts = model.starts;
		retirements = model.retirements;
		run_until(10000 + 29 * 9000 + 5000);
		ck_assert_int_eq(model.starts, starts);
		ck_assert_int_eq(model.retirements, retirements);
		run_to_the_end();
	}
}
END_TEST

/* A slower tide: each time up once and down once. */
START_TEST(tide)
{
	begin_model(dynamic_rule(3, 5, 50), 2, _i);
	for (int i = 0; i < 10 * 20; i++)
		add_request(10000 + i / 20 * 60000, 20000);
	run_to_the_end();
	ck_assert_int_le(model.peak_workers, 20 + 5);
	ck_assert_int_le(model.starts, 3 + 10 * (20 + 5));
	ck_assert_int_ge(model.starts, 20 + 9 * 15);
}
END_TEST

static double exponential(uint64_t *random, double mean)
{
	double uniform = (double)(test_random(random) >> 11) / (double)(1ull << 53);

	return -mean * log(1 - uniform);
}

/* Arrivals at random, eight busy on average: served at once where boot takes no time, nobody waits
 * for longer than two boot times else, and in the steady state next to nothing moves. */
static void poisson(int64_t boot_ms, bool batch, uint64_t *random)
{
	double at = 10000;
	int moves;

	begin_model(dynamic_rule(5, 15, 100), boot_ms, batch);
	while (at < 190000) {
		add_request((int64_t)at, (int64_t)exponential(random, 400));
		at += exponential(random, 50);
	}
	run_until(70000);
	moves = model.starts + model.retirements;
	run_until(190000);
	moves = model.starts + model.retirements - moves;
	ck_assert_int_le(model.longest_wait_ms, 2 * boot_ms);
	ck_assert_int_le(moves, 12);
	run_to_the_end();
}

START_TEST(poisson_loads)
{
	uint64_t random = test_seed();

	for (int boot = 0; boot < COUNT(boots_ms); boot++)
		poisson(boots_ms[boot], _i, &random);
}
END_TEST

/* Any rule, any boot time, any load: what check_overshoot(), check_plan() and the end demand. */
START_TEST(any_load)
{
	uint64_t random = test_seed();

	for (int run = 0; run < 200; run++) {
		int min_spare = (int)test_random_below(&random, 9) + 1;
		int max_spare = min_spare + (int)test_random_below(&random, 20);
		int max_workers = max_spare + (int)test_random_below(&random, 60);
		struct policy_rule rule = dynamic_rule(min_spare, max_spare, max_workers);
		int64_t at = 0;

		rule.max_spawn_step = (int)test_random_below(&random, 40) + 1;
		rule.spawn_interval_ms = run % 4 ? 0 : (int64_t)test_random_below(&random, 50);
		begin_model(rule, boots_ms[run % COUNT(boots_ms)], run & 16);
		for (int i = 0; i < 300; i++) {
			if (test_random_below(&random, 4) == 0)
				at += (int64_t)test_random_below(&random, i % 50 ? 500 : 30000);
			add_request(at, (int64_t)test_random_below(&random, 3000));
		}
		run_to_the_end();
	}
}
END_TEST

static Suite *policy_models_suite(void)
{
	Suite *suite = suite_create("policy_models");
	TCase *steps = tcase_create("steps");
	TCase *waves = tcase_create("waves");
	TCase *chance = tcase_create("chance");

	tcase_add_loop_test(steps, step_loads, 0, COUNT(bounds));
	tcase_add_test(steps, slow_boot_is_no_storm);
	tcase_add_loop_test(steps, slow_boot_catches_up, 0, 2);
	tcase_add_loop_test(steps, overload, 0, 2);
	suite_add_tcase(suite, steps);
	tcase_add_loop_test(waves, burst_then_trickle, 0, 2);
	tcase_add_loop_test(waves, flapping, 0, 2);
	tcase_add_loop_test(waves, tide, 0, 2);
	suite_add_tcase(suite, waves);
	tcase_add_loop_test(chance, poisson_loads, 0, 2);
	tcase_add_test(chance, any_load);
	suite_add_tcase(suite, chance);
	return suite;
}

int main(void)
{
	return test_main(policy_models_suite());
}
