/*
 * Many: workers, pools, orphans, numbers that are used again. Short; PREFORKD_TEST_LONG=1: as often
 * as the page on reliability says.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include "namespace.h"
#include "rolling_pool.h"

/* --- a thousand workers in a hundred pools --- */

#define POOLS          100
#define WORKERS_A_POOL 10

static void configure_crowd(void)
{
	static char text[32000];
	size_t at = 0;

	for (int i = 0; i < POOLS; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at,
			"[pool:p%d]\nmax_workers = %d\ncommand = @worker@\n", i, WORKERS_A_POOL);
	config("log_level = warning\n%s", text);
}

/* One request, one document; how long it took. */
static int64_t status_took_ms(void)
{
	static char document[1 << 20];
	int64_t began = now_ms();
	int fd = unix_connect(path_of("run/control.sock"), SOCK_STREAM);
	size_t length = 0;
	ssize_t got;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
	while (length < sizeof(document) &&
		(got = recv(fd, document + length, sizeof(document) - length, 0)) > 0) {
		length += (size_t)got;
		if (document[length - 1] == '\n')
			break;
	}
	close(fd);
	ck_assert_ptr_nonnull(memmem(document, length, "\"p99\"", 5));
	return now_ms() - began;
}

static int64_t best_of(int times, int64_t (*measure)(void))
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < times; i++) {
		int64_t now = measure();

		best = now < best ? now : best;
	}
	return best;
}

static int64_t idle_cpu_ms(void)
{
	int64_t before = process_cpu_ms(daemon_pid());

	nap_ms(1000);
	return process_cpu_ms(daemon_pid()) - before;
}

START_TEST(a_thousand_workers_in_a_hundred_pools)
{
	int64_t began = now_ms();

	configure_crowd();
	daemon_start_with("-d");
	ck_assert_int_eq(daemon_wait(), 0); /* every pool is ready */
	ck_assert_int_lt(now_ms() - began, slow_ms(10000));
	daemon_is((pid_t)file_number("run/lock"));
	WAIT_FOR(worker_count() == POOLS * WORKERS_A_POOL);
	ck_assert_int_le(best_of(5, status_took_ms), slow_ms(50));
	ck_assert_int_le(best_of(3, idle_cpu_ms), slow_ms(10));
	daemon_kill(SIGTERM);
	WAIT_FOR(!daemon_alive());
	ck_assert_int_eq(process_family(), 0);
}
END_TEST

/* --- orphans of others --- */

START_TEST(orphans_by_the_thousand_touch_no_slot)
{
	int orphans = long_or_short(10000, 400);

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config("[pool:web]\nmax_workers = 2\nstop_timeout = 2s\n"
	       "command = sh -c '%s orphans %d @dir@/done exit 0; exec @worker@ signals "
	       "@dir@/got'\n",
		worker_beside("fault_worker"), orphans / 2);
	pid_t outside = start_in_namespace("exec \"$0\" -c \"$1\"");

	WAIT_FOR_WITHIN(60000, file_count("done", "\n") == 2);
	WAIT_FOR(file_count("got", " ready ") == 2);
	daemon_is(only_child(outside));
	ck_assert_int_gt(daemon_pid(), 1);
	WAIT_FOR_WITHIN(1000, process_zombies() == 0);
	HOLDS_FOR(200, worker_count() == 2 && file_count("got", "\n") == 2);
	ck_assert_int_eq(file_count("log.err", "started, "), 2);
	ck_assert_int_eq(file_count("log.err", "ended"), 0);
	kill(daemon_pid(), SIGTERM);
	ck_assert_int_eq(program_wait(outside), 0);
	ck_assert_int_eq(file_count("got", " TERM "), 2);
}
END_TEST

/* --- numbers that are used again --- */

#define STRANGERS 10

/* With 400 numbers to a namespace, each is used again some 200 times; or, where that cannot be
 * set, the next number is led back again and again. */
static const char numbers[] =
	"if ! echo 400 >/proc/sys/kernel/pid_max 2>/dev/null || "
	"[ \"$(cat /proc/sys/kernel/pid_max)\" != 400 ]; then\n"
	"  ( while :; do echo 50 >/proc/sys/kernel/ns_last_pid || exit 1; sleep 0.01; done ) &\n"
	"fi\n";

static int strangers_left(pid_t outside)
{
	pid_t pids[MANY_WORKERS];
	pid_t shell = only_child(outside);
	int left = 0;

	for (int i = process_children(shell, pids) - 1; i >= 0; i--)
		left += process_runs(pids[i]) &&
			strstr(file_text(path_of("/proc/%d/cmdline", (int)pids[i])), "testworker");
	return left;
}

/* Workers with children in their groups, that end by themselves, are killed, and are stopped. */
START_TEST(no_stranger_with_a_used_number_is_hit)
{
	char text[3000];
	int wanted = long_or_short(100000, 3000);

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config("log_level = warning\n[pool:ends]\nmax_workers = 20\ncrash_loop = backoff\n"
	       "min_uptime = 20ms\nerr_respawn_interval = 1ms\nerr_respawn_max = 1ms\n"
	       "stop_timeout = 1s\ncommand = @worker@ touch @dir@/started fork-child exit 1\n"
	       "[pool:hangs]\nmax_workers = 5\nmax_lifetime = 30ms\nstop_timeout = 10ms\n" QUICK
	       "signal_group = yes\ncommand = @worker@ fork-child stay signals /dev/null\n");
	snprintf(text, sizeof(text),
		"%sfor i in 1 2 3 4 5 6 7 8 9 10; do '%s' stay signals '%s' & done\n"
		"\"$0\" -c \"$1\"\nexit 0",
		numbers, worker_program(), path_of("strangers"));
	pid_t outside = start_in_namespace(text);

	WAIT_FOR(file_count("strangers", " ready ") == STRANGERS);
	WAIT_FOR_WITHIN(1200000, (nap_ms(20), file_size("started") >= (off_t)wanted * 12));
	ck_assert_int_eq(file_count("strangers", "\n"), STRANGERS); /* no other line: no signal */
	ck_assert_int_eq(strangers_left(outside), STRANGERS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crowds");
	TCase *crowds = harness_case(suite, "crowds");

	tcase_add_test(crowds, a_thousand_workers_in_a_hundred_pools);
	tcase_add_test(crowds, orphans_by_the_thousand_touch_no_slot);
	tcase_add_test(crowds, no_stranger_with_a_used_number_is_hit);
	return harness_main(suite);
}
