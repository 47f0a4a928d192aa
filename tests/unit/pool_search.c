/*
 * The search for what a sequence of events can do to a pool (pool_search.h). A world cannot be
 * copied: to go on from a state, the events that led to it are repeated in a new world.
 */
#include "pool_search.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "generation.h"
#include "pool_law.h"
#include "pool_roll.h"

#define WORKERS     2 /* TTIN goes no further */
#define SLOTS       3
#define DEPTH_MAX   20
#define GENERATIONS 3
#define KEYS_BYTES  300
#define NODES_MAX   200000
#define TABLE_SIZE  (1 << 20)

enum event {
	EVENT_WAKE, /* time passes until the pool's timer */
	EVENT_IDLE, /* ... and its followers: of the worker in slot 0, 1, 2 */
	EVENT_BUSY = EVENT_IDLE + SLOTS,
	EVENT_EXIT = EVENT_BUSY + SLOTS,
	EVENT_READY = EVENT_EXIT + SLOTS,
	EVENT_LEAVING = EVENT_READY + SLOTS,
	EVENT_RECYCLE = EVENT_LEAVING + SLOTS,
	EVENT_ROLL = EVENT_RECYCLE + SLOTS,
	EVENT_ROLL_BACK,
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

static enum event kind_of(enum event event)
{
	return event - (event - EVENT_IDLE) % SLOTS;
}

static int slot_of(enum event event)
{
	return (int)(event - EVENT_IDLE) % SLOTS;
}

struct node {
	int before; /* index of the node it comes from; -1: the beginning */
	unsigned char event, depth;
	unsigned may; /* bits of the events that may happen next */
};

static struct search {
	const struct search_kind *kind;
	unsigned refusal_at; /* the fork that fails; 0: none */
	struct node node[NODES_MAX];
	int count;
	uint64_t seen[TABLE_SIZE];
	unsigned long sequences;
	struct pool_world world;
	struct law law;
} search;

static void make_keys(char keys[KEYS_BYTES], const char *of_kind)
{
	snprintf(keys, KEYS_BYTES, "%scrash_loop = backoff\nstop_timeout = 1500ms\n", of_kind);
}

static bool is_refusal_ahead(void)
{
	return search.refusal_at > fake_sys_count(FAKE_FORK);
}

static bool may_say(const struct worker *worker, char state)
{
	return worker && worker->line[BOARD_STATE_AT] != state;
}

/* Does the event of this worker change anything? */
static bool may_happen_to(const struct worker *worker, enum event event)
{
	const bool serves = worker && worker->record.state <= WORKER_READY;

	switch (event) {
	case EVENT_IDLE: return may_say(worker, '_');
	case EVENT_BUSY: return !search.kind->unasked && may_say(worker, 'B');
	case EVENT_EXIT: return worker;
	case EVENT_READY:
		return search.kind->notifies && worker && worker->record.state == WORKER_STARTING;
	case EVENT_LEAVING: return search.kind->notifies && serves && !worker->leaving;
	case EVENT_RECYCLE:
		return search.kind->rolls && serves && worker->recycle == RECYCLE_NOT &&
		       !search.world.pool->stopping;
	default: return false;
	}
}

static bool may_roll(void)
{
	return search.kind->rolls && search.world.roll != ROLL_ON &&
	       search.world.pool->last_generation < GENERATIONS;
}

/* Does the event change anything in this state? */
static bool may_happen(enum event event)
{
	const struct pool *pool = search.world.pool;
	const int max_workers = pool_rule(pool).max_workers;

	if (event >= EVENT_IDLE && event < EVENT_ROLL)
		return may_happen_to(world_worker(&search.world, slot_of(event)), kind_of(event));
	if (pool->stopping)
		return event == EVENT_STOP_QUIT || event == EVENT_KILL ||
		       (event == EVENT_WAKE && pool->due_at != WORKER_NEVER);
	if (search.kind->unasked && event >= EVENT_GROW && event <= EVENT_RESUME)
		return false;
	switch (event) {
	case EVENT_WAKE: return pool->due_at != WORKER_NEVER;
	case EVENT_ROLL: return may_roll();
	case EVENT_ROLL_BACK: return search.world.roll == ROLL_ON;
	case EVENT_GROW: return max_workers < WORKERS;
	case EVENT_SHRINK: return max_workers > 0;
	case EVENT_DRAIN: return !pool->drained || pool->drained_to > 0;
	case EVENT_RESUME: return pool->drained;
	case EVENT_REFUSE: return !is_refusal_ahead();
	case EVENT_STOP: return true;
	default: return false;
	}
}

static void happen_to(int slot, enum event event)
{
	struct pool_world *world = &search.world;

	switch (event) {
	case EVENT_IDLE:
	case EVENT_BUSY:
		world_write(world, slot, BOARD_STATE_AT, event == EVENT_IDLE ? "_" : "B");
		law_show(world);
		return;
	case EVENT_EXIT: fake_sys_exit(world_pid(world, slot), 1); return;
	case EVENT_READY: world_notify(world, slot, "READY=1"); return;
	case EVENT_LEAVING: world_notify(world, slot, "STOPPING=1"); return;
	case EVENT_RECYCLE: pool_restart_worker(world->pool, slot); return;
	default: return;
	}
}

/* There and back. */
static void roll(void)
{
	const struct search_kind *kind = search.kind;
	char keys[KEYS_BYTES];

	if (!kind->to) {
		world_roll(&search.world, NULL);
		return;
	}
	make_keys(keys, kind->to);
	if (strcmp(search.world.keys, keys) == 0)
		make_keys(keys, kind->keys);
	world_roll(&search.world, keys);
}

static void happen(enum event event)
{
	struct pool *pool = search.world.pool;

	if (event >= EVENT_IDLE && event < EVENT_ROLL) {
		happen_to(slot_of(event), kind_of(event));
		return;
	}
	switch (event) {
	case EVENT_WAKE: world_pass(&search.world, pool->due_at - fake_sys_now_ms() + 1); return;
	case EVENT_ROLL: roll(); return;
	case EVENT_ROLL_BACK: world_roll_back(&search.world); return;
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
	default: return;
	}
}

/* --- states ------------------------------------------------------------------------------- */

static void mix(uint64_t *hash, uint64_t value)
{
	uint64_t state = *hash ^ value;

	*hash = test_random(&state);
}

static uint64_t seconds_to(int64_t at_ms)
{
	const int64_t left_ms = at_ms - fake_sys_now_ms();

	return left_ms > 0 ? 1 + (uint64_t)left_ms / 1000 : 0;
}

/* Which generation it is does not matter, but what it is to the pool. */
static void mix_generation(uint64_t *hash, const struct generation *generation)
{
	const struct pool *pool = search.world.pool;

	if (!generation)
		return;
	mix(hash, (uint64_t)(generation == pool->current) << 4 |
			  (uint64_t)(generation == pool->roll.from) << 3 |
			  (uint64_t)(generation->beside == pool->current->number) << 2 |
			  (uint64_t)generation->proven << 1);
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
	mix(hash, (uint64_t)worker->recycle << 2 | (uint64_t)worker->replacement << 1 |
			  worker->leaving);
	mix_generation(hash, worker->generation);
	if (!worker->settled && search.kind->rolls)
		mix(hash, seconds_to(worker->times.started_at +
				     worker->generation->limits.min_uptime_ms));
}

static void mix_backoff(uint64_t *hash, const struct backoff *backoff)
{
	mix(hash, backoff->rounds < 3 ? backoff->rounds : 3);
	mix(hash, seconds_to(backoff->until));
}

static void mix_roll(uint64_t *hash, const struct pool *pool)
{
	const struct pool_roll *roll = &pool->roll;

	if (!search.kind->rolls)
		return;
	mix(hash, pool->last_generation);
	mix(hash, search.world.roll << 2 | (uint64_t)roll->on << 1 | roll->counts);
	mix(hash, (uint64_t)roll->held << 16 | (uint64_t)roll->failures << 8 |
			  (uint64_t)(roll->from_offset + 10));
	mix_generation(hash, pool->current);
	mix_generation(hash, roll->from);
	if (pool->settings->spawn_interval_ms > 0)
		mix(hash,
			seconds_to(pool->replaced.retired_at + pool->settings->spawn_interval_ms));
	mix(hash, (uint64_t)pool->settings->max_workers);
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
	mix_roll(&hash, pool);
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
	char text[DEPTH_MAX * 4 + 8] = "";
	int path[DEPTH_MAX], length = 0;

	for (; from > 0; from = search.node[from].before)
		path[length++] = search.node[from].event;
	while (length-- > 0)
		snprintf(text + strlen(text), 4, "%d ", path[length]);
	ck_abort_msg("%s\n%safter the events %s%d", wrong, search.kind->keys, text, (int)last);
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
	char keys[KEYS_BYTES];

	make_keys(keys, search.kind->keys);
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

static void begin_search(const struct search_kind *kind)
{
	const char *wrong;

	search.kind = kind;
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

static int depth_wanted(const struct search_kind *kind)
{
	const char *given = getenv("PREFORKD_TEST_DEPTH");

	if (given)
		return atoi(given);
	if (getenv("PREFORKD_TEST_LONG"))
		return kind->depth + 2;
	if (test_slowness() > 10)
		return 2;
	return test_slowness() > 1 ? kind->depth - 2 : kind->depth;
}

void search_pool(const struct search_kind *kind)
{
	const int depth = depth_wanted(kind);

	law_without_inotify();
	begin_search(kind);
	for (int node = 0; node < search.count && search.node[node].depth < depth; node++)
		for (int event = 0; event < EVENT_COUNT; event++)
			if (search.node[node].may >> event & 1)
				try_event(node, (enum event)event);
	printf("depth %d: %d states, %lu sequences\n", depth, search.count, search.sequences);
	fflush(stdout);
	ck_assert_int_gt(search.count, 20);
}
