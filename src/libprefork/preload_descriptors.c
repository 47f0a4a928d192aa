/*
 * Where descriptors come and go: closing and copying. Rule: the table never says of a number what
 * it is no more, so a number is forgotten before it is closed (after, it may be another thread's
 * already). Our own descriptor stays when the program closes all that it does not know; who wants
 * its number gets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "preload_fds.h"
#include "preload_group.h"
#include "preload_line.h"
#include "preload_real.h"

static bool is_own(int fd)
{
	return fd >= 0 && fd == line_fd() && group_is_ours();
}

static void forget(int fd)
{
	int saved = errno;

	if (fds_is_known(fd))
		fds_forget(fd);
	errno = saved;
}

static void make_way(int fd)
{
	if (is_own(fd))
		line_move();
}

/* The copy is what the original is. */
static int copied(int from, int to)
{
	int saved = errno;

	if (to >= 0 && (fds_is_known(from) || fds_is_known(to)))
		fds_copy(from, to);
	errno = saved;
	return to;
}

STAND_BEFORE(int, close, int fd)
{
	if (is_own(fd))
		return 0;
	forget(fd);
	return REAL(close)(fd);
}

STAND_BEFORE(int, fclose, FILE *stream)
{
	int saved = errno, fd = fileno(stream);

	errno = saved;
	if (fd >= 0)
		forget(fd);
	return REAL(fclose)(stream);
}

/* All but our own. */
static int close_around(unsigned first, unsigned last, int flags)
{
	unsigned own = (unsigned)line_fd();
	int result = 0;

	if (own > first)
		result |= REAL(close_range)(first, own - 1, flags);
	if (own < last)
		result |= REAL(close_range)(own + 1, last, flags);
	return result;
}

STAND_BEFORE(int, close_range, unsigned first, unsigned last, int flags)
{
	if (group_is_ours()) {
		if (!(flags & CLOSE_RANGE_CLOEXEC))
			fds_forget_range(first, last);
		if (line_fd() >= 0 && (unsigned)line_fd() >= first && (unsigned)line_fd() <= last)
			return close_around(first, last, flags);
	}
	return REAL(close_range)(first, last, flags);
}

STAND_BEFORE(void, closefrom, int first)
{
	int saved = errno;

	if (first < 0)
		first = 0;
	if (!group_is_ours() || line_fd() < first) {
		if (group_is_ours())
			fds_forget_range((unsigned)first, UINT_MAX);
		REAL(closefrom)(first);
	} else if (before_close_range((unsigned)first, UINT_MAX, 0) < 0) {
		REAL(closefrom)(first); /* a kernel before 5.9: the line is given up */
	}
	errno = saved;
}

/* --- copies --- */

STAND_BEFORE(int, dup, int fd)
{
	return copied(fd, REAL(dup)(fd));
}

STAND_BEFORE(int, dup2, int fd, int to)
{
	make_way(to);
	return copied(fd, REAL(dup2)(fd, to));
}

STAND_BEFORE(int, dup3, int fd, int to, int flags)
{
	make_way(to);
	return copied(fd, REAL(dup3)(fd, to, flags));
}

static int control(int (*call)(int fd, int command, ...), int fd, int command, va_list arguments)
{
	void *argument = va_arg(arguments, void *); /* an int stands there as well */
	int result = call(fd, command, argument);

	return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}

STAND_BEFORE(int, fcntl, int fd, int command, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, command);
	result = control(REAL(fcntl), fd, command, arguments);
	va_end(arguments);
	return result;
}

STAND_BEFORE(int, fcntl64, int fd, int command, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, command);
	result = control(REAL(fcntl64), fd, command, arguments);
	va_end(arguments);
	return result;
}

/* libuv closes by number of the call. */
STAND_BEFORE(long, syscall, long number, ...)
{
	va_list arguments;
	long argument[6];

	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_close)
		return before_close((int)argument[0]);
	if (number == SYS_close_range)
		return before_close_range(
			(unsigned)argument[0], (unsigned)argument[1], (int)argument[2]);
	return REAL(syscall)(number, argument[0], argument[1], argument[2], argument[3],
		argument[4], argument[5]);
}
