/*
 * One description of the format for both directions: walk_X() goes through a struct field by field,
 * and each field is written or read, by the codec's direction. So the two cannot differ. What is
 * read is checked where it is read; after the first thing that is wrong nothing is read any more.
 */
#include "state.h"

#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "memory.h"

#define NUMBER_BYTES  8
#define NO_TEXT       INT64_MAX /* the length of a NULL */
#define NAME_MAX_     255
#define PATH_MAX_     65536
#define TEXT_MAX      (16 << 20)
#define SLOTS_MAX     1000000
#define SIGNAL_MAX    64
#define FD_MAX        (1 << 30)
#define FIRST_BYTES   256
#define ROOM_BYTES(n) ((n) + (n) / 2)

struct codec {
	bool writing;
	char *bytes; /* being written; owned */
	const char *from;
	size_t size, at;   /* of the bytes that are there; how far we are */
	const char *wrong; /* NULL: nothing yet */
};

/* --- what everything is made of --- */

static void put(struct codec *codec, const void *from, size_t length)
{
	char *more;

	if (codec->wrong || length == 0)
		return;
	if (codec->at + length > STATE_MAX_BYTES) {
		codec->wrong = "too long";
		return;
	}
	if (codec->at + length > codec->size) {
		codec->size = ROOM_BYTES(codec->at + length + FIRST_BYTES);
		more = realloc(codec->bytes, codec->size);
		if (!more) {
			codec->wrong = "no memory";
			return;
		}
		codec->bytes = more;
	}
	memcpy(codec->bytes + codec->at, from, length);
	codec->at += length;
}

/* NULL: there are not so many left. */
static const char *take(struct codec *codec, size_t length)
{
	const char *at = codec->from + codec->at;

	if (!codec->wrong && length > codec->size - codec->at)
		codec->wrong = "it ends too soon";
	if (codec->wrong)
		return NULL;
	codec->at += length;
	return at;
}

static void block(struct codec *codec, char *bytes, size_t length)
{
	const char *from;

	if (codec->writing) {
		put(codec, bytes, length);
		return;
	}
	from = take(codec, length);
	if (from)
		memcpy(bytes, from, length);
}

static int64_t number(struct codec *codec, int64_t value, int64_t min, int64_t max)
{
	uint64_t bits = htole64((uint64_t)value);

	block(codec, (char *)&bits, sizeof(bits));
	if (codec->writing)
		return value;
	bits = le64toh(bits);
	if (!codec->wrong && ((int64_t)bits < min || (int64_t)bits > max))
		codec->wrong = "a number is out of its bounds";
	return codec->wrong ? min : (int64_t)bits;
}

/* A field of any integer type. */
#define NUMBER(codec, field, min, max)                                                             \
	((field) = (__typeof__(field))number(codec, (int64_t)(field), min, max))
#define ANY(codec, field)    NUMBER(codec, field, INT64_MIN, INT64_MAX)
#define FLAG(codec, field)   NUMBER(codec, field, 0, 1)
#define FD(codec, field)     NUMBER(codec, field, -1, FD_MAX)
#define SIGNAL(codec, field) NUMBER(codec, field, 0, SIGNAL_MAX)
/* A point in time, or a span: small enough to be reckoned with. */
#define TIME(codec, field)    NUMBER(codec, field, -(INT64_MAX / 4), INT64_MAX / 4)
#define COUNTER(codec, field) NUMBER(codec, field, 0, INT64_MAX)

static void text(struct codec *codec, char **value, size_t max)
{
	const int64_t own = codec->writing && *value ? (int64_t)strlen(*value) : NO_TEXT;
	const int64_t length = number(codec, own, 0, NO_TEXT);
	const char *from;

	if (codec->writing) {
		if (*value && length <= (int64_t)max)
			put(codec, *value, (size_t)length);
		else if (*value)
			codec->wrong = "a text is too long";
		return;
	}
	if (codec->wrong || length == NO_TEXT)
		return;
	if (length > (int64_t)max)
		codec->wrong = "a text is too long";
	from = take(codec, (size_t)length);
	if (from && memchr(from, '\0', (size_t)length))
		codec->wrong = "a text has a NUL in it";
	if (!codec->wrong)
		*value = memory_format("%.*s", (int)length, from);
}

/* A text that must be there. */
static void name(struct codec *codec, char **value, size_t max)
{
	text(codec, value, max);
	if (!codec->writing && !codec->wrong && !*value)
		codec->wrong = "a text is missing";
}

/* How many there are of a list; read, room is made for them. Each has so many numbers at least, so
 * that no count is believed that the length does not bear out. */
static size_t list(
	struct codec *codec, void **items, size_t count, size_t item_bytes, size_t numbers)
{
	const size_t left =
		codec->writing ? 0 : (codec->size - codec->at) / (numbers * NUMBER_BYTES);

	count = (size_t)number(codec, (int64_t)count, 0, (int64_t)left);
	if (codec->writing)
		return count;
	if (codec->wrong)
		return 0;
	*items = count > 0 ? memory_alloc(count * item_bytes) : NULL;
	return count;
}

#define LIST(codec, items, count, numbers)                                                         \
	((count) = list(codec, (void **)&(items), count, sizeof(*(items)), numbers))

/* --- the structs --- */

static void walk_socket(struct codec *codec, struct state_socket *socket)
{
	text(codec, &socket->name, NAME_MAX_);
	FD(codec, socket->fd);
	text(codec, &socket->path, PATH_MAX_);
	ANY(codec, socket->dev);
	ANY(codec, socket->ino);
	FLAG(codec, socket->passed);
}

static void walk_times(struct codec *codec, struct worker_times *times)
{
	TIME(codec, times->started_at);
	TIME(codec, times->sign_at);
	TIME(codec, times->job_at);
	TIME(codec, times->retired_at);
	TIME(codec, times->leaving_at);
	TIME(codec, times->signalled_at);
	TIME(codec, times->killed_at);
	TIME(codec, times->extended_until);
	TIME(codec, times->expires_at);
	FLAG(codec, times->hung);
	FLAG(codec, times->job_warned);
	FLAG(codec, times->kill_warned);
}

static void walk_identity(struct codec *codec, struct state_worker *worker)
{
	NUMBER(codec, worker->slot, 0, SLOTS_MAX);
	NUMBER(codec, worker->pid, 2, INT_MAX);
	COUNTER(codec, worker->started_ticks);
	TIME(codec, worker->started_boot_ns);
	NUMBER(codec, worker->uid, 0, UINT32_MAX);
	COUNTER(codec, worker->generation);
	COUNTER(codec, worker->beside);
	FLAG(codec, worker->proven);
	NUMBER(codec, worker->state, WORKER_STARTING, WORKER_STATE_COUNT - 1);
	FLAG(codec, worker->foreign);
	SIGNAL(codec, worker->stop_signal);
	TIME(codec, worker->stop_timeout_ms);
}

static void walk_worker(struct codec *codec, struct state_worker *worker)
{
	walk_identity(codec, worker);
	NUMBER(codec, worker->activity, ACTIVITY_NONE, ACTIVITY_BUSY);
	walk_times(codec, &worker->times);
	TIME(codec, worker->activity_at);
	TIME(codec, worker->ready_at);
	COUNTER(codec, worker->jobs);
	COUNTER(codec, worker->max_jobs);
	NUMBER(codec, worker->recycle, 0, 4);
	FLAG(codec, worker->replacement);
	FLAG(codec, worker->jobs_known);
	FLAG(codec, worker->job_done);
	FLAG(codec, worker->asked);
	FLAG(codec, worker->start_failed);
	FLAG(codec, worker->settled);
	FLAG(codec, worker->ready_told);
	FLAG(codec, worker->leaving);
	SIGNAL(codec, worker->retire_signal);
	SIGNAL(codec, worker->soft_signal);
	block(codec, worker->line, sizeof(worker->line));
	text(codec, &worker->status, PATH_MAX_);
}

static void walk_stream(struct codec *codec, struct state_stream *stream)
{
	NUMBER(codec, stream->slot, 0, SLOTS_MAX);
	NUMBER(codec, stream->pid, 2, INT_MAX);
	NUMBER(codec, stream->number, 1, 2);
	FD(codec, stream->fd);
	text(codec, &stream->path, PATH_MAX_);
	text(codec, &stream->pending, TEXT_MAX);
}

static void walk_histogram(struct codec *codec, struct histogram *histogram)
{
	int64_t bits = 0;

	for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
		COUNTER(codec, histogram->count[i]);
	memcpy(&bits, &histogram->sum, sizeof(bits));
	ANY(codec, bits);
	memcpy(&histogram->sum, &bits, sizeof(bits));
	/* no endless number, and none that is none */
	if (!codec->wrong && !(histogram->sum >= 0 && histogram->sum < 1e15))
		codec->wrong = "a sum of times is none";
}

static void walk_tally(struct codec *codec, struct tally *tally)
{
	COUNTER(codec, tally->starts);
	COUNTER(codec, tally->jobs);
	COUNTER(codec, tally->exits_asked);
	COUNTER(codec, tally->exits_voluntary);
	COUNTER(codec, tally->exits_failed);
	COUNTER(codec, tally->killed);
	COUNTER(codec, tally->recycled_jobs);
	COUNTER(codec, tally->recycled_age);
	COUNTER(codec, tally->recycled_memory);
	COUNTER(codec, tally->limit_hits);
	walk_histogram(codec, &tally->start_to_ready);
	walk_histogram(codec, &tally->demand_to_start);
}

static void walk_pool_head(struct codec *codec, struct state_pool *pool)
{
	name(codec, &pool->name, NAME_MAX_);
	name(codec, &pool->board_path, PATH_MAX_);
	text(codec, &pool->notify_address, PATH_MAX_);
	FD(codec, pool->notify_fd);
	COUNTER(codec, pool->last_generation);
	NUMBER(codec, pool->generation, 0, (int64_t)pool->last_generation);
	FLAG(codec, pool->proven);
	NUMBER(codec, pool->uid, 0, UINT32_MAX);
	NUMBER(codec, pool->offset, -SLOTS_MAX, SLOTS_MAX);
	FLAG(codec, pool->drained);
	NUMBER(codec, pool->drained_to, 0, SLOTS_MAX);
	NUMBER(codec, pool->shown, 0, 2);
	FLAG(codec, pool->ever_ready);
	FLAG(codec, pool->first_ready);
	FLAG(codec, pool->initial_done);
	COUNTER(codec, pool->failure_round);
	NUMBER(codec, pool->failure_rounds, 0, INT_MAX);
	NUMBER(codec, pool->failures, 0, INT_MAX);
	TIME(codec, pool->failure_until);
	walk_tally(codec, &pool->tally);
}

static void walk_pool(struct codec *codec, struct state_pool *pool)
{
	walk_pool_head(codec, pool);
	LIST(codec, pool->worker, pool->worker_count, 40);
	for (size_t i = 0; i < pool->worker_count; i++) {
		walk_worker(codec, &pool->worker[i]);
		pool->worker[i].pidfd = codec->writing ? pool->worker[i].pidfd : -1;
	}
	LIST(codec, pool->stream, pool->stream_count, 6);
	for (size_t i = 0; i < pool->stream_count; i++)
		walk_stream(codec, &pool->stream[i]);
}

static void walk_head(struct codec *codec, struct state *state)
{
	name(codec, &state->boot_id, NAME_MAX_);
	ANY(codec, state->pid_namespace);
	NUMBER(codec, state->pid, 1, INT_MAX);
	TIME(codec, state->clock_ms);
	TIME(codec, state->boot_ns);
	TIME(codec, state->up_ms);
	name(codec, &state->name, NAME_MAX_);
	name(codec, &state->runtime_path, PATH_MAX_);
	name(codec, &state->config_path, PATH_MAX_);
	text(codec, &state->program, PATH_MAX_);
	NUMBER(codec, state->log_level, -1, 16);
	FLAG(codec, state->daemon);
	FLAG(codec, state->running);
	NUMBER(codec, state->orphans, 0, 1);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		ANY(codec, state->found[i].rlim_cur);
		ANY(codec, state->found[i].rlim_max);
	}
	ANY(codec, state->limits_changed);
	name(codec, &state->text, TEXT_MAX);
}

static void walk_descriptors(struct codec *codec, struct state *state)
{
	LIST(codec, state->stranger, state->stranger_count, 2);
	for (size_t i = 0; i < state->stranger_count; i++) {
		NUMBER(codec, state->stranger[i].pid, 2, INT_MAX);
		COUNTER(codec, state->stranger[i].started_ticks);
	}
	FD(codec, state->lock_fd);
	FD(codec, state->pidfile_fd);
	FD(codec, state->control_fd);
	FD(codec, state->reports_read_fd);
	FD(codec, state->reports_write_fd);
	text(codec, &state->pidfile_path, PATH_MAX_);
	text(codec, &state->control_path, PATH_MAX_);
	walk_socket(codec, &state->http);
	LIST(codec, state->stream_fd, state->stream_fd_count, 1);
	for (size_t i = 0; i < state->stream_fd_count; i++)
		FD(codec, state->stream_fd[i]);
}

static void walk_waits(struct codec *codec, struct state *state)
{
	COUNTER(codec, state->last_id);
	COUNTER(codec, state->upgrade_id);
	COUNTER(codec, state->drain_id);
	LIST(codec, state->wait, state->wait_count, 4);
	for (size_t i = 0; i < state->wait_count; i++) {
		struct state_wait *wait = &state->wait[i];

		COUNTER(codec, wait->id);
		name(codec, &wait->pool, NAME_MAX_);
		NUMBER(codec, wait->slot, 0, SLOTS_MAX);
		NUMBER(codec, wait->pid, 2, INT_MAX);
	}
}

static void walk_reload(struct codec *codec, struct state_reload *reload)
{
	NUMBER(codec, reload->state, 0, 3);
	text(codec, &reload->action, NAME_MAX_);
	TIME(codec, reload->ended_at);
	TIME(codec, reload->took_ms);
	text(codec, &reload->reason, PATH_MAX_);
}

static void walk(struct codec *codec, struct state *state)
{
	walk_head(codec, state);
	walk_descriptors(codec, state);
	walk_waits(codec, state);
	LIST(codec, state->socket, state->socket_count, 6);
	for (size_t i = 0; i < state->socket_count; i++) {
		walk_socket(codec, &state->socket[i]);
		if (!codec->wrong && !state->socket[i].name)
			codec->wrong = "a socket has no name";
	}
	LIST(codec, state->pool, state->pool_count, 40);
	for (size_t i = 0; i < state->pool_count; i++)
		walk_pool(codec, &state->pool[i]);
	walk_reload(codec, &state->reload);
}

/* --- both directions --- */

char *state_to_bytes(const struct state *state, size_t *bytes)
{
	struct codec codec = {.writing = true};
	char first[64];

	snprintf(first, sizeof(first), STATE_MAGIC "%d\n", STATE_VERSION);
	put(&codec, first, strlen(first));
	walk(&codec, (struct state *)state); /* it is only written */
	*bytes = codec.at;
	if (!codec.wrong)
		return codec.bytes;
	free(codec.bytes);
	return NULL;
}

/* The first line: what this is, and of which version. */
static int read_first(struct codec *codec, struct errmsg *err)
{
	const size_t magic = strlen(STATE_MAGIC);
	int version = 0, digits = 0;

	if (codec->size < magic || memcmp(codec->from, STATE_MAGIC, magic) != 0)
		return errmsg_set(err, "it is no saved state of preforkd");
	for (codec->at = magic; codec->at < codec->size && digits < 9; codec->at++, digits++) {
		const char digit = codec->from[codec->at];

		if (digit < '0' || digit > '9')
			break;
		version = version * 10 + digit - '0';
	}
	if (digits == 0 || codec->from[magic] == '0' || codec->at == codec->size ||
		codec->from[codec->at++] != '\n')
		return errmsg_set(err, "the saved state is of no known version");
	if (version == STATE_VERSION)
		return 0;
	return errmsg_set(err, "the saved state is of version %d, and this program reads %d",
		version, STATE_VERSION);
}

struct state *state_of_bytes(const char *bytes, size_t length, struct errmsg *err)
{
	struct codec codec = {.from = bytes, .size = length};
	struct state *state;

	if (length > STATE_MAX_BYTES) {
		errmsg_set(err, "the saved state is too long");
		return NULL;
	}
	if (read_first(&codec, err) < 0)
		return NULL;
	state = memory_alloc(sizeof(*state));
	walk(&codec, state);
	if (!codec.wrong && codec.at != codec.size)
		codec.wrong = "there is something behind its end";
	if (!codec.wrong)
		return state;
	errmsg_set(err, "the saved state cannot be read: %s (at byte %zu)", codec.wrong, codec.at);
	state_free(state);
	return NULL;
}

/* --- the rest --- */

static void free_socket(struct state_socket *socket)
{
	free(socket->name);
	free(socket->path);
}

static void free_pool(struct state_pool *pool)
{
	for (size_t i = 0; i < pool->worker_count; i++)
		free(pool->worker[i].status);
	for (size_t i = 0; i < pool->stream_count; i++) {
		free(pool->stream[i].path);
		free(pool->stream[i].pending);
	}
	free(pool->worker);
	free(pool->stream);
	free(pool->name);
	free(pool->board_path);
	free(pool->notify_address);
}

void state_fini(struct state *state)
{
	for (size_t i = 0; i < state->socket_count; i++)
		free_socket(&state->socket[i]);
	for (size_t i = 0; i < state->pool_count; i++)
		free_pool(&state->pool[i]);
	for (size_t i = 0; i < state->wait_count; i++)
		free(state->wait[i].pool);
	free_socket(&state->http);
	free(state->socket);
	free(state->pool);
	free(state->wait);
	free(state->stream_fd);
	free(state->stranger);
	free(state->boot_id);
	free(state->name);
	free(state->runtime_path);
	free(state->config_path);
	free(state->program);
	free(state->text);
	free(state->reload.action);
	free(state->reload.reason);
	free(state->pidfile_path);
	free(state->control_path);
	*state = (struct state){0};
}

void state_free(struct state *state)
{
	if (!state)
		return;
	state_fini(state);
	free(state);
}

void state_each_fd(const struct state *state, void (*each)(void *context, int fd), void *context)
{
	const int own[] = {state->lock_fd, state->pidfile_fd, state->control_fd,
		state->reports_read_fd, state->reports_write_fd, state->http.fd};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i] >= 0)
			each(context, own[i]);
	for (size_t i = 0; i < state->socket_count; i++)
		if (state->socket[i].fd >= 0)
			each(context, state->socket[i].fd);
	for (size_t i = 0; i < state->stream_fd_count; i++)
		if (state->stream_fd[i] >= 0)
			each(context, state->stream_fd[i]);
	for (size_t i = 0; i < state->pool_count; i++) {
		const struct state_pool *pool = &state->pool[i];

		if (pool->notify_fd >= 0)
			each(context, pool->notify_fd);
		for (size_t j = 0; j < pool->stream_count; j++)
			if (pool->stream[j].fd >= 0)
				each(context, pool->stream[j].fd);
	}
}
