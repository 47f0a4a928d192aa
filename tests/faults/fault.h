#ifndef PREFORKD_TESTS_FAULT_H
#define PREFORKD_TESTS_FAULT_H
/*
 * What a test and preforkd-faulty share: a page of a file, which PREFORKD_TEST_FAULTS names. The
 * test says in it which calls are to fail and where the supervisor is to stop itself; the
 * supervisor counts, also across the exec of an upgrade. Nobody else is concerned: the supervisor's
 * children and the check before an upgrade leave the page alone, and workers do not know it.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAULT_VARIABLE   "PREFORKD_TEST_FAULTS"
#define FAULT_NAME_BYTES 48

struct fault_page {
	/* By the test. While it is not on, nothing is counted and nothing happens. */
	atomic_int on;
	char call[FAULT_NAME_BYTES];  /* counts calls of this name, "system" or "memory": all those
				       */
	long first, last;             /* of these, the ones that fail, from 1; 0: none */
	int error;                    /* errno; 0: one that is usual for the call */
	char point[FAULT_NAME_BYTES]; /* where to stop: a call, or a function of ours ... */
	long nth;                     /* ... at the how manyth time; "NAME:after": at its return */
	char head[FAULT_NAME_BYTES];  /* the begin of a handed over state becomes this; "": no */
	/* By the supervisor. */
	atomic_long counted, struck, reached;
	char struck_call[FAULT_NAME_BYTES]; /* the last one that was made to fail, ... */
	uintptr_t struck_at;                /* ... and from where: for addr2line */
};

enum fault_kind { FAULT_SYSTEM, FAULT_MEMORY };

/* In preforkd-faulty: is this call to fail? Then errno says why. May stop the process first. */
bool fault_strikes(const char *name, enum fault_kind kind, int error, const void *from);
void fault_point(const char *name);
/* What a handed over state is to begin with; "": it stays. */
const char *fault_head(void);

#endif
