/*
 * Who is left of a supervisor that died. A process counts as a worker only when boot, namespace,
 * start time and user are those that were written down, in a file of ours in a folder of ours.
 * Whatever is in doubt is named in the log and left alone.
 */
#include "orphans.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errmsg.h"
#include "exit_status.h"
#include "leavers.h"
#include "logger.h"
#include "memory.h"
#include "process_look.h"
#include "state.h"
#include "state_file.h"
#include "sys.h"

#define SLOT_MAX           1000000
#define NANOSECONDS        1000000000
#define NANOSECONDS_PER_MS 1000000
#define WINDOW_NS          (2 * (int64_t)NANOSECONDS) /* a turn that takes longer is none */
#define STOP_TIMEOUT_MS    30000

static struct log_subject subject_of(
	const struct state_pool *pool, const struct state_worker *worker)
{
	return (struct log_subject){
		.pool = pool->name, .slot = worker->slot, .pid = worker->pid, .age_ms = -1};
}

/* One that lives, but cannot be had now, would be replaced and be there twice. */
static int hold(
	const struct state_pool *pool, struct state_worker *worker, bool ours, struct errmsg *err)
{
	const struct log_subject subject = subject_of(pool, worker);
	struct errmsg reason;

	/* No other can bear the number of a child of ours. */
	if (ours && !worker->foreign) {
		worker->pidfd = sys_pidfd_open(worker->pid);
		errmsg_errno(&reason, "pid %ld", (long)worker->pid);
	} else {
		worker->pidfd =
			process_hold(worker->pid, worker->started_ticks, worker->uid, &reason);
	}
	if (worker->pidfd >= 0)
		return 0;
	if (errno_is_shortage(errno)) {
		*err = reason;
		return -1;
	}
	if (errno == ESRCH)
		log_info(&subject, "has ended while nobody was there, and its status is lost (%s)",
			reason.text);
	else
		log_warning(&subject, "left alone: %s", reason.text);
	return 0;
}

int orphans_hold(struct state *state, bool ours, struct errmsg *err)
{
	for (size_t i = 0; i < state->pool_count; i++)
		for (size_t j = 0; j < state->pool[i].worker_count; j++)
			if (hold(&state->pool[i], &state->pool[i].worker[j], ours, err) < 0)
				return -1;
	return 0;
}

static bool same_world(const struct state *state)
{
	char *boot_id = process_boot_id();
	const bool same = strcmp(boot_id, state->boot_id) == 0 && *boot_id != '\0' &&
			  state->pid_namespace == process_pid_namespace();

	free(boot_id);
	return same;
}

/* They were another process's. */
static void forget_descriptors(struct state *state)
{
	state->http.fd = -1;
	for (size_t i = 0; i < state->socket_count; i++)
		state->socket[i].fd = -1;
	for (size_t i = 0; i < state->pool_count; i++)
		state->pool[i].notify_fd = -1;
}

static int load(struct state **state, int dir_fd, const char *path, struct errmsg *err)
{
	struct errmsg reason;
	size_t length;
	char *bytes = state_file_load(dir_fd, &length, err);

	*state = NULL;
	if (!bytes && errno == ENOENT)
		err->text[0] = '\0';
	if (!bytes && (errno == ENOENT || errno_is_shortage(errno)))
		return errno == ENOENT ? 0 : -1;
	if (bytes)
		*state = state_of_bytes(bytes, length, err);
	free(bytes);
	if (!*state) {
		reason = *err;
		errmsg_set(err,
			"%s/" STATE_FILE_NAME " cannot be used: %s; should workers of an earlier "
			"supervisor still be there, "
			"end them (their pids are in %s/*.scoreboard), then remove that file",
			path, reason.text, path);
	}
	return 0;
}

/* --- those that were not written down any more --- */

static bool is_number(pid_t pid, const char *name, int64_t min, int64_t max, int64_t *number)
{
	char text[32], *end;

	if (!process_variable(pid, name, text, sizeof(text)))
		return false;
	*number = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *number >= min && *number <= max;
}

static bool is_taken(const struct state_pool *pool, int64_t slot, pid_t pid)
{
	for (size_t i = 0; i < pool->worker_count; i++)
		if (pool->worker[i].pid == pid ||
			(pool->worker[i].slot == slot && pool->worker[i].pidfd >= 0))
			return true;
	return false;
}

/* By what it was started with, a worker of this pool that was started right before the death, in a
 * slot that nobody has. */
static bool is_worker(const struct state_pool *pool, pid_t pid, struct state_worker *found)
{
	char text[4096];
	int64_t slot, generation;

	if (!process_variable(pid, "PREFORKD_SCOREBOARD", text, sizeof(text)) ||
		strcmp(text, pool->board_path) != 0 ||
		!process_variable(pid, "PREFORKD_POOL", text, sizeof(text)) ||
		strcmp(text, pool->name) != 0 ||
		!is_number(pid, "PREFORKD_SLOT", 0, SLOT_MAX, &slot) ||
		!is_number(
			pid, "PREFORKD_GENERATION", 1, (int64_t)pool->last_generation, &generation))
		return false;
	found->slot = (int)slot;
	found->generation = (uint64_t)generation;
	return !is_taken(pool, slot, pid);
}

static int look_at(struct state *state, pid_t pid, struct errmsg *err)
{
	const int64_t ns_a_tick = NANOSECONDS / sysconf(_SC_CLK_TCK);
	const uint64_t ticks = process_started_ticks(pid);
	const int64_t started_ns = (int64_t)ticks * ns_a_tick;
	struct state_worker found = {.pid = pid,
		.started_ticks = ticks,
		.started_boot_ns = started_ns,
		.state = WORKER_STARTING,
		.foreign = true,
		.pidfd = -1};

	if (ticks == 0 || started_ns + ns_a_tick < state->boot_ns - WINDOW_NS ||
		sys_process_group(pid) != pid)
		return 0;
	for (size_t i = 0; i < state->pool_count; i++) {
		struct state_pool *pool = &state->pool[i];

		if (!is_worker(pool, pid, &found))
			continue;
		found.uid = pool->uid;
		found.stop_signal = pool->worker_count > 0 ? pool->worker[0].stop_signal : SIGTERM;
		found.stop_timeout_ms = STOP_TIMEOUT_MS;
		found.times.started_at =
			state->clock_ms + (started_ns - state->boot_ns) / NANOSECONDS_PER_MS;
		board_line_write_empty(found.line);
		if (hold(pool, &found, false, err) < 0)
			return -1;
		if (found.pidfd < 0)
			return 0;
		pool->worker =
			memory_resize(pool->worker, pool->worker_count + 1, sizeof(*pool->worker));
		pool->worker[pool->worker_count++] = found;
		return 0;
	}
	return 0;
}

/* A worker that is started is written down at the end of the same turn. One whose supervisor died
 * in between is known by its environment, which only its own user can have forged: that user's
 * processes, and nobody else's, could be taken for workers. */
static int find_unwritten(struct state *state, struct errmsg *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int result = 0;

	if (!proc)
		return errno_is_shortage(errno) ? errmsg_errno(err, "/proc") : 0;
	while (result == 0 && (entry = readdir(proc)) != NULL) {
		const long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 1)
			result = look_at(state, (pid_t)pid, err);
	}
	closedir(proc);
	return result;
}

size_t orphans_count(const struct state *state)
{
	size_t count = 0;

	for (size_t i = 0; i < state->pool_count; i++)
		for (size_t j = 0; j < state->pool[i].worker_count; j++)
			count += state->pool[i].worker[j].pidfd >= 0;
	return count;
}

int orphans_find(struct state **state, int dir_fd, const char *path, struct errmsg *err)
{
	int result, error;

	err->text[0] = '\0';
	result = load(state, dir_fd, path, err);
	if (!*state)
		return result;
	forget_descriptors(*state);
	errno = 0;
	if (!same_world(*state)) {
		result = errno_is_shortage(errno) ? errmsg_errno(err, "the boot's id") : 0;
	} else {
		result = orphans_hold(*state, false, err);
		if (result == 0)
			result = find_unwritten(*state, err);
		if (result == 0 && orphans_count(*state) > 0)
			return 0;
	}
	error = errno;
	orphans_forget(*state);
	state_free(*state);
	*state = NULL;
	errno = error;
	return result;
}

static void end_worker(struct leavers *leavers, const struct state_pool *pool,
	struct state_worker *worker, const char *why)
{
	const struct log_subject subject = subject_of(pool, worker);

	if (worker->pidfd < 0)
		return;
	log_notice(&subject, "ending it: %s", why);
	leavers_add(leavers, worker->pid, worker->pidfd,
		worker->stop_signal ? worker->stop_signal : SIGTERM, worker->stop_timeout_ms,
		sys_now_ms());
	worker->pidfd = -1;
}

void orphans_end_pool(struct leavers *leavers, struct state_pool *pool, const char *why)
{
	for (size_t i = 0; i < pool->worker_count; i++)
		end_worker(leavers, pool, &pool->worker[i], why);
}

void orphans_end(struct leavers *leavers, struct state *state, const char *why)
{
	for (size_t i = 0; i < state->pool_count; i++)
		orphans_end_pool(leavers, &state->pool[i], why);
}

void orphans_forget(struct state *state)
{
	for (size_t i = 0; i < state->pool_count; i++)
		for (size_t j = 0; j < state->pool[i].worker_count; j++) {
			struct state_worker *worker = &state->pool[i].worker[j];

			if (worker->pidfd >= 0)
				sys_close(worker->pidfd);
			worker->pidfd = -1;
		}
}
