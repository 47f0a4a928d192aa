/*
 * The watch on a scoreboard's file. Rule: the first event is told at once; then the descriptor of
 * inotify is left alone for the hold-off, at whose end it is emptied by one read: if anything had
 * come, that is told and the next hold-off begins, else the loop watches the descriptor again. So
 * a storm of writes costs one wake-up a hold-off, and silence none. Must not look into the file.
 */
#include "scoreboard_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "logger.h"
#include "sys.h"

/* With the millisecond that epoll_wait(2) may add, a write is seen within 5 ms. */
#define HOLD_OFF_SEC 0.003
#define POLL_SEC     0.25
/* inotify is tried again every 2 s. */
#define LOOKS_BEFORE_RETRY 8

#define WATCHED (IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

static struct log_subject subject_of(const struct scoreboard_watch *watch)
{
	struct log_subject subject = LOG_SUBJECT_NONE;

	subject.pool = watch->settings.pool;
	return subject;
}

static void run_timer(struct scoreboard_watch *watch, double after_sec)
{
	ev_timer_stop(watch->loop, &watch->timer);
	ev_timer_set(&watch->timer, after_sec, 0.);
	ev_timer_start(watch->loop, &watch->timer);
}

/* What the events were is of no interest: the file is checked as a whole anyway. A queue that needs
 * more than one read costs one more hold-off. */
static bool take_events(struct scoreboard_watch *watch)
{
	char events[4096];

	return read(watch->inotify_fd, events, sizeof(events)) > 0;
}

static void tell(struct scoreboard_watch *watch)
{
	watch->settings.changed(watch->settings.context);
}

static void on_event(struct ev_loop *loop, ev_io *event, int revents)
{
	struct scoreboard_watch *watch = event->data;

	(void)revents;
	ev_io_stop(loop, event);
	take_events(watch);
	run_timer(watch, HOLD_OFF_SEC);
	tell(watch);
}

/* Through the descriptor, so that it is the file we opened, whatever its name leads to by now; by
 * name only where there is no /proc. */
static int add_file(const struct scoreboard_watch *watch, int inotify_fd, int fd)
{
	char path[40];
	int mark;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	mark = inotify_add_watch(inotify_fd, path, WATCHED);
	if (mark >= 0 || (errno != ENOENT && errno != ENOTDIR))
		return mark;
	return inotify_add_watch(inotify_fd, watch->settings.path, WATCHED | IN_DONT_FOLLOW);
}

static int add_files(struct scoreboard_watch *watch, int inotify_fd)
{
	for (int i = 0; i < SCOREBOARD_WATCH_FILES; i++) {
		watch->mark[i] = -1;
		if (watch->fd[i] < 0)
			continue;
		watch->mark[i] = add_file(watch, inotify_fd, watch->fd[i]);
		if (watch->mark[i] < 0)
			return -1;
	}
	return 0;
}

static void poll_instead(struct scoreboard_watch *watch)
{
	struct log_subject subject = subject_of(watch);
	const char *remedy = "";
	int error = errno;

	if (error == EMFILE)
		remedy = " (raise fs.inotify.max_user_instances, or our limit of open files)";
	else if (error == ENOSPC)
		remedy = " (raise fs.inotify.max_user_watches)";
	if (!watch->polling_told)
		log_warning(&subject,
			"scoreboard %s cannot be watched, it is polled: inotify: %s%s",
			watch->settings.path, strerror(error), remedy);
	watch->polling_told = true;
	watch->looks_left = LOOKS_BEFORE_RETRY;
	run_timer(watch, POLL_SEC);
}

static void stop_inotify(struct scoreboard_watch *watch)
{
	ev_io_stop(watch->loop, &watch->event);
	ev_timer_stop(watch->loop, &watch->timer);
	sys_close(watch->inotify_fd);
	watch->inotify_fd = -1;
}

static void try_inotify(struct scoreboard_watch *watch)
{
	struct log_subject subject = subject_of(watch);
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 || add_files(watch, fd) < 0) {
		int saved = errno;

		if (fd >= 0)
			sys_close(fd);
		errno = saved;
		poll_instead(watch);
		return;
	}
	if (watch->polling_told)
		log_notice(&subject, "scoreboard %s is watched again", watch->settings.path);
	watch->polling_told = false;
	watch->inotify_fd = fd;
	ev_timer_stop(watch->loop, &watch->timer);
	ev_io_set(&watch->event, fd, EV_READ);
	ev_io_start(watch->loop, &watch->event);
}

static void look(struct scoreboard_watch *watch)
{
	if (watch->slow || --watch->looks_left > 0)
		run_timer(watch, POLL_SEC);
	else
		try_inotify(watch);
	tell(watch);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct scoreboard_watch *watch = timer->data;

	(void)revents;
	if (watch->slow || watch->inotify_fd < 0) {
		look(watch);
	} else if (take_events(watch)) {
		run_timer(watch, HOLD_OFF_SEC);
		tell(watch);
	} else {
		ev_io_start(loop, &watch->event);
	}
}

void scoreboard_watch_start(struct scoreboard_watch *watch, struct ev_loop *loop,
	const struct scoreboard_watch_settings *settings)
{
	*watch = (struct scoreboard_watch){.settings = *settings,
		.loop = loop,
		.inotify_fd = -1,
		.fd = {-1, -1},
		.mark = {-1, -1}};
	ev_init(&watch->event, on_event);
	ev_init(&watch->timer, on_timer);
	watch->event.data = watch;
	watch->timer.data = watch;
}

void scoreboard_watch_stop(struct scoreboard_watch *watch)
{
	ev_timer_stop(watch->loop, &watch->timer);
	if (watch->inotify_fd >= 0)
		stop_inotify(watch);
}

void scoreboard_watch_point(struct scoreboard_watch *watch, int fd, int second_fd)
{
	bool started = watch->fd[0] >= 0;

	watch->fd[0] = fd;
	watch->fd[1] = second_fd;
	if (watch->slow)
		return;
	if (!started) {
		try_inotify(watch);
	} else if (watch->inotify_fd >= 0 && add_files(watch, watch->inotify_fd) < 0) {
		int saved = errno;

		stop_inotify(watch);
		errno = saved;
		poll_instead(watch);
	}
}

void scoreboard_watch_slow_down(struct scoreboard_watch *watch)
{
	if (watch->slow)
		return;
	watch->slow = true;
	for (int i = 0; i < SCOREBOARD_WATCH_FILES && watch->inotify_fd >= 0; i++)
		if (watch->mark[i] >= 0)
			inotify_rm_watch(watch->inotify_fd, watch->mark[i]);
	ev_io_stop(watch->loop, &watch->event);
	run_timer(watch, POLL_SEC);
}
