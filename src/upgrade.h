#ifndef PREFORKD_UPGRADE_H
#define PREFORKD_UPGRADE_H
/*
 * Becoming the program that is on the disk now: same process, same workers, same sockets. The new
 * program first reads the state and the running configuration in a child; whatever goes wrong until
 * the exec leaves all as it was. Floor 3.
 */
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "spawn.h"

struct state;
struct supervisor;
struct supervisor_options;

enum upgrade_step { UPGRADE_NONE, UPGRADE_CHECKING, UPGRADE_CHECKED };

struct upgrade {
	enum upgrade_step step;
	bool asked;
	uint64_t id; /* by which events tell of it */
	pid_t pid;   /* of the check; 0: none runs */
	int pidfd;
	bool ended, late; /* it has ended; it took too long */
	struct spawn_report failure;
	ev_io exit_watcher;
	ev_timer limit;
};

/* Begins with the next upgrade_look(), or after the reload that is under way. During one it changes
 * nothing. The id by which events will tell of it. */
uint64_t upgrade_ask(struct supervisor *supervisor);
/* Once a loop turn. Does not return when the upgrade takes place. */
void upgrade_look(struct supervisor *supervisor, int64_t now_ms);
bool upgrade_owns(const struct upgrade *upgrade, pid_t pid);
/* A report of a child that could not exec. false: not ours. */
bool upgrade_take_report(struct upgrade *upgrade, const struct spawn_report *report);
/* The end has begun: no upgrade goes on. */
void upgrade_abandon(struct supervisor *supervisor);

/* In the new program: what was handed over is in use. */
void upgrade_finish(struct supervisor *supervisor);

#endif
