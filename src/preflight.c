/*
 * What only a look at the machine can tell, asked before anything is bound or started. It looks and
 * touches nothing; what it finds may have changed by the time a worker starts, so the worker's
 * start has its own checks.
 */
#include "preflight.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "errmsg.h"
#include "fault_place.h"
#include "faults.h"
#include "memory.h"
#include "settings.h"
#include "users.h"

/* --- folders ----------------------------------------------------------------------------- */

/* 0, or the errno: is the path a folder? */
static int check_folder(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno;
	return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

/* The folder of a file that will be made must be there. */
static void check_parent(const struct fault_place *place, const char *key, const char *path)
{
	char *folder = memory_copy_string(path);
	char *slash = strrchr(folder, '/');
	int error;

	if (slash)
		slash[slash == folder ? 1 : 0] = '\0';
	error = slash ? check_folder(folder) : 0;
	if (error)
		fault_place_add(place, key, "the folder \"%.400s\": %s", folder, strerror(error));
	else if (check_folder(path) == 0)
		fault_place_add(place, key, "\"%.400s\" is a folder", path);
	free(folder);
}

/* A file that is written anew and removed at exit must not be one that is needed. */
static void check_replaced(const struct fault_place *place, const char *key, const char *path)
{
	const struct settings *settings = place->settings;
	struct stat found, config;

	check_parent(place, key, path);
	if (lstat(path, &found) < 0)
		return;
	if (S_ISCHR(found.st_mode) || S_ISBLK(found.st_mode) || S_ISSOCK(found.st_mode))
		fault_place_add(place, key, "\"%.400s\" is a device or a socket", path);
	for (size_t i = 0; i < settings->file_count; i++)
		if (stat(settings->files[i], &config) == 0 && config.st_dev == found.st_dev &&
			config.st_ino == found.st_ino)
			fault_place_add(place, key, "\"%.400s\" is the configuration", path);
}

/* --- [preforkd] and [socket:NAME] -------------------------------------------------------- */

static void check_preforkd(const struct settings *settings, struct faults *faults)
{
	const struct preforkd_settings *preforkd = &settings->preforkd;
	struct fault_place place = fault_place_preforkd(settings, faults);

	if (preforkd->pid_file)
		check_replaced(&place, "pid_file", preforkd->pid_file);
	if (preforkd->log_file && *preforkd->log_file == '/')
		check_parent(&place, "log_file", preforkd->log_file);
}

static bool is_numeric(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void check_host(const struct fault_place *place, const struct socket_settings *socket)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = socket->type, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	const char *host = socket->listen.host;
	bool several = false;
	int error;

	if (socket->listen.kind != ADDRESS_HOST || is_numeric(host))
		return;
	error = getaddrinfo(host, NULL, &hints, &found);
	if (error) {
		fault_place_add(place, "listen", "the host \"%.200s\": %s", host,
			error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
		return;
	}
	for (const struct addrinfo *other = found->ai_next; other; other = other->ai_next)
		several = several || other->ai_family == found->ai_family;
	freeaddrinfo(found);
	if (several)
		fault_place_warn(place, "listen",
			"the host \"%.200s\" has several addresses, one of them is bound", host);
}

/* Its file's folder must be there, its owner known. */
static void check_socket_file(const struct fault_place *place, const struct socket_settings *socket)
{
	struct identity identity;
	struct errmsg err;
	gid_t gid;

	if (socket->listen.kind != ADDRESS_UNIX)
		return;
	check_parent(place, "listen", socket->listen.path);
	if (socket->group && users_group(&gid, socket->group, &err) < 0)
		fault_place_add(place, "group", "%s", err.text);
	if (!socket->user)
		return;
	/* A group is given lest one be asked for: here only the user counts. */
	if (users_resolve(&identity, socket->user, "0", NULL, &err) < 0) {
		fault_place_add(place, "user", "%s", err.text);
		return;
	}
	if (geteuid() != 0 && identity.uid != geteuid())
		fault_place_add(place, "user", "only root can give files to another user");
	identity_free(&identity);
}

static void check_socket(const struct settings *settings, const struct socket_settings *socket,
	struct faults *faults)
{
	struct fault_place place = fault_place_socket(settings, socket, faults);

	check_host(&place, socket);
	check_socket_file(&place, socket);
}

/* --- [pool:NAME] ------------------------------------------------------------------------- */

/* A text with its %{...} replaced as for the first worker. malloced, or NULL after a fault. */
static char *expand(const struct fault_place *place, const char *key, const char *text)
{
	const struct expansion expansion = {
		.name = place->settings->preforkd.name,
		.pool = place->name,
		.slot = 0,
	};
	struct errmsg err;
	char *expanded = words_expand(text, &expansion, &err);

	if (!expanded)
		fault_place_add(place, key, "%s", err.text);
	return expanded;
}

static void check_identity(const struct fault_place *place, const struct pool_settings *pool)
{
	struct identity identity;
	struct errmsg err;
	const char *key = pool->user ? "user" : pool->group ? "group" : "groups";
	gid_t gid;

	if (pool->group && users_group(&gid, pool->group, &err) < 0) {
		fault_place_add(place, "group", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < pool->groups.count; i++) {
		if (users_group(&gid, pool->groups.word[i], &err) < 0) {
			fault_place_add(place, "groups", "%s", err.text);
			return;
		}
	}
	if (users_resolve(&identity, pool->user, pool->group, &pool->groups, &err) < 0) {
		fault_place_add(place, key, "%s", err.text);
		return;
	}
	if (identity.change && geteuid() != 0)
		fault_place_add(place, key, "only root can run workers as somebody else");
	identity_free(&identity);
}

/* The worker's folder, below its root; NULL: none, or not there. */
static char *check_places(const struct fault_place *place, const struct pool_settings *pool)
{
	char *directory = pool->directory ? expand(place, "directory", pool->directory) : NULL;
	char *path;
	int error;

	if (pool->chroot) {
		error = check_folder(pool->chroot);
		if (error)
			fault_place_add(
				place, "chroot", "\"%.400s\": %s", pool->chroot, strerror(error));
		else if (geteuid() != 0)
			fault_place_add(place, "chroot", "only root can change the root");
	}
	if (!directory)
		return NULL;
	path = memory_format("%s%s", pool->chroot ? pool->chroot : "", directory);
	error = check_folder(path);
	if (error)
		fault_place_add(place, "directory", "\"%.400s\": %s", path, strerror(error));
	free(path);
	return directory;
}

/* $PATH as the workers will have it. */
static const char *search_path(const struct pool_settings *pool)
{
	const char *path = getenv("PATH");

	for (size_t i = 0; i < pool->environment.count; i++)
		if (strncmp(pool->environment.word[i], "PATH=", 5) == 0)
			path = pool->environment.word[i] + 5;
	return path;
}

static void check_program(const struct fault_place *place, const char *key, const char *program,
	const char *path, const struct pool_settings *pool, const char *directory)
{
	struct errmsg err;
	char *found;

	if (pool->chroot && check_folder(pool->chroot) != 0)
		return; /* said already */
	found = command_find(program, path, directory, pool->chroot, &err);
	if (!found)
		fault_place_add(place, key, "%s", err.text);
	free(found);
}

/* A hook is no worker: it is looked for on our own PATH. */
static void check_hook(const struct fault_place *place, const char *key, const struct words *hook,
	const struct pool_settings *pool, const char *directory)
{
	if (hook->count)
		check_program(place, key, hook->word[0], getenv("PATH"), pool, directory);
}

static void check_programs(
	const struct fault_place *place, const struct pool_settings *pool, const char *directory)
{
	char *program;

	program = pool->command.count ? expand(place, "command", pool->command.word[0]) : NULL;
	if (program)
		check_program(place, "command", program, search_path(pool), pool, directory);
	free(program);
	check_hook(place, "on_spawn", &pool->on_spawn, pool, directory);
	check_hook(place, "on_ready", &pool->on_ready, pool, directory);
	check_hook(place, "on_exit", &pool->on_exit, pool, directory);
}

static void check_output(
	const struct fault_place *place, const char *key, const struct stdio_setting *setting)
{
	char *path;

	if (setting->kind != STDIO_PATH && setting->kind != STDIO_APPEND)
		return;
	path = expand(place, key, setting->target);
	if (path)
		check_parent(place, key, path);
	free(path);
}

static void check_pool(
	const struct settings *settings, const struct pool_settings *pool, struct faults *faults)
{
	struct fault_place place = fault_place_pool(settings, pool, faults);
	char *directory;

	check_identity(&place, pool);
	directory = check_places(&place, pool);
	check_programs(&place, pool, directory);
	check_output(&place, "stdout", &pool->standard_output);
	check_output(&place, "stderr", &pool->standard_error);
	if (pool->scoreboard_file)
		check_replaced(&place, "scoreboard_file", pool->scoreboard_file);
	free(directory);
}

void preflight_check(const struct settings *settings, struct faults *faults)
{
	check_preforkd(settings, faults);
	for (size_t i = 0; i < settings->socket_count; i++)
		check_socket(settings, &settings->sockets[i], faults);
	for (size_t i = 0; i < settings->pool_count; i++)
		check_pool(settings, &settings->pools[i], faults);
}
