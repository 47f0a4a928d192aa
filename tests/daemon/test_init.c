/*
 * The supervisor as all that there is in a container: process 1, or the one child of a small init,
 * without /proc, on file systems that cannot be written to, without rights. What it says by its
 * exit status is what the container says.
 */
#include "namespace.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define POOL  "[pool:web]\nmax_workers = 2\nstop_timeout = 2s\nmin_uptime = 20ms\n"
#define AS_1  "exec \"$0\" -c \"$1\""
#define WORDS "log.err"

/* Starts it and waits until it is ready; the pid of unshare(1). */
static pid_t start(const char *text)
{
	pid_t outside = start_in_namespace(text);

	WAIT_FOR(file_has(WORDS, "ready: the first workers"));
	daemon_is(only_child(outside));
	ck_assert_int_gt(daemon_pid(), 1);
	return outside;
}

static void expect_stop(pid_t outside)
{
	kill(daemon_pid(), SIGTERM);
	ck_assert_int_eq(program_wait(outside), 0);
}

/* --- signals: the kernel drops those that process 1 does not handle --- */

static const int ending[] = {SIGTERM, SIGINT, SIGQUIT};

START_TEST(signals_that_end_it)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config(POOL "command = @worker@ signals @dir@/got\n");
	pid_t outside = start(AS_1);

	WAIT_FOR(file_count("got", " ready") == 2);
	kill(daemon_pid(), ending[_i]);
	ck_assert_int_eq(program_wait(outside), 0);
	ck_assert_int_eq(file_count("got", " TERM"), 2);
}
END_TEST

START_TEST(signals_that_steer_it)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config("log_file = @dir@/log.txt\n" POOL "command = @worker@ signals @dir@/got\n");
	pid_t outside = start_in_namespace(AS_1);

	WAIT_FOR(file_has("log.txt", "ready: the first workers"));
	daemon_is(only_child(outside));
	kill(daemon_pid(), SIGHUP);
	WAIT_FOR(file_has("log.txt", "reload done"));
	kill(daemon_pid(), SIGTTIN);
	WAIT_FOR(worker_count() == 3);
	kill(daemon_pid(), SIGTTOU);
	WAIT_FOR(worker_count() == 2);
	kill(daemon_pid(), SIGWINCH);
	WAIT_FOR(worker_count() == 0);
	kill(daemon_pid(), SIGHUP);
	WAIT_FOR(worker_count() == 2);
	kill(daemon_pid(), SIGURG);
	WAIT_FOR(file_has("log.txt", "URG from pid 0 (uid 0) ignored"));
	ck_assert_int_eq(rename(path_of("log.txt"), path_of("log.old")), 0);
	kill(daemon_pid(), SIGUSR1);
	WAIT_FOR(file_exists("log.txt"));
	expect_stop(outside);
}
END_TEST

/* --- places --- */

START_TEST(without_proc)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config(POOL "command = @worker@\n");
	pid_t outside = start_in_namespace("mount -t tmpfs tmpfs /proc && " AS_1);

	const int status = program_wait(outside);

	/* A sanitizer that looks for leaks at the end gives up without /proc. */
	if (!file_has(WORDS, "LeakSanitizer has encountered a fatal error"))
		ck_assert_int_eq(status, 73);
	ck_assert(file_has(WORDS, "there is no /proc"));
}
END_TEST

#define READ_ONLY "mount --make-rprivate / && mount -o remount,bind,ro / && "

/* The folder is part of the root, or of a mount that is made read-only like it. */
#define READ_ONLY_FOLDER                                                                           \
	READ_ONLY "f=$(dirname \"$1\") && mount --bind \"$f\" \"$f\" && "                          \
		  "mount -o remount,bind,ro \"$f\" && cd \"$f\" && "

START_TEST(on_a_read_only_root)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config(POOL "command = @worker@\n");
	ck_assert_int_eq(mkdir(path_of("run"), 0755), 0);
	pid_t outside =
		start(READ_ONLY_FOLDER "mount -t tmpfs -o mode=755 tmpfs \"$f/run\" && " AS_1);

	WAIT_FOR(worker_count() == 2);
	expect_stop(outside);
}
END_TEST

START_TEST(with_nowhere_to_write)
{
	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	config(POOL "command = @worker@\n");
	ck_assert_int_eq(program_wait(start_in_namespace(READ_ONLY_FOLDER AS_1)), 73);
	ck_assert(file_has(WORDS, "runtime_dir "));
	ck_assert(file_has(WORDS, "Read-only file system"));
}
END_TEST

START_TEST(without_rights)
{
	char text[400];

	SKIP_UNLESS(can_unshare() && access("/usr/bin/setpriv", X_OK) == 0, "no setpriv");
	config(POOL "command = @worker@\n");
	snprintf(text, sizeof(text),
		"d=$(dirname \"$1\") && chmod 711 \"$d\" && chmod 644 \"$1\" && "
		"mkdir -p \"$d/run\" && chown %d \"$d/run\" && "
		"exec setpriv --reuid %d --regid %d --clear-groups --inh-caps=-all "
		"--bounding-set=-all --no-new-privs \"$0\" -c \"$1\"",
		(int)lonely_user(), (int)lonely_user(), (int)lonely_user());
	pid_t outside = start(text);

	WAIT_FOR(worker_count() == 2);
	kill(worker_any(), SIGKILL);
	WAIT_FOR(file_has(WORDS, "KILL"));
	WAIT_FOR(worker_count() == 2);
	expect_stop(outside);
}
END_TEST

/* --- under an init --- */

START_TEST(as_the_child_of_an_init)
{
	const char *init = access("/usr/bin/tini", X_OK) == 0 ? "/usr/bin/tini" : NULL;
	char text[100];

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	SKIP_UNLESS(init, "tini is not installed");
	config(POOL "command = sh -c '( @worker@ sleep 50 exit 1 & ); exec @worker@ "
		    "signals @dir@/got'\n");
	snprintf(text, sizeof(text), "exec %s -- \"$0\" -c \"$1\"", init);
	pid_t outside = start(text);
	pid_t above = daemon_pid();

	daemon_is(only_child(above)); /* the orphans' end goes to the supervisor, not to init */
	WAIT_FOR(file_count("got", " ready") == 2);
	WAIT_FOR(process_zombies() == 0 && worker_count() == 2);
	kill(above, SIGTERM);
	ck_assert_int_eq(program_wait(outside), 0);
	ck_assert_int_eq(file_count("got", " TERM"), 2);
}
END_TEST

/* --- the container's exit status --- */

static const struct {
	const char *what;
	const char *more;
	int status;
} failures[] = {
	{"workers that never get ready",
		"ready = scoreboard\nerr_respawn_interval = 1ms\ncommand = @worker@ exit 3\n", 75},
	{"a fault in the configuration", "command = @worker@\nmax_worker = 2\n", 78},
	{"a command that is not there", "command = @dir@/nothing\n", 78},
};

START_TEST(says_why_it_ended)
{
	char text[600];

	SKIP_UNLESS(can_unshare(), "no PID namespaces");
	snprintf(text, sizeof(text), "%s%s", POOL, failures[_i].more);
	config("%s", text);
	int status = program_wait(start_in_namespace(AS_1));

	ck_assert_msg(status == failures[_i].status, "%s: %d", failures[_i].what, status);
	ck_assert_int_gt(file_size(WORDS), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("init");
	TCase *signals = harness_case(suite, "signals");
	TCase *places = harness_case(suite, "places");
	TCase *statuses = harness_case(suite, "exit status");

	tcase_add_loop_test(signals, signals_that_end_it, 0, 3);
	tcase_add_test(signals, signals_that_steer_it);
	tcase_add_test(places, without_proc);
	tcase_add_test(places, on_a_read_only_root);
	tcase_add_test(places, with_nowhere_to_write);
	tcase_add_test(places, without_rights);
	tcase_add_test(places, as_the_child_of_an_init);
	tcase_add_loop_test(
		statuses, says_why_it_ended, 0, (int)(sizeof(failures) / sizeof(*failures)));
	return harness_main(suite);
}
