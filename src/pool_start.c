/*
 * One start. All that the child needs is open before the fork; what only the child needs is closed
 * right after it.
 */
#include "pool_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "errmsg.h"
#include "logger.h"
#include "pool.h"
#include "safe_file.h"
#include "scoreboard.h"
#include "settings.h"
#include "socket_table.h"
#include "sys.h"

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
	const struct stream_origin origin = {.pool = pool->settings->name,
		.slot = start->worker.slot,
		.name = i == STDOUT_FILENO ? "stdout" : "stderr"};
	char *path = NULL;

	if (setting->target) {
		path = launch_expand(&pool->launch, setting->target, start->worker.slot, err);
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
	case STDIO_NULL: start->worker.standard_fd[i] = pool->launch.null_fd; return 0;
	case STDIO_SOCKET:
		start->worker.standard_fd[i] =
			socket_table_find(pool->place.launch.sockets, setting->target)->fd;
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

struct worker *pool_start_worker(struct pool *pool, int64_t now_ms, struct errmsg *err)
{
	struct worker *worker = pool_free_slot(pool);
	struct start start = {.worker = {.scoreboard_fd = -1}};
	const struct spawn_plan *plan = NULL;
	int result = -1;

	if (!worker) {
		errmsg_errno(err, "no room on the scoreboard for one more worker");
		return NULL;
	}
	start.worker.slot = worker->record.slot;
	start.worker.generation = pool->generation;
	if (start_open(pool, &start, err) == 0)
		plan = launch_prepare(&pool->launch, &start.worker, err);
	if (plan) {
		worker->round = pool->failures.round;
		worker->record.generation = pool->generation;
		result = worker_start(worker, plan, pool->place.reports, now_ms, err);
	}
	start_close(&start);
	if (result < 0)
		return NULL;
	pool->present++;
	for (int i = 0; i < 3; i++)
		if (start.stream[i])
			stream_set_pid(start.stream[i], worker->record.pid);
	return worker;
}
