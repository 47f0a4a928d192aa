/*
 * One start. All that the child needs is open before the fork; what only the child needs is closed
 * right after it.
 */
#include "pool_start.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "configuration.h"
#include "errmsg.h"
#include "generation.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "safe_file.h"
#include "scoreboard.h"
#include "settings.h"
#include "socket_table.h"
#include "sys.h"

/* The machine refuses for other reasons than the program, and recovers sooner. */
static const struct backoff_rule machine_rule = {.base_ms = 100, .cap_ms = 2000};

double pool_chance(void)
{
	return (double)random() / ((double)RAND_MAX + 1);
}

static void log_machine_trouble(struct pool *pool, const char *what, int64_t now_ms)
{
	struct log_subject subject = LOG_SUBJECT_NONE;
	uint64_t held_back;

	subject.pool = pool->name;
	if (!rate_limit_pass(&pool->machine_log, now_ms, &held_back))
		return;
	log_error(&subject,
		"%s: no worker can be started (limit_nproc, limit_nofile, or the cgroup's pids or "
		"memory limit?); trying again in %.3g s, %d workers there",
		what, (double)(pool->machine.until - now_ms) / 1000, pool->present);
}

/* Several refusals of one round of starts count once. */
void pool_machine_failed(struct pool *pool, const char *what, int64_t now_ms)
{
	const uint64_t round = pool->machine.round;

	backoff_fail(&pool->machine, &machine_rule,
		backoff_waiting(&pool->machine, now_ms) ? round - 1 : round, now_ms, pool_chance());
	log_machine_trouble(pool, what, now_ms);
}

/* Descriptors of one start; fd[i] becomes descriptor i, owned[i] says that it is closed afterwards.
 */
struct start {
	struct launch_worker worker;
	bool owned[3];
	struct stream *stream[3];
};

static void start_close(struct start *start)
{
	int saved = errno;

	for (int i = 0; i < 3; i++)
		if (start->owned[i])
			sys_close(start->worker.standard_fd[i]);
	if (start->worker.scoreboard_fd >= 0)
		sys_close(start->worker.scoreboard_fd);
	errno = saved;
}

static int open_append(const char *path, const struct sinks *sinks, struct errmsg *err)
{
	int fd = safe_file_open_append(path, sinks->uid, sinks->gid, err);
	int flags;

	if (fd < 0)
		return -1;
	/* It was opened without waiting; the program expects a descriptor that waits. */
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	return fd;
}

static int open_to(struct pool *pool, struct start *start, int i,
	const struct stdio_setting *setting, struct errmsg *err)
{
	const struct stream_origin origin = {.pool = pool->name,
		.slot = start->worker.slot,
		.name = i == STDOUT_FILENO ? "stdout" : "stderr"};
	char *path = NULL;

	if (setting->target) {
		path = launch_expand(
			&pool->current->launch, setting->target, start->worker.slot, err);
		if (!path)
			return -1;
	}
	start->owned[i] = true;
	if (setting->kind == STDIO_APPEND) {
		start->worker.standard_fd[i] = open_append(path, &pool->sinks, err);
		start->owned[i] = start->worker.standard_fd[i] >= 0;
	} else {
		start->stream[i] = stream_open(pool->place.loop, &pool->sinks, path, &origin,
			&start->worker.standard_fd[i], err);
		start->owned[i] = start->stream[i] != NULL;
	}
	free(path);
	return start->owned[i] ? 0 : -1;
}

static int open_standard(struct pool *pool, struct start *start, int i,
	const struct stdio_setting *setting, struct errmsg *err)
{
	switch (setting->kind) {
	case STDIO_INHERIT: start->worker.standard_fd[i] = i; return 0;
	case STDIO_NULL: start->worker.standard_fd[i] = pool->current->launch.null_fd; return 0;
	case STDIO_SOCKET:
		start->worker.standard_fd[i] =
			socket_table_find(&pool->current->configuration->sockets, setting->target)
				->fd;
		return 0;
	case STDIO_LOG:
	case STDIO_PATH:
	case STDIO_APPEND: return open_to(pool, start, i, setting, err);
	}
	return errmsg_set(err, "no such kind of output");
}

static int start_open(struct pool *pool, struct start *start, struct errmsg *err)
{
	const struct pool_settings *settings = pool->settings;
	const struct stdio_setting *const setting[] = {
		&settings->standard_input, &settings->standard_output, &settings->standard_error};

	for (int i = 0; i < 3; i++)
		if (open_standard(pool, start, i, setting[i], err) < 0)
			return -1;
	start->worker.scoreboard_fd = scoreboard_open_for_worker(pool->context.board);
	if (start->worker.scoreboard_fd < 0)
		return errmsg_errno(err, "%s", scoreboard_path(pool->context.board));
	return 0;
}

/* max and a random part, so that those that were started together do not go together. */
static int64_t jittered(int64_t max, int64_t jitter)
{
	if (max <= 0)
		return 0;
	return max + (jitter > 0 ? (int64_t)(pool_chance() * (double)(jitter + 1)) : 0);
}

static void set_limits(const struct pool *pool, struct worker *worker, int64_t now_ms)
{
	const struct pool_settings *settings = pool->settings;
	int64_t lifetime_ms = jittered(settings->max_lifetime_ms, settings->max_lifetime_jitter_ms);

	worker->max_jobs =
		(uint64_t)jittered(settings->max_requests, settings->max_requests_jitter);
	worker->times.expires_at = lifetime_ms > 0 ? now_ms + lifetime_ms : 0;
}

static struct worker *start_worker(struct pool *pool, int64_t now_ms, struct errmsg *err)
{
	struct worker *worker = memory_ready() ? pool_free_slot(pool) : NULL;
	struct start start = {.worker = {.scoreboard_fd = -1}};
	const struct spawn_plan *plan = NULL;
	int result = -1;

	if (!worker) {
		errmsg_errno(err, memory_ready() ? "no room on the scoreboard for one more worker"
						 : "no memory to spare");
		return NULL;
	}
	start.worker.slot = worker->record.slot;
	start.worker.generation = pool->current->number;
	if (start_open(pool, &start, err) == 0)
		plan = launch_prepare(&pool->current->launch, &start.worker, err);
	if (plan) {
		worker->round = pool->failures.round;
		result =
			worker_start(worker, pool->current, plan, pool->place.reports, now_ms, err);
	}
	start_close(&start);
	if (result < 0)
		return NULL;
	pool->present++;
	set_limits(pool, worker, now_ms);
	for (int i = 0; i < 3; i++)
		if (start.stream[i])
			stream_set_pid(start.stream[i], worker->record.pid);
	return worker;
}

/* A start in a row of failures is no news. */
static void log_start(const struct pool *pool, const struct worker *worker)
{
	const struct log_subject subject = {
		.pool = pool->name,
		.slot = worker->record.slot,
		.pid = worker->record.pid,
		.age_ms = -1,
	};

	logger_write(pool->failures.rounds > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, &subject,
		"started, generation %" PRIu64, worker->record.generation);
}

static void tell_spawn(struct pool *pool, const struct worker *worker)
{
	const struct hook_event event = {
		.key = "on_spawn",
		.slot = worker->record.slot,
		.generation = worker->record.generation,
		.pid = worker->record.pid,
	};

	hooks_run(&pool->hooks, &pool->current->launch, &pool->settings->on_spawn, &event);
}

static void count_start(struct pool *pool, bool replacement, int64_t now_ms)
{
	pool->tally.starts++;
	if (!replacement && pool->lacking_since != 0)
		histogram_add(&pool->tally.demand_to_start,
			(double)(now_ms - pool->lacking_since) / 1000);
	/* spawn_interval is between any two starts. */
	if (replacement)
		policy_paced(&pool->memory, now_ms);
}

int pool_start_workers(struct pool *pool, int count, bool replacement, int64_t now_ms)
{
	struct errmsg err;
	int started = 0;

	while (started < count && started < RECONCILE_STARTS) {
		struct worker *worker = start_worker(pool, now_ms, &err);

		if (!worker) {
			pool_machine_failed(pool, err.text, now_ms);
			return started;
		}
		worker->replacement = replacement;
		count_start(pool, replacement, now_ms);
		log_start(pool, worker);
		tell_spawn(pool, worker);
		started++;
	}
	if (started < count)
		pool_mark_dirty(pool);
	return started;
}
