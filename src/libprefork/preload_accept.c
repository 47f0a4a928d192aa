/*
 * accept(2) on the inherited sockets. Rule: a connection is taken only when the line has said busy
 * before, and has not asked to leave after that; so whoever is idle and asked to leave takes none,
 * and can be ended. To keep a blocking accept from sleeping while it says busy, we wait by poll(2),
 * and one process at a time goes from a last look to accept(2). Must not make the shared socket
 * non-blocking: others may live on it who know nothing of us.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "preload_fds.h"
#include "preload_group.h"
#include "preload_line.h"
#include "preload_real.h"

#define LEAVING_LOOK_MS 1000
#define LEAVING_ASK_MS  20
#define LEAVING_NAP_MS  1

/* How the program called. */
struct taking {
	int fd;
	unsigned listener;
	struct sockaddr *address;
	socklen_t *length;
	int flags;
	bool with_flags;
};

static int call_accept(const struct taking *taking)
{
	if (taking->with_flags)
		return REAL(accept4)(taking->fd, taking->address, taking->length, taking->flags);
	return REAL(accept)(taking->fd, taking->address, taking->length);
}

/* accept(2) goes on after a signal whose handler was installed with SA_RESTART, poll(2) never does.
 * Which signal it was cannot be told; who has handlers of both kinds knows EINTR. */
static bool all_handlers_restart(void)
{
	struct sigaction action;

	for (int i = 1; i < NSIG; i++)
		if (sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
			action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
			return false;
	return true;
}

static bool is_waiting(int fd, int timeout_ms)
{
	struct pollfd look = {.fd = fd, .events = POLLIN};

	return REAL(poll)(&look, 1, timeout_ms) > 0;
}

static int socket_timeout_ms(int fd)
{
	struct timeval timeout = {.tv_sec = 0};
	socklen_t length = sizeof(timeout);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length) < 0 ||
		(timeout.tv_sec == 0 && timeout.tv_usec == 0))
		return -1;
	return (int)(timeout.tv_sec * 1000 + timeout.tv_usec / 1000);
}

/* The mark stands in the line before the stop signal is sent. So whoever has been sent it already,
 * say while we waited for a lock, finds the mark, and to whom it comes later, ppoll(2) tells. */
static int wait_unless_retired(int fd, int timeout_ms)
{
	const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	struct pollfd look = {.fd = fd, .events = POLLIN};
	sigset_t all, before;
	int ready = 1, saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!line_is_retired())
		ready = REAL(ppoll)(&look, 1, timeout_ms < 0 ? NULL : &timeout, &before);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return ready;
}

/* A signal that came while we waited for a lock has run its handler, and the wait that follows does
 * not see it. So a program that knows EINTR is asked to look at what its handler has left, now and
 * then; it is one of all that wait. */
static bool watch(int fd, int timeout_ms)
{
	const bool asks = timeout_ms < 0 && !all_handlers_restart();
	int ready;

	do
		ready = wait_unless_retired(fd, asks ? LEAVING_LOOK_MS : timeout_ms);
	while (ready < 0 && errno == EINTR && all_handlers_restart());
	if (ready == 0)
		errno = asks ? EINTR : EAGAIN;
	return ready > 0;
}

/* The line asks us to leave: the stop signal comes, or it has come and the program looks for it
 * before it calls accept(2); such a program is asked to look again. False: it wants to know. */
static bool wait_for_the_end(void)
{
	while (line_is_retired()) {
		const bool restarts = all_handlers_restart();

		REAL(poll)(NULL, 0, restarts ? LEAVING_LOOK_MS : LEAVING_ASK_MS);
		if (!restarts) {
			errno = EINTR;
			return false;
		}
	}
	return true;
}

/* Until a connection waits: one watches, or a few, lest each connection wake everybody. They are
 * a few because one that is stopped stops those behind him. */
static bool wait_for_connection(const struct taking *taking)
{
	bool waits;

	group_announce();
	if (!line_watch_begin(taking->listener))
		return false;
	waits = watch(taking->fd, socket_timeout_ms(taking->fd));
	line_watch_end(taking->listener);
	return waits && wait_for_the_end();
}

static int keep(int fd)
{
	int saved = errno, connection;

	if (fd < 0) {
		group_take_nothing();
		errno = saved;
		return fd;
	}
	/* A number that comes back was closed behind our back. */
	fds_forget(fd);
	connection = group_take_connection(fd);
	if (connection >= 0)
		fds_add_connection(fd, connection);
	errno = saved;
	return fd;
}

enum outcome { TAKEN, NOBODY_WAITS, LEAVING };

/* *fd is what accept(2) returned, if TAKEN. */
static enum outcome take(const struct taking *taking, int *fd)
{
	if (!is_waiting(taking->fd, 0))
		return NOBODY_WAITS;
	group_take();
	if (line_is_retired()) {
		group_take_nothing();
		return LEAVING;
	}
	*fd = keep(call_accept(taking));
	return TAKEN;
}

/* Nobody waits: it is not even busy for a moment. Leaving: the loop that called would come back at
 * once, since the connection still waits for another worker. */
static int take_without_blocking(const struct taking *taking)
{
	int fd = -1;

	group_announce();
	switch (take(taking, &fd)) {
	case TAKEN: return fd;
	case LEAVING: REAL(poll)(NULL, 0, LEAVING_NAP_MS); break;
	case NOBODY_WAITS: break;
	}
	errno = EAGAIN;
	return -1;
}

static enum outcome take_in_turn(const struct taking *taking, int *fd)
{
	enum outcome outcome;
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	group_turn_begin();
	line_turn_begin();
	outcome = take(taking, fd);
	line_turn_end();
	group_turn_end();
	pthread_setcancelstate(cancel, &cancel);
	return outcome;
}

/* Of the listening sockets, by number. That one blocked when last looked at is enough to try: it
 * costs a turn too many when it does so no longer. Before a wait we look again. */
static _Atomic uint64_t blocking;

static bool is_non_blocking(const struct taking *taking)
{
	const uint64_t bit = UINT64_C(1) << taking->listener;
	int flags = REAL(fcntl)(taking->fd, F_GETFL);

	if (flags < 0 || flags & O_NONBLOCK)
		blocking &= ~bit;
	else
		blocking |= bit;
	return flags >= 0 && flags & O_NONBLOCK;
}

static int take_blocking(const struct taking *taking)
{
	enum outcome outcome;
	int fd = -1;

	while (!fds_is_shut(taking->listener)) {
		outcome = take_in_turn(taking, &fd);
		if (outcome == TAKEN)
			return fd;
		if (is_non_blocking(taking))
			return take_without_blocking(taking);
		if (!(outcome == LEAVING ? wait_for_the_end() : wait_for_connection(taking)))
			return -1;
	}
	errno = EINVAL;
	return -1;
}

static int take_connection(struct taking *taking)
{
	int listener = fds_listener(taking->fd), fd, saved = errno;

	if (listener < 0)
		return call_accept(taking);
	taking->listener = (unsigned)listener;
	if (!(blocking & UINT64_C(1) << listener) && !fds_is_shut(taking->listener) &&
		is_non_blocking(taking))
		fd = take_without_blocking(taking);
	else
		fd = take_blocking(taking);
	if (fd >= 0)
		errno = saved;
	return fd;
}

STAND_BEFORE(int, accept, int fd, struct sockaddr *address, socklen_t *length)
{
	struct taking taking = {.fd = fd, .address = address, .length = length};

	return take_connection(&taking);
}

STAND_BEFORE(int, accept4, int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	struct taking taking = {
		.fd = fd,
		.address = address,
		.length = length,
		.flags = flags,
		.with_flags = true,
	};

	return take_connection(&taking);
}
