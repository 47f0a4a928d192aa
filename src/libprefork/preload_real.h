#ifndef PREFORKD_PRELOAD_REAL_H
#define PREFORKD_PRELOAD_REAL_H
/*
 * The preloaded library's way to the functions that it stands before.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is called in a program that was built with _FORTIFY_SOURCE. No header declares them. */
/* NOLINTBEGIN(bugprone-reserved-identifier): they are the C library's names */
ssize_t __read_chk(int fd, void *data, size_t bytes, size_t room);
ssize_t __recv_chk(int fd, void *data, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t bytes, size_t room, int flags,
	struct sockaddr *address, socklen_t *length);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	const sigset_t *mask, size_t room);
/* NOLINTEND(bugprone-reserved-identifier) */
int fcntl64(int fd, int command, ...);

#define REAL_CALLS(X)                                                                              \
	X(__poll_chk)                                                                              \
	X(__ppoll_chk)                                                                             \
	X(__read_chk)                                                                              \
	X(__recv_chk)                                                                              \
	X(__recvfrom_chk)                                                                          \
	X(_exit)                                                                                   \
	X(accept)                                                                                  \
	X(accept4)                                                                                 \
	X(close)                                                                                   \
	X(close_range)                                                                             \
	X(closefrom)                                                                               \
	X(dup)                                                                                     \
	X(dup2)                                                                                    \
	X(dup3)                                                                                    \
	X(epoll_ctl)                                                                               \
	X(epoll_pwait)                                                                             \
	X(epoll_pwait2)                                                                            \
	X(epoll_wait)                                                                              \
	X(execv)                                                                                   \
	X(execve)                                                                                  \
	X(execvp)                                                                                  \
	X(execvpe)                                                                                 \
	X(fclose)                                                                                  \
	X(fcntl)                                                                                   \
	X(fcntl64)                                                                                 \
	X(fork)                                                                                    \
	X(poll)                                                                                    \
	X(ppoll)                                                                                   \
	X(pselect)                                                                                 \
	X(read)                                                                                    \
	X(readv)                                                                                   \
	X(recv)                                                                                    \
	X(recvfrom)                                                                                \
	X(recvmsg)                                                                                 \
	X(select)                                                                                  \
	X(send)                                                                                    \
	X(sendfile)                                                                                \
	X(sendfile64)                                                                              \
	X(sendmsg)                                                                                 \
	X(sendto)                                                                                  \
	X(shutdown)                                                                                \
	X(syscall)                                                                                 \
	X(wait)                                                                                    \
	X(wait3)                                                                                   \
	X(wait4)                                                                                   \
	X(waitid)                                                                                  \
	X(waitpid)                                                                                 \
	X(write)                                                                                   \
	X(writev)

struct real_calls {
#define X(name) __typeof__(&name) name;
	REAL_CALLS(X)
#undef X
};

/* Also before any constructor of ours has run. */
const struct real_calls *real_calls(void);

/* The functions behind a name: REAL(read)(fd, data, bytes). */
#define REAL(name) (real_calls()->name)

/* Defines the function that programs find under this name before libc's. The C name is another, so
 * that what the headers promise of libc's does not bind us. */
#define STAND_BEFORE(type, name, ...)                                                              \
	type before_##name(__VA_ARGS__) __asm__(#name) __attribute__((visibility("default")));     \
	type before_##name(__VA_ARGS__)

#endif
