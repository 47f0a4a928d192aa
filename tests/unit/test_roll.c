/*
 * Replacing one for one: single decisions as a table, what must hold of any decision, and whole
 * rolls of a simulated pool with workers that take their time, fail, and are crashed.
 */
#include <string.h>

#include "roll.h"
#include "test_main.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* --- single decisions ------------------------------------------------------------------------ */

static const struct {
	const char *what;
	struct roll_rule rule;
	struct roll_census census;
	int start, retire, taking;
} decisions[] = {
	{"the first replacement", {.max_workers = 4, .surge = 1}, {.old_ready = 4, .proven = true},
		1, 0, 0},
	{"as many as surge says", {.max_workers = 4, .surge = 3}, {.old_ready = 4, .proven = true},
		3, 0, 0},
	{"no more than there are to be replaced", {.max_workers = 4, .surge = 3},
		{.old_ready = 2, .fresh_ready = 2, .proven = true}, 2, 0, 0},
	{"a single worker", {.max_workers = 1, .surge = 1}, {.old_ready = 1, .proven = true}, 1, 0,
		0},
	{"one on its way is enough", {.max_workers = 4, .surge = 1},
		{.old_ready = 4, .new_starting = 1, .proven = true}, 0, 0, 0},
	{"one for one", {.max_workers = 4, .surge = 1},
		{.old_ready = 4, .new_ready = 1, .proven = true}, 0, 1, 1},
	{"not before the generation is proven", {.max_workers = 4, .surge = 1},
		{.old_ready = 4, .new_ready = 1}, 0, 0, 0},
	{"several at a time", {.max_workers = 4, .surge = 4},
		{.old_ready = 4, .new_ready = 3, .new_starting = 1, .proven = true}, 0, 3, 3},
	{"no more than are left", {.max_workers = 4, .surge = 4},
		{.old_ready = 1, .new_ready = 3, .proven = true}, 0, 1, 1},
	{"those that leave have no place for others yet", {.max_workers = 4, .surge = 1},
		{.old_ready = 3, .fresh_ready = 1, .leaving = 1, .proven = true}, 0, 0, 0},
	{"... but with more surge there is", {.max_workers = 4, .surge = 2},
		{.old_ready = 3, .fresh_ready = 1, .leaving = 1, .proven = true}, 1, 0, 0},
	{"a smaller pool: the first one's place", {.max_workers = 2, .held = 4, .surge = 1},
		{.old_ready = 4, .proven = true}, 1, 0, 0},
	{"a smaller pool: those without a place go", {.max_workers = 2, .held = 4, .surge = 1},
		{.old_ready = 2, .fresh_ready = 2, .proven = true}, 0, 2, 0},
	{"a smaller pool: not while a place is free", {.max_workers = 2, .held = 4, .surge = 1},
		{.old_ready = 3, .fresh_ready = 1, .proven = true}, 1, 0, 0},
	{"a bigger pool: beside those that it lacks", {.max_workers = 6, .surge = 1},
		{.old_ready = 2, .fresh_starting = 4, .proven = true}, 1, 0, 0},
	{"drained", {.max_workers = 0, .surge = 1}, {.old_ready = 2}, 0, 2, 0},
	{"drained, with one in waiting", {.max_workers = 0, .surge = 1},
		{.old_ready = 2, .new_ready = 1}, 0, 2, 1},
	{"nobody to be replaced", {.max_workers = 4, .surge = 2}, {.fresh_ready = 3}, 0, 0, 0},
};

START_TEST(a_decision)
{
	const struct roll_memory memory = {0};
	const struct roll_plan plan =
		roll_decide(&memory, &decisions[_i].rule, &decisions[_i].census, 0, 1000);
	const char *what = decisions[_i].what;

	ck_assert_msg(plan.start == decisions[_i].start, "%s: starts %d", what, plan.start);
	ck_assert_msg(plan.retire == decisions[_i].retire, "%s: retires %d", what, plan.retire);
	ck_assert_msg(plan.taking == decisions[_i].taking, "%s: takes %d", what, plan.taking);
	ck_assert_msg(plan.wake_at == ROLL_NEVER, "%s: wakes", what);
}
END_TEST

START_TEST(a_start_waits_for_the_back_off)
{
	const struct roll_rule rule = {.max_workers = 4, .surge = 2};
	const struct roll_census census = {.old_ready = 4, .proven = true};
	const struct roll_memory memory = {0};
	struct roll_plan plan = roll_decide(&memory, &rule, &census, 5000, 4999);

	ck_assert_int_eq(plan.start, 0);
	ck_assert(plan.wake_at == 5000);
	plan = roll_decide(&memory, &rule, &census, 5000, 5000);
	ck_assert_int_eq(plan.start, 2);
}
END_TEST

START_TEST(starts_are_paced)
{
	const struct roll_rule rule = {.max_workers = 4, .surge = 3, .spawn_interval_ms = 700};
	const struct roll_census census = {.old_ready = 4, .proven = true};
	const struct roll_memory memory = {0};
	struct roll_plan plan = roll_decide(&memory, &rule, &census, 0, 5000);

	ck_assert_int_eq(plan.start, 1);
	ck_assert(plan.wake_at == 5700);
}
END_TEST

START_TEST(retirements_are_paced)
{
	const struct roll_rule rule = {.max_workers = 4, .surge = 3, .spawn_interval_ms = 700};
	const struct roll_census census = {.old_ready = 4, .new_ready = 3, .proven = true};
	struct roll_memory memory = {0};
	struct roll_plan plan = roll_decide(&memory, &rule, &census, 0, 5000);

	ck_assert_int_eq(plan.retire, 1);
	ck_assert_int_eq(plan.taking, 1);
	ck_assert(plan.wake_at == 5700);
	roll_retired(&memory, 5000);
	plan = roll_decide(&memory, &rule, &census, 0, 5699);
	ck_assert_int_eq(plan.retire, 0);
	ck_assert_int_eq(plan.taking, 0);
	ck_assert(plan.wake_at == 5700);
	plan = roll_decide(&memory, &rule, &census, 0, 5700);
	ck_assert_int_eq(plan.retire, 1);
}
END_TEST

START_TEST(replacements_for_nobody)
{
	static const struct {
		struct roll_census census;
		int superfluous;
	} cases[] = {
		{{.old_ready = 2, .new_starting = 1, .new_ready = 1}, 0},
		{{.old_ready = 1, .new_starting = 1, .new_ready = 1}, 1},
		{{.new_starting = 1, .new_ready = 2}, 3},
		{{.old_starting = 4, .new_ready = 2}, 2},
		{{.old_ready = 3}, 0},
	};

	for (int i = 0; i < COUNT(cases); i++)
		ck_assert_int_eq(roll_superfluous(&cases[i].census), cases[i].superfluous);
}
END_TEST

/* --- any decision ------------------------------------------------------------------------------
 */

static int total(const struct roll_census *census)
{
	return census->old_starting + census->old_ready + census->new_starting + census->new_ready +
	       census->fresh_starting + census->fresh_ready + census->leaving;
}

static struct roll_census any_census(uint64_t *random)
{
	return (struct roll_census){
		.old_starting = (int)test_random_below(random, 3),
		.old_ready = (int)test_random_below(random, 12),
		.new_starting = (int)test_random_below(random, 4),
		.new_ready = (int)test_random_below(random, 4),
		.fresh_starting = (int)test_random_below(random, 4),
		.fresh_ready = (int)test_random_below(random, 12),
		.leaving = (int)test_random_below(random, 4),
		.proven = test_random_below(random, 4) != 0,
	};
}

static const char *judge(const struct roll_rule *rule, const struct roll_census *census,
	const struct roll_plan *plan, int64_t now_ms)
{
	const int outstanding = census->new_starting + census->new_ready;
	const int most = larger(rule->max_workers, rule->held) + rule->surge;

	if (plan->start < 0 || plan->retire < 0 || plan->taking < 0)
		return "less than none";
	if (plan->taking > plan->retire || plan->taking > census->new_ready ||
		plan->retire > census->old_ready)
		return "more than there are";
	if (plan->start > 0 && outstanding + plan->start > rule->surge)
		return "more than surge on their way";
	if (plan->start > 0 && total(census) + plan->start > most)
		return "more than there may be";
	if (plan->start > 0 && outstanding + plan->start > census->old_ready)
		return "replacements for nobody";
	if (plan->retire > plan->taking && census->fresh_ready < rule->max_workers)
		return "fewer ready than before";
	if (plan->retire > 0 && !census->proven && rule->max_workers > 0)
		return "for one that is not proven";
	if (plan->wake_at <= now_ms)
		return "wakes at once";
	if (rule->spawn_interval_ms > 0 && (plan->start > 1 || plan->retire > 1))
		return "two at a time";
	return NULL;
}

START_TEST(any_decision)
{
	uint64_t random = test_seed();

	for (int i = 0; i < 300000; i++) {
		const struct roll_rule rule = {
			.max_workers = (int)test_random_below(&random, 12),
			.held = (int)test_random_below(&random, 12),
			.surge = 1 + (int)test_random_below(&random, 4),
			.spawn_interval_ms = (int64_t)test_random_below(&random, 3) * 100,
		};
		const struct roll_memory memory = {.retired = test_random_below(&random, 2),
			.retired_at = 1000 - (int64_t)test_random_below(&random, 300)};
		const struct roll_census census = any_census(&random);
		const struct roll_plan plan = roll_decide(&memory, &rule, &census,
			800 + (int64_t)test_random_below(&random, 400), 1000);
		const char *wrong = judge(&rule, &census, &plan, 1000);

		if (wrong)
			ck_abort_msg("%s: max %d held %d surge %d; old %d+%d new %d+%d fresh %d+%d "
				     "leaving %d: starts %d, retires %d, takes %d",
				wrong, rule.max_workers, rule.held, rule.surge, census.old_starting,
				census.old_ready, census.new_starting, census.new_ready,
				census.fresh_starting, census.fresh_ready, census.leaving,
				plan.start, plan.retire, plan.taking);
	}
}
END_TEST

/* --- whole rolls ----------------------------------------------------------------------------- */

#define WORKERS_MAX 64
#define STEP_MS     50
#define LONGEST_MS  3600000

enum life { GONE, BOOTING, READY, LEAVING };

struct one {
	enum life life;
	bool old, waits; /* for an old one's place */
	int64_t next_at; /* of its life */
	int64_t began_at;
};

/* A static pool that does what policy and roll say. */
static struct pool {
	struct roll_rule rule;
	struct roll_memory memory;
	struct one one[WORKERS_MAX];
	uint64_t random;
	int64_t now_ms, boot_ms, leave_ms, proof_ms;
	bool proven;
	int crash_every; /* a worker crashes in one of so many steps; 0: none does */
	int lost;        /* since the last look */
	int placed;      /* ready and not in waiting, then */
	int most;        /* there at a time */
	int64_t retired_at;
} pool;

static int *count_of(struct roll_census *census, const struct one *one)
{
	if (one->life == LEAVING)
		return &census->leaving;
	if (one->old)
		return one->life == READY ? &census->old_ready : &census->old_starting;
	if (one->waits)
		return one->life == READY ? &census->new_ready : &census->new_starting;
	return one->life == READY ? &census->fresh_ready : &census->fresh_starting;
}

static struct roll_census take_census(void)
{
	struct roll_census census = {.proven = pool.proven};

	for (int i = 0; i < WORKERS_MAX; i++)
		if (pool.one[i].life != GONE)
			++*count_of(&census, &pool.one[i]);
	return census;
}

static struct one *find(enum life life, bool old, bool waits)
{
	for (int i = 0; i < WORKERS_MAX; i++)
		if (pool.one[i].life == life && (life == GONE || pool.one[i].old == old) &&
			(life == GONE || pool.one[i].waits == waits))
			return &pool.one[i];
	return NULL;
}

static void start(int count, bool waits)
{
	while (count-- > 0)
		*find(GONE, false, false) = (struct one){.life = BOOTING,
			.waits = waits,
			.began_at = pool.now_ms,
			.next_at = pool.now_ms + pool.boot_ms};
}

static void live(struct one *one)
{
	if (one->life == GONE || one->next_at > pool.now_ms)
		return;
	if (one->life == LEAVING)
		one->life = GONE;
	if (one->life == BOOTING)
		one->life = READY;
	one->next_at = INT64_MAX;
}

static void prove(const struct one *one)
{
	if (one->life == READY && !one->old && pool.now_ms - one->began_at >= pool.proof_ms)
		pool.proven = true;
}

static void crash_one(void)
{
	struct one *one = &pool.one[test_random_below(&pool.random, WORKERS_MAX)];

	if (!pool.crash_every || test_random_below(&pool.random, (uint64_t)pool.crash_every))
		return;
	if (one->life == BOOTING || one->life == READY) {
		pool.lost += one->life == READY && !one->waits;
		one->life = GONE;
	}
}

static void retire(const struct roll_plan *plan)
{
	for (int i = 0; i < plan->retire; i++) {
		struct one *one = find(READY, true, false);

		if (i < plan->taking)
			find(READY, false, true)->waits = false;
		one->life = LEAVING;
		one->next_at = pool.now_ms + pool.leave_ms;
		if (pool.rule.spawn_interval_ms > 0 && pool.retired_at > 0 &&
			pool.now_ms - pool.retired_at < pool.rule.spawn_interval_ms)
			ck_abort_msg("two retirements too soon after one another");
		pool.retired_at = pool.now_ms;
		roll_retired(&pool.memory, pool.now_ms);
	}
}

static void settle(void)
{
	struct roll_census census = take_census();
	struct one *one;
	int superfluous = roll_superfluous(&census);

	while (superfluous-- > 0) {
		one = find(READY, false, true);
		if (!one)
			one = find(BOOTING, false, true);
		one->waits = false;
	}
	while ((one = find(BOOTING, true, false))) {
		one->life = LEAVING;
		one->next_at = pool.now_ms + pool.leave_ms;
	}
}

/* The spare rule of a static pool: those in waiting are not counted. */
static void fill_up(void)
{
	const struct roll_census census = take_census();
	const int serving =
		census.old_starting + census.old_ready + census.fresh_starting + census.fresh_ready;
	const int lacking = pool.rule.max_workers - serving - census.leaving;

	if (lacking > 0)
		start(lacking, false);
}

static void look(void)
{
	const struct roll_census census = take_census();
	const int placed = census.old_ready + census.fresh_ready;
	const int expected = smaller(pool.placed, pool.rule.max_workers) - pool.lost;

	if (placed < expected)
		ck_abort_msg("%d ready, and %d before", placed, pool.placed);
	pool.placed = placed;
	pool.lost = 0;
	pool.most = larger(pool.most, total(&census));
}

static void step(void)
{
	struct roll_census census;
	struct roll_plan plan;

	pool.now_ms += STEP_MS;
	for (int i = 0; i < WORKERS_MAX; i++) {
		live(&pool.one[i]);
		prove(&pool.one[i]);
	}
	crash_one();
	settle();
	fill_up();
	census = take_census();
	plan = roll_decide(&pool.memory, &pool.rule, &census, 0, pool.now_ms);
	retire(&plan);
	start(plan.start, true);
	look();
}

static bool is_done(void)
{
	const struct roll_census census = take_census();

	return census.old_starting + census.old_ready + census.leaving == 0 &&
	       census.fresh_ready == pool.rule.max_workers;
}

static void roll_to(int max_workers)
{
	pool.rule.held = 0;
	for (int i = 0; i < WORKERS_MAX; i++) {
		pool.one[i].waits = false;
		pool.one[i].old = pool.one[i].life != GONE;
		pool.rule.held += pool.one[i].life == READY || pool.one[i].life == BOOTING;
	}
	pool.rule.max_workers = max_workers;
	pool.proven = false;
	pool.most = 0;
	pool.crash_every = 0;
}

static void run_until_done(const char *what)
{
	const int64_t begun_at = pool.now_ms;
	const int most = larger(pool.rule.max_workers, pool.rule.held) + pool.rule.surge;

	while (!is_done()) {
		step();
		if (pool.now_ms - begun_at > LONGEST_MS)
			ck_abort_msg("%s: the roll does not end", what);
		if (pool.most > most)
			ck_abort_msg("%s: %d workers where %d may be", what, pool.most, most);
		if (pool.now_ms - begun_at > LONGEST_MS / 4)
			pool.crash_every = 0;
	}
}

static void begin(int max_workers, int surge, int64_t spawn_interval_ms, uint64_t random)
{
	pool = (struct pool){
		.rule = {.max_workers = max_workers,
			.surge = surge,
			.spawn_interval_ms = spawn_interval_ms},
		.now_ms = 1000,
		.boot_ms = 200,
		.leave_ms = 100,
		.proof_ms = 1000,
		.random = random,
	};
	run_until_done("the beginning");
}

START_TEST(a_whole_roll)
{
	static const struct {
		int from, to, surge;
		int64_t interval_ms;
	} cases[] = {{1, 1, 1, 0}, {8, 8, 1, 0}, {8, 8, 3, 0}, {8, 8, 20, 0}, {8, 2, 1, 0},
		{2, 8, 1, 0}, {8, 8, 1, 3000}, {8, 3, 2, 500}, {3, 8, 2, 500}, {0, 3, 1, 0},
		{3, 0, 1, 0}, {3, 0, 1, 500}};

	begin(cases[_i].from, cases[_i].surge, cases[_i].interval_ms, 1);
	roll_to(cases[_i].to);
	run_until_done("the roll");
	ck_assert_int_eq(pool.placed, cases[_i].to);
}
END_TEST

/* spawn_interval is between two retirements: so many workers, so many intervals less one. */
START_TEST(a_slow_restart_takes_its_time)
{
	int64_t begun_at;

	begin(5, 1, 3000, 1);
	begun_at = pool.now_ms;
	roll_to(5);
	run_until_done("the roll");
	ck_assert_int_ge(pool.now_ms - begun_at, 4 * 3000);
	ck_assert_int_le(pool.now_ms - begun_at, 5 * 3000 + 2000);
}
END_TEST

START_TEST(any_roll)
{
	uint64_t random = test_seed();

	for (unsigned i = 0; i < 400 / test_slowness() + 5; i++) {
		begin((int)test_random_below(&random, 12), 1 + (int)test_random_below(&random, 5),
			(int64_t)test_random_below(&random, 3) * 400, random);
		pool.boot_ms = (int64_t)test_random_below(&random, 3000);
		pool.leave_ms = (int64_t)test_random_below(&random, 3000);
		for (int roll = 0; roll < 3; roll++) {
			roll_to((int)test_random_below(&random, 12));
			pool.crash_every = (int)test_random_below(&random, 3) * 20;
			run_until_done("any roll");
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("roll");
	TCase *decision = tcase_create("decision"), *whole = tcase_create("whole");

	suite_add_tcase(suite, decision);
	tcase_add_loop_test(decision, a_decision, 0, COUNT(decisions));
	tcase_add_test(decision, a_start_waits_for_the_back_off);
	tcase_add_test(decision, starts_are_paced);
	tcase_add_test(decision, retirements_are_paced);
	tcase_add_test(decision, replacements_for_nobody);
	tcase_add_test(decision, any_decision);
	suite_add_tcase(suite, whole);
	tcase_set_timeout(whole, 120);
	tcase_add_loop_test(whole, a_whole_roll, 0, 12);
	tcase_add_test(whole, a_slow_restart_takes_its_time);
	tcase_add_test(whole, any_roll);
	return test_main(suite);
}
