/* The configuration from outside: included files and presets, checked, printed and lived by. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GOT       "command = @worker@ signals @dir@/got\n"
#define got(what) file_count("got", " " what " ")

static void make_folder(const char *name)
{
	ck_assert_int_eq(mkdir(path_of("%s", name), 0755), 0);
}

static void write_pool(const char *file, const char *name)
{
	file_write(file, "[pool:%s]\nmax_workers = 2\ncommand = %s\n", name, worker_program());
}

/* --- included files --- */

START_TEST(pools_of_included_files_run)
{
	make_folder("pools.d");
	write_pool("pools.d/a.ini", "a");
	write_pool("pools.d/b.ini", "b");
	config("include = pools.d/*.ini\n[pool:main]\nmax_workers = 1\ncommand = @worker@\n");
	daemon_start();
	WAIT_FOR(worker_count() == 5);
	ck_assert_int_eq(worker_count_of("main"), 1);
	ck_assert_int_eq(worker_count_of("a"), 2);
	ck_assert_int_eq(worker_count_of("b"), 2);
	EXPECT_STOP();
}
END_TEST

START_TEST(t_tells_of_faults_in_their_files)
{
	make_folder("pools.d");
	file_write("pools.d/a.ini", "[pool:a]\ncommand = /nonexistent/program\nmax_wokers = 3\n");
	file_write("pools.d/b.ini", "[pool:main]\ncommand = %s\n", worker_program());
	file_write("pools.d/c.ini", "\n[preforkd]\nname = x\n");
	ck_assert_int_eq(mkfifo(path_of("pools.d/d.ini"), 0644), 0);
	config("include = pools.d/*.ini none.ini\n[pool:main]\nmax_workers = 1\n"
	       "command = @worker@\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 78);
	ck_assert(file_has("run.err", "/pools.d/a.ini:2: [pool:a] command: "));
	ck_assert(file_has("run.err",
		"/pools.d/a.ini:3: [pool:a] max_wokers: unknown key; did you mean max_workers?\n"));
	ck_assert(file_has("run.err",
		"/pools.d/b.ini:1: [pool:main]: the section is repeated; it begins at "));
	ck_assert(file_has("run.err", "/app.ini:4\n"));
	ck_assert(file_has("run.err", "/pools.d/c.ini:2: [preforkd]: "));
	ck_assert(file_has("run.err", "/app.ini:3: [preforkd] include: "));
	ck_assert(file_has("run.err", "/pools.d/d.ini\" cannot be read: not a regular file\n"));
	ck_assert(file_has("run.err", "/none.ini\" cannot be read: No such file or directory\n"));
	ck_assert_int_eq(file_size("run.out"), 0);
}
END_TEST

START_TEST(config_prints_one_file_that_reads_the_same)
{
	char *printed;

	make_folder("pools.d");
	file_write("pools.d/a.ini", "[socket:s]\nlisten = unix:s.sock\n[pool:a]\ncommand = ./run\n"
				    "sockets = s\n[signals]\nHUP = ignore\npreset = php-fpm\n");
	file_write("pools.d/run", "#!/bin/sh\n");
	ck_assert_int_eq(chmod(path_of("pools.d/run"), 0755), 0);
	config("include = pools.d/a.ini\nname = x\n[pool:main]\ncommand = @worker@\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "config"), 0);
	printed = strdup(file_text("run.out"));
	ck_assert_ptr_nonnull(strstr(printed, "/pools.d/s.sock\n"));
	ck_assert_ptr_nonnull(strstr(printed, "/pools.d/run\n"));
	ck_assert_ptr_nonnull(strstr(printed, "preset = php-fpm\n"));
	ck_assert_ptr_null(strstr(printed, "include"));
	make_folder("elsewhere");
	file_write("elsewhere/one.ini", "%s", printed);
	ck_assert_int_eq(preforkd_run("-c", path_of("elsewhere/one.ini"), "config"), 0);
	ck_assert_str_eq(file_text("run.out"), printed);
	free(printed);
}
END_TEST

/* --- presets --- */

static void start_with_preset(const char *lines)
{
	config("[pool:web]\n" GOT "max_workers = 2\n[signals]\n%s", lines);
	daemon_start();
	WAIT_FOR(got("ready") == 2);
}

START_TEST(unicorn_stops_gracefully_on_quit)
{
	start_with_preset("preset = unicorn\n");
	daemon_kill(SIGQUIT);
	EXPECT_EXIT(0);
	ck_assert_int_eq(got("QUIT"), 2);
	ck_assert_int_eq(got("TERM"), 0);
}
END_TEST

START_TEST(gunicorn_does_it_on_term)
{
	start_with_preset("preset = gunicorn\nTTIN = forward USR2\n");
	daemon_kill(SIGTTIN);
	WAIT_FOR(got("USR2") == 2);
	ck_assert_int_eq(worker_count(), 2);
	daemon_kill(SIGUSR1);
	WAIT_FOR(got("USR1") == 2);
	daemon_kill(SIGINT);
	EXPECT_EXIT(0);
	ck_assert_int_eq(got("QUIT"), 2);
}
END_TEST

START_TEST(what_a_preset_does_not_know_is_ignored_and_logged)
{
	start_with_preset("USR2 = ignore\npreset = php-fpm\n");
	daemon_kill(SIGTTOU);
	WAIT_FOR(log_has("TTOU"));
	daemon_kill(SIGHUP);
	daemon_kill(SIGUSR2);
	HOLDS_FOR(slow_ms(100), worker_count() == 2);
	EXPECT_STOP();
	ck_assert_int_eq(got("TERM"), 2);
}
END_TEST

START_TEST(t_proposes_a_preset)
{
	config("[pool:web]\ncommand = @worker@\n[signals]\npreset = parallel_prefork\n");
	ck_assert_int_eq(preforkd_run("-c", path_of("app.ini"), "-t"), 78);
	ck_assert(file_has("run.err", "[signals] preset: \"parallel_prefork\" is none of "));
	ck_assert(file_has("run.err", "; did you mean parallel-prefork?\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *include = harness_case(suite, "include");
	TCase *preset = harness_case(suite, "preset");

	tcase_add_test(include, pools_of_included_files_run);
	tcase_add_test(include, t_tells_of_faults_in_their_files);
	tcase_add_test(include, config_prints_one_file_that_reads_the_same);
	tcase_add_test(preset, unicorn_stops_gracefully_on_quit);
	tcase_add_test(preset, gunicorn_does_it_on_term);
	tcase_add_test(preset, what_a_preset_does_not_know_is_ignored_and_logged);
	tcase_add_test(preset, t_proposes_a_preset);
	return harness_main(suite);
}
