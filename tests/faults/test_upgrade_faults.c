/*
 * An upgrade and a take-over to which the system says no: all goes on as it was, or as well as it
 * can. And what happens in the moments between the check of the new program and its first turn is
 * not lost.
 */
#include "fault_world.h"

#include <errno.h>

static int upgrades_done(void)
{
	return log_count(" upgraded: ");
}

static int upgrades_failed(void)
{
	return log_count(" upgrade failed, ");
}

static void upgrade_well(void)
{
	int before = upgrades_done();

	daemon_kill(SIGUSR2);
	WAIT_FOR(upgrades_done() > before);
}

/* --- refused --- */

static const struct refusal {
	const char *call;
	long nth;
	int error;
	const char *said;
} refusals[] = {
	{"memfd_create", 1, ENFILE, "memfd_create): Too many open files in system"},
	{"memfd_create", 2, EPERM, "memfd_create): Operation not permitted"},
	{"fcntl", 1, EPERM, "the state cannot be put into memory: Operation not permitted"},
	{"fcntl", 2, EPERM, "the state cannot be put into memory: Operation not permitted"},
	{"clone", 1, EAGAIN, "cannot fork: Resource temporarily unavailable"},
	{"pidfd_open", 1, EMFILE, "(pidfd): Too many open files"},
	{"execve", 1, EACCES, "exec of "},
	{"execve", 1, ENOMEM, ": Cannot allocate memory"},
	{"execve", 1, ETXTBSY, ": Text file busy"},
};
#define REFUSALS ((int)(sizeof(refusals) / sizeof(refusals[0])))

START_TEST(a_refusal_changes_nothing)
{
	const struct refusal *refusal = &refusals[_i];
	int port = faulty_start(), descriptors;
	struct load tcp = load_open(load_port(port), "/", 400);
	struct crew web = crew_of("web"), near = crew_of("near"), after;

	load_await(&tcp, 10);
	upgrade_well();
	descriptors = steady_descriptors(daemon_pid());
	faults_fail(refusal->call, refusal->nth, refusal->nth, refusal->error);
	daemon_kill(SIGUSR2);
	WAIT_FOR(upgrades_failed() == 1);
	faults_off();
	ck_assert_int_eq(faults()->struck, 1);
	ck_assert_msg(log_has(refusal->said), "the log does not say: %s", refusal->said);
	expect_descriptors(descriptors);
	upgrade_well();
	expect_full(1);
	after = crew_of("web");
	ck_assert(same_crew(&web, &after));
	after = crew_of("near");
	ck_assert(same_crew(&near, &after));
	load_end_without_loss(&tcp);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_state_of_another_version_is_refused)
{
	static const char *const heads[] = {
		"preforkd state 0\n", "preforkd state 999\n", "another program "};
	struct crew web, after;

	faulty_start();
	web = crew_of("web");
	for (int i = 0; i < 3; i++) {
		faults_fail("none", 0, 0, 0);
		snprintf(faults()->head, sizeof(faults()->head), "%s", heads[i]);
		daemon_kill(SIGUSR2);
		WAIT_FOR(upgrades_failed() == i + 1);
		ck_assert_int_eq(log_count("cannot read our state"), i + 1);
		faults_off();
	}
	faults()->head[0] = '\0';
	upgrade_well();
	after = crew_of("web");
	ck_assert(same_crew(&web, &after));
	EXPECT_STOP();
}
END_TEST

/* --- taking over --- */

static void die(void)
{
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
}

/* One worker that cannot be asked is no harm: another one is. */
START_TEST(another_worker_is_asked_for_the_socket)
{
	struct load tcp;
	struct crew web, after;
	int port = faulty_start();

	web = crew_of("web");
	tcp = load_open(load_port(port), "/", 400);
	load_await(&tcp, 10);
	die();
	faults_fail("pidfd_getfd", 1, 3, EPERM);
	faulty_rise();
	faults_off();
	ck_assert_int_eq(faults()->struck, 3);
	expect_full(1);
	after = crew_of("web");
	ck_assert(same_crew(&web, &after));
	load_end_without_loss(&tcp);
	EXPECT_STOP();
}
END_TEST

/* None gives it (no CAP_SYS_PTRACE, or an old kernel): they are in the way of a new one. */
START_TEST(sockets_that_cannot_be_had_are_bound_anew)
{
	static const int errors[] = {EPERM, ENOSYS};
	int port = faulty_start(), descriptors = steady_descriptors(daemon_pid());
	struct crew web = crew_of("web"), near = crew_of("near");

	die();
	faults_fail("pidfd_getfd", 1, 1000, errors[_i]);
	faulty_rise();
	faults_off();
	ck_assert(log_has("[socket:tcp] cannot be had from its workers"));
	ck_assert(log_has("[socket:local] cannot be had from its workers"));
	ck_assert(log_has(strerror(errors[_i])));
	ck_assert(log_has("connections are refused until it is bound anew"));
	ck_assert_int_eq(crew_left(&web) + crew_left(&near), 0);
	expect_full(0);
	ck_assert_ptr_nonnull(http_get(port, "/"));
	expect_descriptors(descriptors);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* What may work a moment later is no reason to end workers, or to have them twice. */
static const struct refusal shortages[] = {
	{"pidfd_getfd", 1, EMFILE, NULL},
	{"pidfd_open", 3, ENFILE, NULL},
	{"open", 4, EMFILE, NULL},
	{"openat", 1, ENFILE, NULL},
	{"openat", 4, ENFILE, NULL},
	{"opendir", 1, EMFILE, NULL},
	{"signalfd", 1, EMFILE, NULL},
	{"inotify_init1", 1, EMFILE, NULL},
};
#define SHORTAGES ((int)(sizeof(shortages) / sizeof(shortages[0])))

START_TEST(a_shortage_ends_nobody)
{
	const struct refusal *shortage = &shortages[_i];
	struct load tcp;
	struct crew web, after;
	int port = faulty_start(), status;

	web = crew_of("web");
	tcp = load_open(load_port(port), "/", 400);
	load_await(&tcp, 10);
	die();
	file_write("log", "%s", "");
	faults_fail(shortage->call, shortage->nth, 1000, shortage->error);
	faulty_launch();
	WAIT_FOR(log_has("ready: the first") || !daemon_alive());
	faults_off();
	if (!daemon_alive()) {
		status = daemon_wait();
		ck_assert_msg(status == 71, "status %d", status);
		ck_assert(log_has("Too many open files"));
		ck_assert_int_eq(crew_left(&web), WEB_WORKERS);
		faulty_rise();
	}
	expect_full(1);
	after = crew_of("web");
	ck_assert(same_crew(&web, &after));
	load_end_without_loss(&tcp);
	faulty_stop();
}
END_TEST

/* The same after the exec, where it is refused once. */
START_TEST(the_new_program_takes_over_at_least)
{
	const struct refusal *shortage = &shortages[_i];
	struct load tcp;
	struct crew web, after;
	int port = faulty_start();

	web = crew_of("web");
	tcp = load_open(load_port(port), "/", 400);
	load_await(&tcp, 10);
	faults_stop_at("supervisor_run", 1);
	daemon_kill(SIGUSR2);
	faults_await_stop();
	faults_fail(shortage->call, 1, 1, shortage->error);
	daemon_kill(SIGCONT);
	WAIT_FOR(log_has(" upgraded: ") || log_has("takes over as after a death"));
	expect_full(1);
	faults_off();
	after = crew_of("web");
	ck_assert(same_crew(&web, &after));
	kill(web.pid[0], SIGTERM);
	WAIT_FOR(!process_runs(web.pid[0]));
	expect_full(1);
	WAIT_FOR(process_zombies() == 0);
	upgrade_well();
	expect_full(1);
	load_end_without_loss(&tcp);
	faulty_stop();
}
END_TEST

/* The kernel has no room for one more descriptor to watch: it is watched a moment later. */
START_TEST(who_cannot_be_watched_is_watched_later)
{
	struct crew web;

	faulty_start();
	web = crew_of("web");
	die();
	faults_fail("epoll_ctl", 1 + _i, 1 + _i, ENOSPC);
	faulty_rise();
	faults_off();
	kill(web.pid[0], SIGKILL);
	WAIT_FOR(!process_runs(web.pid[0]) && board_pid("web", 0) != web.pid[0]);
	expect_full(0);
	WAIT_FOR(preforkd_run("-c", path_of("app.ini"), "status") == 0);
	faulty_stop();
}
END_TEST

/* --- meanwhile --- */

static const char *const moments[] = {
	"state_memory_make", /* checked; of the exec, as the second one is */
	"execve",
	"log_target_open", /* the new program */
	"supervisor_run",
	"adopt_find",
	"pool_take_up",
	"adopt_end",
	"upgrade_finish",
};
#define MOMENTS ((int)(sizeof(moments) / sizeof(moments[0])))

static void stop_in_the_middle(int moment)
{
	faults_stop_at(moments[moment], moment == 0 ? 2 : 1);
	daemon_kill(SIGUSR2);
	faults_await_stop();
}

static void go_on(void)
{
	faults_off();
	daemon_kill(SIGCONT);
	WAIT_FOR(upgrades_done() == 1);
}

/* Two workers' ends, a signal (CONT would discard TTIN), and a client who wants one more. */
START_TEST(what_changes_the_pool_is_done)
{
	struct crew web, after;
	pid_t client;

	faulty_start();
	web = crew_of("web");
	stop_in_the_middle(_i);
	daemon_kill(SIGUSR1);
	kill(web.pid[1], SIGKILL);
	kill(web.pid[2], SIGTERM);
	client = program_start("client", NULL,
		(const char *[]){
			preforkd_program(), "-c", path_of("app.ini"), "scale", "web", "+1", NULL});
	WAIT_FOR(!process_runs(web.pid[1]) && !process_runs(web.pid[2]));
	go_on();
	ck_assert_int_eq(program_wait(client), 0);
	WAIT_FOR(serving() == WEB_WORKERS + 1 && present() == WEB_WORKERS + 1);
	after = crew_of("web");
	ck_assert(is_in_crew(web.pid[0], &after) && is_in_crew(web.pid[3], &after));
	ck_assert(log_has("USR1 from"));
	ck_assert(log_has("killed by a KILL that we did not send"));
	ck_assert_int_eq(log_count(" -> empty (reaped)"), 2);
	ck_assert_int_eq(process_zombies(), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_reload_follows)
{
	struct crew web, near;

	faulty_start();
	web = crew_of("web");
	near = crew_of("near");
	stop_in_the_middle(_i);
	daemon_kill(SIGHUP);
	go_on();
	WAIT_FOR(reloads_done() == 1);
	expect_full(0);
	ck_assert_int_eq(crew_left(&web) + crew_left(&near), 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_stop_follows)
{
	struct crew web;

	faulty_start();
	web = crew_of("web");
	stop_in_the_middle(_i);
	daemon_kill(SIGTERM);
	daemon_kill(SIGCONT);
	EXPECT_EXIT(0);
	ck_assert_int_eq(crew_left(&web), 0);
	ck_assert(!file_exists("run/state"));
}
END_TEST

static Suite *upgrade_suite(void)
{
	Suite *suite = suite_create("upgrade");
	TCase *tests = harness_case(suite, "upgrade");

	tcase_add_loop_test(tests, a_refusal_changes_nothing, 0, REFUSALS);
	tcase_add_test(tests, a_state_of_another_version_is_refused);
	tests = harness_case(suite, "taking over");
	tcase_add_test(tests, another_worker_is_asked_for_the_socket);
	tcase_add_loop_test(tests, sockets_that_cannot_be_had_are_bound_anew, 0, 2);
	tcase_add_loop_test(tests, a_shortage_ends_nobody, 0, SHORTAGES);
	tcase_add_loop_test(tests, the_new_program_takes_over_at_least, 0, SHORTAGES);
	tcase_add_loop_test(tests, who_cannot_be_watched_is_watched_later, 0, 10);
	tests = harness_case(suite, "meanwhile");
	tcase_add_loop_test(tests, what_changes_the_pool_is_done, 0, MOMENTS);
	tcase_add_loop_test(tests, a_reload_follows, 0, MOMENTS);
	tcase_add_loop_test(tests, a_stop_follows, 0, MOMENTS);
	return suite;
}

int main(void)
{
	return faults_main(upgrade_suite());
}
