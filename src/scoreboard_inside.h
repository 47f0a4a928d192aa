#ifndef PREFORKD_SCOREBOARD_INSIDE_H
#define PREFORKD_SCOREBOARD_INSIDE_H
/*
 * What the two halves of the scoreboard share: scoreboard.c (life, and what the supervisor writes)
 * and scoreboard_refresh.c (what is read, and put right). Nobody else includes it. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "scoreboard_file.h"
#include "scoreboard_watch.h"
#include "logger.h"
#include "rate_limit.h"
#include "scoreboard.h"

/* Who lives in a slot: nobody, a worker that has the file open, or the former file. */
enum slot_home { HOME_EMPTY, HOME_CURRENT, HOME_FORMER };

struct scoreboard {
	struct ev_loop *loop;
	scoreboard_changed *changed;
	void *context;
	struct scoreboard_file file;
	struct scoreboard_watch watch;
	ev_timer mend_timer; /* something is left to be put right at mend_at */
	int former_fd;       /* a file that was removed while workers had it; -1: there is none */
	int slots;
	char *lines; /* as last read, with our own bytes as we wrote them */
	char *seen;  /* what is being read; the two change places */
	unsigned char *home;
	int64_t mend_at; /* not before */
	bool mending;    /* in this refresh */
	bool unwritten; /* bytes of ours could not be written: those that differ are no harm done */
	bool nameless;  /* the file cannot get a name back yet, and the log knows */
	bool taken_up;  /* lines of workers that are gone may still stand there */
	struct rate_limit harm_log, trouble_log;
	struct log_subject subject;
};

static inline size_t scoreboard_bytes(const struct scoreboard *board)
{
	return (size_t)board->slots * BOARD_LINE_BYTES;
}

static inline char *scoreboard_line_in(char *lines, int slot)
{
	return lines + (size_t)slot * BOARD_LINE_BYTES;
}

/* Logs with errno that the file cannot be `what`. */
void scoreboard_log_trouble(struct scoreboard *board, const char *what);
/* Has the file looked at after a pause, though nothing may change it. */
void scoreboard_mend_later(struct scoreboard *board, int64_t pause_ms);
/* Writes one run of a line, all of it, or the supervisor's bytes of it. What cannot be written is
 * written later. */
void scoreboard_put(
	struct scoreboard *board, int fd, int slot, struct board_run run, const char *line);
void scoreboard_put_line(struct scoreboard *board, int fd, int slot, const char *line);
void scoreboard_put_own(struct scoreboard *board, int fd, int slot, const char *line);

#endif
