/*
 * One worker after another. Slots that are empty when their turn comes are passed over; workers
 * that start behind the walk are not gone back for.
 */
#include "walk.h"

#include "pool.h"

static void on_walk_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct walk *walk = timer->data;

	(void)loop;
	(void)events;
	walk->due = true;
	walk->changed(walk->owner);
}

void walk_begin(
	struct walk *walk, struct ev_loop *loop, bool stops, int signal_number, int64_t interval_ms)
{
	walk_end(walk, loop);
	walk->on = walk->due = true;
	walk->stops = stops;
	walk->signal_number = signal_number;
	walk->pool = 0;
	walk->slot = 0;
	ev_timer_init(&walk->timer, on_walk_timer, 0, (double)interval_ms / 1000);
	walk->timer.data = walk;
	ev_timer_again(loop, &walk->timer);
}

static struct worker *next_worker(struct walk *walk, struct pool *const *pool, size_t pools)
{
	for (; walk->pool < pools; walk->pool++, walk->slot = 0)
		while (walk->slot < pool[walk->pool]->slot_count) {
			struct worker *worker = pool_worker(pool[walk->pool], walk->slot++);

			if (worker)
				return worker;
		}
	return NULL;
}

void walk_step(struct walk *walk, struct ev_loop *loop, struct pool *const *pool, size_t pools,
	int64_t now_ms)
{
	struct worker *worker;

	if (!walk->on || !walk->due)
		return;
	walk->due = false;
	worker = next_worker(walk, pool, pools);
	if (!worker) {
		walk_end(walk, loop);
		return;
	}
	if (walk->stops)
		worker_stop(worker, walk->signal_number, now_ms);
	else
		worker_forward(worker, walk->signal_number);
	pool_mark_dirty(worker->context->pool);
}

void walk_end(struct walk *walk, struct ev_loop *loop)
{
	if (walk->on)
		ev_timer_stop(loop, &walk->timer);
	walk->on = walk->due = false;
}
