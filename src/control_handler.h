#ifndef PREFORKD_CONTROL_HANDLER_H
#define PREFORKD_CONTROL_HANDLER_H
/*
 * What the verbs of the control socket do: the same actions that signals stand for, whatever
 * signals are mapped to them, and answers in words. Floor 3.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct errmsg;
struct supervisor;

/* A worker that is to be replaced, which ends later and is told as an event of this id. */
struct control_wait {
	uint64_t id;
	char *pool; /* owned */
	int slot;
	pid_t pid;
	uint64_t failed_before; /* workers of the pool that had failed when it was asked for */
};

struct control_waits {
	struct control_wait *wait; /* owned; one a worker at most */
	size_t count;
	uint64_t drain_id, stop_id; /* all are to go, told under this number; 0: not asked for */
	int leaving, left;          /* so many were there, and are there still, as told last */
};

/* Opens the socket that the settings name, unless it is off. -1 with the reason. */
int control_handler_open(struct supervisor *supervisor, struct errmsg *err);
/* Once a loop turn: tells the ends of what was asked for. */
void control_handler_look(struct supervisor *supervisor);
void control_handler_close(struct supervisor *supervisor);

#endif
