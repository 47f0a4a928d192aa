#ifndef PREFORKD_RELOAD_H
#define PREFORKD_RELOAD_H
/*
 * Changing the configuration under running workers, as a transaction: what is wrong with the new
 * one is found before anything is changed; then the pools roll, and when too many new workers fail,
 * everything goes back. There is one reload at a time; any number asked for meanwhile fold into one
 * more. Floor 3.
 */
#include <stdbool.h>
#include <stdint.h>

#include "errmsg.h"
#include "pidfile.h"

struct configuration;
struct state_reload;
struct supervisor;

/* In the order of strength: of two that are asked for, the stronger one is done. */
enum reload_kind {
	RELOAD_RECONFIGURE, /* only pools that are others to their workers roll */
	RELOAD_ALL,         /* all pools roll */
};

enum reload_state { RELOAD_NONE, RELOAD_ROLLING, RELOAD_DONE, RELOAD_FAILED };

struct reload {
	enum reload_state state;     /* of the one under way, or how the last one ended */
	struct configuration *from;  /* held: what it goes back to */
	bool other_pidfile;          /* the new configuration names another one: ... */
	struct pidfile old_pidfile;  /* ... this one stays until the roll has ended */
	const char *action;          /* "reload", "reconfigure", "restart" */
	const char *pool;            /* of a restart: the one that rolls; else NULL */
	uint64_t id;                 /* by which events tell of it */
	bool asked;                  /* one more, */
	uint64_t asked_id;           /* told under this number, */
	enum reload_kind asked_kind; /* of this kind, */
	int asked_signal;            /* and old workers get this signal; 0: their stop_signal */
	int64_t begun_ms;            /* by the attended clock */
	int64_t ended_at;            /* unix time, seconds */
	int64_t took_ms;
	struct errmsg reason; /* why the last one failed */
};

/* Old workers are asked to leave by the signal (0: their pool's stop_signal). Begins with the next
 * reload_look(), or after the one that is under way. The id by which events will tell of it. */
uint64_t reload_ask(struct supervisor *supervisor, enum reload_kind kind, int signal_number);
/* Rolls one pool without reading anything. -1 with the reason: there is none, or a reload is under
 * way. */
int reload_restart(
	struct supervisor *supervisor, const char *pool, int64_t now_ms, struct errmsg *err);
/* Once a loop turn, after the pools. */
void reload_look(struct supervisor *supervisor, int64_t now_ms);
/* How the last one ended, for status after an upgrade; what is recorded is borrowed. */
void reload_record(const struct reload *reload, struct state_reload *out);
void reload_resume(struct reload *reload, const struct state_reload *past);
/* The end has begun: no reload goes on. */
void reload_abandon(struct supervisor *supervisor);

#endif
