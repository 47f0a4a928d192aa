#ifndef PREFORKD_CLIENT_H
#define PREFORKD_CLIENT_H
/*
 * The commands that talk to a running supervisor: status, top, events, reload and so on. Finds the
 * control socket by the configuration or is told, asks, follows what takes time to its end, and
 * says how it ended. Floor 3.
 */
#include <stdbool.h>

struct client_options {
	const char *config;        /* -c; NULL: not given */
	const char *socket;        /* --socket; NULL: found by the configuration */
	bool json;                 /* --json: answers as they came, and nothing else */
	bool no_wait;              /* --no-wait: does not follow what takes time */
	const char *helper_folder; /* where preforkd-top is installed */
};

/* Is it one of these commands? */
bool client_knows(const char *command);
/* The command nearest to a mistyped one, of these and of others that the caller knows; or NULL. */
const char *client_nearest(const char *command, const char *const *others, int count);
/* Does it; the options may also stand among the command's words. The exit status (sysexits(3)).
 * Whatever went wrong has been said on standard error. */
int client_run(const struct client_options *options, char **command, int count);

#endif
