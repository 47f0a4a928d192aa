/*
 * One function a verb, each of which changes something or says why not, in one sentence. Everything
 * is answered at once: what takes time is told by events.
 */
#include "control_handler.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "actions.h"
#include "configuration.h"
#include "control.h"
#include "control_verbs.h"
#include "errmsg.h"
#include "events.h"
#include "identity.h"
#include "json_text.h"
#include "logger.h"
#include "memory.h"
#include "pool.h"
#include "pool_roll.h"
#include "roster.h"
#include "settings.h"
#include "signal_name.h"
#include "state.h"
#include "status.h"
#include "supervisor.h"
#include "upgrade.h"
#include "users.h"

#define FAILURES_MAX 3 /* of new workers; then a single one stays */

/* What is answered: words for the user, and an exit status. */
struct answer {
	int exit_status;
	uint64_t id;    /* of what has begun, and will end later; 0: nothing */
	uint64_t after; /* of what must end before it begins; 0: nothing */
	struct errmsg text;
};

__attribute__((format(printf, 3, 4))) static void say(
	struct answer *answer, int exit_status, const char *format, ...)
{
	va_list arguments;

	answer->exit_status = exit_status;
	va_start(arguments, format);
	vsnprintf(answer->text.text, sizeof(answer->text.text), format, arguments);
	va_end(arguments);
}

/* NULL: no memory for it. */
static char *write_answer(const struct answer *answer, size_t *length)
{
	const bool ok = answer->exit_status == EX_OK;
	json_t *document = json_pack("{s:b,s:o}", "ok", ok, ok ? "message" : "error",
		json_text(answer->text.text, strlen(answer->text.text)));
	char *text = NULL;
	int error = 0;

	if (!ok)
		error |= json_object_set_new(
			document, "exit_status", json_integer(answer->exit_status));
	if (answer->id)
		error |= json_object_set_new(document, "id", json_integer((json_int_t)answer->id));
	if (answer->after)
		error |= json_object_set_new(
			document, "after", json_integer((json_int_t)answer->after));
	if (!error)
		text = json_text_of(document, length);
	json_decref(document);
	return text;
}

/* What it tells of has been done or begun, so the reserve is there for it too. */
static void send_answer(struct control_client *client, const struct answer *answer)
{
	static const char lost[] = "{\"ok\":false,\"error\":\"no memory for the answer; what was "
				   "asked for may have been done\",\"exit_status\":71}";
	size_t length;
	char *text = write_answer(answer, &length);

	if (!text) {
		memory_release_reserve();
		text = write_answer(answer, &length);
	}
	if (text)
		control_answer(client, text, length);
	else
		control_answer(client, lost, strlen(lost));
	free(text);
}

/* --- one pool, one worker --- */

static struct pool *named_pool(const struct supervisor *supervisor,
	const struct control_command *command, struct answer *answer)
{
	struct pool *pool = roster_find(supervisor, command->pool);

	if (!pool)
		say(answer, EX_USAGE, "there is no pool %s", command->pool);
	return pool;
}

static struct worker *named_worker(
	const struct pool *pool, const struct control_command *command, struct answer *answer)
{
	struct worker *worker = pool_worker(pool, command->slot);

	if (!worker)
		say(answer, EX_USAGE, "%s: there is no worker in slot %d", pool->name,
			command->slot);
	return worker;
}

static void send_signal(
	struct supervisor *supervisor, const struct control_command *command, struct answer *answer)
{
	struct pool *pool = command->pool ? named_pool(supervisor, command, answer) : NULL;
	struct worker *worker = NULL;
	int count = 0;

	if (command->pool && !pool)
		return;
	if (pool && command->slot >= 0) {
		worker = named_worker(pool, command, answer);
		if (!worker)
			return;
		count = worker_forward(worker, command->signal_number);
	} else if (pool) {
		count = pool_forward_all(pool, command->signal_number);
	} else {
		for (size_t i = 0; i < supervisor->pool_count; i++)
			count += pool_forward_all(supervisor->pool[i], command->signal_number);
	}
	say(answer, EX_OK, "%s sent to %d worker%s", signal_name(command->signal_number), count,
		count == 1 ? "" : "s");
}

static void scale(
	struct supervisor *supervisor, const struct control_command *command, struct answer *answer)
{
	struct pool *pool = named_pool(supervisor, command, answer);
	int by = command->number, now;

	if (!pool)
		return;
	if (command->scale == SCALE_TO)
		by -= pool_rule(pool).max_workers;
	if (pool_rule(pool).max_workers + by < 0) {
		say(answer, EX_USAGE, "%s: max_workers is %d, that would be less than none",
			pool->name, pool_rule(pool).max_workers);
		return;
	}
	pool_grow(pool, by, 0);
	now = pool_rule(pool).max_workers;
	say(answer, EX_OK, "%s: max_workers is %d now (configured: %d)", pool->name, now,
		(int)pool->settings->max_workers);
}

static void add_wait(struct control_waits *waits, const struct control_wait *wait)
{
	waits->wait = memory_resize(waits->wait, waits->count + 1, sizeof(*waits->wait));
	waits->wait[waits->count] = *wait;
	waits->wait[waits->count++].pool = memory_copy_string(wait->pool);
}

/* The id by which its end will be told; the same for all who ask for the same worker. */
static uint64_t wait_for_worker(struct supervisor *supervisor, const struct worker *worker)
{
	struct control_waits *waits = &supervisor->waits;
	const struct pool *pool = worker->context->pool;
	struct control_wait wait = {
		.pool = pool->name,
		.slot = worker->record.slot,
		.pid = worker->record.pid,
		.failed_before = pool->tally.exits_failed,
	};

	for (size_t i = 0; i < waits->count; i++)
		if (waits->wait[i].pid == wait.pid)
			return waits->wait[i].id;
	wait.id = events_new_id(&supervisor->events);
	add_wait(waits, &wait);
	return wait.id;
}

static void restart(
	struct supervisor *supervisor, const struct control_command *command, struct answer *answer)
{
	struct pool *pool = named_pool(supervisor, command, answer);
	struct worker *worker;
	struct errmsg err;

	if (!pool)
		return;
	if (command->slot < 0) {
		if (reload_restart(
			    supervisor, pool->name, supervisor->place.now(supervisor), &err) < 0)
			say(answer, EX_TEMPFAIL, "%s", err.text);
		else
			say(answer, EX_OK, "%s: restart begun", pool->name);
		answer->id = supervisor->reload.id;
		return;
	}
	worker = named_worker(pool, command, answer);
	if (!worker)
		return;
	answer->id = wait_for_worker(supervisor, worker);
	pool_restart_worker(pool, command->slot);
	say(answer, EX_OK, "%s: worker %d will be replaced", pool->name, command->slot);
}

/* --- everything --- */

static void reload(struct supervisor *supervisor, enum reload_kind kind, struct answer *answer)
{
	const bool rolling = supervisor->reload.state == RELOAD_ROLLING;
	const char *name = kind == RELOAD_ALL ? "reload" : "reconfigure";

	answer->id = reload_ask(supervisor, kind, 0);
	if (rolling)
		answer->after = supervisor->reload.id;
	say(answer, EX_OK, rolling ? "a reload is under way, a %s follows it" : "%s begun", name);
}

static void act(struct supervisor *supervisor, enum signal_action action, int signal_number,
	struct answer *answer, const char *said)
{
	const struct signal_rule rule = {.action = action, .worker_signal = signal_number};

	actions_perform(supervisor, &rule, supervisor->place.now(supervisor));
	say(answer, EX_OK, "%s", said);
}

static bool drained(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (!supervisor->pool[i]->drained)
			return false;
	return true;
}

static void drain(struct supervisor *supervisor, struct answer *answer)
{
	const bool already = drained(supervisor);
	struct control_waits *waits = &supervisor->waits;

	if (!waits->drain_id) {
		waits->drain_id = events_new_id(&supervisor->events);
		waits->leaving = waits->left = 0;
	}
	answer->id = waits->drain_id;
	act(supervisor, SIGNAL_DRAIN, 0, answer, already ? "drained already" : "draining");
}

static void upgrade(struct supervisor *supervisor, struct answer *answer)
{
	answer->id = upgrade_ask(supervisor);
	say(answer, EX_OK, "upgrade begun");
}

static void stop(struct supervisor *supervisor, int signal_number, struct answer *answer)
{
	struct control_waits *waits = &supervisor->waits;

	if (!waits->stop_id) {
		waits->stop_id = events_new_id(&supervisor->events);
		waits->leaving = waits->left = 0;
	}
	answer->id = waits->stop_id;
	act(supervisor, SIGNAL_STOP, signal_number, answer, "stopping");
}

/* Of what changes something, while the end has begun, only what ends. */
static bool is_too_late(const struct supervisor *supervisor, enum control_verb verb)
{
	return supervisor->phase == PHASE_STOPPING && verb != VERB_STOP && verb != VERB_QUIT &&
	       verb != VERB_SIGNAL && verb != VERB_REOPEN && verb != VERB_PING;
}

/* ... and takes memory, so that it is refused when there is none to spare. */
static bool begins_something(enum control_verb verb)
{
	return verb == VERB_RELOAD || verb == VERB_RECONFIGURE || verb == VERB_UPGRADE ||
	       verb == VERB_SCALE || verb == VERB_RESTART;
}

static void perform(
	struct supervisor *supervisor, const struct control_command *command, struct answer *answer)
{
	switch (command->verb) {
	case VERB_STATUS:
	case VERB_EVENTS:
	case VERB_PING: say(answer, EX_OK, "%s", supervisor->name); return;
	case VERB_RELOAD: reload(supervisor, RELOAD_ALL, answer); return;
	case VERB_RECONFIGURE: reload(supervisor, RELOAD_RECONFIGURE, answer); return;
	case VERB_REOPEN: act(supervisor, SIGNAL_REOPEN, 0, answer, "logs reopened"); return;
	case VERB_DRAIN: drain(supervisor, answer); return;
	case VERB_RESUME:
		act(supervisor, SIGNAL_RESUME, 0, answer,
			drained(supervisor) ? "resumed" : "was not drained");
		return;
	case VERB_UPGRADE: upgrade(supervisor, answer); return;
	case VERB_STOP:
	case VERB_QUIT: stop(supervisor, command->signal_number, answer); return;
	case VERB_SIGNAL: send_signal(supervisor, command, answer); return;
	case VERB_SCALE: scale(supervisor, command, answer); return;
	case VERB_RESTART: restart(supervisor, command, answer); return;
	}
}

static void answer_status(struct supervisor *supervisor, struct control_client *client,
	const struct control_command *command, struct answer *answer)
{
	size_t bytes;
	char *document;

	if (command->pool && !named_pool(supervisor, command, answer)) {
		send_answer(client, answer);
		return;
	}
	document = status_document(supervisor, command->pool, &bytes);
	if (document) {
		control_answer(client, document, bytes);
	} else {
		say(answer, EX_OSERR, "no memory for the answer");
		send_answer(client, answer);
	}
	free(document);
}

static void handle(
	void *context, struct control_client *client, const struct control_request *request)
{
	struct supervisor *supervisor = context;
	struct control_command command;
	struct answer answer = {0};

	if (control_verb_parse(&command, request->word, request->words, &answer.text) < 0) {
		answer.exit_status = EX_USAGE;
		send_answer(client, &answer);
		return;
	}
	if (command.verb == VERB_STATUS) {
		answer_status(supervisor, client, &command, &answer);
		return;
	}
	if (command.verb == VERB_EVENTS) {
		control_stream(client);
		return;
	}
	if (is_too_late(supervisor, command.verb))
		say(&answer, EX_TEMPFAIL, "the supervisor is stopping");
	else if (begins_something(command.verb) && !memory_ready())
		say(&answer, EX_OSERR, "no memory");
	else
		perform(supervisor, &command, &answer);
	send_answer(client, &answer);
	supervisor->place.changed(supervisor);
}

/* --- life --- */

static int find_group(gid_t *gid, const char *name, struct errmsg *err)
{
	struct identity identity;

	*gid = (gid_t)-1;
	if (!name)
		return 0;
	if (users_resolve(&identity, NULL, name, NULL, err) < 0)
		return -1;
	*gid = identity.gid;
	identity_free(&identity);
	return 0;
}

static uint64_t failed_of(const struct supervisor *supervisor, const char *pool_name)
{
	const struct pool *pool = roster_find(supervisor, pool_name);

	return pool ? pool->tally.exits_failed : 0;
}

/* Who followed the events before an upgrade follows them still. */
static void take_up_clients(struct supervisor *supervisor, const struct state *past)
{
	struct control_wait wait;

	for (size_t i = 0; i < past->stream_fd_count; i++)
		if (past->stream_fd[i] >= 0)
			control_take_up_stream(supervisor->control, past->stream_fd[i]);
	supervisor->events.last_id = past->last_id;
	supervisor->upgrade.id = past->upgrade_id;
	supervisor->waits.drain_id = past->drain_id;
	for (size_t i = 0; i < past->wait_count; i++) {
		wait = (struct control_wait){
			.id = past->wait[i].id,
			.pool = past->wait[i].pool,
			.slot = past->wait[i].slot,
			.pid = past->wait[i].pid,
			.failed_before = failed_of(supervisor, past->wait[i].pool),
		};
		add_wait(&supervisor->waits, &wait);
	}
}

int control_handler_open(struct supervisor *supervisor, struct errmsg *err)
{
	const struct preforkd_settings *preforkd = &supervisor->configuration->settings->preforkd;
	struct control_settings settings = {
		.mode = (mode_t)preforkd->control_mode,
		.handle = handle,
		.context = supervisor,
	};
	const bool off = preforkd->control && strcmp(preforkd->control, "off") == 0;
	const struct state *past = supervisor->resumed ? supervisor->past : NULL;
	struct errmsg reason;
	char *path = NULL;

	if (off && strcmp(preforkd->http, "off") == 0)
		return 0;
	if (find_group(&settings.group, preforkd->control_group, err) < 0)
		return -1;
	if (!preforkd->control)
		path = memory_format("%s/control.sock", supervisor->runtime_dir.path);
	else if (!off)
		path = memory_copy_string(preforkd->control);
	if (past && past->control_fd >= 0) {
		free(path);
		path = memory_copy_string(past->control_path);
		settings.take_up = true;
		settings.bound_fd = past->control_fd;
	}
	settings.path = path;
	supervisor->control = control_open(supervisor->loop, &settings, &reason);
	free(path);
	if (!supervisor->control)
		return errmsg_set(err, "control: %s", reason.text);
	supervisor->events.control = supervisor->control;
	logger_tap(events_log, &supervisor->events);
	if (past)
		take_up_clients(supervisor, past);
	return 0;
}

/* --- how it ends --- */

/* Has it ended, one way or the other? */
static bool restart_is_over(
	struct supervisor *supervisor, const struct control_wait *wait, struct answer *answer)
{
	struct pool *pool = roster_find(supervisor, wait->pool);
	const struct worker *worker = pool ? pool_worker(pool, wait->slot) : NULL;
	uint64_t failed = pool ? pool->tally.exits_failed - wait->failed_before : 0;

	if (supervisor->phase == PHASE_STOPPING)
		say(answer, EX_TEMPFAIL, "the supervisor is stopping");
	else if (!worker || worker->record.pid != wait->pid)
		say(answer, EX_OK, "replaced");
	else if (failed >= FAILURES_MAX && pool_keep_worker(pool, wait->slot))
		say(answer, EX_TEMPFAIL, "%d new workers failed, the last one %s: worker %d stays",
			(int)failed, pool->last_failure, wait->slot);
	else
		return false;
	return true;
}

static void look_at_restarts(struct supervisor *supervisor)
{
	struct control_waits *waits = &supervisor->waits;
	struct answer answer;
	size_t kept = 0;

	for (size_t i = 0; i < waits->count; i++) {
		struct control_wait *wait = &waits->wait[i];

		if (!restart_is_over(supervisor, wait, &answer)) {
			waits->wait[kept++] = *wait;
			continue;
		}
		events_finished(&supervisor->events, wait->id, "restart", wait->pool,
			answer.exit_status, answer.text.text);
		free(wait->pool);
	}
	waits->count = kept;
}

static int count_present(const struct supervisor *supervisor)
{
	int count = 0;

	for (size_t i = 0; i < supervisor->pool_count; i++)
		count += supervisor->pool[i]->present;
	return count;
}

/* Is nobody wanted any more? Who drained a pool can ask for some workers of it all the same. */
static bool all_are_to_go(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->pool_count; i++)
		if (pool_rule(supervisor->pool[i]).max_workers > 0)
			return false;
	return true;
}

static void look_at_drain(struct supervisor *supervisor)
{
	struct control_waits *waits = &supervisor->waits;
	const bool empty = waits->left == 0, given_up = !empty && !all_are_to_go(supervisor);

	if (!waits->drain_id || (!empty && !given_up))
		return;
	events_finished(&supervisor->events, waits->drain_id, "drain", NULL,
		given_up ? EX_TEMPFAIL : EX_OK,
		given_up ? "workers are wanted again" : "no worker is left");
	waits->drain_id = 0;
}

/* How far a drain or a stop has come. */
static void tell_leaving(struct supervisor *supervisor)
{
	struct control_waits *waits = &supervisor->waits;
	const int left = count_present(supervisor);

	if (left == waits->left && left <= waits->leaving)
		return;
	if (left > waits->leaving)
		waits->leaving = left;
	waits->left = left;
	if (waits->drain_id)
		events_progress(&supervisor->events, waits->drain_id, "drain", NULL,
			waits->leaving - left, waits->leaving, 0);
	if (waits->stop_id)
		events_progress(&supervisor->events, waits->stop_id, "stop", NULL,
			waits->leaving - left, waits->leaving, 0);
}

void control_handler_look(struct supervisor *supervisor)
{
	look_at_restarts(supervisor);
	if (supervisor->waits.drain_id || supervisor->waits.stop_id)
		tell_leaving(supervisor);
	look_at_drain(supervisor);
}

void control_handler_close(struct supervisor *supervisor)
{
	logger_tap(NULL, NULL);
	for (size_t i = 0; i < supervisor->waits.count; i++)
		free(supervisor->waits.wait[i].pool);
	free(supervisor->waits.wait);
	supervisor->waits = (struct control_waits){0};
	supervisor->events.control = NULL;
	if (supervisor->control)
		control_close(supervisor->control);
	supervisor->control = NULL;
}
