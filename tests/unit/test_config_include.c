/*
 * Included files: which ones a pattern stands for, where their faults and paths belong, what is no
 * file to include, and that all of it prints as one file.
 */
#include "test_main.h"

#include <errno.h>

#include "config_world.h"
#include "test_files.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define POOL(name)   "[pool:" name "]\ncommand = x\n"

static struct test_dir dir;

static void setup(void)
{
	test_dir_make(&dir);
	ck_assert_int_eq(mkdir(test_path(&dir, "d"), 0755), 0);
}

static void teardown(void)
{
	if (geteuid() != getuid())
		ck_assert_int_eq(seteuid(getuid()), 0);
	test_dir_remove(&dir);
}

static void put(const char *name, const char *text)
{
	test_write_file(test_path(&dir, name), text);
}

/* Every line of the faults, with the test's folder taken out wherever it stands. malloced. */
static char *shorten(const struct faults *faults)
{
	char *text = faults_text(faults), *at = text, *found, *out = text;
	const size_t length = strlen(dir.path) + 1;

	for (; (found = strstr(at, dir.path)); at = found + length) {
		memmove(out, at, (size_t)(found - at));
		out += found - at;
	}
	memmove(out, at, strlen(at) + 1);
	return text;
}

/* Reads main.ini, which has exactly these faults; the settings for settings_free(). */
static struct settings *read_main(const char *expected)
{
	struct faults faults = {0};
	struct settings *settings = config_file_read(test_path(&dir, "main.ini"), &faults);
	char *found = shorten(&faults);

	ck_assert_ptr_nonnull(settings);
	ck_assert_str_eq(found, expected);
	free(found);
	faults_free(&faults);
	return settings;
}

static void check_main(const char *text, const char *expected)
{
	put("main.ini", text);
	settings_free(read_main(expected));
}

/* The names of the pools, a blank between. */
static void check_pools(const struct settings *settings, const char *expected)
{
	char names[256] = "";

	for (size_t i = 0; i < settings->pool_count; i++) {
		strcat(names, i ? " " : "");
		strcat(names, settings->pools[i].name);
	}
	ck_assert_str_eq(names, expected);
}

static void check_file(const struct settings *settings, size_t index, const char *name)
{
	ck_assert_uint_gt(settings->file_count, index);
	ck_assert_str_eq(settings->files[index], test_path(&dir, name));
}

/* --- which files ------------------------------------------------------------------------- */

START_TEST(in_the_order_of_patterns_and_names)
{
	struct settings *settings;

	put("d/b.ini", POOL("b"));
	put("d/a.ini", POOL("a"));
	put("d/B.ini", POOL("B"));
	put("d/.hidden.ini", "rubbish\n");
	put("d/a.ini~", "rubbish\n");
	put("first.ini", POOL("first"));
	put("last one.ini", POOL("last"));
	put("main.ini", "[preforkd]\ninclude = first.ini d/[ab].ini\ninclude = d/*.ini 'last "
			"one.ini'\n" POOL("main"));
	settings = read_main("");
	check_pools(settings, "main first a b B last");
	ck_assert_uint_eq(settings->file_count, 6);
	check_file(settings, 0, "main.ini");
	check_file(settings, 1, "first.ini");
	check_file(settings, 2, "d/a.ini");
	check_file(settings, 3, "d/b.ini");
	check_file(settings, 4, "d/B.ini");
	check_file(settings, 5, "last one.ini");
	ck_assert_int_eq(settings->pools[0].where.file, 0);
	ck_assert_int_eq(settings->pools[5].where.file, 5);
	ck_assert_str_eq(settings->preforkd.name, "main");
	settings_free(settings);
}
END_TEST

START_TEST(a_pattern_may_match_nothing)
{
	check_main("[preforkd]\ninclude = d/*.ini nowhere/*.ini main.ini/*\n" POOL("p"), "");
}
END_TEST

START_TEST(a_name_must_be_there)
{
	check_main("[preforkd]\ninclude = d/*.ini\ninclude = x.ini d/y.ini\n" POOL("p"),
		"main.ini:3: [preforkd] include: \"x.ini\" cannot be read: No such file or "
		"directory\n"
		"main.ini:3: [preforkd] include: \"d/y.ini\" cannot be read: No such file or "
		"directory\n");
}
END_TEST

/* What is special in a name: with a backslash it stands for itself; in the folder's, always. */
START_TEST(odd_names)
{
	struct faults faults = {0};
	struct settings *settings;

	ck_assert_int_eq(mkdir(test_path(&dir, "[x]*"), 0755), 0);
	put("[x]*/a.ini", POOL("a"));
	put("[x]*/[b].ini", POOL("b"));
	put("[x]*/b.ini", "rubbish\n");
	put("[x]*/main.ini", "[preforkd]\ninclude = ?.ini '\\[b].ini'\n");
	settings = config_file_read(test_path(&dir, "[x]*/main.ini"), &faults);
	ck_assert_uint_eq(faults.errors, 1); /* of b.ini, which ?.ini matches, too */
	check_pools(settings, "a b");
	settings_free(settings);
	faults_free(&faults);
}
END_TEST

START_TEST(absolute_names_and_twice_the_same)
{
	char text[2048];
	struct settings *settings;

	put("d/a.ini", POOL("a"));
	put("d/b.ini", POOL("b"));
	snprintf(text, sizeof(text), "[preforkd]\ninclude = %s d/./b.ini d//*.ini\n",
		test_path(&dir, "d/b.ini"));
	put("main.ini", text);
	settings = read_main("");
	check_pools(settings, "b a");
	settings_free(settings);
}
END_TEST

/* --- what they hold ---------------------------------------------------------------------- */

START_TEST(sockets_pools_and_signals)
{
	struct settings *settings;

	put("d/1.ini", "[signals]\npreset = unicorn\nHUP = ignore\n");
	put("d/2.ini", "[pool:p]\ncommand = x\nsockets = s\n");
	put("d/3.ini", "\xef\xbb\xbf[socket:s]\r\nlisten = :80\r\n");
	put("d/4.ini", "");
	put("main.ini", "[preforkd]\ninclude = d/*\n");
	settings = read_main("");
	ck_assert_uint_eq(settings->socket_count, 1);
	ck_assert_int_eq(settings->signals.rule[SIGHUP].action, SIGNAL_IGNORE);
	ck_assert_int_eq(settings->signals.rule[SIGQUIT].worker_signal, SIGQUIT);
	ck_assert_uint_eq(settings->file_count, 5);
	settings_free(settings);
}
END_TEST

/* Relative to the folder of the file that they stand in. */
START_TEST(relative_paths)
{
	struct settings *settings;

	put("d/a.ini", "[socket:s]\nlisten = unix:s\n[pool:a]\ncommand = ./x\nstdout = out.log\n"
		       "sockets = s\non_exit = bin/y\n");
	put("main.ini", "[preforkd]\ninclude = d/a.ini\npid_file = my.pid\n"
			"[pool:m]\ncommand = ./x\n");
	settings = read_main("");
	ck_assert_str_eq(settings->preforkd.pid_file, test_path(&dir, "my.pid"));
	ck_assert_str_eq(settings->sockets[0].listen.path, test_path(&dir, "d/s"));
	ck_assert_str_eq(settings->pools[0].command.word[0], test_path(&dir, "x"));
	ck_assert_str_eq(settings->pools[1].command.word[0], test_path(&dir, "d/x"));
	ck_assert_str_eq(settings->pools[1].on_exit.word[0], test_path(&dir, "d/bin/y"));
	ck_assert_str_eq(settings->pools[1].standard_output.target, test_path(&dir, "d/out.log"));
	settings_free(settings);
}
END_TEST

START_TEST(faults_name_their_file)
{
	put("d/a.ini", "nice = 3\n[pool:a]\nnice = x\nmax_wokers = 3\n");
	put("d/b.ini", "\n[pool:b]\ncommand = x\nmin_spare_workers = 11\nready\n");
	put("d/c.ini", "[pool:c\n");
	check_main("[preforkd]\ninclude = d/*\nnam = x\n" POOL("p") "user = 'x\n",
		"main.ini:3: [preforkd] nam: unknown key; did you mean name?\n"
		"main.ini:6: [pool:p] user: unbalanced '\n"
		"d/a.ini:1: nice: stands before the first [section]\n"
		"d/a.ini:2: [pool:a] command: is missing\n"
		"d/a.ini:3: [pool:a] nice: \"x\" is not a whole number\n"
		"d/a.ini:4: [pool:a] max_wokers: unknown key; did you mean max_workers?\n"
		"d/b.ini:4: [pool:b] min_spare_workers: is more than max_workers (10)\n"
		"d/b.ini:5: [pool:b]: \"ready\" is no section, no key = value and no comment\n"
		"d/c.ini:1: the section's header lacks its ]\n");
}
END_TEST

START_TEST(sections_are_there_once)
{
	put("d/a.ini", "[signals]\n" POOL("p") POOL("q"));
	put("d/b.ini", POOL("p") POOL("q") POOL("q") "[signals]\n[signals]\n"
						     "[socket:s]\nlisten = :80\n");
	check_main(POOL("p") "sockets = s\n[socket:s]\nlisten = :80\n[preforkd]\ninclude = d/*\n",
		"d/a.ini:2: [pool:p]: the section is repeated; it begins at main.ini:1\n"
		"d/b.ini:1: [pool:p]: the section is repeated; it begins at main.ini:1\n"
		"d/b.ini:3: [pool:q]: the section is repeated; it begins at d/a.ini:4\n"
		"d/b.ini:5: [pool:q]: the section is repeated; it begins at d/a.ini:4\n"
		"d/b.ini:7: [signals]: the section is repeated; it begins at d/a.ini:1\n"
		"d/b.ini:8: [signals]: the section is repeated; it begins at d/a.ini:1\n"
		"d/b.ini:9: [socket:s]: the section is repeated; it begins at main.ini:4\n");
}
END_TEST

/* So no file includes another one, and there is no loop. */
START_TEST(no_preforkd_in_them)
{
	put("d/a.ini", POOL("a") "[preforkd]\ninclude = a.ini\nrubbish = 1\n" POOL("b"));
	check_main("[preforkd]\ninclude = d/*.ini\n",
		"d/a.ini:3: [preforkd]: an included file has no such section; it belongs into "
		"main.ini\n");
}
END_TEST

START_TEST(not_itself)
{
	put("a.ini", POOL("a"));
	ck_assert_int_eq(symlink("main.ini", test_path(&dir, "z.ini")), 0);
	check_main("[preforkd]\ninclude = *.ini\n",
		"main.ini:2: [preforkd] include: \"main.ini\" is the file that includes it\n"
		"main.ini:2: [preforkd] include: \"z.ini\" is the file that includes it\n");
}
END_TEST

/* --- what is no file to include ---------------------------------------------------------- */

START_TEST(folders_pipes_and_devices)
{
	ck_assert_int_eq(mkdir(test_path(&dir, "d/a"), 0755), 0);
	ck_assert_int_eq(mkfifo(test_path(&dir, "d/b"), 0644), 0);
	ck_assert_int_eq(symlink("/dev/zero", test_path(&dir, "d/c")), 0);
	ck_assert_int_eq(symlink("nowhere", test_path(&dir, "d/d")), 0);
	check_main("[preforkd]\ninclude = d/*\n" POOL("p"),
		"main.ini:2: [preforkd] include: \"d/a\" cannot be read: Is a directory\n"
		"main.ini:2: [preforkd] include: \"d/b\" cannot be read: not a regular file\n"
		"main.ini:2: [preforkd] include: \"d/c\" cannot be read: not a regular file\n"
		"main.ini:2: [preforkd] include: \"d/d\" cannot be read: No such file or "
		"directory\n");
}
END_TEST

START_TEST(unreadable)
{
	put("d/a.ini", POOL("a"));
	ck_assert_int_eq(chmod(test_path(&dir, "d/a.ini"), 0), 0);
	ck_assert_int_eq(mkdir(test_path(&dir, "e"), 0), 0);
	ck_assert_int_eq(chmod(dir.path, 0755), 0);
	put("main.ini", "[preforkd]\ninclude = d/*\ninclude = e/*\n" POOL("p"));
	if (geteuid() == 0) /* who may read everything */
		ck_assert_int_eq(seteuid(65534), 0);
	settings_free(read_main(
		"main.ini:2: [preforkd] include: \"d/a.ini\" cannot be read: Permission denied\n"
		"main.ini:3: [preforkd] include: \"e/*\": a folder of it cannot be read\n"));
}
END_TEST

START_TEST(huge)
{
	put("d/a.ini", POOL("a"));
	ck_assert_int_eq(truncate(test_path(&dir, "d/a.ini"), 17 << 20), 0);
	check_main("[preforkd]\ninclude = d/*\n" POOL("p"),
		"main.ini:2: [preforkd] include: \"d/a.ini\" cannot be read: File too large\n");
}
END_TEST

/* Each is within the limit, but not all together. */
START_TEST(huge_together)
{
	static char text[9 << 20];

	memset(text, '\n', sizeof(text) - 1);
	put("d/a.ini", text);
	put("d/b.ini", text);
	check_main("[preforkd]\ninclude = d/*\n" POOL("p"),
		"main.ini:2: [preforkd] include: \"d/b.ini\" cannot be read: File too large\n");
}
END_TEST

START_TEST(binary)
{
	static const char bytes[] = "\x7f"
				    "ELF\x02\x01\x00\x00\n\x00\x03\n";
	FILE *file = fopen(test_path(&dir, "d/a.ini"), "w");

	ck_assert_uint_eq(fwrite(bytes, 1, sizeof(bytes) - 1, file), sizeof(bytes) - 1);
	fclose(file);
	check_main("[preforkd]\ninclude = d/*\n" POOL("p"),
		"d/a.ini:1: there is a control character (0x7f) in the line\n"
		"d/a.ini:2: there is a NUL byte in the line\n");
}
END_TEST

/* Faults without end come to one, however many files have them. */
START_TEST(endless_faults)
{
	static char text[20000];
	struct faults faults = {0};
	char name[16];

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "x\n", 2);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "d/%d.ini", i);
		put(name, text);
	}
	put("main.ini", "[preforkd]\ninclude = d/*\n" POOL("p"));
	settings_free(config_file_read(test_path(&dir, "main.ini"), &faults));
	ck_assert_uint_le(faults.count, 1002);
	faults_free(&faults);
}
END_TEST

START_TEST(too_many_files)
{
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "d/%d.ini", i);
		put(name, "");
	}
	check_main("[preforkd]\ninclude = d/1.ini\ninclude = d/*\n" POOL("p"),
		"main.ini:3: [preforkd] include: more than 1000 files\n");
}
END_TEST

/* --- as one file ------------------------------------------------------------------------- */

START_TEST(prints_as_one_file)
{
	struct settings *settings, *copy;
	char *text, *again;

	put("d/a.ini", "[socket:s]\nlisten = unix:s\n[pool:a]\ncommand = ./x\nsockets = s\n"
		       "[signals]\nHUP = ignore\npreset = apache\n");
	put("main.ini", "[preforkd]\ninclude = d/*.ini\nlog_file = ./log\n" POOL("m"));
	settings = read_main("");
	text = print_text(settings);
	ck_assert_ptr_null(strstr(text, "include"));
	copy = must_parse(text);
	check_pools(copy, "m a");
	again = print_text(copy);
	ck_assert_str_eq(text, again);
	free(again);
	free(text);
	settings_free(copy);
	settings_free(settings);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_include");
	TCase *tests = tcase_create("config_include");
	const TTest *const list[] = {in_the_order_of_patterns_and_names,
		a_pattern_may_match_nothing, a_name_must_be_there, odd_names,
		absolute_names_and_twice_the_same, sockets_pools_and_signals, relative_paths,
		faults_name_their_file, sections_are_there_once, no_preforkd_in_them, not_itself,
		folders_pipes_and_devices, unreadable, huge, huge_together, binary, endless_faults,
		too_many_files, prints_as_one_file};

	tcase_add_checked_fixture(tests, setup, teardown);
	for (size_t i = 0; i < COUNT(list); i++)
		tcase_add_test(tests, list[i]);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
