/*
 * What this worker does: its state, jobs, note and heartbeat. Rule: each thread is busy or idle by
 * itself, and who has written looks again whether it still holds, since another thread may have
 * written in between: so the last write is a true one, without a lock that a signal handler could
 * wait for in vain. Must not know why a worker is busy, or whether it should leave.
 */
#include "prefork.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "inside.h"
#include "slot.h"

#define IDLE '_'
#define BUSY 'W'

#define READY_PATIENCE_SEC 5

static struct {
	struct prefork_slot slot;
	_Atomic unsigned int busy_threads;
	_Atomic unsigned long jobs;
	_Atomic unsigned int beats;
	_Atomic char letter; /* the last busy state */
} report = {.slot = PREFORK_SLOT_NONE, .letter = BUSY};

/* This model needs no allocation at the first use in a thread. Atomic for signal handlers: between
 * a look and a change one could do the same, and the thread would be counted twice. */
static _Thread_local __attribute__((tls_model("initial-exec"))) _Atomic bool busy_here;

int prefork_report_attach(void)
{
	if (prefork_slot_is_attached(&report.slot))
		return 1;
	return prefork_slot_attach(&report.slot, true);
}

void prefork_report_forget(void)
{
	prefork_slot_detach(&report.slot);
	report.busy_threads = 0;
	report.jobs = 0;
	busy_here = false;
}

bool prefork_report_is_busy(void)
{
	return busy_here;
}

bool prefork_report_is_retired(void)
{
	return prefork_slot_is_retired(&report.slot);
}

static void publish_state(void)
{
	bool busy;

	do {
		busy = report.busy_threads != 0;
		prefork_slot_put_state(&report.slot, busy ? report.letter : IDLE);
	} while ((report.busy_threads != 0) != busy);
}

void prefork_state(char state)
{
	if (state == IDLE) {
		prefork_idle();
		return;
	}
	if (state < 0x21 || state > 0x7e || state == '.')
		return;
	report.letter = state;
	if (!atomic_exchange(&busy_here, true))
		report.busy_threads++;
	publish_state();
}

void prefork_busy(const char *note)
{
	prefork_state(BUSY);
	if (note)
		prefork_note(note);
}

void prefork_idle(void)
{
	if (atomic_exchange(&busy_here, false))
		report.busy_threads--;
	publish_state();
}

void prefork_note(const char *note)
{
	prefork_slot_put_note(&report.slot, note);
}

void prefork_report_jobs(void)
{
	unsigned long jobs;

	do {
		jobs = report.jobs;
		prefork_slot_put_jobs(&report.slot, jobs);
	} while (report.jobs != jobs);
}

void prefork_done(void)
{
	report.jobs++;
	prefork_report_jobs();
}

void prefork_beat(void)
{
	if (prefork_slot_is_attached(&report.slot))
		prefork_slot_put_beat(&report.slot, (char)('0' + report.beats++ % 10));
	else
		prefork_notify_watchdog();
}

/* Many workers that start at once fill the queue; one that is not heard would never be ready. */
int prefork_ready(void)
{
	return prefork_notify_send("READY=1", READY_PATIENCE_SEC);
}
