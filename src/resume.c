/*
 * What the check does and what is then done are the same steps, so that one that passes means the
 * other will. Once in the new program there is no way back: what can still fail here leaves the
 * workers and their state's file for the next start.
 */
#include "resume.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config_file.h"
#include "errmsg.h"
#include "faults.h"
#include "listener.h"
#include "log_target.h"
#include "logger.h"
#include "settings.h"
#include "startup.h"
#include "state.h"
#include "state_file.h"
#include "supervisor.h"

static struct settings *read_settings(const struct state *state)
{
	struct faults faults = {0};
	struct settings *settings =
		config_file_parse(state->config_path, state->text, strlen(state->text), &faults);

	for (size_t i = 0; i < faults.count; i++)
		fprintf(stderr, "%s\n", faults.fault[i].text);
	if (settings && faults.errors > 0) {
		settings_free(settings);
		settings = NULL;
	}
	faults_free(&faults);
	return settings;
}

/* Closes the descriptor. The exit status; 0: both are the caller's. */
static int load(int fd, struct state **state, struct settings **settings)
{
	struct errmsg err;
	size_t length;
	char *bytes = state_memory_load(fd, &length, &err);

	*state = bytes ? state_of_bytes(bytes, length, &err) : NULL;
	free(bytes);
	if (!*state) {
		fprintf(stderr, "preforkd: %s\n", err.text);
		return EX_DATAERR;
	}
	*settings = read_settings(*state);
	if (*settings)
		return EX_OK;
	state_free(*state);
	return EX_CONFIG;
}

int resume_check(int fd)
{
	struct settings *settings;
	struct state *state;
	int status = load(fd, &state, &settings);

	if (status != EX_OK)
		return status;
	settings_free(settings);
	state_free(state);
	return EX_OK;
}

/* The log's file may be out of reach by now; that must not cost more than the log. */
static void open_log(const struct supervisor_options *options, const struct settings *settings)
{
	struct errmsg err;

	if (log_target_open(options, settings, &err) < 0)
		fprintf(stderr, "preforkd: %s\n", err.text);
}

/* What was refused (a descriptor, memory) may have been refused for a moment only: the workers are
 * taken over as from a supervisor that died. Of what was handed over nothing is used any more. */
static int take_over(const struct state *state, struct supervisor_options *options)
{
	struct settings *settings = read_settings(state);

	passed_sockets_free(options->passed);
	logger_close();
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (!settings)
		return EX_CONFIG;
	open_log(options, settings);
	log_error(NULL, "the upgrade failed in the new program, which takes over as after a death");
	options->resumed = NULL;
	return supervisor_run(settings, options);
}

int resume_run(int fd, struct supervisor_options *options)
{
	struct startup_limits limits = {0};
	struct passed_sockets passed = {0};
	struct settings *settings;
	struct state *state;
	int again = fcntl(fd, F_DUPFD_CLOEXEC, fd);
	int status = load(fd, &state, &settings);

	/* It could be read by the check; what is refused now may be for a moment only. */
	if (status != EX_OK && again >= 0)
		status = load(again, &state, &settings);
	else if (again >= 0)
		close(again);
	if (status != EX_OK)
		return status;
	memcpy(limits.found, state->found, sizeof(limits.found));
	limits.changed = state->limits_changed;
	if (state->program)
		options->program = state->program;
	options->config_path = state->config_path;
	options->log_level = state->log_level;
	options->daemon = state->daemon;
	/* They live as long as the supervisor, which runs in here. */
	options->found_limits = &limits; /* cppcheck-suppress autoVariables */
	options->passed = &passed;       /* cppcheck-suppress autoVariables */
	options->resumed = state;
	open_log(options, settings);
	status = supervisor_run(settings, options);
	if (status == SUPERVISOR_NOT_RESUMED)
		status = take_over(state, options);
	logger_close();
	state_free(state);
	return status;
}
