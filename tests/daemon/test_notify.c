/* NOTIFY_SOCKET: what workers say counts as theirs, from their process or its group, and from
 * nobody else; whatever is sent, the supervisor answers, closes what it was given, and works on. */
#include "harness.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

#define NOTIFY "[pool:web]\nready = notify\nmin_uptime = 20ms\nerr_respawn_interval = 20ms\n"

/* Ready is what the first readiness of all is made of. */
#define is_ready() log_has("ready: the first workers")

static void start(int workers, const char *keys, const char *words)
{
	config(NOTIFY "max_workers = %d\n%scommand = %s %s\n", workers, keys,
		worker_beside("notify_worker"), words);
	daemon_start();
	WAIT_FOR(worker_count() == workers);
}

/* --- READY --- */

START_TEST(ready_is_who_says_so)
{
	start(2, "", "touch @dir@/up wait @dir@/go notify READY=1");
	WAIT_FOR(file_count("up", "\n") == 2);
	HOLDS_FOR(200, !is_ready());
	file_write("go", "%s", "");
	WAIT_FOR(is_ready());
	EXPECT_STOP();
}
END_TEST

START_TEST(a_process_of_its_group_may_say_it)
{
	start(2, "", "group READY=1");
	WAIT_FOR(is_ready());
	EXPECT_STOP();
}
END_TEST

START_TEST(a_stranger_may_not)
{
	start(2, "", "stranger READY=1 touch @dir@/said");
	WAIT_FOR(file_count("said", "\n") == 2);
	HOLDS_FOR(200, !is_ready());
	EXPECT_STOP();
}
END_TEST

/* Not even one of the same user that names a worker. */
START_TEST(nor_may_we_from_outside)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[64];
	int fd;

	start(1, "", "touch @dir@/up");
	WAIT_FOR(file_count("up", "\n") == 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of("run/web.notify"));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1", (int)worker_of("web", 0));
	ck_assert_int_gt(send(fd, text, strlen(text), 0), 0);
	HOLDS_FOR(200, !is_ready());
	close(fd);
	EXPECT_STOP();
}
END_TEST

START_TEST(systemd_notify_says_it_from_a_script)
{
	SKIP_UNLESS(access("/usr/bin/systemd-notify", X_OK) == 0 ||
			    access("/bin/systemd-notify", X_OK) == 0,
		"no systemd-notify here");
	config(NOTIFY "max_workers = 2\ncommand = sh -c 'systemd-notify --ready "
		      "--status=\"hello\"; echo >>@dir@/said; exec sleep 300'\n");
	daemon_start();
	WAIT_FOR(is_ready() && file_count("said", "\n") == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(who_is_not_ready_in_time_is_killed)
{
	start(1, "start_timeout = 100ms\ncrash_loop = backoff\n", "touch @dir@/up");
	WAIT_FOR(file_count("up", "\n") >= 2);
	ck_assert(log_has("not ready within start_timeout"));
	ck_assert(!is_ready());
	EXPECT_STOP();
}
END_TEST

START_TEST(extend_timeout_gives_it_more_time)
{
	start(1, "start_timeout = 300ms\n",
		"notify EXTEND_TIMEOUT_USEC=60000000 touch @dir@/up wait @dir@/go notify READY=1");
	WAIT_FOR(file_count("up", "\n") == 1);
	HOLDS_FOR(600, worker_count() == 1 && !log_has("killing it"));
	file_write("go", "%s", "");
	WAIT_FOR(is_ready());
	ck_assert_int_eq(file_count("up", "\n"), 1);
	EXPECT_STOP();
}
END_TEST

START_TEST(extend_timeout_ends_too)
{
	start(1, "start_timeout = 50ms\ncrash_loop = backoff\n",
		"notify EXTEND_TIMEOUT_USEC=400000 touch @dir@/up");
	WAIT_FOR(file_count("up", "\n") >= 2);
	ck_assert(log_has("not ready within start_timeout"));
	EXPECT_STOP();
}
END_TEST

/* auto: what one of the pool was seen to do is demanded of all. */
START_TEST(auto_holds_all_to_what_one_has_shown)
{
	config("[pool:web]\nmin_uptime = 20ms\nmax_workers = 1\nstart_timeout = 300ms\n"
	       "command = %s touch @dir@/up wait @dir@/go notify READY=1 barrier @dir@/heard\n",
		worker_beside("notify_worker"));
	file_write("go", "%s", "");
	daemon_start();
	WAIT_FOR(is_ready() && file_count("heard", "\n") == 1);
	unlink(path_of("go"));
	daemon_kill(SIGHUP);
	WAIT_FOR(file_count("up", "\n") == 2);
	/* alive for longer than min_uptime: no proof any more */
	HOLDS_FOR(150, reloads_done() == 0);
	file_write("go", "%s", "");
	WAIT_FOR(reloads_done() == 1);
	EXPECT_STOP();
}
END_TEST

/* --- the rest of the protocol --- */

START_TEST(watchdog_keeps_it_alive)
{
	pid_t first;

	start(1, "timeout = 500ms\n", "notify READY=1 every 50 WATCHDOG=1");
	WAIT_FOR(is_ready());
	first = worker_of("web", 0);
	HOLDS_FOR(1500, process_runs(first));
	kill(first, SIGSTOP);
	WAIT_FOR(!process_runs(first));
	ck_assert(log_has("no sign of life within timeout"));
	EXPECT_STOP();
}
END_TEST

START_TEST(watchdog_trigger_ends_it)
{
	start(1, "timeout = 60s\ncrash_loop = backoff\n",
		"notify READY=1 touch @dir@/up wait @dir@/go notify WATCHDOG=trigger");
	WAIT_FOR(is_ready());
	file_write("go", "%s", "");
	WAIT_FOR(file_count("up", "\n") >= 2);
	ck_assert(log_has("says itself that it hangs"));
	EXPECT_STOP();
}
END_TEST

/* Who says that it leaves is missed from then on, and its end is no failure. */
START_TEST(stopping_makes_room_for_the_next)
{
	start(2, "crash_loop = exit\n",
		"notify READY=1 touch @dir@/up wait @dir@/go notify STOPPING=1 touch @dir@/left "
		"sleep 100 exit 0");
	WAIT_FOR(is_ready() && file_count("up", "\n") == 2);
	file_write("go", "%s", "");
	WAIT_FOR(file_count("left", "\n") >= 2);
	unlink(path_of("go"));
	WAIT_FOR(file_count("up", "\n") >= 4);
	WAIT_FOR(worker_count() == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(who_says_that_it_leaves_and_does_not_is_made_to)
{
	start(1, "stop_timeout = 200ms\n",
		"notify READY=1 touch @dir@/up wait @dir@/go notify STOPPING=1 touch @dir@/said");
	WAIT_FOR(is_ready());
	pid_t first = worker_of("web", 0);

	file_write("go", "%s", "");
	WAIT_FOR(file_count("said", "\n") == 1);
	unlink(path_of("go"));
	/* not at once: it knows best, for so long */
	HOLDS_FOR(100, process_runs(first));
	WAIT_FOR(!process_runs(first));
	WAIT_FOR(file_count("up", "\n") == 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(a_barrier_is_closed)
{
	start(3, "", "barrier @dir@/barrier notify READY=1 barrier @dir@/barrier");
	WAIT_FOR(is_ready());
	WAIT_FOR(file_count("barrier", "closed\n") == 6);
	EXPECT_STOP();
}
END_TEST

START_TEST(the_environment_says_where_and_how_long)
{
	char line[128];

	config(NOTIFY "max_workers = 1\ntimeout = 90s\ncommand = @worker@ report @dir@/report\n");
	daemon_start();
	WAIT_FOR(file_exists("report"));
	snprintf(line, sizeof(line), "env NOTIFY_SOCKET=%s\n", path_of("run/web.notify"));
	ck_assert(file_has("report", line));
	ck_assert(file_has("report", "env WATCHDOG_USEC=90000000\n"));
	snprintf(line, sizeof(line), "env WATCHDOG_PID=%d\n", (int)worker_of("web", 0));
	ck_assert(file_has("report", line));
	EXPECT_STOP();
	ck_assert(!file_exists("run/web.notify"));
}
END_TEST

/* --- harm --- */

START_TEST(whatever_is_sent_it_works_on)
{
	int descriptors;
	long resident_kib;

	/* they may say STOPPING=1, too, and are not to be ended for it meanwhile */
	config(NOTIFY "max_workers = 2\nmax_lifetime = 0\nstop_timeout = 600s\ncommand = %s notify "
		      "READY=1 wait "
		      "@dir@/go hostile %d touch @dir@/tired every 50 STATUS=well\n",
		worker_beside("notify_worker"), long_or_short(60, 2));
	daemon_start();
	WAIT_FOR(is_ready());
	descriptors = steady_descriptors(daemon_pid());
	resident_kib = process_resident_kib(daemon_pid());
	file_write("go", "%s", "");
	while (file_count("tired", "\n") < 2) {
		int64_t asked = now_ms();

		/* a signal is answered meanwhile */
		daemon_kill(SIGUSR1);
		WAIT_FOR_WITHIN(1000, log_count("USR1 from pid") > 0 && daemon_alive());
		ck_assert_int_lt(now_ms() - asked, slow_ms(1000));
		nap_ms(20);
	}
	expect_descriptors(descriptors);
	ck_assert(is_as_big(daemon_pid(), resident_kib));
	EXPECT_STOP();
}
END_TEST

/* Those that flood do not keep others from being heard. */
START_TEST(a_flood_does_not_drown_others)
{
	config(NOTIFY "max_workers = 1\nstop_timeout = 200ms\n"
		      "command = %s notify READY=1 hostile 60\n"
		      "[pool:calm]\nready = notify\nmin_uptime = 20ms\nmax_workers = 2\n"
		      "timeout = 1500ms\n"
		      "command = %s notify READY=1 every 100 WATCHDOG=1\n",
		worker_beside("notify_worker"), worker_beside("notify_worker"));
	daemon_start();
	WAIT_FOR(is_ready());
	struct crew calm = crew_of("calm");

	for (int i = 0; i < 3; i++) {
		int before = reloads_done() + reloads_failed();

		daemon_kill(SIGHUP);
		WAIT_FOR(reloads_done() + reloads_failed() > before);
	}
	HOLDS_FOR(2000, !log_has("no sign of life"));
	WAIT_FOR(crew_left(&calm) == 0 && worker_count_of("calm") == 2);
	EXPECT_STOP();
}
END_TEST

/* --- over a reload --- */

static void write_ready(const char *ready, const char *words)
{
	config("[signals]\nUSR2 = reconfigure\n[pool:web]\nready = %s\nmin_uptime = 20ms\n"
	       "err_respawn_interval = 20ms\nstart_timeout = 2s\nmax_workers = 2\n"
	       "command = %s %s\n",
		ready, worker_beside("notify_worker"), words);
}

START_TEST(readiness_changes_by_reload_and_by_reconfigure)
{
	struct crew old;

	write_ready("alive", "wait @dir@/go notify READY=1");
	daemon_start();
	WAIT_FOR(is_ready() && worker_count() == 2);
	file_write("go", "%s", "");
	for (int i = 0; i < 4; i++) {
		int done = reloads_done() + reconfigures_done();

		old = crew_of("web");
		write_ready(i % 2 ? "alive" : "notify",
			i % 2 ? "sleep 1" : "wait @dir@/go notify READY=1");
		daemon_kill(i < 2 ? SIGHUP : SIGUSR2);
		WAIT_FOR(reloads_done() + reconfigures_done() > done);
		WAIT_FOR(crew_left(&old) == 0);
	}
	EXPECT_STOP();
}
END_TEST

#define BY_RECONFIGURE                                                                             \
	"[signals]\nHUP = reconfigure\n[pool:web]\nmin_uptime = 20ms\nmax_workers = 2\n"           \
	"err_respawn_interval = 20ms\nstart_timeout = 1s\ncommand = @dir@/words\nready = %s\n"

/* Nothing but the rule changes: but workers notice it, by the socket. */
START_TEST(readiness_alone_changes_by_reconfigure)
{
	struct crew old;

	file_write("words",
		"#!/bin/sh\n[ -z \"$NOTIFY_SOCKET\" ] || systemd-notify --ready || exit 1\n"
		"exec sleep 300\n");
	SKIP_UNLESS(access("/usr/bin/systemd-notify", X_OK) == 0, "no systemd-notify here");
	ck_assert_int_eq(chmod(path_of("words"), 0755), 0);
	config(BY_RECONFIGURE, "alive");
	daemon_start();
	WAIT_FOR(is_ready());
	old = crew_of("web");
	config(BY_RECONFIGURE, "notify");
	daemon_kill(SIGHUP);
	WAIT_FOR(reconfigures_done() == 1 && crew_left(&old) == 0);
	WAIT_FOR(present() == 2);
	old = crew_of("web");
	kill(old.pid[0], SIGKILL);
	WAIT_FOR(crew_left(&old) == 1 && worker_count() == 2);
	HOLDS_FOR(slow_ms(1100), crew_left(&old) == 1 && !log_has("start_timeout"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notifications");
	TCase *ready = harness_case(suite, "ready");
	TCase *rest = harness_case(suite, "protocol");
	TCase *harm = harness_case(suite, "harm");
	TCase *over = harness_case(suite, "reload");

	tcase_add_test(ready, ready_is_who_says_so);
	tcase_add_test(ready, a_process_of_its_group_may_say_it);
	tcase_add_test(ready, a_stranger_may_not);
	tcase_add_test(ready, nor_may_we_from_outside);
	tcase_add_test(ready, systemd_notify_says_it_from_a_script);
	tcase_add_test(ready, who_is_not_ready_in_time_is_killed);
	tcase_add_test(ready, extend_timeout_gives_it_more_time);
	tcase_add_test(ready, extend_timeout_ends_too);
	tcase_add_test(ready, auto_holds_all_to_what_one_has_shown);
	tcase_add_test(rest, watchdog_keeps_it_alive);
	tcase_add_test(rest, watchdog_trigger_ends_it);
	tcase_add_test(rest, stopping_makes_room_for_the_next);
	tcase_add_test(rest, who_says_that_it_leaves_and_does_not_is_made_to);
	tcase_add_test(rest, a_barrier_is_closed);
	tcase_add_test(rest, the_environment_says_where_and_how_long);
	tcase_add_test(harm, whatever_is_sent_it_works_on);
	tcase_add_test(harm, a_flood_does_not_drown_others);
	tcase_add_test(over, readiness_changes_by_reload_and_by_reconfigure);
	tcase_add_test(over, readiness_alone_changes_by_reconfigure);
	return harness_main(suite);
}
