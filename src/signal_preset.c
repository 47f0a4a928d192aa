/*
 * What other programs do on signals, each as its own manual says it (named above its table). A line
 * names the signal that workers get where the manual tells two ways to stop apart; where it does
 * not, each pool's stop_signal is the one. Terminals send INT and QUIT: they must end whatever has
 * no other use for them. Data only: the defaults of preforkd itself are signal_map.c's.
 */
#include "signal_preset.h"

#include <stdio.h>
#include <string.h>

#include "errmsg.h"
#include "suggest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINES_MAX    10

struct line {
	int received; /* 0: behind the last */
	enum signal_action action;
	int worker_signal; /* 0: see struct signal_rule */
};

struct preset {
	const char *name;
	struct line lines[LINES_MAX];
};

static const struct preset presets[] = {
	/* Preforker (Ruby): README, "Signals"; what its workers make of a signal: worker.rb */
	{"preforker",
		{
			{SIGQUIT, SIGNAL_STOP, SIGQUIT},   /* ends all, gracefully */
			{SIGTERM, SIGNAL_STOP, SIGTERM},   /* ends all at once; so does INT */
			{SIGINT, SIGNAL_STOP, SIGTERM},    /* (workers leave at once on both) */
			{SIGWINCH, SIGNAL_DRAIN, SIGQUIT}, /* workers gracefully, it stays */
			{SIGTTIN, SIGNAL_GROW, 0},         /* one more */
			{SIGTTOU, SIGNAL_SHRINK, SIGQUIT}, /* one less */
			{SIGUSR1, SIGNAL_REOPEN, 0},       /* planned under "To do list" */
		}},
	/* unicorn: SIGNALS, "Master Process"; workers: "Worker Processes" there */
	{"unicorn",
		{
			{SIGQUIT, SIGNAL_STOP, SIGQUIT},   /* graceful: requests are finished */
			{SIGTERM, SIGNAL_STOP, SIGTERM},   /* quick; so is INT */
			{SIGINT, SIGNAL_STOP, SIGTERM},    /* (workers leave at once on both) */
			{SIGHUP, SIGNAL_RELOAD, SIGQUIT},  /* the old workers gracefully */
			{SIGUSR1, SIGNAL_REOPEN, SIGUSR1}, /* the logs of master and workers */
			{SIGUSR2, SIGNAL_UPGRADE, 0},      /* the binary is executed anew */
			{SIGWINCH, SIGNAL_DRAIN, SIGQUIT}, /* workers gracefully, it stays */
			{SIGTTIN, SIGNAL_GROW, 0},         /* one more */
			{SIGTTOU, SIGNAL_SHRINK, SIGQUIT}, /* one less */
		}},
	/* gunicorn: "Signal Handling", "Master process"; workers: "Worker process" there */
	{"gunicorn",
		{
			{SIGTERM, SIGNAL_STOP, SIGTERM},   /* graceful: requests are finished */
			{SIGQUIT, SIGNAL_STOP, SIGQUIT},   /* quick; so is INT */
			{SIGINT, SIGNAL_STOP, SIGQUIT},    /* (workers leave quickly on both) */
			{SIGHUP, SIGNAL_RELOAD, SIGTERM},  /* the old workers gracefully */
			{SIGUSR1, SIGNAL_REOPEN, SIGUSR1}, /* the logs of master and workers */
			{SIGUSR2, SIGNAL_UPGRADE, 0},      /* on the fly */
			{SIGWINCH, SIGNAL_DRAIN, SIGTERM}, /* workers gracefully, it stays */
			{SIGTTIN, SIGNAL_GROW, 0},         /* one more */
			{SIGTTOU, SIGNAL_SHRINK, SIGTERM}, /* one less */
		}},
	/* php-fpm: php-fpm(8), "EXAMPLES"; its workers get what the master got */
	{"php-fpm",
		{
			{SIGTERM, SIGNAL_STOP, SIGTERM}, /* at once; so does INT */
			{SIGINT, SIGNAL_STOP, SIGTERM},
			{SIGQUIT, SIGNAL_STOP, SIGQUIT},   /* graceful */
			{SIGUSR1, SIGNAL_REOPEN, 0},       /* the log file */
			{SIGUSR2, SIGNAL_RELOAD, SIGQUIT}, /* the old workers gracefully */
		}},
	/* Apache httpd 2.4: "Stopping and Restarting"; children are advised to leave after their
	 * request by its own means, which here is the pool's stop_signal. INT, QUIT: see above */
	{"apache",
		{
			{SIGTERM, SIGNAL_STOP, SIGTERM},  /* "Stop Now" */
			{SIGWINCH, SIGNAL_STOP, 0},       /* "Graceful Stop" */
			{SIGUSR1, SIGNAL_RELOAD, 0},      /* "Graceful Restart" */
			{SIGHUP, SIGNAL_RELOAD, SIGTERM}, /* "Restart Now" */
			{SIGINT, SIGNAL_STOP, 0},
			{SIGQUIT, SIGNAL_STOP, 0},
		}},
	/* Server::Starter: start_server(1), "OPTIONS"; INT: its source. QUIT: see above */
	{"start_server",
		{
			{SIGTERM, SIGNAL_STOP, SIGTERM},  /* --signal-on-term's default */
			{SIGINT, SIGNAL_STOP, SIGTERM},   /* the same, but always TERM */
			{SIGHUP, SIGNAL_RELOAD, SIGTERM}, /* --signal-on-hup's default */
			{SIGQUIT, SIGNAL_STOP, 0},
		}},
	/* Parallel::Prefork (Perl): "SYNOPSIS", trap_signals and the loop. INT, QUIT: see above */
	{"parallel-prefork",
		{
			{SIGTERM, SIGNAL_STOP, SIGTERM},  /* TERM => 'TERM', and the loop ends */
			{SIGHUP, SIGNAL_RELOAD, SIGTERM}, /* HUP => 'TERM', load_config(), and on */
			{SIGUSR1, SIGNAL_RECONFIGURE, 0}, /* USR1 => undef: no worker is sent any */
			{SIGINT, SIGNAL_STOP, 0},
			{SIGQUIT, SIGNAL_STOP, 0},
		}},
};

const char *signal_preset_name(size_t index)
{
	return index < COUNT(presets) ? presets[index].name : NULL;
}

static const struct preset *find(const char *name)
{
	for (size_t i = 0; i < COUNT(presets); i++)
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
	return NULL;
}

/* "X is none of A, B, C; did you mean B?" */
static int refuse(const char *name, struct errmsg *err)
{
	const char *names[COUNT(presets)], *near;
	char list[256] = "";

	for (size_t i = 0; i < COUNT(presets); i++) {
		const size_t length = strlen(list);

		names[i] = presets[i].name;
		snprintf(list + length, sizeof(list) - length, "%s%s", i ? ", " : "", names[i]);
	}
	near = suggest_nearest(name, names, COUNT(names));
	return errmsg_set(err, "\"%.80s\" is none of %s%s%s%s", name, list,
		near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int signal_preset_init(struct signal_map *map, const char *name, struct errmsg *err)
{
	const struct preset *preset = find(name);

	if (!preset)
		return refuse(name, err);
	*map = (struct signal_map){.preset = preset->name};
	for (const struct line *line = preset->lines; line->received; line++)
		map->rule[line->received] = (struct signal_rule){
			.action = line->action, .worker_signal = line->worker_signal};
	return 0;
}
