/*
 * The table of descriptors: two bytes each, atomics, no allocation; memory is touched where the
 * program has descriptors only. Rule: a connection is dropped when the last descriptor that leads
 * to it is forgotten. What is beyond the table is nobody's.
 */
#include "preload_fds.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "preload_group.h"
#include "preload_real.h"

#define FDS 65536

/* What stands in the table: nothing, 1 + number of the listener, a watcher, or a connection. */
#define NOTHING    0
#define LISTENER   1
#define WATCHER    (LISTENER + FDS_LISTENERS)
#define CONNECTION (WATCHER + 1)

static _Atomic uint16_t table[FDS];
static _Atomic uint16_t copies[GROUP_CONNECTIONS]; /* descriptors that lead there */
static _Atomic int last_fd = -1;                   /* none is known beyond */
static _Atomic uint64_t shut_listeners;            /* by number */

static int entry_of(int fd)
{
	return (unsigned)fd < FDS ? atomic_load_explicit(&table[fd], memory_order_relaxed)
				  : NOTHING;
}

static void put(int fd, int entry)
{
	int last = last_fd;

	if ((unsigned)fd >= FDS) {
		if (entry >= CONNECTION)
			group_drop(entry - CONNECTION);
		return;
	}
	fds_forget(fd);
	if (entry >= CONNECTION)
		copies[entry - CONNECTION]++;
	table[fd] = (uint16_t)entry;
	while (fd > last && !atomic_compare_exchange_weak(&last_fd, &last, fd))
		;
}

void fds_add_listener(int fd, unsigned number)
{
	put(fd, LISTENER + (int)number);
}

void fds_add_watcher(int fd)
{
	put(fd, WATCHER);
}

void fds_add_connection(int fd, int connection)
{
	put(fd, CONNECTION + connection);
}

int fds_listener(int fd)
{
	int entry = entry_of(fd);

	return entry >= LISTENER && entry < WATCHER && group_is_here() ? entry - LISTENER : -1;
}

bool fds_shut_listener(int fd, int how)
{
	int listener = fds_listener(fd);

	if (listener >= 0 && how != SHUT_WR)
		shut_listeners |= UINT64_C(1) << listener;
	return listener >= 0;
}

bool fds_is_shut(unsigned listener)
{
	return shut_listeners & UINT64_C(1) << listener;
}

int fds_connection(int fd)
{
	int entry = entry_of(fd);

	return entry >= CONNECTION && group_is_here() ? entry - CONNECTION : -1;
}

bool fds_is_known(int fd)
{
	return entry_of(fd) != NOTHING && group_is_ours();
}

bool fds_is_watcher(int fd)
{
	return entry_of(fd) == WATCHER && group_is_here();
}

void fds_copy(int from, int to)
{
	int entry = entry_of(from);

	if (from != to && (entry != NOTHING || entry_of(to) != NOTHING))
		put(to, entry);
}

void fds_forget(int fd)
{
	int entry = entry_of(fd) != NOTHING ? atomic_exchange(&table[fd], NOTHING) : NOTHING;

	if (entry >= CONNECTION && atomic_fetch_sub(&copies[entry - CONNECTION], 1) == 1)
		group_drop(entry - CONNECTION);
}

void fds_forget_range(unsigned first, unsigned last)
{
	int end = last_fd;

	for (unsigned fd = first; (int)fd <= end && fd <= last; fd++)
		fds_forget((int)fd);
}

void fds_hold_for(int process)
{
	for (int fd = 0; fd <= last_fd; fd++)
		if (entry_of(fd) >= CONNECTION)
			group_fork_hold(process, entry_of(fd) - CONNECTION);
}

void fds_forget_cloexec(void)
{
	for (int fd = 0; fd <= last_fd; fd++)
		if (entry_of(fd) >= CONNECTION && REAL(fcntl)(fd, F_GETFD) != 0)
			fds_forget(fd);
}
