/*
 * Check, then exec. The check costs nothing but a child; the state that it is given is like the one
 * that goes through the exec, which is made at the last moment. From taking the descriptors' flags
 * off until the exec nothing else happens in between.
 */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "control.h"
#include "errmsg.h"
#include "events.h"
#include "identity.h"
#include "keeper.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_past.h"
#include "signal_name.h"
#include "state.h"
#include "state_file.h"
#include "supervisor.h"
#include "sys.h"

#define CHECK_LIMIT_SEC 10.
#define CHECK_FD        3

static void fail(struct supervisor *supervisor, const char *reason)
{
	supervisor->upgrade.step = UPGRADE_NONE;
	log_error(NULL, "upgrade failed, everything goes on as it was: %s", reason);
	events_finished(
		&supervisor->events, supervisor->upgrade.id, "upgrade", NULL, EX_TEMPFAIL, reason);
}

/* --- what is handed over --- */

static void record_descriptors(struct supervisor *supervisor, struct state *out)
{
	out->lock_fd = supervisor->runtime_dir.lock_fd;
	out->pidfile_fd = supervisor->pidfile.fd;
	out->pidfile_path = supervisor->pidfile.path;
	out->reports_read_fd = supervisor->reports.read_fd;
	out->reports_write_fd = supervisor->reports.write_fd;
	if (supervisor->control) {
		out->control_fd = control_listening_fd(supervisor->control);
		out->control_path = (char *)control_path_of(supervisor->control);
		out->stream_fd = memory_alloc(CONTROL_STREAMS_MAX * sizeof(int));
		out->stream_fd_count = control_streaming_fds(
			supervisor->control, out->stream_fd, CONTROL_STREAMS_MAX);
	}
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_record_streams(supervisor->pool[i], &out->pool[i]);
}

static void record_waits(const struct supervisor *supervisor, struct state *out)
{
	const struct strangers *strangers = &supervisor->strangers;
	const struct control_waits *waits = &supervisor->waits;

	out->last_id = supervisor->events.last_id;
	out->upgrade_id = supervisor->upgrade.id;
	out->drain_id = waits->drain_id;
	out->wait = memory_alloc(waits->count * sizeof(*out->wait) + 1);
	for (size_t i = 0; i < waits->count; i++)
		out->wait[out->wait_count++] = (struct state_wait){.id = waits->wait[i].id,
			.pool = waits->wait[i].pool,
			.slot = waits->wait[i].slot,
			.pid = waits->wait[i].pid};
	out->stranger = memory_alloc(strangers->count * sizeof(*out->stranger) + 1);
	for (size_t i = 0; i < strangers->count; i++)
		out->stranger[out->stranger_count++] =
			(struct state_stranger){.pid = strangers->before[i].pid,
				.started_ticks = strangers->before[i].started_ticks};
}

/* All of it in sealed memory; the state stays to be released. -1 with the reason. */
static int record(
	struct supervisor *supervisor, struct state *state, int64_t now_ms, struct errmsg *err)
{
	size_t length = 0;
	char *bytes;
	int fd = -1;

	*state = (struct state){0};
	if (!memory_ready())
		return errmsg_set(err, "no memory for the state");
	keeper_record(supervisor, state, now_ms);
	record_descriptors(supervisor, state);
	record_waits(supervisor, state);
	reload_record(&supervisor->reload, &state->reload);
	bytes = state->text ? state_to_bytes(state, &length) : NULL;
	if (bytes)
		fd = state_memory_make(bytes, length, err);
	else
		errmsg_set(err, "no memory for the state");
	free(bytes);
	return fd;
}

/* --- the check --- */

static void on_check_end(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;

	(void)events;
	ev_io_stop(loop, watcher);
	supervisor->upgrade.ended = true;
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct supervisor *supervisor = timer->data;

	(void)loop;
	(void)events;
	supervisor->upgrade.late = true;
	sys_pidfd_signal(supervisor->upgrade.pidfd, SIGKILL);
}

static int start_check(struct supervisor *supervisor, int memory_fd, struct errmsg *err)
{
	char option[] = "--check-state", number[] = "3";
	char *program = (char *)supervisor->options->program;
	char *const argv[] = {program, option, number, NULL};
	const int fd[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, memory_fd};
	const struct identity ours = {0};
	const struct spawn_plan plan = {
		.path = program,
		.argv = argv,
		.envp = environ,
		.fd = fd,
		.fd_count = CHECK_FD + 1,
		.identity = &ours,
		.umask = -1,
	};
	struct upgrade *upgrade = &supervisor->upgrade;
	struct spawned spawned;

	if (spawn_start(&spawned, &plan, &supervisor->reports, err) < 0)
		return -1;
	upgrade->pid = spawned.pid;
	upgrade->pidfd = spawned.pidfd;
	upgrade->ended = upgrade->late = false;
	upgrade->failure.pid = 0;
	ev_io_init(&upgrade->exit_watcher, on_check_end, upgrade->pidfd, EV_READ);
	ev_timer_init(&upgrade->limit, on_limit, CHECK_LIMIT_SEC, 0.);
	upgrade->exit_watcher.data = upgrade->limit.data = supervisor;
	ev_io_start(supervisor->loop, &upgrade->exit_watcher);
	ev_timer_start(supervisor->loop, &upgrade->limit);
	return 0;
}

static void begin(struct supervisor *supervisor, int64_t now_ms)
{
	struct state state;
	struct errmsg err;
	int fd, result = -1;

	supervisor->upgrade.asked = false;
	if (!supervisor->options->program) {
		fail(supervisor, "where our program is cannot be found out (no /proc?)");
		return;
	}
	fd = record(supervisor, &state, now_ms, &err);
	keeper_release(&state);
	if (fd >= 0)
		result = start_check(supervisor, fd, &err);
	if (fd >= 0)
		sys_close(fd);
	if (result < 0) {
		fail(supervisor, err.text);
		return;
	}
	supervisor->upgrade.step = UPGRADE_CHECKING;
	log_notice(NULL, "upgrade: checking %s", supervisor->options->program);
}

static void end_check(struct supervisor *supervisor, siginfo_t *info)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	ev_io_stop(supervisor->loop, &upgrade->exit_watcher);
	ev_timer_stop(supervisor->loop, &upgrade->limit);
	if (sys_wait_child(upgrade->pid, info, WNOHANG) < 0)
		info->si_code = 0;
	sys_close(upgrade->pidfd);
	upgrade->pid = 0;
}

/* 0: the new program can go on with what we have; -1 with the reason. */
static int judge(const struct upgrade *upgrade, const char *program, const siginfo_t *info,
	struct errmsg *err)
{
	const int status = info->si_status;

	if (upgrade->failure.pid) {
		errno = upgrade->failure.error;
		return errmsg_errno(err, "%s: %s", program, spawn_step_name(upgrade->failure.step));
	}
	if (upgrade->late)
		return errmsg_set(err, "%s did not read the state within %d s", program,
			(int)CHECK_LIMIT_SEC);
	if (info->si_code == CLD_EXITED && status == EX_OK)
		return 0;
	if (info->si_code == CLD_EXITED && status == EX_DATAERR)
		return errmsg_set(
			err, "%s cannot read our state (version %d)", program, STATE_VERSION);
	if (info->si_code == CLD_EXITED && status == EX_CONFIG)
		return errmsg_set(err, "%s finds faults in the running configuration", program);
	if (info->si_code == CLD_EXITED)
		return errmsg_set(err, "%s exits with status %d", program, status);
	return errmsg_set(err, "%s ended by signal %s", program, signal_name(status));
}

static void take_check(struct supervisor *supervisor)
{
	siginfo_t info = {0};
	struct errmsg err;

	end_check(supervisor, &info);
	if (judge(&supervisor->upgrade, supervisor->options->program, &info, &err) < 0)
		fail(supervisor, err.text);
	else
		supervisor->upgrade.step = UPGRADE_CHECKED;
}

/* --- the exec --- */

static void keep(void *context, int fd)
{
	(void)context;
	fcntl(fd, F_SETFD, 0);
}

static void keep_not(void *context, int fd)
{
	(void)context;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Returns only on failure. */
static void become(struct supervisor *supervisor, int64_t now_ms)
{
	char config[] = "-c", resume[] = "--resume";
	char *program = (char *)supervisor->options->program;
	char number[16];
	char *const argv[] = {
		program, config, (char *)supervisor->options->config_path, resume, number, NULL};
	struct state state;
	struct errmsg err;
	int fd = record(supervisor, &state, now_ms, &err);

	if (fd >= 0) {
		snprintf(number, sizeof(number), "%d", fd);
		keep(NULL, fd);
		state_each_fd(&state, keep, NULL);
		execve(program, argv, environ);
		errmsg_errno(&err, "exec of %s", program);
		state_each_fd(&state, keep_not, NULL);
		sys_close(fd);
	}
	keeper_release(&state);
	fail(supervisor, err.text);
}

/* What would not survive the exec is waited for. */
static bool may_become(const struct supervisor *supervisor)
{
	return supervisor->phase == PHASE_RUNNING && !supervisor->walk.on &&
	       supervisor->reload.state != RELOAD_ROLLING && !supervisor->reload.asked &&
	       supervisor->leavers.count == 0;
}

void upgrade_look(struct supervisor *supervisor, int64_t now_ms)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	if (upgrade->step == UPGRADE_CHECKING && upgrade->ended)
		take_check(supervisor);
	if (upgrade->step == UPGRADE_NONE && upgrade->asked && may_become(supervisor))
		begin(supervisor, now_ms);
	if (upgrade->step == UPGRADE_CHECKED && may_become(supervisor))
		become(supervisor, now_ms);
}

/* --- from outside --- */

uint64_t upgrade_ask(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	if (upgrade->step != UPGRADE_NONE) {
		log_info(NULL, "an upgrade is under way already");
		return upgrade->id;
	}
	if (!upgrade->asked) {
		upgrade->id = events_new_id(&supervisor->events);
		if (!may_become(supervisor))
			log_notice(NULL, "the upgrade waits for what is under way");
	}
	upgrade->asked = true;
	supervisor->place.changed(supervisor);
	return upgrade->id;
}

bool upgrade_owns(const struct upgrade *upgrade, pid_t pid)
{
	return upgrade->pid == pid && pid != 0;
}

bool upgrade_take_report(struct upgrade *upgrade, const struct spawn_report *report)
{
	if (!upgrade_owns(upgrade, report->pid))
		return false;
	upgrade->failure = *report;
	return true;
}

void upgrade_abandon(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	siginfo_t info;

	if (upgrade->asked || upgrade->step != UPGRADE_NONE)
		events_finished(&supervisor->events, upgrade->id, "upgrade", NULL, EX_TEMPFAIL,
			"the supervisor is stopping");
	upgrade->asked = false;
	if (upgrade->step == UPGRADE_CHECKING) {
		sys_pidfd_signal(upgrade->pidfd, SIGKILL);
		end_check(supervisor, &info);
	}
	upgrade->step = UPGRADE_NONE;
}

void upgrade_finish(struct supervisor *supervisor)
{
	size_t workers = 0;
	char text[128];

	for (size_t i = 0; i < supervisor->pool_count; i++)
		workers += (size_t)supervisor->pool[i]->present;
	snprintf(text, sizeof(text), "preforkd %s goes on with %zu workers",
		supervisor->options->version, workers);
	log_notice(NULL, "upgraded: %s", text);
	events_finished(&supervisor->events, supervisor->upgrade.id, "upgrade", NULL, EX_OK, text);
}
