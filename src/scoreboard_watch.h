#ifndef PREFORKD_SCOREBOARD_WATCH_H
#define PREFORKD_SCOREBOARD_WATCH_H
/*
 * Says when a scoreboard's file may have changed: at once by inotify(7), then not again for a
 * hold-off of a few milliseconds; every 250 ms where inotify cannot work. A quiet file costs no
 * wake-up. A part of scoreboard.c, which alone uses it. Floor 1.
 */
#include <ev.h>
#include <stdbool.h>

#define SCOREBOARD_WATCH_FILES 2

struct scoreboard_watch_settings {
	const char *pool, *path; /* for the log; outlive the watch */
	void (*changed)(void *context);
	void *context;
};

struct scoreboard_watch {
	struct scoreboard_watch_settings settings;
	struct ev_loop *loop;
	ev_io event;
	ev_timer timer; /* the hold-off; while polling, the next look */
	int inotify_fd; /* -1: polling */
	int fd[SCOREBOARD_WATCH_FILES];
	int mark[SCOREBOARD_WATCH_FILES]; /* inotify's name of it; -1 */
	int looks_left;                   /* while polling: until inotify is tried again */
	bool polling_told;                /* the log knows that we poll */
	bool slow;                        /* polls for good */
};

/* Starts with nothing to watch. */
void scoreboard_watch_start(struct scoreboard_watch *watch, struct ev_loop *loop,
	const struct scoreboard_watch_settings *settings);
void scoreboard_watch_stop(struct scoreboard_watch *watch);

/* From now on these open files are watched (the second may be -1). The descriptors stay the
 * caller's, who points the watch elsewhere before it closes them. */
void scoreboard_watch_point(struct scoreboard_watch *watch, int fd, int second_fd);

/* From now on a look every 250 ms will do. The kernel takes 10 to 20 ms to forget a watched file,
 * and scoreboard_watch_stop() waits for it - unless this has been called that long before. */
void scoreboard_watch_slow_down(struct scoreboard_watch *watch);

#endif
