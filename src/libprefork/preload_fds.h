#ifndef PREFORKD_PRELOAD_FDS_H
#define PREFORKD_PRELOAD_FDS_H
/*
 * What the descriptors of this process are to us. Copies of a descriptor are the same thing.
 */
#include <stdbool.h>

#define FDS_LISTENERS 64

/* A listening socket that was inherited; number below FDS_LISTENERS. */
void fds_add_listener(int fd, unsigned number);
/* An epoll that has one of them. */
void fds_add_watcher(int fd);
void fds_add_connection(int fd, int connection);

/* All but these say nothing about what is not ours. Numbers, -1: it is none. Those who change what
 * a descriptor is ask fds_is_known() (group_is_ours), the others are told more cheaply
 * (group_is_here). */
bool fds_is_known(int fd);
int fds_listener(int fd);
int fds_connection(int fd);
bool fds_is_watcher(int fd);

/* shutdown(2) of a listening socket: this process takes no connection from it any more, and the
 * socket stays as it is. False: it is none. */
bool fds_shut_listener(int fd, int how);
bool fds_is_shut(unsigned listener);

void fds_copy(int from, int to);
/* It is closed, or about to be. */
void fds_forget(int fd);
void fds_forget_range(unsigned first, unsigned last);

/* Before a fork: the other process holds all our connections, too. */
void fds_hold_for(int process);
/* Before another program is executed: what it will not have. */
void fds_forget_cloexec(void);

#endif
