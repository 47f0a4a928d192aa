/* The folder of a supervisor: where it is, whose it is, and that only one has it. */
#include "runtime_dir.h"

#include <stdbool.h>
#include <sys/wait.h>

#include "errmsg.h"
#include "test_files.h"
#include "test_main.h"

static struct test_dir parent;
static struct errmsg err;
static struct runtime_dir dir;
static bool busy;

static void setup(void)
{
	umask(022);
	test_dir_make(&parent);
	err.text[0] = '\0';
}

static void teardown(void)
{
	test_dir_remove(&parent);
}

static void check_place(int number, const char *wanted)
{
	char *place = runtime_dir_place("app", number);

	ck_assert_pstr_eq(place, wanted);
	free(place);
}

START_TEST(places)
{
	char wanted[128];

	setenv("RUNTIME_DIRECTORY", "/run/first:/run/second", 1);
	check_place(0, "/run/first");
	ck_assert_int_eq(mkdir(test_path(&parent, "private"), 0755), 0);
	ck_assert_int_eq(symlink("private", test_path(&parent, "link")), 0);
	setenv("RUNTIME_DIRECTORY", test_path(&parent, "link"), 1);
	check_place(0, test_path(&parent, "private"));
	setenv("RUNTIME_DIRECTORY", "", 1);
	check_place(0, NULL);
	setenv("RUNTIME_DIRECTORY", "relative", 1);
	check_place(0, NULL);
	unsetenv("RUNTIME_DIRECTORY");
	check_place(0, NULL);
	check_place(1, "/run/preforkd/app");
	snprintf(wanted, sizeof(wanted), "/run/user/%lu/preforkd/app", (unsigned long)geteuid());
	check_place(2, wanted);
	snprintf(wanted, sizeof(wanted), "/tmp/preforkd-%lu/app", (unsigned long)geteuid());
	check_place(3, wanted);
	check_place(4, NULL);
	check_place(-1, NULL);
}
END_TEST

START_TEST(the_default)
{
	char *path;

	setenv("RUNTIME_DIRECTORY", "/run/given", 1);
	path = runtime_dir_default("app");
	ck_assert_str_eq(path, "/run/given");
	free(path);
	unsetenv("RUNTIME_DIRECTORY");
	path = runtime_dir_default("app");
	if (geteuid() == 0)
		ck_assert_str_eq(path, "/run/preforkd/app");
	else
		ck_assert_ptr_nonnull(strstr(path, "/app"));
	free(path);
}
END_TEST

START_TEST(life)
{
	const char *path = test_path(&parent, "a/app");
	char text[128], wanted[128];
	struct stat lock;

	ck_assert_msg(
		runtime_dir_open(&dir, path, "/etc/app.ini", &busy, &err) == 0, "%s", err.text);
	ck_assert(!busy);
	ck_assert_str_eq(dir.path, path);
	test_read_file(test_path(&parent, "a/app/lock"), text, sizeof(text));
	snprintf(wanted, sizeof(wanted), "%ld /etc/app.ini\n", (long)getpid());
	ck_assert_str_eq(text, wanted);
	ck_assert_int_eq(stat(test_path(&parent, "a/app/lock"), &lock), 0);
	ck_assert_int_eq(lock.st_mode & 07777, 0600);
	ck_assert_int_eq(fcntl(dir.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(dir.lock_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	runtime_dir_close(&dir);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(access(test_path(&parent, "a"), F_OK), 0);
	runtime_dir_close(&dir);
}
END_TEST

START_TEST(what_is_in_it_stays)
{
	const char *path = test_path(&parent, "app");

	ck_assert_int_eq(runtime_dir_open(&dir, path, "x", &busy, &err), 0);
	test_write_file(test_path(&parent, "app/scoreboard"), "");
	runtime_dir_close(&dir);
	ck_assert_int_eq(access(test_path(&parent, "app/scoreboard"), F_OK), 0);
	ck_assert_int_eq(access(test_path(&parent, "app/lock"), F_OK), -1);
}
END_TEST

START_TEST(a_second_one_is_told)
{
	const char *path = test_path(&parent, "app");
	struct runtime_dir second;
	char pid[32];

	ck_assert_int_eq(runtime_dir_open(&dir, path, "/etc/my app.ini", &busy, &err), 0);
	ck_assert_int_eq(runtime_dir_open(&second, path, "/etc/other.ini", &busy, &err), -1);
	ck_assert(busy);
	snprintf(pid, sizeof(pid), "pid %ld ", (long)getpid());
	ck_assert_msg(strstr(err.text, pid) != NULL, "%s", err.text);
	ck_assert_msg(strstr(err.text, "(/etc/my app.ini)") != NULL, "%s", err.text);
	runtime_dir_close(&second);
	ck_assert_int_eq(access(test_path(&parent, "app/lock"), F_OK), 0);
	ck_assert_int_eq(ftruncate(dir.lock_fd, 0), 0);
	ck_assert_int_eq(runtime_dir_open(&second, path, "/etc/other.ini", &busy, &err), -1);
	ck_assert_msg(strstr(err.text, "just starting") != NULL, "%s", err.text);
	runtime_dir_close(&dir);
	ck_assert_int_eq(runtime_dir_open(&second, path, "/etc/other.ini", &busy, &err), 0);
	ck_assert(!busy);
	runtime_dir_close(&second);
}
END_TEST

START_TEST(a_killed_holder_leaves_no_lock)
{
	const char *path = test_path(&parent, "app");
	int ready[2], status;
	pid_t holder;
	char byte;

	ck_assert_int_eq(pipe(ready), 0);
	holder = fork();
	if (holder == 0) {
		if (runtime_dir_open(&dir, path, "x", &busy, &err) == 0 && write(ready[1], "", 1))
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(runtime_dir_open(&dir, path, "y", &busy, &err), -1);
	ck_assert(busy);
	kill(holder, SIGKILL);
	ck_assert_int_eq(waitpid(holder, &status, 0), holder);
	ck_assert_int_eq(runtime_dir_open(&dir, path, "y", &busy, &err), 0);
	runtime_dir_close(&dir);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

/* Takes and gives the lock back again and again; counts in the folder's parent who is inside. */
static void contend(const char *path, const char *inside)
{
	int taken = 0, fd;

	while (taken < 200) {
		if (runtime_dir_open(&dir, path, "x", &busy, &err) < 0) {
			if (!busy) {
				fprintf(stderr, "%s\n", err.text);
				_exit(2);
			}
			continue;
		}
		fd = open(inside, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || close(fd) < 0 || unlink(inside) < 0)
			_exit(3);
		runtime_dir_close(&dir);
		taken++;
	}
	_exit(0);
}

START_TEST(never_two_at_once)
{
	const char *path = test_path(&parent, "app"), *inside = test_path(&parent, "inside");
	pid_t child[3];
	int status, i;

	for (i = 0; i < 3; i++) {
		child[i] = fork();
		if (child[i] == 0)
			contend(path, inside);
	}
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(what_is_not_ours_is_refused)
{
	const char *path = test_path(&parent, "app");

	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
	ck_assert_int_eq(runtime_dir_open(&dir, path, "x", &busy, &err), -1);
	ck_assert(!busy);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_int_eq(symlink("/etc/passwd", test_path(&parent, "app/lock")), 0);
	ck_assert_int_eq(runtime_dir_open(&dir, path, "x", &busy, &err), -1);
	ck_assert(!busy);
	ck_assert_ptr_nonnull(strstr(err.text, "symbolic link"));
	runtime_dir_close(&dir);
}
END_TEST

START_TEST(in_memory_or_not)
{
	dir.fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert(!runtime_dir_in_memory(&dir));
	close(dir.fd);
	dir.fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir.fd >= 0)
		ck_assert(runtime_dir_in_memory(&dir));
	close(dir.fd);
}
END_TEST

static Suite *runtime_dir_suite(void)
{
	Suite *suite = suite_create("runtime_dir");
	TCase *tcase = tcase_create("runtime_dir");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, places);
	tcase_add_test(tcase, the_default);
	tcase_add_test(tcase, life);
	tcase_add_test(tcase, what_is_in_it_stays);
	tcase_add_test(tcase, a_second_one_is_told);
	tcase_add_test(tcase, a_killed_holder_leaves_no_lock);
	tcase_add_test(tcase, never_two_at_once);
	tcase_add_test(tcase, what_is_not_ours_is_refused);
	tcase_add_test(tcase, in_memory_or_not);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	return test_main(runtime_dir_suite());
}
