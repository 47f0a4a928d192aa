/*
 * The laws of a pool. Each is one small question; the first that is broken is named. Check's own
 * assertions cost a system call each, too many here.
 */
#include "pool_law.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backoff.h"
#include "generation.h"
#include "pool_roll.h"

static bool inotify_is_faked;

/* These three in the place of the C library's: a descriptor that never tells anything. */
int inotify_init1(int flags)
{
	if (!inotify_is_faked)
		return (int)syscall(SYS_inotify_init1, flags);
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (!inotify_is_faked)
		return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
	return 1;
}

int inotify_rm_watch(int fd, int mark)
{
	if (!inotify_is_faked)
		return (int)syscall(SYS_inotify_rm_watch, fd, mark);
	return 0;
}

void law_in_memory(void)
{
	if (access("/dev/shm", W_OK | X_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
}

void law_without_inotify(void)
{
	inotify_is_faked = true;
}

void law_show(struct pool_world *world)
{
	world->pool->board_dirty = true;
	pool_mark_dirty(world->pool);
}

static struct law_process *process_of(struct law *law, pid_t pid)
{
	if (pid < FAKE_FIRST_PID || pid >= FAKE_FIRST_PID + LAW_PIDS)
		ck_abort_msg("too many processes for one world");
	return &law->process[pid - FAKE_FIRST_PID];
}

static void on_signal(pid_t pid, int number, bool group, void *context)
{
	struct law_process *process = process_of(context, pid);

	if (number == SIGCONT || number == SIGUSR1) /* what is forwarded here */
		return;
	if (number == SIGKILL && group) {
		process->group_kills++;
	} else if (number == SIGKILL) {
		process->kills++;
	} else {
		if (process->last_soft == number)
			process->soft = 100;
		process->soft++;
		process->last_soft = number;
	}
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* How many there may be: with those that a roll found there, and those that stand in for others. */
static int most_workers(const struct pool *pool)
{
	const int max_workers = pool_rule(pool).max_workers;
	int64_t surge = pool->settings->surge.number;

	if (pool->settings->surge.percent)
		surge = (surge * max_workers + 99) / 100;
	return larger(max_workers, pool->roll.held) + larger((int)surge, 1);
}

/* So many may not become fewer but by themselves. Surplus may go. */
static int least_ready(const struct pool *pool)
{
	const struct policy_rule rule = pool_rule(pool);

	if (pool->stopping)
		return 0;
	return rule.dynamic ? rule.max_spare : rule.max_workers;
}

void law_note(struct law *law)
{
	const int max_workers = pool_rule(law->world->pool).max_workers;

	law->max_workers = larger(law->max_workers, most_workers(law->world->pool));
	law->most_workers = larger(law->most_workers, law->max_workers);
	law->least = smaller(law->least, least_ready(law->world->pool));
	if (max_workers < law->asked_for)
		law->least = 0;
	law->asked_for = max_workers;
}

void law_stop(struct law *law, int signal_number)
{
	struct pool *pool = law->world->pool;

	if (!pool->stopping) {
		world_settle(law->world);
		law->stop_forks = fake_sys_count(FAKE_FORK);
	}
	law->stops++;
	pool_begin_stop(pool);
	pool_stop_all(pool, signal_number, fake_sys_now_ms());
}

static const char *look_at_worker(struct law *law, const struct worker *worker, int slot)
{
	struct law_process *process = process_of(law, worker->record.pid);

	if (worker->record.slot != slot)
		return "a worker is in the wrong slot";
	if (worker->ended || !fake_sys_alive(worker->record.pid))
		return "a worker that has ended is still there";
	if (process->soft > 1 + law->stops)
		return "a worker got a soft signal too often";
	if (process->kills > 1 || process->group_kills > 1)
		return "a worker was killed twice";
	if (process->retired_at != 0 && process->retired_at != worker->times.retired_at)
		return "a worker was asked to retire twice";
	process->retired_at = worker->times.retired_at;
	return NULL;
}

static const char *look_at_workers(struct law *law)
{
	const struct pool *pool = law->world->pool;
	const char *wrong = NULL;
	int present = 0;

	for (int i = 0; i < pool->slot_count && !wrong; i++) {
		if (!worker_present(pool->slot[i]))
			continue;
		present++;
		wrong = look_at_worker(law, pool->slot[i], i);
	}
	if (wrong)
		return wrong;
	if (present != pool->present)
		return "the workers are miscounted";
	if (fake_sys_living() != (unsigned)present)
		return "processes live that are no workers";
	if (pool->slot_count > law->most_workers)
		return "an empty slot was not used again";
	return NULL;
}

/* Replacements that have not taken another's place do not count yet. */
static int count_placed(const struct pool *pool, enum worker_class class)
{
	int count = 0;

	for (int i = 0; i < pool->slot_count; i++)
		count += worker_counts_as(pool->slot[i]) == class &&
			 (!pool->slot[i]->replacement || class == CLASS_LEAVING);
	return count;
}

static int lacking(const struct pool *pool, const struct policy_rule *rule)
{
	const int spare = count_placed(pool, CLASS_STARTING) + count_placed(pool, CLASS_UNKNOWN) +
			  count_placed(pool, CLASS_IDLE);

	if (rule->dynamic)
		return rule->min_spare - spare;
	return rule->max_workers - spare - count_placed(pool, CLASS_BUSY);
}

/* There is no room for one more. */
static bool is_full(const struct pool *pool, const struct policy_rule *rule)
{
	int count = 0;

	for (enum worker_class class = CLASS_STARTING; class <= CLASS_LEAVING; class ++)
		count += count_placed(pool, class);
	return count >= rule->max_workers;
}

/* Every need that is not met has a timer armed, and so has everybody who must leave. */
static const char *look_at_timer(const struct law *law)
{
	const struct pool *pool = law->world->pool;
	const struct policy_rule rule = pool_rule(pool);
	const int64_t now_ms = fake_sys_now_ms();

	if (pool->due_at < now_ms)
		return "something is overdue";
	if ((pool->due_at != WORKER_NEVER) != (bool)ev_is_active(&pool->timer))
		return "the timer is not armed as it should be";
	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];

		if (worker->record.state >= WORKER_RETIRING && !worker->times.kill_warned &&
			pool->due_at == WORKER_NEVER)
			return "nobody will see to it that a worker leaves";
	}
	if (pool->stopping || pool->gave_up || lacking(pool, &rule) <= 0 || is_full(pool, &rule))
		return NULL;
	if (pool->due_at > now_ms + law->longest_wait_ms)
		return "nobody will start what lacks";
	return NULL;
}

static bool any_unkillable(const struct pool *pool)
{
	for (int i = 0; i < pool->slot_count; i++)
		if (worker_present(pool->slot[i]) && pool->slot[i]->times.kill_warned)
			return true;
	return false;
}

/* A roll goes on by itself, unless somebody is in its way for good. */
static const char *look_at_roll(const struct law *law)
{
	const struct pool *pool = law->world->pool;
	const struct roll_census census = pool_roll_census(pool);

	if (pool->stopping || pool->gave_up)
		return NULL;
	if (census.old_starting > 0)
		return "one that is to be replaced was never ready, and is still there";
	if (census.old_ready == 0 && census.new_ready + census.new_starting > 0)
		return "a replacement for nobody";
	if (census.old_ready > 0 && pool->due_at == WORKER_NEVER && !any_unkillable(pool))
		return "the replacing stands still";
	if (law->world->roll != ROLL_ON && census.old_ready == 0 &&
		census.fresh_starting + census.fresh_ready > pool_rule(pool).max_workers)
		return "the roll has ended, and there are more than max_workers";
	return NULL;
}

/* Serves, and not only until it may take another's place. */
static bool is_ready(const struct worker *worker)
{
	return worker_present(worker) && worker->ready_at != 0 && !worker->leaving &&
	       !worker->replacement && worker->record.state <= WORKER_READY;
}

/* It ended, was ended for its own fault, or said that it leaves. */
static bool is_lost(const struct pool *pool, pid_t pid)
{
	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];

		if (worker_present(worker) && worker->record.pid == pid)
			return worker->times.hung || worker->leaving ||
			       worker->record.state == WORKER_KILLED;
	}
	return true;
}

/* Of those that were there at the last look, and of those that came since. */
static int count_lost(const struct law *law)
{
	const struct pool *pool = law->world->pool;
	int count = 0;

	for (int i = 0; law->serving[i]; i++)
		count += is_lost(pool, law->serving[i]);
	for (pid_t pid = law->last_pid + 1; pid <= fake_sys_last_pid(); pid++)
		count += is_lost(pool, pid);
	return count;
}

static void note_ready(struct law *law)
{
	const struct pool *pool = law->world->pool;
	int serving = 0;

	law->ready = 0;
	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];

		law->ready += is_ready(worker);
		if (worker_present(worker) && worker->record.state <= WORKER_READY &&
			serving < LAW_SLOTS)
			law->serving[serving++] = worker->record.pid;
	}
	law->serving[serving] = 0;
	law->last_pid = fake_sys_last_pid();
}

/* Never fewer ready workers than before, but for those that left by themselves. */
static const char *look_at_ready(struct law *law)
{
	const int expected = smaller(law->ready, law->least) - count_lost(law);

	note_ready(law);
	return law->ready < expected ? "there are fewer ready workers than before" : NULL;
}

static const char *look_at_starts(struct law *law)
{
	const struct pool *pool = law->world->pool;
	const unsigned forks = fake_sys_count(FAKE_FORK);
	const bool any = forks > law->forks;
	int max_workers;

	max_workers = law->max_workers;
	law->max_workers = most_workers(pool);
	law->least = least_ready(pool);
	law->forks = forks;
	if (pool->stopping && forks != law->stop_forks)
		return "something was started after the stop";
	if (any && pool->present > max_workers)
		return "a worker too many was started";
	return NULL;
}

void law_begin(struct law *law, struct pool_world *world)
{
	memset(law, 0, sizeof(*law));
	law->world = world;
	law->longest_wait_ms = world->pool->settings->err_respawn_max_ms;
	if (world->pool->settings->spawn_interval_ms > law->longest_wait_ms)
		law->longest_wait_ms = world->pool->settings->spawn_interval_ms;
	law->forks = fake_sys_count(FAKE_FORK);
	law->least = INT_MAX;
	law_note(law);
	note_ready(law);
	fake_sys_on_signal(on_signal, law);
}

const char *law_look(struct law *law)
{
	const char *wrong;

	world_settle(law->world);
	if (fake_sys_strays() != 0)
		return "a signal went to a stranger";
	if (fake_sys_zombies() != 0)
		return "somebody was not reaped";
	law_note(law);
	wrong = look_at_workers(law);
	if (!wrong)
		wrong = look_at_timer(law);
	if (!wrong)
		wrong = look_at_roll(law);
	if (!wrong)
		wrong = look_at_ready(law);
	return wrong ? wrong : look_at_starts(law);
}

/* KILL to the group comes before the leader is reaped, so each process there ever was has it. */
static const char *look_at_the_dead(void)
{
	unsigned reaped = 0;

	for (pid_t pid = FAKE_FIRST_PID; pid <= fake_sys_last_pid(); pid++) {
		if (fake_sys_alive(pid))
			continue;
		reaped++;
		if (fake_sys_group_signals_to(pid, SIGKILL) == 0)
			return "a group was left behind";
	}
	if (fake_sys_last_pid() != 0 && fake_sys_count(FAKE_WAIT) != reaped)
		return "somebody was reaped twice";
	return NULL;
}

const char *law_look_at_end(struct law *law)
{
	struct pool *pool = law->world->pool;
	const int64_t patience_ms = 2 * pool->settings->stop_timeout_ms + WORKER_UNKILLABLE_MS;
	const char *wrong = law_look(law);

	if (wrong)
		return wrong;
	world_pass(law->world, patience_ms + 1000);
	if (!pool_empty(pool) && !pool_stuck(pool))
		return "the stop does not end";
	wrong = law_look(law);
	return wrong ? wrong : look_at_the_dead();
}
