#ifndef PREFORKD_ATTENDANCE_H
#define PREFORKD_ATTENDANCE_H
/*
 * A clock that stands still while we are not there (stopped, frozen together with the workers, or
 * starved): nobody is judged for time that nobody attended. We learn of an absence by waking up
 * late for a deadline, and of its begin we only know that it was after we last looked. Pure: time
 * comes in. Floor 0.
 */
#include <stdint.h>

#define ATTENDANCE_LATE_MS 1000 /* less is an ordinary delay */

struct attendance {
	int64_t absent_ms; /* real time is so far ahead of the attended clock */
	int64_t looked_at; /* when the clock was last asked */
	int64_t spared_at; /* the latest deadline that was put off */
};

/* The attended time, for a real time that never goes back. due_at: the first deadline, in attended
 * time (INT64_MAX: none). *found_ms: so much absence was found out this time, or 0. */
int64_t attendance_now(
	struct attendance *attendance, int64_t real_ms, int64_t due_at, int64_t *found_ms);

#endif
