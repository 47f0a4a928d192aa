#ifndef PREFORKD_LAUNCH_H
#define PREFORKD_LAUNCH_H
/*
 * What a worker of a pool is started with: made once a generation, so that a start only fills in
 * the numbers of its slot. Floor 2.
 */
#include <stdint.h>
#include <sys/resource.h>

#include "identity.h"
#include "spawn.h"
#include "words.h"

struct errmsg;
struct pool_settings;
struct socket_table;
struct startup_limits;

#define LAUNCH_NUMBER_BYTES 32

struct launch {
	const struct pool_settings *settings; /* borrowed */
	const char *name;                     /* the instance's, borrowed */
	struct spawn_plan plan;
	struct identity identity;
	char *program, *path;     /* what was looked for last, and where it is */
	char *directory;          /* expanded for the slot at hand, or NULL */
	struct words expanded;    /* for the slot at hand */
	struct words environment; /* what is the same for every slot */
	char **envp;              /* environment, then the numbers below */
	int null_fd;              /* /dev/null, open for reading and writing */
	int *fd;                  /* 0-2, the sockets, the scoreboard */
	int fd_count;             /* without the scoreboard */
	struct rlimit limits[SPAWN_LIMITS];
	char slot[LAUNCH_NUMBER_BYTES], generation[LAUNCH_NUMBER_BYTES + 16],
		offset[LAUNCH_NUMBER_BYTES + 16], starter[LAUNCH_NUMBER_BYTES + 16],
		listen_pid[LAUNCH_NUMBER_BYTES], watchdog_pid[LAUNCH_NUMBER_BYTES],
		auto_pid[LAUNCH_NUMBER_BYTES], watchdog[LAUNCH_NUMBER_BYTES + 16];
};

/* Where a pool's workers live. */
struct launch_place {
	const char *name; /* the instance's */
	const struct socket_table *sockets;
	const struct startup_limits *found_limits; /* as we found them */
	const char *scoreboard_path;               /* NULL: none */
	const char *notify_address;                /* for NOTIFY_SOCKET; NULL: none */
	const char *auto_library;                  /* that auto_scoreboard preloads */
};

/* One worker's own numbers and descriptors. */
struct launch_worker {
	int slot;
	uint64_t generation;
	int standard_fd[3];
	int scoreboard_fd; /* -1: none */
};

int launch_init(struct launch *launch, const struct pool_settings *settings,
	const struct launch_place *place, struct errmsg *err);
/* The plan for one worker; valid until the next call. NULL with the reason. */
const struct spawn_plan *launch_prepare(
	struct launch *launch, const struct launch_worker *worker, struct errmsg *err);
/* %{pool}, %{slot} and %{name} replaced; malloced, or NULL with the reason. */
char *launch_expand(const struct launch *launch, const char *text, int slot, struct errmsg *err);
/* The settings became others that are the same to a worker; they are borrowed from now on. */
void launch_resettle(struct launch *launch, const struct pool_settings *settings);
void launch_fini(struct launch *launch);

#endif
