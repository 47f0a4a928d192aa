#ifndef PREFORKD_SYS_H
#define PREFORKD_SYS_H
/*
 * The seam: every system call by which the supervisor makes, watches, signals and ends processes,
 * opens files for them, and reads the clock. In the product these are one-line functions (sys.c);
 * tests link a world of their own in their place, without a process and with time stepped by hand
 * (tests/unit/fake_sys.c). Arguments, results and errno are those of the call of that name.
 * Floor 1.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CLOCK_MONOTONIC: milliseconds, and nanoseconds of CLOCK_BOOTTIME (what /proc/PID/stat's start
 * time counts in). */
int64_t sys_now_ms(void);
int64_t sys_boottime_ns(void);

/* Runs child(argument), which never returns, in a new process: fork(2), or with share as vfork(2)
 * does, which returns only after the child's exec or end. Then the child has no descriptors of its
 * own: what it closes is closed here, until it has called close_range(CLOSE_RANGE_UNSHARE). */
pid_t sys_fork(bool share, void (*child)(void *argument), void *argument);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_signal(int pidfd, int signal_number);
/* By number: only for a child of our own that was not reaped yet and has no pidfd. */
int sys_kill_child(pid_t child, int signal_number);
int sys_kill_group(pid_t group, int signal_number);
/* waitid(2) with WEXITED and the given extra options; 0 with info->si_pid 0 when there is none. */
int sys_wait_child(pid_t pid, siginfo_t *info, int options);
int sys_wait_any(siginfo_t *info, int options);
/* getpgid(2). It works for a child that ended until it is reaped. */
pid_t sys_process_group(pid_t pid);
/* The memory that it has in use, by /proc/PID/statm; 0 once it ended, -1 when that is unknown. */
int64_t sys_resident_bytes(pid_t pid);
int sys_open(const char *path, int flags, mode_t mode);
int sys_pipe(int end[2]); /* O_CLOEXEC | O_NONBLOCK */
int sys_close(int fd);
ssize_t sys_pread(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t sys_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);

#endif
