/*
 * One worker's life. Its pidfd becoming readable and its line changing are facts; what follows from
 * them is done when the pool reconciles, by worker_advance() and worker_reap(). Every change of
 * state goes through set_state(), which asks the table in worker_state.c.
 */
#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "errmsg.h"
#include "generation.h"
#include "logger.h"
#include "notify_message.h"
#include "scoreboard.h"
#include "settings.h"
#include "signal_name.h"
#include "sys.h"
#include "tally.h"

#define WATCH_AGAIN_SEC 0.5

static struct log_subject subject_of(const struct worker *worker, int64_t now_ms)
{
	return (struct log_subject){
		.pool = worker->context->pool_name,
		.slot = worker->record.slot,
		.pid = worker->record.pid,
		.age_ms = now_ms - worker->times.started_at,
	};
}

static void set_state(struct worker *worker, enum worker_event event, int64_t now_ms)
{
	enum worker_state old = worker->record.state;
	int next = worker_state_next(old, event);
	struct log_subject subject = subject_of(worker, now_ms);

	assert(next >= 0);
	worker->record.state = (enum worker_state)next;
	log_debug(&subject, "%s -> %s (%s)", worker_state_name(old),
		worker_state_name(worker->record.state), worker_event_name(event));
	if (worker->context->moved)
		worker->context->moved(worker->context->pool, worker, old, event);
}

/* One that was not ready in time is missed once it is reaped: only then does its failure deter the
 * next start. One that cannot even be killed is not waited for. */
enum worker_class worker_counts_as(const struct worker *worker)
{
	if (worker->record.state == WORKER_KILLED && worker->start_failed &&
		!worker->times.kill_warned)
		return CLASS_STARTING;
	if (worker->leaving && worker_present(worker))
		return CLASS_LEAVING;
	return worker_classify(worker->record.state, worker->activity);
}

static void on_exit_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct worker *worker = watcher->data;

	/* It could not be watched (no memory for one more). Of a child of ours SIGCHLD will tell,
	 * too, see pool_take_end(). */
	if (events & EV_ERROR) {
		ev_timer_set(&worker->watch_again, WATCH_AGAIN_SEC, 0.);
		ev_timer_start(loop, &worker->watch_again);
		return;
	}
	ev_io_stop(loop, watcher);
	worker->ended = true;
	worker->context->changed(worker->context->pool);
}

static void on_watch_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct worker *worker = timer->data;

	(void)events;
	ev_io_start(loop, &worker->exit_watcher);
}

static void stop_watching(struct worker *worker)
{
	ev_timer_stop(worker->context->loop, &worker->watch_again);
	ev_io_stop(worker->context->loop, &worker->exit_watcher);
}

void worker_watch_exit(struct worker *worker)
{
	ev_init(&worker->watch_again, on_watch_again);
	worker->watch_again.data = worker;
	ev_io_init(&worker->exit_watcher, on_exit_ready, worker->pidfd, EV_READ);
	worker->exit_watcher.data = worker;
	ev_io_start(worker->context->loop, &worker->exit_watcher);
}

int worker_start(struct worker *worker, struct generation *generation,
	const struct spawn_plan *plan, struct spawn_reports *reports, int64_t now_ms,
	struct errmsg *err)
{
	struct worker_context *context = worker->context;
	struct worker_record record = worker->record;
	struct spawned spawned;

	assert(record.state == WORKER_EMPTY);
	if (spawn_start(&spawned, plan, reports, err) < 0)
		return -1;
	record.pid = spawned.pid;
	record.started_boot_ns = spawned.started_boot_ns;
	record.started_ticks = 0; /* those were of who had the slot before */
	record.generation = generation->number;
	*worker = (struct worker){
		.record = record,
		.context = context,
		.generation = generation_hold(generation),
		.times = {.started_at = now_ms, .sign_at = now_ms},
		.activity_at = now_ms,
		.round = worker->round,
		.pidfd = spawned.pidfd,
	};
	set_state(worker, WORKER_EVENT_SPAWNED, now_ms);
	scoreboard_set_worker(context->board, record.slot, record.pid);
	memcpy(worker->line, scoreboard_line(context->board, record.slot), BOARD_LINE_BYTES);
	worker_watch_exit(worker);
	return 0;
}

static void get_ready(struct worker *worker, int64_t now_ms)
{
	if (worker->record.state != WORKER_STARTING)
		return;
	worker->ready_at = now_ms;
	worker->times.sign_at = now_ms;
	worker->times.extended_until = 0;
	histogram_add(&worker->context->tally->start_to_ready,
		(double)(now_ms - worker->times.started_at) / 1000);
	set_state(worker, WORKER_EVENT_GOT_READY, now_ms);
	worker->context->changed(worker->context->pool);
}

/* To the worker, or to its whole group; a group that is not there yet (it was forked this moment)
 * is the worker alone. Who reaps one that is no child of ours, we do not know: it is looked at
 * first. */
static bool send_signal(const struct worker *worker, int signal_number)
{
	if (worker->ended || (worker->foreign && sys_pidfd_signal(worker->pidfd, 0) < 0))
		return false;
	if (worker->generation->settings->signal_group &&
		sys_kill_group(worker->record.pid, signal_number) == 0)
		return true;
	return sys_pidfd_signal(worker->pidfd, signal_number) == 0;
}

static void soft_signal(struct worker *worker, int signal_number, int64_t now_ms)
{
	worker->times.signalled_at = now_ms;
	worker->times.extended_until = 0;
	worker->soft_signal = signal_number;
	set_state(worker, WORKER_EVENT_SIGNALLED, now_ms);
	send_signal(worker, signal_number);
	/* A worker that somebody stopped could not hear it. */
	send_signal(worker, SIGCONT);
}

void worker_kill(struct worker *worker, const char *why, int64_t now_ms)
{
	struct log_subject subject = subject_of(worker, now_ms);

	if (worker->record.state == WORKER_KILLED)
		return;
	worker->times.killed_at = now_ms;
	set_state(worker, WORKER_EVENT_KILL_SENT, now_ms);
	log_notice(&subject, "killing it: %s", why);
	if (worker->ended)
		return;
	/* The number of a group is its own as long as its leader lives; of one that is no child of
	 * ours we learn of the end too late. */
	if (worker->foreign && sys_pidfd_signal(worker->pidfd, 0) == 0)
		sys_kill_group(worker->record.pid, SIGKILL);
	sys_pidfd_signal(worker->pidfd, SIGKILL);
	if (!worker->foreign)
		sys_kill_group(worker->record.pid, SIGKILL);
}

void worker_stop(struct worker *worker, int signal_number, int64_t now_ms)
{
	if (signal_number == 0)
		signal_number = worker->generation->settings->stop_signal;
	worker->asked = true;
	/* Nobody gets the same soft signal twice: many programs take a second one as an order to
	 * drop everything. */
	if (worker->record.state == WORKER_KILLED ||
		(worker->record.state == WORKER_STOPPING && worker->soft_signal == signal_number))
		return;
	if (signal_number == SIGKILL)
		worker_kill(worker, "asked to", now_ms);
	else
		soft_signal(worker, signal_number, now_ms);
}

bool worker_forward(struct worker *worker, int signal_number)
{
	return send_signal(worker, signal_number);
}

/* A fact only: the pool starts another one first. */
static void recycle(struct worker *worker, enum worker_recycle why)
{
	if (worker->recycle == RECYCLE_NOT)
		worker->recycle = why;
	worker->context->replacing = true;
}

void worker_measured(struct worker *worker, int64_t resident_bytes)
{
	const int64_t max_bytes = worker->generation->settings->max_memory_bytes;

	if (max_bytes > 0 && resident_bytes > max_bytes)
		recycle(worker, RECYCLE_MEMORY);
}

static void take_state(struct worker *worker, enum board_state state, int64_t now_ms)
{
	enum worker_activity activity = worker->activity;

	switch (state) {
	case BOARD_NOISE: break;
	case BOARD_NOTHING: activity = ACTIVITY_NONE; break;
	case BOARD_IDLE: activity = ACTIVITY_IDLE; break;
	case BOARD_BUSY: activity = ACTIVITY_BUSY; break;
	}
	if (activity == worker->activity)
		return;
	if (worker->activity == ACTIVITY_BUSY && activity == ACTIVITY_IDLE) {
		worker->job_done = true;
		worker->context->tally->jobs += !worker->jobs_known;
	}
	worker->activity = activity;
	worker->activity_at = now_ms;
	worker->times.job_at = now_ms;
	worker->times.job_warned = false;
}

static void take_jobs(struct worker *worker, const struct board_line *said, int64_t now_ms)
{
	if (!said->jobs_known || (worker->jobs_known && said->jobs == worker->jobs))
		return;
	if (worker->jobs_known || said->jobs > 0) {
		worker->job_done = true;
		worker->times.job_at = now_ms;
		worker->times.job_warned = false;
	}
	if (said->jobs > worker->jobs)
		worker->context->tally->jobs += said->jobs - worker->jobs;
	worker->jobs_known = true;
	worker->jobs = said->jobs;
	if (worker->max_jobs > 0 && worker->jobs >= worker->max_jobs)
		recycle(worker, RECYCLE_JOBS);
}

/* With auto every worker of the pool is held to what one of them has shown. */
static void show_ready(struct worker *worker, enum worker_shown shown, int64_t now_ms)
{
	struct worker_context *context = worker->context;

	if (shown > context->shown)
		context->shown = shown;
	if (shown == context->shown)
		get_ready(worker, now_ms);
}

/* A first state on the scoreboard. */
static void take_readiness(struct worker *worker, int64_t now_ms)
{
	if (worker->activity == ACTIVITY_NONE)
		return;
	switch ((enum ready_rule)worker->generation->settings->ready) {
	case READY_ALIVE:
	case READY_NOTIFY: return;
	case READY_SCOREBOARD: get_ready(worker, now_ms); return;
	case READY_AUTO: show_ready(worker, SHOWN_SCOREBOARD, now_ms); return;
	}
}

/* READY=1. */
static void take_ready_message(struct worker *worker, int64_t now_ms)
{
	switch ((enum ready_rule)worker->generation->settings->ready) {
	case READY_ALIVE:
	case READY_SCOREBOARD: return;
	case READY_NOTIFY: get_ready(worker, now_ms); return;
	case READY_AUTO: show_ready(worker, SHOWN_NOTIFY, now_ms); return;
	}
}

void worker_observe(struct worker *worker, const char *line, int64_t now_ms)
{
	struct board_line said;

	if (!worker_present(worker) || !board_worker_bytes_differ(worker->line, line))
		return;
	memcpy(worker->line, line, BOARD_LINE_BYTES);
	worker->times.sign_at = now_ms;
	board_line_read(&said, line);
	/* The count first: a job that is counted is not counted by its end as well. */
	take_jobs(worker, &said, now_ms);
	take_state(worker, said.state, now_ms);
	take_readiness(worker, now_ms);
	if (worker->record.state == WORKER_RETIRING && worker->activity != ACTIVITY_BUSY)
		soft_signal(worker, worker->retire_signal, now_ms);
}

/* The mark first, then a look, then the signal: a worker that published "busy" before the mark is
 * seen and waited for, one that publishes it after finds the mark (preforkd-scoreboard(7)). */
void worker_retire(struct worker *worker, int signal_number, const char *why, int64_t now_ms)
{
	struct log_subject subject = subject_of(worker, now_ms);
	struct worker_context *context = worker->context;

	if (worker->record.state != WORKER_STARTING && worker->record.state != WORKER_READY)
		return;
	worker->asked = true;
	worker->times.retired_at = now_ms;
	worker->retire_signal =
		signal_number ? signal_number : worker->generation->settings->stop_signal;
	set_state(worker, WORKER_EVENT_ASKED_TO_RETIRE, now_ms);
	scoreboard_set_retiring(context->board, worker->record.slot);
	worker_observe(worker, scoreboard_reread(context->board, worker->record.slot), now_ms);
	log_info(&subject, "retiring: %s", why);
	if (worker->record.state == WORKER_RETIRING && worker->activity != ACTIVITY_BUSY)
		soft_signal(worker, worker->retire_signal, now_ms);
}

static void end_hung(struct worker *worker, const char *why, int64_t now_ms)
{
	const int signal_number = worker->generation->settings->timeout_signal;
	struct log_subject subject = subject_of(worker, now_ms);

	if (signal_number == SIGKILL) {
		worker_kill(worker, why, now_ms);
		return;
	}
	log_notice(&subject, "%s: sending %s", why, signal_name(signal_number));
	worker->times.hung = true;
	soft_signal(worker, signal_number, now_ms);
}

/* A job count makes the end of a job visible; without one a long job and many short ones look the
 * same, so it is only said. */
static void end_long_job(struct worker *worker, int64_t now_ms)
{
	struct log_subject subject = subject_of(worker, now_ms);

	if (worker->jobs_known) {
		end_hung(worker, "busy with one job beyond request_timeout", now_ms);
		return;
	}
	worker->times.job_warned = true;
	log_warning(&subject,
		"busy beyond request_timeout; it writes no job count, so it is left alone");
}

static void warn_unkillable(struct worker *worker, int64_t now_ms)
{
	struct log_subject subject = subject_of(worker, now_ms);

	worker->times.kill_warned = true;
	log_error(&subject, "still there %d s after KILL (frozen, or stuck in the kernel?)",
		WORKER_UNKILLABLE_MS / 1000);
}

static void fail_start(struct worker *worker, int64_t now_ms)
{
	worker->start_failed = true;
	worker_kill(worker, "not ready within start_timeout", now_ms);
}

static void expire(struct worker *worker)
{
	worker->times.expires_at = 0;
	recycle(worker, RECYCLE_AGE);
}

static void take_extension(struct worker *worker, int64_t extend_us, int64_t now_ms)
{
	const int64_t most_us = INT64_C(3600) * 1000 * 1000;
	const int64_t until = now_ms + (extend_us < most_us ? extend_us : most_us) / 1000;

	if (until > worker->times.extended_until)
		worker->times.extended_until = until;
}

/* It goes by itself; who says so and stays gets the signal in the end. */
static void begin_leaving(struct worker *worker, int64_t now_ms)
{
	if (worker->leaving)
		return;
	worker->leaving = true;
	worker->times.leaving_at = now_ms;
	if (worker->retire_signal == 0)
		worker->retire_signal = worker->generation->settings->stop_signal;
}

void worker_notified(struct worker *worker, const struct notify_message *message, int64_t now_ms)
{
	if (worker->ended || worker->record.state == WORKER_KILLED)
		return;
	if (message->watchdog)
		worker->times.sign_at = now_ms;
	if (message->has_status)
		snprintf(worker->status, sizeof(worker->status), "%s", message->status);
	if (message->has_errno)
		worker->said_errno = message->errno_value;
	if (message->extend_usec > 0)
		take_extension(worker, message->extend_usec, now_ms);
	if (message->ready)
		take_ready_message(worker, now_ms);
	if (message->stopping)
		begin_leaving(worker, now_ms);
	if (message->watchdog_trigger && worker->record.state != WORKER_STOPPING)
		end_hung(worker, "says itself that it hangs (WATCHDOG=trigger)", now_ms);
}

static void do_due(struct worker *worker, enum worker_due due, int64_t now_ms)
{
	switch (due) {
	case DUE_NOTHING: return;
	case DUE_READY: get_ready(worker, now_ms); return;
	case DUE_START_TIMEOUT: fail_start(worker, now_ms); return;
	case DUE_HEARTBEAT: end_hung(worker, "no sign of life within timeout", now_ms); return;
	case DUE_REQUEST: end_long_job(worker, now_ms); return;
	case DUE_EXPIRED: expire(worker); return;
	case DUE_SIGNAL:
		worker->asked = true;
		soft_signal(worker, worker->retire_signal, now_ms);
		return;
	case DUE_KILL:
		worker_kill(worker,
			worker->times.hung ? "hung" : "did not leave within stop_timeout", now_ms);
		return;
	case DUE_UNKILLABLE: warn_unkillable(worker, now_ms); return;
	}
}

/* What a word from the worker can avert. */
static bool may_be_averted(enum worker_due due)
{
	return due == DUE_HEARTBEAT || due == DUE_REQUEST || due == DUE_START_TIMEOUT;
}

/* Is it ready by living for min_uptime? */
static bool ready_when_alive(const struct worker *worker)
{
	const int rule = worker->generation->settings->ready;

	return rule == READY_ALIVE ||
	       (rule == READY_AUTO && worker->context->shown == SHOWN_NOTHING);
}

int64_t worker_advance(struct worker *worker, int64_t now_ms)
{
	struct worker_context *context = worker->context;
	struct worker_limits limits = worker->generation->limits;
	bool looked = false;
	enum worker_due due;
	int64_t at;

	for (;;) {
		limits.ready_when_alive = ready_when_alive(worker);
		due = worker_next_due(
			worker->record.state, worker->activity, &worker->times, &limits, &at);
		if (at > now_ms || worker->ended)
			return at;
		/* The hold-off of the scoreboard must not cost a worker its life. */
		if (!looked && may_be_averted(due)) {
			worker_observe(worker,
				scoreboard_reread(context->board, worker->record.slot), now_ms);
			looked = true;
			continue;
		}
		do_due(worker, due, now_ms);
	}
}

/* What fork, setuid or exec refuse for a while, whatever the program. */
static bool is_environment_error(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

static bool is_failure(const struct worker *worker, const struct worker_end *end)
{
	const bool every_abnormal_exit =
		worker->generation->settings->min_uptime_ms == DURATION_INFINITE;
	/* Of one that is no child of ours nobody can say how it ended. */
	const bool normal = end->code == 0 || (end->code == CLD_EXITED && end->status == 0);

	/* On a busy machine a child can be older than min_uptime before its exec fails. */
	if (worker->start_failed || worker->failure.pid)
		return true;
	if (worker->asked)
		return false;
	if (every_abnormal_exit && !normal)
		return true;
	if (worker->job_done)
		return false;
	return worker->ready_at == 0 || end->age_ms < worker->generation->limits.min_uptime_ms;
}

void worker_forget(struct worker *worker)
{
	if (!worker_present(worker))
		return;
	stop_watching(worker);
	sys_close(worker->pidfd);
	worker->pidfd = -1;
	generation_release(worker->generation);
	worker->generation = NULL;
}

void worker_reap(struct worker *worker, struct worker_end *end, int64_t now_ms)
{
	siginfo_t info = {0};

	/* The group first: once the leader is reaped, its number may be a stranger's. One that is
	 * no child of ours may have been reaped by now: then the number is still its group's where
	 * nobody bears it, since no group comes without a leader. */
	if (!worker->foreign || sys_process_group(worker->record.pid) < 0)
		sys_kill_group(worker->record.pid, SIGKILL);
	if (sys_wait_child(worker->record.pid, &info, WNOHANG) < 0)
		info.si_code = 0;
	*end = (struct worker_end){
		.record = worker->record,
		.age_ms = now_ms - worker->times.started_at,
		.code = info.si_code,
		.status = info.si_status,
		.asked = worker->asked,
		.round = worker->round,
		.failure = worker->failure,
	};
	end->environment = worker->failure.pid && is_environment_error(worker->failure.error);
	end->failed = !end->environment && is_failure(worker, end);
	set_state(worker, WORKER_EVENT_REAPED, now_ms);
	stop_watching(worker);
	sys_close(worker->pidfd);
	worker->pidfd = -1;
	worker->ended = false;
	worker->activity = ACTIVITY_NONE;
	worker->leaving = worker->replacement = false;
	generation_release(worker->generation);
	worker->generation = NULL;
	scoreboard_clear(worker->context->board, worker->record.slot);
}
