/*
 * The first steps of the daemon's life. Each is harmless when repeated, as after an upgrade. What
 * only makes things better (the limit, the subreaper) may fail; what workers would suffer from may
 * not.
 */
#include "startup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errmsg.h"

#define KERNEL_SIGSET_BYTES ((_NSIG - 1) / 8)
#define FIRST_FOREIGN       3
#define MAX_TRIED           (1 << 20) /* a limit of 2^30 would take minutes */

/* open() takes the lowest number that is free, so going upwards fills each gap in its turn. */
static int fill_standard_descriptors(struct errmsg *err)
{
	int fd;

	for (fd = 0; fd < FIRST_FOREIGN; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", O_RDWR) < 0)
			return errmsg_errno(
				err, "descriptor %d is closed, and /dev/null cannot be opened", fd);
	}
	return 0;
}

static void set_foreign_cloexec(const struct rlimit *nofile)
{
	rlim_t end = nofile->rlim_max < MAX_TRIED ? nofile->rlim_max : MAX_TRIED;
	rlim_t fd;
	int flags;

	if (!close_range(FIRST_FOREIGN, ~0U, CLOSE_RANGE_CLOEXEC))
		return;
	/* before Linux 5.11 */
	for (fd = FIRST_FOREIGN; fd < end; fd++) {
		flags = fcntl((int)fd, F_GETFD);
		if (flags >= 0)
			fcntl((int)fd, F_SETFD, flags | FD_CLOEXEC);
	}
}

static void find_limits(struct startup_limits *limits)
{
	int resource;

	memset(limits, 0, sizeof(*limits));
	for (resource = 0; resource < RLIM_NLIMITS; resource++)
		getrlimit(resource, &limits->found[resource]);
}

static void raise_descriptor_limit(struct startup_limits *limits)
{
	struct rlimit most = limits->found[RLIMIT_NOFILE];

	if (most.rlim_cur == most.rlim_max)
		return;
	most.rlim_cur = most.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &most))
		limits->changed |= 1ULL << RLIMIT_NOFILE;
}

/* An ignored SIGCHLD would reap behind our back, and workers inherit whatever is ignored. All zero
 * is SIG_DFL in every kernel's layout; the call itself, since sigaction(3) refuses the C library's
 * own two signals, as it refuses to show them. */
static void reset_dispositions(void)
{
	static const unsigned char as_default[256];
	struct sigaction found;
	int number;

	for (number = 1; number < _NSIG; number++) {
		if (!sigaction(number, NULL, &found) && found.sa_handler != SIG_IGN)
			continue;
		syscall(SYS_rt_sigaction, number, as_default, NULL, KERNEL_SIGSET_BYTES);
	}
}

int startup_prepare(struct startup_limits *limits, struct errmsg *err)
{
	find_limits(limits);
	if (fill_standard_descriptors(err))
		return -1;
	set_foreign_cloexec(&limits->found[RLIMIT_NOFILE]);
	reset_dispositions();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	raise_descriptor_limit(limits);
	return 0;
}

bool startup_foreground_of_terminal(void)
{
	int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	bool foreground;

	if (terminal < 0)
		return false;
	foreground = tcgetpgrp(terminal) == getpgrp();
	close(terminal);
	return foreground;
}
