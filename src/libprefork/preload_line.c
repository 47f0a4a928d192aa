/*
 * The worker's line, for the preloaded library. Rule: the program has never heard of us, so our
 * descriptor is high, close-on-exec and our own; should it be lost all the same, the slot falls
 * silent rather than write into another file. Must not keep the inherited descriptor from programs
 * that this one executes: they may be the real worker.
 */
#include "preload_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "preload_real.h"
#include "slot.h"

#define HIGH_FD  200
#define WATCH_AT ((off_t)1 << 40) /* far behind the end of any scoreboard */

static struct prefork_slot slot = PREFORK_SLOT_NONE;

static int high_copy(int fd)
{
	struct rlimit limit;
	int least = HIGH_FD, copy;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= HIGH_FD)
		least = (int)limit.rlim_cur / 2;
	copy = REAL(fcntl)(fd, F_DUPFD_CLOEXEC, least);
	return copy >= 0 ? copy : REAL(fcntl)(fd, F_DUPFD_CLOEXEC, 3);
}

bool line_attach(void)
{
	int copy;

	if (prefork_slot_attach(&slot, true) != 1)
		return false;
	copy = high_copy(slot.fd);
	if (copy < 0) {
		prefork_slot_detach(&slot);
		return false;
	}
	if (slot.opened)
		REAL(close)(slot.fd);
	else
		REAL(fcntl)(slot.fd, F_SETFD, 0);
	slot.opened = true;
	slot.fd = copy;
	return true;
}

uint64_t line_jobs(void)
{
	char field[BOARD_JOBS_BYTES + 1] = "";

	if (slot.fd < 0 || pread(slot.fd, field, BOARD_JOBS_BYTES, slot.at + BOARD_JOBS_AT) < 0)
		return 0;
	return field[0] >= '0' && field[0] <= '9' ? strtoull(field, NULL, 10) : 0;
}

/* Without a look whether the descriptor is still ours: it is too high to come back to somebody
 * else, and each connection begins with a state, where we do look. */
static void put(int at, const char *bytes, size_t count)
{
	int saved = errno;

	if (slot.fd >= 0 && pwrite(slot.fd, bytes, count, slot.at + at) < 0) {
		/* A full disk is no reason to disturb a program. */
	}
	errno = saved;
}

void line_put_busy(char state)
{
	prefork_slot_put_state(&slot, state);
}

void line_put_idle(char state)
{
	put(BOARD_STATE_AT, &state, 1);
}

void line_put_jobs(uint64_t jobs)
{
	char field[BOARD_JOBS_BYTES];
	int count = 0;

	for (uint64_t rest = jobs; count == 0 || rest > 0; rest /= 10)
		count++;
	memset(field, ' ', sizeof(field));
	for (; count > 0; jobs /= 10)
		if (--count < BOARD_JOBS_BYTES)
			field[count] = (char)('0' + jobs % 10);
	put(BOARD_JOBS_AT, field, sizeof(field));
}

void line_put_note(const char note[BOARD_NOTE_BYTES])
{
	put(BOARD_NOTE_AT, note, BOARD_NOTE_BYTES);
}

bool line_is_retired(void)
{
	return prefork_slot_is_retired(&slot);
}

int line_fd(void)
{
	return slot.fd;
}

void line_move(void)
{
	int saved = errno;

	slot.fd = high_copy(slot.fd);
	errno = saved;
}

static bool watch_set(unsigned listener, short type, int command)
{
	struct flock place = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = WATCH_AT + (off_t)listener * LINE_WATCHES +
			   (unsigned)getpid() % LINE_WATCHES,
		.l_len = 1,
	};

	return REAL(fcntl)(slot.fd, command, &place) == 0 || errno != EINTR;
}

bool line_watch_begin(unsigned listener)
{
	return watch_set(listener, F_WRLCK, F_SETLKW);
}

void line_watch_end(unsigned listener)
{
	int saved = errno;

	watch_set(listener, F_UNLCK, F_SETLK);
	errno = saved;
}

void line_turn_begin(void)
{
	int saved = errno;

	while (flock(slot.fd, LOCK_EX) < 0 && errno == EINTR)
		;
	errno = saved;
}

void line_turn_end(void)
{
	int saved = errno;

	flock(slot.fd, LOCK_UN);
	errno = saved;
}
