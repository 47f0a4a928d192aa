#ifndef PREFORKD_CLIENT_WAIT_H
#define PREFORKD_CLIENT_WAIT_H
/* Asking, and following what takes time to its end. Floor 3. */
#include <stdbool.h>

struct client_arguments;
struct client_places;
struct control_command;

/* Asks for what changes something and says how it went: with `wait`, when it has ended. The exit
 * status. */
int client_perform(struct client_places *places, const struct client_arguments *arguments,
	const struct control_command *command, bool wait);
/* Says what went wrong, as the options want it; returns the status. */
int client_fail(const struct client_arguments *arguments, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
