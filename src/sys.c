/*
 * The seam's real side: each function is the call it is named after and nothing more, so that there
 * is nothing in it to test. A rule, a retry or a message belongs to the caller.
 */
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_STACK_BYTES     32768
#define CHILD_STACK_ALIGNMENT 16

int64_t sys_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t sys_boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct start {
	void (*child)(void *argument);
	void *argument;
};

static int run_child(void *argument)
{
	const struct start *start = argument;

	start->child(start->argument);
	return 1;
}

/* vfork(2) but for the descriptors. We wait until the child needs its stack no more. It is no part
 * of ours, where AddressSanitizer would take what the child left behind for our own. */
static pid_t fork_sharing(struct start *start)
{
	char *stack = aligned_alloc(CHILD_STACK_ALIGNMENT, CHILD_STACK_BYTES);
	int saved;
	pid_t pid;

	if (!stack)
		return -1;
	pid = clone(run_child, stack + CHILD_STACK_BYTES,
		CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, start);
	saved = errno;
	free(stack);
	errno = saved;
	return pid;
}

pid_t sys_fork(bool share, void (*child)(void *argument), void *argument)
{
	struct start start = {child, argument};
	pid_t pid;

	if (share)
		return fork_sharing(&start);
	pid = fork();
	if (pid == 0)
		child(argument);
	return pid;
}

int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int sys_pidfd_signal(int pidfd, int signal_number)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

int sys_kill_child(pid_t child, int signal_number)
{
	return kill(child, signal_number);
}

int sys_kill_group(pid_t group, int signal_number)
{
	return kill(-group, signal_number);
}

int sys_wait_child(pid_t pid, siginfo_t *info, int options)
{
	info->si_pid = 0;
	return waitid(P_PID, (id_t)pid, info, WEXITED | options);
}

int sys_wait_any(siginfo_t *info, int options)
{
	info->si_pid = 0;
	return waitid(P_ALL, 0, info, WEXITED | options);
}

pid_t sys_process_group(pid_t pid)
{
	return getpgid(pid);
}

int64_t sys_resident_bytes(pid_t pid)
{
	char path[32], text[128];
	ssize_t length;
	long pages;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	if (sscanf(text, "%*s %ld", &pages) != 1)
		return -1;
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

int sys_open(const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
}

int sys_pipe(int end[2])
{
	return pipe2(end, O_CLOEXEC | O_NONBLOCK);
}

int sys_close(int fd)
{
	return close(fd);
}

ssize_t sys_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
	return pread(fd, buffer, bytes, offset);
}

ssize_t sys_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
	return pwrite(fd, buffer, bytes, offset);
}
