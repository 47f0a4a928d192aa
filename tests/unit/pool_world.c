/*
 * The world of a pool's tests. It does what supervisor.c does in a turn of the loop, for one pool
 * and without the attended clock.
 */
#include "pool_world.h"

#include <signal.h>
#include <string.h>

#include "board.h"
#include "config_world.h"
#include "generation.h"
#include "logger.h"
#include "notify_message.h"
#include "pool_reconcile.h"
#include "pool_roll.h"
#include "settings_compare.h"
#include "sys.h"

#define TURNS_MAX    10000
#define DAY_MS       86400000
#define FAILURES_MAX 3 /* reload.c's */

static void on_changed(void *owner)
{
	struct pool_world *world = owner;

	ev_idle_start(world->loop, &world->again);
}

static int64_t now(void *owner)
{
	(void)owner;
	return sys_now_ms();
}

static void on_again(struct ev_loop *loop, ev_idle *watcher, int events)
{
	(void)loop;
	(void)watcher;
	(void)events;
}

/* A break from within epoll_wait(2) would not be heard. */
static void on_polled(struct ev_loop *loop, ev_check *watcher, int events)
{
	struct pool_world *world = watcher->data;

	(void)events;
	if (world->passed)
		ev_break(loop, EVBREAK_ONE);
	world->passed = false;
}

static void end_roll(struct pool_world *world, enum world_roll roll)
{
	configuration_release(world->from);
	world->from = NULL;
	world->roll = roll;
}

static void follow_roll(struct pool_world *world)
{
	if (world->roll != ROLL_ON || world->pool->stopping)
		return;
	if (world->pool->roll.failures >= FAILURES_MAX) {
		world_roll_back(world);
	} else if (pool_rolled(world->pool)) {
		pool_roll_commit(world->pool);
		end_roll(world, ROLL_DONE);
	}
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct pool_world *world = watcher->data;
	struct spawn_report report;

	(void)events;
	world->turns++;
	ev_idle_stop(loop, &world->again);
	if (!world->pool)
		return;
	while (spawn_reports_read(&world->reports, &report))
		pool_take_report(world->pool, &report);
	if (world->pool->dirty)
		pool_reconcile(world->pool, sys_now_ms());
	follow_roll(world);
	if (world->pool->dirty)
		ev_idle_start(loop, &world->again);
}

static void open_log(struct pool_world *world)
{
	const struct logger_settings settings = {
		.target = test_path(&world->dir, "log"), .level = LOG_LEVEL_INFO};
	struct errmsg err;

	ck_assert_msg(logger_open(&settings, &err) == 0, "%s", err.text);
}

static struct configuration *read_keys(const char *keys, const struct configuration *previous)
{
	struct configuration *configuration;
	char *text = NULL;
	struct errmsg err;

	ck_assert_int_ge(asprintf(&text, "[pool:web]\ncommand = /bin/true\n%s", keys), 0);
	configuration = configuration_open(must_parse(text), previous, NULL, &err);
	ck_assert_msg(configuration != NULL, "%s", err.text);
	free(text);
	return configuration;
}

void world_prepare(struct pool_world *world, const char *keys)
{
	struct errmsg err;

	*world = (struct pool_world){.board_fd = -1};
	test_dir_make(&world->dir);
	open_log(world);
	world->keys = strdup(keys);
	world->configuration = read_keys(keys, NULL);
	world->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	ev_prepare_init(&world->prepare, on_turn);
	world->prepare.data = world;
	ev_prepare_start(world->loop, &world->prepare);
	ev_check_init(&world->polled, on_polled);
	world->polled.data = world;
	ev_check_start(world->loop, &world->polled);
	ev_idle_init(&world->again, on_again);
	ck_assert_int_eq(spawn_reports_open(&world->reports, &err), 0);
	world->descriptors = fake_sys_descriptors();
}

bool world_open_pool(struct pool_world *world, struct errmsg *err)
{
	struct pool_place place = {
		.launch = {.name = "test"},
		.changed = on_changed,
		.now = now,
		.owner = world,
	};

	place.loop = world->loop;
	place.launch.found_limits = &world->limits;
	place.scoreboard_folder = world->dir.path;
	place.reports = &world->reports;
	world->pool = pool_new(
		world->configuration, &world->configuration->settings->pools[0], &place, err);
	if (!world->pool)
		return false;
	world->board_fd = open(test_path(&world->dir, "web.scoreboard"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(world->board_fd, 0);
	return true;
}

bool world_open(struct pool_world *world, const char *keys, struct errmsg *err)
{
	world_prepare(world, keys);
	return world_open_pool(world, err);
}

void world_begin(struct pool_world *world, const char *keys)
{
	struct errmsg err;

	ck_assert_msg(world_open(world, keys, &err), "%s", err.text);
	world_settle(world);
}

void world_end(struct pool_world *world)
{
	if (world->board_fd >= 0)
		close(world->board_fd);
	pool_free(world->pool);
	world->pool = NULL;
	ck_assert_uint_eq(fake_sys_descriptors(), world->descriptors);
	ck_assert_uint_eq(fake_sys_strays(), 0);
	spawn_reports_close(&world->reports);
	ev_loop_destroy(world->loop);
	configuration_release(world->configuration);
	configuration_release(world->from);
	free(world->keys);
	free(world->from_keys);
	logger_close();
	test_dir_remove(&world->dir);
	fake_sys_reset();
}

void world_turn(struct pool_world *world)
{
	ev_run(world->loop, EVRUN_NOWAIT);
}

void world_settle(struct pool_world *world)
{
	const unsigned begun = world->turns;

	do {
		world_turn(world);
		if (world->turns - begun > TURNS_MAX)
			ck_abort_msg("the pool never comes to rest");
	} while (world->pool->dirty);
}

static void on_passed(void *context)
{
	*(bool *)context = true;
}

void world_pass(struct pool_world *world, int64_t ms)
{
	world_settle(world);
	fake_sys_after(ms, on_passed, &world->passed);
	ev_run(world->loop, 0);
	world_settle(world);
}

int64_t world_until_start(struct pool_world *world)
{
	const int64_t begun_at = fake_sys_now_ms();
	const unsigned forks = fake_sys_count(FAKE_FORK);

	world_turn(world);
	while (fake_sys_count(FAKE_FORK) == forks) {
		if (fake_sys_now_ms() - begun_at > DAY_MS)
			return -1;
		if (world->pool->due_at == WORKER_NEVER && !world->pool->dirty)
			return -1;
		ev_run(world->loop, EVRUN_ONCE);
	}
	return fake_sys_now_ms() - begun_at;
}

struct worker *world_worker(const struct pool_world *world, int slot)
{
	return pool_worker(world->pool, slot);
}

pid_t world_pid(const struct pool_world *world, int slot)
{
	const struct worker *worker = pool_worker(world->pool, slot);

	return worker ? worker->record.pid : 0;
}

int world_count(const struct pool_world *world, enum worker_class class)
{
	int count = 0;

	for (int i = 0; i < world->pool->slot_count; i++)
		count += worker_counts_as(world->pool->slot[i]) == class;
	return count;
}

void world_write(const struct pool_world *world, int slot, int at, const char *text)
{
	const size_t length = strlen(text);

	if (pwrite(world->board_fd, text, length, slot * BOARD_LINE_BYTES + at) != (ssize_t)length)
		ck_abort_msg("the scoreboard cannot be written");
}

void world_say(struct pool_world *world, int from, int to, const char *state)
{
	for (int slot = from; slot < to; slot++)
		world_write(world, slot, BOARD_STATE_AT, state);
	world_pass(world, 5);
}

char world_byte(const struct pool_world *world, int slot, int at)
{
	char byte = '\0';

	if (pread(world->board_fd, &byte, 1, slot * BOARD_LINE_BYTES + at) < 0)
		ck_abort_msg("the scoreboard cannot be read");
	return byte;
}

void world_exit(struct pool_world *world, int slot, int status)
{
	fake_sys_exit(world_pid(world, slot), status);
	world_settle(world);
}

void world_crash(struct pool_world *world, int slot, int signal_number)
{
	fake_sys_end_by_signal(world_pid(world, slot), signal_number);
	world_settle(world);
}

void world_fail_exec(struct pool_world *world, int slot, int error)
{
	struct spawn_report report = {.pid = world_pid(world, slot), .error = error};

	while (strcmp(spawn_step_name(report.step), "exec") != 0)
		report.step++;
	if (write(world->reports.write_fd, &report, sizeof(report)) != sizeof(report))
		ck_abort_msg("no room for a report");
	world_exit(world, slot, 127);
}

unsigned world_signals(pid_t pid)
{
	unsigned count = fake_sys_signals_to(pid, 0) + fake_sys_group_signals_to(pid, 0);

	return count - fake_sys_signals_to(pid, SIGCONT) - fake_sys_group_signals_to(pid, SIGCONT);
}

bool world_try_roll(struct pool_world *world, const char *wanted)
{
	char *keys = strdup(wanted ? wanted : world->keys);
	struct configuration *to = read_keys(keys, world->configuration);
	struct generation *generation;
	struct errmsg err;

	generation = pool_make_generation(world->pool, to, &to->settings->pools[0], &err);
	if (!generation) {
		configuration_release(to);
		free(keys);
		return false;
	}
	if (world->roll == ROLL_ON) {
		configuration_release(world->configuration);
		free(world->keys);
	} else {
		world->from = world->configuration;
		free(world->from_keys);
		world->from_keys = world->keys;
	}
	world->configuration = to;
	world->keys = keys;
	world->roll = ROLL_ON;
	pool_roll_begin(world->pool, generation, 0);
	generation_release(generation);
	return true;
}

void world_roll(struct pool_world *world, const char *keys)
{
	ck_assert(world_try_roll(world, keys));
}

void world_roll_back(struct pool_world *world)
{
	struct configuration *given_up = world->configuration;

	ck_assert(world->roll == ROLL_ON);
	world->configuration = configuration_hold(world->from);
	pool_roll_back(world->pool,
		!settings_workers_differ(world->from->settings, &world->from->settings->pools[0],
			given_up->settings, &given_up->settings->pools[0]));
	configuration_release(given_up);
	free(world->keys);
	world->keys = world->from_keys;
	world->from_keys = NULL;
	end_roll(world, ROLL_GIVEN_UP);
}

void world_notify(struct pool_world *world, int slot, const char *message)
{
	struct notify_message said;

	notify_message_read(&said, message, strlen(message));
	if (world_pid(world, slot))
		pool_take_message(world->pool, world_pid(world, slot), &said);
}

int world_logged(const struct pool_world *world, const char *text)
{
	static char log[1 << 20];
	int count = 0;

	test_read_file(test_path(&world->dir, "log"), log, sizeof(log));
	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

/* --- workers that obey --- */

static struct {
	int signal_number;
	int64_t after_ms;
} obedience;

static void leave(void *context)
{
	const pid_t pid = (pid_t)(intptr_t)context;

	if (fake_sys_alive(pid))
		fake_sys_exit(pid, 0);
}

static void on_signal(pid_t pid, int number, bool group, void *context)
{
	(void)group;
	(void)context;
	if (number == obedience.signal_number)
		fake_sys_after(obedience.after_ms, leave, (void *)(intptr_t)pid);
}

void world_obey(int signal_number, int64_t after_ms)
{
	obedience.signal_number = signal_number;
	obedience.after_ms = after_ms;
	fake_sys_on_signal(on_signal, NULL);
}
