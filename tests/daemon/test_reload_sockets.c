/* Sockets over a reload: those that are still named keep their descriptor, new ones are bound
 * before anything changes, those that went are closed and unlinked once nobody uses them. */
#include "harness.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "load.h"
#include "rolling_pool.h"

#define HELLO_POOL "[pool:web]\nmax_workers = 2\n" QUICK "sockets = main\ncommand = %s\n"

static void write_listen(const char *listen)
{
	config("[socket:main]\nlisten = %s\n" HELLO_POOL, listen, hello_program());
}

static void start_listen(const char *listen)
{
	write_listen(listen);
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
}

static ino_t inode(const char *name)
{
	struct stat st;

	return lstat(path_of("%s", name), &st) == 0 ? st.st_ino : 0;
}

static mode_t mode(const char *name)
{
	struct stat st;

	return lstat(path_of("%s", name), &st) == 0 ? st.st_mode & 07777 : 0;
}

static const char *listen_on(const char *host, int port)
{
	static char text[2][64];
	static int next;

	next ^= 1;
	snprintf(text[next], sizeof(text[next]), "%s:%d", host, port);
	return text[next];
}

static const char *tcp_listen(int port)
{
	return listen_on("127.0.0.1", port);
}

static bool answers(int port)
{
	return http_get(port, "/") != NULL;
}

static bool local_answers(const char *name)
{
	return http_exchange(unix_connect(path_of("%s", name), SOCK_STREAM), "/") != NULL;
}

/* --- the same socket --- */

/* What waits in its queue when nobody serves is served by the next generation. */
START_TEST(what_waits_to_be_accepted_waits_for_the_next_generation)
{
	const char *answer;
	int waiting;

	config("[socket:main]\nlisten = unix:@dir@/s\n[pool:web]\nmax_workers = 1\n" QUICK
	       "sockets = main\ncommand = @worker@ board\n");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: "));
	waiting = unix_connect(path_of("s"), SOCK_STREAM);
	ck_assert_int_ge(waiting, 0);
	write_listen("unix:@dir@/s");
	reload_well();
	answer = http_exchange(waiting, "/");
	ck_assert_ptr_nonnull(answer);
	ck_assert_ptr_nonnull(strstr(answer, "generation 2"));
	EXPECT_STOP();
}
END_TEST

START_TEST(backlog_and_mode_change_in_place)
{
	struct load load;
	ino_t before;

	start_listen("unix:@dir@/s");
	before = inode("s");
	load = load_closed(path_of("s"), "/", 3);
	config("[socket:main]\nlisten = unix:@dir@/s\nbacklog = 7\nmode = 0604\n" HELLO_POOL,
		hello_program());
	reload_well();
	ck_assert_uint_eq(inode("s"), before);
	ck_assert_uint_eq(mode("s"), 0604);
	/* and back, since the other one fails */
	config("[socket:main]\nlisten = unix:@dir@/s\nmode = 0640\n[pool:web]\nmax_workers = "
	       "2\n" QUICK "sockets = main\ncommand = @worker@ exit 1\n");
	reload_badly();
	ck_assert_uint_eq(inode("s"), before);
	ck_assert_uint_eq(mode("s"), 0604);
	load_end_without_loss(&load);
	EXPECT_STOP();
	ck_assert(!file_exists("s"));
}
END_TEST

/* --- another address --- */

START_TEST(the_new_address_opens_before_the_old_one_closes)
{
	int port = free_port(), other = free_port();
	struct crew old;

	start_listen(tcp_listen(port));
	old = crew_of("web");
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 2\n" QUICK
	       "ready = scoreboard\nsockets = main\ncommand = @worker@\n",
		other);
	daemon_kill(SIGHUP);
	WAIT_FOR(present() == 3);
	/* in the middle: the old one is served, the new one takes connections */
	int waiting = port_connect(other);

	ck_assert_int_ge(waiting, 0);
	ck_assert(answers(port));
	WAIT_FOR((say_ready("web"), reloads_done() == 1));
	WAIT_FOR(crew_left(&old) == 0 && port_connect(port) < 0);
	write_listen(tcp_listen(other));
	reload_well();
	ck_assert_ptr_nonnull(http_exchange(waiting, "/"));
	EXPECT_STOP();
}
END_TEST

START_TEST(a_client_that_knows_both_is_always_answered)
{
	int ports[2] = {free_port(), free_port()};

	start_listen(tcp_listen(ports[0]));
	for (int i = 0; i < long_or_short(100, 6); i++) {
		int done = reloads_done();

		write_listen(tcp_listen(ports[(i + 1) % 2]));
		daemon_kill(SIGHUP);
		while (reloads_done() == done)
			ck_assert(answers(ports[i % 2]) || answers(ports[(i + 1) % 2]));
		ck_assert(answers(ports[(i + 1) % 2]));
		WAIT_FOR(port_connect(ports[i % 2]) < 0);
	}
	EXPECT_STOP();
}
END_TEST

START_TEST(an_old_unix_path_is_removed_and_the_new_one_is_there)
{
	struct load load;

	start_listen("unix:@dir@/old");
	write_listen("unix:@dir@/new");
	reload_well();
	ck_assert(local_answers("new"));
	WAIT_FOR(!file_exists("old"));
	load = load_closed(path_of("new"), "/", 3);
	reload_well();
	load_end_without_loss(&load);
	EXPECT_STOP();
	ck_assert(!file_exists("new"));
}
END_TEST

/* Also where the file was replaced by a stranger meanwhile: that one is not ours to remove. */
START_TEST(only_our_own_old_path_is_removed)
{
	start_listen("unix:@dir@/old");
	unlink(path_of("old"));
	file_write("old", "a stranger's\n");
	write_listen("unix:@dir@/new");
	reload_well();
	ck_assert(local_answers("new"));
	EXPECT_STOP();
	ck_assert_str_eq(file_text("old"), "a stranger's\n");
}
END_TEST

START_TEST(the_new_address_closes_when_the_new_version_fails)
{
	int port = free_port(), other = free_port();
	struct load load;

	start_listen(tcp_listen(port));
	load = load_closed(load_port(port), "/", 3);
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[pool:web]\nmax_workers = 2\n" QUICK
	       "sockets = main\ncommand = @worker@ exit 1\n",
		other);
	reload_badly();
	WAIT_FOR(port_connect(other) < 0);
	load_end_without_loss(&load);
	ck_assert(answers(port));
	EXPECT_STOP();
}
END_TEST

/* --- addresses that cannot be --- */

START_TEST(a_socket_that_cannot_be_bound_fails_before_anything_changed)
{
	int port = free_port(), taken = free_port();
	struct crew before, after;
	pid_t stranger;

	stranger = program_start(
		"stranger", NULL, (const char *[]){hello_program(), load_port(taken), NULL});
	WAIT_FOR(answers(taken));
	start_listen(tcp_listen(port));
	before = crew_of("web");
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[socket:first]\nlisten = unix:@dir@/first\n"
	       "[socket:taken]\nlisten = 127.0.0.1:%d\n" HELLO_POOL
	       "[pool:more]\nsockets = first taken\ncommand = @worker@\n",
		port, taken, hello_program());
	reload_badly();
	ck_assert(log_has("[socket:taken]: "));
	ck_assert(log_has("Address already in use"));
	ck_assert(!file_exists("first"));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	ck_assert(!log_has("generation 2"));
	kill(stranger, SIGTERM);
	program_wait(stranger);
	EXPECT_STOP();
}
END_TEST

START_TEST(an_overlapping_address_needs_a_restart)
{
	static const struct {
		const char *old, *other;
	} hosts[] = {{"127.0.0.1", ""}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "0.0.0.0"}};
	struct crew before, after;
	int port = free_port();

	start_listen(listen_on(hosts[_i].old, port));
	before = crew_of("web");
	write_listen(listen_on(hosts[_i].other, port));
	reload_badly();
	ck_assert(log_has("needs a restart"));
	after = crew_of("web");
	ck_assert(same_crew(&before, &after));
	ck_assert(answers(port));
	EXPECT_STOP();
}
END_TEST

START_TEST(another_option_of_the_same_address_needs_a_restart_too)
{
	int port = free_port();

	start_listen(tcp_listen(port));
	config("[socket:main]\nlisten = 127.0.0.1:%d\nreuse_port = yes\n" HELLO_POOL, port,
		hello_program());
	reload_badly();
	ck_assert(log_has("needs a restart"));
	ck_assert(answers(port));
	EXPECT_STOP();
}
END_TEST

/* The name is what a socket is known by. */
START_TEST(two_sockets_cannot_change_places)
{
	int a = free_port(), b = free_port();

	config("[socket:main]\nlisten = 127.0.0.1:%d\n[socket:b]\nlisten = "
	       "127.0.0.1:%d\n" HELLO_POOL,
		a, b, hello_program());
	daemon_start();
	WAIT_FOR(serving() == 2 && log_has("ready: "));
	config("[socket:main]\nlisten = 127.0.0.1:%d\n[socket:b]\nlisten = "
	       "127.0.0.1:%d\n" HELLO_POOL,
		b, a, hello_program());
	reload_badly();
	ck_assert(log_has("needs a restart"));
	ck_assert(answers(a));
	EXPECT_STOP();
}
END_TEST

/* --- sockets come and go --- */

START_TEST(sockets_are_added_and_removed)
{
	int descriptors;

	start_listen("unix:@dir@/main");
	descriptors = steady_descriptors(daemon_pid());
	config("[socket:main]\nlisten = unix:@dir@/main\n[socket:more]\nlisten = unix:@dir@/more\n"
	       "[pool:web]\nmax_workers = 2\n" QUICK "sockets = more main\ncommand = %s\n",
		hello_program());
	reload_well();
	ck_assert(local_answers("more"));
	write_listen("unix:@dir@/main");
	reload_well();
	WAIT_FOR(!file_exists("more") && present() == 2);
	ck_assert(local_answers("main"));
	expect_descriptors(descriptors);
	EXPECT_STOP();
}
END_TEST

/* A worker of the old generation that is still busy has its old socket; it goes when that goes. */
START_TEST(a_removed_socket_stays_while_old_workers_live)
{
	struct crew old;

	config("[socket:main]\nlisten = unix:@dir@/main\n[pool:web]\nmax_workers = 1\n" QUICK
	       "stop_timeout = 60s\nsockets = main\ncommand = @worker@ obey @dir@\n");
	file_write("busy.0", "%s", "");
	daemon_start();
	WAIT_FOR(serving() == 1 && log_has("ready: ") && board_byte("web", 0, 0) == 'A');
	old = crew_of("web");
	config("[pool:web]\nmax_workers = 1\n" QUICK "command = @worker@ obey @dir@\n");
	reload_well();
	ck_assert_int_eq(crew_left(&old), 1);
	HOLDS_FOR(50, file_exists("main"));
	unlink(path_of("busy.0"));
	WAIT_FOR(crew_left(&old) == 0 && !file_exists("main"));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reloaded sockets");
	TCase *same = harness_case(suite, "the same");
	TCase *other = harness_case(suite, "another");
	TCase *refused = harness_case(suite, "refused");
	TCase *come = harness_case(suite, "come and go");

	tcase_add_test(same, what_waits_to_be_accepted_waits_for_the_next_generation);
	tcase_add_test(same, backlog_and_mode_change_in_place);
	tcase_add_test(other, the_new_address_opens_before_the_old_one_closes);
	tcase_add_test(other, a_client_that_knows_both_is_always_answered);
	tcase_add_test(other, an_old_unix_path_is_removed_and_the_new_one_is_there);
	tcase_add_test(other, only_our_own_old_path_is_removed);
	tcase_add_test(other, the_new_address_closes_when_the_new_version_fails);
	tcase_add_test(refused, a_socket_that_cannot_be_bound_fails_before_anything_changed);
	tcase_add_loop_test(refused, an_overlapping_address_needs_a_restart, 0, 3);
	tcase_add_test(refused, another_option_of_the_same_address_needs_a_restart_too);
	tcase_add_test(refused, two_sockets_cannot_change_places);
	tcase_add_test(come, sockets_are_added_and_removed);
	tcase_add_test(come, a_removed_socket_stays_while_old_workers_live);
	return harness_main(suite);
}
