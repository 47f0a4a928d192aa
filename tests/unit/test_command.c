/*
 * The search for a program, in folders made for it:
 *
 *	bin/run     executable		plain/run   not executable	dir/run/    a folder
 *	root/bin/run executable, root/link -> /bin (of the root), root/out -> ../../bin
 */
#include "test_main.h"

#include <errno.h>

#include "command.h"
#include "errmsg.h"
#include "test_files.h"

static struct test_dir dir;
static char list[4096];

static void make_folder(const char *name)
{
	ck_assert_int_eq(mkdir(test_path(&dir, name), 0755), 0);
}

static void make_file(const char *name, mode_t mode)
{
	test_write_file(test_path(&dir, name), "");
	ck_assert_int_eq(chmod(test_path(&dir, name), mode), 0);
}

static void setup(void)
{
	test_dir_make(&dir);
	make_folder("bin");
	make_file("bin/run", 0755);
	make_file("bin/other", 0755);
	make_folder("plain");
	make_file("plain/run", 0644);
	make_folder("dir");
	make_folder("dir/run");
	make_folder("root");
	make_folder("root/bin");
	make_file("root/bin/run", 0755);
	make_file("root/bin/plain", 0644);
	ck_assert_int_eq(symlink("/bin", test_path(&dir, "root/link")), 0);
	ck_assert_int_eq(symlink("../../bin/run", test_path(&dir, "root/out")), 0);
}

static void teardown(void)
{
	test_dir_remove(&dir);
}

/* A list of folders in dir, "" for an empty entry. */
static const char *path_list(const char *first, const char *second, const char *third)
{
	snprintf(list, sizeof(list), "%s/%s:%s/%s:%s/%s", dir.path, first, dir.path, second,
		dir.path, third);
	return list;
}

static void check_found(const char *found, const char *expected)
{
	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found, expected);
	free((char *)found);
}

static void check_refused(char *found, int error, const struct errmsg *err, const char *reason)
{
	ck_assert_int_eq(errno, error);
	ck_assert_ptr_null(found);
	ck_assert_msg(strstr(err->text, reason), "%s", err->text);
}

START_TEST(test_on_path)
{
	struct errmsg err;

	check_found(command_find("run", path_list("none", "bin", "plain"), NULL, NULL, &err),
		test_path(&dir, "bin/run"));
	/* What cannot be run is passed over, as by execvp(3). */
	check_found(command_find("run", path_list("plain", "dir", "bin"), NULL, NULL, &err),
		test_path(&dir, "bin/run"));
	check_refused(command_find("run", path_list("none", "plain", "dir"), NULL, NULL, &err),
		EACCES, &err, "plain/run\": not executable");
	check_refused(command_find("walk", path_list("none", "bin", "dir"), NULL, NULL, &err),
		ENOENT, &err, "\"walk\" is not found on PATH (");
	check_refused(command_find("", "/bin", NULL, NULL, &err), ENOENT, &err, "empty");
	check_refused(command_find("run", "", "/nonexistent", NULL, &err), ENOENT, &err, "PATH ()");
	check_found(command_find("sh", "/nonexistent:/bin", NULL, NULL, &err), "/bin/sh");
	check_found(command_find("ls", "/bin:", NULL, NULL, &err), "/bin/ls");
}
END_TEST

START_TEST(test_relative_entries_of_path)
{
	struct errmsg err;
	char expected[1024];

	snprintf(expected, sizeof(expected), "%s/./run", test_path(&dir, "bin"));
	check_found(command_find("run", ":/x", test_path(&dir, "bin"), NULL, &err), expected);
	check_found(command_find("run", "/x:", test_path(&dir, "bin"), NULL, &err), expected);
	check_found(command_find("run", "bin", dir.path, NULL, &err), test_path(&dir, "bin/run"));
}
END_TEST

START_TEST(test_with_slash)
{
	struct errmsg err;

	check_found(command_find(test_path(&dir, "bin/run"), NULL, "/", NULL, &err),
		test_path(&dir, "bin/run"));
	check_found(
		command_find("bin/run", "/bin", dir.path, NULL, &err), test_path(&dir, "bin/run"));
	ck_assert_int_eq(chdir(dir.path), 0);
	check_found(command_find("./bin/run", NULL, NULL, NULL, &err), "./bin/run");
	ck_assert_int_eq(chdir("/"), 0);
	check_refused(command_find("./plain/run", NULL, dir.path, NULL, &err), EACCES, &err,
		"not executable");
	check_refused(command_find("dir/run", NULL, dir.path, NULL, &err), EISDIR, &err,
		"Is a directory");
	check_refused(command_find("/x/y", NULL, NULL, NULL, &err), ENOENT, &err,
		"\"/x/y\": No such file or directory");
	check_refused(command_find("bin/run/x", NULL, dir.path, NULL, &err), ENOTDIR, &err,
		"Not a directory");
	check_refused(
		command_find("/dev/null", NULL, NULL, NULL, &err), EACCES, &err, "not executable");
}
END_TEST

/* Paths are those within the root, and links too. */
START_TEST(test_in_root)
{
	char root[1024];
	struct errmsg err;

	if (test_on_valgrind()) {
		puts("SKIP: in_root: valgrind knows no openat2(2)");
		return;
	}
	snprintf(root, sizeof(root), "%s", test_path(&dir, "root"));
	check_found(command_find("run", "/none:/bin", NULL, root, &err), "/bin/run");
	check_found(command_find("run", "/link", NULL, root, &err), "/link/run");
	check_found(command_find("./run", NULL, "/bin", root, &err), "/bin/./run");
	check_found(command_find("bin/run", NULL, NULL, root, &err), "/bin/run");
	check_refused(command_find("other", "/bin:/link", NULL, root, &err), ENOENT, &err, "below");
	/* A link cannot lead out: there is bin/run in the root as well. */
	check_found(command_find("/out", NULL, NULL, root, &err), "/out");
	ck_assert_int_eq(unlink(test_path(&dir, "root/bin/run")), 0);
	check_refused(command_find("/out", NULL, NULL, root, &err), ENOENT, &err, "No such file");
	check_refused(
		command_find("/bin/plain", NULL, NULL, root, &err), EACCES, &err, "not executable");
	check_refused(command_find("/bin/run", NULL, NULL, "/nonexistent", &err), ENOENT, &err,
		"No such file");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command");
	TCase *tests = tcase_create("command");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, test_on_path);
	tcase_add_test(tests, test_relative_entries_of_path);
	tcase_add_test(tests, test_with_slash);
	tcase_add_test(tests, test_in_root);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
