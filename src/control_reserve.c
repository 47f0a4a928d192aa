/* A handful of descriptors of nothing. Being given back is all that they are for. */
#include "control_reserve.h"

#include <fcntl.h>
#include <unistd.h>

void control_reserve_open(struct control_reserve *reserve)
{
	for (int i = 0; i < CONTROL_RESERVE_COUNT; i++)
		reserve->fd[i] = -1;
	control_reserve_refill(reserve);
}

bool control_reserve_take(struct control_reserve *reserve)
{
	for (int i = 0; i < CONTROL_RESERVE_COUNT; i++) {
		if (reserve->fd[i] < 0)
			continue;
		close(reserve->fd[i]);
		reserve->fd[i] = -1;
		return true;
	}
	return false;
}

void control_reserve_refill(struct control_reserve *reserve)
{
	for (int i = 0; i < CONTROL_RESERVE_COUNT; i++)
		if (reserve->fd[i] < 0)
			reserve->fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void control_reserve_close(struct control_reserve *reserve)
{
	while (control_reserve_take(reserve))
		;
}
