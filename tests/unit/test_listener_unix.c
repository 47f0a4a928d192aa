/* Unix sockets and their files: modes, stale and living ones, what is removed at the end. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "errmsg.h"
#include "listener.h"
#include "test_main.h"

static struct listener_settings settings;
static struct listener listener = {.fd = -1};
static struct errmsg err;
static char folder[64];
static char path[108];

static void want(const char *address, int type)
{
	address_free(&settings.listen);
	settings = (struct listener_settings){
		.type = type, .backlog = -1, .mode = 0660, .uid = (uid_t)-1, .gid = (gid_t)-1};
	ck_assert_msg(address_parse(&settings.listen, address, &err) == 0, "%s", err.text);
}

static void want_path(int type)
{
	char address[128];

	snprintf(address, sizeof(address), "unix:%s", path);
	want(address, type);
}

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	if (!base || strlen(base) > 30)
		base = "/tmp";
	snprintf(folder, sizeof(folder), "%s/test_listener.XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/app.sock", folder);
	want_path(SOCK_STREAM);
}

static void teardown(void)
{
	listener_close(&listener);
	address_free(&settings.listen);
	unlink(path);
	ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
}

static void must_open(void)
{
	err.text[0] = '\0';
	ck_assert_msg(listener_open(&listener, &settings, -1, &err) == 0, "%s", err.text);
}

static void must_refuse(const char *why, int error)
{
	struct listener refused;

	ck_assert_int_eq(listener_open(&refused, &settings, -1, &err), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_int_eq(refused.fd, -1);
	ck_assert_msg(strstr(err.text, why) != NULL, "not \"%s\": %s", why, err.text);
}

static struct stat look(void)
{
	struct stat found;

	ck_assert_int_eq(lstat(path, &found), 0);
	return found;
}

/* A bound socket that nobody holds any more. */
static void leave_stale(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static int connect_to_path(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, settings.type, 0);
	int error = 0;

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		error = errno;
	close(fd);
	return error;
}

static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

START_TEST(bound_and_removed)
{
	want_path(types[_i]);
	must_open();
	ck_assert(S_ISSOCK(look().st_mode));
	ck_assert_int_eq(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(listener.fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_str_eq(listener.path, path);
	ck_assert_str_eq(listener.port_text, path);
	ck_assert_int_eq(connect_to_path(), 0);
	listener_close(&listener);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

static const mode_t modes[] = {0, 0600, 0660, 0666, 0777, 0711, 0124};
static const mode_t umasks[] = {0, 022, 077, 0777};

START_TEST(the_mode_is_exact_whatever_the_umask)
{
	size_t i;

	for (i = 0; i < sizeof(umasks) / sizeof(umasks[0]); i++) {
		umask(umasks[i]);
		settings.mode = modes[_i];
		must_open();
		ck_assert_uint_eq(look().st_mode & 07777, modes[_i]);
		ck_assert_uint_eq(umask(0), umasks[i]);
		listener_close(&listener);
	}
}
END_TEST

START_TEST(the_owner)
{
	struct stat found;

	if (geteuid() != 0)
		return;
	settings.uid = 65534;
	settings.gid = 65533;
	must_open();
	found = look();
	ck_assert_uint_eq(found.st_uid, 65534);
	ck_assert_uint_eq(found.st_gid, 65533);
	ck_assert_uint_eq(found.st_mode & 07777, 0660);
}
END_TEST

START_TEST(mode_and_backlog_change_in_place)
{
	must_open();
	settings.mode = 0604;
	settings.backlog = 3;
	ck_assert_msg(listener_change(&listener, &settings, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(look().st_mode & 07777, 0604);
	ck_assert_int_eq(connect_to_path(), 0);
	unlink(path);
	leave_stale(SOCK_STREAM); /* somebody else's by now */
	settings.mode = 0777;
	ck_assert_int_eq(listener_change(&listener, &settings, &err), -1);
	ck_assert(strstr(err.text, "not our socket any more") != NULL);
	ck_assert_uint_ne(look().st_mode & 07777, 0777);
}
END_TEST

/* Whatever type the dead one had. */
START_TEST(a_stale_one_is_replaced)
{
	ino_t stale;
	size_t i;

	for (i = 0; i < 3; i++) {
		leave_stale(types[i]);
		stale = look().st_ino;
		want_path(types[_i]);
		settings.mode = 0640;
		must_open();
		ck_assert_uint_ne(look().st_ino, stale);
		ck_assert_uint_eq(look().st_ino, listener.ino);
		ck_assert_uint_eq(look().st_mode & 07777, 0640);
		ck_assert_int_eq(connect_to_path(), 0);
		listener_close(&listener);
		ck_assert_int_eq(access(path, F_OK), -1);
	}
}
END_TEST

/* There is no name beside it that fits, so it is removed first. */
/* It was bound to a name of its own at first, and says so for ever. */
START_TEST(one_that_replaced_a_stale_one_is_known_again)
{
	char other[sizeof(path) + 16];

	leave_stale(SOCK_STREAM);
	must_open();
	ck_assert_msg(listener_is(listener.fd, &settings, &err), "%s", err.text);
	snprintf(other, sizeof(other), "unix:%s.0123abcd", path);
	want(other, SOCK_STREAM);
	ck_assert(!listener_is(listener.fd, &settings, &err));
	snprintf(other, sizeof(other), "unix:%.*s", (int)strlen(path) - 1, path);
	want(other, SOCK_STREAM);
	ck_assert(!listener_is(listener.fd, &settings, &err));
}
END_TEST

START_TEST(a_stale_one_of_the_longest_path)
{
	size_t length = strlen(folder) + 1;

	path[length - 1] = '/';
	memset(path + length, 'x', sizeof(path) - 1 - length);
	path[sizeof(path) - 1] = '\0';
	leave_stale(SOCK_STREAM);
	want_path(SOCK_STREAM);
	must_open();
	ck_assert_int_eq(connect_to_path(), 0);
}
END_TEST

/* A client that tries all the time never finds that there is no file. */
START_TEST(no_hole_while_it_is_replaced)
{
	int status, i, error;
	pid_t pid;

	leave_stale(SOCK_STREAM);
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 100000; i++) {
			error = connect_to_path();
			if (error != ECONNREFUSED)
				_exit(error);
		}
		_exit(ETIME);
	}
	must_open();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_living_one_is_refused)
{
	struct listener living;
	int disturbed;
	size_t i;

	for (i = 0; i < 3; i++) {
		want_path(types[i]);
		ck_assert_int_eq(listener_open(&living, &settings, -1, &err), 0);
		want_path(types[_i]);
		must_refuse("another process listens there", EADDRINUSE);
		/* and has not noticed anything */
		disturbed = poll(&(struct pollfd){living.fd, POLLIN, 0}, 1, 0);
		ck_assert_int_eq(disturbed, 0);
		ck_assert_uint_eq(look().st_ino, living.ino);
		listener_close(&living);
	}
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_refused)
{
	char target[PATH_MAX];
	struct listener living;

	close(open(path, O_CREAT | O_WRONLY, 0644));
	must_refuse("not a socket", EEXIST);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	must_refuse("not a socket", EEXIST);
	rmdir(path);
	/* not even a link to a stale socket */
	leave_stale(SOCK_STREAM);
	snprintf(target, sizeof(target), "%s.old", path);
	ck_assert_int_eq(rename(path, target), 0);
	ck_assert_int_eq(symlink(target, path), 0);
	must_refuse("not a socket", EEXIST);
	ck_assert_int_eq(access(target, F_OK), 0);
	unlink(target);
	must_refuse("not a socket", EEXIST); /* nor one to nothing */
	ck_assert(S_ISLNK(look().st_mode));
	unlink(path);
	ck_assert_int_eq(listener_open(&living, &settings, -1, &err), 0);
	listener_close(&living);
}
END_TEST

START_TEST(only_our_own_is_removed)
{
	must_open();
	unlink(path);
	leave_stale(SOCK_STREAM);
	listener_close(&listener);
	ck_assert(S_ISSOCK(look().st_mode));
	unlink(path);
	must_open();
	unlink(path);
	listener_close(&listener); /* gone already */
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
	want("unix:/nowhere/at/all/app.sock", SOCK_STREAM);
	must_refuse("cannot bind unix:/nowhere/at/all/app.sock", ENOENT);
}
END_TEST

START_TEST(no_rights_in_the_folder)
{
	ck_assert_int_eq(chmod(folder, 0555), 0);
	if (geteuid() == 0 && setresuid(-1, 65533, -1))
		return;
	must_refuse("cannot bind", EACCES);
	if (getuid() == 0)
		ck_assert_int_eq(setresuid(-1, 0, -1), 0);
	chmod(folder, 0755);
}
END_TEST

START_TEST(abstract_names)
{
	struct listener taken;
	char address[64];

	snprintf(address, sizeof(address), "unix:@preforkd-test-%d", (int)getpid());
	want(address, types[_i]);
	must_open();
	ck_assert_ptr_null(listener.path);
	ck_assert_str_eq(listener.port_text, address + 5);
	ck_assert_int_eq(listener_open(&taken, &settings, -1, &err), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	/* passed on, the name is found again */
	ck_assert_int_eq(listener_open(&taken, &settings, dup(listener.fd), &err), 0);
	listener_close(&taken);
}
END_TEST

START_TEST(a_passed_one)
{
	struct listener passed;
	char by_other_way[PATH_MAX];
	int fd;

	must_open();
	fd = dup(listener.fd);
	ck_assert_msg(listener_open(&passed, &settings, fd, &err) == 0, "%s", err.text);
	ck_assert_str_eq(passed.port_text, path);
	listener_close(&passed);
	ck_assert(S_ISSOCK(look().st_mode)); /* not ours to remove */
	/* as /var/run is another way to /run */
	snprintf(by_other_way, sizeof(by_other_way), "unix:%s/../%s/app.sock", folder,
		strrchr(folder, '/') + 1);
	want(by_other_way, SOCK_STREAM);
	fd = dup(listener.fd);
	ck_assert_msg(listener_open(&passed, &settings, fd, &err) == 0, "%s", err.text);
	listener_close(&passed);
	want("unix:/tmp/elsewhere", SOCK_STREAM);
	ck_assert_int_eq(listener_open(&passed, &settings, listener.fd, &err), -1);
	ck_assert(strstr(err.text, "another address") != NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener_unix");
	TCase *tests = tcase_create("listener_unix");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, bound_and_removed, 0, 3);
	tcase_add_loop_test(tests, the_mode_is_exact_whatever_the_umask, 0,
		(int)(sizeof(modes) / sizeof(modes[0])));
	tcase_add_test(tests, the_owner);
	tcase_add_test(tests, mode_and_backlog_change_in_place);
	tcase_add_loop_test(tests, a_stale_one_is_replaced, 0, 3);
	tcase_add_test(tests, one_that_replaced_a_stale_one_is_known_again);
	tcase_add_test(tests, a_stale_one_of_the_longest_path);
	tcase_add_test(tests, no_hole_while_it_is_replaced);
	tcase_add_loop_test(tests, a_living_one_is_refused, 0, 3);
	tcase_add_test(tests, a_file_that_is_no_socket_is_refused);
	tcase_add_test(tests, only_our_own_is_removed);
	tcase_add_test(tests, a_folder_that_is_not_there);
	tcase_add_test(tests, no_rights_in_the_folder);
	tcase_add_loop_test(tests, abstract_names, 0, 3);
	tcase_add_test(tests, a_passed_one);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
