#ifndef PREFORKD_DAEMONIZE_H
#define PREFORKD_DAEMONIZE_H
/*
 * Going into the background. The process that was called stays until the daemon has told it how the
 * start went, and ends as the daemon says; so a script knows that the service is there, and an
 * administrator reads why it is not. Floor 1.
 */

struct daemon {
	int caller_fd; /* to the process that was called; -1: it was told, or there is none */
};
#define DAEMON_OF_NOBODY                                                                           \
	{                                                                                          \
		.caller_fd = -1                                                                    \
	}

/* Returns in both processes. In the daemon: -1. It leads no session and has no terminal; 0-2 are
 * /dev/null; of the other descriptors only those below first_foreign are left. Signals, limits and
 * the current folder are as they were. In the process that was called: when the daemon has told,
 * or is gone, the status to exit with; unless that is 0, the reason is on standard error, and the
 * daemon is gone. Meanwhile HUP, INT, QUIT and TERM reach the daemon as TERM, and once it is gone
 * end this process. */
int daemonize_begin(struct daemon *daemon, int first_foreign);
/* Tells the exit status (0: the service is there) and, unless it is 0, why. Only the first time
 * counts; of nobody's daemon: nothing is done. */
void daemonize_report(struct daemon *daemon, int status, const char *message);

#endif
