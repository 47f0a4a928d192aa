/*
 * Workers' output. One read a turn and stream, whole lines out of it at once, so that many workers
 * share a file without cutting into each other's lines and a flood from one of them holds up
 * nobody else. Memory beyond the stream itself is taken only while a line is incomplete. Must not
 * wait, and must not end a stream while any process can still write into it.
 */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "errmsg.h"
#include "line_buffer.h"
#include "logger.h"
#include "memory.h"
#include "outlet.h"
#include "rate_limit.h"
#include "sys.h"

#define CHUNK_BYTES      16384
#define LAST_READS       16   /* of a stream that is closed; a pipe holds 64 KiB as a rule */
#define TURN_SEC         0.02 /* a turn of the loop that took so long reads no more output */
#define LOOK_SEC         0.1
#define TELL_INTERVAL_MS 10000

struct sink {
	struct sink *next;
	struct sinks *owner;
	struct stream *streams;
	bool to_log;
	struct outlet outlet;
	uint64_t untold; /* lines lost and not yet told about */
	int error;       /* why */
	struct rate_limit telling;
};

struct stream {
	ev_io readable; /* fd is ours */
	ev_timer look;  /* while it cannot be watched */
	struct ev_loop *loop;
	struct sink *sink;
	struct stream *next, **link; /* *link points to us */
	struct stream_origin origin;
	pid_t pid;
	ino_t pipe;
	struct line_buffer incomplete;
};

/* --- sinks --- */

void sinks_init(struct sinks *sinks, uid_t uid, gid_t gid)
{
	*sinks = (struct sinks){.uid = uid, .gid = gid};
}

uint64_t sinks_lost(const struct sinks *sinks)
{
	return sinks->lost;
}

static void sink_say_trouble(struct sink *sink, const char *reason)
{
	if (rate_limit_pass(&sink->telling, sys_now_ms(), NULL))
		log_error(NULL, "%s; workers' lines are lost until it works again", reason);
}

static void sink_say_lost(struct sink *sink)
{
	log_error(NULL, "%s: %" PRIu64 " line%s of workers lost: %s", sink->outlet.path,
		sink->untold, sink->untold == 1 ? "" : "s", strerror(sink->error));
	sink->untold = 0;
}

static void sink_lose(struct sink *sink, uint64_t lines, int error)
{
	sink->owner->lost += lines;
	sink->untold += lines;
	sink->error = error;
}

static struct sink *sink_find(const struct sinks *sinks, const char *path)
{
	struct sink *sink;

	for (sink = sinks->first; sink; sink = sink->next) {
		if (path ? !sink->to_log && strcmp(sink->outlet.path, path) == 0 : sink->to_log)
			return sink;
	}
	return NULL;
}

static struct sink *sink_get(struct sinks *sinks, const char *path)
{
	struct sink *sink = sink_find(sinks, path);
	struct errmsg why;

	if (sink)
		return sink;
	sink = memory_alloc(sizeof(*sink));
	sink->owner = sinks;
	sink->to_log = path == NULL;
	sink->outlet = (struct outlet)OUTLET_CLOSED;
	sink->telling.interval_ms = TELL_INTERVAL_MS;
	sink->next = sinks->first;
	sinks->first = sink;
	if (path && outlet_open(&sink->outlet, path, sinks->uid, sinks->gid, &why) < 0)
		sink_say_trouble(sink, why.text);
	return sink;
}

static void sink_free(struct sink *sink)
{
	struct sink **link = &sink->owner->first;

	while (*link != sink)
		link = &(*link)->next;
	*link = sink->next;
	if (sink->untold > 0)
		sink_say_lost(sink);
	outlet_close(&sink->outlet);
	free(sink);
}

void sinks_reopen(struct sinks *sinks)
{
	struct sink *sink;
	struct errmsg why;

	for (sink = sinks->first; sink; sink = sink->next) {
		if (!sink->to_log && outlet_reopen(&sink->outlet, &why) < 0)
			log_error(NULL, "%s; the old file is kept", why.text);
	}
}

static uint64_t count_newlines(const struct iovec *part, int count)
{
	uint64_t lines = 0;
	int i;

	for (i = 0; i < count; i++) {
		const char *at = part[i].iov_base, *end = at + part[i].iov_len;

		while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
			lines++;
			at++;
		}
	}
	return lines;
}

static void sink_write(struct sink *sink, struct iovec *part, int count)
{
	if (outlet_write(&sink->outlet, part, count) < 0)
		sink_lose(sink, count_newlines(part, count), errno);
	if (sink->untold > 0 && rate_limit_pass(&sink->telling, sys_now_ms(), NULL))
		sink_say_lost(sink);
}

/* --- lines --- */

/* Lines that lie one behind the other in the bytes just read go out together. */
struct batch {
	struct stream *stream;
	const char *chunk;
	size_t chunk_bytes;
	const char *start;
	size_t length; /* with newlines; 0: empty */
};

static void batch_write(struct batch *batch)
{
	struct iovec part = {.iov_base = (char *)batch->start, .iov_len = batch->length};

	if (batch->length > 0)
		sink_write(batch->stream->sink, &part, 1);
	batch->length = 0;
}

/* Is the line, with its newline, one of the bytes just read? */
static bool batch_holds(const struct batch *batch, const char *line, size_t length)
{
	uintptr_t at = (uintptr_t)line, chunk = (uintptr_t)batch->chunk;

	return at >= chunk && at + length < chunk + batch->chunk_bytes;
}

/* A piece of an over-long line is a line of its own: the rest may come much later. */
static void line_to_file(struct batch *batch, const char *line, size_t length, bool finished)
{
	struct iovec part[] = {{.iov_base = (char *)line, .iov_len = length},
		{.iov_base = (char[]){'\n'}, .iov_len = 1}};

	if (!finished || !batch_holds(batch, line, length)) {
		batch_write(batch);
		sink_write(batch->stream->sink, part, 2);
		return;
	}
	if (batch->length > 0 && batch->start + batch->length != line)
		batch_write(batch);
	if (batch->length == 0)
		batch->start = line;
	batch->length += length + 1;
	if (!batch->stream->sink->outlet.whole)
		batch_write(batch);
}

static void line_to_log(const struct stream *stream, const char *line, size_t length)
{
	const struct log_subject subject = {.pool = stream->origin.pool,
		.slot = stream->origin.slot,
		.pid = stream->pid,
		.age_ms = -1,
		.stream = stream->origin.name};

	logger_write_bytes(LOG_LEVEL_INFO, &subject, line, length);
}

static void take_line(void *context, const char *line, size_t length, bool finished)
{
	struct batch *batch = context;

	if (batch->stream->sink->to_log)
		line_to_log(batch->stream, line, length);
	else
		line_to_file(batch, line, length, finished);
}

/* --- streams --- */

static void stream_end(struct stream *stream)
{
	struct batch batch = {.stream = stream};
	struct sink *sink = stream->sink;

	line_buffer_flush(&stream->incomplete, take_line, &batch);
	ev_io_stop(stream->loop, &stream->readable);
	ev_timer_stop(stream->loop, &stream->look);
	sys_close(stream->readable.fd);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	free(stream);
	/* One in trouble is kept, so that each next worker does not tell of the same again. */
	if (!sink->streams && (sink->to_log || sink->outlet.fd >= 0))
		sink_free(sink);
}

/* One read. False: nothing is there now, or *ended. */
static bool stream_read(struct stream *stream, bool *ended)
{
	char chunk[CHUNK_BYTES];
	struct batch batch = {.stream = stream, .chunk = chunk};
	ssize_t length = read(stream->readable.fd, chunk, sizeof(chunk));

	if (length <= 0) {
		*ended = length == 0 || (errno != EAGAIN && errno != EINTR);
		return false;
	}
	batch.chunk_bytes = (size_t)length;
	line_buffer_add(&stream->incomplete, chunk, (size_t)length, take_line, &batch);
	batch_write(&batch);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct stream *stream = watcher->data;
	bool ended = false;

	if (events & EV_ERROR) {
		ev_timer_set(&stream->look, LOOK_SEC, 0);
		ev_timer_start(loop, &stream->look);
		return;
	}
	if (ev_time() - ev_now(loop) > TURN_SEC)
		return; /* it will be readable in the next turn, too */
	if (!stream_read(stream, &ended) && ended)
		stream_end(stream);
}

/* It could not be watched (no memory for one more): a read now and then, until it can. */
static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct stream *stream = timer->data;

	(void)events;
	ev_io_start(loop, &stream->readable);
	on_readable(loop, &stream->readable, EV_READ);
}

static struct stream *stream_new(
	struct ev_loop *loop, struct sink *sink, const struct stream_origin *origin, int read_fd)
{
	struct stream *stream = memory_alloc(sizeof(*stream));
	struct stat pipe;

	stream->loop = loop;
	stream->sink = sink;
	stream->origin = *origin;
	stream->pipe = fstat(read_fd, &pipe) == 0 ? pipe.st_ino : 0;
	stream->next = sink->streams;
	stream->link = &sink->streams;
	if (stream->next)
		stream->next->link = &stream->next;
	sink->streams = stream;
	ev_io_init(&stream->readable, on_readable, read_fd, EV_READ);
	ev_set_priority(&stream->readable, EV_MINPRI);
	ev_init(&stream->look, on_look);
	stream->readable.data = stream->look.data = stream;
	ev_io_start(loop, &stream->readable);
	return stream;
}

/* The worker's end: for reading too, so that it never writes into a pipe that nobody reads. Where
 * that cannot be had, the plain end, which must wait as a program expects. */
static int open_worker_end(int write_fd)
{
	char path[32];
	int fd, flags;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
	fd = sys_open(path, O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	if (fd >= 0) {
		sys_close(write_fd);
		return fd;
	}
	flags = fcntl(write_fd, F_GETFL);
	if (flags >= 0)
		fcntl(write_fd, F_SETFL, flags & ~O_NONBLOCK);
	return write_fd;
}

struct stream *stream_open(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, int *worker_fd, struct errmsg *err)
{
	int end[2];

	if (sys_pipe(end) < 0) {
		errmsg_errno(err, "cannot make a pipe for %s", origin->name);
		return NULL;
	}
	/* So that a worker can open /dev/stdout. Where that fails, it only cannot. */
	if (sinks->uid != (uid_t)-1 && fchown(end[0], sinks->uid, sinks->gid) < 0)
		log_debug(NULL, "cannot give a worker its %s: %s", origin->name, strerror(errno));
	*worker_fd = open_worker_end(end[1]);
	return stream_new(loop, sink_get(sinks, path), origin, end[0]);
}

static bool is_read_already(const struct sinks *sinks, ino_t pipe)
{
	const struct sink *sink;
	const struct stream *stream;

	for (sink = sinks->first; sink; sink = sink->next) {
		for (stream = sink->streams; stream; stream = stream->next) {
			if (stream->pipe == pipe)
				return true;
		}
	}
	return false;
}

/* The worker chose what its descriptor is now: only a pipe without a name is opened, and opened as
 * the file that was looked at, not by the name again. */
static int open_read_end(const struct sinks *sinks, int path_fd, struct errmsg *err)
{
	struct stat file;
	struct statfs fs;
	char path[32];
	int fd;

	if (fstat(path_fd, &file) < 0 || fstatfs(path_fd, &fs) < 0)
		return errmsg_errno(err, "cannot look at a worker's output");
	if (!S_ISFIFO(file.st_mode) || fs.f_type != PIPEFS_MAGIC)
		return errmsg_set(err, "the worker's output is no pipe of ours any more");
	if (is_read_already(sinks, file.st_ino))
		return errmsg_set(err, "the worker's output goes into a pipe that is read already");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	return fd >= 0 ? fd : errmsg_errno(err, "cannot open a worker's output");
}

struct stream *stream_take_up(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, pid_t pid, int number, struct errmsg *err)
{
	struct stream *stream;
	char place[64];
	int path_fd, fd;

	snprintf(place, sizeof(place), "/proc/%ld/fd/%d", (long)pid, number);
	path_fd = sys_open(place, O_PATH | O_CLOEXEC, 0);
	if (path_fd < 0) {
		errmsg_errno(err, "%s", place);
		return NULL;
	}
	fd = open_read_end(sinks, path_fd, err);
	sys_close(path_fd);
	if (fd < 0)
		return NULL;
	stream = stream_new(loop, sink_get(sinks, path), origin, fd);
	stream_set_pid(stream, pid);
	return stream;
}

void stream_take_on(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, pid_t pid, int fd, const char *pending)
{
	struct stream *stream = stream_new(loop, sink_get(sinks, path), origin, fd);
	struct batch batch = {.stream = stream, .chunk = pending};

	stream_set_pid(stream, pid);
	if (pending)
		line_buffer_add(&stream->incomplete, pending, strlen(pending), take_line, &batch);
}

void streams_each(const struct sinks *sinks,
	void (*each)(void *context, const struct stream_view *view), void *context)
{
	const struct sink *sink;
	const struct stream *stream;

	for (sink = sinks->first; sink; sink = sink->next) {
		for (stream = sink->streams; stream; stream = stream->next) {
			const struct stream_view view = {.origin = &stream->origin,
				.pid = stream->pid,
				.fd = stream->readable.fd,
				.path = sink->to_log ? NULL : sink->outlet.path,
				.pending = stream->incomplete.kept,
				.pending_bytes = stream->incomplete.length};

			each(context, &view);
		}
	}
}

void stream_set_pid(struct stream *stream, pid_t pid)
{
	stream->pid = pid;
}

static void stream_close(struct stream *stream)
{
	bool ended = false;
	int i;

	for (i = 0; i < LAST_READS && stream_read(stream, &ended); i++)
		;
	stream_end(stream);
}

void streams_close_all(struct sinks *sinks)
{
	struct stream *stream, *next_stream;
	struct sink *sink, *next;

	for (sink = sinks->first; sink; sink = next) {
		next = sink->next;
		/* The last one may take the sink along. */
		for (stream = sink->streams; stream; stream = next_stream) {
			next_stream = stream->next;
			stream_close(stream);
		}
	}
	for (sink = sinks->first; sink; sink = next) {
		next = sink->next;
		sink_free(sink);
	}
}

void sinks_fini(struct sinks *sinks)
{
	streams_close_all(sinks);
}
