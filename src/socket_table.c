/*
 * The sockets of a configuration. A unix socket's file belongs to the user that the section names,
 * else to the user of the first pool that uses the socket.
 */
#include "socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errmsg.h"
#include "identity.h"
#include "logger.h"
#include "memory.h"
#include "settings.h"
#include "settings_check.h"
#include "settings_compare.h"
#include "users.h"

struct socket_entry {
	int references; /* tables */
	bool taken;     /* from an earlier supervisor */
	char *name;     /* owned */
	struct listener listener;
	int waiting_max;
};

static const struct pool_settings *first_user_of(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->pool_count; i++)
		if (pool_settings_use(&settings->pools[i], name))
			return &settings->pools[i];
	return NULL;
}

static int find_owner(uid_t *uid, gid_t *gid, const struct settings *settings,
	const struct socket_settings *socket, struct errmsg *err)
{
	const struct pool_settings *pool = first_user_of(settings, socket->name);
	const char *user = socket->user ? socket->user : pool ? pool->user : NULL;
	const char *group = socket->group ? socket->group : NULL;
	struct identity identity;

	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if (!group && !socket->user && pool)
		group = pool->group;
	if (!user && !group)
		return 0;
	if (users_resolve(&identity, user, group, NULL, err) < 0)
		return -1;
	if (user)
		*uid = identity.uid;
	*gid = identity.gid;
	identity_free(&identity);
	return 0;
}

static int make_wanted(struct listener_settings *wanted, const struct settings *settings,
	const struct socket_settings *socket, struct errmsg *err)
{
	*wanted = (struct listener_settings){
		.listen = socket->listen, /* borrowed */
		.type = socket->type,
		.backlog = (int)socket->backlog,
		.mode = (mode_t)socket->mode,
		.reuse_port = socket->reuse_port,
		.v6only = socket->v6only,
		.defer_accept = socket->defer_accept,
		.nodelay = socket->nodelay,
	};
	return find_owner(&wanted->uid, &wanted->gid, settings, socket, err);
}

/* One of an earlier supervisor that is not what is wanted any more goes; one that the service
 * manager passes must be what it is taken for. */
static int open_listener(struct listener *listener, const char *name,
	const struct listener_settings *wanted, struct passed_sockets *passed, struct errmsg *err)
{
	struct listener_past past = {.fd = -1};
	struct errmsg reason;
	int result;

	if (!passed || !passed_sockets_take_past(passed, name, &past))
		return listener_open(listener, wanted, -1, err);
	if (!past.known)
		result = listener_open(listener, wanted, past.fd, err);
	else
		result = listener_take_up(listener, wanted, &past, &reason);
	if (result < 0 && past.known) {
		log_notice(NULL, "[socket:%s]: bound anew: %s", name, reason.text);
		past.refused = true;
		passed_sockets_add_past(passed, name, &past); /* closes it in the end */
		return listener_open(listener, wanted, -1, err);
	}
	free(past.path);
	return result;
}

static bool has_past(const struct passed_sockets *passed, const char *name)
{
	return passed && passed_sockets_has_past(passed, name);
}

static struct socket_entry *open_entry(const struct settings *settings,
	const struct socket_settings *socket, struct passed_sockets *passed, struct errmsg *err)
{
	struct socket_entry *entry = memory_alloc(sizeof(*entry));
	const bool taken = has_past(passed, socket->name);
	struct listener_settings wanted;

	if (make_wanted(&wanted, settings, socket, err) < 0 ||
		open_listener(&entry->listener, socket->name, &wanted, passed, err) < 0) {
		free(entry);
		return NULL;
	}
	entry->taken = taken && !has_past(passed, socket->name);
	entry->references = 1;
	entry->name = memory_copy_string(socket->name);
	return entry;
}

static void release_entry(struct socket_entry *entry)
{
	if (--entry->references > 0)
		return;
	listener_close(&entry->listener);
	free(entry->name);
	free(entry);
}

static struct socket_entry *find_entry(const struct socket_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->entry[i]->name, name) == 0)
			return table->entry[i];
	return NULL;
}

static struct socket_entry *share_entry(
	const struct socket_table *previous, const struct socket_settings *socket)
{
	const struct socket_settings *old = settings_socket(previous->settings, socket->name);
	struct socket_entry *entry = old ? find_entry(previous, socket->name) : NULL;

	if (!entry || settings_socket_differs(old, socket, EFFECT_SOCKET))
		return NULL;
	entry->references++;
	return entry;
}

static int refuse_overlap(const struct socket_table *previous, const struct socket_settings *socket,
	struct errmsg *err)
{
	for (size_t i = 0; i < previous->settings->socket_count; i++) {
		const struct socket_settings *old = &previous->settings->sockets[i];

		if (!settings_sockets_overlap(old, socket))
			continue;
		errno = EADDRINUSE;
		return errmsg_set(err,
			"its address overlaps the one that [socket:%s] has now: such a change "
			"needs a restart",
			old->name);
	}
	return 0;
}

static struct socket_entry *make_entry(const struct settings *settings,
	const struct socket_settings *socket, const struct socket_table *previous,
	struct passed_sockets *passed, struct errmsg *err)
{
	struct socket_entry *entry = previous ? share_entry(previous, socket) : NULL;

	if (entry)
		return entry;
	if (previous && refuse_overlap(previous, socket, err) < 0)
		return NULL;
	return open_entry(settings, socket, passed, err);
}

/* Workers that were there before serve on with them. */
static void leave_taken(struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entry[i]->taken)
			table->entry[i]->listener.passed = true;
}

int socket_table_open(struct socket_table *table, const struct settings *settings,
	const struct socket_table *previous, struct passed_sockets *passed, struct errmsg *err)
{
	struct errmsg reason;
	int saved;

	*table = (struct socket_table){.settings = settings};
	table->entry = memory_alloc(settings->socket_count * sizeof(struct socket_entry *));
	for (size_t i = 0; i < settings->socket_count; i++) {
		const struct socket_settings *socket = &settings->sockets[i];

		table->entry[i] = make_entry(settings, socket, previous, passed, &reason);
		if (!table->entry[i]) {
			errmsg_set(err, "[socket:%s]: %s", socket->name, reason.text);
			saved = errno;
			leave_taken(table);
			socket_table_close(table);
			errno = saved;
			return -1;
		}
		table->count++;
	}
	return 0;
}

void socket_table_apply(const struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct socket_entry *entry = table->entry[i];
		struct listener_settings wanted;
		struct errmsg err;

		if (entry->references < 2)
			continue;
		if (make_wanted(&wanted, table->settings,
			    settings_socket(table->settings, entry->name), &err) < 0 ||
			listener_change(&entry->listener, &wanted, &err) < 0)
			log_warning(NULL, "[socket:%s]: %s", entry->name, err.text);
	}
}

void socket_table_revive(const struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct socket_entry *entry = table->entry[i];
		struct listener_settings wanted;
		struct errmsg err;

		if (!listener_is_deaf(&entry->listener))
			continue;
		if (make_wanted(&wanted, table->settings,
			    settings_socket(table->settings, entry->name), &err) < 0 ||
			listener_change(&entry->listener, &wanted, &err) < 0)
			log_error(NULL, "[socket:%s]: a worker has shut it down: %s", entry->name,
				err.text);
		else
			log_warning(NULL, "[socket:%s]: a worker has shut it down; listening again",
				entry->name);
	}
}

void socket_table_leave(struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		table->entry[i]->listener.passed = true;
}

void socket_table_close(struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		release_entry(table->entry[i]);
	free(table->entry);
	*table = (struct socket_table){0};
}

int socket_table_saw(const struct socket_table *table, const char *name, int waiting)
{
	struct socket_entry *entry = find_entry(table, name);

	if (!entry)
		return waiting;
	if (waiting > entry->waiting_max)
		entry->waiting_max = waiting;
	return entry->waiting_max;
}

const struct listener *socket_table_find(const struct socket_table *table, const char *name)
{
	const struct socket_entry *entry = find_entry(table, name);

	return entry ? &entry->listener : NULL;
}
