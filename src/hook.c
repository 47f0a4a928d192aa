/*
 * Hooks: small processes beside the pool. They have their own watchers and hold nothing up; a hook
 * that cannot be started is logged and forgotten.
 */
#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "errmsg.h"
#include "launch.h"
#include "logger.h"
#include "memory.h"
#include "settings.h"
#include "sys.h"

struct hook {
	struct hooks *hooks;
	struct hook *next;
	struct log_subject subject; /* the worker it is about, with the hook's own pid */
	int pidfd;
	ev_io exit_watcher;
	ev_timer limit;
};

static void hook_free(struct hook *hook)
{
	struct hooks *hooks = hook->hooks;
	siginfo_t info = {0};

	sys_kill_group(hook->subject.pid, SIGKILL);
	if (sys_wait_child(hook->subject.pid, &info, 0) == 0 &&
		(info.si_code != CLD_EXITED || info.si_status != 0))
		log_warning(&hook->subject, "on_exit: ended with %s %d",
			info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	ev_io_stop(hooks->loop, &hook->exit_watcher);
	ev_timer_stop(hooks->loop, &hook->limit);
	sys_close(hook->pidfd);
	for (struct hook **link = &hooks->first; *link; link = &(*link)->next) {
		if (*link != hook)
			continue;
		*link = hook->next;
		break;
	}
	hooks->running--;
	free(hook);
}

static void on_hook_exit(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct hook *hook = watcher->data;
	struct hooks *hooks = hook->hooks;

	(void)loop;
	(void)events;
	hook_free(hook);
	hooks->changed(hooks->pool);
}

static void on_hook_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct hook *hook = timer->data;

	(void)loop;
	(void)events;
	log_warning(&hook->subject, "on_exit: killed after %d s", HOOK_TIMEOUT_SEC);
	sys_pidfd_signal(hook->pidfd, SIGKILL);
}

static void add_number(struct words *environment, const char *name, int64_t value)
{
	char *assignment = memory_format("%s=%" PRId64, name, value);

	words_add(environment, assignment);
	free(assignment);
}

static void build_environment(
	struct words *environment, const struct launch *launch, const struct worker_end *end)
{
	char *uptime = memory_format("PREFORKD_UPTIME=%.3f", (double)end->age_ms / 1000);

	for (size_t i = 0; i < launch->environment.count; i++)
		words_add(environment, launch->environment.word[i]);
	add_number(environment, "PREFORKD_SLOT", end->record.slot);
	add_number(environment, "PREFORKD_GENERATION", (int64_t)end->record.generation);
	add_number(environment, "PREFORKD_PID", end->record.pid);
	add_number(environment,
		end->code == CLD_EXITED ? "PREFORKD_EXIT_STATUS" : "PREFORKD_EXIT_SIGNAL",
		end->status);
	words_add(environment, uptime);
	free(uptime);
}

static int start_hook(struct spawned *spawned, struct hooks *hooks, const struct launch *launch,
	const struct words *command, struct words *environment, struct errmsg *err)
{
	const int fd[] = {launch->null_fd, STDOUT_FILENO, STDERR_FILENO};
	struct spawn_plan plan = launch->plan;
	char *path = command_find(
		command->word[0], getenv("PATH"), launch->plan.directory, launch->plan.chroot, err);
	int result;

	if (!path)
		return -1;
	plan.path = path;
	plan.argv = command->word;
	plan.envp = environment->word;
	plan.fd = fd;
	plan.fd_count = 3;
	result = spawn_start(spawned, &plan, hooks->reports, err);
	free(path);
	return result;
}

static void watch_hook(
	struct hooks *hooks, const struct spawned *spawned, const struct log_subject *subject)
{
	struct hook *hook = memory_alloc(sizeof(*hook));

	hook->hooks = hooks;
	hook->subject = *subject;
	hook->subject.pid = spawned->pid;
	hook->pidfd = spawned->pidfd;
	hook->next = hooks->first;
	hooks->first = hook;
	hooks->running++;
	ev_io_init(&hook->exit_watcher, on_hook_exit, hook->pidfd, EV_READ);
	ev_timer_init(&hook->limit, on_hook_limit, HOOK_TIMEOUT_SEC, 0);
	hook->exit_watcher.data = hook->limit.data = hook;
	ev_io_start(hooks->loop, &hook->exit_watcher);
	ev_timer_start(hooks->loop, &hook->limit);
}

void hooks_run_exit(struct hooks *hooks, const struct launch *launch, const struct words *command,
	const struct worker_end *end)
{
	struct log_subject subject = {.pool = launch->settings->name,
		.slot = end->record.slot,
		.pid = end->record.pid,
		.age_ms = end->age_ms};
	struct words environment = {0};
	struct spawned spawned;
	struct errmsg err;

	if (command->count == 0)
		return;
	if (hooks->running >= HOOKS_MAX) {
		if (hooks->left_out++ == 0)
			log_warning(
				&subject, "on_exit: left out, %d are running already", HOOKS_MAX);
		return;
	}
	build_environment(&environment, launch, end);
	if (start_hook(&spawned, hooks, launch, command, &environment, &err) < 0)
		log_warning(&subject, "on_exit: %s", err.text);
	else
		watch_hook(hooks, &spawned, &subject);
	words_free(&environment);
}

void hooks_end(struct hooks *hooks)
{
	while (hooks->first) {
		sys_pidfd_signal(hooks->first->pidfd, SIGKILL);
		hook_free(hooks->first);
	}
}

bool hooks_own_pid(const struct hooks *hooks, pid_t pid)
{
	for (const struct hook *hook = hooks->first; hook; hook = hook->next)
		if (hook->subject.pid == pid)
			return true;
	return false;
}
