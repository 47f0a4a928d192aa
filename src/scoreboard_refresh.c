/*
 * The scoreboard read anew, and put right. Rule: from the file come only the workers' bytes of
 * slots that have a worker, copied by pread(2) - never mmap(2): a worker may truncate the file
 * under us. Whatever else is found there is put right at once, but no more than ten times a
 * second, so that a hostile worker cannot buy our time. Must not wait, nor open what it finds.
 *
 * A file that lost its last name cannot get one back. A new one is made for the workers to come,
 * and the former is read on for those who were handed it, its lines shown in the new one. When
 * this happens again before they have left, the file stays without a name; every descriptor
 * works on.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "scoreboard_inside.h"
#include "sys.h"

#define MEND_PAUSE_MS        100
#define FAILED_MEND_PAUSE_MS 1000

/* Besides scoreboard_file.h's bits. */
enum {
	HARM_OWN = 32,   /* the supervisor's bytes were overwritten */
	HARM_STRAY = 64, /* a line needs writing, and nobody needs to know */
};

static bool is_home_used(const struct scoreboard *board, enum slot_home home)
{
	return memchr(board->home, home, (size_t)board->slots) != NULL;
}

static bool must_stay_nameless(const struct scoreboard *board)
{
	return board->former_fd >= 0 && is_home_used(board, HOME_CURRENT);
}

static int mend_size(struct scoreboard *board, bool refill)
{
	const size_t bytes = scoreboard_bytes(board);

	if (scoreboard_file_resize(&board->file, (off_t)bytes) == 0 &&
		(!refill || sys_pwrite(board->file.fd, board->lines, bytes, 0) == (ssize_t)bytes))
		return 0;
	scoreboard_log_trouble(board, "given its size back");
	return -1;
}

static int mend_access(struct scoreboard *board)
{
	if (scoreboard_file_mend_access(&board->file) == 0)
		return 0;
	scoreboard_log_trouble(board, "given its mode and owner back");
	return -1;
}

static int mend_name(struct scoreboard *board)
{
	if (scoreboard_file_mend_name(&board->file) == 0)
		return 0;
	scoreboard_log_trouble(board, "given its name back");
	return -1;
}

/* The lost file becomes the former one if workers live there. */
static void leave_lost_file(struct scoreboard *board, int lost_fd)
{
	if (!is_home_used(board, HOME_CURRENT)) {
		scoreboard_watch_point(&board->watch, board->file.fd, board->former_fd);
		sys_close(lost_fd);
		return;
	}
	for (int slot = 0; slot < board->slots; slot++)
		if (board->home[slot] == HOME_CURRENT)
			board->home[slot] = HOME_FORMER;
	board->former_fd = lost_fd;
	scoreboard_watch_point(&board->watch, board->file.fd, board->former_fd);
}

static int replace_file(struct scoreboard *board)
{
	const int lost_fd = board->file.fd;
	struct errmsg err;

	if (must_stay_nameless(board)) {
		board->nameless = true;
		return 0;
	}
	if (scoreboard_file_make(&board->file, board->lines, scoreboard_bytes(board), &err) < 0) {
		if (rate_limit_pass(&board->trouble_log, sys_now_ms(), NULL))
			log_error(&board->subject, "%s", err.text);
		return -1;
	}
	leave_lost_file(board, lost_fd);
	return 0;
}

static void log_harm(struct scoreboard *board, unsigned harm)
{
	static const struct {
		unsigned bit;
		const char *words;
	} kind[] = {
		{SCOREBOARD_FILE_SHORT, ", truncated"},
		{SCOREBOARD_FILE_LONG, ", lengthened"},
		{SCOREBOARD_FILE_ACCESS, ", mode or owner changed"},
		{SCOREBOARD_FILE_NAME, ", moved or replaced"},
		{SCOREBOARD_FILE_GONE, ", removed"},
		{HARM_OWN, ", supervisor's bytes overwritten"},
	};
	uint64_t held_back = 0;
	char what[128] = "";
	int end = 0;

	for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
		if (harm & kind[i].bit)
			end += snprintf(what + end, sizeof(what) - end, "%s", kind[i].words);
	if (!*what || !rate_limit_pass(&board->harm_log, sys_now_ms(), &held_back))
		return;
	log_warning(&board->subject, "scoreboard %s harmed: %s; %s (and %llu times before)",
		board->file.path, what + 2,
		harm & SCOREBOARD_FILE_GONE && must_stay_nameless(board)
			? "it stays without a name until older workers have left"
			: "putting it right",
		(unsigned long long)held_back);
}

/* The lines were written while they were settled; what is left is the file as a whole. */
static void mend_file(struct scoreboard *board, unsigned harm, int64_t now_ms)
{
	int result = board->unwritten ? -1 : 0;

	ev_timer_stop(board->loop, &board->mend_timer);
	log_harm(board, harm);
	if (harm & (SCOREBOARD_FILE_SHORT | SCOREBOARD_FILE_LONG))
		result |= mend_size(board, harm & SCOREBOARD_FILE_SHORT);
	if (harm & SCOREBOARD_FILE_ACCESS)
		result |= mend_access(board);
	if (harm & SCOREBOARD_FILE_NAME)
		result |= mend_name(board);
	if (harm & SCOREBOARD_FILE_GONE)
		result |= replace_file(board);
	board->mend_at = now_ms + (result == 0 ? MEND_PAUSE_MS : FAILED_MEND_PAUSE_MS);
	if (result < 0)
		scoreboard_mend_later(board, board->mend_at - now_ms);
}

/* What the file is too short for is as it was. */
static int read_file(struct scoreboard *board, int fd, char *into)
{
	const size_t bytes = scoreboard_bytes(board);
	ssize_t got = sys_pread(fd, into, bytes, 0);

	if (got < 0) /* no other change may come that would make us look again */
		got = sys_pread(fd, into, bytes, 0);
	if (got < 0)
		return -1;
	memcpy(into + got, board->lines + got, bytes - (size_t)got);
	return 0;
}

/* A file that was cut lost what stood there: where nothing stands now, what was read last. */
static void fill_holes(struct scoreboard *board)
{
	for (size_t i = 0; i < scoreboard_bytes(board); i++)
		if (board->seen[i] == '\0')
			board->seen[i] = board->lines[i];
}

static unsigned settle_empty(struct scoreboard *board, int slot, const char *was, char *now)
{
	if (memcmp(was, now, BOARD_LINE_BYTES) == 0)
		return 0;
	memcpy(now, was, BOARD_LINE_BYTES);
	if (board->mending)
		scoreboard_put_line(board, board->file.fd, slot, now);
	return HARM_STRAY;
}

/* `now` stands in the file of fd. */
static unsigned settle_own(struct scoreboard *board, int fd, int slot, const char *was, char *now)
{
	if (!board_own_bytes_differ(was, now))
		return 0;
	board_own_bytes_copy(now, was);
	if (board->mending)
		scoreboard_put_own(board, fd, slot, now);
	return HARM_OWN;
}

/* The line counts as it stands in the former file. */
static unsigned settle_former(
	struct scoreboard *board, int slot, const char *was, char *now, char *former)
{
	unsigned harm = settle_own(board, board->former_fd, slot, was, former);

	if (memcmp(now, former, BOARD_LINE_BYTES) == 0)
		return harm;
	memcpy(now, former, BOARD_LINE_BYTES);
	if (board->mending)
		scoreboard_put_line(board, board->file.fd, slot, now);
	return harm | HARM_STRAY;
}

/* `former`: the lines in the former file; NULL: there is none, or it cannot be read. */
static unsigned settle_lines(struct scoreboard *board, char *former)
{
	unsigned harm = 0;

	for (int slot = 0; slot < board->slots; slot++) {
		char *was = scoreboard_line_in(board->lines, slot);
		char *now = scoreboard_line_in(board->seen, slot);

		switch ((enum slot_home)board->home[slot]) {
		case HOME_EMPTY: harm |= settle_empty(board, slot, was, now); break;
		case HOME_CURRENT: harm |= settle_own(board, board->file.fd, slot, was, now); break;
		case HOME_FORMER:
			harm |= settle_former(board, slot, was, now,
				former ? scoreboard_line_in(former, slot) : was);
			break;
		}
	}
	return harm;
}

static unsigned settle(struct scoreboard *board)
{
	const size_t bytes = scoreboard_bytes(board);
	const bool unwritten = board->unwritten;
	char *former = NULL;
	unsigned harm;

	assert(bytes > 0);
	if (board->mending)
		board->unwritten = false;
	if (board->former_fd >= 0)
		former = malloc(bytes);
	if (former && read_file(board, board->former_fd, former) < 0) {
		free(former);
		former = NULL;
	}
	harm = settle_lines(board, former);
	free(former);
	return unwritten && harm & HARM_OWN ? (harm & ~(unsigned)HARM_OWN) | HARM_STRAY : harm;
}

/* Workers that were not taken over have left lines behind. */
static void empty_left_lines(struct scoreboard *board)
{
	board->taken_up = false;
	for (int slot = 0; slot < board->slots; slot++)
		if (board->home[slot] == HOME_EMPTY)
			board_line_write_empty(scoreboard_line_in(board->lines, slot));
}

static void drop_unused_former(struct scoreboard *board)
{
	if (board->former_fd < 0 || is_home_used(board, HOME_FORMER))
		return;
	scoreboard_watch_point(&board->watch, board->file.fd, -1);
	sys_close(board->former_fd);
	board->former_fd = -1;
	board->nameless = false;
}

void scoreboard_refresh(struct scoreboard *board)
{
	const int64_t now_ms = sys_now_ms();
	char *lines = board->lines;
	unsigned harm;

	if (board->taken_up)
		empty_left_lines(board);
	drop_unused_former(board);
	harm = scoreboard_file_check(&board->file, (off_t)scoreboard_bytes(board));
	if (board->nameless)
		harm &= ~(unsigned)SCOREBOARD_FILE_GONE;
	if (read_file(board, board->file.fd, board->seen) < 0) {
		scoreboard_log_trouble(board, "read");
		return;
	}
	if (!harm && board->former_fd < 0 &&
		memcmp(lines, board->seen, scoreboard_bytes(board)) == 0)
		return;
	board->mending = now_ms >= board->mend_at;
	if (harm & SCOREBOARD_FILE_SHORT)
		fill_holes(board);
	harm |= settle(board);
	board->lines = board->seen;
	board->seen = lines;
	if (harm && board->mending)
		mend_file(board, harm, now_ms);
	else if (harm)
		scoreboard_mend_later(board, board->mend_at - now_ms);
}
