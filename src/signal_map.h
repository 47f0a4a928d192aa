#ifndef PREFORKD_SIGNAL_MAP_H
#define PREFORKD_SIGNAL_MAP_H
/*
 * The signal map: what each signal that reaches the supervisor makes it do, and which signal the
 * workers get for it. One struct, written once by the configuration, read ever after. Floor 0.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct errmsg;

#define SIGNAL_ACTIONS(X)                                                                          \
	X(UNLISTED, "unlisted")                                                                    \
	X(IGNORE, "ignore")                                                                        \
	X(FORWARD, "forward")                                                                      \
	X(STOP, "stop")                                                                            \
	X(RELOAD, "reload")                                                                        \
	X(RECONFIGURE, "reconfigure")                                                              \
	X(REOPEN, "reopen")                                                                        \
	X(UPGRADE, "upgrade")                                                                      \
	X(DRAIN, "drain")                                                                          \
	X(RESUME, "resume")                                                                        \
	X(GROW, "grow")                                                                            \
	X(SHRINK, "shrink")

enum signal_action {
#define X(symbol, name) SIGNAL_##symbol,
	SIGNAL_ACTIONS(X)
#undef X
};

/* A line may name a worker signal for any action: the workers get it beside what is done. */
struct signal_rule {
	enum signal_action action;
	int worker_signal; /* 0: each pool's stop_signal where the action sends one, else nothing */
	int64_t interval_ms; /* > 0: one worker after another, that far apart (stop, forward) */
};

struct signal_map {
	struct signal_rule rule[_NSIG]; /* by signal number; 0 is not used */
	const char *preset; /* it began as (signal_preset.c), NULL: the defaults; not owned */
};

/* The defaults of the manual: TERM, INT, QUIT stop; HUP reload; USR1 reopen; ... */
void signal_map_init(struct signal_map *map);
/* One line of [signals]: `received = text`. -1 with the reason (and a proposal). KILL, STOP and
 * signals of the kernel's own faults cannot be received. Received signals are told apart by number:
 * whoever looks for repeated lines must compare signal_number()s. "unlisted" cannot be set. */
int signal_map_set(
	struct signal_map *map, const char *received, const char *text, struct errmsg *err);
/* "stop QUIT/2s": what signal_map_set() reads back to the same rule. */
void signal_rule_format(char text[64], const struct signal_rule *rule);
const char *signal_action_name(enum signal_action action);

#endif
