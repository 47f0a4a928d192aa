#ifndef PREFORKD_POOL_SEARCH_H
#define PREFORKD_POOL_SEARCH_H
/*
 * Every sequence of events in the life of a small pool, up to a depth. Two sequences that lead to
 * the same state have the same future, so only the first of them is followed further. The laws
 * (pool_law.h) are looked at after every event, and from every state the stop must end.
 */
#include <stdbool.h>

struct search_kind {
	const char *keys;
	const char
		*to;   /* rolls lead there and back; NULL: to the same, as if the program changed */
	bool rolls;    /* two generations, and workers that are due for recycling */
	bool notifies; /* READY=1 and STOPPING=1 */
	bool unasked;  /* no operator but for rolls and the stop, and nobody is busy: deeper */
	int depth;     /* PREFORKD_TEST_DEPTH in the environment: any other */
};

/* Searches all that can happen to a pool of the kind, once a process. Fails the test with the
 * events that break a law. */
void search_pool(const struct search_kind *kind);

#endif
