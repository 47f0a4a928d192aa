#ifndef PREFORKD_FAKE_SYS_H
#define PREFORKD_FAKE_SYS_H
/*
 * The other side of the seam (src/sys.h): a world in memory, in which forking gives invented
 * processes that end when the test says so, signals are written down, any call can be made to fail,
 * and time passes only when nothing else is left to do. A test links this (fake_sys.c and
 * fake_time.c) in the place of sys.c.
 *
 * Files, pipes and epoll are the real ones. epoll_wait(2) and what libev reads its clocks with are
 * defined here, and a shared libev finds these: a loop on EVBACKEND_EPOLL that would wait for an
 * hour wakes at once, an hour later. For all others the clocks are the real ones. For steps by
 * hand: fake_sys_advance_ms(), then ev_run(loop, EVRUN_NOWAIT), which does not wait.
 *
 * One world a test process; Check's forks give each test its own. fake_sys_reset() begins anew.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fake_call {
	FAKE_ANY, /* every one of those below */
	FAKE_FORK,
	FAKE_PIDFD_OPEN,
	FAKE_PIDFD_SIGNAL,
	FAKE_KILL_CHILD,
	FAKE_KILL_GROUP,
	FAKE_WAIT, /* sys_wait_child() and sys_wait_any() */
	FAKE_PROCESS_GROUP,
	FAKE_RESIDENT_BYTES,
	FAKE_OPEN,
	FAKE_PIPE,
	FAKE_CLOSE, /* the descriptor is closed all the same, as Linux does it */
	FAKE_PREAD,
	FAKE_PWRITE,
	FAKE_CALLS
};

struct fake_signal {
	int64_t at_ms;
	pid_t pid; /* or the group */
	int number;
	bool group;
};

typedef void fake_event(void *context);
typedef void fake_signal_hook(pid_t pid, int number, bool group, void *context);

/* Forgets everything, closes what it opened; time starts at FAKE_START_MS. */
#define FAKE_START_MS 1000000
#define FAKE_FIRST_PID                                                                             \
	5000000 /* no real process can have it, so none is taken for one of these                  \
		 */
void fake_sys_reset(void);

/* The nth call from now (1: the next) fails once with `error`. One such order for each kind. */
void fake_sys_fail(enum fake_call call, unsigned nth, int error);
/* Every call fails with `error` from now on; 0: no more. */
void fake_sys_break(enum fake_call call, int error);
/* How many calls there were, the failed ones too. */
unsigned fake_sys_count(enum fake_call call);

/* The child made last, 0: none yet. Pids count up; the next one can be chosen, to reuse one. */
pid_t fake_sys_last_pid(void);
void fake_sys_next_pid(pid_t pid);
/* A living process that is not our child (a worker to adopt), and an ended child that we did not
 * fork (an orphan that PID 1 inherits). */
pid_t fake_sys_foreign_process(void);
pid_t fake_sys_orphan(int status);

/* The process group of a process is its own until this is said: that of a worker's helper is the
 * worker's (only sys_process_group() knows). Its memory in use is 0 until this is said; -1:
 * unknown.
 */
void fake_sys_set_group(pid_t pid, pid_t group);
void fake_sys_set_resident_bytes(pid_t pid, int64_t bytes);

/* The process ends: with an exit status, or by a signal. Its pidfds become readable. */
void fake_sys_exit(pid_t pid, int status);
void fake_sys_end_by_signal(pid_t pid, int number);
/* SIGKILL ends a process at once, unless this was said. Other signals do nothing by themselves. */
void fake_sys_set_unkillable(pid_t pid, bool unkillable);
/* Called for each signal that reaches a living process or its group, after it is written down. */
void fake_sys_on_signal(fake_signal_hook *hook, void *context);

bool fake_sys_alive(pid_t pid);
bool fake_sys_is_zombie(pid_t pid);
unsigned fake_sys_living(void);
unsigned fake_sys_zombies(void);

/* What was sent, in order; those that failed by order are not in it. */
size_t fake_sys_signal_count(void);
const struct fake_signal *fake_sys_signal(size_t index);
/* How many of this number went to the process, and to its group; number 0: any. */
unsigned fake_sys_signals_to(pid_t pid, int number);
unsigned fake_sys_group_signals_to(pid_t group, int number);
/* Signals that could have hit somebody else: to 0, 1, -1, and by number to a child that was reaped
 * or never was. A right program has none. */
unsigned fake_sys_strays(void);

int64_t fake_sys_now_ms(void);
/* Time passes, and what was scheduled until then happens. */
void fake_sys_advance_ms(int64_t ms);
/* The function is called when the time has come, from within epoll_wait() or fake_sys_advance_ms();
 * at the same time: in the order of scheduling. */
void fake_sys_at(int64_t at_ms, fake_event *event, void *context);
void fake_sys_after(int64_t ms, fake_event *event, void *context);

/* Open descriptors of this process, without those that this fake keeps for itself. */
unsigned fake_sys_descriptors(void);

#endif
