/*
 * The loop of the live view: one poll(2) over keys, signals, the answer and the events. Its rule:
 * nothing waits but poll. A change is asked for at once when an event tells of one, but never so
 * often that answering costs the supervisor more than a tenth of its time.
 */
#include "live.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "errmsg.h"
#include "event.h"
#include "grid.h"
#include "history.h"
#include "layout.h"
#include "link.h"
#include "model.h"
#include "screen.h"
#include "view.h"

#define ANSWER_TIMEOUT_MS 5000
#define LEAST_GAP_MS      50 /* between two questions */
#define EVENTS_RETRY_MS   2000
#define CLOCK_MS          1000 /* drawn anew at least so often, for the clock */

struct live {
	const struct live_settings *settings;
	struct link *link;
	struct screen *screen;
	struct top_model *model;
	struct history history;
	struct view view;
	int signal_fd;
	int64_t asked_at, answered_at, drawn_at, listened_at, lost_at; /* lost_at 0: not lost */
	int64_t cost_ms;                                               /* of the last answer */
	bool changed;                                                  /* an event told so */
	bool dirty, gone;
	struct errmsg trouble; /* of the connection */
	char ticker[256];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void lose(struct live *live, int64_t now)
{
	if (live->lost_at == 0)
		live->lost_at = now;
	live->ticker[0] = '\0';
	live->dirty = true;
}

static void ask(struct live *live, int64_t now)
{
	live->asked_at = now;
	live->changed = false;
	if (link_ask(live->link, &live->trouble) < 0)
		lose(live, now);
}

static void take_answer(struct live *live, int64_t now)
{
	struct top_model *model = model_parse(live->link->text, live->link->bytes, &live->trouble);

	if (!model) {
		lose(live, now);
		return;
	}
	model_follow(model, live->model);
	model_free(live->model);
	live->model = model;
	live->lost_at = 0;
	live->cost_ms = now - live->asked_at;
	live->answered_at = now;
	live->dirty = true;
	history_add(&live->history, model, now, 2 + 2 * live->settings->interval_ms / 1000);
}

static void read_answer(struct live *live, int64_t now)
{
	switch (link_read(live->link, &live->trouble)) {
	case LINK_UNFINISHED: break;
	case LINK_ANSWERED: take_answer(live, now); break;
	case LINK_FAILED: lose(live, now); break;
	}
}

static void hear(void *context, const char *line, size_t length, bool finished)
{
	struct live *live = context;
	bool changed = false;

	if (!finished || live->view.paused)
		return;
	if (event_describe(live->ticker, sizeof(live->ticker), &changed, line, length))
		live->dirty = true;
	live->changed |= changed;
}

/* When the next question is due. */
static int64_t ask_at(const struct live *live)
{
	int64_t gap = live->cost_ms * 10 > LEAST_GAP_MS ? live->cost_ms * 10 : LEAST_GAP_MS;
	int64_t at = live->asked_at + live->settings->interval_ms;

	if (live->changed && live->lost_at == 0 && live->asked_at + gap < at)
		return live->asked_at + gap;
	return at;
}

/* Asks, gives up what takes too long, and listens again where that ended. */
static void step_link(struct live *live, int64_t now)
{
	if (live->link->answer_fd >= 0) {
		if (now - live->asked_at < ANSWER_TIMEOUT_MS)
			return;
		errmsg_set(&live->trouble, "the supervisor does not answer");
		link_drop(live->link);
		lose(live, now);
	}
	if (live->view.paused || now < ask_at(live))
		return;
	ask(live, now);
	if (live->link->events_fd < 0 && live->lost_at == 0 &&
		now - live->listened_at >= EVENTS_RETRY_MS) {
		live->listened_at = now;
		link_listen(live->link);
	}
}

static void format_clock(char *out, size_t bytes)
{
	time_t now = time(NULL);
	struct tm parts;

	out[0] = '\0';
	if (localtime_r(&now, &parts))
		strftime(out, bytes, "%H:%M:%S", &parts);
}

static void draw(struct live *live, int64_t now)
{
	char clock[16], banner[sizeof(live->trouble.text) + 64];
	struct scene scene = {
		live->model, &live->history, &live->view, now, clock, NULL, live->ticker};
	struct grid *grid;
	int rows, columns;

	if (!live->dirty && now - live->drawn_at < CLOCK_MS)
		return;
	if (live->lost_at) {
		snprintf(banner, sizeof(banner), "%s (for %lld s; trying again)",
			live->trouble.text, (long long)(now - live->lost_at) / 1000);
		scene.banner = banner;
	}
	format_clock(clock, sizeof(clock));
	screen_size(live->screen, &rows, &columns);
	grid = grid_new(rows, columns, live->settings->ascii);
	layout_draw(grid, &scene);
	screen_draw(live->screen, grid);
	grid_free(grid);
	live->drawn_at = now;
	live->dirty = false;
}

static void read_keys(struct live *live)
{
	int key;

	while ((key = screen_key(live->screen)) != 0) {
		bool was_paused = live->view.paused;

		if (!view_key(&live->view, key, live->model))
			continue;
		live->dirty = true;
		if (was_paused && !live->view.paused)
			live->changed = true;
	}
}

static void read_signal(struct live *live)
{
	struct signalfd_siginfo got;

	if (read(live->signal_fd, &got, sizeof(got)) != sizeof(got))
		return;
	if (got.ssi_signo == SIGWINCH)
		live->dirty = true;
	else
		live->gone = true;
}

static int wait_ms(const struct live *live, int64_t now)
{
	int64_t until = live->drawn_at + CLOCK_MS;
	int64_t next =
		live->link->answer_fd >= 0 ? live->asked_at + ANSWER_TIMEOUT_MS : ask_at(live);

	if (!live->view.paused && next < until)
		until = next;
	return until > now ? (int)(until - now) : 0;
}

static void turn(struct live *live)
{
	struct pollfd wait[] = {{STDIN_FILENO, POLLIN, 0}, {live->signal_fd, POLLIN, 0},
		{live->link->answer_fd, POLLIN, 0}, {live->link->events_fd, POLLIN, 0}};
	int64_t now;

	if (poll(wait, 4, wait_ms(live, now_ms())) < 0)
		return;
	now = now_ms();
	if (wait[1].revents)
		read_signal(live);
	if (wait[0].revents & POLLIN)
		read_keys(live);
	if (wait[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		live->gone = true;
	if (wait[2].revents)
		read_answer(live, now);
	if (wait[3].revents)
		link_hear(live->link, hear, live);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void run(struct live *live)
{
	live->asked_at = now_ms();
	live->dirty = true;
	link_listen(live->link);
	live->listened_at = now_ms();
	while (!live->gone && !live->view.quit) {
		step_link(live, now_ms());
		draw(live, now_ms());
		turn(live);
	}
}

int live_run(const struct live_settings *settings)
{
	struct live live = {.settings = settings, .link = settings->link};
	struct errmsg err;

	live.signal_fd = open_signals();
	if (live.signal_fd < 0) {
		perror("preforkd-top: signalfd");
		return EX_OSERR;
	}
	live.screen = screen_open(settings->colour, &err);
	if (!live.screen) {
		fprintf(stderr, "preforkd-top: %s; -n 1 prints plain text\n", err.text);
		return EX_USAGE;
	}
	run(&live);
	screen_close(live.screen);
	close(live.signal_fd);
	history_fini(&live.history);
	view_fini(&live.view);
	model_free(live.model);
	return EX_OK;
}
