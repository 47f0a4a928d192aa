/*
 * The table of options: that it is whole, and that values of every type are read, bounded, written,
 * compared and freed.
 */
#include "test_main.h"

#include <string.h>
#include <sys/socket.h>

#include "errmsg.h"
#include "options.h"
#include "settings.h"

union section {
	struct preforkd_settings preforkd;
	struct socket_settings socket;
	struct pool_settings pool;
};

static void begin(union section *section, enum option_section kind)
{
	memset(section, 0, sizeof(*section));
	options_set_defaults(kind, section);
}

START_TEST(test_table_is_whole)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];

		ck_assert_ptr_eq(option_find(option->section, option->key), option);
		ck_assert_msg(option->help && *option->help && strlen(option->help) < 80,
			"%s: help", option->key);
		ck_assert_msg(!option->fallback || !(option->flags & OPTION_REQUIRED),
			"%s: required with a default", option->key);
		ck_assert_msg(
			option->type != OPTION_ENUM || option->names, "%s: no names", option->key);
	}
	ck_assert_ptr_null(option_find(SECTION_POOL, "log_level"));
	ck_assert_ptr_null(option_find(SECTION_POOL, ""));
	ck_assert_str_eq(option_section_name(SECTION_PREFORKD), "preforkd");
	ck_assert_str_eq(option_section_name(SECTION_SOCKET), "socket:");
	ck_assert_str_eq(option_section_name(SECTION_POOL), "pool:");
}
END_TEST

START_TEST(test_defaults)
{
	union section section, copy;

	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];
		char *text;

		begin(&section, option->section);
		begin(&copy, option->section);
		text = option_format(option, &section);
		ck_assert(option_is_default(option, &section));
		ck_assert(option_equal(option, &section, &copy));
		ck_assert_msg(!text == !option->fallback || option->type == OPTION_BOOL,
			"%s: default", option->key);
		if (text)
			ck_assert_int_eq(option_set(option, &copy, text, NULL, NULL), 0);
		ck_assert(option_equal(option, &section, &copy));
		free(text);
		options_free(option->section, &section);
		options_free(option->section, &copy);
	}
	begin(&section, SECTION_POOL);
	ck_assert_int_eq(section.pool.max_workers, 10);
	ck_assert_int_eq(section.pool.min_spare_workers, SETTING_UNSET);
	ck_assert_int_eq(section.pool.start_timeout_ms, 60000);
	ck_assert_int_eq(section.pool.umask, SETTING_UNSET);
	ck_assert_int_eq(section.pool.stop_signal, SIGTERM);
	ck_assert_int_eq(section.pool.standard_input.kind, STDIO_NULL);
	ck_assert_int_eq(section.pool.standard_output.kind, STDIO_INHERIT);
	ck_assert(!section.pool.nice_set);
	options_free(SECTION_POOL, &section);
	begin(&section, SECTION_SOCKET);
	ck_assert_int_eq(section.socket.type, SOCK_STREAM);
	ck_assert_int_eq(section.socket.mode, 0660);
	ck_assert_int_eq(section.socket.backlog, SETTING_UNSET);
	options_free(SECTION_SOCKET, &section);
}
END_TEST

/* What is read, and how it is written; NULL: refused. The folder is /srv/50%. */
static const struct {
	enum option_section section;
	const char *key, *text, *written;
} values[] = {
	{SECTION_PREFORKD, "name", "shop", "shop"},
	{SECTION_PREFORKD, "name", "", NULL},
	{SECTION_PREFORKD, "pid_file", "/run/x.pid", "/run/x.pid"},
	{SECTION_PREFORKD, "pid_file", "x.pid", "/srv/50%/x.pid"},
	{SECTION_PREFORKD, "pid_file", "./a//b/./c/.", "/srv/50%/a/b/c"},
	{SECTION_PREFORKD, "pid_file", "/", "/"},
	{SECTION_PREFORKD, "pid_file", "/.", "/"},
	{SECTION_PREFORKD, "pid_file", "/.a/..b", "/.a/..b"},
	{SECTION_PREFORKD, "pid_file", "", NULL},
	{SECTION_PREFORKD, "log_file", "stderr", "stderr"},
	{SECTION_PREFORKD, "log_file", "syslog", "syslog"},
	{SECTION_PREFORKD, "log_file", "./syslog", "/srv/50%/syslog"},
	{SECTION_PREFORKD, "log_file", "sylog", NULL},
	{SECTION_PREFORKD, "log_level", "debug", "debug"},
	{SECTION_PREFORKD, "log_level", "Debug", NULL},
	{SECTION_PREFORKD, "log_format", "json", "json"},
	{SECTION_SOCKET, "listen", ":80", ":80"},
	{SECTION_SOCKET, "listen", "[::1]:80", "[::1]:80"},
	{SECTION_SOCKET, "listen", "unix:x.sock", "unix:/srv/50%/x.sock"},
	{SECTION_SOCKET, "listen", "unix:@x", "unix:@x"},
	{SECTION_SOCKET, "listen", "80", NULL},
	{SECTION_SOCKET, "type", "seqpacket", "seqpacket"},
	{SECTION_SOCKET, "type", "raw", NULL},
	{SECTION_SOCKET, "mode", "0777", "0777"},
	{SECTION_SOCKET, "mode", "1777", NULL},
	{SECTION_SOCKET, "backlog", "1", "1"},
	{SECTION_SOCKET, "backlog", "0", NULL},
	{SECTION_SOCKET, "backlog", "2147483648", NULL},
	{SECTION_SOCKET, "nodelay", "on", "yes"},
	{SECTION_SOCKET, "nodelay", "maybe", NULL},
	{SECTION_POOL, "command", "a 'b c' \"d\"", "a 'b c' d"},
	{SECTION_POOL, "command", "a '", NULL},
	{SECTION_POOL, "command", "a %{slot} %%", "a %{slot} %%"},
	{SECTION_POOL, "command", "a %{slut}", NULL},
	{SECTION_POOL, "command", "", NULL},
	{SECTION_POOL, "max_workers", "100000", "100000"},
	{SECTION_POOL, "max_workers", "100001", NULL},
	{SECTION_POOL, "max_workers", "0", NULL},
	{SECTION_POOL, "max_workers", "-1", NULL},
	{SECTION_POOL, "min_spare_workers", "-1", NULL},
	{SECTION_POOL, "idle_timeout", "0.5", "500ms"},
	{SECTION_POOL, "idle_timeout", "infinity", NULL},
	{SECTION_POOL, "min_uptime", "infinity", "infinity"},
	{SECTION_POOL, "start_timeout", "0", NULL},
	{SECTION_POOL, "crash_loop", "backoff", "backoff"},
	{SECTION_POOL, "stop_signal", "SIGUSR1", "USR1"},
	{SECTION_POOL, "stop_signal", "15", "TERM"},
	{SECTION_POOL, "stop_signal", "TREM", NULL},
	{SECTION_POOL, "stop_signal", "0", NULL},
	{SECTION_POOL, "sockets", " a  b ", "a b"},
	{SECTION_POOL, "stdin", "null", "null"},
	{SECTION_POOL, "stdin", "socket:a", "socket:a"},
	{SECTION_POOL, "stdin", "socket:", NULL},
	{SECTION_POOL, "stdin", "inherit", NULL},
	{SECTION_POOL, "stdin", "/dev/null", NULL},
	{SECTION_POOL, "stdout", "inherit", "inherit"},
	{SECTION_POOL, "stdout", "log", "log"},
	{SECTION_POOL, "stdout", "%{pool}.log", "/srv/50%%/%{pool}.log"},
	{SECTION_POOL, "stdout", "/x/%{pol}", NULL},
	{SECTION_POOL, "stdout", "append:x", "append:/srv/50%%/x"},
	{SECTION_POOL, "stdout", "append:", NULL},
	{SECTION_POOL, "stdout", "socket:x", NULL},
	{SECTION_POOL, "stdout", "lgo", NULL},
	{SECTION_POOL, "directory", ".", "/srv/50%%"},
	{SECTION_POOL, "chroot", "/srv/%", "/srv/%"},
	{SECTION_POOL, "umask", "022", "0022"},
	{SECTION_POOL, "umask", "028", NULL},
	{SECTION_POOL, "umask", "01000", NULL},
	{SECTION_POOL, "environment", "A=1 B='x y'", "A=1 'B=x y'"},
	{SECTION_POOL, "environment", "A=", "A="},
	{SECTION_POOL, "environment", "_a9==", "_a9=="},
	{SECTION_POOL, "environment", "A=1 B", NULL},
	{SECTION_POOL, "environment", "1A=2", NULL},
	{SECTION_POOL, "environment", "=3", NULL},
	{SECTION_POOL, "environment", "a-b=4", NULL},
	{SECTION_POOL, "limit_nofile", "1024", "1K"},
	{SECTION_POOL, "limit_nofile", "10:infinity", "10:infinity"},
	{SECTION_POOL, "limit_nofile", "20:10", NULL},
	{SECTION_POOL, "nice", "-20", "-20"},
	{SECTION_POOL, "nice", "-1", "-1"},
	{SECTION_POOL, "nice", "20", NULL},
	{SECTION_POOL, "oom_score_adj", "-1", "-1"},
	{SECTION_POOL, "oom_score_adj", "1001", NULL},
	{SECTION_POOL, "cpu_affinity", "0-3,6 8-9", "0-3,6,8-9"},
	{SECTION_POOL, "cpu_affinity", "1023", "1023"},
	{SECTION_POOL, "cpu_affinity", "1024", NULL},
	{SECTION_POOL, "cpu_affinity", "", NULL},
	{SECTION_POOL, "surge", "25%", "25%"},
	{SECTION_POOL, "surge", "0", NULL},
	{SECTION_POOL, "surge", "0%", NULL},
	{SECTION_POOL, "max_memory", "64K", "64K"},
};

START_TEST(test_value)
{
	const struct option *option = option_find(values[_i].section, values[_i].key);
	union section section, copy;
	struct errmsg err = {""};
	char *text;
	int result;

	begin(&section, option->section);
	begin(&copy, option->section);
	result = option_set(option, &section, values[_i].text, "/srv/50%", &err);
	text = option_format(option, &section);
	if (!values[_i].written) {
		ck_assert_msg(result == -1, "%s = %s is taken", option->key, values[_i].text);
		ck_assert_str_ne(err.text, "");
		ck_assert(option_is_default(option, &section));
	} else {
		ck_assert_msg(result == 0, "%s = %s: %s", option->key, values[_i].text, err.text);
		ck_assert_str_eq(text, values[_i].written);
		ck_assert_int_eq(option_set(option, &copy, text, NULL, &err), 0);
		ck_assert(option_equal(option, &section, &copy));
	}
	free(text);
	options_free(option->section, &section);
	options_free(option->section, &copy);
}
END_TEST

START_TEST(test_path_too_long)
{
	const struct option *listen = option_find(SECTION_SOCKET, "listen");
	const struct option *chroot = option_find(SECTION_POOL, "chroot");
	union section section;
	struct errmsg err;
	char folder[5000];

	memset(folder, 'x', sizeof(folder) - 1);
	folder[0] = '/';
	folder[sizeof(folder) - 1] = '\0';
	begin(&section, SECTION_POOL);
	ck_assert_int_eq(option_set(chroot, &section, "a", folder, &err), -1);
	options_free(SECTION_POOL, &section);
	folder[105] = '\0';
	begin(&section, SECTION_SOCKET);
	ck_assert_int_eq(option_set(listen, &section, "unix:b", folder, &err), 0);
	ck_assert_int_eq(option_set(listen, &section, "unix:bc", folder, &err), -1);
	ck_assert_str_eq(section.socket.listen.path + 105, "/b");
	options_free(SECTION_SOCKET, &section);
}
END_TEST

START_TEST(test_repeats_add_up)
{
	const struct option *environment = option_find(SECTION_POOL, "environment");
	const struct option *command = option_find(SECTION_POOL, "command");
	union section section;

	begin(&section, SECTION_POOL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(option_set(environment, &section, "A=1 B=2", NULL, NULL), 0);
		ck_assert_int_eq(option_set(command, &section, "a b", NULL, NULL), 0);
	}
	ck_assert_uint_eq(section.pool.environment.count, 6);
	ck_assert_uint_eq(section.pool.command.count, 2);
	ck_assert_ptr_null(section.pool.environment.word[6]);
	options_free(SECTION_POOL, &section);
}
END_TEST

/* What differs is seen, also where one side has no value. */
START_TEST(test_differences)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct option *option = option_find(values[i].section, values[i].key);
		union section section, fresh;
		bool changed;

		if (!values[i].written)
			continue;
		changed = !option->fallback || strcmp(option->fallback, values[i].written) != 0;
		begin(&section, option->section);
		begin(&fresh, option->section);
		option_set(option, &section, values[i].text, "/srv/50%", NULL);
		ck_assert_msg(option_equal(option, &section, &fresh) != changed, "%s = %s",
			option->key, values[i].text);
		ck_assert(option_equal(option, &section, &fresh) ==
			  option_equal(option, &fresh, &section));
		options_free(option->section, &section);
		options_free(option->section, &fresh);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = tcase_create("options");

	tcase_add_test(tests, test_table_is_whole);
	tcase_add_test(tests, test_defaults);
	tcase_add_loop_test(tests, test_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tests, test_path_too_long);
	tcase_add_test(tests, test_repeats_add_up);
	tcase_add_test(tests, test_differences);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
