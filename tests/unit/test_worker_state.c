/*
 * A worker's life: every state with every event, every sequence of events, how each is counted, and
 * what is due when.
 */
#include <string.h>

#include "test_main.h"
#include "worker_state.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define DEPTH        8
#define SAYS_NO      (-1)

enum {
	EMPTY = WORKER_EMPTY,
	STARTING = WORKER_STARTING,
	READY = WORKER_READY,
	RETIRING = WORKER_RETIRING,
	STOPPING = WORKER_STOPPING,
	KILLED = WORKER_KILLED,
	NO = SAYS_NO,
};

/* Written down a second time, by event, so that a slip in either table shows. */
static const struct event_case {
	enum worker_event event;
	int from_empty, from_starting, from_ready, from_retiring, from_stopping, from_killed;
} event_cases[] = {
	{WORKER_EVENT_SPAWNED, STARTING, NO, NO, NO, NO, NO},
	{WORKER_EVENT_GOT_READY, NO, READY, READY, RETIRING, STOPPING, KILLED},
	{WORKER_EVENT_ASKED_TO_RETIRE, NO, RETIRING, RETIRING, RETIRING, STOPPING, KILLED},
	{WORKER_EVENT_SIGNALLED, NO, STOPPING, STOPPING, STOPPING, STOPPING, KILLED},
	{WORKER_EVENT_KILL_SENT, NO, KILLED, KILLED, KILLED, KILLED, KILLED},
	{WORKER_EVENT_REAPED, NO, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY},
};

START_TEST(every_event_in_every_state)
{
	const struct event_case *c = &event_cases[_i];
	const int next[] = {c->from_empty, c->from_starting, c->from_ready, c->from_retiring,
		c->from_stopping, c->from_killed};

	ck_assert_int_eq(c->event, _i);
	ck_assert_int_eq(COUNT(event_cases), WORKER_EVENT_COUNT);
	ck_assert_int_eq(COUNT(next), WORKER_STATE_COUNT);
	for (int state = 0; state < WORKER_STATE_COUNT; state++)
		ck_assert_msg(worker_state_next((enum worker_state)state, c->event) == next[state],
			"%s, %s", worker_state_name((enum worker_state)state),
			worker_event_name(c->event));
}
END_TEST

/* How far a worker is on its way out; it never comes back on that. */
static int progress(enum worker_state state)
{
	switch (state) {
	case WORKER_EMPTY: return 0;
	case WORKER_STARTING: return 1;
	case WORKER_READY: return 2;
	case WORKER_RETIRING: return 3;
	case WORKER_STOPPING: return 4;
	case WORKER_KILLED: return 5;
	case WORKER_STATE_COUNT: break;
	}
	return SAYS_NO;
}

struct life {
	enum worker_state state;
	int born, reaped;
	int entered[WORKER_STATE_COUNT]; /* since it was born */
};

/* Nobody is born or reaped twice, no state is entered twice in one life, and none goes back. */
static const char *fault_in_life(const struct life *before, const struct life *after)
{
	if (after->born - after->reaped != (after->state == WORKER_EMPTY ? 0 : 1))
		return "born or reaped twice";
	if (after->state != WORKER_EMPTY && progress(after->state) < progress(before->state))
		return "goes back";
	for (int state = 0; state < WORKER_STATE_COUNT; state++)
		if (after->entered[state] > 1)
			return "enters a state twice";
	return NULL;
}

static void each_sequence(const struct life *before, int depth)
{
	const char *fault;

	if (depth == 0)
		return;
	for (int event = 0; event < WORKER_EVENT_COUNT; event++) {
		struct life after = *before;
		int next = worker_state_next(before->state, (enum worker_event)event);

		if (next == SAYS_NO)
			continue;
		if (event == WORKER_EVENT_SPAWNED)
			memset(after.entered, 0, sizeof(after.entered));
		after.born += event == WORKER_EVENT_SPAWNED;
		after.reaped += event == WORKER_EVENT_REAPED;
		after.state = (enum worker_state)next;
		if (after.state != before->state)
			after.entered[after.state]++;
		fault = fault_in_life(before, &after);
		if (fault)
			ck_abort_msg("%s, %s: %s", worker_state_name(before->state),
				worker_event_name((enum worker_event)event), fault);
		each_sequence(&after, depth - 1);
	}
}

START_TEST(every_sequence_of_events)
{
	const struct life unborn = {.state = WORKER_EMPTY};

	each_sequence(&unborn, DEPTH);
}
END_TEST

/* From everywhere the way out is open: KILL, then reaped. */
START_TEST(every_life_can_end)
{
	for (int state = WORKER_STARTING; state < WORKER_STATE_COUNT; state++) {
		int next = worker_state_next((enum worker_state)state, WORKER_EVENT_KILL_SENT);

		ck_assert_int_eq(next, WORKER_KILLED);
		ck_assert_int_eq(worker_state_next((enum worker_state)next, WORKER_EVENT_REAPED),
			WORKER_EMPTY);
	}
}
END_TEST

START_TEST(names)
{
	for (int a = 0; a < WORKER_STATE_COUNT; a++) {
		ck_assert_uint_gt(strlen(worker_state_name((enum worker_state)a)), 0);
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(worker_state_name((enum worker_state)a),
				worker_state_name((enum worker_state)b));
	}
	for (int a = 0; a < WORKER_EVENT_COUNT; a++)
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(worker_event_name((enum worker_event)a),
				worker_event_name((enum worker_event)b));
	ck_assert_str_eq(worker_state_name(WORKER_EMPTY), "empty");
	ck_assert_str_eq(worker_state_name(WORKER_KILLED), "killed");
	ck_assert_str_eq(worker_event_name(WORKER_EVENT_SPAWNED), "spawned");
	ck_assert_str_eq(worker_event_name(WORKER_EVENT_REAPED), "reaped");
}
END_TEST

static const struct class_case {
	enum worker_state state;
	enum worker_class silent, idle, busy; /* by what the worker says */
} class_cases[] = {
	{WORKER_EMPTY, CLASS_EMPTY, CLASS_EMPTY, CLASS_EMPTY}, /* the board of an empty slot lies */
	{WORKER_STARTING, CLASS_STARTING, CLASS_IDLE, CLASS_BUSY},
	{WORKER_READY, CLASS_UNKNOWN, CLASS_IDLE, CLASS_BUSY},
	{WORKER_RETIRING, CLASS_LEAVING, CLASS_LEAVING, CLASS_LEAVING},
	{WORKER_STOPPING, CLASS_LEAVING, CLASS_LEAVING, CLASS_LEAVING},
	{WORKER_KILLED, CLASS_LEAVING, CLASS_LEAVING, CLASS_LEAVING},
};

START_TEST(classes)
{
	const struct class_case *c = &class_cases[_i];

	ck_assert_int_eq(COUNT(class_cases), WORKER_STATE_COUNT);
	ck_assert_int_eq(worker_classify(c->state, ACTIVITY_NONE), c->silent);
	ck_assert_int_eq(worker_classify(c->state, ACTIVITY_IDLE), c->idle);
	ck_assert_int_eq(worker_classify(c->state, ACTIVITY_BUSY), c->busy);
}
END_TEST

/* All different, so that a mix-up shows. */
static const struct worker_times times = {
	.started_at = 1000000,
	.sign_at = 2000000,
	.job_at = 3000000,
	.retired_at = 4000000,
	.signalled_at = 5000000,
	.killed_at = 6000000,
};

#define FOREVER WORKER_NEVER

static const struct due_case {
	const char *name;
	enum worker_state state;
	enum worker_activity activity;
	/* ready_when_alive, min_uptime, start_timeout, timeout, request_timeout, stop_timeout */
	struct worker_limits limits;
	enum worker_due due;
	int64_t at;
} due_cases[] = {
	{"empty", WORKER_EMPTY, ACTIVITY_BUSY, {true, 1, 2, 3, 4, 5}, DUE_NOTHING, FOREVER},

	{"alive is ready", WORKER_STARTING, ACTIVITY_NONE, {true, 1000, 60000, 0, 0, 30000},
		DUE_READY, 1001000},
	{"alive, whatever it says", WORKER_STARTING, ACTIVITY_BUSY,
		{true, 1000, 60000, 1, 1, 30000}, DUE_READY, 1001000},
	{"alive later than start_timeout", WORKER_STARTING, ACTIVITY_NONE,
		{true, 90000, 60000, 0, 0, 30000}, DUE_START_TIMEOUT, 1060000},
	{"both at once: it is ready", WORKER_STARTING, ACTIVITY_NONE,
		{true, 60000, 60000, 0, 0, 30000}, DUE_READY, 1060000},
	{"has to say ready", WORKER_STARTING, ACTIVITY_NONE, {false, 1000, 60000, 0, 0, 30000},
		DUE_START_TIMEOUT, 1060000},
	{"alive at once", WORKER_STARTING, ACTIVITY_NONE, {true, 0, 60000, 0, 0, 30000}, DUE_READY,
		1000000},
	{"no limit to a start", WORKER_STARTING, ACTIVITY_NONE, {false, 1000, 0, 0, 0, 30000},
		DUE_NOTHING, FOREVER},
	{"an endless min_uptime", WORKER_STARTING, ACTIVITY_NONE, {true, FOREVER, 60000, 0, 0, 1},
		DUE_START_TIMEOUT, 1060000},
	{"all endless", WORKER_STARTING, ACTIVITY_NONE, {true, FOREVER, FOREVER, 0, 0, 1},
		DUE_NOTHING, FOREVER},

	{"ready, no limits", WORKER_READY, ACTIVITY_BUSY, {true, 1, 1, 0, 0, 1}, DUE_NOTHING,
		FOREVER},
	{"heartbeat", WORKER_READY, ACTIVITY_NONE, {false, 1, 1, 500, 0, 1}, DUE_HEARTBEAT,
		2000500},
	{"heartbeat while idle", WORKER_READY, ACTIVITY_IDLE, {false, 1, 1, 500, 700, 1},
		DUE_HEARTBEAT, 2000500},
	{"a long job", WORKER_READY, ACTIVITY_BUSY, {false, 1, 1, 0, 700, 1}, DUE_REQUEST, 3000700},
	{"no job while idle", WORKER_READY, ACTIVITY_IDLE, {false, 1, 1, 0, 700, 1}, DUE_NOTHING,
		FOREVER},
	{"no job while unknown", WORKER_READY, ACTIVITY_NONE, {false, 1, 1, 0, 700, 1}, DUE_NOTHING,
		FOREVER},
	{"heartbeat before a long job", WORKER_READY, ACTIVITY_BUSY, {false, 1, 1, 500, 700, 1},
		DUE_HEARTBEAT, 2000500},
	{"a long job before heartbeat", WORKER_READY, ACTIVITY_BUSY, {false, 1, 1, 2000000, 700, 1},
		DUE_REQUEST, 3000700},
	{"both endless", WORKER_READY, ACTIVITY_BUSY, {false, 1, 1, FOREVER, FOREVER, 1},
		DUE_NOTHING, FOREVER},

	{"retiring, still busy", WORKER_RETIRING, ACTIVITY_BUSY, {true, 1, 1, 0, 0, 30000},
		DUE_SIGNAL, 4030000},
	{"retiring and hung", WORKER_RETIRING, ACTIVITY_BUSY, {false, 1, 1, 500, 0, 30000},
		DUE_HEARTBEAT, 2000500},
	{"retiring with a long job", WORKER_RETIRING, ACTIVITY_BUSY,
		{false, 1, 1, 0, 1000000, 30000}, DUE_REQUEST, 4000000},
	{"retiring, a longer one", WORKER_RETIRING, ACTIVITY_BUSY, {false, 1, 1, 0, 1030001, 30000},
		DUE_SIGNAL, 4030000},
	{"retiring, no patience", WORKER_RETIRING, ACTIVITY_BUSY, {false, 1, 1, 0, 0, 0},
		DUE_SIGNAL, 4000000},
	{"retiring, endless patience", WORKER_RETIRING, ACTIVITY_BUSY, {false, 1, 1, 0, 0, FOREVER},
		DUE_NOTHING, FOREVER},

	{"stopping", WORKER_STOPPING, ACTIVITY_BUSY, {true, 1, 1, 1, 1, 30000}, DUE_KILL, 5030000},
	{"stopping, no patience", WORKER_STOPPING, ACTIVITY_IDLE, {true, 1, 1, 1, 1, 0}, DUE_KILL,
		5000000},
	{"stopping, endless patience", WORKER_STOPPING, ACTIVITY_IDLE, {true, 1, 1, 1, 1, FOREVER},
		DUE_NOTHING, FOREVER},

	{"killed", WORKER_KILLED, ACTIVITY_BUSY, {true, 1, 1, 1, 1, 1}, DUE_UNKILLABLE,
		6000000 + WORKER_UNKILLABLE_MS},
};

START_TEST(due)
{
	const struct due_case *c = &due_cases[_i];
	enum worker_due what;
	int64_t at = 42;

	what = worker_next_due(c->state, c->activity, &times, &c->limits, &at);
	ck_assert_msg(what == c->due, "%s: due %d", c->name, what);
	ck_assert_msg(at == c->at, "%s: at %lld", c->name, (long long)at);
}
END_TEST

static const struct worker_limits usual = {
	.min_uptime_ms = 1000,
	.start_timeout_ms = 60000,
	.request_timeout_ms = 5000,
	.stop_timeout_ms = 30000,
};

START_TEST(long_job_is_said_once)
{
	struct worker_times said = times;
	int64_t at;

	said.job_warned = true;
	ck_assert_int_eq(
		worker_next_due(WORKER_READY, ACTIVITY_BUSY, &said, &usual, &at), DUE_NOTHING);
	ck_assert_int_eq(at, WORKER_NEVER);
	ck_assert_int_eq(
		worker_next_due(WORKER_RETIRING, ACTIVITY_BUSY, &said, &usual, &at), DUE_SIGNAL);
}
END_TEST

START_TEST(hung_worker_gets_a_second)
{
	struct worker_times hung = times;
	int64_t at;

	hung.hung = true;
	ck_assert_int_eq(
		worker_next_due(WORKER_STOPPING, ACTIVITY_BUSY, &hung, &usual, &at), DUE_KILL);
	ck_assert_int_eq(at, times.signalled_at + WORKER_HUNG_KILL_MS);
}
END_TEST

START_TEST(unkillable_is_said_once)
{
	struct worker_times said = times;
	int64_t at;

	said.kill_warned = true;
	ck_assert_int_eq(
		worker_next_due(WORKER_KILLED, ACTIVITY_BUSY, &said, &usual, &at), DUE_NOTHING);
	ck_assert_int_eq(at, WORKER_NEVER);
}
END_TEST

static int64_t random_time(uint64_t *random, int64_t below)
{
	switch (test_random_below(random, 8)) {
	case 0: return 0;
	case 1: return WORKER_NEVER;
	default: return (int64_t)test_random_below(random, (uint64_t)below);
	}
}

/* What may be due in a state at all. */
static bool fits(enum worker_state state, enum worker_due what)
{
	switch (what) {
	case DUE_NOTHING: return true;
	case DUE_READY:
	case DUE_START_TIMEOUT: return state == WORKER_STARTING;
	case DUE_HEARTBEAT:
	case DUE_EXPIRED:
	case DUE_REQUEST: return state == WORKER_READY || state == WORKER_RETIRING;
	case DUE_SIGNAL: return state == WORKER_RETIRING;
	case DUE_KILL: return state == WORKER_STOPPING;
	case DUE_UNKILLABLE: return state == WORKER_KILLED;
	}
	return false;
}

/* Whatever the limits: a time exactly when something is due, nothing that does not fit, and one
 * that is on its way out always has an end when the limits do. */
START_TEST(random_deadlines)
{
	uint64_t random = test_seed();

	for (int i = 0; i < 200000; i++) {
		enum worker_state state =
			(enum worker_state)test_random_below(&random, WORKER_STATE_COUNT);
		enum worker_activity activity = (enum worker_activity)test_random_below(&random, 3);
		struct worker_limits limits = {
			.ready_when_alive = test_random_below(&random, 2),
			.min_uptime_ms = random_time(&random, 9000),
			.start_timeout_ms = random_time(&random, 9000),
			.timeout_ms = random_time(&random, 4000000),
			.request_timeout_ms = random_time(&random, 4000000),
			.stop_timeout_ms = random_time(&random, 9000),
		};
		int64_t at = 42;
		enum worker_due what = worker_next_due(state, activity, &times, &limits, &at);
		bool leaving = state >= WORKER_RETIRING && limits.stop_timeout_ms != WORKER_NEVER;

		if ((what == DUE_NOTHING) != (at == WORKER_NEVER) || at < times.started_at)
			ck_abort_msg("state %d: due %d at %lld", state, what, (long long)at);
		if (!fits(state, what) || (leaving && what == DUE_NOTHING))
			ck_abort_msg("state %d: due %d", state, what);
	}
}
END_TEST

static Suite *worker_state_suite(void)
{
	Suite *suite = suite_create("worker_state");
	TCase *states = tcase_create("states");
	TCase *deadlines = tcase_create("deadlines");

	tcase_add_loop_test(states, every_event_in_every_state, 0, COUNT(event_cases));
	tcase_add_test(states, every_sequence_of_events);
	tcase_add_test(states, every_life_can_end);
	tcase_add_test(states, names);
	tcase_add_loop_test(states, classes, 0, COUNT(class_cases));
	suite_add_tcase(suite, states);
	tcase_add_loop_test(deadlines, due, 0, COUNT(due_cases));
	tcase_add_test(deadlines, long_job_is_said_once);
	tcase_add_test(deadlines, hung_worker_gets_a_second);
	tcase_add_test(deadlines, unkillable_is_said_once);
	tcase_add_test(deadlines, random_deadlines);
	suite_add_tcase(suite, deadlines);
	return suite;
}

int main(void)
{
	return test_main(worker_state_suite());
}
