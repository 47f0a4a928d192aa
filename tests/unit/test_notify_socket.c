/*
 * The socket of notifications and its address: the file that is made, replaced and removed, names
 * without a file, and one that is taken up after an exec of ourselves.
 */
#include "notify_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test_files.h"
#include "test_main.h"

/* --- the address --- */

START_TEST(a_file_of_ours_comes_and_goes)
{
	unsigned before = descriptors();
	int fd;

	ck_assert_int_eq(notify_socket_fd(&notify), -1);
	must_open();
	fd = notify_socket_fd(&notify);
	ck_assert_str_eq(notify_socket_address(&notify), socket_path);
	ck_assert(S_ISSOCK(look(socket_path).st_mode));
	ck_assert_uint_eq(look(socket_path).st_mode & 07777, 0666);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	must_send("READY=1\nSTATUS=here");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(heard.pid, getpid());
	ck_assert_uint_eq(heard.uid, getuid());
	ck_assert(heard.message.ready);
	ck_assert_str_eq(heard.message.status, "here");
	notify_socket_close(&notify);
	notify_socket_close(&notify);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	turn(); /* epoll's own descriptor stays */
	ck_assert_uint_le(descriptors(), before + 1);
}
END_TEST

START_TEST(the_umask_does_not_matter)
{
	mode_t masks[] = {0, 0777};
	mode_t found = umask(masks[_i]);

	must_open();
	ck_assert_uint_eq(look(socket_path).st_mode & 07777, 0666);
	ck_assert_uint_eq(umask(found), masks[_i]);
}
END_TEST

START_TEST(a_stale_one_is_replaced)
{
	struct notify_socket earlier;

	must_open();
	earlier = notify; /* as if we had been killed: never closed in an orderly way */
	ev_io_stop(loop, &notify.readable);
	must_open();
	ck_assert_uint_ne(look(socket_path).st_ino, earlier.ino);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	close(earlier.readable.fd);
	free(earlier.address);
}
END_TEST

START_TEST(only_our_own_file_is_removed)
{
	struct notify_socket later = {0};

	must_open();
	ck_assert_int_eq(notify_socket_open(&later, loop, &settings, &err), 0);
	notify_socket_close(&notify);
	ck_assert_int_eq(access(socket_path, F_OK), 0);
	notify_socket_close(&later);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	must_open();
	unlink(socket_path);
	test_write_file(socket_path, "mine");
	notify_socket_close(&notify);
	ck_assert_int_eq(access(socket_path, F_OK), 0);
	unlink(socket_path);
}
END_TEST

static void must_refuse(int error, const char *why)
{
	unsigned before = descriptors();

	errno = 0;
	ck_assert_int_eq(notify_socket_open(&notify, loop, &settings, &err), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_msg(strstr(err.text, why) != NULL, "not \"%s\": %s", why, err.text);
	ck_assert_ptr_null(notify_socket_address(&notify));
	ck_assert_uint_eq(descriptors(), before);
}

START_TEST(a_foreign_file_is_refused)
{
	ino_t before;

	switch (_i) {
	case 0: test_write_file(socket_path, "not yours"); break;
	case 1: ck_assert_int_eq(mkfifo(socket_path, 0600), 0); break;
	case 2: ck_assert_int_eq(symlink("/nowhere", socket_path), 0); break;
	case 3: ck_assert_int_eq(mkdir(socket_path, 0700), 0); break;
	}
	before = look(socket_path).st_ino;
	must_refuse(EEXIST, "not a socket");
	ck_assert_uint_eq(look(socket_path).st_ino, before);
	ck_assert_int_eq(remove(socket_path), 0);
}
END_TEST

START_TEST(trouble_leaves_nothing)
{
	char missing[sizeof(socket_path)];
	struct rlimit files;

	snprintf(missing, sizeof(missing), "%.70s/no/web.notify", folder);
	settings.path = missing;
	must_refuse(ENOENT, "folder");
	settings.path = socket_path;
	if (geteuid() != 0) {
		settings.uid = 0;
		must_refuse(EPERM, "file");
		settings.uid = (uid_t)-1;
	}
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = (rlim_t)dup(0); /* the lowest that is free */
	close((int)files.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	must_refuse(EMFILE, "socket");
	files.rlim_cur++;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	must_refuse(EMFILE, "folder");
}
END_TEST

START_TEST(everybody_may_send_and_is_known)
{
	static const struct {
		uid_t uid;
		int result;
	} senders[] = {{NOBODY, 0}, {STRANGER, 0}, {0, 0}};
	pid_t pid;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(folder, 0755), 0);
	settings.uid = settings.gid = NOBODY;
	must_open();
	ck_assert_uint_eq(look(socket_path).st_uid, NOBODY);
	ck_assert_uint_eq(look(socket_path).st_gid, NOBODY);
	ck_assert_uint_eq(look(socket_path).st_mode & 07777, 0666);
	pid = fork();
	if (pid == 0) {
		if (setresgid(STRANGER, STRANGER, STRANGER) ||
			setresuid(senders[_i].uid, senders[_i].uid, senders[_i].uid))
			_exit(2);
		_exit(send_text("READY=1") != senders[_i].result);
	}
	must_end(pid);
	turn();
	ck_assert_int_eq(heard.count, senders[_i].result == 0);
	if (heard.count) {
		ck_assert_uint_eq(heard.uid, senders[_i].uid);
		ck_assert_int_eq(heard.pid, pid);
	}
}
END_TEST

START_TEST(an_abstract_name_is_new_each_time)
{
	char first[128];

	settings.abstract = true;
	settings.path = NULL;
	must_open();
	snprintf(first, sizeof(first), "%s", notify_socket_address(&notify));
	ck_assert_uint_gt(strlen(first), 32);
	ck_assert_int_eq(first[0], '@');
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	notify_socket_close(&notify);
	must_open();
	ck_assert_str_ne(notify_socket_address(&notify), first);
}
END_TEST

START_TEST(an_abstract_name_can_be_had_again)
{
	char longest[sizeof(socket_path) + 2] = "@";
	const char *const bad[] = {"", "@", "x", "/tmp/x", longest};
	struct notify_socket other = {0};
	char first[128];

	memset(longest + 1, 'x', sizeof(longest) - 2);
	settings.abstract = true;
	must_open();
	snprintf(first, sizeof(first), "%s", notify_socket_address(&notify));
	notify_socket_close(&notify);
	settings.again = first;
	must_open();
	ck_assert_str_eq(notify_socket_address(&notify), first);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(notify_socket_open(&other, loop, &settings, &err), 0); /* taken */
	ck_assert_str_ne(notify_socket_address(&other), first);
	notify_socket_close(&other);
	settings.again = bad[_i];
	ck_assert_int_eq(notify_socket_open(&other, loop, &settings, &err), 0);
	ck_assert_str_ne(notify_socket_address(&other), bad[_i]);
	ck_assert_int_eq(log_says("cannot be had again"), 2);
	notify_socket_close(&other);
}
END_TEST

START_TEST(a_path_that_is_too_long_becomes_a_name)
{
	char longer[sizeof(socket_path) + 1], *end;

	/* the longest that fits, with no room beside it */
	snprintf(longer, sizeof(longer), "%.80s/", folder);
	end = longer + strlen(longer);
	memset(end, 'x', sizeof(socket_path) - 1 - strlen(longer));
	longer[sizeof(socket_path) - 1] = '\0';
	settings.path = longer;
	must_open();
	ck_assert_str_eq(notify_socket_address(&notify), longer);
	must_send("READY=1");
	notify_socket_read(&notify);
	notify_socket_close(&notify);
	longer[sizeof(socket_path) - 1] = 'x';
	longer[sizeof(socket_path)] = '\0';
	must_open();
	ck_assert_int_eq(notify_socket_address(&notify)[0], '@');
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
}
END_TEST

/* --- what is taken up --- */

START_TEST(an_open_socket_is_taken_up)
{
	struct notify_socket before;
	char address[sizeof(socket_path)];

	settings.abstract = _i;
	must_open();
	snprintf(address, sizeof(address), "%s", notify_socket_address(&notify));
	must_send("READY=1");
	ev_io_stop(loop, &notify.readable);
	before = notify;
	fcntl(before.readable.fd, F_SETFD, 0);
	fcntl(before.readable.fd, F_SETFL, 0);
	ck_assert_msg(
		notify_socket_take_up(&notify, loop, &settings, before.readable.fd, &err) == 0,
		"%s", err.text);
	free(before.address);
	ck_assert_str_eq(notify_socket_address(&notify), address);
	ck_assert_int_ne(fcntl(notify_socket_fd(&notify), F_GETFD) & FD_CLOEXEC, 0);
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(heard.pid, getpid());
	notify_socket_close(&notify);
	ck_assert_int_eq(access(socket_path, F_OK), -1);
}
END_TEST

static int other_descriptor(int kind)
{
	struct sockaddr_in loopback = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = -1;

	switch (kind) {
	case 0: return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1: return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case 2: return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 3:
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	}
	return fd;
}

START_TEST(another_descriptor_is_not_taken_up)
{
	int fd = other_descriptor(_i);

	ck_assert_int_eq(notify_socket_take_up(&notify, loop, &settings, fd, &err), -1);
	ck_assert_ptr_null(notify_socket_address(&notify));
	ck_assert_msg(strstr(err.text, "no socket for notifications") != NULL, "%s", err.text);
	ck_assert_int_eq(close(fd), fd < 0 ? -1 : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_socket");
	TCase *tests = tcase_create("notify_socket");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, a_file_of_ours_comes_and_goes);
	tcase_add_loop_test(tests, the_umask_does_not_matter, 0, 2);
	tcase_add_test(tests, a_stale_one_is_replaced);
	tcase_add_test(tests, only_our_own_file_is_removed);
	tcase_add_loop_test(tests, a_foreign_file_is_refused, 0, 4);
	tcase_add_test(tests, trouble_leaves_nothing);
	tcase_add_loop_test(tests, everybody_may_send_and_is_known, 0, 3);
	tcase_add_test(tests, an_abstract_name_is_new_each_time);
	tcase_add_loop_test(tests, an_abstract_name_can_be_had_again, 0, 5);
	tcase_add_test(tests, a_path_that_is_too_long_becomes_a_name);
	tcase_add_loop_test(tests, an_open_socket_is_taken_up, 0, 2);
	tcase_add_loop_test(tests, another_descriptor_is_not_taken_up, 0, 5);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
