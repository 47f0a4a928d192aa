/*
 * Pools that live through anything, in any order: workers that end, hang, lie, or cannot be killed,
 * a scoreboard full of noise, a machine that refuses, an operator who cannot decide. After each
 * event the laws are looked at (pool_law.c); in the end the pool must heal, or the stop end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "board.h"
#include "generation.h"
#include "pool_law.h"
#include "pool_roll.h"

#define EVENTS     120000
#define LIFE_MAX   400 /* events in one world */
#define TRACE_MAX  24  /* events that are told when something is wrong */
#define HEAL_TURNS 40
#define ROLL_TURNS 600 /* until a roll has ended, when all are well */
#define ROLLS_MAX  12  /* in one world */

static const char *const kinds[] = {
	"max_workers = 3\n",
	"max_workers = 2\nready = scoreboard\nstart_timeout = 3s\n",
	"max_workers = 4\nready = alive\nmin_uptime = 100ms\nrequest_timeout = 2s\n",
	"max_workers = 4\nmin_spare_workers = 1\nmax_spare_workers = 2\nidle_timeout = 2s\n",
	"max_workers = 6\nmin_spare_workers = 2\nstart_workers = 4\nready = scoreboard\n",
	"max_workers = 5\nmin_spare_workers = 1\nspawn_interval = 700ms\nsignal_group = yes\n",
	"max_workers = 4\nready = notify\nstart_timeout = 3s\nsurge = 2\nmax_requests = 30\n",
	("max_workers = 3\nready = scoreboard\nmax_lifetime = 20s\nmax_lifetime_jitter = 10s\n"
	 "spawn_interval = 500ms\nsurge = 50%\n"),
	"max_workers = 2\ntimeout = 1s\ntimeout_signal = ABRT\nstop_signal = INT\n",
	"max_workers = 3\ntimeout = 2s\nrequest_timeout = 1s\nmin_uptime = infinity\n",
	"max_workers = 40\nready = scoreboard\nsurge = 10%\n",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct life {
	struct pool_world world;
	struct law law;
	uint64_t random;
	int trace[TRACE_MAX];
	unsigned events;
	bool removed; /* the scoreboard was, once */
	const char *keys;
	int rolls;
};

static int below(struct life *life, int number)
{
	return (int)test_random_below(&life->random, (uint64_t)number);
}

static int any_slot(struct life *life)
{
	return below(life, life->world.pool->slot_count);
}

/* A process in some slot, 0 if there is none. */
static pid_t any_pid(struct life *life)
{
	if (life->world.pool->slot_count == 0)
		return 0;
	return world_pid(&life->world, any_slot(life));
}

static void end_one(struct life *life)
{
	static const int signals[] = {SIGSEGV, SIGKILL, SIGTERM, SIGABRT};
	const pid_t pid = any_pid(life);

	if (!pid || !fake_sys_alive(pid))
		return;
	if (below(life, 2))
		fake_sys_exit(pid, below(life, 3));
	else
		fake_sys_end_by_signal(pid, signals[below(life, 4)]);
}

static void refuse_exec(struct life *life)
{
	static const int errors[] = {ENOENT, EAGAIN, ENOMEM, EACCES};
	const struct spawn_report report = {
		.pid = any_pid(life), .error = errors[below(life, 4)], .step = 1};

	if (!report.pid || !fake_sys_alive(report.pid))
		return;
	if (write(life->world.reports.write_fd, &report, sizeof(report)) != sizeof(report))
		ck_abort_msg("no room for a report");
	fake_sys_exit(report.pid, 127);
}

static void say(struct life *life, const char *words)
{
	const char word[] = {words[below(life, (int)strlen(words))], '\0'};

	if (life->world.pool->slot_count > 0)
		world_write(&life->world, any_slot(life), BOARD_STATE_AT, word);
}

static void count_job(struct life *life)
{
	char jobs[BOARD_JOBS_BYTES + 1];

	snprintf(jobs, sizeof(jobs), "%d", below(life, 50));
	if (life->world.pool->slot_count > 0)
		world_write(&life->world, any_slot(life), BOARD_JOBS_AT, jobs);
}

/* Anywhere, longer or shorter than the file. */
static void make_noise(struct life *life)
{
	const int bytes = life->world.pool->slot_count * BOARD_LINE_BYTES;
	char noise[40];

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)test_random(&life->random);
	if (below(life, 8) == 0 && ftruncate(life->world.board_fd, below(life, bytes + 100)) < 0)
		ck_abort_msg("the scoreboard cannot be cut");
	if (pwrite(life->world.board_fd, noise, sizeof(noise), below(life, bytes + 10)) < 0)
		ck_abort_msg("the scoreboard cannot be written");
	if (below(life, 16) == 0 && !life->removed) {
		life->removed = true;
		unlink(test_path(&life->world.dir, "web.scoreboard"));
	}
}

static void pass_time(struct life *life)
{
	static const int longest[] = {3, 30, 300, 3000, 12000};

	world_pass(&life->world, below(life, longest[below(life, 5)]));
}

static void ask(struct life *life)
{
	struct pool *pool = life->world.pool;
	static const int signals[] = {0, SIGQUIT, SIGTERM};
	const int signal_number = signals[below(life, 3)];

	switch (below(life, 6)) {
	case 0:
	case 1:
		if (pool_rule(pool).max_workers < pool->settings->max_workers + 3)
			pool_grow(pool, 1, 0);
		return;
	case 2: pool_grow(pool, -1, signal_number); return;
	case 3: pool_drain(pool, signal_number); return;
	case 4: pool_resume(pool); return;
	case 5: pool_forward_all(pool, SIGUSR1); return;
	}
}

static void refuse(struct life *life)
{
	static const enum fake_call calls[] = {FAKE_FORK, FAKE_PIDFD_OPEN, FAKE_OPEN};
	const enum fake_call call = calls[below(life, 3)];

	switch (below(life, 3)) {
	case 0: fake_sys_break(call, EAGAIN); return;
	case 1: fake_sys_break(call, 0); return;
	case 2: fake_sys_fail(call, (unsigned)below(life, 5), EMFILE); return;
	}
}

static void freeze(struct life *life)
{
	const pid_t pid = any_pid(life);

	if (pid && fake_sys_alive(pid))
		fake_sys_set_unkillable(pid, below(life, 4) != 0);
}

static void go_on_stopping(struct life *life)
{
	struct pool *pool = life->world.pool;

	if (!pool->stopping)
		return;
	if (below(life, 3) == 0)
		pool_kill_all(pool, fake_sys_now_ms());
	else
		law_stop(&life->law, below(life, 2) ? SIGQUIT : 0);
}

/* To other workers, to another program, or back. */
static void roll(struct life *life)
{
	char keys[500];

	if (life->world.pool->stopping || life->rolls++ > ROLLS_MAX)
		return;
	if (life->world.roll == ROLL_ON && below(life, 2)) {
		world_roll_back(&life->world);
		return;
	}
	if (below(life, 3) == 0) {
		world_try_roll(&life->world, NULL);
		return;
	}
	snprintf(keys, sizeof(keys), "%senvironment = A=%d\n", life->keys, below(life, 3));
	world_try_roll(&life->world, keys);
}

static void recycle(struct life *life)
{
	struct pool *pool = life->world.pool;

	if (pool->slot_count > 0 && !pool->stopping)
		pool_restart_worker(pool, any_slot(life));
}

static void notify(struct life *life)
{
	static const char *const messages[] = {"READY=1", "READY=1", "READY=1", "STOPPING=1",
		"WATCHDOG=1", "STATUS=well\nEXTEND_TIMEOUT_USEC=500000", "WATCHDOG=trigger"};

	if (life->world.pool->slot_count > 0)
		world_notify(&life->world, any_slot(life), messages[below(life, 7)]);
}

static void happen(struct life *life, int event)
{
	life->trace[life->events % TRACE_MAX] = event;
	switch (event) {
	case 0:
	case 1: end_one(life); return;
	case 2: refuse_exec(life); return;
	case 3:
	case 4: say(life, "_"); return;
	case 5: say(life, "BC"); return;
	case 6: say(life, "._BC*\1\xff "); return;
	case 7: count_job(life); return;
	case 8: make_noise(life); return;
	case 9:
	case 10: pass_time(life); return;
	case 11: ask(life); return;
	case 12: refuse(life); return;
	case 13: freeze(life); return;
	case 14: go_on_stopping(life); return;
	case 15: pool_mark_dirty(life->world.pool); return;
	case 16: roll(life); return;
	case 17: recycle(life); return;
	case 18:
	case 19: notify(life); return;
	}
}

static void blame(const struct life *life, const char *wrong, const char *keys)
{
	const struct pool_world *world = &life->world;
	char trace[TRACE_MAX * 4] = "";

	for (unsigned i = 0; i < TRACE_MAX; i++)
		snprintf(trace + strlen(trace), 4, "%d ",
			life->trace[(life->events + i) % TRACE_MAX]);
	ck_abort_msg("%s\n%safter %u events, the last ones: %s\n"
		     "at most %d; present %d, starting %d, unknown %d, idle %d, busy %d, leaving "
		     "%d; due in %lld ms",
		wrong, keys, life->events, trace, pool_rule(world->pool).max_workers,
		world->pool->present, world_count(world, CLASS_STARTING),
		world_count(world, CLASS_UNKNOWN), world_count(world, CLASS_IDLE),
		world_count(world, CLASS_BUSY), world_count(world, CLASS_LEAVING),
		(long long)(world->pool->due_at - fake_sys_now_ms()));
}

/* Older workers have the file that was removed, younger ones the one that took its place. */
static void write_for_all(struct pool_world *world, int slot, int at, const char *text)
{
	int fd = open(test_path(&world->dir, "web.scoreboard"), O_WRONLY | O_CLOEXEC);

	world_write(world, slot, at, text);
	if (fd < 0 || pwrite(fd, text, 1, slot * BOARD_LINE_BYTES + at) != 1)
		ck_abort_msg("there is no scoreboard any more");
	close(fd);
}

/* All workers show that they live, and leave when they are asked to. */
static void be_well(struct pool_world *world, const char *beat)
{
	for (int slot = 0; slot < world->pool->slot_count; slot++) {
		write_for_all(world, slot, BOARD_STATE_AT, "_");
		write_for_all(world, slot, BOARD_BEAT_AT, beat);
		world_notify(world, slot, "READY=1");
		if (world_pid(world, slot))
			fake_sys_set_unkillable(world_pid(world, slot), false);
	}
	law_show(world);
	world_pass(world, 900);
	for (int slot = 0; slot < world->pool->slot_count; slot++)
		if (world_worker(world, slot) &&
			(world_worker(world, slot)->record.state >= WORKER_STOPPING ||
				world_worker(world, slot)->leaving))
			fake_sys_end_by_signal(world_pid(world, slot), SIGKILL);
	world_settle(world);
}

static bool is_rolling(const struct pool_world *world)
{
	const struct roll_census census = pool_roll_census(world->pool);

	return world->roll == ROLL_ON || census.old_ready > 0;
}

/* The machine works again, and so do the workers: the number must come right. */
static const char *heal(struct life *life)
{
	struct pool_world *world = &life->world;
	struct policy_rule rule;
	int serving;

	for (int call = 0; call < FAKE_CALLS; call++) {
		fake_sys_break((enum fake_call)call, 0);
		fake_sys_fail((enum fake_call)call, 0, 0);
	}
	law_show(world);
	world_pass(world, 1000);
	for (int turn = 0; turn < HEAL_TURNS || (is_rolling(world) && turn < ROLL_TURNS); turn++)
		be_well(world, turn % 2 ? "x" : "y");
	if (is_rolling(world))
		return "the roll does not end";
	rule = pool_rule(world->pool);
	serving = world->pool->present - world_count(world, CLASS_LEAVING);
	if (!rule.dynamic && serving != rule.max_workers)
		return "the number is not right again";
	if (rule.dynamic && serving < rule.min_spare)
		return "there are too few again";
	return law_look(&life->law);
}

static void live(struct life *life, const char *keys, int length)
{
	const bool ends = below(life, 2);
	const char *wrong = NULL;
	char text[400];

	snprintf(text, sizeof(text), "%scrash_loop = backoff\nstop_timeout = 1500ms\n", keys);
	life->keys = text;
	life->rolls = 0;
	world_begin(&life->world, text);
	law_begin(&life->law, &life->world);
	for (int i = 0; i < length && !wrong; i++) {
		happen(life, below(life, 20));
		law_note(&life->law);
		life->events++;
		if (ends && i == length * 3 / 4)
			law_stop(&life->law, 0);
		if (below(life, 4)) {
			law_show(&life->world);
			wrong = law_look(&life->law);
		}
	}
	if (!wrong)
		wrong = ends ? law_look_at_end(&life->law) : heal(life);
	if (wrong)
		blame(life, wrong, text);
	world_end(&life->world);
}

static void live_many(unsigned events, int length)
{
	static struct life life;
	unsigned done = 0, lives = 0;

	life.random = test_seed();
	while (done < events) {
		life.events = 0;
		life.removed = false;
		live(&life, kinds[lives++ % KINDS], 1 + below(&life, length));
		done += life.events;
	}
}

START_TEST(whatever_happens)
{
	law_without_inotify();
	live_many(EVENTS / test_slowness(), LIFE_MAX);
}
END_TEST

START_TEST(whatever_happens_is_seen)
{
	live_many(EVENTS / 10 / test_slowness(), 4 * LIFE_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_random");
	TCase *random = tcase_create("random");

	law_in_memory();
	suite_add_tcase(suite, random);
	tcase_set_timeout(random, 600);
	tcase_add_test(random, whatever_happens);
	tcase_add_test(random, whatever_happens_is_seen);
	return test_main(suite);
}
