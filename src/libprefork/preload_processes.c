/*
 * Processes that the worker forks: they hold its connections, may serve, and end. Rule: who is
 * forked is of the group until it ends or becomes another program; whoever comes otherwise (vfork,
 * clone) is none of our business, and its calls pass through.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "preload_fds.h"
#include "preload_group.h"
#include "preload_real.h"

static void fork_ended(int process, pid_t pid)
{
	int saved = errno;

	if (pid == 0)
		group_fork_child(process);
	else if (process >= 0 && pid < 0)
		group_fork_failed(process);
	else if (process >= 0)
		group_fork_parent(process, pid);
	errno = saved;
}

STAND_BEFORE(pid_t, fork, void)
{
	pid_t pid;
	int process;

	if (!group_is_ours())
		return REAL(fork)();
	process = group_fork_reserve();
	if (process >= 0)
		fds_hold_for(process);
	pid = REAL(fork)();
	fork_ended(process, pid);
	return pid;
}

/* --- the end --- */

static void leave(void)
{
	int saved = errno;

	if (group_is_ours() && !group_is_first())
		group_leave();
	errno = saved;
}

__attribute__((destructor)) static void leave_at_exit(void)
{
	leave();
}

STAND_BEFORE(void, _exit, int status)
{
	leave();
	REAL(_exit)(status);
	abort();
}

STAND_BEFORE(void, _Exit, int status)
{
	before__exit(status);
}

static pid_t reaped(pid_t pid, int status)
{
	int saved = errno;

	if (pid > 0 && (WIFEXITED(status) || WIFSIGNALED(status)) && group_is_ours())
		group_reaped(pid);
	errno = saved;
	return pid;
}

STAND_BEFORE(pid_t, wait4, pid_t pid, int *status, int options, struct rusage *usage)
{
	int unwanted;

	if (!status)
		status = &unwanted;
	return reaped(REAL(wait4)(pid, status, options, usage), *status);
}

STAND_BEFORE(pid_t, wait3, int *status, int options, struct rusage *usage)
{
	return before_wait4(-1, status, options, usage);
}

STAND_BEFORE(pid_t, waitpid, pid_t pid, int *status, int options)
{
	int unwanted;

	if (!status)
		status = &unwanted;
	return reaped(REAL(waitpid)(pid, status, options), *status);
}

STAND_BEFORE(pid_t, wait, int *status)
{
	return before_waitpid(-1, status, 0);
}

STAND_BEFORE(int, waitid, idtype_t type, id_t id, siginfo_t *info, int options)
{
	siginfo_t unwanted;
	int result;

	if (!info)
		info = &unwanted;
	info->si_pid = 0;
	result = REAL(waitid)(type, id, info, options);
	/* CLD_EXITED, CLD_KILLED, CLD_DUMPED; what is left to be reaped is still there */
	if (result == 0 && info->si_pid > 0 && info->si_code <= CLD_DUMPED && group_is_ours())
		group_reaped(info->si_pid);
	return result;
}

/* --- another program --- */

/* It keeps what it inherits, until it ends. The worker itself begins anew with the program. */
static void before_exec(void)
{
	int saved = errno;

	if (group_is_ours() && !group_is_first())
		fds_forget_cloexec();
	errno = saved;
}

STAND_BEFORE(int, execve, const char *path, char *const argv[], char *const envp[])
{
	before_exec();
	return REAL(execve)(path, argv, envp);
}

STAND_BEFORE(int, execv, const char *path, char *const argv[])
{
	before_exec();
	return REAL(execv)(path, argv);
}

STAND_BEFORE(int, execvp, const char *name, char *const argv[])
{
	before_exec();
	return REAL(execvp)(name, argv);
}

STAND_BEFORE(int, execvpe, const char *name, char *const argv[], char *const envp[])
{
	before_exec();
	return REAL(execvpe)(name, argv, envp);
}

/* The argument lists become arrays on the stack, as in libc. */
static int count_arguments(va_list arguments)
{
	va_list all;
	int count = 1;

	va_copy(all, arguments);
	while (va_arg(all, char *))
		count++;
	va_end(all);
	return count;
}

#define COLLECT(argv, first)                                                                       \
	va_list arguments;                                                                         \
	char **argv;                                                                               \
	va_start(arguments, first);                                                                \
	int count = count_arguments(arguments);                                                    \
	argv = __builtin_alloca(((size_t)count + 1) * sizeof(*argv));                              \
	argv[0] = (char *)(uintptr_t)first;                                                        \
	for (int i = 1; i <= count; i++)                                                           \
	argv[i] = va_arg(arguments, char *)

STAND_BEFORE(int, execl, const char *path, const char *first, ...)
{
	COLLECT(argv, first);
	va_end(arguments);
	return before_execv(path, argv);
}

STAND_BEFORE(int, execlp, const char *name, const char *first, ...)
{
	COLLECT(argv, first);
	va_end(arguments);
	return before_execvp(name, argv);
}

STAND_BEFORE(int, execle, const char *path, const char *first, ...)
{
	COLLECT(argv, first);
	char *const *envp = va_arg(arguments, char *const *);

	va_end(arguments);
	return before_execve(path, argv, envp);
}
