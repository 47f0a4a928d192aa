/*
 * What is written is the whole each time: a file that is renamed into place is never half of one,
 * and 500 workers take some 200 KB. The text of the configuration is made once.
 */
#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "configuration.h"
#include "errmsg.h"
#include "generation.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_past.h"
#include "process_look.h"
#include "settings.h"
#include "startup.h"
#include "state.h"
#include "state_file.h"
#include "supervisor.h"
#include "sys.h"

#define AGAIN_SEC        1.
#define WORKERS_A_MS     100 /* so many more, a millisecond more between two times */
#define TELL_INTERVAL_MS 60000

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct keeper *keeper = timer->data;

	(void)loop;
	(void)events;
	keeper->dirty = true;
}

void keeper_open(struct keeper *keeper)
{
	keeper->telling.interval_ms = TELL_INTERVAL_MS;
	ev_timer_init(&keeper->again, on_again, AGAIN_SEC, 0.);
	keeper->again.data = keeper;
	keeper->on = true;
}

/* FNV-1a, by words: it is done in each turn. */
static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * 0x100000001b3u;
	*hash ^= *hash >> 32;
}

/* Of all but the workers, whose changes are told. */
static uint64_t fingerprint(const struct supervisor *supervisor)
{
	uint64_t hash = 0xcbf29ce484222325u;

	mix(&hash, (uintptr_t)supervisor->configuration);
	mix(&hash, supervisor->phase);
	for (size_t i = 0; i < supervisor->pool_count; i++) {
		const struct pool *pool = supervisor->pool[i];

		mix(&hash, (uintptr_t)pool);
		mix(&hash, pool->last_generation);
		mix(&hash, pool->current->number);
		mix(&hash, (uint64_t)pool->offset);
		mix(&hash, (uint64_t)pool->drained_to << 8 | (uint64_t)pool->drained);
		mix(&hash, (uint64_t)pool->context.shown << 8 |
				   (uint64_t)pool->memory.initial_done << 4 |
				   (uint64_t)pool->ever_ready << 1 | pool->first_ready);
	}
	return hash;
}

static const char *configuration_text(struct supervisor *supervisor)
{
	struct keeper *keeper = &supervisor->keeper;
	size_t bytes;
	FILE *out;

	if (keeper->text_of == supervisor->configuration && keeper->text)
		return keeper->text;
	configuration_release(keeper->text_of);
	keeper->text_of = configuration_hold(supervisor->configuration);
	free(keeper->text);
	keeper->text = NULL;
	out = open_memstream(&keeper->text, &bytes);
	if (!out)
		return NULL;
	config_file_print(supervisor->configuration->settings, out);
	return fclose(out) == 0 ? keeper->text : NULL;
}

static void record_socket(
	struct state_socket *out, const char *name, const struct listener *listener)
{
	*out = (struct state_socket){
		.name = (char *)name,
		.fd = listener->fd,
		.path = listener->path,
		.dev = listener->dev,
		.ino = listener->ino,
		.passed = listener->passed,
	};
}

static void record_sockets(const struct supervisor *supervisor, struct state *out)
{
	const struct settings *settings = supervisor->configuration->settings;
	const struct socket_table *table = &supervisor->configuration->sockets;

	out->socket = memory_alloc(settings->socket_count * sizeof(*out->socket) + 1);
	for (size_t i = 0; i < settings->socket_count; i++) {
		const char *name = settings->sockets[i].name;

		record_socket(
			&out->socket[out->socket_count++], name, socket_table_find(table, name));
	}
	out->http.fd = -1;
	if (supervisor->http.program)
		record_socket(&out->http, NULL, &supervisor->http.listener);
}

/* Nobody could be found again without it. */
static void know_world(struct keeper *keeper)
{
	if (keeper->boot_id && *keeper->boot_id && keeper->pid_namespace)
		return;
	free(keeper->boot_id);
	keeper->boot_id = process_boot_id();
	keeper->pid_namespace = process_pid_namespace();
}

static void record_head(struct supervisor *supervisor, struct state *out, int64_t now_ms)
{
	const struct supervisor_options *options = supervisor->options;

	know_world(&supervisor->keeper);
	*out = (struct state){
		.boot_id = supervisor->keeper.boot_id,
		.pid_namespace = supervisor->keeper.pid_namespace,
		.pid = getpid(),
		.clock_ms = now_ms,
		.boot_ns = sys_boottime_ns(),
		.up_ms = sys_now_ms() - supervisor->began_ms,
		.name = supervisor->name,
		.runtime_path = supervisor->runtime_dir.path,
		.config_path = (char *)options->config_path,
		.program = (char *)options->program,
		.log_level = options->log_level,
		.daemon = options->daemon,
		.running = supervisor->phase == PHASE_RUNNING,
		.orphans = supervisor->configuration->settings->preforkd.orphans,
		.limits_changed = options->found_limits->changed,
		.text = (char *)configuration_text(supervisor),
		.lock_fd = -1,
		.pidfile_fd = -1,
		.control_fd = -1,
		.reports_read_fd = -1,
		.reports_write_fd = -1,
	};
	memcpy(out->found, options->found_limits->found, sizeof(out->found));
}

void keeper_record(struct supervisor *supervisor, struct state *out, int64_t now_ms)
{
	record_head(supervisor, out, now_ms);
	record_sockets(supervisor, out);
	out->pool = memory_alloc(supervisor->pool_count * sizeof(*out->pool) + 1);
	for (size_t i = 0; i < supervisor->pool_count; i++)
		pool_record(supervisor->pool[i], &out->pool[out->pool_count++]);
}

void keeper_release(struct state *state)
{
	for (size_t i = 0; i < state->pool_count; i++) {
		free(state->pool[i].worker);
		pool_release_streams(&state->pool[i]);
	}
	free(state->pool);
	free(state->socket);
	free(state->stream_fd);
	free(state->wait);
	free(state->stranger);
}

static int save(struct supervisor *supervisor, int64_t now_ms, struct errmsg *err)
{
	struct state state;
	size_t length = 0;
	char *bytes;
	int result = -1;

	keeper_record(supervisor, &state, now_ms);
	bytes = state.text ? state_to_bytes(&state, &length) : NULL;
	keeper_release(&state);
	if (bytes)
		result = state_file_save(supervisor->runtime_dir.fd, bytes, length, err);
	else
		errmsg_set(err, "no memory for the state");
	free(bytes);
	return result;
}

static int count_workers(const struct supervisor *supervisor)
{
	int count = 0;

	for (size_t i = 0; i < supervisor->pool_count; i++)
		count += supervisor->pool[i]->present;
	return count;
}

static void look_again(struct supervisor *supervisor, double after_sec)
{
	ev_timer *again = &supervisor->keeper.again;

	if (ev_is_active(again))
		return;
	ev_now_update(supervisor->loop);
	ev_timer_set(again, after_sec, 0.);
	ev_timer_start(supervisor->loop, again);
}

void keeper_look(struct supervisor *supervisor, int64_t now_ms)
{
	struct keeper *keeper = &supervisor->keeper;
	const uint64_t now = fingerprint(supervisor);
	struct errmsg err;

	if (!keeper->on || (!keeper->dirty && now == keeper->written))
		return;
	if (now_ms < keeper->next_ms) {
		look_again(supervisor, (double)(keeper->next_ms - now_ms) / 1000);
		return;
	}
	keeper->dirty = false;
	keeper->written = now;
	keeper->next_ms = now_ms + count_workers(supervisor) / WORKERS_A_MS;
	if (save(supervisor, now_ms, &err) == 0)
		return;
	look_again(supervisor, AGAIN_SEC);
	if (rate_limit_pass(&keeper->telling, now_ms, NULL))
		log_error(NULL, "%s: should we die now, the next start would not know the workers",
			err.text);
}

void keeper_close(struct supervisor *supervisor, bool remove)
{
	struct keeper *keeper = &supervisor->keeper;

	if (keeper->on)
		ev_timer_stop(supervisor->loop, &keeper->again);
	if (keeper->on && remove)
		state_file_remove(supervisor->runtime_dir.fd);
	configuration_release(keeper->text_of);
	free(keeper->text);
	free(keeper->boot_id);
	*keeper = (struct keeper){0};
}
