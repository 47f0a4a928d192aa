/*
 * Hooks: small processes beside the pool. They have their own watchers and hold nothing up; a hook
 * that cannot be started is logged and forgotten.
 */
#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
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
	const char *key;            /* on_exit, ... */
	struct log_subject subject; /* the worker it is about, with the hook's own pid */
	int pidfd;
	bool killed;
	ev_io exit_watcher;
	ev_timer limit;
};

__attribute__((format(printf, 4, 5))) static void complain(struct hooks *hooks, const char *key,
	const struct log_subject *subject, const char *format, ...)
{
	struct errmsg text;
	uint64_t held_back;
	va_list arguments;

	if (!rate_limit_pass(&hooks->telling, sys_now_ms(), &held_back))
		return;
	va_start(arguments, format);
	vsnprintf(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	if (held_back > 0)
		log_warning(subject, "%s: %s (and %" PRIu64 " complaints before)", key, text.text,
			held_back);
	else
		log_warning(subject, "%s: %s", key, text.text);
}

static void hook_free(struct hook *hook)
{
	struct hooks *hooks = hook->hooks;
	siginfo_t info = {0};

	sys_kill_group(hook->subject.pid, SIGKILL);
	/* One that has not ended yet will be reaped as any stranger. */
	if (sys_wait_child(hook->subject.pid, &info, WNOHANG) == 0 && info.si_pid != 0 &&
		(info.si_code != CLD_EXITED || info.si_status != 0))
		complain(hooks, hook->key, &hook->subject, "ended with %s %d",
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

	struct hooks *hooks = hook->hooks;

	(void)loop;
	(void)events;
	if (hook->killed) {
		complain(hooks, hook->key, &hook->subject,
			"still there %d s after KILL, not waited for", HOOK_TIMEOUT_SEC);
		hook_free(hook);
		hooks->changed(hooks->pool);
		return;
	}
	complain(hooks, hook->key, &hook->subject, "killed after %d s", HOOK_TIMEOUT_SEC);
	hook->killed = true;
	sys_pidfd_signal(hook->pidfd, SIGKILL);
	sys_kill_group(hook->subject.pid, SIGKILL);
}

static void add_number(struct words *environment, const char *name, int64_t value)
{
	char *assignment = memory_format("%s=%" PRId64, name, value);

	words_add(environment, assignment);
	free(assignment);
}

/* A hook has no descriptors but 0-2. */
static bool names_descriptors(const char *assignment)
{
	static const char *const prefixes[] = {"LISTEN_FD", "EINHORN_FD_",
		"SERVER_STARTER_PORT=", "PREFORKD_SCOREBOARD_FD=", "NOTIFY_SOCKET="};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(assignment, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static void build_environment(
	struct words *environment, const struct launch *launch, const struct hook_event *event)
{
	char *uptime = memory_format("PREFORKD_UPTIME=%.3f", (double)event->age_ms / 1000);

	for (size_t i = 0; i < launch->environment.count; i++)
		if (!names_descriptors(launch->environment.word[i]))
			words_add(environment, launch->environment.word[i]);
	add_number(environment, "PREFORKD_SLOT", event->slot);
	add_number(environment, "PREFORKD_GENERATION", (int64_t)event->generation);
	add_number(environment, "PREFORKD_PID", event->pid);
	if (event->end)
		add_number(environment,
			event->end->code == CLD_EXITED ? "PREFORKD_EXIT_STATUS"
						       : "PREFORKD_EXIT_SIGNAL",
			event->end->status);
	words_add(environment, uptime);
	free(uptime);
}

/* directory: the worker's, or NULL. */
static int start_hook(struct spawned *spawned, struct hooks *hooks, const struct launch *launch,
	const struct words *command, const struct words *environment, const char *directory,
	struct errmsg *err)
{
	const int fd[] = {launch->null_fd, STDOUT_FILENO, STDERR_FILENO};
	struct spawn_plan plan = launch->plan;
	char *path =
		command_find(command->word[0], getenv("PATH"), directory, launch->plan.chroot, err);
	int result;

	if (!path)
		return -1;
	plan.path = path;
	plan.argv = command->word;
	plan.envp = environment->word;
	plan.directory = directory;
	plan.fd = fd;
	plan.fd_count = 3;
	result = spawn_start(spawned, &plan, hooks->reports, err);
	free(path);
	return result;
}

static void watch_hook(struct hooks *hooks, const struct spawned *spawned, const char *key,
	const struct log_subject *subject)
{
	struct hook *hook = memory_alloc(sizeof(*hook));

	hook->hooks = hooks;
	hook->key = key;
	hook->subject = *subject;
	hook->subject.pid = spawned->pid;
	hook->pidfd = spawned->pidfd;
	hook->next = hooks->first;
	hooks->first = hook;
	hooks->running++;
	ev_io_init(&hook->exit_watcher, on_hook_exit, hook->pidfd, EV_READ);
	ev_timer_init(&hook->limit, on_hook_limit, HOOK_TIMEOUT_SEC, HOOK_TIMEOUT_SEC);
	hook->exit_watcher.data = hook->limit.data = hook;
	ev_io_start(hooks->loop, &hook->exit_watcher);
	ev_timer_start(hooks->loop, &hook->limit);
}

void hooks_run(struct hooks *hooks, const struct launch *launch, const struct words *command,
	const struct hook_event *event)
{
	const struct log_subject subject = {.pool = hooks->pool_name,
		.slot = event->slot,
		.pid = event->pid,
		.age_ms = event->age_ms};
	const char *folder = launch->settings->directory;
	struct words environment = {0};
	struct spawned spawned;
	struct errmsg err;
	char *directory;

	if (command->count == 0)
		return;
	if (hooks->running >= HOOKS_MAX) {
		complain(
			hooks, event->key, &subject, "left out, %d are running already", HOOKS_MAX);
		return;
	}
	build_environment(&environment, launch, event);
	directory = folder ? launch_expand(launch, folder, event->slot, &err) : NULL;
	if ((folder && !directory) ||
		start_hook(&spawned, hooks, launch, command, &environment, directory, &err) < 0)
		complain(hooks, event->key, &subject, "%s", err.text);
	else
		watch_hook(hooks, &spawned, event->key, &subject);
	words_free(&environment);
	free(directory);
}

void hooks_end(struct hooks *hooks)
{
	for (struct hook *hook = hooks->first, *next; hook; hook = next) {
		next = hook->next;
		sys_pidfd_signal(hook->pidfd, SIGKILL);
		hook_free(hook);
	}
}

bool hooks_own_pid(const struct hooks *hooks, pid_t pid)
{
	for (const struct hook *hook = hooks->first; hook; hook = hook->next)
		if (hook->subject.pid == pid)
			return true;
	return false;
}
