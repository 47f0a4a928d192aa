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

#include "config_file.h"
#include "daemonize.h"
#include "errmsg.h"
#include "exit_status.h"
#include "faults.h"
#include "listener.h"
#include "logger.h"
#include "memory.h"
#include "preflight.h"
#include "run_pool.h"
#include "settings.h"
#include "startup.h"
#include "supervisor.h"

static const char usage_text[] =
	"usage: preforkd -c FILE [-d | -t] [--log-level LEVEL] [COMMAND [ARGUMENT...]]\n";

static const char help_text[] =
	"\n"
	"Keeps pools of worker processes running, as FILE (preforkd.ini(5)) says.\n"
	"\n"
	"  -c, --config FILE      the configuration\n"
	"  -d, --daemon           go into the background; return when the first workers of\n"
	"                         every pool are ready, or say why not\n"
	"  -t, --test             check the configuration, print every fault, start nothing\n"
	"      --log-level LEVEL  error, warning, notice, info or debug, instead of the file's\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"Without a command: supervises, in the foreground if not -d, and logs to standard error\n"
	"(with -d: to syslog) if FILE does not name another log.\n"
	"\n"
	"  config                 print the effective configuration, defaults included\n"
	"  run POOL               be one worker of the pool, without a supervisor\n"
	"\n"
	"Signals to the supervisor: TERM, INT, QUIT stop; USR1 reopens the logs; TTIN, TTOU one\n"
	"worker more or less; WINCH none until it is resumed. [signals] in FILE changes that.\n";

/* Known commands, so that the ones this version lacks are told from mistyped ones. */
static const char *const later_commands[] = {"status", "top", "events", "reload", "reconfigure",
	"reopen", "drain", "resume", "upgrade", "stop", "quit", "signal", "scale", "restart"};

struct arguments {
	const char *config;
	bool daemon, test;
	int log_level; /* -1: the file's */
	char **command;
	int command_count;
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
	case 'h': printf("%s%s", usage_text, help_text); return EX_OK;
	case 'V': puts("preforkd " PACKAGE_VERSION); return EX_OK;
	default: fputs(usage_text, stderr); return EX_USAGE;
	}
}

static int parse_arguments(struct arguments *arguments, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"daemon", no_argument, NULL, 'd'},
		{"test", no_argument, NULL, 't'},
		{"log-level", required_argument, NULL, 'l'},
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
	if (status < 0 && !arguments->config)
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

	if (supervisor_open_log(options, settings, &err) < 0) {
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
		.config_path = arguments->config,
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

static int unknown_command(const char *command)
{
	const size_t later_count = sizeof(later_commands) / sizeof(later_commands[0]);

	for (size_t i = 0; i < later_count; i++)
		if (strcmp(later_commands[i], command) == 0)
			return usage_error("%s is not available in this version", command);
	return usage_error("no such command: %s", command);
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
	if (strcmp(command, "config") == 0 || strcmp(command, "run") == 0)
		return usage_error("wrong number of arguments for %s", command);
	return unknown_command(command);
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

int main(int argc, char **argv)
{
	struct arguments arguments = {.log_level = -1};
	struct passed_sockets passed;
	struct startup_limits limits;
	struct settings *settings;
	char *absolute = NULL;
	struct errmsg err;
	int status;

	if (startup_prepare(&limits, &err) < 0) {
		fprintf(stderr, "preforkd: %s\n", err.text);
		return EX_OSERR;
	}
	status = parse_arguments(&arguments, argc, argv);
	if (status >= 0)
		return status;
	/* Before anything is opened that a wrong LISTEN_FDS could take for passed. */
	passed_sockets_read(&passed);
	if (arguments.daemon)
		arguments.config = absolute = absolute_path(arguments.config);
	settings = load(&arguments, &status);
	if (settings)
		status = perform(&arguments, settings, &limits, &passed);
	passed_sockets_free(&passed);
	free(absolute);
	return status;
}
