/*
 * A start whose n-th call fails: it begins to serve all the same, or it ends with a reason and a
 * status that says so, leaving nothing behind. The same for a start that takes workers over: these
 * stay then.
 */
#include "fault_world.h"

/* The log may be what failed, so it is not asked. */
static bool serves(void)
{
	return preforkd_run("-c", path_of("app.ini"), "status", "--json") == 0 &&
	       file_has("run.out", "\"phase\":\"running\"");
}

static long begin(const char *kind, long n)
{
	file_write("log", "%s", "");
	faults_fail(kind, n, n, 0);
	faulty_launch();
	while (daemon_alive() && !serves())
		nap_ms(2);
	return faults_off();
}

static bool is_whole(void)
{
	return is_full() && process_family() == 1 + ALL_WORKERS;
}

static void expect_whole(long n)
{
	int64_t until = now_ms() + slow_ms(10000);

	while (!is_whole() && now_ms() < until)
		nap_ms(2);
	ck_assert_msg(is_whole(), "call %ld, %s: %d and %d workers, %d processes", n,
		faults_struck(), present(), present_of("near"), process_family());
}

/* What was to be written to the log may be what failed. */
static void expect_reason(long n, int status)
{
	const bool unsaid = strncmp(faults()->struck_call, "write", 5) == 0;

	ck_assert_msg(status >= 64 && status <= 78 && status != 70, "call %ld, %s: status %d", n,
		faults_struck(), status);
	ck_assert_msg(
		unsaid || file_size("log") > 0, "call %ld, %s: no reason", n, faults_struck());
}

static void die(void)
{
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
}

static long step_of(long count, int few)
{
	return long_or_short(1, 1 + (int)(count / few));
}

START_TEST(a_start_serves_or_says_why_not)
{
	const char *kind = _i ? "memory" : "system";
	long count, step, failed = 0;

	faulty_config("");
	count = begin(kind, 0);
	faulty_stop();
	step = step_of(count, 25);
	for (long n = 1 + step / 2; n <= count; n += step) {
		begin(kind, n);
		if (daemon_alive()) {
			expect_whole(n);
			faulty_stop();
			continue;
		}
		failed++;
		expect_reason(n, daemon_wait());
		ck_assert_msg(process_family() == 0, "call %ld, %s: somebody is left", n,
			faults_struck());
	}
	fprintf(stderr, "%ld %s calls, %ld starts ended\n", count, kind, failed);
	faulty_launch();
	expect_full(0);
	faulty_stop();
}
END_TEST

START_TEST(a_take_over_keeps_the_workers)
{
	const char *kind = _i ? "memory" : "system";
	struct crew web, after;
	long count, step, failed = 0;

	faulty_start();
	web = crew_of("web");
	die();
	count = begin(kind, 0);
	step = step_of(count, 25);
	for (long n = 1 + step / 2; n <= count; n += step) {
		die();
		begin(kind, n);
		if (!daemon_alive()) {
			failed++;
			expect_reason(n, daemon_wait());
			ck_assert_msg(crew_left(&web) == WEB_WORKERS, "call %ld, %s: workers ended",
				n, faults_struck());
			faulty_rise();
		}
		after = crew_of("web");
		ck_assert_msg(
			same_crew(&web, &after), "call %ld, %s: other workers", n, faults_struck());
		expect_whole(n);
	}
	fprintf(stderr, "%ld %s calls, %ld starts ended\n", count, kind, failed);
	expect_full(0);
	EXPECT_STOP();
}
END_TEST

static Suite *start_suite(void)
{
	Suite *suite = suite_create("sweep_start");
	TCase *tests = harness_case(suite, "start");

	tcase_set_timeout(tests, long_or_short(7200, 120));
	tcase_add_loop_test(tests, a_start_serves_or_says_why_not, 0, 2);
	tests = harness_case(suite, "take-over");
	tcase_set_timeout(tests, long_or_short(7200, 120));
	tcase_add_loop_test(tests, a_take_over_keeps_the_workers, 0, 2);
	return suite;
}

int main(void)
{
	return faults_main(start_suite());
}
