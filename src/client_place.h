#ifndef PREFORKD_CLIENT_PLACE_H
#define PREFORKD_CLIENT_PLACE_H
/* Where the control socket may be. Floor 3. */
#include <stdbool.h>

struct client_options;
struct errmsg;

#define CLIENT_PLACES_MAX 4

struct client_places {
	struct {
		char *path; /* owned */
		/* Others might have put a socket of theirs there: it must be ours or root's. */
		bool must_be_ours;
	} place[CLIENT_PLACES_MAX];
	int count;
	char *folder[CLIENT_PLACES_MAX]; /* where a supervisor may have its files; owned */
	int folders;
	int found; /* the one where somebody answered last; -1: none yet */
};

/* By --socket, else by the configuration, whose faults are overlooked as far as possible: a file
 * that is being edited must not hide a supervisor. The exit status, with the reason unless 0. */
int client_places_find(
	struct client_places *places, const struct client_options *options, struct errmsg *err);
void client_places_free(struct client_places *places);

#endif
