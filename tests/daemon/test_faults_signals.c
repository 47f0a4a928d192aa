/*
 * Every signal there is, at any time, and a stop at any moment of any life. Short;
 * PREFORKD_TEST_LONG=1: as often as the page on reliability says. PREFORKD_TEST_SEED repeats a run.
 */
#include "rolling_pool.h"

#define WORKERS    3
#define LENGTH(of) ((int)(sizeof(of) / sizeof((of)[0])))

static const char *const no_arguments[] = {NULL};

static unsigned new_seed(void)
{
	const char *given = getenv("PREFORKD_TEST_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : 20261121;

	printf("PREFORKD_TEST_SEED=%u\n", seed);
	fflush(stdout);
	return seed;
}

static int below(unsigned *seed, int limit)
{
	return rand_r(seed) % limit;
}

/* --- each --- */

static void start(void)
{
	config("[pool:web]\n" QUICK "max_workers = %d\nstop_timeout = 2s\n"
	       "command = @worker@ signals @dir@/got\n",
		WORKERS);
	daemon_start();
	WAIT_FOR(worker_count() == WORKERS && log_has("ready: the first"));
}

static bool ends(int number)
{
	return number == SIGTERM || number == SIGINT || number == SIGQUIT;
}

static void expect_reaction(int number)
{
	int before = log_count("\n");

	daemon_kill(number);
	switch (number) {
	case SIGHUP: WAIT_FOR(reloads_done() == 1); break;
	case SIGUSR1: WAIT_FOR(log_has("reopen")); break;
	case SIGUSR2: WAIT_FOR(log_has("goes on with")); break;
	case SIGWINCH: WAIT_FOR(worker_count() == 0); break;
	case SIGTTIN: WAIT_FOR(worker_count() == WORKERS + 1); break;
	case SIGTTOU: WAIT_FOR(worker_count() == WORKERS - 1); break;
	case SIGCHLD:
	case SIGCONT:
	case SIGSTOP: break;
	default: WAIT_FOR(log_count("\n") > before && log_has("ignored"));
	}
}

START_TEST(each_signal_does_what_is_documented)
{
	struct crew before;
	int number = _i;

	start();
	before = crew_of("web");
	if (ends(number)) {
		daemon_kill(number);
		EXPECT_EXIT(0);
		ck_assert_int_eq(file_count("got", " TERM "), WORKERS);
		return;
	}
	if (number == SIGKILL) {
		daemon_kill(number);
		ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
		HOLDS_FOR(100, crew_left(&before) == WORKERS);
		return;
	}
	expect_reaction(number);
	if (number == SIGSTOP) {
		nap_ms(50);
		daemon_kill(SIGCONT);
	}
	if (number != SIGHUP && number != SIGWINCH && number != SIGTTOU)
		HOLDS_FOR(30, crew_left(&before) == WORKERS && daemon_alive());
	EXPECT_STOP();
}
END_TEST

/* --- all --- */

START_TEST(any_signals_leave_the_right_number)
{
	unsigned seed = new_seed();
	int sent = 0;

	start();
	while (sent < long_or_short(100000, 1500)) {
		int number = 1 + below(&seed, 64);

		if (ends(number) || number == SIGKILL || number == SIGSTOP)
			continue;
		daemon_kill(number);
		sent++;
		if (sent % 16 == 0)
			nap_ms(below(&seed, 4));
		if (sent % 1000 == 0)
			WAIT_FOR_WITHIN(
				5000, preforkd_run("-c", path_of("app.ini"), "status") == 0);
	}
	ck_assert(daemon_alive());
	/* a reload forgets sizes that were asked for, and resumes; this is the last one */
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "reload"), 0);
	WAIT_FOR(worker_count() == WORKERS && process_zombies() == 0);
	HOLDS_FOR(300, worker_count() == WORKERS);
	ck_assert_int_eq(log_count("reload failed"), 0);
	EXPECT_STOP();
}
END_TEST

/* --- between fork and exec --- */

START_TEST(no_signal_before_the_exec_is_lost)
{
	static pid_t pids[MANY_WORKERS];

	config("[pool:web]\nmax_workers = 1\nstop_timeout = 60s\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 1);
	for (int i = 0; i < long_or_short(10000, 100); i++) {
		int64_t until = now_ms() + slow_ms(5000);

		daemon_kill(SIGTTIN);
		while (process_children(daemon_pid(), pids) < 2)
			ck_assert_int_lt(now_ms(), until);
		daemon_kill(SIGTTOU);
		WAIT_FOR_WITHIN(5000, process_children(daemon_pid(), pids) == 1);
	}
	EXPECT_STOP();
}
END_TEST

/* --- a stop at any moment --- */

static const char *const lives[] = {
	"max_workers = 4\ncommand = @worker@\n",
	"max_workers = 6\nmin_spare_workers = 2\ncommand = @worker@ obey @dir@\n",
	"max_workers = 3\ncommand = @worker@ exit 1\n",
	"max_workers = 3\ncommand = @worker@ exit-after 15 1\n",
	"max_workers = 2\nready = notify\nstart_timeout = 20ms\ncommand = @worker@\n",
	"max_workers = 3\nstop_timeout = 60ms\ncommand = @worker@ stay signals @dir@/got\n",
	"max_workers = 3\nspawn_interval = 10ms\ncommand = @worker@ linger 20 signals @dir@/got\n",
	"max_workers = 2\nmax_lifetime = 30ms\ncommand = @worker@ fork-child\n",
	"max_workers = 2\nmax_requests = 5\nstdout = log\ncommand = @worker@ print 5 20\n",
};

static const int events[] = {SIGHUP, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH, SIGUSR1, SIGUSR2, 0};

/* What else may be under way when the stop comes. */
static void live(unsigned *seed)
{
	static pid_t pids[MANY_WORKERS];

	for (int i = below(seed, 4); i > 0; i--) {
		int event = events[below(seed, LENGTH(events))];
		int count;

		nap_ms(below(seed, 20));
		if (event && daemon_alive())
			kill(daemon_pid(), event);
		else if ((count = workers(pids)) > 0)
			kill(pids[below(seed, count)], SIGKILL);
	}
	nap_ms(below(seed, 60));
}

static void expect_nothing_after_the_stop(void)
{
	const char *stopped = strstr(file_text("log"), ": stopping ");

	if (stopped)
		ck_assert_msg(strstr(stopped, ": started, ") == NULL, "%s", file_text("log"));
}

START_TEST(a_stop_ends_every_life)
{
	unsigned seed = new_seed();

	for (int i = 0; i < long_or_short(4000, 40); i++) {
		int status;

		file_write("log", "%s", "");
		config("[pool:web]\ncrash_loop = backoff\n" QUICK "%s",
			lives[below(&seed, LENGTH(lives))]);
		daemon_start_as(NULL, no_arguments);
		if (below(&seed, 4))
			WAIT_FOR(file_size("log") > 0);
		live(&seed);
		/* before it can take any, some of these kill, others stop it */
		if (daemon_alive()) {
			kill(daemon_pid(), SIGTERM);
			kill(daemon_pid(), SIGCONT);
		}
		status = daemon_wait();
		ck_assert_msg(status == 0 || (status > 128 && !log_has("started, ")),
			"life %d: status %d", i, status);
		WAIT_FOR_WITHIN(3000, process_left() == 0);
		expect_nothing_after_the_stop();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signals as faults");
	TCase *each = harness_case(suite, "each");
	TCase *all = harness_case(suite, "all");
	TCase *stop = harness_case(suite, "stop");

	tcase_add_loop_test(each, each_signal_does_what_is_documented, 1, 65);
	tcase_add_test(all, any_signals_leave_the_right_number);
	tcase_add_test(all, no_signal_before_the_exec_is_lost);
	tcase_add_test(stop, a_stop_ends_every_life);
	return harness_main(suite);
}
