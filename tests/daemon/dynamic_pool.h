#ifndef PREFORKD_TESTS_DYNAMIC_POOL_H
#define PREFORKD_TESTS_DYNAMIC_POOL_H
/*
 * What tests of dynamic pools ask again and again of the pool `web`, whose workers report the
 * signals they get into the file "got" (`signals @dir@/got`), and of which those that `obey @dir@`
 * are busy while "busy.all" or "busy.SLOT" is there.
 */
#include "harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK     "min_uptime = 20ms\nerr_respawn_interval = 20ms\n"
#define OBEDIENT  "command = @worker@ obey @dir@ signals @dir@/got\n"
#define LINE      64
#define got(what) file_count("got", " " what " ")

/* As often as the log tells. */
#define starts()      log_count(": started, ")
#define retirements() log_count(": retiring: ")

/* How many lines of the scoreboard have the byte there. */
static inline int lines_with(int at, char byte)
{
	const char *text = file_text("run/web.scoreboard");
	int count = 0;

	for (off_t left = file_size("run/web.scoreboard"); left >= LINE; left -= LINE, text += LINE)
		count += text[at] == byte;
	return count;
}

/* A worker that lies beside testworker. */
static inline const char *worker_named(const char *name)
{
	static char path[PATH_MAX];
	char folder[PATH_MAX / 2];

	snprintf(folder, sizeof(folder), "%s", worker_program());
	*strrchr(folder, '/') = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline int in_state(char state)
{
	return lines_with(0, state);
}

static inline void all_busy(void)
{
	file_write("busy.all", "%s", "");
}

static inline void all_idle(void)
{
	unlink(path_of("busy.all"));
}

static inline void slot_busy(int slot)
{
	file_write(path_of("busy.%d", slot), "%s", "");
}

static inline void slot_idle(int slot)
{
	unlink(path_of("busy.%d", slot));
}

/* How often the worker got the signal. */
static inline int signals_of(pid_t pid, const char *name)
{
	char line[64];

	snprintf(line, sizeof(line), "\n%d %s ", (int)pid, name);
	return file_count("got", line) +
	       (strncmp(file_text("got"), line + 1, strlen(line + 1)) == 0);
}

/* The most that one worker got of it. */
static inline int most_signals(const char *name)
{
	static char whole[1 << 20];
	char *rest = whole;
	int most = 0;

	snprintf(whole, sizeof(whole), "%s", file_text("got"));
	for (char *line; (line = strsep(&rest, "\n"));) {
		int count = *line ? signals_of((pid_t)strtol(line, NULL, 10), name) : 0;

		if (count > most)
			most = count;
	}
	return most;
}

#endif
