/*
 * Options among words. Not getopt's work: "-1" is an argument here (scale web -1), and top's
 * arguments are its own business.
 */
#include "client_arguments.h"

#include <string.h>

#include "errmsg.h"

/* The value of an option that needs one: behind "=", or the next word. NULL: another option, or
 * there is none. */
static char *option_value(char **at, const char *name, int *used)
{
	size_t length = strlen(name);

	if (strncmp(at[0], name, length) != 0)
		return NULL;
	if (at[0][length] == '=')
		return at[0] + length + 1;
	if (at[0][length])
		return NULL;
	*used = 2;
	return at[1];
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

/* How many words the option takes; 0: it is none of ours. */
static int take_option(struct client_options *options, char **at)
{
	int used = 1;
	char *value;

	if (strcmp(at[0], "--json") == 0) {
		options->json = true;
	} else if (strcmp(at[0], "--no-wait") == 0) {
		options->no_wait = true;
	} else if ((value = option_value(at, "--socket", &used))) {
		options->socket = value;
	} else if ((value = option_value(at, "--config", &used)) ||
		   (value = option_value(at, "-c", &used))) {
		options->config = value;
	} else {
		return 0;
	}
	return used;
}

int client_arguments_parse(struct client_arguments *arguments, const struct client_options *options,
	char **command, int count, struct errmsg *err)
{
	bool is_top = strcmp(command[0], "top") == 0;
	int used;

	*arguments = (struct client_arguments){.options = *options};
	for (int i = 0; i < count; i += used) {
		used = is_option(command[i]) ? take_option(&arguments->options, command + i) : 0;
		if (used > 0)
			continue;
		used = 1;
		if (is_top && i > 0) {
			arguments->rest = command + i;
			return 0;
		}
		if (is_option(command[i]))
			return errmsg_set(
				err, "no such option, or it lacks its value: %s", command[i]);
		if (arguments->words > CONTROL_WORDS_MAX)
			return errmsg_set(err, "too many arguments for %s", command[0]);
		arguments->word[arguments->words++] = command[i];
	}
	return 0;
}
