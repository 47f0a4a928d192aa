#ifndef PREFORKD_STARTUP_H
#define PREFORKD_STARTUP_H
/*
 * What a daemon does before anything else, since whoever started it may have left anything behind:
 * closed standard descriptors, open foreign ones, ignored signals, a small descriptor limit.
 * Floor 1.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

struct errmsg;

struct startup_limits {
	struct rlimit found[RLIM_NLIMITS]; /* workers start with these */
	uint64_t
		changed; /* bit RLIMIT_X: ours is another by now, so workers must be given theirs */
};

/* Descriptors 0-2 that are closed become /dev/null, all others CLOEXEC; every signal's disposition
 * becomes the default; orphans of our workers become our children; the descriptor limit is raised
 * as far as it goes, and the limits found are kept. -1 with the reason. */
int startup_prepare(struct startup_limits *limits, struct errmsg *err);
/* Are we the foreground process group of a controlling terminal? */
bool startup_foreground_of_terminal(void);

#endif
