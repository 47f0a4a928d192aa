/*
 * What is found out by looking at the machine. Each case is a configuration and what must be said
 * of it; @ stands for the test's folder, which has a program "run", a file "plain" and a folder
 * "sub".
 */
#include "test_main.h"

#include "config_world.h"
#include "preflight.h"
#include "test_files.h"

#define POOL "[pool:p]\ncommand=@/run\n" /* lines 1 and 2 */

static struct test_dir dir;

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
	make_file("run", 0755);
	make_file("plain", 0644);
	make_folder("sub");
	make_file("sub/run-0", 0755);
}

static void teardown(void)
{
	test_dir_remove(&dir);
}

/* text with every @ replaced. malloced. */
static char *fill_in(const char *text)
{
	char *filled = NULL;
	size_t length;
	FILE *out = open_memstream(&filled, &length);

	for (; *text; text++) {
		if (*text == '@')
			fputs(dir.path, out);
		else
			fputc(*text, out);
	}
	fclose(out);
	return filled;
}

static void check_preflight(const char *pattern, const char *expected_pattern)
{
	char *text = fill_in(pattern), *expected = fill_in(expected_pattern), *found;
	struct settings *settings = must_parse(text);
	struct faults faults = {0};

	preflight_check(settings, &faults);
	found = faults_text(&faults);
	ck_assert_msg(strcmp(found, expected) == 0, "%s\nexpected:\n%s\nfound:\n%s", text, expected,
		found);
	free(found);
	faults_free(&faults);
	settings_free(settings);
	free(expected);
	free(text);
}

static const struct {
	const char *text, *faults;
} cases[] = {
	{POOL, ""},
	/* programs */
	{"[pool:p]\ncommand=@/none x\n",
		"t:2: [pool:p] command: \"@/none\": No such file or directory\n"},
	{"[pool:p]\ncommand=@/plain\n", "t:2: [pool:p] command: \"@/plain\": not executable\n"},
	{"[pool:p]\ncommand=no-such-program-anywhere\nenvironment=PATH=/x:/y\n",
		"t:2: [pool:p] command: \"no-such-program-anywhere\" is not found on PATH "
		"(/x:/y)\n"},
	{"[pool:p]\ncommand=run\nenvironment=PATH=/x:@\n", ""},
	{"[pool:p]\ncommand=sub/run-%{slot}\ndirectory=@\n", ""},
	{"[pool:p]\ncommand=./run-1\ndirectory=@/sub\n",
		"t:2: [pool:p] command: \"@/sub/./run-1\": No such file or directory\n"},
	{POOL "on_exit=@/plain x\n", "t:3: [pool:p] on_exit: \"@/plain\": not executable\n"},
	/* folders */
	{POOL "directory=@/none\n",
		"t:3: [pool:p] directory: \"@/none\": No such file or directory\n"},
	{POOL "directory=@/plain\n", "t:3: [pool:p] directory: \"@/plain\": Not a directory\n"},
	{POOL "chroot=@/none\n", "t:3: [pool:p] chroot: \"@/none\": No such file or directory\n"},
	{POOL "stdout=@/new.log\nstderr=append:@/%{pool}/x\n",
		"t:4: [pool:p] stderr: the folder \"@/p\": No such file or directory\n"},
	{POOL "stdout=@/sub\n", "t:3: [pool:p] stdout: \"@/sub\" is a folder\n"},
	{POOL "scoreboard_file=@/plain/x\n",
		"t:3: [pool:p] scoreboard_file: the folder \"@/plain\": Not a directory\n"},
	{POOL "scoreboard_file=/dev/null\n",
		"t:3: [pool:p] scoreboard_file: \"/dev/null\" is a device or a socket\n"},
	{"[preforkd]\npid_file=@/none/x\nlog_file=@/none/y\n" POOL,
		"t:2: [preforkd] pid_file: the folder \"@/none\": No such file or directory\n"
		"t:3: [preforkd] log_file: the folder \"@/none\": No such file or directory\n"},
	{"[preforkd]\nlog_file=syslog\npid_file=/x.pid\n" POOL, ""},
	/* users */
	{POOL "user=no-such-user\n", "t:3: [pool:p] user: unknown user \"no-such-user\"\n"},
	{POOL "user=0day\ngroup=no-such-group\n",
		"t:4: [pool:p] group: unknown group \"no-such-group\"\n"},
	{POOL "groups=0 no-such-group\n",
		"t:3: [pool:p] groups: unknown group \"no-such-group\"\n"},
	{POOL "user=3999999999\n",
		"t:3: [pool:p] user: user 3999999999 has no entry, so a group must be given\n"},
	/* sockets */
	{POOL "sockets=s\n[socket:s]\nlisten=unix:@/x\nuser=no-such-user\ngroup=no-such-group\n",
		"t:6: [socket:s] user: unknown user \"no-such-user\"\n"
		"t:7: [socket:s] group: unknown group \"no-such-group\"\n"},
	{POOL "sockets=s\n[socket:s]\nlisten=unix:@/none/x\n",
		"t:5: [socket:s] listen: the folder \"@/none\": No such file or directory\n"},
	{POOL "sockets=s\n[socket:s]\nlisten=127.0.0.1:80\n", ""},
	{POOL "sockets=s\n[socket:s]\nlisten=[::1]:80\n", ""},
	/* all that is wrong, in the order of the file */
	{"[pool:b]\nuser=no-such-user\ncommand=@/none\n[preforkd]\npid_file=@/none/x\n"
	 "[pool:a]\ncommand=@/plain\n",
		"t:2: [pool:b] user: unknown user \"no-such-user\"\n"
		"t:3: [pool:b] command: \"@/none\": No such file or directory\n"
		"t:5: [preforkd] pid_file: the folder \"@/none\": No such file or directory\n"
		"t:7: [pool:a] command: \"@/plain\": not executable\n"},
};

START_TEST(test_case)
{
	check_preflight(cases[_i].text, cases[_i].faults);
}
END_TEST

/* A name that cannot exist (RFC 6761); what the resolver says of it varies. */
START_TEST(test_unknown_host)
{
	struct settings *settings = must_parse(
		"[pool:p]\ncommand=/bin/sh\nsockets=s\n[socket:s]\nlisten=x.invalid:80\n");
	struct faults faults = {0};

	preflight_check(settings, &faults);
	ck_assert_uint_eq(faults.errors, 1);
	ck_assert_ptr_eq(strstr(faults.fault[0].text, CONFIG_PATH ":5: [socket:s] listen: the host "
								  "\"x.invalid\": "),
		faults.fault[0].text);
	faults_free(&faults);
	settings_free(settings);
}
END_TEST

START_TEST(test_without_privileges)
{
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(3999999998), 0);
	check_preflight("[pool:p]\ncommand=/bin/sh\nuser=root\n",
		"t:3: [pool:p] user: only root can run workers as somebody else\n");
	check_preflight("[pool:p]\ncommand=/bin/sh\nchroot=/\n",
		"t:3: [pool:p] chroot: only root can change the root\n");
	check_preflight(
		"[pool:p]\ncommand=/bin/sh\nsockets=s\n[socket:s]\nlisten=unix:/x\nuser=root\n",
		"t:6: [socket:s] user: only root can give files to another user\n");
	ck_assert(geteuid() == getuid() || seteuid(0) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("preflight");
	TCase *tests = tcase_create("preflight");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, test_case, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tests, test_unknown_host);
	tcase_add_test(tests, test_without_privileges);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
