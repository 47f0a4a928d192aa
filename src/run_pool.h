#ifndef PREFORKD_RUN_POOL_H
#define PREFORKD_RUN_POOL_H
/* `preforkd run POOL`: one worker in the foreground, without a supervisor. Floor 3. */

struct passed_sockets;
struct settings;
struct startup_limits;

/* Becomes the worker: its sockets, environment, limits and identity, our terminal. Returns only on
 * failure, with the exit status (sysexits(3)); the reason is on standard error. */
int run_pool(const struct settings *settings, const char *pool_name,
	const struct startup_limits *found_limits, struct passed_sockets *passed);

#endif
