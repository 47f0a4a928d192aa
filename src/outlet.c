/*
 * Writing lines without ever waiting. Descriptor 2 is shared with whoever started us, so O_NONBLOCK
 * is never set on it: a description of our own is opened through /proc instead, and where that
 * cannot be had, poll(2) is asked before each small write. Only regular files are used as they
 * came, since a second description would write at an offset of its own.
 */
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "safe_file.h"
#include "sys.h"

#define LOOK_INTERVAL_MS 1000

/* --- opening --- */

static int open_file(struct outlet *outlet, struct errmsg *err)
{
	struct stat file;
	int fd = safe_file_open_append(outlet->path, outlet->uid, outlet->gid, err);

	if (fd < 0)
		return -1;
	if (outlet->fd >= 0)
		close(outlet->fd);
	outlet->fd = fd;
	outlet->whole = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
	outlet->kind = isatty(fd) ? OUTLET_TERMINAL : OUTLET_OWN;
	outlet->torn = false;
	outlet->error = 0;
	return 0;
}

int outlet_open(struct outlet *outlet, const char *path, uid_t uid, gid_t gid, struct errmsg *err)
{
	*outlet = (struct outlet){.path = memory_copy_string(path),
		.uid = uid,
		.gid = gid,
		.fd = -1,
		.owned = true,
		.looked_at = sys_now_ms()};
	if (open_file(outlet, err) == 0)
		return 0;
	outlet->error = errno;
	return -1;
}

static int open_own_description(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
}

void outlet_borrow(struct outlet *outlet, int fd)
{
	struct stat file;
	int saved = errno, own;

	*outlet = (struct outlet){.fd = fd, .kind = OUTLET_OWN};
	if (fstat(fd, &file) < 0)
		outlet->fd = -1;
	else if (S_ISSOCK(file.st_mode))
		outlet->kind = OUTLET_SOCKET;
	else if (!S_ISREG(file.st_mode)) {
		own = open_own_description(fd);
		outlet->owned = own >= 0;
		outlet->fd = own >= 0 ? own : fd;
		outlet->kind = own < 0 ? OUTLET_SHARED : isatty(own) ? OUTLET_TERMINAL : OUTLET_OWN;
	}
	errno = saved;
}

int outlet_reopen(struct outlet *outlet, struct errmsg *err)
{
	if (!outlet->path)
		return 0;
	outlet->looked_at = sys_now_ms();
	return open_file(outlet, err);
}

void outlet_close(struct outlet *outlet)
{
	int saved = errno;

	if (outlet->owned && outlet->fd >= 0)
		close(outlet->fd);
	free(outlet->path);
	*outlet = (struct outlet)OUTLET_CLOSED;
	errno = saved;
}

/* --- is the file still there? --- */

/* Errors that a fresh descriptor does not mend. */
static bool is_passing(int error)
{
	return error == 0 || error == EAGAIN || error == ENOSPC || error == EDQUOT;
}

static void look(struct outlet *outlet)
{
	int64_t now_ms = sys_now_ms();
	struct stat file;
	bool there;

	if (!outlet->path || now_ms - outlet->looked_at < LOOK_INTERVAL_MS)
		return;
	outlet->looked_at = now_ms;
	there = outlet->fd >= 0 && fstat(outlet->fd, &file) == 0 && file.st_nlink > 0;
	if ((there && is_passing(outlet->error)) || open_file(outlet, NULL) == 0)
		return;
	if (there)
		return;
	/* Lines in a file without a name would be lost uncounted. */
	outlet->error = errno;
	if (outlet->fd >= 0)
		close(outlet->fd);
	outlet->fd = -1;
}

/* --- writing --- */

static ssize_t write_shared(int fd, const struct iovec *part)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	if (poll(&writable, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	/* A pipe that is writable has room for so much without waiting. */
	return write(fd, part->iov_base, part->iov_len < PIPE_BUF ? part->iov_len : PIPE_BUF);
}

/* SIGTTOU is for those who write to a terminal from the background; here it may mean "shrink". */
static ssize_t write_to_terminal(const struct outlet *outlet, const struct iovec *part, int count)
{
	sigset_t ttou, before;
	ssize_t written;
	int saved;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &before);
	if (outlet->kind == OUTLET_SHARED)
		written = write_shared(outlet->fd, part);
	else
		written = writev(outlet->fd, part, count);
	saved = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return written;
}

static ssize_t write_some(const struct outlet *outlet, struct iovec *part, int count)
{
	struct msghdr message = {.msg_iov = part, .msg_iovlen = (size_t)count};

	switch (outlet->kind) {
	case OUTLET_OWN: return writev(outlet->fd, part, count);
	case OUTLET_SOCKET: return sendmsg(outlet->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTLET_TERMINAL:
	case OUTLET_SHARED: return write_to_terminal(outlet, part, count);
	}
	return -1;
}

/* Leaves in part[] what is missing. Returns the last byte that went out. */
static int advance(struct iovec *part, int count, size_t written)
{
	int last = '\n', i;

	for (i = 0; i < count && written > 0; i++) {
		const unsigned char *bytes = part[i].iov_base;
		size_t step = written < part[i].iov_len ? written : part[i].iov_len;

		if (step > 0)
			last = bytes[step - 1];
		part[i].iov_base = (char *)part[i].iov_base + step;
		part[i].iov_len -= step;
		written -= step;
	}
	return last;
}

/* *torn says afterwards that the last byte that went out was not the end of a line. */
static int write_all(const struct outlet *outlet, struct iovec *part, int count, bool *torn)
{
	ssize_t written;

	for (;;) {
		while (count > 0 && part->iov_len == 0) {
			part++;
			count--;
		}
		if (count == 0)
			return 0;
		written = write_some(outlet, part, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written == 0)
			errno = EAGAIN;
		if (written <= 0)
			return -1;
		*torn = advance(part, count, (size_t)written) != '\n';
	}
}

static void take_back_signals(void)
{
	const struct timespec no_wait = {0, 0};
	int saved = errno;
	sigset_t raised;

	sigemptyset(&raised);
	sigaddset(&raised, saved == EPIPE ? SIGPIPE : SIGXFSZ);
	sigtimedwait(&raised, NULL, &no_wait);
	errno = saved;
}

static int write_lines(struct outlet *outlet, struct iovec *part, int count)
{
	struct iovec newline = {.iov_base = (char[]){'\n'}, .iov_len = 1};

	if (outlet->torn && write_all(outlet, &newline, 1, &outlet->torn) < 0)
		return -1;
	return write_all(outlet, part, count, &outlet->torn);
}

int outlet_write(struct outlet *outlet, struct iovec *part, int count)
{
	look(outlet);
	if (outlet->fd < 0) {
		errno = outlet->error ? outlet->error : EBADF;
		return -1;
	}
	if (write_lines(outlet, part, count) == 0) {
		outlet->error = 0;
		return 0;
	}
	if (errno == EPIPE || errno == EFBIG)
		take_back_signals();
	outlet->error = errno;
	return -1;
}
