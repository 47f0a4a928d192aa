/*
 * Connections: waits on all listening sockets at once and takes one. Rule: busy is published, then
 * the mark is looked at, then a connection is taken. Of all workers that wait, the kernel wakes one
 * for a connection (EPOLLEXCLUSIVE); the one that it has woken must take it, since nobody else was.
 * Must not read from a connection.
 */
#include "prefork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"

#define LISTENERS_MAX 256
#define EVENTS_MAX    8

static struct {
	pthread_mutex_t starting; /* held while it is set up, by the first of several threads */
	_Atomic bool started;
	int epoll; /* valid if count > 0 */
	_Atomic unsigned int count;
	_Atomic unsigned int turn; /* so that no socket is always the last one */
	int fd[LISTENERS_MAX];
} listeners = {.starting = PTHREAD_MUTEX_INITIALIZER};

void prefork_listeners_forget(void)
{
	if (listeners.count > 0)
		close(listeners.epoll);
	listeners.count = 0;
	listeners.started = false;
	/* Another thread may have held it at the fork; it is not with us. */
	pthread_mutex_init(&listeners.starting, NULL);
}

static int epoll_watch(int fd, unsigned int events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(listeners.epoll, EPOLL_CTL_ADD, fd, &event);
}

static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t size = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes;
}

static int listener_add(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (listeners.count == 0 && (listeners.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return -1;
	/* Another worker may be quicker: accept must not wait then. */
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
		epoll_watch(fd, EPOLLIN | EPOLLEXCLUSIVE) < 0) {
		int saved = errno;

		if (listeners.count == 0)
			close(listeners.epoll);
		errno = saved;
		return -1;
	}
	listeners.fd[listeners.count] = fd;
	listeners.count++;
	return 0;
}

int prefork_listen(int fd)
{
	if (!is_listening(fd))
		errno = ENOTSOCK;
	else if (listeners.count == LISTENERS_MAX)
		errno = ENOSPC;
	else
		return listener_add(fd);
	return -1;
}

/* All that are inherited; those that nobody can connect to are the program's own business. */
static int listeners_inherit(void)
{
	int fd;

	for (int n = 0; (fd = prefork_socket(NULL, n)) >= 0; n++)
		if (is_listening(fd) && prefork_listen(fd) < 0)
			return -1;
	if (listeners.count > 0)
		return 0;
	errno = ENOTSOCK;
	return -1;
}

static int listeners_set_up(void)
{
	if (listeners.count == 0 && listeners_inherit() < 0)
		return -1;
	if (!prefork_stop_is_set() &&
		(prefork_stop_on(SIGTERM) < 0 || prefork_stop_on(SIGQUIT) < 0))
		return -1;
	return epoll_watch(prefork_stop_fd(), EPOLLIN);
}

static int listeners_start(void)
{
	int result = 0;

	if (listeners.started)
		return 0;
	pthread_mutex_lock(&listeners.starting);
	if (!listeners.started) {
		result = listeners_set_up();
		listeners.started = result == 0;
	}
	pthread_mutex_unlock(&listeners.starting);
	return result;
}

/* Sleeps until there is something: a connection (true), or only a signal. */
static bool listeners_wait(void)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(listeners.epoll, events, EVENTS_MAX, -1);

	for (int i = 0; i < count; i++)
		if (events[i].data.fd != prefork_stop_fd())
			return true;
	return false;
}

/* What is wrong with us; all else is about a connection that is gone, or was another worker's. */
static bool is_our_trouble(int problem)
{
	static const int troubles[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EBADF, EINVAL, ENOTSOCK};

	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++)
		if (problem == troubles[i])
			return true;
	return false;
}

/* One try at each socket. -1 with errno; EAGAIN: no connection. */
static int listeners_accept(int *listener)
{
	unsigned int count = listeners.count, turn = listeners.turn++;
	int client, fd;

	for (unsigned int i = 0; i < count; i++) {
		fd = listeners.fd[(turn + i) % count];
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0 && listener)
			*listener = fd;
		if (client >= 0 || is_our_trouble(errno))
			return client;
	}
	errno = EAGAIN;
	return -1;
}

static bool wait_idle(void)
{
	prefork_idle();
	return listeners_wait();
}

/* Who is busy has just served one and looks at once for the next; who is idle is not busy, for a
 * moment, with nothing. */
int prefork_accept(int *listener)
{
	bool woken;
	int client;

	if (listeners_start() < 0)
		return -1;
	woken = !prefork_report_is_busy() && !prefork_stopping() && wait_idle();
	for (;;) {
		if (!prefork_report_is_busy())
			prefork_busy(NULL);
		/* Once woken for a connection, we take it even so: it is the last one. */
		if (!woken && prefork_stopping())
			break;
		client = listeners_accept(listener);
		if (client >= 0 || errno != EAGAIN)
			return client;
		if (woken && prefork_stopping())
			break;
		woken = wait_idle();
	}
	errno = ECANCELED;
	return -1;
}

int prefork_serve(void (*serve)(int client, void *context), void *context)
{
	int client;

	if (listeners_start() < 0)
		return -1;
	/* Jobs are counted from the first one on: else request_timeout would only warn of that one.
	 */
	prefork_report_jobs();
	prefork_ready();
	while ((client = prefork_accept(NULL)) >= 0) {
		serve(client, context);
		close(client);
		prefork_done();
	}
	return errno == ECANCELED ? 0 : -1;
}
