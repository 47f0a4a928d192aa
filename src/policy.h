#ifndef PREFORKD_POLICY_H
#define PREFORKD_POLICY_H
/*
 * How many workers to start and how many to retire: a pure function of the rule, the census and the
 * time. It knows no process, no clock, no log. The rules are those of Apache's prefork MPM and
 * php-fpm's dynamic and on-demand modes, without their one-second tick: all that lacks is started
 * at once, a worker that is starting counts as spare unless a connection waits for it already, and
 * the surplus goes when it has lasted. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_NEVER INT64_MAX

/* What is asked for now: the configuration, with TTIN/TTOU's offset and a drain worked in. */
struct policy_rule {
	int max_workers;
	bool dynamic; /* else exactly max_workers */
	int min_spare, max_spare, start_workers, max_spawn_step;
	bool grow_on_backlog; /* what waits at the sockets starts workers */
	int64_t idle_timeout_ms;
	int64_t spawn_interval_ms; /* least time between two starts */
};

/* Who is there. */
struct policy_census {
	int starting, unknown, idle, busy;
	int leaving; /* asked to leave and still there */
	int waiting; /* connections at the pool's sockets that nobody has accepted; -1: unknown */
};

/* The last step of growth: what was started when nobody was ready any more. */
struct policy_step {
	int size;         /* how many spare ones it aimed at */
	int left;         /* of them, not yet started */
	int busy;         /* so many were busy when it began */
	int64_t began_at; /* its last start */
	int64_t end;      /* all starts up to its last one */
	bool came;        /* none of those is starting any more ... */
	int64_t came_at;  /* ... since */
};

/* At least `size` idle workers too many since then. */
struct policy_surplus {
	int size;
	int64_t since;
};
#define POLICY_SURPLUS_MAX 16 /* with more levels than these, the highest count from the newest */

/* What has to be remembered between two decisions. Zeroed at the start. */
struct policy_memory {
	bool initial_done;  /* start_workers were there once */
	int64_t started;    /* all starts so far */
	int64_t started_at; /* the last one */
	bool paced;         /* there was one */
	struct policy_step step;
	struct policy_surplus surplus[POLICY_SURPLUS_MAX]; /* size and since both rise */
	int surplus_count;
};

enum policy_reason {
	POLICY_ENOUGH,
	POLICY_TOO_FEW,   /* static: fewer than max_workers */
	POLICY_INITIAL,   /* dynamic: fewer than start_workers, at first */
	POLICY_SPARE_LOW, /* fewer spare than min_spare_workers */
	POLICY_OUTRUN,    /* the last step was taken sooner than it came: the next, twice as big */
	POLICY_BACKLOG,   /* connections wait, and nobody is known to be idle */
	POLICY_SURPLUS,   /* more idle than max_spare_workers, for idle_timeout */
	POLICY_ABOVE_MAX, /* more than max_workers: shrunk or drained */
	POLICY_AT_MAX,    /* more would be started, but max_workers are there */
	POLICY_WAITING,   /* more would be started, but the back-off or spawn_interval says later */
};

#define POLICY_REASON_COUNT (POLICY_WAITING + 1)

struct policy_plan {
	int start;
	int retire_idle; /* idle ones only, the longest idle first */
	int retire_any;  /* idle, then starting, unknown, busy ones */
	int64_t wake_at; /* decide again then at the latest; POLICY_NEVER */
	enum policy_reason reason;
	int lacking; /* how many more are wanted than may be started now */
};

/* `deterred_until`: the back-off's end (in the past: none is on). plan.retire_idle is
 * taken as carried out: these are leaving, no longer idle, at the next decision. */
struct policy_plan policy_decide(struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t deterred_until, int64_t now_ms);
/* That many of plan.start were really started. */
void policy_started(struct policy_memory *memory, int count, int64_t now_ms);
/* One was started that is none of policy_decide()'s: the next start waits for it all the same. */
void policy_paced(struct policy_memory *memory, int64_t now_ms);
/* When the next start may be: after the back-off, and spawn_interval after the last one. */
int64_t policy_start_allowed_at(
	const struct policy_memory *memory, const struct policy_rule *rule, int64_t deterred_until);
/* Are idle ones to be retired now, unless a connection waits? That is worth a look at the sockets:
 * nobody looks there while somebody is idle. */
bool policy_surplus_due(const struct policy_memory *memory, const struct policy_rule *rule,
	const struct policy_census *census, int64_t now_ms);
/* "2 idle + 1 starting < min_spare_workers 5: starting 2" */
void policy_explain(char *text, size_t bytes, const struct policy_rule *rule,
	const struct policy_census *census, const struct policy_plan *plan);

#endif
