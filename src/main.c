/*
 * Options, the configuration, and which of the few things to do with it. Nothing else: what a
 * command does is in a file of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client.h"
#include "config_file.h"
#include "control_verbs.h"
#include "daemonize.h"
#include "errmsg.h"
#include "exit_status.h"
#include "faults.h"
#include "helper_program.h"
#include "listener.h"
#include "log_target.h"
#include "logger.h"
#include "memory.h"
#include "preflight.h"
#include "resume.h"
#include "run_pool.h"
#include "settings.h"
#include "startup.h"
#include "supervisor.h"

static const char usage_text[] =
	"usage: preforkd -c FILE [-d | -t] [--log-level LEVEL] [COMMAND [ARGUMENT...]]\n"
	"       preforkd --socket PATH [--json] [--no-wait] COMMAND [ARGUMENT...]\n";

static const char help_text[] =
	"\n"
	"Keeps pools of worker processes running, as FILE (preforkd.ini(5)) says.\n"
	"\n"
	"  -c, --config FILE      the configuration\n"
	"  -d, --daemon           go into the background; return when the first workers of\n"
	"                         every pool are ready, or say why not\n"
	"  -t, --test             check the configuration, print every fault, start nothing\n"
	"      --log-level LEVEL  error, warning, notice, info or debug, instead of the file's\n"
	"      --socket PATH      where the supervisor answers that a command is for, instead of "
	"-c\n"
	"      --json             of a command's answer: the document itself\n"
	"      --no-wait          return when the supervisor has begun, not when it has ended\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"Without a command: supervises, in the foreground if not -d, and logs to standard error\n"
	"(with -d: to syslog) if FILE does not name another log.\n"
	"\n"
	"  config                 print the effective configuration, defaults included\n"
	"  run POOL               be one worker of the pool, without a supervisor\n"
	"\n"
	"Commands to a running supervisor:\n"
	"\n";

static const char signals_text[] =
	"\n"
	"Signals to the supervisor: TERM, INT, QUIT stop; USR1 reopens the logs; TTIN, TTOU one\n"
	"worker more or less; WINCH none until it is resumed. [signals] in FILE changes that.\n";

/* Those that no supervisor is needed for. */
static const char *const own_commands[] = {"config", "run"};
#define OWN_COMMANDS (sizeof(own_commands) / sizeof(own_commands[0]))

struct arguments {
	const char *config;
	const char *program; /* our own, absolute */
	bool daemon, test;
	int log_level;             /* -1: the file's */
	const char *client_option; /* the last one of client's; NULL: none was given */
	struct client_options client;
	char **command;
	int command_count;
	int check_fd, resume_fd; /* of an upgrade, as it calls us; -1: none */
};

static int usage_error(const char *format, const char *what)
{
	fputs("preforkd: ", stderr);
	fprintf(stderr, format, what);
	fprintf(stderr, "\n%s", usage_text);
	return EX_USAGE;
}

static int parse_log_level(const char *name)
{
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
		if (strcmp(log_level_name((enum log_level)level), name) == 0)
			return level;
	return -1;
}

static void print_help(void)
{
	const struct control_verb_info *verb;
	char words[64];

	printf("%s%s", usage_text, help_text);
	for (int i = 0; i < VERB_COUNT; i++) {
		verb = control_verb_info((enum control_verb)i);
		snprintf(words, sizeof(words), "%s %s", verb->name, verb->arguments);
		printf("  %-28s %s\n", words, verb->help);
	}
	printf("  %-28s %s\n%s", "top", "status, live", signals_text);
}

static void take_client_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 's':
		arguments->client.socket = optarg;
		arguments->client_option = "--socket";
		break;
	case 'j':
		arguments->client.json = true;
		arguments->client_option = "--json";
		break;
	case 'w':
		arguments->client.no_wait = true;
		arguments->client_option = "--no-wait";
		break;
	}
}

/* What to exit with, or -1: go on. */
static int parse_option(struct arguments *arguments, int option)
{
	switch (option) {
	case 'c': arguments->config = optarg; return -1;
	case 't': arguments->test = true; return -1;
	case 'l':
		arguments->log_level = parse_log_level(optarg);
		return arguments->log_level < 0 ? usage_error("no such log level: %s", optarg) : -1;
	case 'd': arguments->daemon = true; return -1;
	case 's':
	case 'j':
	case 'w': take_client_option(arguments, option); return -1;
	case 'C': arguments->check_fd = atoi(optarg); return -1;
	case 'R': arguments->resume_fd = atoi(optarg); return -1;
	case 'h': print_help(); return EX_OK;
	case 'V': puts("preforkd " PACKAGE_VERSION); return EX_OK;
	default: fputs(usage_text, stderr); return EX_USAGE;
	}
}

static bool is_own(const char *command)
{
	for (size_t i = 0; i < OWN_COMMANDS; i++)
		if (strcmp(own_commands[i], command) == 0)
			return true;
	return false;
}

static int unknown_command(const char *command)
{
	const char *nearest = client_nearest(command, own_commands, OWN_COMMANDS);

	if (!nearest)
		return usage_error("no such command: %s", command);
	fprintf(stderr, "preforkd: no such command: %s (did you mean %s?)\n", command, nearest);
	return EX_USAGE;
}

static bool is_for_client(const struct arguments *arguments)
{
	return arguments->command_count > 0 && client_knows(arguments->command[0]);
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"daemon", no_argument, NULL, 'd'},
		{"test", no_argument, NULL, 't'},
		{"log-level", required_argument, NULL, 'l'},
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"no-wait", no_argument, NULL, 'w'},
		{"check-state", required_argument, NULL, 'C'},
		{"resume", required_argument, NULL, 'R'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option, status = -1;

	/* "+": what stands behind the command belongs to it. */
	while (status < 0 && (option = getopt_long(argc, argv, "+c:dthV", long_options, NULL)) >= 0)
		status = parse_option(arguments, option);
	arguments->command = argv + optind;
	arguments->command_count = argc - optind;
	if (status < 0 && arguments->test && arguments->command_count > 0)
		return usage_error("--test takes no command: %s", arguments->command[0]);
	if (status < 0 && arguments->daemon && arguments->test)
		return usage_error("%s", "--daemon and --test exclude each other");
	if (status < 0 && arguments->daemon && arguments->command_count > 0)
		return usage_error("--daemon takes no command: %s", arguments->command[0]);
	if (status >= 0 || is_for_client(arguments) || arguments->check_fd >= 0 ||
		arguments->resume_fd >= 0)
		return status;
	if (arguments->command_count > 0 && !is_own(arguments->command[0]))
		return unknown_command(arguments->command[0]);
	if (arguments->client_option)
		return usage_error(
			"%s needs a command to a running supervisor", arguments->client_option);
	if (!arguments->config)
		return usage_error("%s", "no configuration: -c FILE is missing");
	return status;
}

/* malloced. A folder that has no path any more leaves it as it is. */
static char *absolute_path(const char *path)
{
	char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	char *absolute = here ? memory_format("%s/%s", here, path) : memory_copy_string(path);

	free(here);
	return absolute;
}

static void print_faults(const struct faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		fprintf(stderr, "%s\n", faults->fault[i].text);
}

/* NULL: *status says what to exit with, and every fault has been printed. */
static struct settings *load(const struct arguments *arguments, int *status)
{
	struct faults faults = {0};
	struct settings *settings = config_file_read(arguments->config, &faults);

	*status = EX_OK;
	/* What is still relative now is so to the folder that workers will start in. */
	if (settings && arguments->daemon && chdir("/") < 0)
		faults_add(&faults, arguments->config, 0, NULL, NULL, "chdir to /: %s",
			strerror(errno));
	if (!settings)
		*status = errno == ENOENT ? EX_NOINPUT : errno == EACCES ? EX_NOPERM : EX_CONFIG;
	else
		preflight_check(settings, &faults);
	if (settings && faults.errors > 0) {
		*status = EX_CONFIG;
		settings_free(settings);
		settings = NULL;
	}
	print_faults(&faults);
	faults_free(&faults);
	return settings;
}

static void tell_caller(void *daemon, int status, const char *message)
{
	daemonize_report(daemon, status, message);
}

/* Takes the settings over. */
static int run_supervisor(const struct supervisor_options *options, struct settings *settings)
{
	struct errmsg err;
	int status;

	if (log_target_open(options, settings, &err) < 0) {
		status = exit_status_of_errno(errno);
		fprintf(stderr, "preforkd: %s\n", err.text);
		options->starter->tell(options->starter->context, status, err.text);
		settings_free(settings);
		return status;
	}
	log_notice(NULL, "preforkd " PACKAGE_VERSION " with %s, pid %d", options->config_path,
		(int)getpid());
	status = supervisor_run(settings, options);
	logger_close();
	return status;
}

/* Takes the settings over. */
static int supervise(const struct arguments *arguments, struct settings *settings,
	const struct startup_limits *limits, struct passed_sockets *passed)
{
	struct daemon daemon = DAEMON_OF_NOBODY;
	const struct supervisor_starter starter = {.tell = tell_caller, .context = &daemon};
	const struct supervisor_options options = {
		.version = PACKAGE_VERSION,
		.helper_folder = HELPER_FOLDER,
		.library_folder = LIBRARY_FOLDER,
		.config_path = arguments->config,
		.program = arguments->program,
		.log_level = arguments->log_level,
		.daemon = arguments->daemon,
		.found_limits = limits,
		.passed = passed,
		.starter = &starter,
	};
	int status = -1;

	if (arguments->daemon)
		status = daemonize_begin(&daemon, STDERR_FILENO + 1 + passed->count);
	if (status < 0)
		return run_supervisor(&options, settings);
	settings_free(settings);
	return status;
}

static int run_command(const struct arguments *arguments, const struct settings *settings,
	const struct startup_limits *limits, struct passed_sockets *passed)
{
	const char *command = arguments->command[0];
	const int count = arguments->command_count;

	if (strcmp(command, "config") == 0 && count == 1) {
		config_file_print(settings, stdout);
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	if (strcmp(command, "run") == 0 && count == 2)
		return run_pool(settings, arguments->command[1], limits, passed);
	return usage_error("wrong number of arguments for %s", command);
}

/* Takes the settings over. */
static int perform(const struct arguments *arguments, struct settings *settings,
	const struct startup_limits *limits, struct passed_sockets *passed)
{
	int status = EX_OK;

	if (!arguments->test && arguments->command_count == 0)
		return supervise(arguments, settings, limits, passed);
	if (arguments->test)
		printf("%s: the configuration is good\n", arguments->config);
	else
		status = run_command(arguments, settings, limits, passed);
	settings_free(settings);
	return status;
}

/* After an upgrade: all that was said at the start is in the state. */
static int resume(const struct arguments *arguments, const char *argv0)
{
	char *program = own_program(argv0);
	struct supervisor_options options = {
		.version = PACKAGE_VERSION,
		.helper_folder = HELPER_FOLDER,
		.library_folder = LIBRARY_FOLDER,
		.program = program,
	};
	int status = resume_run(arguments->resume_fd, &options);

	free(program);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.log_level = -1, .check_fd = -1, .resume_fd = -1};
	struct passed_sockets passed;
	struct startup_limits limits;
	struct settings *settings;
	char *absolute = NULL, *program;
	struct errmsg err;
	int status;

	memory_ready();
	if (startup_prepare(&limits, &err) < 0) {
		fprintf(stderr, "preforkd: %s\n", err.text);
		return EX_OSERR;
	}
	status = parse_arguments(&arguments, argc, argv);
	if (status >= 0)
		return status;
	if (arguments.check_fd >= 0)
		return resume_check(arguments.check_fd);
	if (arguments.resume_fd >= 0)
		return resume(&arguments, argv[0]);
	if (is_for_client(&arguments)) {
		arguments.client.config = arguments.config;
		arguments.client.helper_folder = HELPER_FOLDER;
		return client_run(&arguments.client, arguments.command, arguments.command_count);
	}
	/* Before anything is opened that a wrong LISTEN_FDS could take for passed. */
	passed_sockets_read(&passed);
	arguments.program = program = own_program(argv[0]);
	if (arguments.daemon)
		arguments.config = absolute = absolute_path(arguments.config);
	settings = load(&arguments, &status);
	if (settings)
		status = perform(&arguments, settings, &limits, &passed);
	passed_sockets_free(&passed);
	free(absolute);
	free(program);
	return status;
}
