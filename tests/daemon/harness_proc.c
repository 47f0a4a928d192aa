/*
 * What /proc and the scoreboard tell about the processes of a test. Rule: looking never changes
 * anything, but for process_left(), which reaps orphans that came to the test as to init. A
 * process may vanish between two looks: what cannot be read is not there.
 */
#include "harness.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness_inside.h"

#define ENVIRON_BYTES_MAX 65536
#define BOARD_LINE        64

struct process {
	char state;
	pid_t parent;
	unsigned long long user_ticks, system_ticks;
};

/* The bytes of /proc/PID/NAME; how many; a NUL follows. */
static size_t proc_read(pid_t pid, const char *name, char *into, size_t size)
{
	char path[64];
	size_t length = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && length < size - 1 &&
		(got = read(fd, into + length, size - 1 - length)) > 0)
		length += (size_t)got;
	if (fd >= 0)
		close(fd);
	into[length] = '\0';
	return length;
}

static bool process_read(pid_t pid, struct process *process)
{
	char stat[1024];
	const char *after_name;
	int parent;

	if (proc_read(pid, "stat", stat, sizeof(stat)) == 0 || !(after_name = strrchr(stat, ')')))
		return false;
	if (sscanf(after_name + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		    &process->state, &parent, &process->user_ticks, &process->system_ticks) != 4)
		return false;
	process->parent = parent;
	return true;
}

/* Calls each() for every process of the machine. The janitor does so too: no ck_assert here. */
static void processes_walk(void (*each)(pid_t pid, void *context), void *context)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			each((pid_t)atoi(entry->d_name), context);
	}
	if (dir)
		closedir(dir);
}

char process_state(pid_t pid)
{
	struct process process;

	return process_read(pid, &process) ? process.state : 0;
}

bool process_runs(pid_t pid)
{
	char state = process_state(pid);

	return state != 0 && state != 'Z' && state != 'X';
}

int64_t process_cpu_ms(pid_t pid)
{
	struct process process;

	if (!process_read(pid, &process))
		return -1;
	return (int64_t)(process.user_ticks + process.system_ticks) * 1000 / sysconf(_SC_CLK_TCK);
}

long process_resident_kib(pid_t pid)
{
	char statm[128];
	long pages;

	proc_read(pid, "statm", statm, sizeof(statm));
	if (sscanf(statm, "%*d %ld", &pages) != 1)
		return -1;
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int process_descriptors(pid_t pid)
{
	char path[64];
	int count = -2; /* . and .. */

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* --- families --- */

struct family {
	pid_t parent;
	pid_t *pids;
	int count;
};

static void family_add(pid_t pid, void *context)
{
	struct family *family = context;
	struct process process;

	if (family->count < MANY_WORKERS && process_read(pid, &process) &&
		process.parent == family->parent)
		family->pids[family->count++] = pid;
}

int process_children(pid_t parent, pid_t pids[MANY_WORKERS])
{
	struct family family = {.parent = parent, .pids = pids};

	processes_walk(family_add, &family);
	return family.count;
}

int process_zombies(void)
{
	pid_t pids[MANY_WORKERS];
	int zombies = 0;

	for (int i = process_children(daemon_pid(), pids) - 1; i >= 0; i--)
		zombies += process_state(pids[i]) == 'Z';
	return zombies;
}

int process_left(void)
{
	pid_t pids[MANY_WORKERS];
	int left = 0;

	for (int i = process_children(getpid(), pids) - 1; i >= 0; i--) {
		if (pids[i] == janitor_pid() || waitpid(pids[i], NULL, WNOHANG) == pids[i])
			continue;
		left++;
	}
	return left;
}

/* --- workers --- */

static const char *environment_value(const char *environment, size_t length, const char *name)
{
	size_t name_length = strlen(name);

	for (const char *at = environment; at < environment + length; at += strlen(at) + 1) {
		if (strncmp(at, name, name_length) == 0 && at[name_length] == '=')
			return at + name_length + 1;
	}
	return NULL;
}

/* In the midst of exec it has none for a moment. */
static size_t environment_of(pid_t pid, char environment[ENVIRON_BYTES_MAX])
{
	size_t length = proc_read(pid, "environ", environment, ENVIRON_BYTES_MAX);

	for (int i = 0; i < 200 && length == 0 && process_runs(pid); i++) {
		nap_ms(1);
		length = proc_read(pid, "environ", environment, ENVIRON_BYTES_MAX);
	}
	return length;
}

/* Has it executed a worker's program? Before exec it has the supervisor's environment, a hook has
 * PREFORKD_PID. */
static bool is_worker(pid_t pid, const char *pool)
{
	static char environment[ENVIRON_BYTES_MAX];
	size_t length;
	const char *of;

	length = environment_of(pid, environment);
	of = environment_value(environment, length, "PREFORKD_POOL");
	return of && (!pool || strcmp(of, pool) == 0) &&
	       environment_value(environment, length, "PREFORKD_SLOT") &&
	       !environment_value(environment, length, "PREFORKD_PID");
}

static int workers_of(const char *pool, pid_t pids[MANY_WORKERS])
{
	int count = 0, children = daemon_pid() ? process_children(daemon_pid(), pids) : 0;

	for (int i = 0; i < children; i++) {
		if (is_worker(pids[i], pool))
			pids[count++] = pids[i];
	}
	return count;
}

int workers(pid_t pids[MANY_WORKERS])
{
	return workers_of(NULL, pids);
}

int worker_count(void)
{
	return worker_count_of(NULL);
}

int worker_count_of(const char *pool)
{
	pid_t pids[MANY_WORKERS];

	return workers_of(pool, pids);
}

pid_t worker_any(void)
{
	pid_t pids[MANY_WORKERS];

	WAIT_FOR(workers(pids) > 0);
	return pids[0];
}

static bool board_read(const char *pool, int slot, char line[BOARD_LINE])
{
	int fd = open(path_of("run/%s.scoreboard", pool), O_RDONLY | O_CLOEXEC);
	ssize_t got = pread(fd, line, BOARD_LINE, (off_t)slot * BOARD_LINE);

	if (fd >= 0)
		close(fd);
	return got == BOARD_LINE;
}

pid_t board_pid(const char *pool, int slot)
{
	char line[BOARD_LINE] = "";
	char pid[9] = "";

	if (!board_read(pool, slot, line))
		return 0;
	memcpy(pid, line + 3, 8);
	return (pid_t)atoi(pid);
}

pid_t worker_of(const char *pool, int slot)
{
	pid_t pid;

	WAIT_FOR((pid = board_pid(pool, slot)) > 1);
	return pid;
}

char board_byte(const char *pool, int slot, int at)
{
	char line[BOARD_LINE];

	return board_read(pool, slot, line) ? line[at] : 0;
}

/* --- the janitor's broom --- */

struct sweep {
	const char *folder;
	size_t folder_length;
	bool kills;
	int found;
};

static void sweep(pid_t pid, void *context)
{
	static char bytes[ENVIRON_BYTES_MAX];
	struct sweep *broom = context;
	bool named = false;

	if (pid == getpid() || !process_runs(pid))
		return;
	for (int i = 0; i < 2 && !named; i++) {
		size_t length = proc_read(pid, i ? "cmdline" : "environ", bytes, sizeof(bytes));

		named = memmem(bytes, length, broom->folder, broom->folder_length);
	}
	if (!named)
		return;
	broom->found++;
	if (broom->kills)
		kill(pid, SIGKILL);
}

int janitor_kill_all(const char *folder)
{
	struct sweep broom = {.folder = folder, .folder_length = strlen(folder), .kills = true};

	processes_walk(sweep, &broom);
	return broom.found;
}

int process_family(void)
{
	struct sweep look = {.folder = test_folder(), .folder_length = strlen(test_folder())};

	processes_walk(sweep, &look);
	return look.found;
}
