#ifndef PREFORKD_TEST_CONTROL_WORLD_H
#define PREFORKD_TEST_CONTROL_WORLD_H
/*
 * A control socket with a handler of our own in a process of its own, and clients of every kind.
 *
 * The handler knows: ping; echo WORD...; big BYTES; later (answers at `now`), now; events; emit
 * COUNT BYTES (events {"event":"n","number":...,"pad":"..."}, before it answers); who (pid and uid
 * of the peer); gone (how many left before their answer); hold N (sleeps N ms, as a busy
 * supervisor).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "test_files.h"

struct control_world {
	struct test_dir dir;
	char path[PATH_MAX]; /* of the socket */
	pid_t server;
	int channel; /* our end */
};

/* limit_nofile: of the server, above what it has open by then; 0: as it is. */
void world_open(struct control_world *world, int limit_nofile);
void world_close(struct control_world *world);

/* A connected client. */
int client_connect(const struct control_world *world);
void client_send(int fd, const char *text);
/* All until the end of file, as a string (NUL-terminated, malloced); *bytes may be NULL. Fails the
 * test when the end has not come after limit_ms. */
char *client_read_all(int fd, size_t *bytes, int limit_ms);
/* One line, without its newline, into a buffer that the next call uses again; NULL: end of file. */
char *client_read_line(int fd, int limit_ms);
/* Connects, asks, reads the answer (without newline; malloced), hangs up. */
char *ask_once(const struct control_world *world, const char *request);
/* Milliseconds that a ping takes, from connecting to the end of file. */
int64_t ping_ms(const struct control_world *world);
int64_t clock_ms(void);

#endif
