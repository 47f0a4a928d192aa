/*
 * Starting a process. Everything is ready before the fork; between fork and exec stand system calls
 * only, as few as the plan needs, because a thousand cold starts pay for each of them. The child's
 * branch must not allocate, log, return, or leave a signal to chance.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "identity.h"
#include "memory.h"
#include "sys.h"

#define KERNEL_SIGSET_BYTES ((_NSIG - 1) / 8)
#define EXIT_NOT_STARTED    127
#define CANNOT_WATCH        "cannot open a descriptor of the new process (pidfd)"

#define STEPS(X)                                                                                   \
	X(DONE, "nothing")                                                                         \
	X(TABLE, "close_range")                                                                    \
	X(GROUP, "setpgid")                                                                        \
	X(DESCRIPTORS, "dup2")                                                                     \
	X(OOM_SCORE, "oom_score_adj")                                                              \
	X(LIMITS, "setrlimit")                                                                     \
	X(NICE, "setpriority")                                                                     \
	X(CPUS, "sched_setaffinity")                                                               \
	X(CHROOT, "chroot")                                                                        \
	X(DIRECTORY, "chdir")                                                                      \
	X(GROUPS, "setgroups")                                                                     \
	X(GID, "setgid")                                                                           \
	X(UID, "setuid")                                                                           \
	X(PRIVILEGES, "no_new_privs")                                                              \
	X(PARENT, "the supervisor's death")                                                        \
	X(MASK, "sigprocmask")                                                                     \
	X(EXEC, "exec")

enum step {
#define X(symbol, name) STEP_##symbol,
	STEPS(X)
#undef X
};

static const char *const step_names[] = {
#define X(symbol, name) name,
	STEPS(X)
#undef X
};

/* The variables that name the process they are meant for. */
static const char *const pid_variables[] = {"LISTEN_PID=", "PREFORKD_AUTO=", "WATCHDOG_PID="};
#define PID_VARIABLES (sizeof(pid_variables) / sizeof(pid_variables[0]))

/* What the child works with; made by the parent, whose memory it may be. */
struct birth {
	const struct spawn_plan *plan;
	int *source; /* a copy of plan->fd that the child may change */
	int report_fd;
	uint64_t ignored;
	pid_t parent;                  /* 0: nobody's child */
	char *pid_text[PID_VARIABLES]; /* blanks where the child writes its pid, or NULL */
	bool shared;                   /* the table of descriptors is the parent's own still */
	struct spawn_report report;
};

const char *spawn_step_name(int step)
{
	if (step < 0 || (size_t)step >= sizeof(step_names) / sizeof(step_names[0]))
		return "unknown step";
	return step_names[step];
}

static int set_descriptors(struct birth *birth)
{
	int count = birth->plan->fd_count;
	int *source = birth->source;
	int i;

	/* first out of the way of every target, so that no order of copying can overwrite one */
	for (i = 0; i < count; i++) {
		if (source[i] == i || source[i] >= count)
			continue;
		source[i] = fcntl(source[i], F_DUPFD_CLOEXEC, count);
		if (source[i] < 0)
			return -1;
	}
	for (i = 0; i < count; i++) {
		if (source[i] == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(source[i], i) < 0)
			return -1;
	}
	return 0;
}

static int set_limits(const struct spawn_plan *plan)
{
	int resource;

	for (resource = 0; plan->limit_set >> resource; resource++) {
		if (!(plan->limit_set >> resource & 1))
			continue;
		if (setrlimit(resource, &plan->limits[resource]))
			return -1;
	}
	return 0;
}

/* The number as decimal digits and a NUL; returns how many digits. No stdio between fork and exec.
 */
static size_t format_decimal(char text[12], long number)
{
	char reversed[12];
	size_t sign = number < 0;
	size_t digits = 0, i;

	for (number = sign ? -number : number; number || !digits; number /= 10)
		reversed[digits++] = (char)('0' + number % 10);
	if (sign)
		text[0] = '-';
	for (i = 0; i < digits; i++)
		text[sign + i] = reversed[digits - 1 - i];
	text[sign + digits] = '\0';
	return sign + digits;
}

static int set_oom_score(int score)
{
	char text[12];
	size_t length = format_decimal(text, score);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -1;
	written = write(fd, text, length);
	close(fd);
	return written == (ssize_t)length ? 0 : -1;
}

static void set_pid(const struct birth *birth)
{
	size_t i;

	for (i = 0; i < PID_VARIABLES; i++) {
		if (birth->pid_text[i])
			format_decimal(birth->pid_text[i], getpid());
	}
}

/* While still privileged. */
static enum step set_scheduling(struct birth *birth)
{
	const struct spawn_plan *plan = birth->plan;

	/* descriptors before limits: copies need numbers that a small limit_nofile would refuse */
	if (set_descriptors(birth))
		return STEP_DESCRIPTORS;
	if (plan->oom_score_adj_set && set_oom_score(plan->oom_score_adj))
		return STEP_OOM_SCORE;
	if (set_limits(plan))
		return STEP_LIMITS;
	if (plan->nice_set && setpriority(PRIO_PROCESS, 0, plan->nice))
		return STEP_NICE;
	if (plan->cpus && sched_setaffinity(0, plan->cpus_bytes, plan->cpus))
		return STEP_CPUS;
	return STEP_DONE;
}

static enum step set_place_and_identity(const struct spawn_plan *plan)
{
	const struct identity *identity = plan->identity;
	const char *directory = plan->directory;

	if (plan->chroot && chroot(plan->chroot))
		return STEP_CHROOT;
	if (!directory && plan->chroot)
		directory = "/"; /* a working directory outside would be a way out */
	if (directory && chdir(directory))
		return STEP_DIRECTORY;
	if (identity && identity->change) {
		if (setgroups(identity->group_count, identity->groups))
			return STEP_GROUPS;
		if (setresgid(identity->gid, identity->gid, identity->gid))
			return STEP_GID;
		if (setresuid(identity->uid, identity->uid, identity->uid))
			return STEP_UID;
	}
	if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return STEP_PRIVILEGES;
	return STEP_DONE;
}

/* After the change of user, which would take the signal back. One whose parent died before its exec
 * does not begin: nobody has written it down. */
static enum step set_parent(const struct birth *birth)
{
	const int signal_number = birth->plan->death_signal;

	if (!birth->parent)
		return STEP_DONE;
	if (signal_number && prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0))
		return STEP_PARENT;
	if (getppid() == birth->parent)
		return STEP_DONE;
	errno = ESRCH;
	return STEP_PARENT;
}

/* Dispositions first, then the mask: a signal that came since the fork ends the child, as it would
 * end the program. */
static enum step set_signals(uint64_t ignored)
{
	/* all zero is SIG_DFL in every kernel's layout; the call itself, since sigaction(3) refuses
	 * the C library's own two signals */
	static const unsigned char as_default[256];
	sigset_t none;
	int number;

	for (number = 1; number < _NSIG; number++) {
		if (ignored & UINT64_C(1) << (number - 1))
			syscall(SYS_rt_sigaction, number, as_default, NULL, KERNEL_SIGSET_BYTES);
	}
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) ? STEP_MASK : STEP_DONE;
}

/* Returns only the step that failed, with its errno. */
static enum step become(struct birth *birth)
{
	const struct spawn_plan *plan = birth->plan;
	enum step failed;

	failed = set_scheduling(birth);
	if (!failed)
		failed = set_place_and_identity(plan);
	if (!failed)
		failed = set_parent(birth);
	if (failed)
		return failed;
	if (plan->umask >= 0)
		umask((mode_t)plan->umask);
	set_pid(birth);
	failed = set_signals(birth->ignored);
	if (failed)
		return failed;
	execve(plan->path, plan->argv, plan->envp);
	return STEP_EXEC;
}

/* A table of our own, with nothing in it beyond what is needed: a supervisor of thousands has as
 * many pidfds, and to copy them for every start only to close them again took longer than the
 * start. */
static int unshare_descriptors(const struct birth *birth)
{
	int last = birth->report_fd, i;

	for (i = 0; i < birth->plan->fd_count; i++) {
		if (birth->source[i] > last)
			last = birth->source[i];
	}
	return close_range((unsigned)last + 1, ~0U, CLOSE_RANGE_UNSHARE);
}

static enum step become_in_child(struct birth *birth)
{
	int count = birth->plan->fd_count;

	if (birth->shared && unshare_descriptors(birth))
		return STEP_TABLE;
	if (setpgid(0, 0))
		return STEP_GROUP;
	if (birth->report_fd < count) { /* a target is going to overwrite it */
		birth->report_fd = fcntl(birth->report_fd, F_DUPFD_CLOEXEC, count);
		if (birth->report_fd < 0)
			return STEP_DESCRIPTORS;
	}
	return become(birth);
}

static void __attribute__((noreturn)) child(void *argument)
{
	struct birth *birth = argument;
	struct spawn_report *report = &birth->report;

	report->step = (int)become_in_child(birth);
	report->error = errno;
	report->pid = getpid();
	/* less than PIPE_BUF, so whole or not at all; when the pipe is full, the exit status is
	 * all that tells */
	if (write(birth->report_fd, report, sizeof(*report)) < 0)
		_exit(EXIT_NOT_STARTED);
	_exit(EXIT_NOT_STARTED);
}

/* A value that somebody has set is left alone. */
static bool is_room_for_pid(const char *value)
{
	size_t blanks = strspn(value, " ");

	return blanks >= strlen(SPAWN_PID_BLANKS) && !value[blanks];
}

static void birth_init(
	struct birth *birth, const struct spawn_plan *plan, int report_fd, uint64_t ignored)
{
	size_t bytes = (size_t)plan->fd_count * sizeof(int);
	char **variable;
	size_t i, length;

	*birth = (struct birth){.plan = plan, .report_fd = report_fd, .ignored = ignored};
	birth->source = memcpy(memory_alloc(bytes), plan->fd, bytes);
	for (variable = plan->envp; *variable; variable++) {
		for (i = 0; i < PID_VARIABLES; i++) {
			length = strlen(pid_variables[i]);
			if (!strncmp(*variable, pid_variables[i], length) &&
				is_room_for_pid(*variable + length))
				birth->pid_text[i] = *variable + length;
		}
	}
}

/* The plan is as it was before. */
static void birth_fini(struct birth *birth)
{
	int saved = errno;
	size_t i;

	for (i = 0; i < PID_VARIABLES; i++) {
		if (birth->pid_text[i])
			memcpy(birth->pid_text[i], SPAWN_PID_BLANKS, strlen(SPAWN_PID_BLANKS));
	}
	free(birth->source);
	errno = saved;
}

/* Nobody but who could stop us too can hold the child before its exec, and it runs as soon as we
 * would. */
static bool may_share(const struct spawn_plan *plan, const struct spawn_reports *reports)
{
	bool changes_user = plan->identity && plan->identity->change;

	return reports->can_unshare && !changes_user && !plan->nice_set && !plan->cpus;
}

/* A child that we cannot watch must not live: rare, since there was room for its descriptor. */
static void undo_fork(pid_t pid)
{
	int saved = errno;
	siginfo_t info;
	int killed = sys_kill_child(pid, SIGKILL);

	/* It may have got as far as making children of its own. */
	sys_kill_group(pid, SIGKILL);
	while (sys_wait_child(pid, &info, killed ? WNOHANG : 0) && errno == EINTR)
		;
	errno = saved;
}

int spawn_start(struct spawned *out, const struct spawn_plan *plan, struct spawn_reports *reports,
	struct errmsg *err)
{
	struct birth birth;
	int room, saved;

	birth_init(&birth, plan, reports->write_fd, reports->ignored);
	birth.parent = getpid();
	out->pidfd = -1;
	/* Without room for its descriptor it is not even begun: it might accept before it is ended.
	 */
	room = sys_pidfd_open(birth.parent);
	out->started_boot_ns = sys_boottime_ns();
	birth.shared = may_share(plan, reports);
	out->pid = room < 0 ? -1 : sys_fork(birth.shared, child, &birth);
	saved = errno;
	birth_fini(&birth);
	if (room >= 0)
		sys_close(room);
	errno = saved;
	if (room < 0)
		return errmsg_errno(err, CANNOT_WATCH);
	if (out->pid < 0)
		return errmsg_errno(err, "cannot fork");
	out->pidfd = sys_pidfd_open(out->pid);
	if (out->pidfd < 0) {
		undo_fork(out->pid);
		return errmsg_errno(err, CANNOT_WATCH);
	}
	return 0;
}

/* Asks the kernel itself, too: whoever started us may have left the C library's own two signals
 * ignored, and of those sigaction(3) does not tell. */
static uint64_t find_ignored(void)
{
	/* the handler comes first in the kernel's layout */
	uintptr_t found[256 / sizeof(uintptr_t)];
	uint64_t ignored = 0;
	int number;

	for (number = 1; number < _NSIG; number++) {
		if (!syscall(SYS_rt_sigaction, number, NULL, found, KERNEL_SIGSET_BYTES) &&
			found[0] == (uintptr_t)SIG_IGN)
			ignored |= UINT64_C(1) << (number - 1);
	}
	return ignored;
}

int spawn_become(const struct spawn_plan *plan, struct errmsg *err)
{
	struct birth birth;
	enum step failed;

	birth_init(&birth, plan, -1, find_ignored());
	failed = become(&birth);
	birth_fini(&birth);
	return errmsg_errno(err, "%s of %s", spawn_step_name((int)failed), plan->path);
}

void spawn_reports_take_up(struct spawn_reports *reports, int read_fd, int write_fd)
{
	reports->read_fd = read_fd;
	reports->write_fd = write_fd;
	reports->ignored = find_ignored();
	reports->can_unshare = close_range(~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0;
}

int spawn_reports_open(struct spawn_reports *reports, struct errmsg *err)
{
	int end[2];

	spawn_reports_take_up(reports, -1, -1);
	if (sys_pipe(end))
		return errmsg_errno(err, "cannot make a pipe");
	reports->read_fd = end[0];
	reports->write_fd = end[1];
	return 0;
}

void spawn_reports_close(struct spawn_reports *reports)
{
	if (reports->read_fd >= 0)
		sys_close(reports->read_fd);
	if (reports->write_fd >= 0)
		sys_close(reports->write_fd);
	reports->read_fd = reports->write_fd = -1;
}

bool spawn_reports_read(struct spawn_reports *reports, struct spawn_report *report)
{
	return read(reports->read_fd, report, sizeof(*report)) == (ssize_t)sizeof(*report);
}
