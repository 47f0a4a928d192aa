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
#include "memory.h"
#include "settings.h"
#include "users.h"

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

static int open_entry(struct socket_entry *entry, const struct settings *settings,
	const struct socket_settings *socket, struct passed_sockets *passed, struct errmsg *err)
{
	struct listener_settings wanted = {
		.listen = socket->listen, /* borrowed */
		.type = socket->type,
		.backlog = (int)socket->backlog,
		.mode = (mode_t)socket->mode,
		.reuse_port = socket->reuse_port,
		.v6only = socket->v6only,
		.defer_accept = socket->defer_accept,
		.nodelay = socket->nodelay,
	};

	if (find_owner(&wanted.uid, &wanted.gid, settings, socket, err) < 0)
		return -1;
	if (listener_open(
		    &entry->listener, &wanted, passed_sockets_take(passed, socket->name), err) < 0)
		return -1;
	entry->name = memory_copy_string(socket->name);
	return 0;
}

int socket_table_open(struct socket_table *table, const struct settings *settings,
	struct passed_sockets *passed, struct errmsg *err)
{
	struct errmsg reason;
	int saved;

	*table = (struct socket_table){0};
	table->entry = memory_alloc(settings->socket_count * sizeof(*table->entry));
	for (size_t i = 0; i < settings->socket_count; i++) {
		if (open_entry(&table->entry[i], settings, &settings->sockets[i], passed, &reason) <
			0) {
			errmsg_set(err, "[socket:%s]: %s", settings->sockets[i].name, reason.text);
			saved = errno;
			socket_table_close(table);
			errno = saved;
			return -1;
		}
		table->count++;
	}
	return 0;
}

void socket_table_close(struct socket_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		listener_close(&table->entry[i].listener);
		free(table->entry[i].name);
	}
	free(table->entry);
	*table = (struct socket_table){0};
}

const struct listener *socket_table_find(const struct socket_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->entry[i].name, name) == 0)
			return &table->entry[i].listener;
	return NULL;
}
