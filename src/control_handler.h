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

#define CONTROL_WAITS_MAX 16

/* Something was asked for that ends later, and whose end is told as an event. */
struct control_wait {
	char *pool; /* owned */
	int slot;
	pid_t pid; /* of the worker that is to be replaced */
};

struct control_waits {
	struct control_wait wait[CONTROL_WAITS_MAX];
	int count;
	bool drain;
};

/* Opens the socket that the settings name, unless it is off. -1 with the reason. */
int control_handler_open(struct supervisor *supervisor, struct errmsg *err);
/* Once a loop turn: tells the ends of what was asked for. */
void control_handler_look(struct supervisor *supervisor);
void control_handler_close(struct supervisor *supervisor);

#endif
