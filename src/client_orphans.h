#ifndef PREFORKD_CLIENT_ORPHANS_H
#define PREFORKD_CLIENT_ORPHANS_H
/* A stop without a supervisor: the workers that one left behind are ended. Floor 3. */
#include <stdbool.h>

struct client_arguments;
struct client_places;

/* Ends them, waits until they have gone and says so: *status is the exit status then. signal_number
 * 0: each pool's stop_signal. false: a supervisor is there, or none has left anybody behind. */
bool client_orphans_end(const struct client_places *places,
	const struct client_arguments *arguments, int signal_number, int *status);

#endif
