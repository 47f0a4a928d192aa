#ifndef PREFORKD_CONTROL_RESERVE_H
#define PREFORKD_CONTROL_RESERVE_H
/* Descriptors kept in reserve, so that somebody can be answered when there are no others. Floor 1.
 */
#include <stdbool.h>

#define CONTROL_RESERVE_COUNT 4

struct control_reserve {
	int fd[CONTROL_RESERVE_COUNT]; /* -1: given away */
};

void control_reserve_open(struct control_reserve *reserve);
/* Gives one away, for the next descriptor that somebody needs; false: none is left. */
bool control_reserve_take(struct control_reserve *reserve);
/* As many as there were, if the system has them. */
void control_reserve_refill(struct control_reserve *reserve);
void control_reserve_close(struct control_reserve *reserve);

#endif
