/*
 * Unix sockets and their files. There is never a moment in which the file has wider rights than
 * asked for, nor one without a file while a stale one is replaced. The folder may belong to the
 * workers' user, so no symbolic link is followed and rights change only on an inode that was seen
 * to be a socket of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "errmsg.h"
#include "listener_parts.h"
#include "memory.h"

#define MODE_BITS  07777
#define ALL_RIGHTS 0777
/* of a name beside: PATH.0123abcd */
#define NAME_DIGITS 8

/* The kernel takes the umask off a socket file's 0777, so the file is born with exactly `mode`. */
static int bind_file(int fd, const char *path, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t found;
	int result;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	found = umask(~mode & ALL_RIGHTS);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(found);
	return result;
}

static int bind_abstract(int fd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);

	if (length > sizeof(address.sun_path) - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path + 1, name, length);
	length += offsetof(struct sockaddr_un, sun_path) + 1;
	return bind(fd, (struct sockaddr *)&address, (socklen_t)length);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What stands in the way at `path`: 0 a socket that nobody holds any more, else -1 with the reason.
 *
 * The probe is a datagram socket, since connecting one disturbs nobody: with a living stream socket
 * it fails by its type (EPROTOTYPE), and only when no process holds the socket is it refused. */
static int probe_stale(const char *path, struct stat *stale, const char *where, struct errmsg *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, refused;

	if (lstat(path, stale))
		return errmsg_errno(err, "%s", where);
	errno = EEXIST;
	if (!S_ISSOCK(stale->st_mode))
		return errmsg_set(err, "%s: there is a file that is not a socket", where);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errmsg_errno(err, "%s: cannot make a socket", where);
	memcpy(address.sun_path, path, strlen(path)); /* bind_file() took it, so it fits */
	refused = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
	close(fd);
	if (refused == ECONNREFUSED)
		return 0;
	errno = refused && refused != EPROTOTYPE ? refused : EADDRINUSE;
	if (errno == EADDRINUSE)
		return errmsg_set(err, "%s: another process listens there", where);
	return errmsg_errno(
		err, "%s: cannot find out whether another process listens there", where);
}

/* A name beside the path that is free, or NULL when that would be too long. malloced. */
static char *name_beside(const char *path)
{
	unsigned random = 0;
	char *name;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (unsigned)getpid();
	name = memory_format("%s.%0*x", path, NAME_DIGITS, random);
	if (strlen(name) < sizeof(((struct sockaddr_un *)0)->sun_path))
		return name;
	free(name);
	return NULL;
}

/* Looks at the file that bind() made, without following anything, and keeps it by a descriptor
 * (O_PATH) that must be closed; -1: something else stands there. */
static int look_at_file(const char *path, struct stat *made)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!fstat(fd, made) && S_ISSOCK(made->st_mode) && made->st_nlink == 1)
		return fd;
	close(fd);
	errno = EEXIST;
	return -1;
}

static int set_mode(int file, const struct stat *found, mode_t mode)
{
	char path[64];

	if ((found->st_mode & MODE_BITS) == mode)
		return 0;
	/* a default ACL of the folder can have its way in spite of the umask */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return chmod(path, mode);
}

static int set_owner(int file, const struct stat *found, uid_t uid, gid_t gid)
{
	if ((uid == (uid_t)-1 || uid == found->st_uid) &&
		(gid == (gid_t)-1 || gid == found->st_gid))
		return 0;
	return fchownat(file, "", uid, gid, AT_EMPTY_PATH);
}

static int set_file(int file, const struct stat *found, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	if (set_owner(file, found, settings->uid, settings->gid))
		return errmsg_errno(err, "%s: cannot change the owner", where);
	if (set_mode(file, found, settings->mode))
		return errmsg_errno(err, "%s: cannot change the mode", where);
	return 0;
}

/* Makes the socket that was just bound at `path` what was asked for, and remembers it. */
static int finish(struct listener *listener, const struct listener_settings *settings,
	const char *path, const char *where, struct errmsg *err)
{
	struct stat made;
	int file = look_at_file(path, &made);
	int result;

	if (file < 0)
		return errmsg_errno(err, "%s: the new socket's file was replaced", where);
	listener->dev = made.st_dev;
	listener->ino = made.st_ino;
	result = set_file(file, &made, settings, where, err);
	close(file);
	if (!result && listener_listen(listener->fd, settings))
		result = errmsg_errno(err, "cannot listen on %s", where);
	if (result)
		unlink(path);
	return result;
}

/* Puts the new socket over the stale one, if that is still there. */
static int take_place(const char *name, const char *path, const struct stat *stale,
	const char *where, struct errmsg *err)
{
	struct stat now;
	int saved;

	if (!lstat(path, &now) && !same_file(&now, stale)) {
		errno = EADDRINUSE;
		errmsg_set(err, "%s: another process has just made a file there", where);
	} else if (!rename(name, path)) {
		return 0;
	} else {
		errmsg_errno(err, "cannot replace the stale socket at %s", where);
	}
	saved = errno;
	unlink(name);
	errno = saved;
	return -1;
}

static int replace_stale(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	const char *path = settings->listen.path;
	struct stat stale;
	char *name;
	int result;

	if (probe_stale(path, &stale, where, err))
		return -1;
	name = name_beside(path);
	if (!name && unlink(path))
		return errmsg_errno(err, "cannot remove the stale socket at %s", where);
	if (bind_file(listener->fd, name ? name : path, settings->mode))
		result = errmsg_errno(err, "cannot bind %s", where);
	else
		result = finish(listener, settings, name ? name : path, where, err);
	if (!result && name)
		result = take_place(name, path, &stale, where, err);
	free(name);
	return result;
}

static int bind_path(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	if (!bind_file(listener->fd, settings->listen.path, settings->mode))
		return finish(listener, settings, settings->listen.path, where, err);
	if (errno == EADDRINUSE)
		return replace_stale(listener, settings, where, err);
	return errmsg_errno(err, "cannot bind %s", where);
}

static int bind_name(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	if (bind_abstract(listener->fd, settings->listen.path))
		return errmsg_errno(err, "cannot bind %s", where);
	if (listener_listen(listener->fd, settings))
		return errmsg_errno(err, "cannot listen on %s", where);
	return 0;
}

int listener_unix_bind(struct listener *listener, const struct listener_settings *settings,
	const char *where, struct errmsg *err)
{
	bool has_file = settings->listen.kind == ADDRESS_UNIX;
	int result, saved;

	listener->fd = socket(AF_UNIX, settings->type | SOCK_CLOEXEC, 0);
	if (listener->fd < 0)
		return errmsg_errno(err, "%s: cannot make a socket", where);
	if (has_file)
		result = bind_path(listener, settings, where, err);
	else
		result = bind_name(listener, settings, where, err);
	if (!result) {
		listener->path = has_file ? memory_copy_string(settings->listen.path) : NULL;
		return 0;
	}
	saved = errno;
	close(listener->fd);
	listener->fd = -1;
	errno = saved;
	return -1;
}

int listener_unix_set_file(const struct listener *listener,
	const struct listener_settings *settings, struct errmsg *err)
{
	struct stat found;
	int file = look_at_file(listener->path, &found);
	int result;

	if (file < 0)
		return errmsg_errno(err, "%s", listener->path);
	errno = ENOENT;
	if (found.st_dev != listener->dev || found.st_ino != listener->ino)
		result = errmsg_set(err, "%s is not our socket any more", listener->path);
	else
		result = set_file(file, &found, settings, listener->path, err);
	close(file);
	return result;
}

void listener_unix_unlink(const struct listener *listener)
{
	struct stat found;

	if (lstat(listener->path, &found))
		return;
	if (found.st_dev == listener->dev && found.st_ino == listener->ino)
		unlink(listener->path);
}

/* Also by another way, such as /var/run and /run. */
static bool same_path(const char *own, const char *path)
{
	struct stat a, b;

	return !strcmp(own, path) || (!stat(own, &a) && !stat(path, &b) && same_file(&a, &b));
}

/* One that was put over a stale file was bound to name_beside(), and says so for ever. */
static bool cut_name_beside(char *own)
{
	char *end = strrchr(own, '.');

	if (!end || strlen(end + 1) != NAME_DIGITS ||
		strspn(end + 1, "0123456789abcdef") != NAME_DIGITS)
		return false;
	*end = '\0';
	return true;
}

bool listener_unix_matches(int fd, const struct address *address)
{
	struct sockaddr_un own = {.sun_family = AF_UNSPEC};
	socklen_t bytes = sizeof(own);
	char path[sizeof(own.sun_path) + 1] = "";
	size_t length;

	if (getsockname(fd, (struct sockaddr *)&own, &bytes) || own.sun_family != AF_UNIX)
		return false;
	if (bytes <= offsetof(struct sockaddr_un, sun_path))
		return false; /* not bound */
	if (bytes > sizeof(own))
		bytes = sizeof(own);
	length = bytes - offsetof(struct sockaddr_un, sun_path);
	memcpy(path, own.sun_path, length);
	if (address->kind == ADDRESS_ABSTRACT)
		return !path[0] && length == strlen(address->path) + 1 &&
		       !memcmp(path + 1, address->path, length - 1);
	if (!path[0])
		return false;
	return same_path(path, address->path) ||
	       (cut_name_beside(path) && same_path(path, address->path));
}
