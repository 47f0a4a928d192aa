/*
 * Time that passes only when nothing else is left to do. Defines the three calls by which libev
 * reads the clocks and waits, for the program and the shared libraries under it; everything else
 * about epoll is real.
 */
#include "fake_time.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fake_sys.h"

/* What a turn of libev takes: a timer that is due this very instant is not due yet. */
#define MOMENT_NS      10
#define MS_IN_NS       1000000
#define EPOCH_AHEAD_MS 1700000000000
#define LAST_MS        (100 * 86400000LL) /* libev never waits longer than a minute: count them */

struct event {
	int64_t at_ms;
	fake_event *call;
	void *context;
};

static struct {
	int64_t now_ms;
	long moment_ns; /* for libev on top of it */
	struct event *event;
	size_t event_count;
} clock_state = {.now_ms = FAKE_START_MS};

void fake_impossible(const char *what)
{
	fprintf(stderr, "fake_sys at %lld ms: %s\n", (long long)clock_state.now_ms, what);
	abort();
}

void *fake_append(void *list, size_t *count, size_t bytes)
{
	char *longer = reallocarray(list, *count + 1, bytes);

	if (!longer)
		fake_impossible("no memory");
	memset(longer + *count * bytes, 0, bytes);
	*count += 1;
	return longer;
}

void fake_time_reset(void)
{
	free(clock_state.event);
	memset(&clock_state, 0, sizeof(clock_state));
	clock_state.now_ms = FAKE_START_MS;
}

int64_t fake_sys_now_ms(void)
{
	return clock_state.now_ms;
}

void fake_sys_at(int64_t at_ms, fake_event *call, void *context)
{
	clock_state.event =
		fake_append(clock_state.event, &clock_state.event_count, sizeof(struct event));
	clock_state.event[clock_state.event_count - 1] = (struct event){at_ms, call, context};
}

void fake_sys_after(int64_t ms, fake_event *event, void *context)
{
	fake_sys_at(fake_sys_now_ms() + ms, event, context);
}

/* The index of the next event not later than this, or -1. */
static ssize_t next_event(int64_t until_ms)
{
	ssize_t next = -1;
	size_t i;

	for (i = 0; i < clock_state.event_count; i++) {
		if (clock_state.event[i].at_ms > until_ms)
			continue;
		if (next < 0 || clock_state.event[i].at_ms < clock_state.event[next].at_ms)
			next = (ssize_t)i;
	}
	return next;
}

static void set_time(int64_t at_ms)
{
	if (at_ms <= clock_state.now_ms)
		return;
	clock_state.now_ms = at_ms;
	clock_state.moment_ns = 0;
}

static void pass_a_moment(void)
{
	clock_state.moment_ns += MOMENT_NS;
	if (clock_state.moment_ns >= MS_IN_NS)
		set_time(clock_state.now_ms + 1);
}

static void happen(size_t index)
{
	struct event event = clock_state.event[index];

	clock_state.event_count--;
	memmove(&clock_state.event[index], &clock_state.event[index + 1],
		(clock_state.event_count - index) * sizeof(event));
	set_time(event.at_ms);
	event.call(event.context);
}

void fake_sys_advance_ms(int64_t ms)
{
	int64_t until_ms = fake_sys_now_ms() + ms;
	ssize_t next;

	while ((next = next_event(until_ms)) >= 0)
		happen((size_t)next);
	set_time(until_ms);
}

/* Only libev: Check measures with the same call how long a test takes, and gives up on hours. */
static bool is_of_libev(const void *caller)
{
	Dl_info library;

	return dladdr(caller, &library) && library.dli_fname && strstr(library.dli_fname, "libev");
}

/* In the place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC || !is_of_libev(__builtin_return_address(0)))
		return (int)syscall(SYS_clock_gettime, clock, now);
	now->tv_sec = clock_state.now_ms / 1000;
	now->tv_nsec = clock_state.now_ms % 1000 * MS_IN_NS + clock_state.moment_ns;
	return 0;
}

/* In the place of the C library's: libev compares the two clocks to find out about jumps. */
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	(void)zone;
	now->tv_sec = (EPOCH_AHEAD_MS + clock_state.now_ms) / 1000;
	now->tv_usec = (EPOCH_AHEAD_MS + clock_state.now_ms) % 1000 * 1000;
	return 0;
}

static int poll_now(int epoll, struct epoll_event *events, int max_events)
{
	return (int)syscall(SYS_epoll_pwait, epoll, events, max_events, 0, NULL, 0);
}

/* In the place of the C library's. When nothing is ready, time leaps to whatever is first: the
 * next scheduled event (then the caller is given a turn) or the end of the wait. */
int epoll_wait(int epoll, struct epoll_event *events, int max_events, int timeout)
{
	int64_t until_ms = timeout < 0 ? INT64_MAX : fake_sys_now_ms() + timeout;
	int ready = poll_now(epoll, events, max_events);
	ssize_t next;

	pass_a_moment();
	if (ready || timeout == 0)
		return ready;
	next = next_event(until_ms);
	if (next >= 0) {
		happen((size_t)next);
		return poll_now(epoll, events, max_events);
	}
	if (until_ms > LAST_MS)
		fake_impossible("nothing happens any more, and the loop is still waiting");
	set_time(until_ms);
	return 0;
}
