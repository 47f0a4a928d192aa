/*
 * Opens what the daemon lives by, in an order in which nothing is lost when a step fails, runs the
 * loop (turn.c), and closes everything again. What an earlier supervisor, or ourselves before an
 * upgrade, left behind is taken up instead of made.
 */
#include "supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "adopt.h"
#include "configuration.h"
#include "control_handler.h"
#include "errmsg.h"
#include "exit_status.h"
#include "helper_program.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_past.h"
#include "roster.h"
#include "settings.h"
#include "state.h"
#include "strangers.h"
#include "sys.h"
#include "turn.h"

#define UNLISTED_LOG_MS 1000

static int open_runtime_dir(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;
	const char *wanted = settings->preforkd.runtime_dir;
	char *path;
	bool busy;
	int result;

	if (past)
		return runtime_dir_take_up(
			&supervisor->runtime_dir, past->runtime_path, past->lock_fd, err);
	path = wanted ? memory_copy_string(wanted) : runtime_dir_default(supervisor->name);
	result = runtime_dir_open(
		&supervisor->runtime_dir, path, supervisor->options->config_path, &busy, err);

	if (result == 0 && !runtime_dir_in_memory(&supervisor->runtime_dir))
		log_warning(NULL,
			"runtime_dir %s is on a disk: every write to a scoreboard may wait for it; "
			"better in /run or /dev/shm",
			path);
	free(path);
	return result;
}

static int open_pidfile(
	struct supervisor *supervisor, const struct settings *settings, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;

	if (!past)
		return pidfile_open(&supervisor->pidfile, settings->preforkd.pid_file, err);
	if (past->pidfile_fd >= 0)
		pidfile_take_up(&supervisor->pidfile, past->pidfile_path, past->pidfile_fd);
	return 0;
}

static int open_reports(struct supervisor *supervisor, struct errmsg *err)
{
	const struct state *past = supervisor->options->resumed;

	if (!past)
		return spawn_reports_open(&supervisor->reports, err);
	spawn_reports_take_up(&supervisor->reports, past->reports_read_fd, past->reports_write_fd);
	return 0;
}

static void make_place(struct supervisor *supervisor)
{
	supervisor->auto_library =
		helper_library(supervisor->options->library_folder, "libprefork-auto.so");
	supervisor->place = (struct pool_place){
		.loop = supervisor->loop,
		.launch = {.name = supervisor->name,
			.auto_library = supervisor->auto_library,
			.found_limits = supervisor->options->found_limits},
		.scoreboard_folder = supervisor->runtime_dir.path,
		.reports = &supervisor->reports,
		.changed = turn_changed,
		.now = turn_now,
		.moved = turn_moved,
		.owner = supervisor,
	};
}

static int open_pools(struct supervisor *supervisor, struct errmsg *err)
{
	const struct settings *settings = supervisor->configuration->settings;
	struct pool_past past;
	struct errmsg reason;

	for (size_t i = 0; i < settings->pool_count; i++) {
		const struct pool_settings *wanted = &settings->pools[i];
		const bool known = adopt_pool(supervisor, wanted->name, &past);
		struct pool *pool = known ? pool_take_up(supervisor->configuration, wanted,
						    &supervisor->place, &past, &reason)
					  : pool_new(supervisor->configuration, wanted,
						    &supervisor->place, &reason);

		if (!pool)
			return errmsg_set(
				err, "[pool:%s]: %s", settings->pools[i].name, reason.text);
		roster_add(supervisor, pool);
	}
	adopt_end(supervisor);
	return 0;
}

/* Who may have the address: workers that we know nothing of. */
static void name_holders(const struct supervisor *supervisor, struct errmsg *err)
{
	const struct errmsg reason = *err;

	if (supervisor->past_unreadable.text[0])
		errmsg_set(err, "%.300s; %.700s", reason.text, supervisor->past_unreadable.text);
}

static int open_configuration(
	struct supervisor *supervisor, struct settings *settings, struct errmsg *err)
{
	int saved, unused;

	fd_store_take(supervisor, settings);
	if (adopt_sockets(supervisor, settings, err) < 0)
		return -1;
	supervisor->configuration =
		configuration_open(settings, NULL, supervisor->options->passed, err);
	saved = errno;
	if (!supervisor->configuration) {
		fd_store_refuse(supervisor);
		passed_sockets_leave(supervisor->options->passed);
	}
	unused = passed_sockets_free(supervisor->options->passed);
	if (unused > 0)
		log_warning(NULL, "%d sockets passed in (LISTEN_FDS) are named by no [socket:...]",
			unused);
	errno = saved;
	if (!supervisor->configuration && saved == EADDRINUSE)
		name_holders(supervisor, err);
	if (!supervisor->configuration)
		return -1;
	fd_store_sync(supervisor);
	return 0;
}

/* The page needs the control server's answers, but not its socket. */
static int open_http(struct supervisor *supervisor, struct errmsg *err)
{
	const char *address = supervisor->configuration->settings->preforkd.http;
	const struct state *past = supervisor->options->resumed;
	struct http_process_settings settings = {.control = supervisor->control,
		.reports = &supervisor->reports,
		.address = address,
		.may_be_held = supervisor->follows_death || supervisor->resumed};
	struct listener_past listener;
	char *program;
	int result;

	if (strcmp(address, "off") == 0)
		return 0;
	if (past)
		listener = (struct listener_past){.fd = past->http.fd,
			.path = past->http.path,
			.dev = past->http.dev,
			.ino = past->http.ino};
	program = helper_program(supervisor->options->helper_folder, "preforkd-http");
	settings.program = program;
	settings.past = past && past->http.fd >= 0 ? &listener : NULL;
	result = http_process_open(&supervisor->http, supervisor->loop, &settings, err);
	free(program);
	return result;
}

/* As before the upgrade. */
static void resume(struct supervisor *supervisor)
{
	const struct state *past = supervisor->options->resumed;

	supervisor->began_ms = sys_now_ms() - past->up_ms;
	reload_resume(&supervisor->reload, &past->reload);
	if (past->running) {
		supervisor->phase = PHASE_RUNNING;
		service_manager_ready(&supervisor->manager);
	}
	upgrade_finish(supervisor);
}

static int supervisor_open(
	struct supervisor *supervisor, struct settings *settings, struct errmsg *err)
{
	/* Signals first: from here on, whoever ends us finds nothing left behind. */
	if (turn_open(supervisor, err) < 0 || open_runtime_dir(supervisor, settings, err) < 0 ||
		open_pidfile(supervisor, settings, err) < 0)
		return -1;
	service_manager_open(&supervisor->manager, supervisor->loop);
	fd_store_open(supervisor);
	if (adopt_find(supervisor, settings, err) < 0 ||
		open_configuration(supervisor, settings, err) < 0 ||
		open_reports(supervisor, err) < 0 || control_handler_open(supervisor, err) < 0 ||
		open_http(supervisor, err) < 0)
		return -1;
	make_place(supervisor);
	if (open_pools(supervisor, err) < 0)
		return -1;
	keeper_open(&supervisor->keeper);
	/* Whoever comes after a death right after the first starts finds the workers by it. */
	keeper_look(supervisor, supervisor->place.now(supervisor));
	if (supervisor->resumed)
		resume(supervisor);
	return 0;
}

/* A start that failed leaves workers that were there before it as it found them: their files too.
 */
static void leave_alone(struct supervisor *supervisor)
{
	if (!supervisor->past)
		return;
	for (size_t i = 0; i < supervisor->pool_count; i++)
		supervisor->pool[i]->left_alone = true;
	if (supervisor->configuration)
		socket_table_leave(&supervisor->configuration->sockets);
	adopt_forget(supervisor);
}

static void supervisor_close(struct supervisor *supervisor)
{
	fd_store_close(supervisor);
	service_manager_close(&supervisor->manager);
	keeper_close(supervisor, roster_all(supervisor, pool_empty));
	http_process_close(&supervisor->http);
	control_handler_close(supervisor);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_free(supervisor->pool[i]);
	free(supervisor->pool);
	spawn_reports_close(&supervisor->reports);
	reload_abandon(supervisor);
	configuration_release(supervisor->configuration);
	pidfile_close(&supervisor->pidfile);
	runtime_dir_close(&supervisor->runtime_dir);
	signals_close(&supervisor->signals);
	free(supervisor->name);
	free(supervisor->auto_library);
	strangers_forget(&supervisor->strangers);
	if (!supervisor->loop)
		return;
	walk_end(&supervisor->walk, supervisor->loop);
	leavers_free(&supervisor->leavers);
	ev_loop_destroy(supervisor->loop);
}

static void find_strangers(struct supervisor *supervisor)
{
	const struct state *past = supervisor->options->resumed;
	struct strangers *strangers = &supervisor->strangers;

	if (!past) {
		strangers_find(strangers);
		return;
	}
	strangers->before = memory_alloc(past->stranger_count * sizeof(*strangers->before) + 1);
	for (size_t i = 0; i < past->stranger_count; i++)
		strangers->before[strangers->count++] =
			(struct stranger){.pid = past->stranger[i].pid,
				.started_ticks = past->stranger[i].started_ticks};
}

int supervisor_run(struct settings *settings, const struct supervisor_options *options)
{
	struct supervisor supervisor = {
		.options = options,
		.starter = options->starter,
		.failure = {"stopped before the first workers were ready"},
		.runtime_dir = {.fd = -1, .lock_fd = -1},
		.pidfile = {.fd = -1},
		.reports = {.read_fd = -1, .write_fd = -1},
		.signals = {.fd = -1},
		.manager = {.fd = -1},
		.unlisted_log = {.interval_ms = UNLISTED_LOG_MS},
	};
	bool opened;
	int status;

	supervisor.resumed = options->resumed != NULL;
	supervisor.name = memory_copy_string(
		supervisor.resumed ? options->resumed->name : settings->preforkd.name);
	supervisor.began_ms = sys_now_ms();
	find_strangers(&supervisor);
	srandom((unsigned)sys_boottime_ns() ^ (unsigned)getpid());
	opened = supervisor_open(&supervisor, settings, &supervisor.failure) == 0;
	if (!opened) {
		supervisor.exit_status = exit_status_of_errno(errno);
		log_error(NULL, "%s", supervisor.failure.text);
		leave_alone(&supervisor);
		if (!supervisor.configuration)
			settings_free(settings);
	} else {
		ev_run(supervisor.loop, 0);
		log_notice(NULL, "stopped");
	}
	supervisor_close(&supervisor);
	if (!opened && supervisor.resumed)
		return SUPERVISOR_NOT_RESUMED;
	memory_release_reserve();
	status = supervisor.exit_status;
	/* A start that somebody ended is none, and there is nothing left in the way of another. */
	turn_tell_starter(
		&supervisor, status == EX_OK ? EX_TEMPFAIL : status, supervisor.failure.text);
	return status;
}
