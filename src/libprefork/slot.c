/*
 * A worker's line of the scoreboard: environment to descriptor, then bytes by pwrite(2). Rule: a
 * byte in the wrong file is worse than none. Programs close descriptors that they do not know, and
 * their numbers come back as data bases and logs; so before each write the descriptor must still
 * show the seal that attach put on it. Must not allocate, lock, log or stop the program.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The seal is the position of the descriptor, which nobody else needs: lseek(2) tells it for a
 * third of what fstat(2) costs. Far behind the end of the file, at a place where no other file
 * stands. */
#define SEAL 0x70726566

/* A decimal number and nothing else. -1: it is not. */
static long long read_number(const char *text, long long most)
{
	long long value = 0;

	if (!text || !*text)
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (*text - '0');
		if (value > most)
			return -1;
	}
	return *text ? -1 : value;
}

/* The pid that the line carries: 0 none yet, -1 what stands there is no line of a scoreboard. */
static pid_t line_pid(int fd, off_t at)
{
	char line[BOARD_LINE_BYTES];
	long long pid = 0;
	int i = BOARD_PID_AT;

	if (pread(fd, line, sizeof(line), at) != BOARD_LINE_BYTES ||
		line[BOARD_LINE_BYTES - 1] != '\n' || line[BOARD_NOTE_AT - 1] != ' ')
		return -1;
	for (; i < BOARD_PID_AT + BOARD_PID_BYTES && line[i] >= '0' && line[i] <= '9'; i++)
		pid = pid * 10 + (line[i] - '0');
	for (; i < BOARD_JOBS_AT; i++)
		if (line[i] != ' ')
			return -1;
	return (pid_t)pid;
}

static bool is_sealed(const struct prefork_slot *slot, int fd)
{
	struct stat file;

	if (lseek(fd, 0, SEEK_CUR) == slot->at + SEAL)
		return true;
	/* Whoever shares our descriptor may have moved it. */
	if (fstat(fd, &file) < 0 || file.st_dev != slot->device || file.st_ino != slot->file)
		return false;
	lseek(fd, slot->at + SEAL, SEEK_SET);
	return true;
}

/* The supervisor writes the pid right after the fork: until it stands there we look again. */
static bool line_is_ours(struct prefork_slot *slot, int fd)
{
	pid_t pid;

	if (slot->ok)
		return true;
	pid = line_pid(fd, slot->at);
	slot->ok = pid > 0 && (pid == slot->pid || pid == slot->group);
	return pid <= 0 || slot->ok;
}

/* The descriptor to write to, or -1; a slot that is lost stays so. */
static int slot_use(struct prefork_slot *slot)
{
	int fd = slot->fd;

	if (fd < 0 || (is_sealed(slot, fd) && line_is_ours(slot, fd)))
		return fd;
	slot->fd = -1;
	return -1;
}

/* 0 when the descriptor is a scoreboard with our line in it; else errno's value. */
static int slot_try(struct prefork_slot *slot, int fd)
{
	struct stat file;
	pid_t pid;

	if (fstat(fd, &file) < 0 || !S_ISREG(file.st_mode) ||
		(fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
		return EBADF;
	pid = line_pid(fd, slot->at);
	if (pid < 0)
		return EBADF;
	slot->ok = pid > 0 && (pid == slot->pid || pid == slot->group);
	if (pid > 0 && !slot->ok)
		return EPERM;
	slot->device = file.st_dev;
	slot->file = file.st_ino;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	lseek(fd, slot->at + SEAL, SEEK_SET);
	slot->fd = fd;
	return 0;
}

static int slot_try_inherited(struct prefork_slot *slot)
{
	long long fd = read_number(getenv("PREFORKD_SCOREBOARD_FD"), INT_MAX);

	slot->opened = false;
	return fd < 0 ? EBADF : slot_try(slot, (int)fd);
}

static int slot_try_path(struct prefork_slot *slot, const char *path)
{
	/* A FIFO that somebody put there must not hold us. */
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	int problem;

	if (fd < 0)
		return errno;
	problem = slot_try(slot, fd);
	if (problem)
		close(fd);
	slot->opened = !problem;
	return problem;
}

int prefork_slot_attach(struct prefork_slot *slot, bool whole_group)
{
	const char *path = getenv("PREFORKD_SCOREBOARD");
	long long at = read_number(getenv("PREFORKD_SCOREBOARD_OFFSET"), INT_MAX);
	int problem;

	slot->fd = -1;
	if (at < 0 || (!path && !getenv("PREFORKD_SCOREBOARD_FD")))
		return 0;
	slot->at = (off_t)at;
	slot->pid = getpid();
	slot->group = whole_group ? getpgrp() : 0;
	problem = at % BOARD_LINE_BYTES ? EBADF : slot_try_inherited(slot);
	if (problem == EBADF && path && at % BOARD_LINE_BYTES == 0)
		problem = slot_try_path(slot, path);
	if (!problem)
		return 1;
	errno = problem;
	return -1;
}

void prefork_slot_detach(struct prefork_slot *slot)
{
	int fd = slot->fd;

	if (fd >= 0 && slot->opened && is_sealed(slot, fd))
		close(fd);
	slot->fd = -1;
}

bool prefork_slot_is_attached(const struct prefork_slot *slot)
{
	return slot->fd >= 0;
}

void prefork_slot_put(struct prefork_slot *slot, int at, const char *bytes, int count)
{
	int saved = errno, fd = slot_use(slot);

	if (fd >= 0 && pwrite(fd, bytes, (size_t)count, slot->at + at) < 0) {
		/* A full disk is no reason to disturb a worker: the supervisor mends the file. */
	}
	errno = saved;
}

void prefork_slot_put_state(struct prefork_slot *slot, char state)
{
	prefork_slot_put(slot, BOARD_STATE_AT, &state, 1);
}

void prefork_slot_put_beat(struct prefork_slot *slot, char beat)
{
	prefork_slot_put(slot, BOARD_BEAT_AT, &beat, 1);
}

void prefork_slot_put_jobs(struct prefork_slot *slot, unsigned long long jobs)
{
	char digits[24], field[BOARD_JOBS_BYTES];
	int count = 0;

	do
		digits[count++] = (char)('0' + jobs % 10);
	while ((jobs /= 10) > 0);
	memset(field, ' ', sizeof(field));
	/* What is too long for the field begins at 0 again. */
	for (int i = 0; i < count && i < BOARD_JOBS_BYTES; i++)
		field[i] = digits[(count < BOARD_JOBS_BYTES ? count : BOARD_JOBS_BYTES) - 1 - i];
	prefork_slot_put(slot, BOARD_JOBS_AT, field, sizeof(field));
}

void prefork_slot_put_note(struct prefork_slot *slot, const char *note)
{
	char field[BOARD_NOTE_BYTES];
	int i = 0;

	for (; note && i < BOARD_NOTE_BYTES && note[i]; i++)
		field[i] = note[i] >= 0x20 && note[i] <= 0x7e ? note[i] : '?';
	memset(field + i, ' ', sizeof(field) - (size_t)i);
	prefork_slot_put(slot, BOARD_NOTE_AT, field, sizeof(field));
}

bool prefork_slot_is_retired(const struct prefork_slot *slot)
{
	int saved = errno, fd = slot->fd;
	char mark = ' ';
	bool retired =
		fd >= 0 && pread(fd, &mark, 1, slot->at + BOARD_RETIRE_AT) == 1 && mark == 'R';

	errno = saved;
	return retired;
}
