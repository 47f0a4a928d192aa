#ifndef PREFORKD_CONTROL_VERBS_H
#define PREFORKD_CONTROL_VERBS_H
/*
 * What can be asked of a supervisor: one fixed table, from which both sides read names, arguments,
 * rights and help. A request is looked up in it and becomes plain data; nothing is ever resolved by
 * a name that a client sent. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

struct errmsg;

/* symbol, name, arguments, least and most words with the name, reads only, takes time, help */
#define CONTROL_VERBS(X)                                                                           \
	X(STATUS, "status", "[POOL]", 1, 2, true, false, "pools and workers as they are")          \
	X(EVENTS, "events", "", 1, 1, true, false, "what happens, one JSON object a line")         \
	X(RELOAD, "reload", "", 1, 1, false, true,                                                 \
		"read the configuration anew, replace all workers")                                \
	X(RECONFIGURE, "reconfigure", "", 1, 1, false, true,                                       \
		"read it anew, replace only workers whose settings changed")                       \
	X(REOPEN, "reopen", "", 1, 1, false, false, "open log files anew")                         \
	X(DRAIN, "drain", "", 1, 1, false, true, "no workers until resumed")                       \
	X(RESUME, "resume", "", 1, 1, false, false, "end a drain")                                 \
	X(UPGRADE, "upgrade", "", 1, 1, false, true, "become the program now on disk")             \
	X(STOP, "stop", "[SIGNAL]", 1, 2, false, true, "end all workers, then the supervisor")     \
	X(QUIT, "quit", "", 1, 1, false, true, "the same with QUIT for the workers")               \
	X(SIGNAL, "signal", "SIGNAL [POOL [SLOT]]", 2, 4, false, false,                            \
		"send all workers, a pool's, or one a signal")                                     \
	X(SCALE, "scale", "POOL N|+N|-N", 3, 3, false, false,                                      \
		"another number of workers, until the next reload")                                \
	X(RESTART, "restart", "POOL [SLOT]", 2, 3, false, true,                                    \
		"replace a pool's workers, or one, without a gap")                                 \
	X(PING, "ping", "", 1, 1, true, false, "is anybody there?")

enum control_verb {
#define X(symbol, name, arguments, least, most, reads_only, takes_time, help) VERB_##symbol,
	CONTROL_VERBS(X)
#undef X
};

#define X(...) +1
enum { VERB_COUNT = 0 CONTROL_VERBS(X) };
#undef X

struct control_verb_info {
	const char *name;
	const char *arguments;       /* as the manual writes them; "" when there are none */
	int least_words, most_words; /* the name counts */
	bool reads_only;
	bool takes_time;  /* "ok" means begun: who wants the end follows the events */
	const char *help; /* one line */
};

enum control_scale { SCALE_TO, SCALE_BY };

/* A request, understood. */
struct control_command {
	enum control_verb verb;
	const char *pool;  /* NULL: not named; a well-formed name, but maybe of no pool; borrowed */
	int slot;          /* -1: not named */
	int signal_number; /* 0: not named; of quit: SIGQUIT */
	enum control_scale scale;
	int number; /* of scale; negative with SCALE_BY only */
};

const struct control_verb_info *control_verb_info(enum control_verb verb);
bool control_verb_find(const char *name, enum control_verb *verb);
/* Is it a verb that changes nothing? false too when it is none. */
bool control_verb_reads_only(const char *name);
/* Words (ended by NULL) to a command that borrows them; -1 with the reason, with a proposal where a
 * name is nearly right. */
int control_verb_parse(
	struct control_command *command, char *const word[], int words, struct errmsg *err);

#endif
