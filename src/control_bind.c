/*
 * The file of the control socket. It never has wider rights than asked for, not for a moment; what
 * stands in its place is removed only when it is a socket that nobody holds.
 */
#include "control_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "control_path.h"
#include "errmsg.h"

#define MODE_BITS  07777
#define ALL_RIGHTS 0777

static int try_bind(int fd, const struct control_path *where, mode_t mode)
{
	mode_t found = umask(~mode & ALL_RIGHTS);
	int result = bind(fd, (const struct sockaddr *)&where->address, sizeof(where->address));

	umask(found);
	return result;
}

/* Is what stands there a socket that nobody holds any more? -1 with the reason. The probe is a
 * datagram socket: with a living stream socket it fails by its type, and disturbs nobody. */
static int probe_stale(const struct control_path *where, const char *path, struct errmsg *err)
{
	struct stat found;
	int fd, refused;

	if (fstatat(where->dir_fd, where->name, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return errmsg_errno(err, "%s", path);
	errno = EEXIST;
	if (!S_ISSOCK(found.st_mode))
		return errmsg_set(err, "%s: there is a file that is not a socket", path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errmsg_errno(err, "%s: cannot make a socket", path);
	refused = connect(fd, (const struct sockaddr *)&where->address, sizeof(where->address)) < 0
			  ? errno
			  : 0;
	close(fd);
	if (refused == ECONNREFUSED)
		return 0;
	errno = EADDRINUSE;
	return errmsg_set(err, "%s: another process listens there", path);
}

static int bind_file(int fd, const struct control_path *where,
	const struct control_settings *settings, struct errmsg *err)
{
	/* Our own group shall not get what another one is to have, not for a moment. */
	mode_t at_first = settings->group == (gid_t)-1 ? settings->mode : settings->mode & ~070u;

	if (try_bind(fd, where, at_first) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return errmsg_errno(err, "cannot bind %s", settings->path);
	if (probe_stale(where, settings->path, err) < 0)
		return -1;
	if (unlinkat(where->dir_fd, where->name, 0) < 0)
		return errmsg_errno(err, "cannot remove the stale socket at %s", settings->path);
	if (try_bind(fd, where, at_first) < 0)
		return errmsg_errno(err, "cannot bind %s", settings->path);
	return 0;
}

/* The file that bind() made, without following anything; a descriptor (O_PATH), -1: something else
 * stands there. */
static int look_at_file(struct control_bound *bound, const struct control_path *where, mode_t *mode)
{
	int file = openat(where->dir_fd, where->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat made;

	if (file < 0)
		return -1;
	if (fstat(file, &made) == 0 && S_ISSOCK(made.st_mode) && made.st_nlink == 1) {
		bound->dev = made.st_dev;
		bound->ino = made.st_ino;
		*mode = made.st_mode & MODE_BITS;
		return file;
	}
	close(file);
	errno = EEXIST;
	return -1;
}

/* Group and mode of the file that was just made; the group first, since chown may take bits away.
 */
static int set_file(struct control_bound *bound, const struct control_path *where,
	const struct control_settings *settings, struct errmsg *err)
{
	char by_descriptor[64];
	mode_t mode;
	int file = look_at_file(bound, where, &mode);
	int result = 0;

	if (file < 0)
		return errmsg_errno(err, "%s: the new socket's file was replaced", settings->path);
	snprintf(by_descriptor, sizeof(by_descriptor), "/proc/self/fd/%d", file);
	if (settings->group != (gid_t)-1 &&
		fchownat(file, "", (uid_t)-1, settings->group, AT_EMPTY_PATH) < 0)
		result = errmsg_errno(err, "%s: cannot change the group", settings->path);
	else if (mode != settings->mode && chmod(by_descriptor, settings->mode) < 0)
		result = errmsg_errno(err, "%s: cannot change the mode", settings->path);
	close(file);
	return result;
}

static int bind_and_listen(struct control_bound *bound, const struct control_path *where,
	const struct control_settings *settings, struct errmsg *err)
{
	if (bind_file(bound->fd, where, settings, err) < 0)
		return -1;
	if (set_file(bound, where, settings, err) == 0) {
		if (listen(bound->fd, SOMAXCONN) == 0)
			return 0;
		errmsg_errno(err, "cannot listen on %s", settings->path);
	}
	control_unbind(bound, settings->path);
	return -1;
}

int control_bind(
	struct control_bound *bound, const struct control_settings *settings, struct errmsg *err)
{
	struct control_path where;
	int result = -1, saved;

	if (control_path_open(&where, settings->path, err) < 0)
		return -1;
	bound->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bound->fd < 0)
		errmsg_errno(err, "%s: cannot make a socket", settings->path);
	else
		result = bind_and_listen(bound, &where, settings, err);
	saved = errno;
	if (result < 0 && bound->fd >= 0)
		close(bound->fd);
	control_path_close(&where);
	errno = saved;
	return result;
}

void control_bound_take_up(struct control_bound *bound, const char *path, int fd)
{
	struct stat found;

	*bound = (struct control_bound){.fd = fd};
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (lstat(path, &found) < 0 || !S_ISSOCK(found.st_mode))
		return;
	bound->dev = found.st_dev;
	bound->ino = found.st_ino;
}

void control_unbind(const struct control_bound *bound, const char *path)
{
	struct stat found;
	int saved = errno;

	if (lstat(path, &found) == 0 && found.st_dev == bound->dev && found.st_ino == bound->ino)
		unlink(path);
	errno = saved;
}
