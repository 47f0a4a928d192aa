/*
 * What a worker is started with: arguments, environment, descriptors, limits, for each slot its
 * own. Nothing is started here.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "config_world.h"
#include "errmsg.h"
#include "launch.h"
#include "socket_table.h"
#include "startup.h"
#include "test_files.h"
#include "test_main.h"

static struct fixture {
	struct test_dir dir;
	struct settings *settings;
	struct socket_table sockets;
	struct startup_limits limits;
	struct launch launch;
	struct errmsg err;
	bool open;
} world;

/* "@" in the text stands for the test's folder. */
static struct settings *parse(const char *text)
{
	struct settings *settings;
	char *whole = NULL;
	size_t length;
	FILE *out = open_memstream(&whole, &length);

	for (; *text; text++)
		if (*text == '@')
			fputs(world.dir.path, out);
		else
			fputc(*text, out);
	fclose(out);
	settings = must_parse(whole);
	free(whole);
	return settings;
}

/* A launch for the only pool of a configuration; false with world.err. */
static bool open_launch(const char *text)
{
	struct passed_sockets passed = {0};
	struct launch_place place = {.name = "shop",
		.sockets = &world.sockets,
		.found_limits = &world.limits,
		.scoreboard_path = "/run/board"};

	world.settings = parse(text);
	ck_assert_int_eq(
		socket_table_open(&world.sockets, world.settings, NULL, &passed, &world.err), 0);
	world.open = launch_init(&world.launch, &world.settings->pools[0], &place, &world.err) == 0;
	return world.open;
}

static void close_launch(void)
{
	if (world.open)
		launch_fini(&world.launch);
	world.open = false;
	socket_table_close(&world.sockets);
	settings_free(world.settings);
	world.settings = NULL;
}

static const struct spawn_plan *prepare(int slot)
{
	struct launch_worker worker = {
		.slot = slot, .generation = 7, .standard_fd = {20, 21, 22}, .scoreboard_fd = 23};
	const struct spawn_plan *plan = launch_prepare(&world.launch, &worker, &world.err);

	ck_assert_msg(plan != NULL, "%s", world.err.text);
	return plan;
}

/* How many there are of the name; *value: the last one's. */
static int variable(const struct spawn_plan *plan, const char *name, const char **value)
{
	size_t length = strlen(name);
	int count = 0;

	*value = NULL;
	for (char **entry = plan->envp; *entry; entry++) {
		if (strncmp(*entry, name, length) != 0 || (*entry)[length] != '=')
			continue;
		*value = *entry + length + 1;
		count++;
	}
	return count;
}

static void check_variable(const struct spawn_plan *plan, const char *name, const char *expected)
{
	const char *value;
	int count = variable(plan, name, &value);

	ck_assert_msg(count == (expected ? 1 : 0), "%s stands there %d times", name, count);
	if (expected)
		ck_assert_str_eq(value, expected);
}

static void make_program(const char *name)
{
	const char *path = test_path(&world.dir, name);

	test_write_file(path, "#!/bin/sh\n");
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static void setup(void)
{
	memset(&world, 0, sizeof(world));
	test_dir_make(&world.dir);
}

static void teardown(void)
{
	test_dir_remove(&world.dir);
}

START_TEST(every_slot_has_its_own_numbers)
{
	const struct spawn_plan *plan;

	ck_assert(open_launch("[pool:web]\ncommand = true 'a %{pool}-%{slot}' %{name} 100%%\n"));
	for (int slot = 0; slot < 3; slot++) {
		char text[32];

		plan = prepare(slot);
		snprintf(text, sizeof(text), "a web-%d", slot);
		ck_assert_str_eq(plan->argv[1], text);
		ck_assert_str_eq(plan->argv[2], "shop");
		ck_assert_str_eq(plan->argv[3], "100%");
		ck_assert_ptr_null(plan->argv[4]);
		snprintf(text, sizeof(text), "%d", slot);
		check_variable(plan, "PREFORKD_SLOT", text);
		snprintf(text, sizeof(text), "%d", slot * 64);
		check_variable(plan, "PREFORKD_SCOREBOARD_OFFSET", text);
		check_variable(plan, "PREFORKD_GENERATION", "7");
		check_variable(plan, "PREFORKD_NAME", "shop");
		check_variable(plan, "PREFORKD_POOL", "web");
		check_variable(plan, "PREFORKD_SCOREBOARD", "/run/board");
		check_variable(plan, "PREFORKD_SCOREBOARD_FD", "3");
	}
	close_launch();
}
END_TEST

START_TEST(sockets_follow_from_descriptor_3)
{
	const struct spawn_plan *plan;
	const char *value;

	ck_assert(open_launch("[socket:b]\nlisten = unix:@/b\n[socket:a]\nlisten = unix:@/a\n"
			      "[pool:web]\ncommand = true\nsockets = a b\n"));
	plan = prepare(0);
	ck_assert_int_eq(plan->fd_count, 6);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(plan->fd[i], 20 + i);
	ck_assert_int_eq(plan->fd[3], socket_table_find(&world.sockets, "a")->fd);
	ck_assert_int_eq(plan->fd[4], socket_table_find(&world.sockets, "b")->fd);
	ck_assert_int_eq(plan->fd[5], 23);
	check_variable(plan, "PREFORKD_SCOREBOARD_FD", "5");
	check_variable(plan, "LISTEN_FDS", "2");
	check_variable(plan, "LISTEN_FDNAMES", "a:b");
	check_variable(plan, "EINHORN_FD_COUNT", "2");
	check_variable(plan, "EINHORN_FD_0", "3");
	check_variable(plan, "EINHORN_FD_1", "4");
	check_variable(plan, "SERVER_STARTER_GENERATION", "7");
	ck_assert_int_eq(variable(plan, "SERVER_STARTER_PORT", &value), 1);
	ck_assert_ptr_nonnull(strstr(value, "/a=3;"));
	/* The child writes its pid over the blanks. */
	ck_assert_int_eq(variable(plan, "LISTEN_PID", &value), 1);
	ck_assert_uint_ge(strspn(value, " "), strlen(SPAWN_PID_BLANKS));
	close_launch();
}
END_TEST

START_TEST(without_sockets_nothing_is_said_of_them)
{
	const struct spawn_plan *plan;

	ck_assert(open_launch("[pool:web]\ncommand = true\n"));
	plan = prepare(0);
	ck_assert_int_eq(plan->fd_count, 4);
	check_variable(plan, "LISTEN_FDS", NULL);
	check_variable(plan, "LISTEN_PID", NULL);
	check_variable(plan, "EINHORN_FD_COUNT", NULL);
	check_variable(plan, "SERVER_STARTER_PORT", NULL);
	check_variable(plan, "SERVER_STARTER_GENERATION", NULL);
	close_launch();
}
END_TEST

START_TEST(what_is_ours_does_not_pass_on)
{
	static const char *const ours[] = {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID",
		"LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "PREFORKD_SLOT_OF_OURS",
		"SERVER_STARTER_PORT", "EINHORN_FD_0"};
	const struct spawn_plan *plan;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		setenv(ours[i], "/x", 1);
	setenv("KEPT", "as it is", 1);
	ck_assert(open_launch("[pool:web]\ncommand = true\nenvironment = 'OWN=a b' KEPT=mine\n"
			      "environment = OWN=last\n"));
	plan = prepare(0);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		check_variable(plan, ours[i], NULL);
	check_variable(plan, "KEPT", "mine");
	check_variable(plan, "OWN", "last");
	close_launch();
}
END_TEST

START_TEST(a_clear_environment)
{
	const struct spawn_plan *plan;

	setenv("SECRET", "x", 1);
	setenv("PATH", "/bin:/usr/bin", 1);
	setenv("HOME", "/home/x", 1);
	ck_assert(open_launch("[pool:web]\ncommand = true\nclear_environment = yes\n"
			      "environment = MORE=1\n"));
	plan = prepare(0);
	check_variable(plan, "SECRET", NULL);
	check_variable(plan, "PATH", "/bin:/usr/bin");
	check_variable(plan, "HOME", "/home/x");
	check_variable(plan, "MORE", "1");
	close_launch();
	unsetenv("PATH");
	ck_assert(open_launch("[pool:web]\ncommand = true\nclear_environment = yes\n"));
	check_variable(
		prepare(0), "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	close_launch();
}
END_TEST

START_TEST(limits_are_those_that_were_found)
{
	const struct spawn_plan *plan;

	world.limits.found[RLIMIT_NOFILE] = (struct rlimit){256, 512};
	world.limits.found[RLIMIT_CORE] = (struct rlimit){1, 2};
	world.limits.changed = UINT64_C(1) << RLIMIT_NOFILE;
	ck_assert(open_launch("[pool:web]\ncommand = true\nlimit_core = 0\n"));
	plan = prepare(0);
	ck_assert_uint_eq(
		plan->limit_set, UINT64_C(1) << RLIMIT_NOFILE | UINT64_C(1) << RLIMIT_CORE);
	ck_assert_uint_eq(plan->limits[RLIMIT_NOFILE].rlim_cur, 256);
	ck_assert_uint_eq(plan->limits[RLIMIT_NOFILE].rlim_max, 512);
	ck_assert_uint_eq(plan->limits[RLIMIT_CORE].rlim_cur, 0);
	close_launch();
}
END_TEST

/* --- the program ----------------------------------------------------------------------------- */

START_TEST(the_program_is_found_on_the_workers_path)
{
	make_program("some-worker");
	ck_assert(open_launch("[pool:web]\ncommand = some-worker\nenvironment = PATH=/no:@\n"));
	ck_assert_str_eq(prepare(0)->path, test_path(&world.dir, "some-worker"));
	close_launch();
	ck_assert(!open_launch("[pool:web]\ncommand = some-worker\n"));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(world.err.text, "some-worker"));
	close_launch();
}
END_TEST

START_TEST(percent_signs_stand_in_the_program_too)
{
	make_program("web-worker");
	make_program("slot0");
	make_program("slot1");
	ck_assert(open_launch("[pool:web]\ncommand = @/%{pool}-worker\n"));
	ck_assert_str_eq(prepare(1)->path, test_path(&world.dir, "web-worker"));
	close_launch();
	ck_assert(open_launch("[pool:web]\ncommand = slot%{slot}\nenvironment = PATH=@\n"));
	for (int turn = 0; turn < 2; turn++) {
		ck_assert_str_eq(prepare(0)->path, test_path(&world.dir, "slot0"));
		ck_assert_str_eq(prepare(1)->path, test_path(&world.dir, "slot1"));
		ck_assert_str_eq(prepare(1)->argv[0], "slot1");
	}
	close_launch();
}
END_TEST

/* From the folder that the worker is in, which may be another for each. */
START_TEST(percent_signs_stand_in_the_folder)
{
	ck_assert_int_eq(mkdir(test_path(&world.dir, "0"), 0755), 0);
	make_program("0/run");
	ck_assert(open_launch("[pool:web]\ncommand = ./run\ndirectory = @/%{slot}\n"));
	ck_assert_str_eq(prepare(0)->directory, test_path(&world.dir, "0"));
	ck_assert_str_eq(prepare(3)->directory, test_path(&world.dir, "3"));
	ck_assert_str_eq(prepare(3)->path, "./run");
	close_launch();
	ck_assert(!open_launch("[pool:web]\ncommand = ./other\ndirectory = @/%{slot}\n"));
	ck_assert_ptr_nonnull(strstr(world.err.text, "/0/./other"));
	close_launch();
}
END_TEST

START_TEST(what_cannot_be_prepared_leaves_nothing_open)
{
	static const char *const texts[] = {
		"[pool:web]\ncommand = /no/such/program\n",
		"[pool:web]\ncommand = no-such-program-anywhere\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert(!open_launch(texts[i]));
		ck_assert_int_eq(world.launch.null_fd, -1);
		close_launch();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("launch");
	TCase *launch = tcase_create("launch");

	suite_add_tcase(suite, launch);
	tcase_add_checked_fixture(launch, setup, teardown);
	tcase_add_test(launch, every_slot_has_its_own_numbers);
	tcase_add_test(launch, sockets_follow_from_descriptor_3);
	tcase_add_test(launch, without_sockets_nothing_is_said_of_them);
	tcase_add_test(launch, what_is_ours_does_not_pass_on);
	tcase_add_test(launch, a_clear_environment);
	tcase_add_test(launch, limits_are_those_that_were_found);
	tcase_add_test(launch, the_program_is_found_on_the_workers_path);
	tcase_add_test(launch, percent_signs_stand_in_the_program_too);
	tcase_add_test(launch, percent_signs_stand_in_the_folder);
	tcase_add_test(launch, what_cannot_be_prepared_leaves_nothing_open);
	return test_main(suite);
}
