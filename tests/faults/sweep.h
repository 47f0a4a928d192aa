#ifndef PREFORKD_TESTS_SWEEP_H
#define PREFORKD_TESTS_SWEEP_H
/*
 * The n-th call fails, for every n: of all system calls or of all allocations that the supervisor
 * makes while something is done. Whatever comes of it, the supervisor goes on, its pools are full
 * again, and it has as many descriptors as before.
 */

struct deed {
	const char *name;
	/* Waits for its end, good or bad. NULL, or what is worse than bad. */
	const char *(*perform)(void);
	void (*settle)(void); /* once nothing fails any more: to where it began */
};

/* Every n with PREFORKD_TEST_LONG, else some `few` of them. */
void sweep(const char *kind, const struct deed *deed, int few);

/* A command to the supervisor. Whatever is answered, it ends; else what is wrong. */
const char *sweep_command(const char *a, const char *b, const char *c);
/* Until no reload rolls any more. */
void sweep_await_roll(void);

/* A suite of them: each deed with system calls, and with allocations. */
int sweep_main(const char *name, const struct deed *deeds, int count, int few);

#endif
