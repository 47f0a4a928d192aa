/*
 * A worker's arguments, environment and descriptors (what preforkd-worker sees of us). Nothing of
 * the supervisor's own relations passes on: not its NOTIFY_SOCKET, not the sockets systemd gave it,
 * not its watchdog.
 */
#include "launch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "command.h"
#include "errmsg.h"
#include "memory.h"
#include "settings.h"
#include "socket_table.h"
#include "startup.h"
#include "sys.h"
#include "users.h"

#define FIRST_SOCKET_FD 3
#define ENV_NUMBERS     8 /* slot, generation, offset, starter, listen_pid, watchdog's two, auto */

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "NAME=value" against "NAME=". */
static bool same_variable(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length) == 0 && b[length] == '=';
}

static void set_variable(struct words *environment, const char *assignment)
{
	for (size_t i = 0; i < environment->count; i++) {
		if (!same_variable(environment->word[i], assignment))
			continue;
		free(environment->word[i]);
		environment->word[i] = memory_copy_string(assignment);
		return;
	}
	words_add(environment, assignment);
}

__attribute__((format(printf, 3, 4))) static void set_formatted(
	struct words *environment, const char *name, const char *format, ...)
{
	char *value, *assignment;
	va_list arguments;

	va_start(arguments, format);
	value = memory_format_list(format, arguments);
	va_end(arguments);
	assignment = memory_format("%s=%s", name, value);
	set_variable(environment, assignment);
	free(assignment);
	free(value);
}

/* Who started us talks to us by these; our workers are not meant. */
static bool is_ours_alone(const char *assignment)
{
	static const char *const prefixes[] = {"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_",
		"PREFORKD_", "SERVER_STARTER_", "EINHORN_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (starts_with(assignment, prefixes[i]))
			return true;
	return false;
}

static bool is_basic(const char *assignment)
{
	static const char *const names[] = {"PATH=", "HOME=", "USER=", "LOGNAME=", "SHELL="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (starts_with(assignment, names[i]))
			return true;
	return false;
}

static void add_inherited(struct words *environment, bool basic_only)
{
	for (char **assignment = environ; assignment && *assignment; assignment++)
		if (!is_ours_alone(*assignment) && (!basic_only || is_basic(*assignment)))
			words_add(environment, *assignment);
	if (basic_only && !getenv("PATH"))
		set_formatted(environment, "PATH", "%s", COMMAND_DEFAULT_PATH);
}

static void add_user(struct words *environment, const struct identity *identity)
{
	if (!identity->name)
		return;
	set_formatted(environment, "USER", "%s", identity->name);
	set_formatted(environment, "LOGNAME", "%s", identity->name);
	set_formatted(environment, "HOME", "%s", identity->home);
	set_formatted(environment, "SHELL", "%s", identity->shell);
}

static char *instead(char *old, char *new)
{
	free(old);
	return new;
}

/* The names of systemd's sd_listen_fds(3), of start_server (Server::Starter) and of einhorn, so
 * that workers written for those run as they are. */
static void add_sockets(struct words *environment, const struct pool_settings *settings,
	const struct socket_table *sockets)
{
	char *names = memory_copy_string(""), *starter = memory_copy_string("");
	char name[LAUNCH_NUMBER_BYTES];

	for (size_t i = 0; i < settings->sockets.count; i++) {
		const char *socket = settings->sockets.word[i];
		const struct listener *listener = socket_table_find(sockets, socket);

		names = instead(names, memory_format("%s%s%s", names, i ? ":" : "", socket));
		starter = instead(starter, memory_format("%s%s%s=%zu", starter, i ? ";" : "",
						   listener->port_text, FIRST_SOCKET_FD + i));
		snprintf(name, sizeof(name), "EINHORN_FD_%zu", i);
		set_formatted(environment, name, "%zu", FIRST_SOCKET_FD + i);
	}
	set_formatted(environment, "LISTEN_FDS", "%zu", settings->sockets.count);
	set_formatted(environment, "LISTEN_FDNAMES", "%s", names);
	set_formatted(environment, "SERVER_STARTER_PORT", "%s", starter);
	set_formatted(environment, "EINHORN_FD_COUNT", "%zu", settings->sockets.count);
	free(names);
	free(starter);
}

/* Before what is preloaded already. PREFORKD_AUTO is a number of each worker's own: its pid. */
static void add_auto(struct words *environment, const char *library)
{
	const char *others = NULL;

	for (size_t i = 0; i < environment->count; i++)
		if (starts_with(environment->word[i], "LD_PRELOAD="))
			others = environment->word[i] + strlen("LD_PRELOAD=");
	set_formatted(environment, "LD_PRELOAD", "%s%s%s", library, others && *others ? ":" : "",
		others ? others : "");
}

static void build_environment(struct launch *launch, const struct launch_place *place)
{
	const struct pool_settings *settings = launch->settings;
	struct words *environment = &launch->environment;

	add_inherited(environment, settings->clear_environment);
	add_user(environment, &launch->identity);
	for (size_t i = 0; i < settings->environment.count; i++)
		set_variable(environment, settings->environment.word[i]);
	set_formatted(environment, "PREFORKD_NAME", "%s", place->name);
	set_formatted(environment, "PREFORKD_POOL", "%s", settings->name);
	if (place->scoreboard_path) {
		set_formatted(environment, "PREFORKD_SCOREBOARD", "%s", place->scoreboard_path);
		set_formatted(environment, "PREFORKD_SCOREBOARD_FD", "%zu",
			FIRST_SOCKET_FD + settings->sockets.count);
	}
	if (place->notify_address)
		set_formatted(environment, "NOTIFY_SOCKET", "%s", place->notify_address);
	if (settings->sockets.count > 0)
		add_sockets(environment, settings, place->sockets);
	if (settings->auto_scoreboard && place->scoreboard_path)
		add_auto(environment, place->auto_library);
	launch->envp = memory_alloc((environment->count + ENV_NUMBERS + 1) * sizeof(char *));
	memcpy(launch->envp, environment->word, environment->count * sizeof(char *));
}

static void build_descriptors(struct launch *launch, const struct socket_table *sockets)
{
	const struct words *names = &launch->settings->sockets;

	launch->fd_count = FIRST_SOCKET_FD + (int)names->count;
	launch->fd = memory_alloc(((size_t)launch->fd_count + 1) * sizeof(int));
	for (size_t i = 0; i < names->count; i++)
		launch->fd[FIRST_SOCKET_FD + i] = socket_table_find(sockets, names->word[i])->fd;
}

/* Workers get the limits that we found, not what we raised for ourselves. */
static void build_limits(struct launch *launch, const struct startup_limits *found)
{
	const struct pool_settings *settings = launch->settings;

	for (int i = 0; i < SPAWN_LIMITS; i++)
		launch->limits[i] = settings->limit_set & UINT64_C(1) << i ? settings->limits[i]
									   : found->found[i];
	launch->plan.limit_set = settings->limit_set | found->changed;
	launch->plan.limits = launch->limits;
}

static const char *search_path(const struct launch *launch)
{
	for (size_t i = 0; i < launch->environment.count; i++)
		if (starts_with(launch->environment.word[i], "PATH="))
			return launch->environment.word[i] + strlen("PATH=");
	return COMMAND_DEFAULT_PATH;
}

static void build_plan(struct launch *launch)
{
	const struct pool_settings *settings = launch->settings;
	struct spawn_plan *plan = &launch->plan;

	plan->envp = launch->envp;
	plan->fd = launch->fd;
	plan->identity = &launch->identity;
	plan->chroot = settings->chroot;
	plan->umask = (int)settings->umask;
	plan->nice_set = settings->nice_set;
	plan->nice = (int)settings->nice;
	plan->oom_score_adj_set = settings->oom_score_adj_set;
	plan->oom_score_adj = (int)settings->oom_score_adj;
	plan->cpus = settings->cpu_affinity;
	plan->cpus_bytes = CPU_AFFINITY_BYTES;
	plan->no_new_privileges = settings->no_new_privileges;
}

char *launch_expand(const struct launch *launch, const char *text, int slot, struct errmsg *err)
{
	const struct expansion expansion = {
		.name = launch->name,
		.pool = launch->settings->name,
		.slot = slot,
	};

	return words_expand(text, &expansion, err);
}

static int expand_command(struct launch *launch, int slot, struct errmsg *err)
{
	const struct words *command = &launch->settings->command;

	words_free(&launch->expanded);
	for (size_t i = 0; i < command->count; i++) {
		char *word = launch_expand(launch, command->word[i], slot, err);

		if (!word)
			return -1;
		words_add(&launch->expanded, word);
		free(word);
	}
	launch->plan.argv = launch->expanded.word;
	return 0;
}

static int expand_directory(struct launch *launch, int slot, struct errmsg *err)
{
	free(launch->directory);
	launch->plan.directory = launch->directory = NULL;
	if (launch->settings->directory) {
		launch->directory = launch_expand(launch, launch->settings->directory, slot, err);
		if (!launch->directory)
			return -1;
	}
	launch->plan.directory = launch->directory;
	return 0;
}

/* A name without a slash is looked for on the worker's PATH; one with a slash is the program's path
 * as it stands, since exec comes after chdir. */
static int find_program(struct launch *launch, struct errmsg *err)
{
	const char *name = launch->expanded.word[0];
	char *path;

	if (launch->program && strcmp(launch->program, name) == 0)
		return 0;
	path = command_find(
		name, search_path(launch), launch->directory, launch->settings->chroot, err);
	if (!path)
		return -1;
	free(launch->program);
	free(launch->path);
	launch->program = memory_copy_string(name);
	launch->path = path;
	return 0;
}

static int expand(struct launch *launch, int slot, struct errmsg *err)
{
	if (expand_command(launch, slot, err) < 0 || expand_directory(launch, slot, err) < 0)
		return -1;
	if (strchr(launch->expanded.word[0], '/')) {
		launch->plan.path = launch->expanded.word[0];
		return 0;
	}
	if (find_program(launch, err) < 0)
		return -1;
	launch->plan.path = launch->path;
	return 0;
}

static int check_auto(
	const struct pool_settings *settings, const struct launch_place *place, struct errmsg *err)
{
	if (!settings->auto_scoreboard || !place->scoreboard_path)
		return 0;
	if (place->auto_library && access(place->auto_library, R_OK) == 0)
		return 0;
	return errmsg_errno(err, "auto_scoreboard: %s",
		place->auto_library ? place->auto_library : "its library");
}

int launch_init(struct launch *launch, const struct pool_settings *settings,
	const struct launch_place *place, struct errmsg *err)
{
	*launch = (struct launch){.settings = settings, .name = place->name};
	launch->null_fd = sys_open("/dev/null", O_RDWR | O_CLOEXEC, 0);
	if (launch->null_fd < 0)
		return errmsg_errno(err, "/dev/null");
	if (check_auto(settings, place, err) < 0) {
		launch_fini(launch);
		return -1;
	}
	if (users_resolve(&launch->identity, settings->user, settings->group, &settings->groups,
		    err) < 0) {
		launch_fini(launch);
		return -1;
	}
	build_environment(launch, place);
	build_descriptors(launch, place->sockets);
	build_limits(launch, place->found_limits);
	build_plan(launch);
	if (expand(launch, 0, err) == 0 && find_program(launch, err) == 0)
		return 0;
	launch_fini(launch);
	return -1;
}

void launch_resettle(struct launch *launch, const struct pool_settings *settings)
{
	launch->settings = settings;
	build_plan(launch);
}

/* As systemd's watchdog: a process that does not find its own pid there is not meant. */
static char **add_watchdog(struct launch *launch, char **number)
{
	const int64_t timeout_ms = launch->settings->timeout_ms;

	if (timeout_ms <= 0)
		return number;
	snprintf(launch->watchdog, sizeof(launch->watchdog), "WATCHDOG_USEC=%" PRId64,
		timeout_ms * 1000);
	snprintf(launch->watchdog_pid, sizeof(launch->watchdog_pid), "WATCHDOG_PID=%-12s", "");
	*number++ = launch->watchdog;
	*number++ = launch->watchdog_pid;
	return number;
}

const struct spawn_plan *launch_prepare(
	struct launch *launch, const struct launch_worker *worker, struct errmsg *err)
{
	char **number = launch->envp + launch->environment.count;

	if (expand(launch, worker->slot, err) < 0)
		return NULL;
	memcpy(launch->fd, worker->standard_fd, sizeof(worker->standard_fd));
	launch->fd[launch->fd_count] = worker->scoreboard_fd;
	launch->plan.fd_count = launch->fd_count + (worker->scoreboard_fd >= 0 ? 1 : 0);
	snprintf(launch->slot, sizeof(launch->slot), "PREFORKD_SLOT=%d", worker->slot);
	snprintf(launch->generation, sizeof(launch->generation), "PREFORKD_GENERATION=%" PRIu64,
		worker->generation);
	snprintf(launch->offset, sizeof(launch->offset), "PREFORKD_SCOREBOARD_OFFSET=%d",
		worker->slot * BOARD_LINE_BYTES);
	snprintf(launch->starter, sizeof(launch->starter), "SERVER_STARTER_GENERATION=%" PRIu64,
		worker->generation);
	snprintf(launch->listen_pid, sizeof(launch->listen_pid), "LISTEN_PID=%-12s", "");
	*number++ = launch->slot;
	*number++ = launch->generation;
	if (worker->scoreboard_fd >= 0)
		*number++ = launch->offset;
	if (launch->settings->sockets.count > 0) {
		*number++ = launch->starter;
		*number++ = launch->listen_pid;
	}
	number = add_watchdog(launch, number);
	if (launch->settings->auto_scoreboard && worker->scoreboard_fd >= 0) {
		snprintf(launch->auto_pid, sizeof(launch->auto_pid), "PREFORKD_AUTO=%-12s", "");
		*number++ = launch->auto_pid;
	}
	*number = NULL;
	return &launch->plan;
}

void launch_fini(struct launch *launch)
{
	identity_free(&launch->identity);
	words_free(&launch->expanded);
	words_free(&launch->environment);
	free(launch->program);
	free(launch->path);
	free(launch->directory);
	free(launch->envp);
	free(launch->fd);
	if (launch->null_fd >= 0)
		sys_close(launch->null_fd);
	*launch = (struct launch){.null_fd = -1};
}
