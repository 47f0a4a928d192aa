#ifndef PREFORKD_WALK_H
#define PREFORKD_WALK_H
/* A signal for one worker after another, some time apart (`stop QUIT/2s`, `forward USR1/500ms`):
 * where it has got to. Floor 2. */
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;

struct walk {
	bool on, due;
	bool stops;        /* a soft signal that ends, not only a forwarded one */
	int signal_number; /* 0: each pool's stop_signal */
	size_t pool;       /* the next one: index and slot */
	int slot;
	ev_timer timer;
	void (*changed)(void *owner);
	void *owner;
};

/* Begins anew; the first worker is due at once. */
void walk_begin(struct walk *walk, struct ev_loop *loop, bool stops, int signal_number,
	int64_t interval_ms);
/* The next worker, if it is due. */
void walk_step(struct walk *walk, struct ev_loop *loop, struct pool *const *pool, size_t pools,
	int64_t now_ms);
void walk_end(struct walk *walk, struct ev_loop *loop);

#endif
