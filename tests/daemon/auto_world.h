#ifndef PREFORKD_TESTS_AUTO_WORLD_H
#define PREFORKD_TESTS_AUTO_WORLD_H
/*
 * For tests of the automatic scoreboard, without a supervisor: a scoreboard, a listening socket,
 * programs that are started as workers with the library preloaded, and clients.
 *
 * Environment: AUTO_LIBRARY and AUTO_SERVER name what was built.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORLD_SLOTS 4

/* Makes board and socket; the socket is descriptor 0 of workers, or 3. False: no library. */
bool world_make(bool at_zero);
const char *auto_server(void);
bool program_is_there(const char *name);

/* Starts a worker in a slot; words are as for a shell, without quoting. */
pid_t world_start(int slot, const char *const argv[]);
#define world_run(slot, ...) world_start(slot, (const char *const[]){__VA_ARGS__, NULL})
void world_end(pid_t worker);
/* All other workers are to be told their pid by PREFORKD_AUTO=1. */
void world_tell_no_pid(void);

/* The socket, for all that share it. */
void world_set_blocking(bool blocking);

/* The lines. */
char world_state(int slot);
long world_jobs(int slot);
const char *world_note(int slot);
void world_ask_to_leave(int slot, bool leave);

/* The kernel's view: connections that nobody has taken yet. */
int world_waiting(void);

/* A connection; reading and writing have limits. */
int world_connect(void);
void client_ask(int fd, const char *path, bool close_after);
/* Reads one response: 1: the connection can be used again; 0: it ends; -1: there was none. */
int client_answer(int fd);

/* One, on a connection that is closed after it. */
void client_exchange(int fd);
void fastcgi_exchange(int fd, const char *script);

/* So many requests, all answered; at most so many connections at a time, of which each may see
 * several requests. */
void client_load(int requests, int connections, uint64_t *seed);
void fastcgi_load(int requests, const char *script, uint64_t *seed);

#endif
