#ifndef PREFORKD_SIGNALS_H
#define PREFORKD_SIGNALS_H
/*
 * Signals as events: every signal is blocked for as long as the supervisor lives, and all of them
 * are read from one descriptor, so that none interrupts anything or gets lost between a fork and an
 * exec. Open it after the last fork of going into the background: a descriptor of this kind in an
 * epoll set tells of the signals of the process that put it there. Floor 1.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct errmsg;

struct signals {
	int fd; /* CLOEXEC, non-blocking; readable when a signal is waiting; -1: closed */
};

struct signal_event {
	int number;
	pid_t pid; /* of the sender; 0: the kernel, or one from outside our pid namespace */
	uid_t uid;
	int code; /* si_code: SI_USER, SI_QUEUE, SI_KERNEL, CLD_EXITED, ... */
};

int signals_open(struct signals *signals, struct errmsg *err);
/* The next signal; false: none is waiting. The SIGPIPE of our own writes is passed over. */
bool signals_read(struct signals *signals, struct signal_event *event);
/* Closes the descriptor. All signals stay blocked: one that comes in the process's last moment must
 * not change how it ends. */
void signals_close(struct signals *signals);

#endif
