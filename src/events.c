/* Facts to JSON lines. */
#include "events.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_text.h"
#include "log_format.h"
#include "memory.h"
#include "pool.h"
#include "worker.h"

static bool heard(const struct events *events)
{
	return events->control && control_streaming(events->control);
}

/* false: no memory for it. */
static bool try_to_tell(struct events *events, json_t *event)
{
	size_t length;
	char *text = json_text_of(event, &length);

	events->telling = true;
	if (text)
		control_event(events->control, text, length);
	events->telling = false;
	free(text);
	json_decref(event);
	return text != NULL;
}

static void tell(struct events *events, json_t *event)
{
	if (!try_to_tell(events, event))
		control_event_lost(events->control);
}

static double unix_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void events_log(void *context, const struct log_record *record)
{
	const struct log_subject *subject = record->subject;
	struct events *events = context;
	const int slot = subject ? subject->slot : -1;

	if (events->telling || !heard(events))
		return;
	tell(events, json_pack("{s:s,s:f,s:s,s:s?,s:o,s:o}", "event", "log", "time",
			     (double)record->time_ms / 1000, "level", log_level_name(record->level),
			     "pool", subject ? subject->pool : NULL, "slot",
			     slot >= 0 ? json_integer(slot) : json_null(), "message",
			     json_text(record->message, record->message_bytes)));
}

void events_worker(struct events *events, const struct pool *pool, const struct worker *worker,
	enum worker_state from, enum worker_event why)
{
	if (!heard(events))
		return;
	tell(events, json_pack("{s:s,s:f,s:s,s:i,s:i,s:I,s:s,s:s,s:s}", "event", "worker", "time",
			     unix_time(), "pool", pool->name, "slot", worker->record.slot, "pid",
			     (int)worker->record.pid, "generation",
			     (json_int_t)worker->record.generation, "from", worker_state_name(from),
			     "to", worker_state_name(worker->record.state), "why",
			     worker_event_name(why)));
}

uint64_t events_new_id(struct events *events)
{
	return ++events->last_id;
}

void events_progress(struct events *events, uint64_t id, const char *action, const char *pool,
	int done, int total, int starting)
{
	if (!heard(events))
		return;
	tell(events, json_pack("{s:s,s:I,s:s,s:s*,s:i,s:i,s:i}", "event", "progress", "id",
			     (json_int_t)id, "action", action, "pool", pool, "done", done, "total",
			     total, "starting", starting));
}

/* false: no memory for it. */
static bool tell_finished(struct events *events, uint64_t id, const char *action, const char *pool,
	int exit_status, const char *text)
{
	const bool ok = exit_status == 0;

	return try_to_tell(
		events, json_pack("{s:s,s:f,s:I,s:s,s:s*,s:b,s:o,s:i}", "event", "finished", "time",
				unix_time(), "id", (json_int_t)id, "action", action, "pool", pool,
				"ok", ok, ok ? "message" : "error", json_text(text, strlen(text)),
				"exit_status", exit_status));
}

/* For this one somebody waits, so the reserve is there for it too. */
void events_finished(struct events *events, uint64_t id, const char *action, const char *pool,
	int exit_status, const char *text)
{
	if (!heard(events) || tell_finished(events, id, action, pool, exit_status, text))
		return;
	memory_release_reserve();
	if (!tell_finished(events, id, action, pool, exit_status, text))
		control_event_lost(events->control);
}
