#ifndef PREFORKD_PRELOAD_LINE_H
#define PREFORKD_PRELOAD_LINE_H
/*
 * The worker's line of the scoreboard, on a descriptor that the program cannot lose by accident,
 * and the locks on the scoreboard's file by which the workers of a pool take turns. errno is kept
 * by all but line_watch_begin().
 */
#include <stdbool.h>
#include <stdint.h>

#include "board.h"

/* Once, in the worker's first process; children share it. False: there is none. */
bool line_attach(void);
/* The job count that stands there: a program before us in this process may have begun it. */
uint64_t line_jobs(void);

/* A busy state makes sure that this is still the scoreboard; the others follow one. */
void line_put_busy(char state);
void line_put_idle(char state);
void line_put_jobs(uint64_t jobs);
void line_put_note(const char note[BOARD_NOTE_BYTES]);
bool line_is_retired(void);

/* The descriptor it is on, -1: none. The program must not see it closed. */
int line_fd(void);
/* Somebody wants this number for a file of his own: goes elsewhere. */
void line_move(void);

/* A few processes at a time watch a listening socket, of all that share the scoreboard; the others
 * wait here. False: a signal came, errno is EINTR; where there can be no lock, true. */
#define LINE_WATCHES 4
bool line_watch_begin(unsigned listener);
void line_watch_end(unsigned listener);

/* One worker at a time goes from a last look at a listening socket to accept(2). Its processes and
 * threads share this: they take turns by group_turn_begin(). */
void line_turn_begin(void);
void line_turn_end(void);

#endif
