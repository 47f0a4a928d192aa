/* Reloads under load: no request is refused, reset or left without an answer, there are never fewer
 * ready workers than before, and nothing piles up. Short; PREFORKD_TEST_LONG=1: a thousand. */
#include "harness.h"

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 4

static const char *unix_path(void)
{
	return path_of("web.sock");
}

/* Hello behind a TCP and a unix socket would serve the first only: it takes descriptor 3. So a pool
 * for each. */
static int start_both(const char *keys)
{
	int port = free_port();

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n"
	       "[socket:local]\nlisten = unix:%s\nbacklog = 1024\n"
	       "[pool:web]\nmax_workers = %d\n" QUICK "%scommand = %s\nsockets = tcp\n"
	       "[pool:local]\nmax_workers = %d\n" QUICK "%scommand = %s\nsockets = local\n",
		port, unix_path(), WORKERS, keys, hello_program(), WORKERS, keys, hello_program());
	daemon_start();
	WAIT_FOR(serving_of("web") == WORKERS && serving_of("local") == WORKERS);
	return port;
}

static void expect_capacity(const struct load *watch, int surge)
{
	struct sights sights = watch_end(watch);

	ck_assert_int_gt(sights.samples, 10);
	ck_assert_int_ge(sights.min_serving, WORKERS);
	ck_assert_int_le(sights.max_present, WORKERS + surge);
}

START_TEST(reloads_under_load_lose_no_request_and_no_capacity)
{
	int port = start_both(_i ? "surge = 50%\n" : ""), times = long_or_short(1000, 15);
	struct load closed = load_closed(load_port(port), "/", 8);
	struct load local = load_closed(unix_path(), "/sleep?ms=2", 6);
	struct load open = load_open(load_port(port), "/sleep?ms=1", 150);
	struct load local_open = load_open(unix_path(), "/", 150);
	struct load watch = watch_start("web"), watch_local = watch_start("local");

	for (int i = 0; i < times; i++)
		reload_well();
	expect_capacity(&watch, _i ? 2 : 1);
	expect_capacity(&watch_local, _i ? 2 : 1);
	printf("%d reloads: %ld and %ld closed-loop, %ld and %ld open-loop requests\n", times,
		load_end_without_loss(&closed), load_end_without_loss(&local),
		load_end_without_loss(&open), load_end_without_loss(&local_open));
	ck_assert_int_eq(reloads_failed(), 0);
	EXPECT_STOP();
}
END_TEST

/* Nobody is leaving any more, and nobody is left to be reaped. */
static bool settled(void)
{
	return worker_count() == 2 * WORKERS && process_zombies() == 0 &&
	       present_of("web") + present_of("local") == 2 * WORKERS;
}

/* Once what is made at the first reloads is there. */
START_TEST(reloads_pile_nothing_up)
{
	int times = long_or_short(1000, 40), descriptors;
	long resident_kib;

	start_both("surge = 100%\n");
	for (int i = 0; i < 5; i++)
		reload_well();
	WAIT_FOR(settled());
	descriptors = steady_descriptors(daemon_pid());
	resident_kib = process_resident_kib(daemon_pid());
	for (int i = 0; i < times; i++)
		reload_well();
	WAIT_FOR(settled());
	expect_descriptors(descriptors);
	ck_assert(is_as_big(daemon_pid(), resident_kib));
	/* a worker of the newest generation has what the first one had */
	ck_assert_int_eq(process_descriptors(worker_any()), 5);
	EXPECT_STOP();
}
END_TEST

START_TEST(refused_files_under_load_pile_nothing_up_either)
{
	int port = start_both(""), descriptors, times = long_or_short(1000, 40);
	struct crew before = crew_of("web"), after;
	struct load closed = load_closed(load_port(port), "/", 4);
	long resident_kib = 0;

	descriptors = steady_descriptors(daemon_pid());
	for (int i = 0; i < times; i++) {
		/* with a socket that is bound before the fault is met */
		config("[socket:tcp]\nlisten = 127.0.0.1:%d\n[socket:more]\nlisten = "
		       "unix:@dir@/m\n[socket:local]\nlisten = unix:/nowhere/at/all\n"
		       "[pool:web]\ncommand = %s\nsockets = tcp local more\n",
			port, hello_program());
		reload_badly();
		if (i == 5)
			resident_kib = process_resident_kib(daemon_pid());
	}
	expect_descriptors(descriptors);
	ck_assert(is_as_big(daemon_pid(), resident_kib));
	ck_assert(!file_exists("m"));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	load_end_without_loss(&closed);
	EXPECT_STOP();
}
END_TEST

/* The spare rules go on meanwhile, with both generations in the count. */
START_TEST(a_dynamic_pool_rolls_under_pulses_of_load)
{
	int port = free_port();

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\n" QUICK
	       "max_workers = 12\nmin_spare_workers = 2\nmax_spare_workers = 4\n"
	       "idle_timeout = 30ms\nsockets = tcp\ncommand = %s\n",
		port, hello_program());
	daemon_start();
	WAIT_FOR(serving() >= 2);
	for (int i = 0; i < long_or_short(100, 6); i++) {
		struct load load = load_closed(load_port(port), "/sleep?ms=5", 6);
		struct load watch;

		WAIT_FOR(present() >= 6);
		watch = watch_start("web");
		reload_well();
		load_end_without_loss(&load);
		reload_well();
		ck_assert_int_ge(watch_sights(&watch).min_serving, 1);
		ck_assert_int_le(watch_end(&watch).max_present, 13);
	}
	WAIT_FOR(present() <= 4 && serving() >= 2);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reload under load");
	TCase *tcase = harness_case(suite, "load");

	if (getenv("PREFORKD_TEST_LONG"))
		tcase_set_timeout(tcase, 1800);
	tcase_add_loop_test(tcase, reloads_under_load_lose_no_request_and_no_capacity, 0, 2);
	tcase_add_test(tcase, reloads_pile_nothing_up);
	tcase_add_test(tcase, refused_files_under_load_pile_nothing_up_either);
	tcase_add_test(tcase, a_dynamic_pool_rolls_under_pulses_of_load);
	return harness_main(suite);
}
