#ifndef PREFORKD_PROCESS_LOOK_H
#define PREFORKD_PROCESS_LOOK_H
/*
 * Is a process still the one that was written down? Its number alone says nothing: it counts only
 * with the time of its start, the kernel's boot and the namespace. Floor 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct errmsg;

/* This boot of the kernel, malloced; empty where that is unknown. And the namespace of pids, 0
 * where that is unknown. */
char *process_boot_id(void);
uint64_t process_pid_namespace(void);

/* The time of its start as /proc/PID/stat says; 0: there is none, or that is unknown, by errno. */
uint64_t process_started_ticks(pid_t pid);

/* A pidfd of the process that bears the number now, if it is the one: started then, by then of that
 * user (root's may have become anybody's). -1 with the reason and errno; ESRCH: it has ended, or is
 * another one. */
int process_hold(pid_t pid, uint64_t started_ticks, uid_t uid, struct errmsg *err);
/* What it was started with, for as long as it has not overwritten that itself: the value of a
 * variable, in `value`; false: there is none, or it does not fit. */
bool process_variable(pid_t pid, const char *name, char *value, size_t bytes);
/* Has the process ended? */
bool process_ended(int pidfd);
/* A descriptor of its own of the process's descriptor `number`, CLOEXEC; -1 with errno. */
int process_take_fd(int pidfd, int number);

#endif
