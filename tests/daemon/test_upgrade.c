/*
 * The supervisor becomes the program that is on the disk: same pid, same workers, nothing lost. A
 * program that cannot go on is found out before anything has changed.
 */
#include <sys/stat.h>

#include "load.h"
#include "rolling_pool.h"

#define WORKERS 4

/* A copy that the tests can replace, in a folder of its own: the harness starts it. */
static char folder[] = "/tmp/preforkd-upgrade-XXXXXX";
static char original[PATH_MAX], copy[PATH_MAX];

static void install(const char *edit)
{
	char command[8 * PATH_MAX];

	snprintf(command, sizeof(command), "%s <%s >%s.new && chmod 755 %s.new && mv %s.new %s",
		edit, original, copy, copy, copy, copy);
	if (system(command) != 0)
		abort();
}

static void install_program(const char *path)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "cat %s", path);
	install(command);
}

/* The program, but it is given the state of a version that is yet to come. */
static void install_with_newer_state(void)
{
	char command[PATH_MAX + 16];

	file_write("newer", "preforkd state 999\n");
	file_write("newer.sh",
		"#!/bin/sh\n"
		"case $1 in --check-state*) exec %s --check-state=9 9<%s;; esac\n"
		"exec %s \"$@\"\n",
		original, path_of("newer"), original);
	snprintf(command, sizeof(command), "cat %s -", path_of("newer.sh"));
	install(command);
}

static int upgrades_done(void)
{
	return log_count(" upgraded: ");
}

static int upgrades_failed(void)
{
	return log_count(" upgrade failed, ");
}

static int start(const char *more, const char *pool)
{
	int port = free_port();

	install("cat");
	config("%s[socket:tcp]\nlisten = 127.0.0.1:%d\nbacklog = 1024\n"
	       "[socket:local]\nlisten = unix:@dir@/s\n[pool:web]\n" QUICK
	       "max_workers = %d\nsockets = tcp\ncommand = %s\n%s"
	       "[pool:near]\n" QUICK "max_workers = 2\nsockets = local\ncommand = %s\n",
		more, port, WORKERS, hello_program(), pool, hello_program());
	daemon_start();
	WAIT_FOR(serving() == WORKERS && serving_of("near") == 2 && log_has("ready: the first"));
	return port;
}

static void upgrade_well(void)
{
	int before = upgrades_done();

	daemon_kill(SIGUSR2);
	WAIT_FOR(upgrades_done() > before);
}

static void upgrade_badly(const char *reason)
{
	int before = upgrades_failed();

	daemon_kill(SIGUSR2);
	WAIT_FOR(upgrades_failed() > before);
	ck_assert_msg(log_has(reason), "the log does not say: %s", reason);
	ck_assert_int_eq(upgrades_done(), 0);
}

START_TEST(the_process_and_its_workers_stay)
{
	int port = start("", "stdout = log\n"), times = long_or_short(1000, 20), descriptors;
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct load local = load_closed(path_of("s"), "/", 2);
	struct crew before = crew_of("web"), after;
	long resident_kib;

	upgrade_well();
	upgrade_well();
	descriptors = process_descriptors(daemon_pid());
	resident_kib = process_resident_kib(daemon_pid());
	for (int i = 2; i < times; i++)
		upgrade_well();
	load_await(&tcp, 20);
	load_await(&local, 20);
	WAIT_FOR(process_descriptors(daemon_pid()) <= descriptors);
	ck_assert_int_le(process_resident_kib(daemon_pid()), resident_kib + slow_ms(512));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	ck_assert_int_eq(crew_left(&before), WORKERS);
	ck_assert_int_eq(process_zombies(), 0);
	load_end_without_loss(&tcp);
	load_end_without_loss(&local);
	ck_assert_int_eq(process_descriptors(before.pid[0]), 5);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
	ck_assert(!file_exists("run/state"));
}
END_TEST

/* By all that answers: the version that it says, in the log and to a command. */
static void expect_version(const char *version)
{
	char line[128];

	snprintf(line, sizeof(line), "upgraded: preforkd %s goes on with %d workers", version,
		WORKERS + 2);
	ck_assert_msg(log_has(line), "the log does not say: %s", line);
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "status"), 0);
	ck_assert_msg(file_has("run.out", version), "status is not of %s", version);
}

START_TEST(to_another_version_and_back)
{
	int port = start("", ""), times = long_or_short(100, 3);
	struct load tcp = load_closed(load_port(port), "/", 3);
	struct load local = load_closed(path_of("s"), "/", 2);
	struct crew before = crew_of("web"), after;

	for (int i = 0; i < times; i++) {
		file_write("log", "%s", "");
		install_program(worker_beside("preforkd_next"));
		upgrade_well();
		expect_version("next");
		install("cat");
		upgrade_well();
		expect_version(PACKAGE_VERSION);
		load_await(&tcp, 20);
	}
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	load_end_without_loss(&tcp);
	load_end_without_loss(&local);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_program_that_cannot_go_on_changes_nothing)
{
	int port = start("", ""), descriptors;
	struct load tcp = load_closed(load_port(port), "/", 2);
	struct crew before = crew_of("web"), after;

	descriptors = process_descriptors(daemon_pid());
	unlink(copy);
	upgrade_badly("No such file or directory");
	install("cat");
	chmod(copy, 0644);
	upgrade_badly("Permission denied");
	install("head -c 100");
	upgrade_badly("/preforkd: exec: Exec format error");
	install_with_newer_state();
	upgrade_badly("cannot read our state");
	install("sh -c 'echo \"#!/bin/sh\"; echo exit 64'");
	upgrade_badly("exits with status 64");
	load_await(&tcp, 20);
	WAIT_FOR(process_descriptors(daemon_pid()) <= descriptors);
	install("cat");
	upgrade_well();
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	load_end_without_loss(&tcp);
	EXPECT_STOP();
}
END_TEST

START_TEST(what_happens_meanwhile_is_not_lost)
{
	int port = start("", "");

	(void)port;
	for (int i = 0; i < long_or_short(100, 5); i++) {
		struct crew before = crew_of("web");
		int reloads = reloads_done();

		daemon_kill(SIGUSR2);
		kill(before.pid[i % WORKERS], SIGKILL);
		daemon_kill(SIGHUP);
		WAIT_FOR(reloads_done() > reloads);
		WAIT_FOR(upgrades_done() == i + 1);
		WAIT_FOR(serving() == WORKERS && present() == WORKERS);
		ck_assert_int_eq(crew_left(&before), 0);
	}
	ck_assert_int_eq(upgrades_failed(), 0);
	WAIT_FOR(process_zombies() == 0);
	EXPECT_STOP();
}
END_TEST

START_TEST(who_asks_for_it_is_answered)
{
	struct crew before, after;

	start("", "");
	before = crew_of("web");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "upgrade"), 0);
	ck_assert(file_has("run.out", "goes on with 6 workers"));
	install_with_newer_state();
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "upgrade"), 75);
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	install("cat");
	/* and after our death as before */
	daemon_kill(SIGKILL);
	daemon_wait();
	file_write("log", "%s", "");
	daemon_start();
	WAIT_FOR(log_has("ready: the first"));
	upgrade_well();
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	ck_assert_int_eq(crew_left(&before), 0);
}
END_TEST

static bool has_any_of(const char *pool, const struct crew *crew)
{
	const struct crew now = crew_of(pool);
	bool any = false;

	for (int i = 0; i < now.count; i++)
		any = any || is_in_crew(now.pid[i], crew);
	return any;
}

/* Everybody died, so the next supervisor found a socket's file that was nobody's. */
START_TEST(a_socket_that_replaced_a_stale_one_goes_along)
{
	struct load local;
	struct crew before, after, near;

	start("", "");
	before = crew_of("web");
	near = crew_of("near");
	daemon_kill(SIGKILL);
	daemon_wait();
	for (int i = 0; i < near.count; i++)
		kill(near.pid[i], SIGKILL);
	WAIT_FOR(crew_left(&near) == 0);
	file_write("log", "%s", "");
	daemon_start();
	WAIT_FOR(serving_of("near") == 2 && !has_any_of("near", &near));
	local = load_closed(path_of("s"), "/", 2);
	near = crew_of("near");
	upgrade_well();
	load_await(&local, 20);
	daemon_kill(SIGKILL);
	daemon_wait();
	file_write("log", "%s", "");
	daemon_start();
	WAIT_FOR(log_has("ready: the first"));
	load_await(&local, 20);
	after = crew_of("near");
	ck_assert(same_crew(&near, &after));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	load_end_without_loss(&local);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* The line of `preforkd status --json` that tells of the last reload. */
static const char *last_reload(char text[1024])
{
	const char *at;

	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "status", "--json"), 0);
	at = strstr(file_text("run.out"), "\"reload\"");
	ck_assert_ptr_nonnull(at);
	snprintf(text, 1024, "%.*s", (int)strcspn(at, "}"), at);
	return text;
}

START_TEST(how_the_last_reload_ended_is_still_known)
{
	char before[1024], after[1024];

	start("", "");
	for (int failed = 0; failed < 2; failed++) {
		if (failed) {
			config("nonsense = 1\n[pool:web]\ncommand = x\n");
			reload_badly();
		} else {
			reload_well();
		}
		last_reload(before);
		ck_assert_ptr_nonnull(strstr(before, failed ? "nonsense" : "\"done\""));
		upgrade_well();
		ck_assert_str_eq(before, last_reload(after));
	}
	EXPECT_STOP();
}
END_TEST

static Suite *upgrade_suite(void)
{
	Suite *suite = suite_create("upgrade");
	TCase *tests = harness_case(suite, "upgrade");

	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, the_process_and_its_workers_stay);
	tcase_add_test(tests, to_another_version_and_back);
	tcase_add_test(tests, a_program_that_cannot_go_on_changes_nothing);
	tcase_add_test(tests, what_happens_meanwhile_is_not_lost);
	tcase_add_test(tests, a_socket_that_replaced_a_stale_one_goes_along);
	tcase_add_test(tests, who_asks_for_it_is_answered);
	tcase_add_test(tests, how_the_last_reload_ended_is_still_known);
	return suite;
}

int main(void)
{
	int result;

	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(original, sizeof(original), "%s",
		getenv("PREFORKD") ? getenv("PREFORKD") : worker_beside("../../preforkd"));
	snprintf(copy, sizeof(copy), "%s/preforkd", folder);
	install("cat");
	setenv("PREFORKD", copy, 1);
	result = harness_main(upgrade_suite());
	unlink(copy);
	rmdir(folder);
	return result;
}
