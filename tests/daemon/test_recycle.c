/* Workers that have done enough jobs, are old enough or too big: replaced before they go, `surge`
 * at a time, again and again, and nobody outside notices. */
#include "harness.h"

#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 8

static int start_serving(const char *keys)
{
	int port = free_port();

	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\nmax_workers = %d\n"
	       "err_respawn_interval = 20ms\nsockets = tcp\n%scommand = %s\n",
		port, WORKERS, keys, hello_program());
	daemon_start();
	WAIT_FOR(serving() == WORKERS && log_has("ready: "));
	return port;
}

#define by_jobs()   log_count("retiring: max_requests reached")
#define by_age()    log_count("retiring: max_lifetime reached")
#define by_memory() log_count("retiring: max_memory exceeded")

/* --- jobs --- */

/* All of them three times in the short form. */
START_TEST(all_are_recycled_again_and_again_at_full_load)
{
	int rounds = long_or_short(100, 3), surge = _i ? 3 : 1;
	char keys[128];

	snprintf(keys, sizeof(keys), "max_requests = 100\nsurge = %d\nmin_uptime = 1ms\n", surge);

	int port = start_serving(keys);
	struct load load = load_closed(load_port(port), "/", 12);
	struct load watch = watch_start("web");
	struct sights sights;

	WAIT_FOR_WITHIN(rounds * 20000, by_jobs() >= rounds * WORKERS);
	sights = watch_end(&watch);
	ck_assert_int_ge(sights.min_serving, WORKERS);
	ck_assert_int_le(sights.max_present, WORKERS + surge);
	ck_assert_int_le(sights.max_leaving, surge);
	printf("%d recycled, %ld requests\n", by_jobs(), load_end_without_loss(&load));
	ck_assert_int_eq(log_count("failure"), 0);
	EXPECT_STOP();
}
END_TEST

static void do_jobs(pid_t pid, int slot, int count)
{
	for (int i = 0; i < count; i++) {
		char before = board_byte("web", slot, 12);

		kill(pid, SIGHUP);
		WAIT_FOR(board_byte("web", slot, 12) != before || !process_runs(pid));
	}
}

static void start_counting(const char *keys)
{
	config("[pool:web]\nmax_workers = 1\n" QUICK "%scommand = @worker@ board\n", keys);
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
}

START_TEST(neither_sooner_nor_later_than_max_requests)
{
	pid_t first;

	start_counting("max_requests = 5\n");
	first = worker_of("web", 0);
	do_jobs(first, 0, 4);
	HOLDS_FOR(100, by_jobs() == 0 && present() == 1);
	do_jobs(first, 0, 1);
	WAIT_FOR(!process_runs(first) && serving() == 1);
	ck_assert_int_eq(by_jobs(), 1);
	EXPECT_STOP();
}
END_TEST

/* How many jobs the pool's one worker did before it was asked to leave. */
static int jobs_until_recycled(int most)
{
	struct crew crew = crew_of("web");
	int slot = board_pid("web", 0) == crew.pid[0] ? 0 : 1;
	int before = by_jobs(), jobs = 0;

	while (jobs < most) {
		do_jobs(crew.pid[0], slot, 1);
		jobs++;
		/* seen within 5 ms, and answered by a start; later than that is no harm */
		for (int i = 0; i < 20 && present() == 1 && by_jobs() == before; i++)
			nap_ms(1);
		if (present() > 1 || by_jobs() > before)
			break;
	}
	WAIT_FOR(by_jobs() == before + 1 && present() == 1 && serving() == 1);
	return jobs;
}

START_TEST(jitter_spreads_max_requests)
{
	int fewest = 8, most = 0;

	start_counting("max_requests = 2\nmax_requests_jitter = 6\n");
	for (int i = 0; i < 10; i++) {
		int jobs = jobs_until_recycled(8);

		ck_assert_int_ge(jobs, 2);
		fewest = jobs < fewest ? jobs : fewest;
		most = jobs > most ? jobs : most;
	}
	ck_assert_int_gt(most, fewest);
	EXPECT_STOP();
}
END_TEST

/* --- age --- */

START_TEST(the_old_are_replaced_by_the_young)
{
	int port = start_serving("max_lifetime = 200ms\nmax_lifetime_jitter = 200ms\n"
				 "min_uptime = 10ms\n");
	struct load load = load_closed(load_port(port), "/sleep?ms=2", 6);
	struct load watch = watch_start("web");
	struct sights sights;

	WAIT_FOR(by_age() >= long_or_short(400, 24));
	sights = watch_end(&watch);
	ck_assert_int_ge(sights.min_serving, WORKERS);
	ck_assert_int_le(sights.max_present, WORKERS + 1);
	ck_assert_int_le(sights.max_leaving, 1);
	load_end_without_loss(&load);
	/* each was at least so old */
	for (const char *at = file_text("log"); (at = strstr(at, "max_lifetime reached (age "));) {
		long age = strtol(at += strlen("max_lifetime reached (age "), NULL, 10);

		ck_assert_msg(age >= 200 || strncmp(at, "1.", 2) == 0, "age %.8s", at);
	}
	EXPECT_STOP();
}
END_TEST

/* Those that were started together do not go together. */
START_TEST(jitter_spreads_max_lifetime)
{
	int64_t first, last;

	start_serving("max_lifetime = 100ms\nmax_lifetime_jitter = 2s\nsurge = 100%\n"
		      "min_uptime = 10ms\n");
	WAIT_FOR(by_age() >= 1);
	first = now_ms();
	WAIT_FOR(by_age() >= WORKERS);
	last = now_ms();
	ck_assert_int_gt(last - first, 100);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_busy_one_is_left_to_finish)
{
	pid_t first;

	config("[pool:web]\nmax_workers = 1\nmax_lifetime = 100ms\nstop_timeout = 60s\n" QUICK
	       "command = @worker@ obey @dir@ signals @dir@/got\n");
	file_write("busy.0", "%s", "");
	daemon_start();
	WAIT_FOR(board_byte("web", 0, 0) == 'A');
	first = worker_of("web", 0);
	WAIT_FOR(board_byte("web", 0, 2) == 'R' && serving() == 1);
	HOLDS_FOR(200, process_runs(first) && !file_has("got", " TERM "));
	unlink(path_of("busy.0"));
	WAIT_FOR(!process_runs(first));
	EXPECT_STOP();
}
END_TEST

/* --- memory --- */

static bool all_are_small(void)
{
	struct crew crew = crew_of("web");
	int small = 0;

	for (int i = 0; i < crew.count; i++)
		small += process_resident_kib(crew.pid[i]) < 20 * 1024;
	return small == crew.count;
}

START_TEST(the_big_are_replaced)
{
	pid_t first, second;

	config("[pool:web]\nmax_workers = 2\nmax_memory = 40M\n" QUICK
	       "command = %s touch @dir@/started wait @dir@/hungry eat 64 touch @dir@/fed\n",
		worker_beside("notify_worker"));
	daemon_start();
	WAIT_FOR(log_has("ready: "));
	first = worker_of("web", 0);
	second = worker_of("web", 1);
	HOLDS_FOR(1200, by_memory() == 0);
	file_write("hungry", "%s", "");
	WAIT_FOR(file_count("fed", "\n") == 2);
	unlink(path_of("hungry"));
	WAIT_FOR(by_memory() >= 2 && !process_runs(first) && !process_runs(second));
	/* one that came while others were still fed has eaten, too */
	WAIT_FOR(present() == 2 && all_are_small());
	int recycled = by_memory();

	HOLDS_FOR(1200, by_memory() == recycled && present() == 2);
	ck_assert_int_eq(file_count("started", "\n"), 2 + recycled);
	EXPECT_STOP();
}
END_TEST

/* --- together with other things --- */

/* The replacement cannot be had: the old ones serve on, beyond their time. */
START_TEST(nobody_goes_without_a_replacement)
{
	struct crew old;
	struct load watch;

	config("[pool:web]\nmax_workers = 3\nmax_lifetime = 300ms\nstart_timeout = 100ms\n"
	       "ready = scoreboard\n" QUICK "err_respawn_max = 100ms\ncommand = sh -c 'test -e "
	       "@dir@/broken && exit 1; exec @worker@ board'\n");
	daemon_start();
	WAIT_FOR(serving() == 3 && log_has("ready: "));
	file_write("broken", "%s", "");
	old = crew_of("web");
	watch = watch_start("web");
	WAIT_FOR(log_count("exited with status 1") >= 2);
	ck_assert_int_eq(crew_left(&old), 3);
	ck_assert_int_eq(watch_sights(&watch).min_serving, 3);
	unlink(path_of("broken"));
	WAIT_FOR(crew_left(&old) == 0 && serving() >= 3);
	ck_assert_int_ge(watch_end(&watch).min_serving, 3);
	EXPECT_STOP();
}
END_TEST

START_TEST(recycling_and_reloads_go_together)
{
	int port = start_serving("max_requests = 50\nmin_uptime = 5ms\nsurge = 2\n");
	struct load load = load_closed(load_port(port), "/", 12);
	struct load watch = watch_start("web");

	for (int i = 0; i < long_or_short(200, 8); i++)
		reload_well();
	WAIT_FOR(by_jobs() > 8);
	ck_assert_int_ge(watch_sights(&watch).min_serving, WORKERS);
	ck_assert_int_le(watch_end(&watch).max_present, WORKERS + 2);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_dynamic_pool_is_recycled_too)
{
	struct crew first;

	config("[pool:web]\nmax_workers = 6\nmin_spare_workers = 2\nmax_spare_workers = 3\n"
	       "max_lifetime = 150ms\n" QUICK "command = @worker@ obey @dir@\n");
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	first = crew_of("web");
	WAIT_FOR(crew_left(&first) == 0);
	HOLDS_FOR(300, serving() >= 2 && present() <= 4);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recycling");
	TCase *jobs = harness_case(suite, "jobs");
	TCase *age = harness_case(suite, "age");
	TCase *memory = harness_case(suite, "memory");
	TCase *together = harness_case(suite, "together");

	if (getenv("PREFORKD_TEST_LONG"))
		tcase_set_timeout(jobs, 1800);
	tcase_add_loop_test(jobs, all_are_recycled_again_and_again_at_full_load, 0, 2);
	tcase_add_test(jobs, neither_sooner_nor_later_than_max_requests);
	tcase_add_test(jobs, jitter_spreads_max_requests);
	tcase_add_test(age, the_old_are_replaced_by_the_young);
	tcase_add_test(age, jitter_spreads_max_lifetime);
	tcase_add_test(age, a_busy_one_is_left_to_finish);
	tcase_add_test(memory, the_big_are_replaced);
	tcase_add_test(together, nobody_goes_without_a_replacement);
	tcase_add_test(together, recycling_and_reloads_go_together);
	tcase_add_test(together, a_dynamic_pool_is_recycled_too);
	return harness_main(suite);
}
