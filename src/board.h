#ifndef PREFORKD_BOARD_H
#define PREFORKD_BOARD_H
/*
 * One line of the scoreboard, as bytes: what a worker says, read without trust, and what the
 * supervisor writes. The layout is in preforkd-scoreboard(7). Floor 0.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BOARD_LINE_BYTES 64
#define BOARD_STATE_AT   0
#define BOARD_BEAT_AT    1
#define BOARD_RETIRE_AT  2
#define BOARD_PID_AT     3
#define BOARD_PID_BYTES  8
#define BOARD_JOBS_AT    12
#define BOARD_JOBS_BYTES 12
#define BOARD_NOTE_AT    25
#define BOARD_NOTE_BYTES 38

/* The supervisor's bytes are three runs: the retire mark, the pid and the blank behind it; the
 * blank before the note; the newline. All others are the worker's. */
#define BOARD_OWN_RUNS 3
struct board_run {
	int at, bytes;
};
extern const struct board_run board_own_run[BOARD_OWN_RUNS];

enum board_state {
	BOARD_NOTHING, /* '.': none yet */
	BOARD_IDLE,    /* '_' */
	BOARD_BUSY,    /* any other of 0x21 to 0x7e */
	BOARD_NOISE,   /* anything else: the state stays as it was */
};

/* What one line says. */
struct board_line {
	enum board_state state;
	char state_byte;
	bool jobs_known; /* a well-formed decimal number stands in the job field */
	uint64_t jobs;
};

void board_line_read(struct board_line *out, const char line[BOARD_LINE_BYTES]);
/* The note with what is not printable as '?', trailing blanks cut. */
void board_note_read(char note[BOARD_NOTE_BYTES + 1], const char line[BOARD_LINE_BYTES]);
/* Did a byte change that belongs to the worker? */
bool board_worker_bytes_differ(const char a[BOARD_LINE_BYTES], const char b[BOARD_LINE_BYTES]);
/* Do the supervisor's bytes (retire mark, pid, blanks, newline) stand as they should? */
bool board_own_bytes_differ(const char a[BOARD_LINE_BYTES], const char b[BOARD_LINE_BYTES]);
/* Copies the supervisor's bytes; the worker's stay. */
void board_own_bytes_copy(char to[BOARD_LINE_BYTES], const char from[BOARD_LINE_BYTES]);

/* The line of a slot without a worker, and of one with a fresh worker. */
void board_line_write_empty(char line[BOARD_LINE_BYTES]);
void board_line_write_worker(char line[BOARD_LINE_BYTES], pid_t pid);

#endif
