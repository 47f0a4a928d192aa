#ifndef PREFORKD_TESTS_NAMESPACE_H
#define PREFORKD_TESTS_NAMESPACE_H
/*
 * A supervisor in a PID namespace and a mount namespace of its own, as containers have them.
 */
#include <unistd.h>

#include "harness.h"

/* Starts the shell text as process 1; "$0" -c "$1" in it is the supervisor, whose words go to
 * log.err. */
static inline pid_t start_in_namespace(const char *text)
{
	const char *argv[] = {"/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
		"/bin/sh", "-c", text, preforkd_program(), path_of("app.ini"), NULL};

	return program_start("log", NULL, argv);
}

static inline bool can_unshare(void)
{
	static const char *const argv[] = {
		"/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "/bin/true", NULL};

	return geteuid() == 0 && access(argv[0], X_OK) == 0 &&
	       program_wait(program_start("try", NULL, argv)) == 0;
}

/* The one child, seen from out here; of unshare(1) it is process 1. 0: not one. */
static inline pid_t only_child(pid_t parent)
{
	pid_t pids[MANY_WORKERS];

	return process_children(parent, pids) == 1 ? pids[0] : 0;
}

#endif
