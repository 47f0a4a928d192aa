/*
 * The names in the store are made by stored_name.c. One name can stand for two sockets while a
 * reload may still go either way; only all of a name can leave the store, so the one that stays is
 * given again. Nothing depends on the store: without one, everything is as before.
 */
#include "fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "configuration.h"
#include "errmsg.h"
#include "logger.h"
#include "memory.h"
#include "settings.h"
#include "stored_name.h"
#include "supervisor.h"

#define AGAIN_SEC     0.1
#define WAIT_LIMIT_MS 3000
#define SETTLE_MS     100

struct fd_stored {
	char *name; /* owned */
	ino_t socket;
	int fd;       /* while it is wanted; borrowed */
	bool watched; /* it may go when poll(2) finds a fault */
};

/* --- taking back --- */

static bool is_passed(const struct passed_sockets *passed, const char *name)
{
	for (int i = 0; i < passed->count; i++)
		if (passed->fd[i] >= 0 && strcmp(passed->name[i], name) == 0)
			return true;
	return false;
}

/* The file is still the one that the socket was bound to. */
static bool has_its_file(const struct stored_name *name, const struct address *address)
{
	struct stat file;

	if (address->kind != ADDRESS_UNIX)
		return true;
	return name->has_file && lstat(address->path, &file) == 0 && S_ISSOCK(file.st_mode) &&
	       file.st_dev == name->dev && file.st_ino == name->ino;
}

/* Is it what the configuration wants under this name? false with the reason. */
static bool is_of_use(int fd, const struct stored_name *name, const struct passed_sockets *passed,
	const struct settings *settings, struct errmsg *err)
{
	const struct socket_settings *socket = settings_socket(settings, name->socket);
	struct listener_settings wanted;

	if (!socket) {
		errmsg_set(err, "no [socket:%s] is in the configuration", name->socket);
		return false;
	}
	wanted = (struct listener_settings){
		.listen = socket->listen, /* borrowed */
		.type = socket->type,
		.v6only = socket->v6only,
	};
	if (!listener_is(fd, &wanted, err))
		return false;
	if (is_passed(passed, name->socket) || passed_sockets_has_past(passed, name->socket)) {
		errmsg_set(err, "there is another one");
		return false;
	}
	if (has_its_file(name, &socket->listen))
		return true;
	errmsg_set(err, "%s is not its file any more", socket->listen.path);
	return false;
}

static void hand_on(struct supervisor *supervisor, int fd, const struct stored_name *name,
	const struct settings *settings)
{
	struct listener_past past = {.fd = fd, .known = true, .dev = name->dev, .ino = name->ino};

	if (name->has_file)
		past.path =
			memory_copy_string(settings_socket(settings, name->socket)->listen.path);
	/* Whoever made it non-blocking relied on that; but nobody of them is left. */
	if (!supervisor->past)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	passed_sockets_add_past(supervisor->options->passed, name->socket, &past);
	log_notice(NULL, "[socket:%s]: taken back from the service manager", name->socket);
}

/* With its file, if that is still the one. */
static void drop(int fd, const struct stored_name *name)
{
	struct listener left = {.fd = fd, .dev = name->dev, .ino = name->ino};
	struct sockaddr_un own = {.sun_family = AF_UNSPEC};
	socklen_t bytes = sizeof(own) - 1;

	if (name->has_file && getsockname(fd, (struct sockaddr *)&own, &bytes) == 0 &&
		own.sun_family == AF_UNIX && own.sun_path[0] == '/')
		left.path = memory_copy_string(own.sun_path);
	listener_close(&left);
}

/* false: it was of no use. */
static bool take_one(
	struct supervisor *supervisor, const struct settings *settings, int fd, const char *text)
{
	const struct passed_sockets *passed = supervisor->options->passed;
	struct stored_name name;
	struct errmsg err;

	if (!stored_name_read(&name, text))
		errmsg_set(&err, "its name is none of ours");
	else if (is_of_use(fd, &name, passed, settings, &err)) {
		hand_on(supervisor, fd, &name, settings);
		return true;
	}
	log_warning(NULL, "the service manager had stored %s, which is closed: %s", text, err.text);
	service_manager_forget(&supervisor->manager, text);
	drop(fd, &name);
	return false;
}

void fd_store_take(struct supervisor *supervisor, const struct settings *settings)
{
	struct passed_sockets *passed = supervisor->options->passed;
	bool dropped = false;

	for (int i = 0; i < passed->count; i++) {
		if (passed->fd[i] < 0 || !stored_name_is(passed->name[i]))
			continue;
		dropped |= !take_one(supervisor, settings, passed->fd[i], passed->name[i]);
		passed->fd[i] = -1;
	}
	if (dropped && !service_manager_wait(&supervisor->manager, WAIT_LIMIT_MS))
		log_warning(NULL, "the service manager may still hold what was closed");
}

static bool is_refused(const struct passed_sockets *passed, const char *text)
{
	struct stored_name name;

	if (!stored_name_read(&name, text))
		return false;
	for (int i = 0; i < passed->past_count; i++)
		if (passed->past[i].refused && strcmp(passed->past_name[i], name.socket) == 0)
			return true;
	return false;
}

void fd_store_refuse(struct supervisor *supervisor)
{
	const struct passed_sockets *passed = supervisor->options->passed;

	for (int i = 0; i < passed->count; i++)
		if (is_refused(passed, passed->name[i]))
			service_manager_forget(&supervisor->manager, passed->name[i]);
}

/* --- giving --- */

struct wanted {
	struct fd_stored *item; /* owned, with their names */
	size_t count;
};

static bool is_same(const struct fd_stored *a, const struct fd_stored *b)
{
	return a->socket == b->socket && strcmp(a->name, b->name) == 0;
}

static bool has(const struct fd_stored *item, size_t count, const struct fd_stored *sought)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(&item[i], sought))
			return true;
	return false;
}

static char *name_of(const char *socket, const struct listener *listener)
{
	struct stored_name name = {
		.has_file = listener->path != NULL, .dev = listener->dev, .ino = listener->ino};

	strncat(name.socket, socket, SECTION_NAME_MAX);
	return stored_name_format(&name);
}

static void want(
	struct wanted *wanted, const char *socket, const struct listener *listener, bool watched)
{
	struct fd_stored item = {.fd = listener->fd, .watched = watched};
	struct stat file;

	if (listener->passed || fstat(listener->fd, &file) < 0)
		return;
	item.socket = file.st_ino;
	item.name = name_of(socket, listener);
	if (has(wanted->item, wanted->count, &item)) {
		free(item.name);
		return;
	}
	wanted->item = memory_resize(wanted->item, wanted->count + 1, sizeof(item));
	wanted->item[wanted->count++] = item;
}

static void want_all(struct wanted *wanted, const struct configuration *configuration)
{
	for (size_t i = 0; configuration && i < configuration->settings->socket_count; i++) {
		const struct socket_settings *socket = &configuration->settings->sockets[i];

		/* Somebody's ICMP message makes an error of a datagram socket, which passes */
		want(wanted, socket->name, socket_table_find(&configuration->sockets, socket->name),
			socket->type != SOCK_DGRAM);
	}
}

static void forget_told(struct fd_store *store, const char *name)
{
	size_t left = 0;

	for (size_t i = 0; i < store->count; i++) {
		if (strcmp(store->told[i].name, name) == 0)
			free(store->told[i].name);
		else
			store->told[left++] = store->told[i];
	}
	store->count = left;
}

/* 0, or -1 with errno. */
static int remove_unwanted(struct supervisor *supervisor, const struct wanted *wanted)
{
	struct fd_store *store = &supervisor->store;
	size_t i = 0;

	while (i < store->count) {
		char *name = store->told[i].name;

		if (has(wanted->item, wanted->count, &store->told[i])) {
			i++;
			continue;
		}
		if (service_manager_forget(&supervisor->manager, name) < 0)
			return -1;
		store->removing = true;
		name = memory_copy_string(name);
		forget_told(store, name);
		free(name);
		i = 0;
	}
	return 0;
}

static int add_missing(struct supervisor *supervisor, struct wanted *wanted)
{
	struct fd_store *store = &supervisor->store;

	for (size_t i = 0; i < wanted->count; i++) {
		struct fd_stored *item = &wanted->item[i];

		if (has(store->told, store->count, item))
			continue;
		if (service_manager_store(
			    &supervisor->manager, item->name, item->fd, item->watched) < 0)
			return -1;
		store->told = memory_resize(store->told, store->count + 1, sizeof(*item));
		store->told[store->count] = *item;
		store->told[store->count++].name = memory_copy_string(item->name);
	}
	return 0;
}

void fd_store_sync(struct supervisor *supervisor)
{
	struct ev_timer *again = &supervisor->store.again;
	struct wanted wanted = {0};

	ev_timer_stop(supervisor->loop, again);
	if (supervisor->manager.fd < 0)
		return;
	want_all(&wanted, supervisor->configuration);
	want_all(&wanted, supervisor->reload.from);
	if ((remove_unwanted(supervisor, &wanted) < 0 || add_missing(supervisor, &wanted) < 0) &&
		(errno == EAGAIN || errno == ETOOMANYREFS)) {
		ev_timer_set(again, AGAIN_SEC, 0.);
		ev_timer_start(supervisor->loop, again);
	}
	for (size_t i = 0; i < wanted.count; i++)
		free(wanted.item[i].name);
	free(wanted.item);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	fd_store_sync(timer->data);
}

void fd_store_open(struct supervisor *supervisor)
{
	ev_timer_init(&supervisor->store.again, on_again, AGAIN_SEC, 0.);
	supervisor->store.again.data = supervisor;
}

void fd_store_settle(struct supervisor *supervisor)
{
	if (supervisor->store.removing)
		service_manager_wait(&supervisor->manager, SETTLE_MS);
	supervisor->store.removing = false;
}

static void forget_file(struct supervisor *supervisor, const char *socket)
{
	const struct listener *listener =
		socket_table_find(&supervisor->configuration->sockets, socket);
	char *name;

	if (!listener->path || listener->passed)
		return;
	name = name_of(socket, listener);
	service_manager_forget(&supervisor->manager, name);
	free(name);
}

void fd_store_close(struct supervisor *supervisor)
{
	const struct configuration *configuration = supervisor->configuration;
	struct fd_store *store = &supervisor->store;

	for (size_t i = 0; configuration && i < configuration->settings->socket_count; i++)
		forget_file(supervisor, configuration->settings->sockets[i].name);
	for (size_t i = 0; i < store->count; i++)
		free(store->told[i].name);
	free(store->told);
	if (supervisor->loop)
		ev_timer_stop(supervisor->loop, &store->again);
	*store = (struct fd_store){0};
}
