#ifndef PREFORKD_TOP_LIVE_H
#define PREFORKD_TOP_LIVE_H
/*
 * The live view: asks, draws, listens to keys, until the user quits or the terminal goes away.
 */
#include <stdbool.h>

struct link;

struct live_settings {
	struct link *link; /* asked for the first time already; borrowed */
	int interval_ms;
	bool ascii, colour;
};

/* The exit status. */
int live_run(const struct live_settings *settings);

#endif
