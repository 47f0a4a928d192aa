/* Growth by what waits at the sockets: as many as wait, at once, none too many; on demand from none
 * and down to none, and nobody who waits is forgotten. `library_worker` answers one byte with "+".
 */
#include "dynamic_pool.h"

#include <poll.h>
#include <sys/socket.h>

#define HELD_MAX 64

static int port;
static int held[HELD_MAX];

/* A command that may be slow to start, and keys of the pool. */
static void start(const char *command, const char *keys)
{
	port = free_port();
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 128\n[pool:web]\n" QUICK
	       "environment = ASAN_OPTIONS=detect_leaks=0\ncommand = %s\n%s",
		port, command, keys);
	daemon_start();
	WAIT_FOR(log_has("ready: the first workers"));
}

static const char *library_worker(void)
{
	return worker_named("library_worker");
}

static void hold(int from, int to)
{
	for (int i = from; i < to; i++) {
		held[i] = port_connect(port);
		ck_assert_int_ge(held[i], 0);
	}
}

static void ask(int i)
{
	ck_assert_int_eq(send(held[i], "?", 1, MSG_NOSIGNAL), 1);
}

static void expect_answer(int i)
{
	struct pollfd one = {.fd = held[i], .events = POLLIN};
	char byte = 0;

	ck_assert_msg(poll(&one, 1, (int)slow_ms(20000)) == 1, "no answer");
	ck_assert_int_eq(recv(held[i], &byte, 1, 0), 1);
	ck_assert_int_eq(byte, '+');
	close(held[i]);
}

static void release(int from, int to)
{
	for (int i = from; i < to; i++)
		ask(i);
	for (int i = from; i < to; i++)
		expect_answer(i);
}

static int busy(void)
{
	return (int)(file_size("run/web.scoreboard") / LINE) - in_state('_') - in_state('.');
}

static long switches(pid_t pid)
{
	char path[64];
	const char *text;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	text = strstr(file_text(path), "\nvoluntary_ctxt_switches:");
	ck_assert_ptr_nonnull(text);
	return strtol(strchr(text, ':') + 1, NULL, 10);
}

/* --- growth ------------------------------------------------------------------------------- */

/* Each start takes half a second: one by one, or by doubling, it would take many of them. */
START_TEST(fifty_held_connections_have_fifty_workers_in_about_two_starts)
{
	char slow[PATH_MAX + 40];
	int64_t began_at;

	snprintf(slow, sizeof(slow), "sh -c 'sleep 0.5; exec %s'", library_worker());
	start(slow, "max_workers = 50\nmin_spare_workers = 1\nsockets = tcp\n");
	WAIT_FOR(in_state('_') == 1);
	began_at = now_ms();
	hold(0, 50);
	WAIT_FOR(busy() == 50);
	ck_assert_int_lt(now_ms() - began_at, slow_ms(2500));
	HOLDS_FOR(200, worker_count() == 50);
	release(0, 50);
	EXPECT_STOP();
}
END_TEST

START_TEST(not_one_more_than_wait_and_are_kept)
{
	start(library_worker(), "max_workers = 60\nmin_spare_workers = 2\nsockets = tcp\n");
	WAIT_FOR(in_state('_') == 2);
	hold(0, 20);
	WAIT_FOR(busy() == 20 && in_state('_') == 2);
	HOLDS_FOR(300, worker_count() == 22);
	ck_assert(log_has("wait, nobody is idle"));
	release(0, 20);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_step_bounds_how_many_start_at_a_time)
{
	char slow[PATH_MAX + 40];

	snprintf(slow, sizeof(slow), "sh -c 'sleep 0.3; exec %s'", library_worker());
	start(slow, "max_workers = 30\nmin_spare_workers = 0\nmax_spawn_step = 4\nready = "
		    "scoreboard\nsockets = tcp\n");
	hold(0, 10);
	WAIT_FOR(worker_count() == 4);
	HOLDS_FOR(100, worker_count() == 4);
	WAIT_FOR(busy() == 10);
	HOLDS_FOR(200, worker_count() == 10);
	release(0, 10);
	EXPECT_STOP();
}
END_TEST

/* --- on demand ---------------------------------------------------------------------------- */

#define ON_DEMAND "max_workers = 20\nmin_spare_workers = 0\nidle_timeout = 300ms\n"

START_TEST(the_first_connection_starts_one_and_none_is_left)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	HOLDS_FOR(100, worker_count() == 0);
	for (int i = 0; i < 3; i++) {
		hold(0, 1);
		release(0, 1);
		ck_assert_int_eq(worker_count(), 1);
		WAIT_FOR(worker_count() == 0);
	}
	ck_assert_int_eq(starts(), 3);
	ck_assert_int_eq(retirements(), 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_socket_as_standard_input_will_do)
{
	start("@worker@ http", ON_DEMAND "stdin = socket:tcp\n");
	ck_assert_ptr_nonnull(http_get(port, "/"));
	ck_assert_int_eq(worker_count(), 1);
	WAIT_FOR(worker_count() == 0);
	ck_assert_ptr_nonnull(http_get(port, "/"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_reload_while_nobody_is_there)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	daemon_kill(SIGHUP);
	WAIT_FOR(log_has("reload"));
	nap_ms(50);
	hold(0, 3);
	release(0, 3);
	ck_assert(log_has("generation 2"));
	WAIT_FOR(worker_count() == 0);
	EXPECT_STOP();
}
END_TEST

/* No try succeeds, while somebody waits: the rule of crash_loop is the same as ever. */
START_TEST(a_program_that_cannot_run_is_given_up)
{
	start("/bin/false", ON_DEMAND "sockets = tcp\nerr_respawn_max = 40ms\n");
	HOLDS_FOR(100, daemon_alive());
	hold(0, 1);
	EXPECT_EXIT(75);
}
END_TEST

/* --- what others got wrong ----------------------------------------------------------------- */

/* A connection is there, and what it wants comes long after idle_timeout: it keeps its worker, and
 * others get theirs. */
START_TEST(a_late_request_finds_its_worker)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	hold(0, 2);
	WAIT_FOR(worker_count() == 2);
	HOLDS_FOR(1000, worker_count() == 2);
	hold(2, 3);
	release(2, 3);
	release(0, 2);
	WAIT_FOR(worker_count() == 0);
	EXPECT_STOP();
}
END_TEST

/* One that waits in the queue while the last worker is about to go is neither lost nor late. */
START_TEST(requests_at_the_edge_of_idle_timeout_are_answered)
{
	unsigned int random = 1;

	start(library_worker(),
		"max_workers = 4\nmin_spare_workers = 0\nidle_timeout = 20ms\nsockets = tcp\n");
	for (int i = 0; i < 60; i++) {
		int64_t began_at = now_ms();

		hold(0, 1);
		release(0, 1);
		ck_assert_int_lt(now_ms() - began_at, slow_ms(2000));
		nap_ms(15 + rand_r(&random) % 20);
	}
	ck_assert_int_gt(retirements(), 0);
	ck_assert_int_eq(log_count("failure"), 0);
	EXPECT_STOP();
}
END_TEST

/* After a burst, a trickle of requests keeps one worker, not all that the burst has brought. */
START_TEST(a_trickle_does_not_keep_what_a_burst_brought)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	hold(0, 6);
	WAIT_FOR(busy() == 6);
	release(0, 6);
	for (int64_t until = now_ms() + slow_ms(5000); worker_count() > 1;) {
		ck_assert_int_lt(now_ms(), until);
		hold(0, 1);
		release(0, 1);
		nap_ms(40);
	}
	EXPECT_STOP();
}
END_TEST

/* Many that come in the same moment are many, not one event. */
START_TEST(all_that_come_at_once_get_a_worker_each)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	for (int i = 0; i < 5; i++) {
		hold(0, 12);
		WAIT_FOR(busy() == 12 && worker_count() == 12);
		release(0, 12);
		WAIT_FOR(worker_count() == 0);
	}
	EXPECT_STOP();
}
END_TEST

/* Who connects and goes away at once has not started a crowd. */
START_TEST(a_connection_that_is_gone_starts_no_more_than_one)
{
	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	for (int i = 1; i <= 5; i++) {
		hold(0, 1);
		close(held[0]);
		WAIT_FOR(starts() == i && worker_count() == 0);
	}
	ck_assert_int_eq(starts(), 5);
	EXPECT_STOP();
}
END_TEST

/* --- what it costs ------------------------------------------------------------------------- */

START_TEST(idle_workers_cost_no_wake_up)
{
	long before;

	start(library_worker(), "max_workers = 150\nmin_spare_workers = 100\nsockets = tcp\n");
	WAIT_FOR(in_state('_') == 100);
	nap_ms(slow_ms(500));
	before = switches(daemon_pid());
	nap_ms(1000);
	ck_assert_int_le(switches(daemon_pid()) - before, 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(nobody_and_nobody_waiting_cost_none_either)
{
	long before;

	start(library_worker(), ON_DEMAND "sockets = tcp\n");
	nap_ms(slow_ms(200));
	before = switches(daemon_pid());
	nap_ms(1000);
	ck_assert_int_le(switches(daemon_pid()) - before, 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_full_pool_and_a_full_queue_cost_next_to_nothing)
{
	long before;
	int64_t cpu_ms;

	start(library_worker(), "max_workers = 4\nmin_spare_workers = 0\nsockets = tcp\n");
	hold(0, 40);
	WAIT_FOR(busy() == 4);
	WAIT_FOR(log_has("max_workers 4 reached"));
	nap_ms(slow_ms(200));
	before = switches(daemon_pid());
	cpu_ms = process_cpu_ms(daemon_pid());
	nap_ms(1000);
	ck_assert_int_le(switches(daemon_pid()) - before, 5);
	ck_assert_int_le(process_cpu_ms(daemon_pid()) - cpu_ms, 20);
	ck_assert_int_eq(log_count("max_workers 4 reached"), 1);
	release(0, 40);
	EXPECT_STOP();
}
END_TEST

static Suite *demand_suite(void)
{
	Suite *suite = suite_create("demand");
	TCase *growth = harness_case(suite, "growth");
	TCase *demand = harness_case(suite, "on_demand");
	TCase *others = harness_case(suite, "others");
	TCase *cost = harness_case(suite, "cost");

	tcase_add_test(growth, fifty_held_connections_have_fifty_workers_in_about_two_starts);
	tcase_add_test(growth, not_one_more_than_wait_and_are_kept);
	tcase_add_test(growth, a_step_bounds_how_many_start_at_a_time);
	tcase_add_test(demand, the_first_connection_starts_one_and_none_is_left);
	tcase_add_test(demand, a_socket_as_standard_input_will_do);
	tcase_add_test(demand, a_reload_while_nobody_is_there);
	tcase_add_test(demand, a_program_that_cannot_run_is_given_up);
	tcase_add_test(others, a_late_request_finds_its_worker);
	tcase_add_test(others, requests_at_the_edge_of_idle_timeout_are_answered);
	tcase_add_test(others, a_trickle_does_not_keep_what_a_burst_brought);
	tcase_add_test(others, all_that_come_at_once_get_a_worker_each);
	tcase_add_test(others, a_connection_that_is_gone_starts_no_more_than_one);
	tcase_add_test(cost, idle_workers_cost_no_wake_up);
	tcase_add_test(cost, nobody_and_nobody_waiting_cost_none_either);
	tcase_add_test(cost, a_full_pool_and_a_full_queue_cost_next_to_nothing);
	return suite;
}

int main(void)
{
	return harness_main(demand_suite());
}
