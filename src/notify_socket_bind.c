/*
 * The addresses of sockets for notifications. A file is made beside its name, in a folder of ours,
 * gets mode and owner there and is renamed: no worker ever finds none, or one with other rights.
 * Must not touch a file that is no socket.
 */
#include "notify_socket_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "errmsg.h"
#include "logger.h"
#include "memory.h"
#include "sys.h"

#define FILE_MODE     0666
#define NOT_FILE_MODE 0111

/* --- files --- */

static int random_number(uint64_t *number)
{
	return getrandom(number, sizeof(*number), GRND_INSECURE) == sizeof(*number) ? 0 : -1;
}

/* The kernel takes the umask off a socket file's 0777. */
static int bind_in(int fd, int dir_fd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t found;
	int result;

	/* through /proc, since `path` may leave no room for a longer name beside it */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
	found = umask(NOT_FILE_MODE);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(found);
	return result;
}

/* A file that was just bound: its rights, and what it is. */
static int dress_file(struct notify_socket *notify, const struct notify_socket_settings *settings,
	int dir_fd, const char *name)
{
	struct stat made;

	/* a default ACL of the folder can have its way in spite of the umask */
	if (fchmodat(dir_fd, name, FILE_MODE, 0))
		return -1;
	if (fchownat(dir_fd, name, settings->uid, settings->gid, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (fstatat(dir_fd, name, &made, AT_SYMLINK_NOFOLLOW))
		return -1;
	notify->dev = made.st_dev;
	notify->ino = made.st_ino;
	notify->has_file = true;
	return 0;
}

/* May our socket take the place of what stands there? */
static int check_place(int dir_fd, const char *name, const char *path, struct errmsg *err)
{
	struct stat there;

	if (fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW)) {
		if (errno == ENOENT)
			return 0;
		return errmsg_errno(err, "%s", path);
	}
	if (S_ISSOCK(there.st_mode))
		return 0; /* nobody else makes any in this folder: an earlier one of ours */
	errno = EEXIST;
	return errmsg_set(err, "%s: there is a file that is not a socket", path);
}

static int bind_file_in(struct notify_socket *notify, const struct notify_socket_settings *settings,
	int fd, int dir_fd, struct errmsg *err)
{
	const char *name = strrchr(settings->path, '/') + 1;
	char beside[32];
	uint64_t number;
	int saved;

	if (check_place(dir_fd, name, settings->path, err))
		return -1;
	if (random_number(&number))
		return errmsg_errno(err, "cannot get a random number");
	snprintf(beside, sizeof(beside), ".notify.%08lx", (unsigned long)(number & 0xffffffff));
	if (bind_in(fd, dir_fd, beside))
		return errmsg_errno(err, "cannot bind %s%s", settings->path,
			errno == ENOENT && access("/proc/self/fd", F_OK)
				? ", since there is no /proc"
				: "");
	if (!dress_file(notify, settings, dir_fd, beside) &&
		!renameat(dir_fd, beside, dir_fd, name))
		return 0;
	errmsg_errno(err, "%s: cannot make the socket's file", settings->path);
	saved = errno;
	unlinkat(dir_fd, beside, 0);
	errno = saved;
	return -1;
}

int notify_socket_bind_file(struct notify_socket *notify,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int result, saved, dir_fd;

	snprintf(folder, sizeof(folder), "%.*s",
		(int)(strrchr(settings->path, '/') + 1 - settings->path), settings->path);
	dir_fd = sys_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir_fd < 0)
		return errmsg_errno(err, "%s: cannot open its folder", settings->path);
	result = bind_file_in(notify, settings, fd, dir_fd, err);
	saved = errno;
	sys_close(dir_fd);
	errno = saved;
	if (!result)
		notify->address = memory_copy_string(settings->path);
	return result;
}

/* --- names --- */

/* name: "@" and what follows the NUL. */
static int bind_name(struct notify_socket *notify, int fd, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);

	if (name[0] != '@' || length < 2 || length > sizeof(address.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(address.sun_path + 1, name + 1, length - 1);
	length += offsetof(struct sockaddr_un, sun_path);
	if (bind(fd, (struct sockaddr *)&address, (socklen_t)length))
		return -1;
	notify->address = memory_copy_string(name);
	return 0;
}

static int bind_new_name(struct notify_socket *notify, int fd, struct errmsg *err)
{
	uint64_t number[2];
	char name[64];

	if (random_number(&number[0]) || random_number(&number[1]))
		return errmsg_errno(err, "cannot get a random number");
	snprintf(name, sizeof(name), "@preforkd-%016llx%016llx", (unsigned long long)number[0],
		(unsigned long long)number[1]);
	if (bind_name(notify, fd, name))
		return errmsg_errno(err, "cannot bind %s", name);
	return 0;
}

int notify_socket_bind_name(struct notify_socket *notify,
	const struct notify_socket_settings *settings, int fd, struct errmsg *err)
{
	if (settings->again) {
		if (!bind_name(notify, fd, settings->again))
			return 0;
		log_warning(NULL,
			"%s cannot be had again (%s): notifications of adopted workers are lost",
			settings->again, strerror(errno));
	}
	return bind_new_name(notify, fd, err);
}
