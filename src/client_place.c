/*
 * Where to look. The supervisor and we may have been started in different surroundings (a service
 * manager sets $RUNTIME_DIRECTORY, su(1) leaves /run/user behind), so all the places count in which
 * a supervisor of that name can have put its folder.
 */
#include "client_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "client.h"
#include "config_file.h"
#include "errmsg.h"
#include "faults.h"
#include "memory.h"
#include "runtime_dir.h"
#include "settings.h"

#define SOCKET_NAME "control.sock"
/* Of runtime_dir_place(): /tmp, where anybody can make a folder first. */
#define PLACE_IN_TMP 3

static void add(struct client_places *places, char *path, bool must_be_ours)
{
	places->place[places->count].path = path;
	places->place[places->count].must_be_ours = must_be_ours;
	places->count++;
}

static void add_default_places(struct client_places *places, const char *name, bool sockets)
{
	char *folder;

	for (int number = 0; number < CLIENT_PLACES_MAX; number++) {
		folder = runtime_dir_place(name, number);
		if (!folder)
			continue;
		if (sockets)
			add(places, memory_format("%s/" SOCKET_NAME, folder),
				number == PLACE_IN_TMP);
		places->folder[places->folders++] = folder;
	}
}

static int find_by_settings(struct client_places *places, const struct preforkd_settings *settings,
	const char *config, struct errmsg *err)
{
	if (settings->runtime_dir)
		places->folder[places->folders++] = memory_copy_string(settings->runtime_dir);
	else
		add_default_places(places, settings->name, !settings->control);
	if (settings->control && strcmp(settings->control, "off") == 0) {
		errmsg_set(err, "%s says `control = off`: there is no socket to ask at", config);
		return EX_UNAVAILABLE;
	}
	if (settings->control)
		add(places, memory_copy_string(settings->control), false);
	else if (settings->runtime_dir)
		add(places, memory_format("%s/" SOCKET_NAME, settings->runtime_dir), false);
	return EX_OK;
}

static int cannot_read(const struct faults *faults, const char *config, struct errmsg *err)
{
	int status = errno == ENOENT ? EX_NOINPUT : errno == EACCES ? EX_NOPERM : EX_CONFIG;

	if (faults->count > 0)
		errmsg_set(err, "%s", faults->fault[0].text);
	else
		errmsg_errno(err, "%s", config);
	return status;
}

int client_places_find(
	struct client_places *places, const struct client_options *options, struct errmsg *err)
{
	struct faults faults = {0};
	struct settings *settings;
	int status;

	*places = (struct client_places){.found = -1};
	if (options->socket) {
		add(places, memory_copy_string(options->socket), false);
		return EX_OK;
	}
	if (!options->config) {
		errmsg_set(err, "which supervisor? -c FILE or --socket PATH is missing");
		return EX_USAGE;
	}
	settings = config_file_read(options->config, &faults);
	if (settings)
		status = find_by_settings(places, &settings->preforkd, options->config, err);
	else
		status = cannot_read(&faults, options->config, err);
	settings_free(settings);
	faults_free(&faults);
	return status;
}

void client_places_free(struct client_places *places)
{
	for (int i = 0; i < places->count; i++)
		free(places->place[i].path);
	for (int i = 0; i < places->folders; i++)
		free(places->folder[i]);
	places->count = places->folders = 0;
}
