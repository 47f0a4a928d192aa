#ifndef PREFORKD_BACKLOG_H
#define PREFORKD_BACKLOG_H
/*
 * How many connections wait at a socket for somebody to accept them, and how many may: asked of
 * the kernel by two or three calls that never block and allocate nothing. Nothing is taken from the
 * socket. Floor 1.
 */
#include <stdbool.h>
#include <stdint.h>

#define BACKLOG_UNKNOWN (-1)

/* limit is that of the kernel: the queue takes one more. Of datagrams (and of what a connection
 * sent) it is known only whether any wait: waiting is 0 or 1, and there is no limit. */
struct backlog_count {
	int waiting, limit; /* BACKLOG_UNKNOWN */
};

/* A netlink socket, opened when first needed (for unix sockets), kept open, CLOEXEC. */
struct backlog_reader {
	int fd; /* -1: none yet */
	uint32_t sequence;
};

void backlog_open(struct backlog_reader *reader);
void backlog_close(struct backlog_reader *reader);
/* Both unknown where the kernel does not tell: no sock_diag, another network namespace's unix
 * socket, a protocol that is none of ours, no socket at all. errno is kept. */
struct backlog_count backlog_read(struct backlog_reader *reader, int socket_fd);

/* Does anything wait there? This is known where the number is not. errno is kept. */
bool backlog_any(int socket_fd);

#endif
