/*
 * The calls of the C library that the supervisor makes, each of which can be made to fail: the
 * linker leads them here (--wrap, list in tests/faults/wrapped), so the product's sources know
 * nothing of it. Left out are those that cannot fail as they are used, and those that only a
 * child makes between fork and exec.
 */
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"

#define STRIKES(name, kind, error)                                                                 \
	fault_strikes(name, kind, error, __builtin_extract_return_addr(__builtin_return_address(0)))

#define WRAP(kind, type, failure, name, error, parameters, arguments)                              \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (STRIKES(#name, kind, error))                                                   \
			return failure;                                                            \
		return __real_##name arguments;                                                    \
	}

#define NUMBER(name, error, parameters, arguments)                                                 \
	WRAP(FAULT_SYSTEM, int, -1, name, error, parameters, arguments)
#define LENGTH(name, error, parameters, arguments)                                                 \
	WRAP(FAULT_SYSTEM, ssize_t, -1, name, error, parameters, arguments)
#define POINTER(type, name, error, parameters, arguments)                                          \
	WRAP(FAULT_SYSTEM, type *, NULL, name, error, parameters, arguments)
/* The error is the result. */
#define ERROR(name, error, parameters, arguments)                                                  \
	WRAP(FAULT_SYSTEM, int, error, name, error, parameters, arguments)
#define MEMORY(type, name, parameters, arguments)                                                  \
	WRAP(FAULT_MEMORY, type *, NULL, name, ENOMEM, parameters, arguments)

/* --- files --- */

NUMBER(access, EACCES, (const char *path, int mode), (path, mode))
NUMBER(chdir, EACCES, (const char *path), (path))
NUMBER(chmod, EPERM, (const char *path, mode_t mode), (path, mode))
NUMBER(euidaccess, EACCES, (const char *path, int mode), (path, mode))
NUMBER(fchmod, EPERM, (int fd, mode_t mode), (fd, mode))
NUMBER(fchmodat, EPERM, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
NUMBER(fchown, EPERM, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
NUMBER(fchownat, EPERM, (int fd, const char *path, uid_t uid, gid_t gid, int flags),
	(fd, path, uid, gid, flags))
NUMBER(fflush, EIO, (FILE * file), (file))
NUMBER(flock, ENOLCK, (int fd, int operation), (fd, operation))
NUMBER(fstat, ENOMEM, (int fd, struct stat *found), (fd, found))
NUMBER(fstatat, ENOMEM, (int fd, const char *path, struct stat *found, int flags),
	(fd, path, found, flags))
NUMBER(ftruncate, ENOSPC, (int fd, off_t length), (fd, length))
NUMBER(linkat, ENOSPC, (int from, const char *old, int to, const char *new, int flags),
	(from, old, to, new, flags))
NUMBER(lstat, ENOMEM, (const char *path, struct stat *found), (path, found))
NUMBER(memfd_create, EMFILE, (const char *name, unsigned flags), (name, flags))
NUMBER(mkdirat, ENOSPC, (int fd, const char *path, mode_t mode), (fd, path, mode))
NUMBER(pipe2, EMFILE, (int end[2], int flags), (end, flags))
NUMBER(rename, ENOSPC, (const char *from, const char *to), (from, to))
NUMBER(renameat, ENOSPC, (int from, const char *old, int to, const char *new), (from, old, to, new))
NUMBER(rmdir, EIO, (const char *path), (path))
NUMBER(stat, ENOMEM, (const char *path, struct stat *found), (path, found))
NUMBER(unlink, EIO, (const char *path), (path))
NUMBER(unlinkat, EIO, (int fd, const char *path, int flags), (fd, path, flags))
NUMBER(inotify_add_watch, ENOSPC, (int fd, const char *path, uint32_t mask), (fd, path, mask))
NUMBER(inotify_init1, EMFILE, (int flags), (flags))
NUMBER(inotify_rm_watch, EINVAL, (int fd, int watch), (fd, watch))
LENGTH(pread, EIO, (int fd, void *into, size_t bytes, off_t at), (fd, into, bytes, at))
LENGTH(pwrite, ENOSPC, (int fd, const void *from, size_t bytes, off_t at), (fd, from, bytes, at))
LENGTH(read, ENOMEM, (int fd, void *into, size_t bytes), (fd, into, bytes))
LENGTH(readlink, ENOMEM, (const char *path, char *into, size_t bytes), (path, into, bytes))
LENGTH(write, ENOSPC, (int fd, const void *from, size_t bytes), (fd, from, bytes))
LENGTH(writev, ENOSPC, (int fd, const struct iovec *from, int count), (fd, from, count))
POINTER(FILE, fopen, EMFILE, (const char *path, const char *mode), (path, mode))
POINTER(DIR, opendir, EMFILE, (const char *path), (path))
POINTER(char, realpath, ENOMEM, (const char *path, char *into), (path, into))
POINTER(char, getcwd, ENOENT, (char *into, size_t bytes), (into, bytes))
ERROR(glob, GLOB_NOSPACE,
	(const char *pattern, int flags, int (*failed)(const char *path, int error), glob_t *found),
	(pattern, flags, failed, found))

/* The optional argument is passed on whether it is there or not, as any ABI of Linux allows. */
NUMBER(open, EMFILE, (const char *path, int flags, mode_t mode), (path, flags, mode))
NUMBER(openat, EMFILE, (int fd, const char *path, int flags, mode_t mode), (fd, path, flags, mode))
NUMBER(ioctl, ENOMEM, (int fd, unsigned long request, void *argument), (fd, request, argument))

/* What was to be closed is, as in the kernel. */
#define CLOSE(name, type)                                                                          \
	int __real_##name(type);                                                                   \
	int __wrap_##name(type);                                                                   \
	int __wrap_##name(type open)                                                               \
	{                                                                                          \
		const bool strikes = STRIKES(#name, FAULT_SYSTEM, EIO);                            \
		int error = errno, result = __real_##name(open);                                   \
                                                                                                   \
		if (!strikes)                                                                      \
			return result;                                                             \
		errno = error;                                                                     \
		return -1;                                                                         \
	}
CLOSE(close, int)
CLOSE(fclose, FILE *)

/* What only looks, or sets a flag of an open descriptor, cannot fail. */
int __real_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_fcntl(int fd, int command, long argument)
{
	const bool may_fail = command == F_DUPFD_CLOEXEC || command == F_ADD_SEALS ||
			      command == F_SETPIPE_SZ || command == F_SETLK;

	if (may_fail && STRIKES("fcntl", FAULT_SYSTEM, EMFILE))
		return -1;
	return __real_fcntl(fd, command, argument);
}

/* --- sockets --- */

NUMBER(accept4, EMFILE, (int fd, struct sockaddr *from, socklen_t *length, int flags),
	(fd, from, length, flags))
NUMBER(bind, EADDRINUSE, (int fd, const struct sockaddr *to, socklen_t length), (fd, to, length))
NUMBER(connect, ECONNREFUSED, (int fd, const struct sockaddr *to, socklen_t length),
	(fd, to, length))
NUMBER(getsockname, ENOBUFS, (int fd, struct sockaddr *name, socklen_t *length), (fd, name, length))
NUMBER(getsockopt, ENOBUFS, (int fd, int level, int name, void *value, socklen_t *length),
	(fd, level, name, value, length))
NUMBER(listen, EADDRINUSE, (int fd, int backlog), (fd, backlog))
NUMBER(setsockopt, ENOMEM, (int fd, int level, int name, const void *value, socklen_t length),
	(fd, level, name, value, length))
NUMBER(socket, EMFILE, (int domain, int type, int protocol), (domain, type, protocol))
NUMBER(socketpair, EMFILE, (int domain, int type, int protocol, int pair[2]),
	(domain, type, protocol, pair))
LENGTH(recv, ENOMEM, (int fd, void *into, size_t bytes, int flags), (fd, into, bytes, flags))
LENGTH(recvmsg, ENOMEM, (int fd, struct msghdr *into, int flags), (fd, into, flags))
LENGTH(send, ENOBUFS, (int fd, const void *from, size_t bytes, int flags), (fd, from, bytes, flags))
LENGTH(sendmsg, ENOBUFS, (int fd, const struct msghdr *from, int flags), (fd, from, flags))
LENGTH(sendto, ENOBUFS,
	(int fd, const void *from, size_t bytes, int flags, const struct sockaddr *to,
		socklen_t length),
	(fd, from, bytes, flags, to, length))
ERROR(getaddrinfo, EAI_MEMORY,
	(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **found),
	(node, service, hints, found))

/* --- processes and users --- */

NUMBER(execve, EACCES, (const char *path, char *const argv[], char *const envp[]),
	(path, argv, envp))
NUMBER(fork, EAGAIN, (void), ())
NUMBER(poll, ENOMEM, (struct pollfd * at, nfds_t count, int limit), (at, count, limit))
NUMBER(setrlimit, EPERM, (int which, const struct rlimit *limit), (which, limit))
NUMBER(signalfd, EMFILE, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
NUMBER(waitid, EINTR, (idtype_t type, id_t id, siginfo_t *info, int options),
	(type, id, info, options))
ERROR(getgrgid_r, EMFILE,
	(gid_t gid, struct group *into, char *room, size_t bytes, struct group **found),
	(gid, into, room, bytes, found))
ERROR(getgrnam_r, EMFILE,
	(const char *name, struct group *into, char *room, size_t bytes, struct group **found),
	(name, into, room, bytes, found))
ERROR(getpwnam_r, EMFILE,
	(const char *name, struct passwd *into, char *room, size_t bytes, struct passwd **found),
	(name, into, room, bytes, found))
ERROR(getpwuid_r, EMFILE,
	(uid_t uid, struct passwd *into, char *room, size_t bytes, struct passwd **found),
	(uid, into, room, bytes, found))

/* As vfork(2) it cannot be wrapped, since a wrapper's frame would be gone; as clone(2) it has a
 * stack of its own. */
WRAP(FAULT_SYSTEM, int, -1, clone, EAGAIN,
	(int (*child)(void *), void *stack, int flags, void *argument),
	(child, stack, flags, argument))

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_pidfd_open && STRIKES("pidfd_open", FAULT_SYSTEM, EMFILE))
		return -1;
	if (number == SYS_pidfd_getfd && STRIKES("pidfd_getfd", FAULT_SYSTEM, EMFILE))
		return -1;
	return __real_syscall(number, a, b, c, d, e, f);
}

/* --- memory --- */

MEMORY(void, malloc, (size_t bytes), (bytes))
MEMORY(void, calloc, (size_t count, size_t bytes), (count, bytes))
MEMORY(void, realloc, (void *block, size_t bytes), (block, bytes))
MEMORY(void, reallocarray, (void *block, size_t count, size_t bytes), (block, count, bytes))
MEMORY(void, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes))
MEMORY(char, strdup, (const char *text), (text))
MEMORY(FILE, open_memstream, (char **text, size_t *bytes), (text, bytes))
WRAP(FAULT_MEMORY, int, -1, vasprintf, ENOMEM, (char **text, const char *format, va_list arguments),
	(text, format, arguments))

/* --- what libev and jansson do on our behalf: the first by taking precedence over libc --- */

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (operation != EPOLL_CTL_DEL && STRIKES("epoll_ctl", FAULT_SYSTEM, ENOMEM))
		return -1;
	return (int)__real_syscall(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int limit)
{
	if (STRIKES("epoll_wait", FAULT_SYSTEM, EINTR))
		return -1;
	return (int)__real_syscall(SYS_epoll_pwait, epoll, (long)events, count, limit, 0, 8);
}

static __attribute__((constructor)) void take_jansson(void)
{
	json_set_alloc_funcs(__wrap_malloc, free);
}
