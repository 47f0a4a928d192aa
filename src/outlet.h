#ifndef PREFORKD_OUTLET_H
#define PREFORKD_OUTLET_H
/*
 * Where lines leave us: a log file, or a descriptor that we inherited. Never waits. A line that was
 * written in part is ended before the next one, so two never run into one. A file that was removed
 * is opened anew within a second or two of the next write; one that was renamed is kept until
 * outlet_reopen(). Shared by the log and the workers' streams. Floor 1.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct errmsg;

enum outlet_kind {
	OUTLET_OWN,      /* an open file description of our own: O_NONBLOCK, or a regular file */
	OUTLET_SOCKET,   /* written to by sendmsg(2) */
	OUTLET_TERMINAL, /* as OUTLET_OWN, with SIGTTOU blocked around it */
	OUTLET_SHARED, /* a description shared with strangers: asked by poll(2) before each write */
};

struct outlet {
	char *path; /* owned; NULL: an inherited descriptor */
	uid_t uid;  /* of a file that is made; -1: ours */
	gid_t gid;
	int fd;
	bool owned; /* fd is ours to close */
	bool whole; /* a regular file: many lines in one write are as good as one by one */
	bool torn;  /* the last line has no end */
	enum outlet_kind kind;
	int error;         /* errno of the last failure, 0 after a success */
	int64_t looked_at; /* whether the file is still there */
};
#define OUTLET_CLOSED                                                                              \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Opens the file by safe_file_open_append(). -1 with the reason: the outlet is then one that tries
 * again, as if its file had been removed. */
int outlet_open(struct outlet *outlet, const char *path, uid_t uid, gid_t gid, struct errmsg *err);
/* A descriptor that stays the caller's; 2 in practice. Its O_NONBLOCK is left alone. */
void outlet_borrow(struct outlet *outlet, int fd);
/* A file anew; the old one stays when that fails. A borrowed descriptor: nothing. */
int outlet_reopen(struct outlet *outlet, struct errmsg *err);
/* Whole lines with their newlines. 0, or -1 with errno when not all of it was written: part[] then
 * says what is missing (the first of it, unless it was a whole line, is lost in part). Signals that
 * the write raised (SIGPIPE, SIGXFSZ) are taken back, where the caller blocks them. */
int outlet_write(struct outlet *outlet, struct iovec *part, int count);
void outlet_close(struct outlet *outlet);

#endif
