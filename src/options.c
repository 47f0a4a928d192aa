/*
 * The table of options, and what goes through it by section. How a value of each type is read and
 * written is option_number.c's and option_text.c's. A key that is not in the table does not exist.
 */
#include "options.h"

#include <assert.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "errmsg.h"
#include "option_kind.h"
#include "settings.h"

#define WORKERS_MAX 100000

/* In the order of enum log_level and of enum log_format. */
static const struct option_name log_levels[] = {
	{"error", 0}, {"warning", 1}, {"notice", 2}, {"info", 3}, {"debug", 4}, {NULL, 0}};
static const struct option_name log_formats[] = {
	{"text", 0}, {"logfmt", 1}, {"json", 2}, {NULL, 0}};
static const struct option_name log_targets[] = {{"stderr", 0}, {"syslog", 0}, {NULL, 0}};
static const struct option_name orphan_rules[] = {
	{"adopt", ORPHANS_ADOPT}, {"stop", ORPHANS_STOP}, {NULL, 0}};
static const struct option_name control_words[] = {{"off", 0}, {NULL, 0}};
static const struct option_name socket_types[] = {
	{"stream", SOCK_STREAM}, {"dgram", SOCK_DGRAM}, {"seqpacket", SOCK_SEQPACKET}, {NULL, 0}};
static const struct option_name crash_loop_rules[] = {{"backoff", CRASH_LOOP_BACKOFF},
	{"first", CRASH_LOOP_FIRST}, {"exit", CRASH_LOOP_EXIT}, {NULL, 0}};
static const struct option_name ready_rules[] = {{"auto", READY_AUTO}, {"alive", READY_ALIVE},
	{"scoreboard", READY_SCOREBOARD}, {"notify", READY_NOTIFY}, {NULL, 0}};
static const struct option_name input_words[] = {
	{"null", STDIO_NULL}, {"socket:", STDIO_SOCKET}, {NULL, 0}};
static const struct option_name output_words[] = {{"inherit", STDIO_INHERIT}, {"null", STDIO_NULL},
	{"log", STDIO_LOG}, {"append:", STDIO_APPEND}, {"", STDIO_PATH}, {NULL, 0}};

/* One line an option: key, type, field, default, effect, help, then what is special. */
#define PREFORKD(key_, type_, field_, fallback_, effect_, help_, ...)                              \
	{                                                                                          \
		.section = SECTION_PREFORKD, .key = key_, .type = OPTION_##type_,                  \
		.offset = offsetof(struct preforkd_settings, field_), .fallback = fallback_,       \
		.effect = EFFECT_##effect_, .help = help_, ##__VA_ARGS__                           \
	}
#define SOCKET(key_, type_, field_, fallback_, effect_, help_, ...)                                \
	{                                                                                          \
		.section = SECTION_SOCKET, .key = key_, .type = OPTION_##type_,                    \
		.offset = offsetof(struct socket_settings, field_), .fallback = fallback_,         \
		.effect = EFFECT_##effect_, .help = help_, ##__VA_ARGS__                           \
	}
#define POOL(key_, type_, field_, fallback_, effect_, help_, ...)                                  \
	{                                                                                          \
		.section = SECTION_POOL, .key = key_, .type = OPTION_##type_,                      \
		.offset = offsetof(struct pool_settings, field_), .fallback = fallback_,           \
		.effect = EFFECT_##effect_, .help = help_, ##__VA_ARGS__                           \
	}
#define LIMIT(name_, resource_, help_)                                                             \
	POOL("limit_" name_, LIMIT, limits[resource_], NULL, WORKERS, help_)

/* clang-format off */
const struct option options[] = {
	PREFORKD("name", STRING, name, NULL, RESTART, "name of the instance, in ps and in the log"),
	PREFORKD("include", COMMAND, include, NULL, RUNNING, "more files, by patterns",
		.flags = OPTION_REPEATS | OPTION_DISSOLVES),
	PREFORKD("pid_file", PATH, pid_file, NULL, RUNNING,
		"locked at start, written when ready, removed at exit"),
	PREFORKD("log_file", PATH, log_file, "stderr", RUNNING, "stderr, syslog or a path",
		.names = log_targets),
	PREFORKD("log_level", ENUM, log_level, "info", RUNNING, "least important level that is logged",
		.names = log_levels),
	PREFORKD("log_format", ENUM, log_format, "text", RUNNING, "text, logfmt or json",
		.names = log_formats),
	PREFORKD("runtime_dir", PATH, runtime_dir, NULL, RESTART,
		"folder of the scoreboards and of the lock"),
	PREFORKD("control", PATH, control, NULL, RESTART, "the control socket, or off",
		.names = control_words),
	PREFORKD("control_mode", MODE, control_mode, "0600", RESTART, "mode of the control socket",
		.max = 0777),
	PREFORKD("control_group", STRING, control_group, NULL, RESTART, "group of the control socket"),
	PREFORKD("orphans", ENUM, orphans, "adopt", RUNNING,
		"what becomes of workers whose supervisor died", .names = orphan_rules),
	PREFORKD("http", STRING, http, "off", RESTART, "address of the status page"),

	SOCKET("listen", ADDRESS, listen, NULL, SOCKET,
		"HOST:PORT, [V6]:PORT, :PORT, unix:PATH or unix:@ABSTRACT", .flags = OPTION_REQUIRED),
	SOCKET("type", ENUM, type, "stream", SOCKET, "stream, dgram or seqpacket",
		.names = socket_types),
	SOCKET("backlog", INT, backlog, NULL, RUNNING, "connections that may wait to be accepted",
		.min = 1, .max = INT32_MAX),
	SOCKET("mode", MODE, mode, "0660", RUNNING, "mode of a unix socket's file", .max = 0777),
	SOCKET("user", STRING, user, NULL, RUNNING, "owner of a unix socket's file"),
	SOCKET("group", STRING, group, NULL, RUNNING, "group of a unix socket's file"),
	SOCKET("reuse_port", BOOL, reuse_port, "no", SOCKET, "sets SO_REUSEPORT"),
	SOCKET("v6only", BOOL, v6only, "no", SOCKET, "sets IPV6_V6ONLY"),
	SOCKET("defer_accept", BOOL, defer_accept, "no", SOCKET, "sets TCP_DEFER_ACCEPT"),
	SOCKET("nodelay", BOOL, nodelay, "no", SOCKET, "sets TCP_NODELAY"),

	POOL("command", COMMAND, command, NULL, WORKERS, "program of a worker and its arguments",
		.flags = OPTION_REQUIRED | OPTION_PERCENT),
	POOL("max_workers", INT, max_workers, "10", RUNNING,
		"how many workers; the most there may be in a dynamic pool",
		.min = 1, .max = WORKERS_MAX),
	POOL("min_spare_workers", INT, min_spare_workers, NULL, RUNNING,
		"makes the pool dynamic: the least that are kept spare", .max = WORKERS_MAX),
	POOL("max_spare_workers", INT, max_spare_workers, NULL, RUNNING,
		"the most that are kept idle", .max = WORKERS_MAX),
	POOL("start_workers", INT, start_workers, NULL, RUNNING, "how many at first",
		.max = WORKERS_MAX),
	POOL("max_spawn_step", INT, max_spawn_step, "32", RUNNING, "the most that one step starts",
		.min = 1, .max = WORKERS_MAX),
	POOL("grow_on_backlog", BOOL, grow_on_backlog, "yes", RUNNING,
		"waiting connections start workers"),
	POOL("idle_timeout", DURATION, idle_timeout_ms, "10s", RUNNING,
		"the surplus of idle workers is retired after so long"),
	POOL("surge", AMOUNT, surge, "1", RUNNING, "how many more while workers are replaced",
		.min = 1, .max = INT32_MAX),
	POOL("spawn_interval", DURATION, spawn_interval_ms, "0", RUNNING,
		"least time between two starts"),
	POOL("err_respawn_interval", DURATION, err_respawn_interval_ms, "1s", RUNNING,
		"starts wait so long after a failure; doubles with each further one"),
	POOL("err_respawn_max", DURATION, err_respawn_max_ms, "30s", RUNNING,
		"the most err_respawn_interval doubles to"),
	POOL("min_uptime", DURATION, min_uptime_ms, "1s", RUNNING,
		"an exit before this age is a failure", .flags = OPTION_INFINITE),
	POOL("crash_loop", ENUM, crash_loop, "first", RUNNING,
		"backoff, first or exit: whether the supervisor gives up", .names = crash_loop_rules),
	POOL("ready", ENUM, ready, "auto", WORKERS,
		"auto, alive, scoreboard or notify: when a worker counts as ready", .names = ready_rules),
	POOL("start_timeout", DURATION, start_timeout_ms, "60s", RUNNING,
		"a worker that is not ready by then is killed", .min = 1, .max = DURATION_MAX),
	POOL("timeout", DURATION, timeout_ms, "0", RUNNING,
		"a worker without a sign of life for so long is killed; 0: off"),
	POOL("request_timeout", DURATION, request_timeout_ms, "0", RUNNING,
		"a worker busy with one job for so long is killed; 0: off"),
	POOL("timeout_signal", SIGNAL, timeout_signal, "KILL", RUNNING, "what a hung worker gets"),
	POOL("stop_signal", SIGNAL, stop_signal, "TERM", RUNNING, "asks a worker to leave"),
	POOL("signal_group", BOOL, signal_group, "no", RUNNING,
		"stop_signal goes to the worker's process group"),
	POOL("stop_timeout", DURATION, stop_timeout_ms, "30s", RUNNING,
		"a worker that has not left by then gets KILL"),
	POOL("max_requests", INT, max_requests, "0", RUNNING, "retire after so many jobs",
		.max = INT64_MAX),
	POOL("max_requests_jitter", INT, max_requests_jitter, "0", RUNNING,
		"up to so many jobs more, at random", .max = INT64_MAX),
	POOL("max_lifetime", DURATION, max_lifetime_ms, "0", RUNNING, "retire at that age"),
	POOL("max_lifetime_jitter", DURATION, max_lifetime_jitter_ms, "0", RUNNING,
		"up to so much older, at random"),
	POOL("max_memory", SIZE, max_memory_bytes, "0", RUNNING, "retire above this resident size"),
	POOL("sockets", LIST, sockets, NULL, WORKERS,
		"sockets to inherit, in this order from descriptor 3"),
	POOL("stdin", STDIO, standard_input, "null", WORKERS, "null or socket:NAME",
		.names = input_words),
	POOL("stdout", STDIO, standard_output, "inherit", WORKERS,
		"inherit, null, log, a path or append:PATH", .names = output_words,
		.flags = OPTION_PERCENT),
	POOL("stderr", STDIO, standard_error, "inherit", WORKERS,
		"inherit, null, log, a path or append:PATH", .names = output_words,
		.flags = OPTION_PERCENT),
	POOL("user", STRING, user, NULL, WORKERS, "whom workers run as"),
	POOL("group", STRING, group, NULL, WORKERS, "their group"),
	POOL("groups", LIST, groups, NULL, WORKERS, "their supplementary groups"),
	POOL("directory", PATH, directory, NULL, WORKERS, "their working directory",
		.flags = OPTION_PERCENT),
	POOL("umask", MODE, umask, NULL, WORKERS, "their file mode creation mask", .max = 0777),
	POOL("chroot", PATH, chroot, NULL, WORKERS, "their root directory"),
	POOL("environment", COMMAND, environment, NULL, WORKERS, "NAME=value words",
		.flags = OPTION_REPEATS | OPTION_ASSIGNMENTS),
	POOL("clear_environment", BOOL, clear_environment, "no", WORKERS,
		"start from PATH, HOME, USER, LOGNAME and SHELL only"),
	LIMIT("as", RLIMIT_AS, "bytes of address space"),
	LIMIT("core", RLIMIT_CORE, "bytes of a core file"),
	LIMIT("cpu", RLIMIT_CPU, "seconds of processor time"),
	LIMIT("data", RLIMIT_DATA, "bytes of data"),
	LIMIT("fsize", RLIMIT_FSIZE, "bytes of a file that is written"),
	LIMIT("memlock", RLIMIT_MEMLOCK, "bytes locked into memory"),
	LIMIT("msgqueue", RLIMIT_MSGQUEUE, "bytes in POSIX message queues"),
	LIMIT("nice", RLIMIT_NICE, "ceiling of the nice value, 20 minus it"),
	LIMIT("nofile", RLIMIT_NOFILE, "open file descriptors"),
	LIMIT("nproc", RLIMIT_NPROC, "processes of the user"),
	LIMIT("rtprio", RLIMIT_RTPRIO, "real-time priority"),
	LIMIT("rttime", RLIMIT_RTTIME, "microseconds of real-time scheduling without a pause"),
	LIMIT("sigpending", RLIMIT_SIGPENDING, "signals queued"),
	LIMIT("stack", RLIMIT_STACK, "bytes of stack"),
	POOL("nice", INT, nice, NULL, WORKERS, "nice value", .min = -20, .max = 19,
		.set_offset = offsetof(struct pool_settings, nice_set)),
	POOL("oom_score_adj", INT, oom_score_adj, NULL, WORKERS,
		"how readily the kernel kills a worker when memory is short",
		.min = -1000, .max = 1000,
		.set_offset = offsetof(struct pool_settings, oom_score_adj_set)),
	POOL("cpu_affinity", CPUS, cpu_affinity, NULL, WORKERS, "processors a worker may run on"),
	POOL("no_new_privileges", BOOL, no_new_privileges, "no", WORKERS,
		"no set-user-ID program can raise a worker's rights"),
	POOL("auto_scoreboard", BOOL, auto_scoreboard, "no", WORKERS,
		"keep the states of a program that knows nothing of preforkd"),
	POOL("on_spawn", COMMAND, on_spawn, NULL, RUNNING, "command run when a worker was started"),
	POOL("on_ready", COMMAND, on_ready, NULL, RUNNING, "command run when a worker is ready"),
	POOL("on_exit", COMMAND, on_exit, NULL, RUNNING, "command run when a worker has ended"),
	POOL("scoreboard_file", PATH, scoreboard_file, NULL, RESTART, "path of the scoreboard"),
};
/* clang-format on */
const size_t option_count = sizeof(options) / sizeof(options[0]);

const struct option *option_find(enum option_section section, const char *key)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == section && strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

const char *option_section_name(enum option_section section)
{
	switch (section) {
	case SECTION_PREFORKD: return "preforkd";
	case SECTION_SOCKET: return "socket:";
	case SECTION_POOL: return "pool:";
	}
	return "";
}

static const struct option_kind *kind_of(const struct option *option)
{
	switch (option->type) {
	case OPTION_STRING: return &option_kind_string;
	case OPTION_INT: return &option_kind_int;
	case OPTION_BOOL: return &option_kind_bool;
	case OPTION_DURATION: return &option_kind_duration;
	case OPTION_SIZE: return &option_kind_size;
	case OPTION_MODE: return &option_kind_mode;
	case OPTION_ENUM: return &option_kind_enum;
	case OPTION_SIGNAL: return &option_kind_signal;
	case OPTION_PATH: return &option_kind_path;
	case OPTION_COMMAND: return &option_kind_command;
	case OPTION_LIST: return &option_kind_list;
	case OPTION_STDIO: return &option_kind_stdio;
	case OPTION_LIMIT: return &option_kind_limit;
	case OPTION_AMOUNT: return &option_kind_amount;
	case OPTION_CPUS: return &option_kind_cpus;
	case OPTION_ADDRESS: return &option_kind_address;
	}
	assert(false);
	return &option_kind_string;
}

int option_set(const struct option *option, void *section_struct, const char *text,
	const char *folder, struct errmsg *err)
{
	const struct option_target target = {
		.option = option, .section = section_struct, .folder = folder};

	return kind_of(option)->set(&target, text, err);
}

char *option_format(const struct option *option, const void *section_struct)
{
	return kind_of(option)->format(option, section_struct);
}

bool option_equal(const struct option *option, const void *a, const void *b)
{
	return kind_of(option)->equal(option, a, b);
}

static void set_default(const struct option *option, void *section_struct)
{
	int set = 0;

	kind_of(option)->release(option, section_struct);
	if (option->fallback)
		set = option_set(option, section_struct, option->fallback, NULL, NULL);
	assert(set == 0);
	(void)set;
}

bool option_is_default(const struct option *option, const void *section_struct)
{
	union {
		struct preforkd_settings preforkd;
		struct socket_settings socket;
		struct pool_settings pool;
	} fresh;
	bool equal;

	memset(&fresh, 0, sizeof(fresh));
	set_default(option, &fresh);
	equal = option_equal(option, &fresh, section_struct);
	kind_of(option)->release(option, &fresh);
	return equal;
}

void options_set_defaults(enum option_section section, void *section_struct)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == section)
			set_default(&options[i], section_struct);
}

void options_free(enum option_section section, void *section_struct)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == section)
			kind_of(&options[i])->release(&options[i], section_struct);
}
