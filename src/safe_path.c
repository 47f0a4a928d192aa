/*
 * The way is gone step by step, and each link is read by the descriptor that it was looked at with:
 * nobody can put another one in its place in between. Must not make anything.
 */
#include "safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "errmsg.h"

#define LINKS_MAX 40 /* as in the kernel */

struct way {
	int fd;              /* how far we are */
	char rest[PATH_MAX]; /* what is left to go */
	int links;
	bool led;     /* by a link of a stranger ... */
	uid_t leader; /* ... of this one */
};

static int fail(int error)
{
	errno = error;
	return -1;
}

static int step(struct way *way, int fd)
{
	if (fd < 0)
		return -1;
	close(way->fd);
	way->fd = fd;
	return 0;
}

/* Takes the first name off what is left; false: there is none. */
static bool next_name(struct way *way, char name[NAME_MAX + 1], bool *too_long)
{
	const char *from = way->rest + strspn(way->rest, "/");
	size_t length = strcspn(from, "/");

	*too_long = length > NAME_MAX;
	if (length == 0 || *too_long)
		return false;
	memcpy(name, from, length);
	name[length] = '\0';
	memmove(way->rest, from + length, strlen(from + length) + 1);
	return true;
}

/* A stranger's link: he answers for where it leads. */
static int note_leader(struct way *way, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return 0;
	if (way->led && way->leader != uid)
		return fail(EPERM);
	way->led = true;
	way->leader = uid;
	return 0;
}

static int follow(struct way *way, int link_fd, uid_t uid)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(link_fd, "", target, sizeof(target) - 1);
	size_t left = strlen(way->rest);

	if (length < 0 || note_leader(way, uid) < 0)
		return -1;
	if (++way->links > LINKS_MAX)
		return fail(ELOOP);
	if ((size_t)length + 1 + left >= sizeof(way->rest))
		return fail(ENAMETOOLONG);
	memmove(way->rest + length + 1, way->rest, left + 1);
	memcpy(way->rest, target, (size_t)length);
	way->rest[length] = '/';
	return target[0] == '/' ? step(way, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int go(struct way *way, const char *name)
{
	int fd = openat(way->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat found;
	int result, saved;

	if (fd < 0)
		return -1;
	if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode))
		return step(way, fd);
	result = S_ISLNK(found.st_mode) ? follow(way, fd, found.st_uid) : fail(ENOTDIR);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static int arrive(const struct way *way)
{
	struct stat folder;

	if (!way->led)
		return 0;
	if (fstat(way->fd, &folder) < 0)
		return -1;
	return folder.st_uid == way->leader ? 0 : fail(EPERM);
}

static int walk(struct way *way)
{
	char name[NAME_MAX + 1];
	bool too_long;

	while (next_name(way, name, &too_long))
		if (go(way, name) < 0)
			return -1;
	return too_long ? fail(ENAMETOOLONG) : arrive(way);
}

int safe_path_open_folder(const char *path, struct errmsg *err)
{
	struct way way = {.fd = -1};
	int saved;

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(way.rest))
		return errmsg_errno(err, "cannot open its folder");
	memcpy(way.rest, path, strlen(path) + 1);
	way.fd = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (way.fd >= 0 && walk(&way) == 0)
		return way.fd;
	saved = errno;
	if (way.fd >= 0)
		close(way.fd);
	errno = saved;
	if (saved == EPERM && way.led)
		return errmsg_set(err,
			"a link on the way belongs to user %lu, the folder it leads to does not",
			(unsigned long)way.leader);
	return errmsg_errno(err, "cannot open its folder");
}
