/* The pid file: locked, written, removed, and never a way to a stranger's file. */
#include "pidfile.h"

#include <errno.h>
#include <sys/file.h>

#include "errmsg.h"
#include "test_files.h"
#include "test_main.h"

static struct test_dir dir;
static struct errmsg err;
static struct pidfile file;

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

static void check_content(const char *path, const char *wanted)
{
	char text[64];

	test_read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, wanted);
}

static void check_mode(const char *path, mode_t wanted)
{
	struct stat status;

	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, wanted);
}

START_TEST(life)
{
	const char *path = test_path(&dir, "pid");
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "%ld\n", (long)getpid());
	test_write_file(path, "4194304 and an old longer content\n");
	ck_assert_int_eq(pidfile_open(&file, path, &err), 0);
	check_content(path, "");
	check_mode(path, 0600);
	ck_assert_int_eq(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(pidfile_write(&file, &err), 0);
	check_content(path, wanted);
	ck_assert_int_eq(pidfile_write(&file, &err), 0);
	check_content(path, wanted);
	check_mode(path, 0644);
	pidfile_close(&file);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_ptr_null(file.path);
	pidfile_close(&file);
}
END_TEST

START_TEST(none_wanted)
{
	ck_assert_int_eq(pidfile_open(&file, NULL, &err), 0);
	ck_assert_int_eq(pidfile_write(&file, &err), 0);
	pidfile_close(&file);
}
END_TEST

START_TEST(a_second_one)
{
	const char *path = test_path(&dir, "pid");
	struct pidfile second;
	char pid[32];

	ck_assert_int_eq(pidfile_open(&file, path, &err), 0);
	ck_assert_int_eq(pidfile_open(&second, path, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "locked by another process"));
	ck_assert_int_eq(pidfile_write(&file, &err), 0);
	ck_assert_int_eq(pidfile_open(&second, path, &err), -1);
	snprintf(pid, sizeof(pid), "the pid in it is %ld", (long)getpid());
	ck_assert_ptr_nonnull(strstr(err.text, pid));
	ck_assert_int_eq(access(path, F_OK), 0);
	pidfile_close(&file);
	ck_assert_int_eq(pidfile_open(&second, path, &err), 0);
	pidfile_close(&second);
}
END_TEST

/* Who can read a file can lock it, and keep it so when its owner has died. */
START_TEST(locked_by_a_stranger)
{
	const char *path = test_path(&dir, "pid");
	int lock_fd;

	test_write_file(path, "4194305\n");
	lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(pidfile_open(&file, path, &err), 0);
	ck_assert_int_eq(pidfile_write(&file, &err), 0);
	pidfile_close(&file);
	ck_assert_int_eq(access(path, F_OK), -1);
	close(lock_fd);
	/* one of us that has not written its pid */
	test_write_file(path, "");
	lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(pidfile_open(&file, path, &err), -1);
	close(lock_fd);
}
END_TEST

START_TEST(replaced_by_somebody)
{
	const char *path = test_path(&dir, "pid");

	ck_assert_int_eq(pidfile_open(&file, path, &err), 0);
	ck_assert_int_eq(rename(path, test_path(&dir, "old")), 0);
	test_write_file(path, "1\n");
	pidfile_close(&file);
	check_content(path, "1\n");
	ck_assert_int_eq(pidfile_open(&file, path, &err), 0);
	ck_assert_int_eq(unlink(path), 0);
	pidfile_close(&file);
}
END_TEST

START_TEST(hostile_folder)
{
	const char *path = test_path(&dir, "pid"), *victim = test_path(&dir, "victim");

	test_write_file(victim, "keep\n");
	ck_assert_int_eq(symlink(victim, path), 0);
	ck_assert_int_eq(pidfile_open(&file, path, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(link(victim, path), 0);
	ck_assert_int_eq(pidfile_open(&file, path, &err), -1);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pidfile_open(&file, path, &err), -1);
	ck_assert_int_eq(unlink(path), 0);
	if (geteuid() == 0) {
		test_write_file(path, "");
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		ck_assert_int_eq(pidfile_open(&file, path, &err), -1);
		ck_assert_ptr_nonnull(strstr(err.text, "stranger"));
	}
	check_content(victim, "keep\n");
	pidfile_close(&file);
}
END_TEST

START_TEST(no_folder)
{
	ck_assert_int_eq(pidfile_open(&file, test_path(&dir, "no/pid"), &err), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "pid_file"));
	ck_assert_ptr_nonnull(strstr(err.text, "no/pid"));
}
END_TEST

static Suite *pidfile_suite(void)
{
	Suite *suite = suite_create("pidfile");
	TCase *tcase = tcase_create("pidfile");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, life);
	tcase_add_test(tcase, none_wanted);
	tcase_add_test(tcase, a_second_one);
	tcase_add_test(tcase, locked_by_a_stranger);
	tcase_add_test(tcase, replaced_by_somebody);
	tcase_add_test(tcase, hostile_folder);
	tcase_add_test(tcase, no_folder);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(pidfile_suite());
}
