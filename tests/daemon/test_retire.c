/* Retirement under load loses no request: workers that follow the recipe, and else die of TERM at
 * once, and workers that leave it to libprefork, are retired a hundred times (PREFORKD_TEST_LONG=1:
 * a thousand times) while clients count what they were answered. */
#include "harness.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dynamic_pool.h"

#define CLIENTS 3

static int how_many(void)
{
	return getenv("PREFORKD_TEST_LONG") ? 1000 : 100;
}

/* Who knows how not to lose one. */
static const struct {
	const char *program, *argument;
} careful[] = {{"recipe_worker", ""}, {"library_worker", ""}, {"library_worker", "4"}};
#define CAREFUL (int)(sizeof(careful) / sizeof(careful[0]))

static int start(const char *program, const char *argument, const char *keys)
{
	int port = free_port();

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\n"
	       "min_uptime = 20ms\nerr_respawn_interval = 20ms\nsockets = tcp\n"
	       /* sanitized programs may search for leaks for ever once TERM has come */
	       "environment = ASAN_OPTIONS=detect_leaks=0\n"
	       "command = %s %s\n%s",
		port, worker_named(program), argument, keys);
	daemon_start();
	WAIT_FOR(worker_count() > 0 && in_state('_') > 0);
	return port;
}

static void clients_start(pid_t clients[CLIENTS], const char *how, int port, int connections)
{
	char port_text[16], connections_text[16], name[16];

	snprintf(port_text, sizeof(port_text), "%d", port);
	snprintf(connections_text, sizeof(connections_text), "%d", connections);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "client%d", i);
		clients[i] = program_start(name, NULL,
			(const char *[]){worker_named("recipe_worker"), how, port_text,
				path_of("count%d", i), connections_text, NULL});
	}
}

/* How many answers they got; `lost`: how many not. */
static long clients_end(pid_t clients[CLIENTS], long *lost)
{
	long answered = 0, one, one_lost;

	*lost = 0;
	for (int i = 0; i < CLIENTS; i++)
		kill(clients[i], SIGTERM);
	for (int i = 0; i < CLIENTS; i++) {
		ck_assert_int_eq(program_wait(clients[i]), 0);
		ck_assert_int_eq(
			sscanf(file_text(path_of("count%d", i)), "%ld %ld", &one, &one_lost), 2);
		answered += one;
		*lost += one_lost;
	}
	return answered;
}

static int inhabited(void)
{
	return 6 - lines_with(3, ' ');
}

/* TTOU sends one away, TTIN brings one back. */
static void shrink_and_grow(int times)
{
	WAIT_FOR(inhabited() == 6);
	for (int i = 0; i < times; i++) {
		daemon_kill(SIGTTOU);
		WAIT_FOR(inhabited() == 5);
		daemon_kill(SIGTTIN);
		WAIT_FOR(inhabited() == 6);
	}
}

static void report(const char *what, int retired, long answered, long lost)
{
	printf("%s: %d retirements, %ld answered, %ld lost\n", what, retired, answered, lost);
	fflush(stdout);
}

START_TEST(ttou_under_load_loses_no_request)
{
	pid_t clients[CLIENTS];
	long lost, answered;

	clients_start(clients, "client",
		start(careful[_i].program, careful[_i].argument, "max_workers = 6\n"), 6);
	shrink_and_grow(how_many());
	answered = clients_end(clients, &lost);
	report("static pool", retirements(), answered, lost);
	ck_assert_int_eq(retirements(), how_many());
	ck_assert_int_eq(lost, 0);
	ck_assert_int_gt(answered, how_many());
	ck_assert(!log_has("did not leave within stop_timeout"));
	EXPECT_STOP();
}
END_TEST

/* Without that look requests are lost, and the clients notice. */
START_TEST(workers_that_do_not_look_at_their_mark_lose_some)
{
	pid_t clients[CLIENTS];
	long lost;

	clients_start(
		clients, "client", start("recipe_worker", "careless", "max_workers = 6\n"), 6);
	shrink_and_grow(100);
	clients_end(clients, &lost);
	ck_assert_int_gt(lost, 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(surplus_under_pulses_of_load_loses_no_request)
{
	pid_t clients[CLIENTS];
	long lost, answered;

	clients_start(clients, "pulse",
		start(careful[_i].program, careful[_i].argument,
			"max_workers = 12\nmin_spare_workers = 1\nmax_spare_workers = 2\n"
			"idle_timeout = 10ms\n"),
		6);
	WAIT_FOR_WITHIN(40000, retirements() >= how_many());
	answered = clients_end(clients, &lost);
	report("dynamic pool", retirements(), answered, lost);
	ck_assert_int_eq(lost, 0);
	ck_assert_int_gt(answered, how_many());
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retirement under load");
	TCase *tcase = harness_case(suite, "requests");

	tcase_add_loop_test(tcase, ttou_under_load_loses_no_request, 0, CAREFUL);
	tcase_add_test(tcase, workers_that_do_not_look_at_their_mark_lose_some);
	/* four threads need a further worker too seldom */
	tcase_add_loop_test(tcase, surplus_under_pulses_of_load_loses_no_request, 0, 2);
	return harness_main(suite);
}
