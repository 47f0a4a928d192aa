/*
 * Giving up rights. The supervisor has given up most already; this is the second lock, and it holds
 * when somebody starts the program as root by accident. Rule: what cannot be given up ends the
 * program.
 */
#include "rights.h"
#include "errmsg.h"

#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOBODY          65534
#define DESCRIPTORS_MAX 512
#define MEMORY_BYTES    ((rlim_t)512 << 20) /* more than what it has when it starts */

static int set_limit(int resource, rlim_t value, struct errmsg *err)
{
	const struct rlimit limit = {value, value};

	return setrlimit(resource, &limit) < 0 ? errmsg_errno(err, "cannot set a limit") : 0;
}

/* Measured from what is in use, since a sanitizer has reserved terabytes before main(). */
static int limit_memory(struct errmsg *err)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	int found = file ? fscanf(file, "%lu", &pages) : 0;

	if (file)
		fclose(file);
	if (found != 1)
		return 0; /* no /proc: the rest must do */
	return set_limit(RLIMIT_AS, pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES, err);
}

static int drop_user(struct errmsg *err)
{
	if (geteuid() != 0 && getuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return errmsg_errno(err, "cannot become nobody");
	if (setuid(0) == 0)
		return errmsg_set(err, "cannot stay nobody");
	return 0;
}

int rights_drop(int fds, struct errmsg *err)
{
	close_range((unsigned)fds, UINT_MAX, 0);
	if (set_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, err) < 0 ||
		set_limit(RLIMIT_CORE, 0, err) < 0 || limit_memory(err) < 0 || drop_user(err) < 0 ||
		set_limit(RLIMIT_NPROC, 0, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return errmsg_errno(err, "cannot give up privileges");
	return 0;
}
