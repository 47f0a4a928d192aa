/* Reloads asked for again and again, faster than they can be done: any number folds into one more,
 * the newest file wins, and nothing is lost or left over (php-src's bug74083 first). */
#include "harness.h"

#include <sched.h>
#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 4

static void write_version(int port, int version)
{
	config("[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n[pool:web]\nmax_workers = %d\n"
	       "surge = 2\n" QUICK "sockets = tcp\nenvironment = VERSION=%d\ncommand = %s\n",
		port, WORKERS, version, hello_program());
}

static int start_version(void)
{
	int port = free_port();

	write_version(port, 0);
	daemon_start();
	WAIT_FOR(serving() == WORKERS && log_has("ready: "));
	return port;
}

static bool has_environment(pid_t pid, const char *assignment)
{
	char path[64], bytes[16384];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

	if (file)
		fclose(file);
	return memmem(bytes, length, assignment, strlen(assignment) + 1) != NULL;
}

/* All that are there serve, and are of the version and of one generation. */
static bool is_all_of(int version)
{
	struct crew crew = crew_of("web");
	char assignment[32];
	int of_version = 0;

	snprintf(assignment, sizeof(assignment), "VERSION=%d", version);
	for (int i = 0; i < crew.count; i++)
		of_version += has_environment(crew.pid[i], assignment);
	return crew.count == WORKERS && of_version == WORKERS && serving() == WORKERS;
}

/* Nothing more comes, for longer than a roll takes. One that was asked for in the middle of the
 * last one may be of the same version. */
static bool rests(int version)
{
	const int64_t until = now_ms() + slow_ms(200);

	while (is_all_of(version)) {
		if (now_ms() >= until)
			return true;
		nap_ms(5);
	}
	return false;
}

static void expect_rest(int version)
{
	struct crew before, after;

	WAIT_FOR(rests(version));
	before = crew_of("web");
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	ck_assert_int_eq(worker_count(), WORKERS);
	ck_assert_int_eq(process_zombies(), 0);
	ck_assert_int_eq(reloads_failed(), 0);
}

static void expect_capacity(const struct load *watch)
{
	struct sights sights = watch_end(watch);

	ck_assert_int_ge(sights.min_serving, WORKERS);
	ck_assert_int_le(sights.max_present, WORKERS + 2);
}

START_TEST(hups_25_of_them_0_to_25_ms_apart)
{
	int port = start_version();
	struct load load = load_closed(load_port(port), "/sleep?ms=2", 6);
	struct load watch = watch_start("web");

	for (int i = 1; i <= 25; i++) {
		write_version(port, i);
		daemon_kill(SIGHUP);
		nap_ms(i);
	}
	expect_rest(25);
	expect_capacity(&watch);
	load_end_without_loss(&load);
	ck_assert_int_le(reloads_done(), 25);
	EXPECT_STOP();
}
END_TEST

START_TEST(hup_every_millisecond)
{
	int port = start_version(), descriptors = steady_descriptors(daemon_pid()), version = 0;
	struct load load = load_closed(load_port(port), "/sleep?ms=2", 6);
	struct load watch = watch_start("web");
	int64_t until = now_ms() + long_or_short(10000, 1000);

	while (now_ms() < until) {
		daemon_kill(SIGHUP);
		nap_ms(1);
		if (now_ms() % 50 == 0)
			write_version(port, ++version);
	}
	write_version(port, ++version);
	daemon_kill(SIGHUP);
	expect_rest(version);
	expect_capacity(&watch);
	load_end_without_loss(&load);
	expect_descriptors(descriptors);
	EXPECT_STOP();
}
END_TEST

/* As fast as the kernel takes them, with refused files between. */
START_TEST(hups_without_a_pause_between_good_and_bad_files)
{
	int port = start_version();
	struct load load = load_closed(load_port(port), "/sleep?ms=2", 6);
	struct load watch = watch_start("web");

	for (int i = 0; i < long_or_short(200, 20); i++) {
		if (i % 2)
			config("[pool:web]\ncommand =\n");
		else
			write_version(port, i);
		for (int j = 0; j < 100; j++)
			daemon_kill(SIGHUP);
		sched_yield();
	}
	WAIT_FOR(reloads_failed() > 0);
	write_version(port, 1000);
	daemon_kill(SIGHUP);
	WAIT_FOR(rests(1000));
	expect_capacity(&watch);
	load_end_without_loss(&load);
	EXPECT_STOP();
}
END_TEST

/* TERM at any moment of it: N points in time, 0 to 24 ms after the first of many. */
START_TEST(term_wins_in_a_storm)
{
	int port = start_version();

	for (int i = 0; i < 5; i++) {
		write_version(port, i);
		daemon_kill(SIGHUP);
		nap_ms(_i);
	}
	daemon_kill(SIGTERM);
	for (int i = 0; i < 5 && daemon_alive(); i++)
		daemon_kill(SIGHUP);
	EXPECT_EXIT(0);
}
END_TEST

/* Every signal that changes numbers, with reloads between: it ends as it should. */
START_TEST(hups_among_ttin_ttou_and_winch)
{
	static const int signals[] = {
		SIGHUP, SIGTTIN, SIGTTOU, SIGTTOU, SIGWINCH, SIGHUP, SIGTTIN, SIGUSR1};
	int port = start_version();

	for (unsigned i = 0; i < 400; i++) {
		daemon_kill(signals[i * 2654435761u >> 16 & 7]);
		if (i % 16 == 0)
			nap_ms(i / 32);
	}
	write_version(port, 1);
	daemon_kill(SIGHUP);
	expect_rest(1);
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("storms of reloads");
	TCase *tcase = harness_case(suite, "storm");

	tcase_add_test(tcase, hups_25_of_them_0_to_25_ms_apart);
	tcase_add_test(tcase, hup_every_millisecond);
	tcase_add_test(tcase, hups_without_a_pause_between_good_and_bad_files);
	tcase_add_loop_test(tcase, term_wins_in_a_storm, 0, 12);
	tcase_add_test(tcase, hups_among_ttin_ttou_and_winch);
	return harness_main(suite);
}
