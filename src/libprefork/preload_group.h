#ifndef PREFORKD_PRELOAD_GROUP_H
#define PREFORKD_PRELOAD_GROUP_H
/*
 * A worker as its line describes it: its process and those that it forked, their connections, what
 * is busy among them, and the jobs done. In memory that they share; nothing in it blocks for longer
 * than a write to the line takes. All keep errno.
 *
 * A connection is open as long as a process holds it; one that dies lets go of all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GROUP_PROCESSES   63 /* a fork beyond goes unnoticed */
#define GROUP_CONNECTIONS 16384

/* This process becomes the first of a group. False: no memory. */
bool group_begin(uint64_t jobs);
/* Does the caller run in a process of the group? No: another program, a child that shares our
 * memory (vfork), one forked behind our back. Those are none of our business. */
bool group_is_ours(void);
/* The same, mostly without asking the kernel, for calls that use a descriptor and do not change it:
 * a child that shares our memory is noticed only when it changes what a descriptor of ours is. */
bool group_is_here(void);
/* The same, without any doubt of the process: false for certain, or likely. */
bool group_is_likely(void);

/* The program waits for connections: from now on the line tells its state. */
void group_announce(void);
bool group_is_announced(void);

/* One thread of all at a time: not for longer than calls take that do not wait. */
void group_turn_begin(void);
void group_turn_end(void);

/* Around accept(2): busy is on the line when it returns. Commit makes it a connection and returns
 * its number, or -1 where there is no room: then it counts as a job, and no more is known of it. */
void group_take(void);
void group_take_nothing(void);
int group_take_connection(int hint);

/* No descriptor of this process leads there any more. */
void group_drop(int connection);

/* A connection between two requests is not busy. Resume: busy again, and on the line; false: all
 * was idle until now, and the line asks us to leave. */
bool group_is_between(int connection);
bool group_is_rest(int connection, const void *ahead, size_t bytes); /* response_is_rest() */
bool group_resume(int connection);

/* Data were received (none: their end); the note is made of what is first in a request. */
void group_received(int connection, int fd, const void *data, size_t bytes);
/* Data were sent; NULL: that were not seen. */
void group_sent(int connection, const void *data, size_t bytes);
/* Nothing more will be sent. */
void group_sent_all(int connection);

/* A fork: reserve before (-1: no room), then one of the others, in parent or child. */
int group_fork_reserve(void);
void group_fork_hold(int process, int connection);
void group_fork_failed(int process);
void group_fork_parent(int process, pid_t pid);
void group_fork_child(int process);

bool group_is_first(void);
/* This process is about to end, or to become another program. */
void group_leave(void);
/* A child was reaped. */
void group_reaped(pid_t pid);

#endif
