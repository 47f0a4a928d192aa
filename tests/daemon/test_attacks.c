/*
 * What a user who is not root tries against a supervisor that is: at the files that it opens, in
 * folders of that user, while it runs and while it starts. Only root can start such a supervisor.
 */
#include <sys/stat.h>

#include "rolling_pool.h"

#define PRECIOUS "precious\n"

static const char *const no_arguments[] = {NULL};

static void become_hostile(void)
{
	if (setgid(lonely_user()) < 0 || setuid(lonely_user()) < 0)
		_exit(125);
}

/* A folder of the hostile user, which is the workers', too. */
static void give_away(const char *name)
{
	mkdir(path_of("%s", name), 0755);
	ck_assert_int_eq(chown(path_of("%s", name), lonely_user(), lonely_user()), 0);
}

static pid_t hostile_start(
	const char *what, const char *first, const char *second, const char *third)
{
	const char *argv[] = {worker_beside("hostile_user"), what, first, second, third, NULL};

	return program_start("hostile", become_hostile, argv);
}

static void hostile_end(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(program_wait(pid), 128 + SIGKILL);
}

static void make_victim(void)
{
	file_write("victim", PRECIOUS);
	ck_assert_int_eq(chmod(path_of("victim"), 0600), 0);
	mkdir(path_of("closed"), 0755);
}

static void expect_untouched(void)
{
	struct stat st;

	ck_assert_str_eq(file_text("victim"), PRECIOUS);
	ck_assert_int_eq(stat(path_of("victim"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_uint_eq(st.st_gid, 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert(!file_exists("closed/made"));
	/* nothing in it */
	ck_assert_int_eq(rmdir(path_of("closed")), 0);
	mkdir(path_of("closed"), 0755);
}

/* --- what root opens in a folder of theirs --- */

/* Keys of [preforkd], then of [pool:web]. */
static const struct {
	const char *ours, *pool;
} files[] = {
	{"log_file = @dir@/theirs/made\n", ""},
	{"pid_file = @dir@/theirs/made\n", ""},
	{"", "stdout = @dir@/theirs/made\n"},
	{"", "stderr = append:@dir@/theirs/made\n"},
	{"", "scoreboard_file = @dir@/theirs/made\n"},
	{"control = @dir@/theirs/made\ncontrol_mode = 0666\n", ""},
};
#define FILES (int)(sizeof(files) / sizeof(files[0]))
#define KINDS 6

static void configure(int which)
{
	char text[2000];

	snprintf(text, sizeof(text),
		"%s[pool:web]\n" QUICK "max_workers = 1\ncrash_loop = backoff\n"
		"user = %d\ngroup = %d\n%scommand = @worker@ print 3 20 print-error 3 20\n",
		files[which].ours, (int)lonely_user(), (int)lonely_user(), files[which].pool);
	config("%s", text);
}

/* It serves, goes on trying, or has said why not. */
static bool has_decided(void)
{
	return !daemon_alive() || log_has("ready: the first workers") || log_has("theirs/made") ||
	       file_has("theirs/made", "ready: the first workers");
}

static void plant(int kind)
{
	const char *name = path_of("theirs/made");
	int made = 0;

	switch (kind) {
	case 0: made = symlink("../victim", name); break;
	case 1: made = symlink("../closed/made", name); break;
	case 2: made = link(path_of("victim"), name); break;
	case 3: made = mkfifo(name, 0666); break;
	case 4: made = mkdir(name, 0777); break;
	case 5: file_write("theirs/made", "%d\n", (int)getpid()); break;
	}
	ck_assert_int_eq(made, 0);
	ck_assert_int_eq(
		lchown(name, kind == 2 ? 0 : lonely_user(), kind == 2 ? 0 : lonely_user()), 0);
}

START_TEST(what_they_planted_is_not_followed)
{
	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	make_victim();
	give_away("theirs");
	plant(_i % KINDS);
	configure(_i / KINDS);
	daemon_start();
	WAIT_FOR(has_decided());
	nap_ms(20);
	expect_untouched();
	if (daemon_alive()) {
		daemon_kill(SIGUSR1);
		daemon_kill(SIGTERM);
	}
	ck_assert_int_ge(daemon_wait(), 0);
	expect_untouched();
}
END_TEST

/* A link in the place of the folder itself, which one who owns the folder above can make. */
START_TEST(a_folder_that_they_made_a_link_is_not_entered)
{
	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	make_victim();
	give_away("above");
	configure(_i);
	ck_assert_int_eq(symlink("../closed", path_of("above/logs")), 0);
	ck_assert_int_eq(lchown(path_of("above/logs"), lonely_user(), lonely_user()), 0);
	ck_assert_int_eq(symlink("above/logs", path_of("theirs")), 0); /* ours: is followed */
	daemon_start();
	WAIT_FOR(has_decided());
	nap_ms(20);
	expect_untouched();
	if (daemon_alive())
		daemon_kill(SIGTERM);
	ck_assert_int_ge(daemon_wait(), 0);
	expect_untouched();
}
END_TEST

/* All that may be done to a name, at full speed, while the files are opened again and again. */
START_TEST(what_they_exchange_is_not_followed)
{
	pid_t hostile;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	make_victim();
	give_away("theirs");
	configure(_i);
	daemon_start();
	WAIT_FOR(has_decided());
	hostile = hostile_start("swap", path_of("theirs"), "made", path_of("victim"));
	for (int i = 0; i < long_or_short(3000, 150) && daemon_alive(); i++) {
		daemon_kill(SIGUSR1);
		nap_ms(2);
	}
	ck_assert(daemon_alive());
	daemon_kill(SIGTERM);
	ck_assert_int_eq(daemon_wait(), 0);
	hostile_end(hostile);
	expect_untouched();
}
END_TEST

START_TEST(a_folder_that_they_exchange_is_not_entered)
{
	pid_t hostile;

	SKIP_UNLESS(geteuid() == 0, "only root can become another user");
	make_victim();
	give_away("above");
	give_away("above/logs");
	ck_assert_int_eq(symlink("above/logs", path_of("theirs")), 0);
	configure(_i);
	daemon_start();
	WAIT_FOR(has_decided());
	hostile = hostile_start("folder", path_of("above"), "logs", path_of("closed"));
	for (int i = 0; i < long_or_short(3000, 150) && daemon_alive(); i++) {
		daemon_kill(SIGUSR1);
		nap_ms(2);
	}
	if (daemon_alive())
		daemon_kill(SIGTERM);
	ck_assert_int_ge(daemon_wait(), 0);
	hostile_end(hostile);
	expect_untouched();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attacks");
	TCase *planted = harness_case(suite, "planted");
	TCase *exchanged = harness_case(suite, "exchanged");

	(void)no_arguments;
	tcase_add_loop_test(planted, what_they_planted_is_not_followed, 0, FILES * KINDS);
	tcase_add_loop_test(planted, a_folder_that_they_made_a_link_is_not_entered, 0, FILES);
	tcase_add_loop_test(exchanged, what_they_exchange_is_not_followed, 0, FILES);
	tcase_add_loop_test(exchanged, a_folder_that_they_exchange_is_not_entered, 0, FILES);
	return harness_main(suite);
}
