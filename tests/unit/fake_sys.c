/*
 * A world without processes. It behaves as the kernel does where callers can tell: zombies until
 * reaped, ESRCH and ECHILD afterwards, pidfds that stay readable. What a right program can never do
 * ends the test by abort(3) with a message.
 */
#include "fake_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_time.h"
#include "sys.h"

#define BOOTTIME_AHEAD_MS 7000000

struct process {
	pid_t pid, group;
	bool child, ended, reaped, unkillable;
	int code, status; /* as in siginfo_t */
	int64_t resident_bytes;
};

struct pidfd {
	int fd;
	int end; /* our own descriptor of the same eventfd */
	pid_t pid;
};

struct order {
	unsigned countdown;
	int error, always;
};

static struct {
	pid_t next_pid, last_pid;
	struct process *process;
	size_t process_count;
	struct pidfd *pidfd;
	size_t pidfd_count;
	struct fake_signal *signal;
	size_t signal_count;
	struct order order[FAKE_CALLS];
	unsigned count[FAKE_CALLS];
	unsigned strays;
	fake_signal_hook *hook;
	void *hook_context;
} world = {.next_pid = FAKE_FIRST_PID};

void fake_sys_reset(void)
{
	size_t i;

	for (i = 0; i < world.pidfd_count; i++)
		close(world.pidfd[i].end);
	free(world.process);
	free(world.pidfd);
	free(world.signal);
	memset(&world, 0, sizeof(world));
	world.next_pid = FAKE_FIRST_PID;
	fake_time_reset();
}

/* --- failing by order --- */

void fake_sys_fail(enum fake_call call, unsigned nth, int error)
{
	world.order[call].countdown = nth;
	world.order[call].error = error;
}

void fake_sys_break(enum fake_call call, int error)
{
	world.order[call].always = error;
}

unsigned fake_sys_count(enum fake_call call)
{
	return world.count[call];
}

static int error_ordered(enum fake_call call)
{
	struct order *order = &world.order[call];

	world.count[call]++;
	if (order->countdown && --order->countdown == 0)
		return order->error;
	return order->always;
}

/* Counts a call; true: it is to fail, and errno is set. */
static bool fails(enum fake_call call)
{
	int any, one;

	any = error_ordered(FAKE_ANY);
	one = error_ordered(call);
	if (any || one)
		errno = any ? any : one;
	return any || one;
}

/* --- processes --- */

/* The newest of that number, so that a pid can be reused. */
static struct process *find_process(pid_t pid)
{
	size_t i;

	for (i = world.process_count; i-- > 0;) {
		if (world.process[i].pid == pid)
			return &world.process[i];
	}
	return NULL;
}

static struct process *must_find(pid_t pid)
{
	struct process *process = find_process(pid);

	if (!process)
		fake_impossible("the test names a process that never was");
	return process;
}

static pid_t new_process(bool child)
{
	pid_t pid = world.next_pid++;

	world.process = fake_append(world.process, &world.process_count, sizeof(struct process));
	world.process[world.process_count - 1] =
		(struct process){.pid = pid, .group = pid, .child = child};
	return pid;
}

static void end_process(pid_t pid, int code, int status)
{
	struct process *process = must_find(pid);
	const uint64_t one = 1;
	size_t i;

	if (process->ended)
		fake_impossible("the test ends a process twice");
	process->ended = true;
	process->code = code;
	process->status = status;
	process->reaped = !process->child; /* by its own parent */
	for (i = 0; i < world.pidfd_count; i++) {
		if (world.pidfd[i].pid == pid && write(world.pidfd[i].end, &one, sizeof(one)) < 0)
			fake_impossible("an eventfd cannot be written");
	}
}

pid_t fake_sys_last_pid(void)
{
	return world.last_pid;
}

void fake_sys_next_pid(pid_t pid)
{
	const struct process *process = find_process(pid);

	if (process && !process->reaped)
		fake_impossible("the test reuses a pid that is still taken");
	world.next_pid = pid;
}

pid_t fake_sys_foreign_process(void)
{
	return new_process(false);
}

pid_t fake_sys_orphan(int status)
{
	pid_t pid = new_process(true);

	fake_sys_exit(pid, status);
	return pid;
}

void fake_sys_set_group(pid_t pid, pid_t group)
{
	must_find(pid)->group = group;
}

void fake_sys_set_resident_bytes(pid_t pid, int64_t bytes)
{
	must_find(pid)->resident_bytes = bytes;
}

void fake_sys_exit(pid_t pid, int status)
{
	end_process(pid, CLD_EXITED, status);
}

void fake_sys_end_by_signal(pid_t pid, int number)
{
	end_process(pid, CLD_KILLED, number);
}

void fake_sys_set_unkillable(pid_t pid, bool unkillable)
{
	must_find(pid)->unkillable = unkillable;
}

void fake_sys_on_signal(fake_signal_hook *hook, void *context)
{
	world.hook = hook;
	world.hook_context = context;
}

bool fake_sys_alive(pid_t pid)
{
	const struct process *process = find_process(pid);

	return process && !process->ended;
}

bool fake_sys_is_zombie(pid_t pid)
{
	const struct process *process = find_process(pid);

	return process && process->ended && !process->reaped;
}

unsigned fake_sys_living(void)
{
	unsigned living = 0;
	size_t i;

	for (i = 0; i < world.process_count; i++)
		living += !world.process[i].ended;
	return living;
}

unsigned fake_sys_zombies(void)
{
	unsigned zombies = 0;
	size_t i;

	for (i = 0; i < world.process_count; i++)
		zombies += world.process[i].ended && !world.process[i].reaped;
	return zombies;
}

/* --- signals --- */

size_t fake_sys_signal_count(void)
{
	return world.signal_count;
}

const struct fake_signal *fake_sys_signal(size_t index)
{
	if (index >= world.signal_count)
		fake_impossible("the test asks for a signal that was not sent");
	return &world.signal[index];
}

static unsigned count_signals(pid_t pid, int number, bool group)
{
	unsigned count = 0;
	size_t i;

	for (i = 0; i < world.signal_count; i++) {
		const struct fake_signal *sent = &world.signal[i];

		count += sent->pid == pid && sent->group == group &&
			 (!number || sent->number == number);
	}
	return count;
}

unsigned fake_sys_signals_to(pid_t pid, int number)
{
	return count_signals(pid, number, false);
}

unsigned fake_sys_group_signals_to(pid_t group, int number)
{
	return count_signals(group, number, true);
}

unsigned fake_sys_strays(void)
{
	return world.strays;
}

/* To a process that is there, if only as a zombie. */
static void deliver(pid_t pid, int number, bool group)
{
	struct process *process = must_find(pid);
	struct fake_signal sent = {fake_sys_now_ms(), pid, number, group};

	world.signal = fake_append(world.signal, &world.signal_count, sizeof(sent));
	world.signal[world.signal_count - 1] = sent;
	if (process->ended)
		return;
	if (number == SIGKILL && !process->unkillable)
		fake_sys_end_by_signal(pid, SIGKILL);
	if (world.hook)
		world.hook(pid, number, group, world.hook_context);
}

static int no_such_process(void)
{
	errno = ESRCH;
	return -1;
}

/* By number, where a mistake hits somebody else. */
static int signal_by_number(pid_t pid, int number, bool group)
{
	const struct process *process = pid > 1 ? find_process(pid) : NULL;

	if (!process || (process->child && process->reaped)) {
		world.strays++;
		return no_such_process();
	}
	if (process->reaped)
		return no_such_process();
	deliver(pid, number, group);
	return 0;
}

/* --- the seam --- */

pid_t sys_fork(bool share_memory, void (*child)(void *argument), void *argument)
{
	(void)share_memory;
	(void)child;
	(void)argument;
	if (fails(FAKE_FORK))
		return -1;
	world.last_pid = new_process(true);
	return world.last_pid;
}

static void forget_pidfd(int fd)
{
	size_t i;

	for (i = 0; i < world.pidfd_count; i++) {
		if (world.pidfd[i].fd != fd)
			continue;
		close(world.pidfd[i].end);
		world.pidfd[i] = world.pidfd[--world.pidfd_count];
		return;
	}
}

int sys_pidfd_open(pid_t pid)
{
	const struct process *process;
	struct pidfd pidfd = {.pid = pid};

	if (fails(FAKE_PIDFD_OPEN))
		return -1;
	if (pid == getpid())
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	process = find_process(pid);
	if (!process || process->reaped)
		return no_such_process();
	pidfd.fd = eventfd(process->ended, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pidfd.fd < 0)
		return -1;
	forget_pidfd(pidfd.fd); /* of one that was closed with close(2) */
	pidfd.end = fcntl(pidfd.fd, F_DUPFD_CLOEXEC, 0);
	if (pidfd.end < 0)
		fake_impossible("no descriptor left for the fake itself");
	world.pidfd = fake_append(world.pidfd, &world.pidfd_count, sizeof(pidfd));
	world.pidfd[world.pidfd_count - 1] = pidfd;
	return pidfd.fd;
}

int sys_pidfd_signal(int pidfd, int signal_number)
{
	size_t i;

	if (fails(FAKE_PIDFD_SIGNAL))
		return -1;
	for (i = 0; i < world.pidfd_count; i++) {
		if (world.pidfd[i].fd != pidfd)
			continue;
		if (must_find(world.pidfd[i].pid)->reaped)
			return no_such_process();
		deliver(world.pidfd[i].pid, signal_number, false);
		return 0;
	}
	errno = EBADF;
	return -1;
}

int sys_kill_child(pid_t child, int signal_number)
{
	if (fails(FAKE_KILL_CHILD))
		return -1;
	return signal_by_number(child, signal_number, false);
}

int sys_kill_group(pid_t group, int signal_number)
{
	if (fails(FAKE_KILL_GROUP))
		return -1;
	return signal_by_number(group, signal_number, true);
}

static int take_end(struct process *process, siginfo_t *info, int options)
{
	info->si_signo = SIGCHLD;
	info->si_pid = process->pid;
	info->si_code = process->code;
	info->si_status = process->status;
	if (!(options & WNOWAIT))
		process->reaped = true;
	return 0;
}

static int nobody_ended(int children, int options)
{
	if (!children) {
		errno = ECHILD;
		return -1;
	}
	if (!(options & WNOHANG))
		fake_impossible("waits for a process that does not end: the supervisor would hang");
	return 0;
}

int sys_wait_child(pid_t pid, siginfo_t *info, int options)
{
	struct process *process;

	info->si_pid = 0;
	if (fails(FAKE_WAIT))
		return -1;
	process = find_process(pid);
	if (!process || !process->child || process->reaped)
		return nobody_ended(0, options);
	if (!process->ended)
		return nobody_ended(1, options);
	return take_end(process, info, options);
}

int sys_wait_any(siginfo_t *info, int options)
{
	int children = 0;
	size_t i;

	info->si_pid = 0;
	if (fails(FAKE_WAIT))
		return -1;
	for (i = 0; i < world.process_count; i++) {
		struct process *process = &world.process[i];

		if (!process->child || process->reaped)
			continue;
		if (process->ended)
			return take_end(process, info, options);
		children++;
	}
	return nobody_ended(children, options);
}

pid_t sys_process_group(pid_t pid)
{
	const struct process *process;

	if (fails(FAKE_PROCESS_GROUP))
		return -1;
	process = find_process(pid);
	return process && !process->reaped ? process->group : no_such_process();
}

int64_t sys_resident_bytes(pid_t pid)
{
	const struct process *process;

	if (fails(FAKE_RESIDENT_BYTES))
		return -1;
	process = find_process(pid);
	if (!process || process->reaped)
		return no_such_process();
	return process->ended ? 0 : process->resident_bytes;
}

int sys_open(const char *path, int flags, mode_t mode)
{
	return fails(FAKE_OPEN) ? -1 : open(path, flags, mode);
}

int sys_pipe(int end[2])
{
	return fails(FAKE_PIPE) ? -1 : pipe2(end, O_CLOEXEC | O_NONBLOCK);
}

int sys_close(int fd)
{
	bool failed = fails(FAKE_CLOSE);
	int error = errno;
	int result;

	forget_pidfd(fd);
	result = close(fd);
	if (!failed)
		return result;
	errno = error;
	return -1;
}

ssize_t sys_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
	return fails(FAKE_PREAD) ? -1 : pread(fd, buffer, bytes, offset);
}

ssize_t sys_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	return fails(FAKE_PWRITE) ? -1 : pwrite(fd, buffer, bytes, offset);
}

/* --- time and descriptors --- */

int64_t sys_now_ms(void)
{
	return fake_sys_now_ms();
}

int64_t sys_boottime_ns(void)
{
	return (fake_sys_now_ms() + BOOTTIME_AHEAD_MS) * 1000000;
}

unsigned fake_sys_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!folder)
		fake_impossible("no /proc");
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 3 - (unsigned)world.pidfd_count; /* . and .. and the folder itself */
}
