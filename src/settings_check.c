/*
 * The rules between keys. Each rule is one statement that names the key to be changed; none of them
 * looks at the machine, and none changes a value.
 */
#include "settings_check.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "errmsg.h"
#include "fault_place.h"
#include "faults.h"
#include "settings.h"
#include "suggest.h"

#define CANDIDATES_MAX 64

static void check_required(const struct fault_place *place)
{
	for (size_t i = 0; i < option_count; i++)
		if (options[i].section == place->section && options[i].flags & OPTION_REQUIRED &&
			!fault_place_given(place, options[i].key))
			fault_place_add(place, options[i].key, "is missing");
}

/* Warns of the keys (NULL-ended) that are set to something but mean nothing here. */
static void warn_useless(
	const struct fault_place *place, const char *const *keys, const char *reason)
{
	for (; *keys; keys++)
		if (fault_place_given(place, *keys) &&
			!option_is_default(option_find(place->section, *keys), place->values))
			fault_place_warn(place, *keys, "has no effect %s", reason);
}

/* --- [preforkd] -------------------------------------------------------------------------- */

/* It becomes a folder's name. */
static void check_name(const struct fault_place *place, const char *name)
{
	if (!name)
		return;
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		fault_place_add(place, "name", "\"%.80s\" cannot be a folder's name", name);
	else if (strlen(name) > SETTINGS_NAME_MAX)
		fault_place_add(place, "name", "is longer than %d bytes", SETTINGS_NAME_MAX);
}

static void check_http(const struct fault_place *place, const char *http)
{
	struct address address;
	struct errmsg err;

	if (!http || strcmp(http, "off") == 0)
		return;
	if (address_parse(&address, http, &err) < 0)
		fault_place_add(place, "http", "%s", err.text);
	else
		address_free(&address);
}

/* --- [socket:NAME] ----------------------------------------------------------------------- */

static bool is_file_address(const struct address *address)
{
	return address->kind == ADDRESS_UNIX || address->kind == ADDRESS_ABSTRACT;
}

/* What an address takes of the machine's: families as bits. */
enum { FAMILY_4 = 1, FAMILY_6 = 2 };

struct reach {
	int families;
	bool every; /* every address of these families */
};

static struct reach find_reach(const struct socket_settings *socket)
{
	const char *host = socket->listen.host;
	unsigned char bytes[16];
	struct reach both = {.families = FAMILY_4 | FAMILY_6};
	int wide = socket->v6only ? FAMILY_6 : FAMILY_4 | FAMILY_6;

	if (socket->listen.kind == ADDRESS_ANY)
		return (struct reach){.families = wide, .every = true};
	if (inet_pton(AF_INET, host, bytes) == 1)
		return (struct reach){
			.families = FAMILY_4, .every = memcmp(bytes, "\0\0\0", 4) == 0};
	if (inet_pton(AF_INET6, host, bytes) != 1)
		return both; /* a name: may be either */
	if (memcmp(bytes, (unsigned char[16]){0}, 16) == 0)
		return (struct reach){.families = wide, .every = true};
	return (struct reach){.families = FAMILY_6};
}

bool settings_sockets_overlap(const struct socket_settings *a, const struct socket_settings *b)
{
	struct reach reach_a, reach_b;

	if (a->listen.kind == ADDRESS_NONE || b->listen.kind == ADDRESS_NONE)
		return false;
	if (is_file_address(&a->listen) || is_file_address(&b->listen))
		return address_equal(&a->listen, &b->listen);
	if (a->listen.port != b->listen.port || a->listen.port == 0 || a->type != b->type)
		return false;
	if (a->reuse_port && b->reuse_port)
		return false;
	if (address_equal(&a->listen, &b->listen))
		return true;
	reach_a = find_reach(a);
	reach_b = find_reach(b);
	return (reach_a.families & reach_b.families) && (reach_a.every || reach_b.every);
}

static void check_overlap(const struct settings *settings, size_t index, struct faults *faults)
{
	const struct socket_settings *socket = &settings->sockets[index];
	struct fault_place place = fault_place_socket(settings, socket, faults);

	for (size_t i = 0; i < index; i++) {
		const struct socket_settings *earlier = &settings->sockets[i];

		if (settings_sockets_overlap(earlier, socket))
			fault_place_add(&place, "listen", "%s that of [socket:%s]",
				address_equal(&earlier->listen, &socket->listen) ? "is the same as"
										 : "overlaps",
				earlier->name);
	}
}

static void check_kind(const struct fault_place *place, const struct socket_settings *socket)
{
	static const char *const of_files[] = {"mode", "user", "group", NULL};
	static const char *const of_internet[] = {"reuse_port", "v6only", NULL};
	static const char *const of_tcp[] = {"defer_accept", "nodelay", NULL};
	static const char *const of_listening[] = {"backlog", NULL};
	bool internet = !is_file_address(&socket->listen);

	if (socket->listen.kind == ADDRESS_NONE)
		return;
	if (socket->listen.kind != ADDRESS_UNIX)
		warn_useless(place, of_files, "but on unix:PATH");
	if (!internet)
		warn_useless(place, of_internet, "on a unix socket");
	if (!internet || socket->type != SOCK_STREAM)
		warn_useless(place, of_tcp, "but on TCP");
	if (socket->type == SOCK_DGRAM)
		warn_useless(place, of_listening, "on dgram");
	if (internet && socket->type == SOCK_SEQPACKET)
		fault_place_add(place, "type", "seqpacket needs a unix socket");
}

static bool is_used(const struct settings *settings, const char *socket)
{
	for (size_t i = 0; i < settings->pool_count; i++)
		if (pool_settings_use(&settings->pools[i], socket))
			return true;
	return false;
}

static void check_socket(const struct settings *settings, size_t index, struct faults *faults)
{
	const struct socket_settings *socket = &settings->sockets[index];
	struct fault_place place = fault_place_socket(settings, socket, faults);

	check_required(&place);
	check_kind(&place, socket);
	check_overlap(settings, index, faults);
	if (!is_used(settings, socket->name))
		fault_place_warn(&place, NULL, "no pool uses it");
}

/* --- [pool:NAME] ------------------------------------------------------------------------- */

/* The one of the two keys that was set, so that the fault is shown where it was made. */
static const char *given_of(const struct fault_place *place, const char *key, const char *other)
{
	return !fault_place_given(place, key) && fault_place_given(place, other) ? other : key;
}

/* On demand means: by what waits at a socket. */
static void check_demand(const struct fault_place *place, const struct pool_settings *pool)
{
	static const char *const of_sockets[] = {"grow_on_backlog", NULL};

	if (pool->min_spare_workers == 0 && !pool_settings_serve(pool))
		fault_place_add(place, "min_spare_workers",
			"0 (workers on demand) needs sockets, or a socket as stdin");
	else if (pool->min_spare_workers == 0 && !pool->grow_on_backlog)
		fault_place_add(place, given_of(place, "grow_on_backlog", "min_spare_workers"),
			"min_spare_workers 0 (workers on demand) needs grow_on_backlog");
	else if (!pool_settings_serve(pool))
		warn_useless(place, of_sockets, "without sockets");
}

static void check_sizes(const struct fault_place *place, const struct pool_settings *pool)
{
	static const char *const of_dynamic[] = {"max_spare_workers", "start_workers",
		"max_spawn_step", "grow_on_backlog", "idle_timeout", NULL};

	if (!pool_settings_dynamic(pool)) {
		warn_useless(place, of_dynamic, "without min_spare_workers");
		return;
	}
	check_demand(place, pool);
	if (pool->min_spare_workers > pool->max_workers)
		fault_place_add(place, "min_spare_workers", "is more than max_workers (%lld)",
			(long long)pool->max_workers);
	if (pool->start_workers > pool->max_workers)
		fault_place_add(place, "start_workers", "is more than max_workers (%lld)",
			(long long)pool->max_workers);
	if (pool->max_spare_workers != SETTING_UNSET &&
		pool->max_spare_workers < pool->min_spare_workers)
		fault_place_add(place, "max_spare_workers", "is less than min_spare_workers (%lld)",
			(long long)pool->min_spare_workers);
}

static void check_times(const struct fault_place *place, const struct pool_settings *pool)
{
	static const char *const of_timeouts[] = {"timeout_signal", NULL};
	char longest[VALUE_TEXT_BYTES], uptime[VALUE_TEXT_BYTES];
	bool never_alive = pool->min_uptime_ms != DURATION_INFINITE &&
			   pool->min_uptime_ms >= pool->start_timeout_ms;

	value_format_duration(longest, pool->err_respawn_max_ms);
	value_format_duration(uptime, pool->min_uptime_ms);
	if (pool->err_respawn_max_ms < pool->err_respawn_interval_ms)
		fault_place_add(place, given_of(place, "err_respawn_interval", "err_respawn_max"),
			"err_respawn_interval is more than err_respawn_max (%s)", longest);
	if (never_alive && pool->ready == READY_ALIVE)
		fault_place_add(place, given_of(place, "start_timeout", "min_uptime"),
			"no worker lives for min_uptime (%s) before start_timeout ends it", uptime);
	else if (never_alive && pool->ready == READY_AUTO)
		fault_place_warn(place, given_of(place, "start_timeout", "min_uptime"),
			"a worker without a scoreboard does not live for min_uptime (%s) before "
			"start_timeout ends it",
			uptime);
	if (pool->timeout_ms == 0 && pool->request_timeout_ms == 0)
		warn_useless(place, of_timeouts, "without timeout or request_timeout");
}

static void check_ready(const struct fault_place *place, const struct pool_settings *pool)
{
	if (pool->ready == READY_ALIVE && pool_settings_serve(pool))
		fault_place_warn(place, "ready",
			"a reload cannot know whether a worker serves its sockets, only that it "
			"lives");
}

static void check_recycling(const struct fault_place *place, const struct pool_settings *pool)
{
	static const char *const of_requests[] = {"max_requests_jitter", NULL};
	static const char *const of_lifetime[] = {"max_lifetime_jitter", NULL};

	if (pool->max_requests == 0)
		warn_useless(place, of_requests, "without max_requests");
	if (pool->max_lifetime_ms == 0)
		warn_useless(place, of_lifetime, "without max_lifetime");
}

static void refuse_socket(const struct fault_place *place, const char *key, const char *name)
{
	const struct settings *settings = place->settings;
	const char *candidates[CANDIDATES_MAX], *nearest;
	size_t count = 0;

	for (; count < settings->socket_count && count < CANDIDATES_MAX; count++)
		candidates[count] = settings->sockets[count].name;
	nearest = suggest_nearest(name, candidates, count);
	fault_place_add(place, key, "there is no [socket:%.32s]%s%s%s", name,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static void check_sockets(const struct fault_place *place, const struct pool_settings *pool)
{
	const struct words *names = &pool->sockets;

	for (size_t i = 0; i < names->count; i++) {
		if (!settings_socket(place->settings, names->word[i]))
			refuse_socket(place, "sockets", names->word[i]);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(names->word[i], names->word[j]) != 0)
				continue;
			fault_place_add(place, "sockets", "%.32s is named twice", names->word[i]);
			break;
		}
	}
	if (pool->standard_input.kind == STDIO_SOCKET &&
		!settings_socket(place->settings, pool->standard_input.target))
		refuse_socket(place, "stdin", pool->standard_input.target);
}

static void check_command(const struct fault_place *place, const struct pool_settings *pool)
{
	if (pool->command.count > 0 && !*pool->command.word[0])
		fault_place_add(place, "command", "the program's name is empty");
}

static void check_scoreboard(
	const struct fault_place *place, const struct settings *settings, size_t index)
{
	const struct pool_settings *pool = &settings->pools[index];

	for (size_t i = 0; i < index && pool->scoreboard_file; i++) {
		const struct pool_settings *earlier = &settings->pools[i];

		if (earlier->scoreboard_file &&
			strcmp(earlier->scoreboard_file, pool->scoreboard_file) == 0)
			fault_place_add(place, "scoreboard_file", "is that of [pool:%s] too",
				earlier->name);
	}
}

/* What workers are told of themselves and their sockets must be true. */
static void check_environment(const struct fault_place *place, const struct words *environment)
{
	static const char *const reserved[] = {"PREFORKD_",
		"LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES=", "SERVER_STARTER_", "EINHORN_"};

	for (size_t i = 0; i < environment->count; i++) {
		const char *word = environment->word[i];

		for (size_t j = 0; j < sizeof(reserved) / sizeof(reserved[0]); j++)
			if (strncmp(word, reserved[j], strlen(reserved[j])) == 0)
				fault_place_add(place, "environment",
					"%.*s is set by preforkd itself", (int)strcspn(word, "="),
					word);
	}
}

/* Its heartbeat is the worker's own, which this worker knows nothing of. */
static void check_auto(const struct fault_place *place, const struct pool_settings *pool)
{
	const bool serves = pool->sockets.count > 0 || pool->standard_input.kind == STDIO_SOCKET;

	if (!pool->auto_scoreboard)
		return;
	if (pool->timeout_ms > 0)
		fault_place_add(place, "timeout",
			"auto_scoreboard gives no sign of life while a program works: use "
			"request_timeout");
	if (!serves)
		fault_place_warn(place, "auto_scoreboard", "has no effect without sockets");
}

static void check_pool(const struct settings *settings, size_t index, struct faults *faults)
{
	const struct pool_settings *pool = &settings->pools[index];
	struct fault_place place = fault_place_pool(settings, pool, faults);

	check_required(&place);
	check_sizes(&place, pool);
	check_times(&place, pool);
	check_ready(&place, pool);
	check_auto(&place, pool);
	check_recycling(&place, pool);
	check_sockets(&place, pool);
	check_command(&place, pool);
	check_environment(&place, &pool->environment);
	check_scoreboard(&place, settings, index);
}

void settings_check(const struct settings *settings, struct faults *faults)
{
	struct fault_place place = fault_place_preforkd(settings, faults);

	check_name(&place, settings->preforkd.name);
	check_http(&place, settings->preforkd.http);
	/* Where lines are wrong, that there is none may follow from these. */
	if (settings->pool_count == 0 && faults->errors == 0)
		faults_add(faults, settings->file_count ? settings->files[0] : NULL, 0, NULL, NULL,
			"there is no [pool:NAME]");
	for (size_t i = 0; i < settings->socket_count; i++)
		check_socket(settings, i, faults);
	for (size_t i = 0; i < settings->pool_count; i++)
		check_pool(settings, i, faults);
}
