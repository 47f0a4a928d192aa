/*
 * Every sequence of events in the life of a pool of two workers, up to a depth. Two sequences that
 * lead to the same state have the same future, so only the first of them is followed further. The
 * laws (pool_law.c) are looked at after every event, and from every state the stop must end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "generation.h"
#include "pool_law.h"

#define WORKERS    2
#define DEPTH      6 /* PREFORKD_TEST_DEPTH in the environment: any other */
#define NODES_MAX  200000
#define TABLE_SIZE (1 << 20)

static const char *const kinds[] = {
	"max_workers = 2\nready = scoreboard\nstart_timeout = 3s\n",
	"max_workers = 2\nmin_spare_workers = 1\nmax_spare_workers = 1\nidle_timeout = 2s\n",
	"max_workers = 2\nready = scoreboard\ntimeout = 2s\ntimeout_signal = ABRT\n",
};

enum event {
	EVENT_WAKE, /* time passes until the pool's timer */
	EVENT_IDLE_0,
	EVENT_IDLE_1,
	EVENT_BUSY_0,
	EVENT_BUSY_1,
	EVENT_EXIT_0,
	EVENT_EXIT_1,
	EVENT_GROW,
	EVENT_SHRINK,
	EVENT_DRAIN,
	EVENT_RESUME,
	EVENT_REFUSE, /* the next fork fails */
	EVENT_STOP,
	EVENT_STOP_QUIT,
	EVENT_KILL,
	EVENT_COUNT
};

struct node {
	int before; /* index of the node it comes from; -1: the beginning */
	unsigned char event, depth;
	unsigned may; /* bits of the events that may happen next */
};

static struct search {
	const char *keys;
	unsigned refusal_at; /* the fork that fails; 0: none */
	struct node node[NODES_MAX];
	int count;
	uint64_t seen[TABLE_SIZE];
	unsigned long sequences;
	struct pool_world world;
	struct law law;
} search;

static bool is_refusal_ahead(void)
{
	return search.refusal_at > fake_sys_count(FAKE_FORK);
}

static bool may_say(int slot, char state)
{
	const struct worker *worker = world_worker(&search.world, slot);

	return worker && worker->line[BOARD_STATE_AT] != state;
}

/* Does the event change anything in this state? */
static bool may_happen(enum event event)
{
	const struct pool *pool = search.world.pool;
	const int max_workers = pool_rule(pool).max_workers;

	switch (event) {
	case EVENT_WAKE: return pool->due_at != WORKER_NEVER;
	case EVENT_IDLE_0: return may_say(0, '_');
	case EVENT_IDLE_1: return may_say(1, '_');
	case EVENT_BUSY_0: return may_say(0, 'B');
	case EVENT_BUSY_1: return may_say(1, 'B');
	case EVENT_EXIT_0: return world_pid(&search.world, 0);
	case EVENT_EXIT_1: return world_pid(&search.world, 1);
	case EVENT_GROW: return !pool->stopping && max_workers < WORKERS;
	case EVENT_SHRINK: return !pool->stopping && max_workers > 0;
	case EVENT_DRAIN: return !pool->stopping && (!pool->drained || pool->drained_to > 0);
	case EVENT_RESUME: return !pool->stopping && pool->drained;
	case EVENT_REFUSE: return !pool->stopping && !is_refusal_ahead();
	case EVENT_STOP: return !pool->stopping;
	case EVENT_STOP_QUIT:
	case EVENT_KILL: return pool->stopping;
	case EVENT_COUNT: break;
	}
	return false;
}

static void say(int slot, const char *state)
{
	world_write(&search.world, slot, BOARD_STATE_AT, state);
	law_show(&search.world);
}

static void happen(enum event event)
{
	struct pool *pool = search.world.pool;

	switch (event) {
	case EVENT_WAKE: world_pass(&search.world, pool->due_at - fake_sys_now_ms() + 1); return;
	case EVENT_IDLE_0:
	case EVENT_IDLE_1: say(event - EVENT_IDLE_0, "_"); return;
	case EVENT_BUSY_0:
	case EVENT_BUSY_1: say(event - EVENT_BUSY_0, "B"); return;
	case EVENT_EXIT_0:
	case EVENT_EXIT_1: fake_sys_exit(world_pid(&search.world, event - EVENT_EXIT_0), 1); return;
	case EVENT_GROW: pool_grow(pool, 1, 0); return;
	case EVENT_SHRINK: pool_grow(pool, -1, 0); return;
	case EVENT_DRAIN: pool_drain(pool, 0); return;
	case EVENT_RESUME: pool_resume(pool); return;
	case EVENT_REFUSE:
		search.refusal_at = fake_sys_count(FAKE_FORK) + 1;
		fake_sys_fail(FAKE_FORK, 1, EAGAIN);
		return;
	case EVENT_STOP: law_stop(&search.law, 0); return;
	case EVENT_STOP_QUIT: law_stop(&search.law, SIGQUIT); return;
	case EVENT_KILL: pool_kill_all(pool, fake_sys_now_ms()); return;
	case EVENT_COUNT: return;
	}
}

/* --- states ------------------------------------------------------------------------------- */

static void mix(uint64_t *hash, uint64_t value)
{
	uint64_t state = *hash ^ value;

	*hash = test_random(&state);
}

/* What decides about a worker's future. Of times only what comes next, and in which second. */
static void mix_worker(uint64_t *hash, const struct worker *worker)
{
	int64_t due_at;

	mix(hash, worker->record.state);
	if (!worker_present(worker))
		return;
	mix(hash, worker_next_due(worker->record.state, worker->activity, &worker->times,
			  &worker->generation->limits, &due_at));
	if (due_at != WORKER_NEVER)
		mix(hash, (uint64_t)(due_at - fake_sys_now_ms()) / 1000);
	mix(hash, worker->activity);
	mix(hash, (uint64_t)worker->soft_signal);
	mix(hash, (uint64_t)worker->retire_signal);
	mix(hash, (uint64_t)worker->asked << 3 | (uint64_t)worker->start_failed << 2 |
			  (uint64_t)worker->settled << 1 | worker->times.hung);
	mix(hash, (uint64_t)worker->job_done << 1 | (worker->ready_at != 0));
}

static void mix_backoff(uint64_t *hash, const struct backoff *backoff)
{
	const int64_t left_ms = backoff->until - fake_sys_now_ms();

	mix(hash, backoff->rounds < 3 ? backoff->rounds : 3);
	mix(hash, left_ms > 0 ? 1 + (uint64_t)left_ms / 1000 : 0);
}

static uint64_t state_of(const struct pool *pool)
{
	uint64_t hash = 1;

	/* Which slot is which does not matter. */
	for (int slot = 0; slot < pool->slot_count; slot++) {
		uint64_t worker = 2;

		mix_worker(&worker, pool->slot[slot]);
		hash += worker;
	}
	mix(&hash, is_refusal_ahead());
	mix_backoff(&hash, &pool->failures);
	mix_backoff(&hash, &pool->machine);
	mix(&hash, (uint64_t)(pool->offset + 10));
	mix(&hash, (uint64_t)pool->drained << 8 | (uint64_t)pool->drained_to);
	mix(&hash, (uint64_t)pool->stopping << 1 | (pool->context.shown == SHOWN_NOTHING));
	mix(&hash, (uint64_t)pool->memory.surplus_count << 1 | pool->memory.initial_done);
	mix(&hash, (uint64_t)pool->memory.step.size << 9 | (uint64_t)pool->memory.step.left << 1 |
			   pool->memory.step.came);
	return hash;
}

/* false: seen before. */
static bool remember(uint64_t state)
{
	size_t at = state % TABLE_SIZE;

	while (search.seen[at] && search.seen[at] != state)
		at = (at + 1) % TABLE_SIZE;
	if (search.seen[at])
		return false;
	search.seen[at] = state;
	return true;
}

/* --- the search --------------------------------------------------------------------------- */

static void blame(const char *wrong, int from, enum event last)
{
	char text[DEPTH * 4 + 8] = "";
	int path[DEPTH], length = 0;

	for (; from > 0; from = search.node[from].before)
		path[length++] = search.node[from].event;
	while (length-- > 0)
		snprintf(text + strlen(text), 4, "%d ", path[length]);
	ck_abort_msg("%s\n%safter the events %s%d", wrong, search.keys, text, (int)last);
}

static void go_to(int node)
{
	if (node <= 0)
		return;
	go_to(search.node[node].before);
	happen(search.node[node].event);
	law_note(&search.law);
	world_settle(&search.world);
}

static void begin_world(void)
{
	char keys[300];

	snprintf(
		keys, sizeof(keys), "%scrash_loop = backoff\nstop_timeout = 1500ms\n", search.keys);
	srandom(1);
	search.refusal_at = 0;
	world_begin(&search.world, keys);
	law_begin(&search.law, &search.world);
}

/* The state is new: it becomes a node, and from here the stop must end. */
static const char *add_node(int from, enum event event)
{
	struct node node = {.before = from, .event = (unsigned char)event};

	if (search.count == NODES_MAX)
		ck_abort_msg("too many states");
	if (from >= 0)
		node.depth = search.node[from].depth + 1;
	for (int next = 0; next < EVENT_COUNT; next++)
		node.may |= (unsigned)may_happen((enum event)next) << next;
	search.node[search.count++] = node;
	if (!search.world.pool->stopping)
		law_stop(&search.law, 0);
	return law_look_at_end(&search.law);
}

static void begin_search(const char *keys)
{
	const char *wrong;

	search.keys = keys;
	begin_world();
	remember(state_of(search.world.pool));
	wrong = add_node(-1, EVENT_COUNT);
	if (wrong)
		ck_abort_msg("%s", wrong);
	world_end(&search.world);
}

static void try_event(int from, enum event event)
{
	const char *wrong;

	begin_world();
	go_to(from);
	happen(event);
	search.sequences++;
	wrong = law_look(&search.law);
	if (!wrong && remember(state_of(search.world.pool)))
		wrong = add_node(from, event);
	if (wrong)
		blame(wrong, from, event);
	world_end(&search.world);
}

static int depth_wanted(void)
{
	const char *given = getenv("PREFORKD_TEST_DEPTH");

	if (given)
		return atoi(given);
	if (test_slowness() > 10)
		return 2;
	return test_slowness() > 1 ? DEPTH - 2 : DEPTH;
}

START_TEST(every_sequence)
{
	const int depth = depth_wanted();

	law_without_inotify();
	begin_search(kinds[_i]);
	for (int node = 0; node < search.count && search.node[node].depth < depth; node++)
		for (int event = 0; event < EVENT_COUNT; event++)
			if (search.node[node].may >> event & 1)
				try_event(node, (enum event)event);
	printf("kind %d, depth %d: %d states, %lu sequences\n", _i, depth, search.count,
		search.sequences);
	fflush(stdout);
	ck_assert_int_gt(search.count, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_sequences");
	TCase *sequences = tcase_create("sequences");

	law_in_memory();
	suite_add_tcase(suite, sequences);
	tcase_set_timeout(sequences, 600);
	tcase_add_loop_test(sequences, every_sequence, 0, sizeof(kinds) / sizeof(kinds[0]));
	return test_main(suite);
}
