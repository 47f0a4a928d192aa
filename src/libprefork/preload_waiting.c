/*
 * Waiting for connections: a program that waits on an inherited socket is ready, and says so by its
 * first state. Rule: after that, and for all that do not, the calls pass through.
 */
#include "preload_fds.h"
#include "preload_group.h"
#include "preload_real.h"

static bool is_unknown(void)
{
	return group_is_likely() && !group_is_announced();
}

static void look_at_poll(const struct pollfd *fds, nfds_t count)
{
	if (!is_unknown())
		return;
	for (nfds_t i = 0; i < count; i++)
		if (fds_listener(fds[i].fd) >= 0)
			group_announce();
}

static void look_at_select(int count, const fd_set *fds)
{
	if (!fds || !is_unknown())
		return;
	for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++)
		if (FD_ISSET(fd, fds) && fds_listener(fd) >= 0)
			group_announce();
}

static void look_at_epoll(int fd)
{
	if (is_unknown() && fds_is_watcher(fd))
		group_announce();
}

STAND_BEFORE(int, poll, struct pollfd *fds, nfds_t count, int timeout_ms)
{
	look_at_poll(fds, count);
	return REAL(poll)(fds, count, timeout_ms);
}

STAND_BEFORE(int, __poll_chk, struct pollfd *fds, nfds_t count, int timeout_ms, size_t room)
{
	look_at_poll(fds, count);
	return REAL(__poll_chk)(fds, count, timeout_ms, room);
}

STAND_BEFORE(int, ppoll, struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	const sigset_t *mask)
{
	look_at_poll(fds, count);
	return REAL(ppoll)(fds, count, timeout, mask);
}

STAND_BEFORE(int, __ppoll_chk, struct pollfd *fds, nfds_t count, const struct timespec *timeout,
	const sigset_t *mask, size_t room)
{
	look_at_poll(fds, count);
	return REAL(__ppoll_chk)(fds, count, timeout, mask, room);
}

STAND_BEFORE(
	int, select, int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	look_at_select(count, in);
	return REAL(select)(count, in, out, except, timeout);
}

STAND_BEFORE(int, pselect, int count, fd_set *in, fd_set *out, fd_set *except,
	const struct timespec *timeout, const sigset_t *mask)
{
	look_at_select(count, in);
	return REAL(pselect)(count, in, out, except, timeout, mask);
}

STAND_BEFORE(int, epoll_ctl, int epoll, int operation, int fd, struct epoll_event *event)
{
	int result = REAL(epoll_ctl)(epoll, operation, fd, event);

	if (result == 0 && operation == EPOLL_CTL_ADD && is_unknown() && fds_listener(fd) >= 0)
		fds_add_watcher(epoll);
	return result;
}

STAND_BEFORE(int, epoll_wait, int epoll, struct epoll_event *events, int count, int timeout_ms)
{
	look_at_epoll(epoll);
	return REAL(epoll_wait)(epoll, events, count, timeout_ms);
}

STAND_BEFORE(int, epoll_pwait, int epoll, struct epoll_event *events, int count, int timeout_ms,
	const sigset_t *mask)
{
	look_at_epoll(epoll);
	return REAL(epoll_pwait)(epoll, events, count, timeout_ms, mask);
}

STAND_BEFORE(int, epoll_pwait2, int epoll, struct epoll_event *events, int count,
	const struct timespec *timeout, const sigset_t *mask)
{
	look_at_epoll(epoll);
	return REAL(epoll_pwait2)(epoll, events, count, timeout, mask);
}
