/*
 * Strangers are peeked at (WNOWAIT) and reaped by their own number: wait for "any child" would take
 * a worker's status away from its slot.
 */
#include "strangers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger.h"
#include "memory.h"
#include "sys.h"

#define STAT_BYTES 512

bool strangers_reap(strangers_known *known, void *context)
{
	siginfo_t info;

	for (;;) {
		info = (siginfo_t){0};
		if (sys_wait_any(&info, WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return true;
		if (known(context, info.si_pid))
			return false;
		log_debug(NULL, "reaped the orphan %d", (int)info.si_pid);
		if (sys_wait_child(info.si_pid, &info, WNOHANG) < 0)
			return true;
	}
}

/* What /proc/PID/stat says of a process. */
struct process {
	pid_t pid, parent;
	unsigned long long started_ticks; /* since boot */
	char name[STAT_BYTES];            /* "PID (NAME)" */
};

/* The numbers follow the name, which may hold anything but ends at the last parenthesis: state,
 * parent, and as the twenty-second of all fields the start. */
static bool read_process(struct process *process, const char *pid)
{
	char path[64], stat[STAT_BYTES];
	const char *end;
	FILE *file;
	size_t bytes;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	bytes = fread(stat, 1, sizeof(stat) - 1, file);
	fclose(file);
	stat[bytes] = '\0';
	end = strrchr(stat, ')');
	if (!end || sscanf(end + 1,
			    " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			    "%*s %*s %llu",
			    &process->parent, &process->started_ticks) != 2)
		return false;
	process->pid = (pid_t)atoi(pid);
	snprintf(process->name, sizeof(process->name), "%.*s", (int)(end - stat) + 1, stat);
	return true;
}

/* The next child of ours in the list of all processes; false: there is none. */
static bool next_child(DIR *proc, struct process *child)
{
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
			read_process(child, entry->d_name) && child->parent == getpid())
			return true;
	return false;
}

/* Most often there is no child at all, and /proc is long. */
static DIR *open_children(void)
{
	siginfo_t info;

	if (sys_wait_any(&info, WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		return NULL;
	return opendir("/proc");
}

void strangers_find(struct strangers *strangers)
{
	struct process child;
	DIR *proc = open_children();

	*strangers = (struct strangers){0};
	while (next_child(proc, &child)) {
		strangers->before = memory_resize(
			strangers->before, strangers->count + 1, sizeof(*strangers->before));
		strangers->before[strangers->count++] =
			(struct stranger){child.pid, child.started_ticks};
	}
	if (proc)
		closedir(proc);
}

void strangers_forget(struct strangers *strangers)
{
	free(strangers->before);
	*strangers = (struct strangers){0};
}

static bool was_before(const struct strangers *strangers, const struct process *child)
{
	for (size_t i = 0; i < strangers->count; i++)
		if (strangers->before[i].pid == child->pid &&
			strangers->before[i].started_ticks == child->started_ticks)
			return true;
	return false;
}

/* KILL, and whether it is still there. It is our own unreaped child: its number cannot be anybody
 * else's. */
static bool kill_child(const struct process *child)
{
	siginfo_t info;

	if (kill(child->pid, SIGKILL) == 0)
		log_notice(NULL, "killed %s, left behind by a worker", child->name);
	return sys_wait_child(child->pid, &info, WNOHANG) == 0 && info.si_pid != child->pid;
}

int strangers_kill(const struct strangers *strangers, strangers_known *known, void *context)
{
	struct process child;
	DIR *proc = open_children();
	int left = 0;

	while (next_child(proc, &child))
		if (!was_before(strangers, &child) && !known(context, child.pid))
			left += kill_child(&child);
	if (proc)
		closedir(proc);
	return left;
}
