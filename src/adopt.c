/*
 * Each thing that was left behind goes to whoever owns its kind: sockets to the configuration,
 * workers to their pools. What cannot be had is said, and made anew.
 */
#include "adopt.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "configuration.h"
#include "errmsg.h"
#include "exit_status.h"
#include "faults.h"
#include "leavers.h"
#include "listener.h"
#include "logger.h"
#include "memory.h"
#include "orphans.h"
#include "pool.h"
#include "process_look.h"
#include "settings.h"
#include "settings_check.h"
#include "settings_compare.h"
#include "state.h"
#include "supervisor.h"
#include "sys.h"

#define FIRST_SOCKET_FD    3
#define NANOSECONDS_PER_MS 1000000

/* Whoever wants us to stop does not wait for them. */
static bool end_is_asked_for(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) ||
		       sigismember(&pending, SIGQUIT));
}

/* They hold what we need, so there is nothing else to do meanwhile. */
static void wait_for(const struct supervisor *supervisor, struct leavers *leavers)
{
	const int64_t now_ms = sys_now_ms();
	int64_t longest_ms = 0;

	for (size_t i = 0; i < leavers->count; i++)
		if (leavers->leaver[i].kill_at - now_ms > longest_ms)
			longest_ms = leavers->leaver[i].kill_at - now_ms;
	if (leavers->count > 0) {
		service_manager_starting(&supervisor->manager, longest_ms);
		leavers_wait(leavers, end_is_asked_for);
	}
	leavers_free(leavers);
}

int adopt_find(struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	struct runtime_dir *dir = &supervisor->runtime_dir;
	struct leavers leavers = {0};
	struct state *state;

	if (supervisor->resumed) {
		supervisor->past = supervisor->options->resumed;
		return orphans_hold(supervisor->past, true, err);
	}
	if (orphans_find(&state, dir->fd, dir->path, &supervisor->past_unreadable) < 0) {
		*err = supervisor->past_unreadable;
		supervisor->past_unreadable.text[0] = '\0';
		return -1;
	}
	if (supervisor->past_unreadable.text[0])
		log_error(NULL, "%s", supervisor->past_unreadable.text);
	if (!state)
		return 0;
	log_notice(NULL, "the supervisor with pid %ld died; %zu of its workers are there",
		(long)state->pid, orphans_count(state));
	supervisor->past = state;
	supervisor->follows_death = true;
	if (settings->preforkd.orphans != ORPHANS_STOP)
		return 0;
	orphans_end(&leavers, state, "orphans = stop");
	wait_for(supervisor, &leavers);
	adopt_forget(supervisor);
	return 0;
}

/* --- sockets --- */

/* The settings that the workers were started by; NULL: they cannot be read any more. */
static struct settings *old_settings(const struct state *state)
{
	struct faults faults = {0};
	struct settings *settings =
		config_file_parse(state->config_path, state->text, strlen(state->text), &faults);

	if (settings && faults.errors > 0) {
		settings_free(settings);
		settings = NULL;
	}
	faults_free(&faults);
	return settings;
}

/* This descriptor of a worker, if it is the socket; else -1. A worker can have put anything there.
 */
static int take_number(const struct state_worker *worker, int number,
	const struct socket_settings *socket, int *error)
{
	const struct listener_settings wanted = {
		.listen = socket->listen, /* borrowed */
		.type = socket->type,
		.v6only = socket->v6only,
	};
	int fd = process_take_fd(worker->pidfd, number);
	struct errmsg reason;

	if (fd < 0 && errno != EBADF && errno != ESRCH)
		*error = errno;
	if (fd < 0 || listener_is(fd, &wanted, &reason))
		return fd;
	sys_close(fd);
	return -1;
}

/* A worker of an earlier generation may have it under another number than the configuration says,
 * so all are tried under which there can be a socket. */
static int take_from(const struct state_worker *worker, const struct socket_settings *socket,
	int socket_count, int *error)
{
	int fd = -1;

	if (worker->pidfd < 0)
		return -1;
	for (int i = 0; fd < 0 && i < socket_count; i++)
		fd = take_number(worker, FIRST_SOCKET_FD + i, socket, error);
	return fd < 0 ? take_number(worker, STDIN_FILENO, socket, error) : fd;
}

/* From any worker that has it. */
static int take_from_worker(
	const struct state *state, const struct settings *old, const char *name, int *error)
{
	const struct socket_settings *socket = settings_socket(old, name);
	int fd = -1;

	*error = ENOENT;
	for (size_t i = 0; socket && i < state->pool_count; i++)
		for (size_t j = 0; fd < 0 && j < state->pool[i].worker_count; j++)
			fd = take_from(
				&state->pool[i].worker[j], socket, (int)old->socket_count, error);
	return fd;
}

static bool is_passed(const struct passed_sockets *passed, const char *name)
{
	for (int i = 0; i < passed->count; i++)
		if (passed->fd[i] >= 0 && strcmp(passed->name[i], name) == 0)
			return true;
	return false;
}

/* Does the new configuration want what this one occupies, as another socket or by another way? */
static bool in_the_way(
	const struct settings *old, const struct settings *new, const char *name, bool had)
{
	const struct socket_settings *socket = settings_socket(old, name);

	for (size_t i = 0; socket && i < new->socket_count; i++) {
		const struct socket_settings *wanted = &new->sockets[i];
		const bool same = had && strcmp(wanted->name, name) == 0 &&
				  !settings_socket_differs(socket, wanted, EFFECT_SOCKET);

		if (!same && settings_sockets_overlap(socket, wanted))
			return true;
	}
	return false;
}

static bool is_there(const struct state_worker *worker)
{
	return worker->pidfd >= 0 && !process_ended(worker->pidfd);
}

/* Is a worker there that was started with it? */
static bool is_held(const struct state *state, const struct settings *old, const char *name)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct state_pool *from = &state->pool[i];
		const struct pool_settings *pool = settings_pool(old, from->name);

		for (size_t j = 0; pool && j < from->worker_count; j++)
			if (is_there(&from->worker[j]) &&
				from->worker[j].generation == from->generation &&
				pool_settings_use(pool, name))
				return true;
	}
	return false;
}

static void end_holders(struct leavers *leavers, struct state *state, const struct settings *old,
	const char *name, const char *why)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct pool_settings *pool = settings_pool(old, state->pool[i].name);

		if (pool && pool_settings_use(pool, name))
			orphans_end_pool(leavers, &state->pool[i], why);
	}
}

/* With its file, if that is ours. */
static void let_go(struct listener_past *past)
{
	struct listener left = {.fd = past->fd,
		.path = past->path,
		.dev = past->dev,
		.ino = past->ino,
		.passed = past->passed};

	if (past->fd < 0)
		free(past->path);
	else
		listener_close(&left);
}

static int take_socket(struct supervisor *supervisor, const struct settings *old,
	const struct settings *new, struct state_socket *socket, struct leavers *leavers)
{
	struct passed_sockets *passed = supervisor->options->passed;
	bool wanted = settings_socket(new, socket->name) != NULL;
	const bool stored = passed_sockets_has_past(passed, socket->name);
	struct listener_past past = {.fd = socket->fd,
		.known = true,
		.passed = socket->passed,
		.path = memory_copy_string(socket->path),
		.dev = socket->dev,
		.ino = socket->ino};
	int error = 0;
	bool had;

	if (past.fd < 0 && !stored && !is_passed(passed, socket->name))
		past.fd = take_from_worker(supervisor->past, old, socket->name, &error);
	had = past.fd >= 0 || stored || is_passed(passed, socket->name);
	/* Those who were looked at and were started without it do not have it. */
	if (!had && error == ENOENT && !is_held(supervisor->past, old, socket->name)) {
		free(past.path);
		return 0;
	}
	if (!had && errno_is_shortage(error)) {
		free(past.path);
		errno = error;
		return -1;
	}
	if (!supervisor->resumed && in_the_way(old, new, socket->name, had)) {
		log_warning(NULL,
			"[socket:%s] cannot be had from its workers%s%s: they are ended, and "
			"connections are refused until it is bound anew",
			socket->name, had ? "" : ": ",
			had ? ", its address is wanted otherwise" : strerror(error));
		end_holders(leavers, supervisor->past, old, socket->name,
			"its socket cannot be had from it");
		/* It would be in the way of what is to be bound. */
		wanted = wanted && past.fd < 0;
	}
	if (had && wanted && !stored)
		passed_sockets_add_past(passed, socket->name, &past);
	else
		let_go(&past);
	return 0;
}

int adopt_sockets(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	struct state *state = supervisor->past;
	struct settings *old = state ? old_settings(state) : NULL;
	struct leavers leavers = {0};
	int error = 0;

	if (!state)
		return 0;
	supervisor->past_settings = old;
	for (size_t i = 0; old && i < state->socket_count; i++)
		if (take_socket(supervisor, old, settings, &state->socket[i], &leavers) < 0) {
			errmsg_errno(err, "[socket:%s]: cannot be taken from its workers",
				state->socket[i].name);
			error = errno;
			break;
		}
	for (size_t i = 0; !old && i < state->pool_count; i++)
		orphans_end_pool(
			&leavers, &state->pool[i], "its configuration cannot be read any more");
	wait_for(supervisor, &leavers);
	errno = error;
	return error ? -1 : 0;
}

/* --- pools --- */

static struct worker_absence absence_of(const struct supervisor *supervisor)
{
	const struct state *state = supervisor->past;
	const int64_t elapsed_ms = (sys_boottime_ns() - state->boot_ns) / NANOSECONDS_PER_MS;
	const int64_t now_ms = sys_now_ms();

	return (struct worker_absence){
		.now_ms = now_ms,
		.shift_ms = now_ms - elapsed_ms - state->clock_ms,
		.died = !supervisor->resumed,
	};
}

static bool is_outdated(const struct supervisor *supervisor, const char *name)
{
	const struct settings *old = supervisor->past_settings;
	const struct settings *new = supervisor->configuration->settings;
	const struct pool_settings *pool = old ? settings_pool(old, name) : NULL;

	return !pool || settings_workers_differ(old, pool, new, settings_pool(new, name));
}

bool adopt_pool(struct supervisor *supervisor, const char *name, struct pool_past *past)
{
	struct state *state = supervisor->past;

	for (size_t i = 0; state && i < state->pool_count; i++) {
		if (strcmp(state->pool[i].name, name) != 0)
			continue;
		*past = (struct pool_past){
			.pool = &state->pool[i],
			.absence = absence_of(supervisor),
			.outdated = !supervisor->resumed && is_outdated(supervisor, name),
		};
		return true;
	}
	return false;
}

/* --- the end --- */

void adopt_end(struct supervisor *supervisor)
{
	struct state *state = supervisor->past;

	if (state)
		orphans_end(
			&supervisor->leavers, state, "its pool is in the configuration no more");
	adopt_forget(supervisor);
}

void adopt_forget(struct supervisor *supervisor)
{
	struct state *state = supervisor->past;

	if (state)
		orphans_forget(state);
	if (!supervisor->resumed)
		state_free(state);
	supervisor->past = NULL;
	settings_free(supervisor->past_settings);
	supervisor->past_settings = NULL;
}
