#ifndef PREFORKD_SETTINGS_H
#define PREFORKD_SETTINGS_H
/*
 * The configuration as data: one struct a section, one field a key, plain values in the units of
 * their names. Made whole by config_file.c from the option table (options.c), checked whole by
 * settings_check.c, never changed afterwards; it owns all its strings. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "address.h"
#include "signal_map.h"
#include "value.h"
#include "words.h"

#define SETTING_UNSET     (-1) /* an integer key that was not given and has no fixed default */
#define SECTION_NAME_MAX  32
#define SETTINGS_NAME_MAX 64 /* bytes of preforkd_settings.name */

/* Where a key was set: for messages. line 0: it has its default. */
struct setting_origin {
	int file; /* index into settings.files */
	int line;
};

enum stdio_kind {
	STDIO_INHERIT,
	STDIO_NULL,
	STDIO_LOG,    /* into the supervisor's log, line by line */
	STDIO_PATH,   /* through the supervisor, reopened on USR1 */
	STDIO_APPEND, /* opened once a worker, written directly */
	STDIO_SOCKET, /* stdin only */
};

struct stdio_setting {
	enum stdio_kind kind;
	char *target; /* path (absolute, %{...} not yet replaced) or the socket's name; owned */
};

enum ready_rule { READY_AUTO, READY_ALIVE, READY_SCOREBOARD, READY_NOTIFY };
enum orphans_rule { ORPHANS_ADOPT, ORPHANS_STOP };
enum crash_loop_rule { CRASH_LOOP_BACKOFF, CRASH_LOOP_FIRST, CRASH_LOOP_EXIT };

struct preforkd_settings {
	char *name;
	struct words include;
	char *pid_file;
	char *log_file;    /* "stderr", "syslog" or an absolute path */
	int log_level;     /* enum log_level's order: error, warning, notice, info, debug */
	int log_format;    /* text, logfmt, json */
	char *runtime_dir; /* NULL: runtime_dir_default() */
	char *control;     /* NULL: control.sock in runtime_dir; "off" */
	int64_t control_mode;
	char *control_group;
	int orphans; /* enum orphans_rule */
	char *http;
	struct setting_origin *origin; /* by option number */
};

struct socket_settings {
	char *name; /* of the section */
	struct setting_origin where;
	struct address listen;
	int type;        /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	int64_t backlog; /* SETTING_UNSET: SOMAXCONN of the running kernel */
	int64_t mode;
	char *user, *group;
	bool reuse_port, v6only, defer_accept, nodelay;
	struct setting_origin *origin;
};

struct pool_settings {
	char *name; /* of the section */
	struct setting_origin where;

	/* what runs */
	struct words command;
	struct words sockets; /* names, in the order of descriptors from 3 */
	struct stdio_setting standard_input, standard_output, standard_error;
	char *user, *group;
	struct words groups;
	char *directory, *chroot;
	int64_t umask;            /* SETTING_UNSET: inherited */
	struct words environment; /* NAME=value */
	bool clear_environment;
	struct rlimit limits[RLIM_NLIMITS];
	uint64_t limit_set; /* bit RLIMIT_X */
	int64_t nice;
	bool nice_set;
	int64_t oom_score_adj;
	bool oom_score_adj_set;
	unsigned char *cpu_affinity; /* a cpu_set_t of CPU_AFFINITY_BYTES, or NULL; owned */
	bool no_new_privileges;
	bool auto_scoreboard;

	/* how many */
	int64_t max_workers;
	int64_t min_spare_workers; /* SETTING_UNSET: a static pool */
	int64_t max_spare_workers; /* SETTING_UNSET: see the manual; likewise start_workers */
	int64_t start_workers;
	int64_t max_spawn_step;
	bool grow_on_backlog;
	int64_t idle_timeout_ms;
	struct amount surge;

	/* how fast, and after failures */
	int64_t spawn_interval_ms;
	int64_t err_respawn_interval_ms;
	int64_t err_respawn_max_ms;
	int64_t min_uptime_ms; /* DURATION_INFINITE: every abnormal exit is a failure */
	int crash_loop;        /* enum crash_loop_rule */

	/* how long */
	int ready; /* enum ready_rule */
	int64_t start_timeout_ms;
	int64_t timeout_ms;
	int64_t request_timeout_ms;
	int timeout_signal;
	int stop_signal;
	bool signal_group;
	int64_t stop_timeout_ms;
	int64_t max_requests, max_requests_jitter;
	int64_t max_lifetime_ms, max_lifetime_jitter_ms;
	int64_t max_memory_bytes;

	struct words on_spawn, on_ready, on_exit;
	char *scoreboard_file; /* NULL: POOL.scoreboard in runtime_dir */
	struct setting_origin *origin;
};
#define CPU_AFFINITY_BYTES 128 /* 1024 processors, as cpu_set_t */

struct settings {
	char **files; /* every file read, the main one first */
	size_t file_count;
	struct preforkd_settings preforkd;
	struct socket_settings *sockets;
	size_t socket_count;
	struct pool_settings *pools;
	size_t pool_count;
	struct signal_map signals;
};

const struct socket_settings *settings_socket(const struct settings *settings, const char *name);
const struct pool_settings *settings_pool(const struct settings *settings, const char *name);

/* Does the pool inherit this socket, as one of `sockets` or as `stdin`? */
bool pool_settings_use(const struct pool_settings *pool, const char *socket);
/* Has the pool min_spare_workers, so that its number follows the load? */
bool pool_settings_dynamic(const struct pool_settings *pool);
/* Has it sockets? */
bool pool_settings_serve(const struct pool_settings *pool);
/* Do connections that wait there start workers? */
bool pool_settings_grow_on_backlog(const struct pool_settings *pool);

void settings_free(struct settings *settings);

#endif
