/*
 * Learning of waiting connections without polling. A queue that is not empty keeps its socket
 * readable, so a watcher is stopped by its first event, and a timer takes over. Each worker is
 * started by the policy; nothing here starts one, and nothing here accepts.
 */
#include "pool_demand.h"

#include <stdlib.h>
#include <string.h>

#include "configuration.h"
#include "generation.h"
#include "memory.h"
#include "settings.h"
#include "socket_table.h"

#define SAMPLE_MS      15  /* between two looks at a queue that is not empty ... */
#define SAMPLE_SLOW_MS 100 /* ... while nothing may be started */
#define PAUSE_LEAST_MS 10  /* after a false alarm; doubles up to the next */
#define PAUSE_MOST_MS  100
#define DOUBT_MS       50 /* who waits so long is not about to be accepted by somebody unknown */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct pool_demand *demand = watcher->data;

	(void)loop;
	(void)events;
	pool_demand_stop(demand);
	demand->fired = true;
	demand->noticed(demand->context);
}

void pool_demand_open(struct pool_demand *demand, struct ev_loop *loop,
	void (*noticed)(void *context), void *context)
{
	*demand = (struct pool_demand){
		.loop = loop,
		.noticed = noticed,
		.context = context,
		.pause_ms = PAUSE_LEAST_MS,
	};
	backlog_open(&demand->reader);
}

void pool_demand_close(struct pool_demand *demand)
{
	pool_demand_stop(demand);
	backlog_close(&demand->reader);
}

void pool_demand_stop(struct pool_demand *demand)
{
	for (size_t i = 0; i < demand->watcher_count; i++)
		ev_io_stop(demand->loop, &demand->watcher[i]);
	free(demand->watcher);
	demand->watcher = NULL;
	demand->watcher_count = 0;
}

/* --- the pool's sockets ------------------------------------------------------------------- */

static size_t socket_count(const struct pool_settings *settings)
{
	return settings->sockets.count + (settings->standard_input.kind == STDIO_SOCKET);
}

static const char *socket_name(const struct pool_settings *settings, size_t index)
{
	return index < settings->sockets.count ? settings->sockets.word[index]
					       : settings->standard_input.target;
}

static bool is_named(const struct words *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->word[i], name) == 0)
			return true;
	return false;
}

/* -1: stdin, where that is one of `sockets` too. */
static int socket_fd(const struct generation *generation, size_t index)
{
	const struct pool_settings *settings = generation->settings;
	const char *name = socket_name(settings, index);
	const struct listener *listener =
		socket_table_find(&generation->configuration->sockets, name);

	if (!listener || (index == settings->sockets.count && is_named(&settings->sockets, name)))
		return -1;
	return listener->fd;
}

/* Another pool's idle workers may be about to accept what waits here. */
static bool is_shared(const struct generation *generation)
{
	const struct settings *all = generation->configuration->settings;
	const struct pool_settings *own = generation->settings;

	for (size_t i = 0; i < all->pool_count; i++)
		for (size_t j = 0; &all->pools[i] != own && j < socket_count(own); j++)
			if (pool_settings_use(&all->pools[i], socket_name(own, j)))
				return true;
	return false;
}

static int count_waiting(struct pool_demand *demand, const struct generation *generation)
{
	int sum = 0;

	for (size_t i = 0; i < socket_count(generation->settings); i++) {
		const int fd = socket_fd(generation, i);
		const int waiting = fd < 0 ? 0 : backlog_read(&demand->reader, fd).waiting;

		socket_table_saw(&generation->configuration->sockets,
			socket_name(generation->settings, i), waiting);
		sum += waiting == BACKLOG_UNKNOWN ? backlog_any(fd) : waiting;
	}
	return sum;
}

/* --- before the decision ------------------------------------------------------------------ */

/* Where somebody of whom we know nothing may be free, only those count who were not accepted for a
 * while: so many each time that has passed, and nobody in between. */
static int believe(struct pool_demand *demand, int waiting, int64_t now_ms)
{
	int believed = 0;

	if (waiting == 0) {
		demand->doubting = false;
		return 0;
	}
	if (demand->doubting && waiting < demand->least)
		demand->least = waiting;
	if (demand->doubting && now_ms - demand->doubted_at < DOUBT_MS)
		return 0;
	if (demand->doubting)
		believed = demand->least;
	demand->doubting = true;
	demand->doubted_at = now_ms;
	demand->least = waiting;
	return believed;
}

static bool is_hungry(const struct demand_view *view)
{
	return view->rule->grow_on_backlog && view->rule->max_workers > 0 &&
	       view->census->idle == 0;
}

int pool_demand_look(struct pool_demand *demand, const struct demand_view *view)
{
	const bool hungry = is_hungry(view);
	int left;

	if (demand->fired) {
		demand->fired = false;
		demand->quiet_until = view->now_ms + demand->pause_ms;
		demand->pause_ms *= 2;
		if (demand->pause_ms > PAUSE_MOST_MS)
			demand->pause_ms = PAUSE_MOST_MS;
	}
	if (!hungry)
		demand->doubting = false;
	if (!hungry && !(view->retiring && view->rule->grow_on_backlog))
		return BACKLOG_UNKNOWN;
	demand->waiting = count_waiting(demand, view->generation);
	if (!hungry)
		return demand->waiting;
	left = demand->waiting > view->taking ? demand->waiting - view->taking : 0;
	if (view->census->unknown > 0 || is_shared(view->generation))
		return believe(demand, left, view->now_ms);
	return left;
}

/* --- and after it ------------------------------------------------------------------------- */

static void start_watching(struct pool_demand *demand, const struct generation *generation)
{
	if (demand->watcher)
		return;
	demand->watcher_count = socket_count(generation->settings);
	demand->watcher = memory_alloc(demand->watcher_count * sizeof(*demand->watcher));
	for (size_t i = 0; i < demand->watcher_count; i++) {
		const int fd = socket_fd(generation, i);
		ev_io *watcher = &demand->watcher[i];

		ev_io_init(watcher, on_readable, fd, EV_READ);
		watcher->data = demand;
		if (fd >= 0)
			ev_io_start(demand->loop, watcher);
	}
}

static bool is_full(const struct demand_view *view, const struct policy_plan *plan)
{
	const struct policy_census *census = view->census;

	return census->starting + census->unknown + census->busy + census->leaving + plan->start >=
	       view->rule->max_workers;
}

static void calm_down(struct pool_demand *demand)
{
	demand->pause_ms = PAUSE_LEAST_MS;
	demand->quiet_until = 0;
}

/* Whoever gives a full pool room again wakes it up: there a queue is only waited for, so that it is
 * said once, and not watched any more once it is there. */
int64_t pool_demand_watch(
	struct pool_demand *demand, const struct demand_view *view, const struct policy_plan *plan)
{
	const bool hungry = is_hungry(view);
	const bool full = hungry && is_full(view, plan);

	if (!hungry || plan->start > 0)
		calm_down(demand);
	if (hungry && demand->waiting == 0 && view->now_ms >= demand->quiet_until) {
		start_watching(demand, view->generation);
		return POLICY_NEVER;
	}
	pool_demand_stop(demand);
	if (!hungry || full)
		return POLICY_NEVER;
	if (demand->waiting == 0)
		return demand->quiet_until;
	if (plan->reason == POLICY_WAITING)
		return view->now_ms + SAMPLE_SLOW_MS;
	return view->now_ms + (view->taking > 0 ? POOL_TAKING_MS : SAMPLE_MS);
}
