/*
 * The configuration file: its lines and what is refused of them, what inih would have spoiled, and
 * that whatever is printed reads back the same. The sample in conf/ is tried key by key.
 */
#include "test_main.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_line.h"
#include "config_world.h"
#include "options.h"
#include "signal_preset.h"

#define POOL "[pool:p]\ncommand=x\n" /* lines 1 and 2 */

/* --- what is refused --------------------------------------------------------------------- */

static const struct {
	const char *text, *faults;
} refused[] = {
	{POOL "foo\n", "t:3: [pool:p]: \"foo\" is no section, no key = value and no comment\n"},
	{POOL "foo: bar\n",
		"t:3: [pool:p]: \"foo: bar\" is no section, no key = value and no comment\n"},
	{POOL " = 3\n", "t:3: [pool:p]: there is no key before the =\n"},
	{"nice = 3\n" POOL, "t:1: nice: stands before the first [section]\n"},
	{POOL "nice =\n", "t:3: [pool:p] nice: has no value\n"},
	{POOL "nice = ; 3\n", "t:3: [pool:p] nice: has no value\n"},
	{POOL "user = ''\n", "t:3: [pool:p] user: has no value\n"},
	{POOL "user = 'x\n", "t:3: [pool:p] user: unbalanced '\n"},
	{POOL "user = \"x\\\"\n", "t:3: [pool:p] user: unbalanced \"\n"},
	{POOL "user = x\\\n", "t:3: [pool:p] user: a lone backslash at the end\n"},
	{"[pool:p]\ncommand = 'x\n", "t:2: [pool:p] command: unbalanced '\n"},
	{POOL "user = x\x01y\n",
		"t:3: [pool:p]: there is a control character (0x01) in the line\n"},
	{POOL "user = x\ry\n", "t:3: [pool:p]: there is a control character (0x0d) in the line\n"},
	{POOL "nice = 3\nnice = 3\n", "t:4: [pool:p] nice: is repeated; it was set at line 3\n"},
	{POOL "nice = x\nnice = 3\n", "t:3: [pool:p] nice: \"x\" is not a whole number\n"
				      "t:4: [pool:p] nice: is repeated; it was set at line 3\n"},
	/* keys */
	{POOL "max_wokers = 3\n",
		"t:3: [pool:p] max_wokers: unknown key; did you mean max_workers?\n"},
	{POOL "Nice = 3\n", "t:3: [pool:p] Nice: unknown key; did you mean nice?\n"},
	{POOL "zzzzzz = 3\n", "t:3: [pool:p] zzzzzz: unknown key\n"},
	{POOL "log_level = info\n",
		"t:3: [pool:p] log_level: unknown key here; it belongs into [preforkd]\n"},
	{POOL "listen = :80\n",
		"t:3: [pool:p] listen: unknown key here; it belongs into [socket:NAME]\n"},
	/* sections */
	{"[pools:p]\ncommand=x\n" POOL,
		"t:1: [pools:p]: unknown section; did you mean [pool:p]?\n"},
	{"[Pool:p]\n" POOL, "t:1: [Pool:p]: unknown section; did you mean [pool:p]?\n"},
	{"[pool]\n" POOL, "t:1: [pool]: unknown section; did you mean [pool:NAME]?\n"},
	{"[pool:]\n" POOL, "t:1: [pool:]: a section's name has 1 to 32 of A-Z a-z 0-9 _ . -\n"},
	{"[pool:a b]\n" POOL,
		"t:1: [pool:a b]: a section's name has 1 to 32 of A-Z a-z 0-9 _ . -\n"},
	{"[pool:123456789012345678901234567890123]\n" POOL,
		"t:1: [pool:123456789012345678901234567890123]: a section's name has 1 to 32 of "
		"A-Z a-z 0-9 _ . -\n"},
	{"[preforkd:x]\n" POOL, "t:1: [preforkd:x]: unknown section; did you mean [preforkd]?\n"},
	{"[signal]\n" POOL, "t:1: [signal]: unknown section; did you mean [signals]?\n"},
	{"[http]\n" POOL, "t:1: [http]: unknown section; there are [preforkd], [socket:NAME], "
			  "[pool:NAME] and [signals]\n"},
	{"[]\n" POOL, "t:1: the section has no name\n"},
	{"[pool:x\na = b\n" POOL, "t:1: the section's header lacks its ]\n"},
	{"[pool:q] x\na = b\n" POOL, "t:1: [pool:q]: \"x\" behind the section's header\n"},
	{POOL POOL, "t:3: [pool:p]: the section is repeated; it begins at line 1\n"},
	{"[socket:s]\nlisten=:80\n[socket:s]\n" POOL "sockets=s\n",
		"t:3: [socket:s]: the section is repeated; it begins at line 1\n"},
	{"[preforkd]\n[preforkd]\n" POOL,
		"t:2: [preforkd]: the section is repeated; it begins at line 1\n"},
	{"[signals]\n[signals]\n" POOL,
		"t:2: [signals]: the section is repeated; it begins at line 1\n"},
	/* signals */
	{POOL "[signals]\nTERM = stop\nSIGTERM = stop\n",
		"t:5: [signals] SIGTERM: is repeated; it was set at line 4\n"},
	{POOL "[signals]\npreset = unicron\n",
		"t:4: [signals] preset: \"unicron\" is none of preforker, unicorn, gunicorn, "
		"php-fpm, apache, start_server, parallel-prefork; did you mean unicorn?\n"},
	{POOL "[signals]\npreset = ''\n",
		"t:4: [signals] preset: \"\" is none of preforker, unicorn, gunicorn, php-fpm, "
		"apache, start_server, parallel-prefork\n"},
	{POOL "[signals]\npreset = apache\nTERM = stop\npreset = apache\n",
		"t:6: [signals] preset: is repeated; it was set at line 4\n"},
	{POOL "[signals]\npreset = apache\nTERM = stop\nTERM = stop\n",
		"t:6: [signals] TERM: is repeated; it was set at line 5\n"},
	/* words with a meaning */
	{POOL "[preforkd]\nlog_level = inf\n", "t:4: [preforkd] log_level: \"inf\" is none of "
					       "error, warning, notice, info, debug; "
					       "did you mean info?\n"},
	{POOL "[preforkd]\nlog_file = sylog\n",
		"t:4: [preforkd] log_file: \"sylog\" is none of stderr, syslog, a path such as "
		"./sylog; did you mean syslog?\n"},
	{POOL "stop_signal = TREM\n",
		"t:3: [pool:p] stop_signal: \"TREM\" is not a signal; did you mean TERM?\n"},
};

START_TEST(test_refused)
{
	check_faults(refused[_i].text, refused[_i].faults);
}
END_TEST

START_TEST(test_nul_bytes)
{
	static const char text[] = POOL "user = a\0b\n\0\nnice = 3";
	struct faults faults = {0};
	char *found;

	settings_free(config_file_parse(CONFIG_PATH, text, sizeof(text) - 1, &faults));
	found = faults_text(&faults);
	ck_assert_str_eq(found, "t:3: [pool:p]: there is a NUL byte in the line\n"
				"t:4: [pool:p]: there is a NUL byte in the line\n");
	free(found);
	faults_free(&faults);
}
END_TEST

/* A file of quite another kind does not give faults without end. */
START_TEST(test_too_many_faults)
{
	static char text[100000];
	struct faults faults;

	memset(text, '\n', sizeof(text) - 1);
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		text[i] = 'x';
	settings_free(parse_text(text, &faults));
	ck_assert_uint_le(faults.count, 1002);
	ck_assert_ptr_nonnull(strstr(faults.fault[faults.count - 1].text, "too many faults"));
	faults_free(&faults);
}
END_TEST

/* --- what is taken ----------------------------------------------------------------------- */

/* Lines of [pool:p], and what the user key is then. */
static const struct {
	const char *line, *user;
} users[] = {
	{"user=x", "x"},
	{"user = x", "x"},
	{"\t user\t=\t x \t", "x"},
	{"user = x y", "x y"},
	{"user = x ; comment", "x"},
	{"user = x ;comment 'don't", "x"},
	{"user = x;y", "x;y"},
	{"user = x # y", "x # y"},
	{"user = 'x ; y' ; z", "x ; y"},
	{"user = \"x ; y\"; z", "x ; y; z"},
	{"user = \"x ; y\" ;z", "x ; y"},
	{"user = x\\ ;y", "x ;y"},
	{"user = x\\ ", "x "},
	{"user = x\\\\ ", "x\\"},
	{"user = ' x '", " x "},
	{"user = \"a\\\"b\\c\\\\d\"", "a\"b\\c\\d"},
	{"user = 'a\\b'", "a\\b"},
	{"user = it\\'s", "it's"},
	{"user = \"it's\"", "it's"},
	{"user = 'a'b\"c\"", "abc"},
	{"user = x = y", "x = y"},
	{"user = [x]", "[x]"},
	{"user = \xc3\xa9", "\xc3\xa9"},
};

START_TEST(test_quoting)
{
	char text[256];
	struct settings *settings;

	snprintf(text, sizeof(text), POOL "%s\n", users[_i].line);
	settings = must_parse(text);
	ck_assert_str_eq(settings->pools[0].user, users[_i].user);
	settings_free(settings);
}
END_TEST

/* Printed and read, every such text is itself again. */
START_TEST(test_quote_round_trip)
{
	static const char bytes[] = "ab;'\" \\\t#=[]$`%";
	uint64_t random = test_seed();

	for (int i = 0; i < 20000; i++) {
		char value[12], *quoted, *plain, line[80];
		struct config_line parsed;
		size_t length = 1 + test_random_below(&random, sizeof(value) - 1);

		for (size_t j = 0; j < length; j++)
			value[j] = bytes[test_random_below(&random, sizeof(bytes) - 1)];
		value[length - 1] = '\0';
		quoted = config_value_quote(value);
		snprintf(line, sizeof(line), "k = %s ; comment", quoted);
		ck_assert_int_eq(config_line_parse(&parsed, line, strlen(line), NULL), 0);
		plain = config_value_unquote(parsed.value);
		ck_assert_msg(
			strcmp(plain, value) == 0, "<%s> by <%s> to <%s>", value, quoted, plain);
		free(plain);
		free(quoted);
	}
}
END_TEST

/* What inih alone would cut, join or drop. */
START_TEST(test_inih_shows_nowhere)
{
	struct settings *settings = must_parse("\xef\xbb\xbf# a comment\r\n"
					       "  ; another\r\n"
					       "[socket:empty-but-for-this] ; comment\r\n"
					       "\tlisten = :80\r\n"
					       "[ pool:p ]# comment\r\n"
					       "command = sh -c \"a ; b\" x;y ; z\r\n"
					       "  sockets = empty-but-for-this\r\n"
					       "    user = continued?\r\n"
					       "[pool:q]\r\ncommand=y\r\n"
					       "[signals]\r\n\r\n[preforkd]");
	const struct pool_settings *pool = settings_pool(settings, "p");

	ck_assert_uint_eq(settings->pool_count, 2);
	ck_assert_uint_eq(settings->socket_count, 1);
	ck_assert_int_eq(settings->sockets[0].where.line, 3);
	ck_assert_uint_eq(pool->command.count, 4);
	ck_assert_str_eq(pool->command.word[2], "a ; b");
	ck_assert_str_eq(pool->command.word[3], "x;y");
	ck_assert_str_eq(pool->user, "continued?");
	ck_assert_int_eq(pool->where.line, 5);
	ck_assert_int_eq(pool->origin[option_find(SECTION_POOL, "user") - options].line, 8);
	ck_assert_int_eq(pool->origin[option_find(SECTION_POOL, "nice") - options].line, 0);
	settings_free(settings);
}
END_TEST

START_TEST(test_long_lines)
{
	static char value[CONFIG_VALUE_MAX_BYTES + 2];
	struct settings *settings;
	char *text;

	memset(value, 'v', sizeof(value) - 1);
	ck_assert_int_gt(asprintf(&text, POOL "user = %.*s\n", CONFIG_VALUE_MAX_BYTES, value), 0);
	settings = must_parse(text);
	ck_assert_uint_eq(strlen(settings->pools[0].user), CONFIG_VALUE_MAX_BYTES);
	settings_free(settings);
	free(text);
	ck_assert_int_gt(asprintf(&text, POOL "user = %s\nnice = x\n", value), 0);
	check_faults(text, "t:3: [pool:p] user: the value is longer than 65536 bytes\n"
			   "t:4: [pool:p] nice: \"x\" is not a whole number\n");
	free(text);
	/* Quoting and comments do not count. */
	ck_assert_int_gt(
		asprintf(&text, POOL "user = '%.*s' ; %s\n", CONFIG_VALUE_MAX_BYTES, value, value),
		0);
	settings_free(must_parse(text));
	free(text);
	ck_assert_int_gt(asprintf(&text, POOL "%.*s = 3\n", 5000, value), 0);
	memset(value + 64, '\0', 1);
	check_faults(text,
		"t:3: [pool:p] vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
		"vvvvv: unknown key\n");
	free(text);
}
END_TEST

static char *command_of(const char *path, const char *text)
{
	struct faults faults = {0};
	struct settings *settings = config_file_parse(path, text, strlen(text), &faults);
	char *command;

	ck_assert_uint_eq(faults.errors, 0);
	command = strdup(settings->pools[0].command.word[0]);
	settings_free(settings);
	faults_free(&faults);
	return command;
}

/* A program with a slash is looked for from the file's folder, or in the worker's own. */
START_TEST(test_command_folder)
{
	static const struct {
		const char *path, *text, *command;
	} cases[] = {
		{"/etc/a.ini", "[pool:p]\ncommand=./x y", "/etc/x"},
		{"/etc/a.ini", "[pool:p]\ncommand=b/x", "/etc/b/x"},
		{"/50%/a.ini", "[pool:p]\ncommand=b/%{slot}", "/50%%/b/%{slot}"},
		{"/a.ini", "[pool:p]\ncommand=./x", "/x"},
		{"/etc/a.ini", "[pool:p]\ncommand=x", "x"},
		{"/etc/a.ini", "[pool:p]\ncommand=/b//x", "/b/x"},
		{"/etc/a.ini", "[pool:p]\ncommand=./x\ndirectory=/srv", "./x"},
		{"/etc/a.ini", "[pool:p]\ncommand=./x\nchroot=/srv", "./x"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *command = command_of(cases[i].path, cases[i].text);

		ck_assert_str_eq(command, cases[i].command);
		free(command);
	}
}
END_TEST

static void check_name(const char *path, const char *expected)
{
	struct faults faults = {0};
	struct settings *settings = config_file_parse(path, POOL, strlen(POOL), &faults);

	ck_assert_uint_eq(faults.errors, 0);
	ck_assert_str_eq(settings->preforkd.name, expected);
	settings_free(settings);
	faults_free(&faults);
}

START_TEST(test_name_of_file)
{
	check_name("/etc/preforkd/shop.ini", "shop");
	check_name("shop.conf", "shop.conf");
	check_name("../shop.ini", "shop");
	check_name("/etc/.ini", ".ini");
	check_name("/etc/..", "preforkd");
	check_name("a\nb.ini", "a_b");
}
END_TEST

/* A preset is what all lines of the section change, also those before it. */
START_TEST(test_preset_lines)
{
	static const char *const texts[] = {
		POOL "[signals]\npreset = php-fpm\nUSR1 = ignore\nHUP = reload\n",
		POOL "[signals]\nUSR1 = ignore\npreset = 'php-fpm' ; habits\nHUP = reload\n",
		POOL "[signals]\nHUP = reload\nUSR1 = ignore\npreset = php-fpm\n",
	};
	struct settings *settings = must_parse(texts[_i]);
	const struct signal_map *map = &settings->signals;
	char *text = print_text(settings);

	ck_assert_str_eq(map->preset, "php-fpm");
	ck_assert_int_eq(map->rule[SIGUSR1].action, SIGNAL_IGNORE);
	ck_assert_int_eq(map->rule[SIGHUP].action, SIGNAL_RELOAD);
	ck_assert_int_eq(map->rule[SIGHUP].worker_signal, 0);
	ck_assert_int_eq(map->rule[SIGUSR2].action, SIGNAL_RELOAD);
	ck_assert_int_eq(map->rule[SIGUSR2].worker_signal, SIGQUIT);
	ck_assert_int_eq(map->rule[SIGWINCH].action, SIGNAL_UNLISTED);
	ck_assert_ptr_nonnull(strstr(text, "[signals]\npreset = php-fpm\nHUP = reload\n"));
	ck_assert_ptr_null(strstr(text, "WINCH"));
	free(text);
	settings_free(settings);
}
END_TEST

/* --- files ------------------------------------------------------------------------------- */

static void check_unreadable(const char *path, int error, const char *expected)
{
	struct faults faults = {0};

	errno = 0;
	ck_assert_ptr_null(config_file_read(path, &faults));
	ck_assert_int_eq(errno, error);
	ck_assert_uint_eq(faults.errors, 1);
	ck_assert_msg(strstr(faults.fault[0].text, expected), "%s", faults.fault[0].text);
	faults_free(&faults);
}

START_TEST(test_unreadable_files)
{
	check_unreadable("/nonexistent/x.ini", ENOENT,
		"/nonexistent/x.ini: cannot be read: No such file or directory");
	check_unreadable("/", EISDIR, "/: cannot be read: Is a directory");
	check_unreadable("/dev/zero", EINVAL, "/dev/zero: cannot be read: not a regular file");
	check_unreadable("/dev/null", EINVAL, "not a regular file");
}
END_TEST

/* What a shell's <(...) gives. */
START_TEST(test_pipe)
{
	int end[2];
	char path[64];
	struct faults faults = {0};
	struct settings *settings;

	ck_assert_int_eq(pipe(end), 0);
	ck_assert_int_eq(write(end[1], POOL, strlen(POOL)), strlen(POOL));
	close(end[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", end[0]);
	settings = config_file_read(path, &faults);
	ck_assert_ptr_nonnull(settings);
	ck_assert_str_eq(settings->files[0], path);
	settings_free(settings);
	faults_free(&faults);
	close(end[0]);
}
END_TEST

/* --- round trips ------------------------------------------------------------------------- */

static void check_round_trip(const struct settings *settings, const char *from)
{
	char *text = print_text(settings);
	struct settings *copy = must_parse(text);
	char *again = print_text(copy);

	ck_assert_msg(
		strcmp(text, again) == 0, "%s\nprints:\n%s\nthat prints:\n%s", from, text, again);
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == SECTION_POOL)
			ck_assert_msg(
				option_equal(&options[i], &settings->pools[0], &copy->pools[0]),
				"%s", options[i].key);
	ck_assert_mem_eq(&settings->signals, &copy->signals, sizeof(copy->signals));
	settings_free(copy);
	free(again);
	free(text);
}

static const char *pick(uint64_t *random, const char *const *texts)
{
	size_t count = 0;

	while (texts[count])
		count++;
	return texts[test_random_below(random, count)];
}

/* Some value for an option of the type, the odd ones rather. */
static const char *random_value(uint64_t *random, const struct option *option)
{
	static const char *const texts[][12] = {
		[OPTION_STRING] = {"x", "'a b'", "' a'", "\"it's\"", "a\\;", "'a ; b'", "a\\\\",
			"#", "'\"'", "\\'"},
		[OPTION_INT] = {"1", "3", "10", "19"},
		[OPTION_BOOL] = {"yes", "off"},
		[OPTION_DURATION] = {"31s", "45.678", "2h", "1d", "90000ms"},
		[OPTION_SIZE] = {"0", "1", "64K", "1000"},
		[OPTION_MODE] = {"0", "7", "0777"},
		[OPTION_SIGNAL] = {"TERM", "9", "RTMIN+3", "RTMAX"},
		[OPTION_PATH] = {"x/y", "'/a ; b'", "/a%%b", ".", "\"/it's\"", "/", "'./ x '"},
		[OPTION_COMMAND] = {"a=1", "a='b ; c' d=\"e'f\"", "a=\\; b=#", "a=%% b=''"},
		[OPTION_LIST] = {"s", "s t", "t  s", "'s'"},
		[OPTION_STDIO] = {"null", "log", "./x", "append:'a ; b'", "/%{pool}/%%"},
		[OPTION_LIMIT] = {"0", "1:2", "infinity", "5:infinity", "64K"},
		[OPTION_AMOUNT] = {"1", "25%"},
		[OPTION_CPUS] = {"0", "0-3 7", "1023,5"},
		[OPTION_ADDRESS] = {":1", "unix:@x"},
	};

	if (option->type == OPTION_ENUM)
		return option->names[test_random_below(random, 2)].name;
	return pick(random, texts[option->type]);
}

static char *random_configuration(uint64_t *random)
{
	static const char *const fixed[] = {"min_spare_workers", "max_spare_workers",
		"start_workers", "max_workers", "start_timeout", "min_uptime", "stdin",
		"err_respawn_interval", "err_respawn_max", "timeout", NULL};
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fputs("[socket:s]\nlisten = :80\n[socket:t]\nlisten = unix:@t\n[pool:p]\n", out);
	fputs("max_workers = 20\nmin_spare_workers = 1\n", out);
	for (size_t i = 0; i < option_count; i++) {
		const struct option *option = &options[i];
		bool skip = option->flags & OPTION_LATER || option->section != SECTION_POOL;

		for (const char *const *key = fixed; *key; key++)
			skip = skip || strcmp(option->key, *key) == 0;
		if (skip || (!(option->flags & OPTION_REQUIRED) && test_random_below(random, 2)))
			continue;
		for (int j = option->flags & OPTION_REPEATS ? 3 : 1; j > 0; j--)
			fprintf(out, "%s = %s\n", option->key, random_value(random, option));
	}
	fputs("[signals]\nUSR1 = forward USR2/1.5s\nRTMIN+2 = stop QUIT\nHUP = ignore\n", out);
	if (test_random_below(random, 2))
		fprintf(out, "preset = %s\n", signal_preset_name(test_random_below(random, 7)));
	fclose(out);
	return text;
}

START_TEST(test_random_round_trips)
{
	uint64_t random = test_seed();

	for (int i = 0; i < 500; i++) {
		char *text = random_configuration(&random);
		struct settings *settings = must_parse(text);

		check_round_trip(settings, text);
		settings_free(settings);
		free(text);
	}
}
END_TEST

/* Many lines of environment make one list too long for one line. */
START_TEST(test_large_environment_round_trip)
{
	static char value[40000];
	struct settings *settings;
	char *text;

	memset(value, '\'', sizeof(value) - 1);
	ck_assert_int_gt(asprintf(&text,
				 POOL "environment = \"A=%s\"\nenvironment = \"B=%s\"\n"
				      "environment = \"C=%s\"\n",
				 value, value, value),
		0);
	settings = must_parse(text);
	ck_assert_uint_eq(settings->pools[0].environment.count, 3);
	check_round_trip(settings, "a large environment");
	settings_free(settings);
	free(text);
}
END_TEST

/* --- the sample -------------------------------------------------------------------------- */

static char *read_sample(void)
{
	const char *source = getenv("srcdir");
	char path[4096], *text = calloc(1, 100000);
	FILE *in;

	snprintf(path, sizeof(path), "%s/conf/preforkd.ini", source ? source : ".");
	in = fopen(path, "r");
	ck_assert_msg(in, "%s", path);
	ck_assert_uint_gt(fread(text, 1, 99999, in), 0);
	fclose(in);
	return text;
}

/* A key that is commented out: ";key = value", without a blank behind the semicolon. */
static bool is_commented_key(const char *line)
{
	return line[0] == ';' && line[1] != ' ' && line[1] != '\n';
}

/* The sample is valid as it is, with every single key uncommented, and with all of them. */
START_TEST(test_sample)
{
	char *text = read_sample();
	int keys = 0;

	settings_free(must_parse(text));
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!is_commented_key(line))
			continue;
		*line = ' ';
		settings_free(must_parse(text));
		*line = ';';
		keys++;
	}
	ck_assert_int_gt(keys, 50);
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (is_commented_key(line))
			*line = ' ';
	}
	settings_free(must_parse(text));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_file");
	TCase *tests = tcase_create("config_file");

	tcase_add_loop_test(tests, test_refused, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tests, test_nul_bytes);
	tcase_add_test(tests, test_too_many_faults);
	tcase_add_loop_test(tests, test_quoting, 0, sizeof(users) / sizeof(users[0]));
	tcase_add_test(tests, test_quote_round_trip);
	tcase_add_test(tests, test_inih_shows_nowhere);
	tcase_add_test(tests, test_long_lines);
	tcase_add_test(tests, test_command_folder);
	tcase_add_test(tests, test_name_of_file);
	tcase_add_loop_test(tests, test_preset_lines, 0, 3);
	tcase_add_test(tests, test_unreadable_files);
	tcase_add_test(tests, test_pipe);
	tcase_add_test(tests, test_random_round_trips);
	tcase_add_test(tests, test_large_environment_round_trip);
	tcase_add_test(tests, test_sample);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
