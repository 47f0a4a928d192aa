#ifndef PREFORKD_LOG_TARGET_H
#define PREFORKD_LOG_TARGET_H
/* Where the log goes, by the configuration and by how the supervisor was called. Floor 3. */

struct errmsg;
struct settings;
struct supervisor_options;

/* Opens it; on failure (-1 with the reason and errno) the one that is open stays. */
int log_target_open(const struct supervisor_options *options, const struct settings *settings,
	struct errmsg *err);

#endif
