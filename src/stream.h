#ifndef PREFORKD_STREAM_H
#define PREFORKD_STREAM_H
/*
 * What workers write to stdout and stderr, where it goes through the supervisor: a stream is the
 * pipe of one worker, a sink is where its lines end: the supervisor's log, or a file that USR1
 * reopens. A worker never waits for a disk that is full: lines that cannot be written are counted.
 * The worker's end of the pipe is opened for reading and writing, so that our death does not kill
 * it by SIGPIPE. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct errmsg;

struct sink; /* shared by streams of the same path; counted */

struct sinks {
	struct sink *first;
	uid_t uid; /* owner of files and pipes that are made; -1: ours */
	gid_t gid;
	uint64_t lost;
};
void sinks_init(struct sinks *sinks, uid_t uid, gid_t gid);
/* Opens every file anew; what fails is logged and tried again, the old file stays meanwhile. */
void sinks_reopen(struct sinks *sinks);
/* Closes what is left, as streams_close_all() does. */
void sinks_fini(struct sinks *sinks);
/* Lines lost in all of them. */
uint64_t sinks_lost(const struct sinks *sinks);

struct stream_origin {
	const char *pool; /* outlives the stream */
	int slot;
	const char *name; /* "stdout" or "stderr" */
};

struct stream;

/* A new stream to the file at `path` (copied), or to the log (at level info) when path is NULL.
 * *worker_fd is the worker's end, it blocks; the caller closes it after the fork. The stream frees
 * itself at the end of input, which comes when the last process that has it open is gone. NULL with
 * the reason. A file that cannot be opened is no reason: that is logged and tried again, and the
 * lines until then are counted as lost. */
struct stream *stream_open(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, int *worker_fd, struct errmsg *err);
/* Takes up the stream of a worker that an earlier supervisor started: descriptor `number` of
 * process `pid`, as the worker has it. NULL with the reason: no pipe, or the same as another one of
 * these sinks. */
struct stream *stream_take_up(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, pid_t pid, int number, struct errmsg *err);
/* The same with our own end of it, and the begin of a line that was read from it (may be NULL),
 * over an exec of ourselves. Takes the descriptor over. */
void stream_take_on(struct ev_loop *loop, struct sinks *sinks, const char *path,
	const struct stream_origin *origin, pid_t pid, int fd, const char *pending);
/* What is there to be taken on. */
struct stream_view {
	const struct stream_origin *origin;
	pid_t pid;
	int fd;
	const char *path;    /* NULL: the log */
	const char *pending; /* not ended by a NUL */
	size_t pending_bytes;
};
void streams_each(const struct sinks *sinks,
	void (*each)(void *context, const struct stream_view *view), void *context);
/* The worker's process is known after the fork; shown in log lines. */
void stream_set_pid(struct stream *stream, pid_t pid);
/* Reads what is there, then closes, ended or not. All streams of some sinks: */
void streams_close_all(struct sinks *sinks);

#endif
