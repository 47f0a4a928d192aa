/* What a hostile folder can hold, and that none of it is opened. */
#include "safe_file.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "errmsg.h"
#include "test_files.h"
#include "test_main.h"

#define NOBODY 65534
#define UNSET  ((uid_t)-1)

static struct test_dir dir;
static struct errmsg err;

static void setup(void)
{
	umask(022);
	test_dir_make(&dir);
	err.text[0] = '\0';
}

static void teardown(void)
{
	test_dir_remove(&dir);
}

static int append(const char *path)
{
	return safe_file_open_append(path, UNSET, UNSET, &err);
}

static void check_refused(const char *path, int error, const char *words)
{
	ck_assert_int_eq(append(path), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.text, path) != NULL, "%s", err.text);
}

static mode_t mode_of(const char *path)
{
	struct stat file;

	ck_assert_int_eq(lstat(path, &file), 0);
	return file.st_mode & 07777;
}

START_TEST(append_makes_and_keeps)
{
	const char *path = test_path(&dir, "log");
	char text[64];
	int fd = append(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(mode_of(path), 0640);
	ck_assert_int_eq(write(fd, "one\n", 4), 4);
	close(fd);
	fd = append(path);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
	ck_assert_int_eq(write(fd, "two\n", 4), 4);
	close(fd);
	test_read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, "one\ntwo\n");
}
END_TEST

START_TEST(append_in_the_working_folder)
{
	int fd;

	ck_assert_int_eq(chdir(dir.path), 0);
	fd = append("here");
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(mode_of(test_path(&dir, "here")), 0640);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(append_refuses_links)
{
	const char *victim = test_path(&dir, "victim"), *link_path = test_path(&dir, "link");

	test_write_file(victim, "");
	ck_assert_int_eq(symlink(victim, link_path), 0);
	check_refused(link_path, ELOOP, "symbolic link");
	ck_assert_int_eq(unlink(link_path), 0);
	ck_assert_int_eq(symlink("not-there", link_path), 0);
	check_refused(link_path, ELOOP, "symbolic link");
	ck_assert_int_eq(unlink(link_path), 0);
	ck_assert_int_eq(link(victim, link_path), 0);
	check_refused(link_path, EMLINK, "hard links");
}
END_TEST

START_TEST(append_refuses_other_kinds)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_path(&dir, "socket"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	check_refused(address.sun_path, ENXIO, "socket");
	close(fd);
	check_refused(dir.path, EISDIR, "Is a directory");
	ck_assert_int_eq(append(test_path(&dir, "")), -1);
	ck_assert_int_eq(errno, EISDIR);
	check_refused(test_path(&dir, "no/folder"), ENOENT, "folder");
}
END_TEST

/* On the way to it: our own are followed, also several; a stranger's to folders of his alone. */
START_TEST(append_by_way_of_links)
{
	static const char *const good[] = {"real/log", "link/log", "again/log", "up/real/log"};
	int fd;

	ck_assert_int_eq(mkdir(test_path(&dir, "real"), 0755), 0);
	ck_assert_int_eq(symlink("real", test_path(&dir, "link")), 0);
	ck_assert_int_eq(symlink(test_path(&dir, "link//"), test_path(&dir, "again")), 0);
	ck_assert_int_eq(symlink("real/..", test_path(&dir, "up")), 0);
	ck_assert_int_eq(symlink("round", test_path(&dir, "round")), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		fd = append(test_path(&dir, good[i]));
		ck_assert_msg(fd >= 0, "%s", err.text);
		close(fd);
	}
	check_refused(test_path(&dir, "round/log"), ELOOP, "folder");
	check_refused(test_path(&dir, "link/log/log"), ENOTDIR, "folder");
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(lchown(test_path(&dir, "link"), NOBODY, NOBODY), 0);
	check_refused(test_path(&dir, "link/log"), EPERM, "belongs to user 65534");
	check_refused(test_path(&dir, "again/log"), EPERM, "belongs to user 65534");
	ck_assert_int_eq(chown(test_path(&dir, "real"), NOBODY, NOBODY), 0);
	fd = append(test_path(&dir, "again/log"));
	ck_assert_msg(fd >= 0, "%s", err.text);
	close(fd);
	ck_assert_int_eq(lchown(test_path(&dir, "again"), 65533, 65533), 0);
	check_refused(test_path(&dir, "again/log"), EPERM, "a link on the way");
}
END_TEST

START_TEST(append_waits_for_no_fifo)
{
	const char *path = test_path(&dir, "fifo");
	int reader, fd;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	check_refused(path, ENXIO, "nobody reads");
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	fd = append(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(reader);
}
END_TEST

START_TEST(append_to_a_device)
{
	int fd = append("/dev/full");

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}
END_TEST

START_TEST(append_and_owners)
{
	const char *path = test_path(&dir, "log");
	struct stat file;
	int fd;

	if (geteuid() != 0)
		return;
	fd = safe_file_open_append(path, NOBODY, NOBODY, &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &file), 0);
	ck_assert_uint_eq(file.st_uid, NOBODY);
	ck_assert_uint_eq(file.st_gid, NOBODY);
	close(fd);
	fd = safe_file_open_append(path, NOBODY, NOBODY, &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	check_refused(path, EPERM, "stranger");
}
END_TEST

/* --- folders --- */

START_TEST(dir_is_made_with_parents)
{
	const char *path = test_path(&dir, "a/b//c/");
	int fd;

	umask(077);
	fd = safe_file_open_dir(path, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fchdir(fd), 0);
	close(fd);
	ck_assert_int_eq(mode_of(test_path(&dir, "a")), 0755);
	ck_assert_int_eq(mode_of(test_path(&dir, "a/b/c")), 0755);
	fd = safe_file_open_dir(path, &err);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

static void check_dir_refused(const char *path, int error, const char *words)
{
	ck_assert_int_eq(safe_file_open_dir(path, &err), -1);
	ck_assert_msg(errno == error, "%s (%s)", err.text, strerror(errno));
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
}

START_TEST(dir_refusals)
{
	check_dir_refused("relative", EINVAL, "absolute");
	check_dir_refused("", EINVAL, "absolute");
	check_dir_refused("/", EINVAL, "no folder of ours");
	check_dir_refused("/proc/preforkd-test/x", ENOENT, "/proc/preforkd-test:");
	test_write_file(test_path(&dir, "file"), "");
	check_dir_refused(test_path(&dir, "file"), ENOTDIR, "/file:");
	check_dir_refused(test_path(&dir, "file/sub"), ENOTDIR, "/file:");
	ck_assert_int_eq(mkdir(test_path(&dir, "open"), 0755), 0);
	ck_assert_int_eq(chmod(test_path(&dir, "open"), 0775), 0);
	check_dir_refused(test_path(&dir, "open"), EPERM, "written by others");
	ck_assert_int_eq(symlink("open", test_path(&dir, "link")), 0);
	check_dir_refused(test_path(&dir, "link"), ENOTDIR, "/link:");
}
END_TEST

START_TEST(dir_behind_a_link_of_ours)
{
	int fd;

	ck_assert_int_eq(mkdir(test_path(&dir, "real"), 0755), 0);
	ck_assert_int_eq(symlink("real", test_path(&dir, "link")), 0);
	fd = safe_file_open_dir(test_path(&dir, "link/x"), &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	close(fd);
	ck_assert_int_eq(mode_of(test_path(&dir, "real/x")), 0755);
}
END_TEST

START_TEST(dir_below_a_folder_of_everybody)
{
	int fd;

	ck_assert_int_eq(mkdir(test_path(&dir, "tmp"), 0755), 0);
	ck_assert_int_eq(chmod(test_path(&dir, "tmp"), 01777), 0);
	fd = safe_file_open_dir(test_path(&dir, "tmp/ours/x"), &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	close(fd);
	ck_assert_int_eq(chmod(test_path(&dir, "tmp/ours"), 0775), 0);
	check_dir_refused(test_path(&dir, "tmp/ours/x"), EPERM, "/ours can be written");
	ck_assert_int_eq(symlink("ours", test_path(&dir, "tmp/link")), 0);
	check_dir_refused(test_path(&dir, "tmp/link/x"), ENOTDIR, "/link:");
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(test_path(&dir, "tmp/ours"), 0755), 0);
	ck_assert_int_eq(chown(test_path(&dir, "tmp/ours"), NOBODY, NOBODY), 0);
	check_dir_refused(test_path(&dir, "tmp/ours/x"), EPERM, "/ours belongs to a stranger");
	check_dir_refused(test_path(&dir, "tmp/ours"), EPERM, "belongs to");
}
END_TEST

/* --- locks --- */

START_TEST(locks)
{
	struct safe_file_holder holder;
	int dir_fd = open(dir.path, O_PATH | O_CLOEXEC);
	int first = safe_file_open_locked(dir_fd, "lock", 0600, &holder, &err);

	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(mode_of(test_path(&dir, "lock")), 0600);
	ck_assert_int_eq(write(first, "12 /etc/\x1b.ini\nmore\n", 20), 20);
	ck_assert_int_eq(safe_file_open_locked(dir_fd, "lock", 0600, &holder, &err), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	ck_assert_str_eq(holder.text, "12 /etc/?.ini");
	safe_file_remove(dir_fd, "lock", first);
	ck_assert_int_eq(access(test_path(&dir, "lock"), F_OK), -1);
	test_write_file(test_path(&dir, "lock"), "");
	safe_file_remove(dir_fd, "lock", first);
	ck_assert_int_eq(access(test_path(&dir, "lock"), F_OK), 0);
	close(first);
	close(dir_fd);
}
END_TEST

START_TEST(locks_of_strangers)
{
	struct safe_file_holder holder;
	int dir_fd = open(dir.path, O_PATH | O_CLOEXEC);

	test_write_file(test_path(&dir, "victim"), "");
	ck_assert_int_eq(symlink("victim", test_path(&dir, "lock")), 0);
	ck_assert_int_eq(safe_file_open_locked(dir_fd, "lock", 0600, &holder, &err), -1);
	ck_assert_int_eq(errno, ELOOP);
	unlink(test_path(&dir, "lock"));
	ck_assert_int_eq(link(test_path(&dir, "victim"), test_path(&dir, "lock")), 0);
	ck_assert_int_eq(safe_file_open_locked(dir_fd, "lock", 0600, &holder, &err), -1);
	ck_assert_int_eq(errno, EMLINK);
	unlink(test_path(&dir, "lock"));
	ck_assert_int_eq(mkfifo(test_path(&dir, "lock"), 0600), 0);
	ck_assert_int_eq(safe_file_open_locked(dir_fd, "lock", 0600, &holder, &err), -1);
	ck_assert_int_eq(errno, EINVAL);
	close(dir_fd);
}
END_TEST

static Suite *safe_file_suite(void)
{
	Suite *suite = suite_create("safe_file");
	TCase *tcase = tcase_create("safe_file");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, append_makes_and_keeps);
	tcase_add_test(tcase, append_in_the_working_folder);
	tcase_add_test(tcase, append_refuses_links);
	tcase_add_test(tcase, append_refuses_other_kinds);
	tcase_add_test(tcase, append_by_way_of_links);
	tcase_add_test(tcase, append_waits_for_no_fifo);
	tcase_add_test(tcase, append_to_a_device);
	tcase_add_test(tcase, append_and_owners);
	tcase_add_test(tcase, dir_is_made_with_parents);
	tcase_add_test(tcase, dir_refusals);
	tcase_add_test(tcase, dir_behind_a_link_of_ours);
	tcase_add_test(tcase, dir_below_a_folder_of_everybody);
	tcase_add_test(tcase, locks);
	tcase_add_test(tcase, locks_of_strangers);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(safe_file_suite());
}
