#ifndef PREFORKD_CLIENT_ARGUMENTS_H
#define PREFORKD_CLIENT_ARGUMENTS_H
/* A client's command line: options may stand before, between and behind the command's words.
 * Floor 3.
 */
#include "client.h"
#include "control_line.h"

struct errmsg;

struct client_arguments {
	struct client_options options;
	char *word[CONTROL_WORDS_MAX + 2]; /* the command and its words, ended by NULL; borrowed */
	int words;
	char **rest; /* of top: its own arguments, ended by NULL; NULL: there are none */
};

/* -1 with the reason (wrong usage). */
int client_arguments_parse(struct client_arguments *arguments, const struct client_options *options,
	char **command, int count, struct errmsg *err);

#endif
