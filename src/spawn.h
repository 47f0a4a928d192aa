#ifndef PREFORKD_SPAWN_H
#define PREFORKD_SPAWN_H
/*
 * One process from a plan that is complete before the fork: arguments, environment, descriptors,
 * limits, identity. The child's branch makes system calls only, never returns and never logs; what
 * it cannot do, it reports with step and errno through a pipe. All signals must be blocked in the
 * caller; the child starts with default dispositions and an empty mask, in its own process group.
 *
 * vfork(2) while the child stays what we are, since it costs a quarter to a half of a replacement;
 * fork(2) where it changes user, because that user can stop the child before its exec and a vfork
 * would leave us frozen. Floor 1.
 */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct errmsg;
struct identity;

#define SPAWN_LIMITS RLIM_NLIMITS
/* What stands behind "LISTEN_PID=" in the environment of a plan until the child writes its pid
 * there: so many blanks or more, and nothing else. */
#define SPAWN_PID_BLANKS "          "

struct spawn_plan {
	const char *path; /* of the program, found already */
	char *const *argv;
	/* LISTEN_PID, PREFORKD_AUTO and WATCHDOG_PID in it get the child's pid, if SPAWN_PID_BLANKS
	 * is there */
	char **envp;
	/* descriptors by their number in the child; all others are CLOEXEC */
	const int *fd; /* fd[i] becomes descriptor i */
	int fd_count;  /* >= 3 */
	const struct identity *identity;
	const char *directory;       /* NULL: inherited, or the new root with chroot */
	const char *chroot;          /* then path and directory are seen from in there */
	int umask;                   /* -1: inherited */
	const struct rlimit *limits; /* SPAWN_LIMITS of them */
	uint64_t limit_set;          /* bit RLIMIT_X: limits[RLIMIT_X] is to be set */
	bool nice_set;
	int nice;
	bool oom_score_adj_set;
	int oom_score_adj;
	const void *cpus; /* cpu_set_t, or NULL */
	size_t cpus_bytes;
	bool no_new_privileges;
	int death_signal; /* what it gets when we die; 0: nothing */
};

struct spawned {
	pid_t pid;
	int pidfd;               /* CLOEXEC; the caller closes it */
	int64_t started_boot_ns; /* CLOCK_BOOTTIME right before the fork */
};

/* The pipe on which children report what failed before their exec: one for the whole supervisor. */
struct spawn_reports {
	int read_fd, write_fd;
	uint64_t ignored; /* signals that were ignored when it was opened: children reset these */
	bool can_unshare; /* the system has close_range(2) (Linux 5.9, and no filter against it) */
};
struct spawn_report {
	pid_t pid;
	int error; /* errno */
	int step;  /* see spawn_step_name() */
};

int spawn_reports_open(struct spawn_reports *reports, struct errmsg *err);
/* The same with a pipe that is there, whose writing end children may still have. */
void spawn_reports_take_up(struct spawn_reports *reports, int read_fd, int write_fd);
void spawn_reports_close(struct spawn_reports *reports);
/* The next report that is waiting; false: none. */
bool spawn_reports_read(struct spawn_reports *reports, struct spawn_report *report);
/* "exec", "setuid", "chdir", ...: the call that failed. */
const char *spawn_step_name(int step);

/* 0, or -1 with the reason and errno (of fork or pidfd_open; a child that was made is ended and
 * reaped again then). */
int spawn_start(struct spawned *out, const struct spawn_plan *plan, struct spawn_reports *reports,
	struct errmsg *err);
/* Becomes the program itself, in this process and its process group (preforkd run). Returns only on
 * failure: -1 with the step and the reason, and the steps before it done. */
int spawn_become(const struct spawn_plan *plan, struct errmsg *err);

#endif
