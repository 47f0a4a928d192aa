#ifndef PREFORKD_SPAWN_H
#define PREFORKD_SPAWN_H
/*
 * One process from a plan that is complete before the fork: arguments, environment, descriptors,
 * limits, identity. The child's branch makes system calls only, never returns and never logs; what
 * it cannot do, it reports with step and errno through a pipe. Uses fork(2): a vfork child that has
 * become another user can be stopped by that user before exec and would freeze us. All signals must
 * be blocked in the caller; the child starts with default dispositions and an empty mask. Floor 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct errmsg;
struct identity;

#define SPAWN_LIMITS RLIM_NLIMITS

struct spawn_plan {
	const char *path; /* of the program, found already */
	char *const *argv;
	char **envp; /* a string "LISTEN_PID=<spaces>" in it gets the child's pid */
	/* descriptors by their number in the child; all others are CLOEXEC */
	const int *fd; /* fd[i] becomes descriptor i */
	int fd_count;  /* >= 3 */
	const struct identity *identity;
	const char *directory; /* NULL: inherited */
	const char *chroot;
	int umask;		     /* -1: inherited */
	const struct rlimit *limits; /* SPAWN_LIMITS of them */
	uint64_t limit_set;	     /* bit RLIMIT_X: limits[RLIMIT_X] is to be set */
	bool nice_set;
	int nice;
	bool oom_score_adj_set;
	int oom_score_adj;
	const void *cpus; /* cpu_set_t, or NULL */
	size_t cpus_bytes;
	bool no_new_privileges;
};

struct spawned {
	pid_t pid;
	int pidfd;		/* CLOEXEC; the caller closes it */
	int64_t started_boot_ns; /* CLOCK_BOOTTIME right before the fork */
};

/* The pipe on which children report what failed before their exec: one for the whole supervisor. */
struct spawn_reports {
	int read_fd, write_fd;
};
struct spawn_report {
	pid_t pid;
	int error;     /* errno */
	int step;      /* see spawn_step_name() */
};

int spawn_reports_open(struct spawn_reports *reports, struct errmsg *err);
void spawn_reports_close(struct spawn_reports *reports);
/* The next report that is waiting; false: none. */
bool spawn_reports_read(struct spawn_reports *reports, struct spawn_report *report);
/* "exec", "setuid", "chdir", ...: the call that failed. */
const char *spawn_step_name(int step);

/* 0, or -1 with the reason and errno (of fork or pidfd_open; a child that was made is ended and
 * reaped again then). */
int spawn_start(struct spawned *out, const struct spawn_plan *plan, struct spawn_reports *reports,
	struct errmsg *err);
/* Becomes the program itself, in this process (preforkd run). Returns only on failure. */
int spawn_become(const struct spawn_plan *plan, struct errmsg *err);

#endif
