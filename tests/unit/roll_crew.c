/*
 * Workers that live by themselves. Time passes in steps in which each of them does what it would
 * have done by then; after every step the laws are looked at.
 */
#include "roll_crew.h"

#include <signal.h>
#include <stdio.h>

#include "board.h"
#include "generation.h"
#include "pool_roll.h"

#define STEP_MS    20
#define LONGEST_MS 600000

static bool has_fault(const struct crew *crew, const struct worker *worker)
{
	return crew->fault != CREW_WELL && worker->record.generation >= crew->fault_from &&
	       (crew->fault_slots == 0 || worker->record.slot < crew->fault_slots);
}

static void boot(struct crew *crew, const struct worker *worker)
{
	const int64_t age_ms = fake_sys_now_ms() - worker->times.started_at;

	if (has_fault(crew, worker) && crew->fault == CREW_HANGS)
		return;
	if (has_fault(crew, worker) && crew->fault == CREW_EXITS)
		fake_sys_exit(worker->record.pid, 3);
	else if (age_ms >= crew->boot_ms)
		world_write(&crew->world, worker->record.slot, BOARD_STATE_AT, "_");
}

static void serve(struct crew *crew, const struct worker *worker)
{
	const int64_t now_ms = fake_sys_now_ms();
	char jobs[BOARD_JOBS_BYTES + 1];

	if (has_fault(crew, worker) && crew->fault == CREW_CRASHES &&
		now_ms - worker->ready_at >= crew->fault_ms) {
		fake_sys_end_by_signal(worker->record.pid, SIGSEGV);
		return;
	}
	if (crew->jobs_per_second == 0)
		return;
	snprintf(jobs, sizeof(jobs), "%u",
		(unsigned)((now_ms - worker->ready_at) * crew->jobs_per_second / 1000));
	world_write(&crew->world, worker->record.slot, BOARD_JOBS_AT, jobs);
}

static void leave(struct crew *crew, const struct worker *worker)
{
	if (fake_sys_now_ms() - worker->times.signalled_at >= crew->leave_ms)
		fake_sys_exit(worker->record.pid, 0);
}

static void live(struct crew *crew, const struct worker *worker)
{
	if (!fake_sys_alive(worker->record.pid))
		return;
	switch (worker->record.state) {
	case WORKER_STARTING: boot(crew, worker); return;
	case WORKER_READY: serve(crew, worker); return;
	case WORKER_STOPPING: leave(crew, worker); return;
	case WORKER_EMPTY:
	case WORKER_RETIRING:
	case WORKER_KILLED:
	case WORKER_STATE_COUNT: return;
	}
}

int crew_serving(const struct crew *crew, uint64_t generation)
{
	const struct pool *pool = crew->world.pool;
	int count = 0;

	for (int i = 0; i < pool->slot_count; i++) {
		const struct worker *worker = pool->slot[i];

		count += worker_present(worker) && worker->record.state <= WORKER_READY &&
			 (generation == 0 || worker->record.generation == generation);
	}
	return count;
}

int crew_ready(const struct crew *crew)
{
	const struct pool *pool = crew->world.pool;
	int count = 0;

	for (int i = 0; i < pool->slot_count; i++)
		count += pool->slot[i]->record.state == WORKER_READY;
	return count;
}

static void look(struct crew *crew)
{
	const int ready = crew_ready(crew), leaving = world_count(&crew->world, CLASS_LEAVING);
	const char *wrong = law_look(&crew->law);

	if (wrong)
		ck_abort_msg("%s", wrong);
	if (ready < crew->least_ready)
		crew->least_ready = ready;
	if (crew->world.pool->present > crew->most_present)
		crew->most_present = crew->world.pool->present;
	if (leaving > crew->most_leaving)
		crew->most_leaving = leaving;
}

void crew_pass(struct crew *crew, int64_t ms)
{
	for (; ms > 0; ms -= STEP_MS) {
		for (int i = 0; i < crew->world.pool->slot_count; i++)
			if (worker_present(crew->world.pool->slot[i]))
				live(crew, crew->world.pool->slot[i]);
		law_show(&crew->world);
		look(crew);
		world_pass(&crew->world, STEP_MS);
		look(crew);
	}
}

void crew_watch(struct crew *crew)
{
	crew->least_ready = crew_ready(crew);
	crew->most_present = crew->world.pool->present;
	crew->most_leaving = world_count(&crew->world, CLASS_LEAVING);
}

void crew_begin(struct crew *crew, const char *keys)
{
	char text[500];

	snprintf(text, sizeof(text), "ready = scoreboard\ncrash_loop = backoff\n%s", keys);
	memset(crew, 0, sizeof(*crew));
	crew->boot_ms = 100;
	crew->leave_ms = 50;
	law_without_inotify();
	world_begin(&crew->world, text);
	law_begin(&crew->law, &crew->world);
	while (!crew->world.pool->first_ready)
		crew_pass(crew, STEP_MS);
	crew_pass(crew, 5000);
	crew_watch(crew);
}

void crew_end(struct crew *crew)
{
	const char *wrong;

	law_stop(&crew->law, 0);
	wrong = law_look_at_end(&crew->law);
	if (wrong)
		ck_abort_msg("%s", wrong);
	world_end(&crew->world);
}

static bool is_over(const struct crew *crew)
{
	const struct roll_census census = pool_roll_census(crew->world.pool);

	return crew->world.roll != ROLL_ON && census.old_ready + census.leaving == 0;
}

void crew_finish_roll(struct crew *crew)
{
	const int64_t begun_at = fake_sys_now_ms();

	do {
		crew_pass(crew, STEP_MS);
		if (fake_sys_now_ms() - begun_at > LONGEST_MS)
			ck_abort_msg("the roll does not end");
	} while (!is_over(crew));
}
