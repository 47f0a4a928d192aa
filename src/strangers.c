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

/* The parent in /proc/PID/stat: the second field after the name, which may hold anything but ends
 * at the last parenthesis. */
static pid_t parent_of(const char *pid, char name[STAT_BYTES])
{
	char path[64], stat[STAT_BYTES];
	const char *end;
	FILE *file;
	size_t bytes;
	int parent;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	bytes = fread(stat, 1, sizeof(stat) - 1, file);
	fclose(file);
	stat[bytes] = '\0';
	end = strrchr(stat, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	snprintf(name, STAT_BYTES, "%.*s", (int)(end - stat) + 1, stat);
	return parent;
}

int strangers_kill(strangers_known *known, void *context)
{
	char name[STAT_BYTES];
	struct dirent *entry;
	siginfo_t info;
	DIR *proc;
	int left = 0;

	/* Most often there is no child at all, and /proc is long. */
	if (sys_wait_any(&info, WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
		return 0;
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		const pid_t pid = (pid_t)atoi(entry->d_name);

		if (!isdigit((unsigned char)entry->d_name[0]) ||
			parent_of(entry->d_name, name) != getpid() || known(context, pid))
			continue;
		/* It is our own unreaped child: its number cannot be anybody else's. */
		if (kill(pid, SIGKILL) == 0) {
			log_notice(NULL, "killed %s, left behind by a worker", name);
			left++;
		}
		if (sys_wait_child(pid, &info, WNOHANG) == 0 && info.si_pid == pid)
			left--;
	}
	if (proc)
		closedir(proc);
	return left;
}
