/*
 * A pool and the real queues of its sockets. Its workers are invented: the test accepts for them,
 * or does not, and connections wait for as long as it says.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "generation.h"
#include "pool_roll.h"
#include "pool_world.h"
#include "socket_table.h"

#define CONNECTIONS_MAX 64
#define HOUR_MS         3600000
#define QUIET_HOUR      65 /* turns: libev looks at its clock once a minute */
#define DEMAND                                                                                     \
	"min_spare_workers = 0\nmax_workers = 8\nidle_timeout = 2s\nmin_uptime = 100ms\n"          \
	"sockets = one\n"

static int connection[CONNECTIONS_MAX];
static int connections;

static void name_of(const char *socket, char name[64])
{
	snprintf(name, 64, "preforkd-test-%d-%s", (int)getpid(), socket);
}

/* The keys, and behind them the sockets `one` (and `two`) of the given type. */
static void begin(struct pool_world *world, const char *keys, const char *type)
{
	char one[64], two[64], text[2048];

	name_of("one", one);
	name_of("two", two);
	snprintf(text, sizeof(text),
		"%s[socket:one]\nlisten = unix:@%s\ntype = %s\n"
		"[socket:two]\nlisten = unix:@%s\n",
		keys, one, type, two);
	world_begin(world, text);
}

static void knock_at(const char *socket_name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	char name[64];
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	name_of(socket_name, name);
	memcpy(address.sun_path + 1, name, strlen(name));
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	if (type == SOCK_DGRAM)
		ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	ck_assert_int_lt(connections, CONNECTIONS_MAX);
	connection[connections++] = fd;
}

static void knock(int count)
{
	while (count-- > 0)
		knock_at("one", SOCK_STREAM);
}

static void take(const struct pool_world *world, int count)
{
	const struct listener *listener = socket_table_find(&world->configuration->sockets, "one");

	while (count-- > 0) {
		const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

		ck_assert_int_ge(fd, 0);
		close(fd);
	}
}

static void end(struct pool_world *world)
{
	while (connections > 0)
		close(connection[--connections]);
	world_end(world);
}

/* How many turns of the loop it takes for so long. */
static unsigned turns_in(struct pool_world *world, int64_t ms)
{
	const unsigned before = world->turns;

	world_pass(world, ms);
	return world->turns - before;
}

/* --- on demand --------------------------------------------------------------------------- */

START_TEST(the_first_connection_starts_one)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	ck_assert(world.pool->first_ready);
	ck_assert_uint_le(turns_in(&world, HOUR_MS), QUIET_HOUR);
	ck_assert_uint_eq(fake_sys_living(), 0);
	knock(1);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 1);
	ck_assert_int_eq(world_logged(&world, "1 connection waits, nobody is idle: starting 1"), 1);
	world_pass(&world, 50);
	ck_assert_uint_eq(fake_sys_living(), 1);
	end(&world);
}
END_TEST

START_TEST(as_many_as_wait_come_at_once)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(5);
	world_settle(&world);
	ck_assert_int_eq(fake_sys_now_ms(), FAKE_START_MS);
	ck_assert_uint_eq(fake_sys_living(), 5);
	/* while they come, two more knock */
	knock(2);
	world_pass(&world, 20);
	ck_assert_uint_eq(fake_sys_living(), 7);
	take(&world, 7);
	world_say(&world, 0, 7, "B");
	world_pass(&world, 200);
	ck_assert_uint_eq(fake_sys_living(), 7);
	/* and one when all are busy */
	knock(1);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 8);
	end(&world);
}
END_TEST

START_TEST(down_to_none_and_up_again)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	world_obey(SIGTERM, 1);
	for (int i = 0; i < 3; i++) {
		knock(3);
		world_settle(&world);
		ck_assert_uint_eq(fake_sys_living(), 3);
		take(&world, 3);
		world_say(&world, 0, 3, "B");
		world_say(&world, 0, 3, "_");
		world_pass(&world, 1900);
		ck_assert_uint_eq(fake_sys_living(), 3);
		world_pass(&world, 200);
		ck_assert_uint_eq(fake_sys_living(), 0);
		ck_assert_uint_le(turns_in(&world, HOUR_MS), QUIET_HOUR);
	}
	end(&world);
}
END_TEST

START_TEST(nobody_is_retired_while_one_waits)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	world_obey(SIGTERM, 1);
	knock(2);
	world_settle(&world);
	world_say(&world, 0, 2, "_");
	take(&world, 1);
	ck_assert_uint_le(turns_in(&world, 10000), 200);
	ck_assert_uint_eq(fake_sys_living(), 2);
	ck_assert_int_eq(world_byte(&world, 0, BOARD_RETIRE_AT), ' ');
	ck_assert_uint_eq(world_signals(world_pid(&world, 0)), 0);
	take(&world, 1);
	world_pass(&world, 200);
	ck_assert_uint_eq(fake_sys_living(), 0);
	end(&world);
}
END_TEST

/* It comes in the moment in which the last one has been asked to leave. */
START_TEST(one_that_comes_too_late_starts_another)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(1);
	world_settle(&world);
	take(&world, 1);
	world_say(&world, 0, 1, "_");
	world_pass(&world, 2100);
	ck_assert_int_eq(world_count(&world, CLASS_LEAVING), 1);
	knock(1);
	world_settle(&world);
	ck_assert_int_eq(world_count(&world, CLASS_STARTING), 1);
	end(&world);
}
END_TEST

START_TEST(start_workers_come_first_and_go)
{
	struct pool_world world;

	begin(&world, DEMAND "start_workers = 2\n", "stream");
	world_obey(SIGTERM, 1);
	ck_assert_uint_eq(fake_sys_living(), 2);
	ck_assert(!world.pool->first_ready);
	world_say(&world, 0, 2, "_");
	ck_assert(world.pool->first_ready);
	world_pass(&world, 2100);
	ck_assert_uint_eq(fake_sys_living(), 0);
	end(&world);
}
END_TEST

/* --- what it costs ----------------------------------------------------------------------- */

START_TEST(nobody_looks_while_somebody_is_idle)
{
	struct pool_world world;

	begin(&world, "min_spare_workers = 1\nmax_workers = 8\nsockets = one\n", "stream");
	world_say(&world, 0, 1, "_");
	world_pass(&world, 2000);
	knock(9);
	ck_assert_uint_le(turns_in(&world, HOUR_MS), QUIET_HOUR);
	ck_assert_uint_eq(fake_sys_living(), 1);
	/* it takes one of them: now they count */
	take(&world, 1);
	world_say(&world, 0, 1, "B");
	ck_assert_uint_eq(fake_sys_living(), 8);
	end(&world);
}
END_TEST

START_TEST(a_full_pool_is_left_alone)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(20);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 8);
	take(&world, 8);
	world_say(&world, 0, 8, "B");
	world_pass(&world, 1000);
	ck_assert_uint_le(turns_in(&world, HOUR_MS), QUIET_HOUR);
	ck_assert_int_eq(world_logged(&world, "max_workers 8 reached"), 1);
	ck_assert_int_eq(world_logged(&world, "20 connections wait: 12 more wanted"), 1);
	/* one ends: at once another takes its place */
	world_exit(&world, 3, 0);
	ck_assert_int_ge(world_until_start(&world), 0);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 8);
	end(&world);
}
END_TEST

/* The queue of a full pool that was empty is waited for, so that it is said; once. */
START_TEST(a_full_pool_says_so_when_one_waits)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(8);
	world_settle(&world);
	take(&world, 8);
	world_say(&world, 0, 8, "B");
	world_pass(&world, 1000);
	ck_assert_int_eq(world_logged(&world, "max_workers 8 reached"), 0);
	knock(1);
	world_settle(&world);
	ck_assert_int_eq(world_logged(&world, "1 connection waits: 1 more wanted"), 1);
	ck_assert_uint_le(turns_in(&world, HOUR_MS), QUIET_HOUR);
	end(&world);
}
END_TEST

START_TEST(a_queue_under_way_is_looked_at_by_a_timer)
{
	struct pool_world world;

	begin(&world, DEMAND "ready = scoreboard\n", "stream");
	knock(3);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 3);
	/* some 67 looks, two turns each */
	ck_assert_uint_le(turns_in(&world, 1000), 150);
	ck_assert_uint_eq(fake_sys_living(), 3);
	end(&world);
}
END_TEST

START_TEST(failures_deter_and_the_looks_get_rare)
{
	struct pool_world world;

	begin(&world,
		DEMAND "crash_loop = backoff\nready = scoreboard\nerr_respawn_interval = 10s\n",
		"stream");
	knock(1);
	world_settle(&world);
	world_exit(&world, 0, 1);
	ck_assert_uint_eq(fake_sys_living(), 0);
	ck_assert_uint_le(turns_in(&world, 5000), 110);
	ck_assert_uint_eq(fake_sys_living(), 0);
	world_pass(&world, 8000);
	ck_assert_uint_eq(fake_sys_count(FAKE_FORK), 2);
	end(&world);
}
END_TEST

/* What a worker takes that was not known to be free is no reason to watch all the time. */
START_TEST(false_alarms_make_it_pause)
{
	struct pool_world world;
	int64_t last_ms = 0;

	begin(&world, DEMAND, "stream");
	knock(1);
	world_settle(&world);
	take(&world, 1);
	world_say(&world, 0, 1, "B");
	for (int i = 0; i < 6; i++) {
		int64_t pause_ms;

		knock(1);
		world_turn(&world);
		take(&world, 1);
		world_settle(&world);
		pause_ms = world.pool->demand.quiet_until - fake_sys_now_ms();
		ck_assert_int_gt(pause_ms, last_ms < 100 ? last_ms : 0);
		ck_assert_int_le(pause_ms, 100);
		last_ms = pause_ms;
		world_pass(&world, 150);
	}
	ck_assert_int_eq(last_ms, 100);
	ck_assert_uint_eq(fake_sys_living(), 1);
	/* and who comes in the pause is found at its end */
	knock(1);
	world_turn(&world);
	take(&world, 1);
	world_settle(&world);
	knock(1);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 1);
	world_pass(&world, 110);
	ck_assert_uint_eq(fake_sys_living(), 2);
	end(&world);
}
END_TEST

/* --- doubts ------------------------------------------------------------------------------ */

static void check_doubt(struct pool_world *world)
{
	const unsigned before = fake_sys_living();

	for (int i = 0; i < 20; i++) {
		knock(2);
		world_pass(world, 30);
		take(world, 2);
		world_pass(world, 30);
	}
	ck_assert_uint_eq(fake_sys_living(), before);
	world_pass(world, 200);
	knock(3);
	world_pass(world, 30);
	take(world, 1);
	world_pass(world, 60);
	ck_assert_uint_eq(fake_sys_living(), before + 2);
}

START_TEST(an_unknown_one_may_be_about_to_accept)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(1);
	world_settle(&world);
	take(&world, 1);
	world_pass(&world, 200);
	ck_assert_int_eq(world_count(&world, CLASS_UNKNOWN), 1);
	check_doubt(&world);
	end(&world);
}
END_TEST

START_TEST(so_may_another_pool)
{
	struct pool_world world;

	begin(&world, DEMAND "[pool:other]\ncommand = /bin/true\nstdin = socket:one\n", "stream");
	ck_assert_uint_eq(fake_sys_living(), 0);
	check_doubt(&world);
	end(&world);
}
END_TEST

/* A careful worker says busy before it accepts: for a moment it looks as if another were needed. */
START_TEST(who_has_just_got_busy_is_about_to_accept)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(1);
	world_settle(&world);
	world_say(&world, 0, 1, "B");
	take(&world, 1);
	world_pass(&world, 50);
	ck_assert_uint_eq(fake_sys_living(), 1);
	/* but that was one of two */
	world_say(&world, 0, 1, "_");
	knock(2);
	world_pass(&world, 50);
	take(&world, 1);
	world_say(&world, 0, 1, "B");
	world_pass(&world, 20);
	ck_assert_uint_eq(fake_sys_living(), 2);
	end(&world);
}
END_TEST

/* --- kinds of sockets -------------------------------------------------------------------- */

START_TEST(all_sockets_count)
{
	struct pool_world world;

	begin(&world, DEMAND "stdin = socket:two\n", "seqpacket");
	knock_at("one", SOCK_SEQPACKET);
	knock_at("two", SOCK_STREAM);
	knock_at("two", SOCK_STREAM);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 3);
	end(&world);
}
END_TEST

START_TEST(a_socket_that_is_stdin_too_counts_once)
{
	struct pool_world world;

	begin(&world, DEMAND "stdin = socket:one\n", "stream");
	knock(2);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 2);
	end(&world);
}
END_TEST

START_TEST(a_datagram_starts_one)
{
	struct pool_world world;

	begin(&world, DEMAND, "dgram");
	for (int i = 0; i < 3; i++)
		knock_at("one", SOCK_DGRAM);
	world_settle(&world);
	world_pass(&world, 50);
	ck_assert_uint_eq(fake_sys_living(), 1);
	end(&world);
}
END_TEST

START_TEST(not_where_it_is_switched_off)
{
	struct pool_world world;

	begin(&world,
		"min_spare_workers = 1\nmax_workers = 8\nmax_spawn_step = 1\nsockets = one\n"
		"grow_on_backlog = no\n",
		"stream");
	knock(5);
	world_pass(&world, 100);
	ck_assert_uint_eq(fake_sys_living(), 1);
	end(&world);
}
END_TEST

/* --- what else goes on ------------------------------------------------------------------- */

START_TEST(a_drained_pool_stays_empty)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	pool_drain(world.pool, 0);
	world_settle(&world);
	knock(2);
	ck_assert_uint_le(turns_in(&world, 60000), 5);
	ck_assert_uint_eq(fake_sys_living(), 0);
	pool_resume(world.pool);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 2);
	end(&world);
}
END_TEST

START_TEST(nothing_comes_once_it_stops)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	pool_begin_stop(world.pool);
	world_settle(&world);
	knock(2);
	world_pass(&world, 60000);
	ck_assert_uint_eq(fake_sys_living(), 0);
	end(&world);
}
END_TEST

static void roll(struct pool_world *world)
{
	struct errmsg err;
	struct generation *next = pool_make_generation(
		world->pool, world->configuration, &world->configuration->settings->pools[0], &err);

	ck_assert_ptr_nonnull(next);
	pool_roll_begin(world->pool, next, 0);
	generation_release(next);
	world_settle(world);
}

/* Nobody has to be replaced and nobody to come; the next one is of the new generation. */
START_TEST(a_roll_of_nobody_is_done_at_once)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	roll(&world);
	ck_assert(pool_rolled(world.pool));
	pool_roll_commit(world.pool);
	knock(1);
	world_settle(&world);
	ck_assert_uint_eq(fake_sys_living(), 1);
	ck_assert_uint_eq(world_worker(&world, 0)->record.generation, 2);
	end(&world);
}
END_TEST

START_TEST(one_that_waits_over_a_roll_is_served)
{
	struct pool_world world;

	begin(&world, DEMAND, "stream");
	knock(1);
	roll(&world);
	world_pass(&world, 20);
	ck_assert_uint_eq(fake_sys_living(), 1);
	ck_assert_uint_eq(world_worker(&world, 0)->record.generation, 2);
	end(&world);
}
END_TEST

static Suite *pool_demand_suite(void)
{
	Suite *suite = suite_create("pool_demand");
	TCase *demand = tcase_create("demand");
	TCase *cost = tcase_create("cost");
	TCase *more = tcase_create("more");

	tcase_add_test(demand, the_first_connection_starts_one);
	tcase_add_test(demand, as_many_as_wait_come_at_once);
	tcase_add_test(demand, down_to_none_and_up_again);
	tcase_add_test(demand, nobody_is_retired_while_one_waits);
	tcase_add_test(demand, one_that_comes_too_late_starts_another);
	tcase_add_test(demand, start_workers_come_first_and_go);
	suite_add_tcase(suite, demand);
	tcase_add_test(cost, nobody_looks_while_somebody_is_idle);
	tcase_add_test(cost, a_full_pool_is_left_alone);
	tcase_add_test(cost, a_full_pool_says_so_when_one_waits);
	tcase_add_test(cost, a_queue_under_way_is_looked_at_by_a_timer);
	tcase_add_test(cost, failures_deter_and_the_looks_get_rare);
	tcase_add_test(cost, false_alarms_make_it_pause);
	suite_add_tcase(suite, cost);
	tcase_add_test(more, an_unknown_one_may_be_about_to_accept);
	tcase_add_test(more, so_may_another_pool);
	tcase_add_test(more, who_has_just_got_busy_is_about_to_accept);
	tcase_add_test(more, all_sockets_count);
	tcase_add_test(more, a_socket_that_is_stdin_too_counts_once);
	tcase_add_test(more, a_datagram_starts_one);
	tcase_add_test(more, not_where_it_is_switched_off);
	tcase_add_test(more, a_drained_pool_stays_empty);
	tcase_add_test(more, nothing_comes_once_it_stops);
	tcase_add_test(more, a_roll_of_nobody_is_done_at_once);
	tcase_add_test(more, one_that_waits_over_a_roll_is_served);
	suite_add_tcase(suite, more);
	return suite;
}

int main(void)
{
	return test_main(pool_demand_suite());
}
