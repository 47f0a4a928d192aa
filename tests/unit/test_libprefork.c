/* libprefork, as far as the line goes: which one is ours, and what is written there, also by
 * threads and signal handlers, in a file that others harm. The system calls and the allocations of
 * the library are counted here on their way (ld's --wrap). */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "prefork_world.h"

/* --- what the library asks of the system --- */

static char trail[64]; /* "w" and "r" with the byte of the line they begin at */

ssize_t __real_pwrite(int fd, const void *bytes, size_t count, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t at);
ssize_t __real_pread(int fd, void *bytes, size_t count, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t count, off_t at);

static void trail_add(char what, off_t at)
{
	size_t length = strlen(trail);

	if (length < sizeof(trail) - 8)
		snprintf(trail + length, 8, "%c%d ", what, (int)(at - OUR_LINE) % 1000);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t at)
{
	trail_add('w', at);
	return __real_pwrite(fd, bytes, count, at);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t count, off_t at)
{
	trail_add('r', at);
	return __real_pread(fd, bytes, count, at);
}

/* --- alone --- */

static void clear_environment(void)
{
	unsetenv("PREFORKD_SCOREBOARD");
	unsetenv("PREFORKD_SCOREBOARD_FD");
	unsetenv("PREFORKD_SCOREBOARD_OFFSET");
	unsetenv("NOTIFY_SOCKET");
}

START_TEST(alone_nothing_happens)
{
	clear_environment();
	for (int attached = 0; attached < 2; attached++) {
		if (attached)
			ck_assert_int_eq(prefork_attach(), 0);
		errno = 4711;
		call_all();
		ck_assert_int_eq(errno, 4711);
		ck_assert_int_eq(prefork_take(NULL), 1);
		ck_assert_int_eq(prefork_stopping(), 0);
		ck_assert_int_eq(prefork_ready(), 0);
		ck_assert_int_eq(prefork_socket(NULL, 0), -1);
	}
	prefork_detach();
}
END_TEST

/* --- which line is ours --- */

START_TEST(the_inherited_descriptor_is_taken)
{
	struct prefork_world world;

	world_attach(&world);
	ck_assert_int_eq(fcntl(world.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(prefork_attach(), 1);
	ck_assert_int_eq(world_state(&world), '.');
	prefork_idle();
	ck_assert_int_eq(world_state(&world), '_');
	prefork_detach();
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), '_');
	ck_assert_int_ge(fcntl(world.fd, F_GETFD), 0);
	world_remove(&world);
}
END_TEST

/* Each is no scoreboard that can be used, so the path is. */
static int another_descriptor(struct prefork_world *world, int kind)
{
	const char *path = test_path(&world->dir, "other");
	int pair[2];

	switch (kind) {
	case 0: return 999;
	case 1: return pipe(pair) == 0 ? pair[1] : -1;
	case 2: return open("/dev/null", O_RDWR);
	case 3: return open(world->path, O_RDONLY);
	case 4: return open(world->path, O_WRONLY);
	case 5: return open(world->dir.path, O_RDONLY);
	default:
		test_write_file(path, "0123456789abcdef0123456789abcdef"
				      "0123456789abcdef0123456789abcdef"
				      "0123456789abcdef0123456789abcdef"
				      "0123456789abcdef0123456789abcdef"
				      "0123456789abcdef0123456789abcdef"
				      "0123456789abcdef0123456789abcdef");
		return open(path, O_RDWR);
	}
}

START_TEST(the_path_is_taken_where_the_descriptor_is_not_it)
{
	struct prefork_world world;
	int fd;

	world_make(&world);
	fd = another_descriptor(&world, _i);
	ck_assert_int_ge(fd, 0);
	world_set_number("PREFORKD_SCOREBOARD_FD", fd);
	ck_assert_int_eq(prefork_attach(), 1);
	prefork_idle();
	ck_assert_int_eq(world_state(&world), '_');
	prefork_detach();
	world_remove(&world);
}
END_TEST

START_TEST(numbers_that_are_none_are_refused)
{
	static const char *const texts[] = {"", "x", "-1", "3x", " 3", "99999999999999999999"};
	struct prefork_world world;

	world_make(&world);
	setenv("PREFORKD_SCOREBOARD_FD", texts[_i], 1);
	unsetenv("PREFORKD_SCOREBOARD");
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, EBADF);
	setenv("PREFORKD_SCOREBOARD_OFFSET", texts[_i], 1);
	ck_assert_int_eq(prefork_attach(), 0);
	call_all();
	ck_assert_int_eq(world_state(&world), '.');
	world_remove(&world);
}
END_TEST

START_TEST(places_without_a_line_are_refused)
{
	static const long offsets[] = {1, 63, 65, 3 * BOARD_LINE_BYTES, 1L << 30};
	struct prefork_world world;

	world_make(&world);
	world_set_number("PREFORKD_SCOREBOARD_OFFSET", offsets[_i]);
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, EBADF);
	call_all();
	ck_assert_int_eq(world_state(&world), '.');
	world_remove(&world);
}
END_TEST

START_TEST(another_ones_line_is_refused)
{
	struct prefork_world world;

	world_make(&world);
	world_set_pid(&world, 1);
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, EPERM);
	call_all();
	ck_assert_int_eq(world_state(&world), '.');
	world_remove(&world);
}
END_TEST

START_TEST(a_path_that_leads_elsewhere_is_refused)
{
	struct prefork_world world;
	const char *other;

	world_make(&world);
	unsetenv("PREFORKD_SCOREBOARD_FD");
	other = test_path(&world.dir, "other");
	setenv("PREFORKD_SCOREBOARD", other, 1);
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(symlink(world.path, other), 0);
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(unlink(other), 0);
	ck_assert_int_eq(mkfifo(other, 0600), 0);
	ck_assert_int_eq(prefork_attach(), -1);
	ck_assert_int_eq(errno, EBADF);
	world_remove(&world);
}
END_TEST

START_TEST(a_pid_may_be_filled_in_late)
{
	struct prefork_world world;

	world_make(&world);
	world_set_pid(&world, 0);
	ck_assert_int_eq(prefork_attach(), 1);
	prefork_idle();
	ck_assert_int_eq(world_state(&world), '_');
	world_set_pid(&world, _i ? 1 : getpid());
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), _i ? '_' : 'W');
	world_remove(&world);
}
END_TEST

/* --- bytes --- */

START_TEST(every_field_has_its_place)
{
	struct prefork_world world;
	char expected[BOARD_LINE_BYTES];

	world_attach(&world);
	prefork_busy("GET /");
	prefork_done();
	prefork_done();
	prefork_beat();
	snprintf(expected, sizeof(expected), "W0 %-8d %-12d %-38s", (int)getpid(), 2, "GET /");
	ck_assert_str_eq(world_line(&world), expected);
	prefork_state('D');
	prefork_beat();
	prefork_note(NULL);
	snprintf(expected, sizeof(expected), "D1 %-8d %-12d %-38s", (int)getpid(), 2, "");
	ck_assert_str_eq(world_line(&world), expected);
	prefork_note("what");
	prefork_state('_');
	prefork_busy(NULL);
	prefork_idle();
	snprintf(expected, sizeof(expected), "_1 %-8d %-12d %-38s", (int)getpid(), 2, "what");
	ck_assert_str_eq(world_line(&world), expected);
	world_remove(&world);
}
END_TEST

START_TEST(notes_are_cut_and_cleaned)
{
	static const struct {
		const char *note, *shown;
	} notes[] = {
		{"", ""},
		{"a b", "a b"},
		{"one\ntwo\tthree\x7f", "one?two?three?"},
		{"gr\xc3\xbc\xc3\x9f", "gr????"},
		{"12345678901234567890123456789012345678",
			"12345678901234567890123456789012345678"},
		{"123456789012345678901234567890123456789",
			"12345678901234567890123456789012345678"},
	};
	struct prefork_world world;
	char shown[BOARD_NOTE_BYTES + 1];

	world_attach(&world);
	prefork_note("something long that stood there before");
	prefork_note(notes[_i].note);
	world_line(&world);
	snprintf(shown, sizeof(shown), "%-38s", notes[_i].shown);
	ck_assert_str_eq(world.line + BOARD_NOTE_AT, shown);
	world_remove(&world);
}
END_TEST

START_TEST(states_that_are_none_are_not_written)
{
	static const char none[] = {'.', ' ', '\n', '\0', 0x7f, (char)0x80, (char)0xff};
	struct prefork_world world;

	world_attach(&world);
	prefork_state(none[_i]);
	ck_assert_int_eq(world_state(&world), '.');
	prefork_idle();
	prefork_state(none[_i]);
	ck_assert_int_eq(world_state(&world), '_');
	world_remove(&world);
}
END_TEST

START_TEST(other_lines_stay_as_they_are)
{
	struct prefork_world world;
	char before[3 * BOARD_LINE_BYTES], after[3 * BOARD_LINE_BYTES];

	world_attach(&world);
	ck_assert_int_eq(pread(world.fd, before, sizeof(before), 0), sizeof(before));
	call_all();
	ck_assert_int_eq(pread(world.fd, after, sizeof(after), 0), sizeof(after));
	ck_assert_mem_ne(before + OUR_LINE, after + OUR_LINE, BOARD_LINE_BYTES);
	memcpy(after + OUR_LINE, before + OUR_LINE, BOARD_LINE_BYTES);
	ck_assert_mem_eq(before, after, sizeof(before));
	world_remove(&world);
}
END_TEST

/* --- taking a job --- */

START_TEST(takes_in_the_order_that_loses_nothing)
{
	struct prefork_world world;

	world_attach(&world);
	prefork_idle();
	trail[0] = '\0';
	ck_assert_int_eq(prefork_take("job"), 1);
	ck_assert_str_eq(trail, "w0 r2 w25 ");
	prefork_idle();
	world_retire(&world);
	trail[0] = '\0';
	ck_assert_int_eq(prefork_take("job"), 0);
	ck_assert_str_eq(trail, "w0 r2 ");
	ck_assert_int_eq(world_state(&world), 'W');
	ck_assert_int_eq(prefork_stopping(), 1);
	world_remove(&world);
}
END_TEST

START_TEST(a_signal_that_stops_is_kept)
{
	struct prefork_world world;

	world_attach(&world);
	ck_assert_int_eq(prefork_stop_on(SIGTERM), 0);
	ck_assert_int_eq(prefork_stop_on(SIGUSR1), 0);
	ck_assert_int_eq(prefork_stopping(), 0);
	raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(prefork_take(NULL), 0);
	for (int wrong = 0; wrong < 4; wrong++) {
		ck_assert_int_eq(prefork_stop_on((int[]){0, -1, SIGKILL, 100}[wrong]), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	world_remove(&world);
}
END_TEST

START_TEST(detached_signals_act_again)
{
	prefork_attach();
	ck_assert_int_eq(prefork_stop_on(SIGTERM), 0);
	raise(SIGTERM);
	prefork_detach();
}
END_TEST

/* --- notifications --- */

static int notify_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static const char *notified(int fd)
{
	static char text[64];
	ssize_t length = recv(fd, text, sizeof(text) - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
	return text;
}

START_TEST(notifies_when_somebody_listens)
{
	struct test_dir dir;
	char abstract[64];
	int fd;

	test_dir_make(&dir);
	clear_environment();
	snprintf(abstract, sizeof(abstract), "@preforkd-test-%d", (int)getpid());
	fd = notify_listen(_i ? abstract : test_path(&dir, "notify"));
	ck_assert_int_eq(prefork_attach(), 0);
	ck_assert_int_eq(prefork_ready(), 1);
	ck_assert_str_eq(notified(fd), "READY=1");
	prefork_beat();
	ck_assert_str_eq(notified(fd), "");
	setenv("WATCHDOG_USEC", "1000000", 1);
	for (int ours = 0; ours < 2; ours++) {
		world_set_number("WATCHDOG_PID", ours ? getpid() : 1);
		prefork_attach();
		prefork_beat();
		ck_assert_str_eq(notified(fd), ours ? "WATCHDOG=1" : "");
	}
	close(fd);
	test_dir_remove(&dir);
	ck_assert_int_eq(prefork_ready(), -1);
}
END_TEST

START_TEST(addresses_that_are_none_are_not_used)
{
	static char longer[300];
	const char *const paths[] = {"", "/", "@", "relative", longer};

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	setenv("NOTIFY_SOCKET", paths[_i], 1);
	prefork_attach();
	ck_assert_int_eq(prefork_ready(), 0);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("libprefork");
	TCase *line = new_case(suite, "line"), *bytes = new_case(suite, "bytes");
	TCase *notify = new_case(suite, "notify");

	tcase_add_test(line, alone_nothing_happens);
	tcase_add_test(line, the_inherited_descriptor_is_taken);
	tcase_add_loop_test(line, the_path_is_taken_where_the_descriptor_is_not_it, 0, 7);
	tcase_add_loop_test(line, numbers_that_are_none_are_refused, 0, 6);
	tcase_add_loop_test(line, places_without_a_line_are_refused, 0, 5);
	tcase_add_test(line, another_ones_line_is_refused);
	tcase_add_test(line, a_path_that_leads_elsewhere_is_refused);
	tcase_add_loop_test(line, a_pid_may_be_filled_in_late, 0, 2);
	tcase_add_test(bytes, every_field_has_its_place);
	tcase_add_loop_test(bytes, notes_are_cut_and_cleaned, 0, 6);
	tcase_add_loop_test(bytes, states_that_are_none_are_not_written, 0, 7);
	tcase_add_test(bytes, other_lines_stay_as_they_are);
	tcase_add_test(bytes, takes_in_the_order_that_loses_nothing);
	tcase_add_test(bytes, a_signal_that_stops_is_kept);
	tcase_add_test_raise_signal(bytes, detached_signals_act_again, SIGTERM);
	tcase_add_loop_test(notify, notifies_when_somebody_listens, 0, 2);
	tcase_add_loop_test(notify, addresses_that_are_none_are_not_used, 0, 5);
	return test_main(suite);
}
