/*
 * Names to ids. What cannot be found is an error: a worker that was to run as somebody else must
 * never run as us. Reads the databases by their reentrant functions with a buffer that grows.
 */
#include "users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "errmsg.h"
#include "memory.h"
#include "words.h"

#define BUFFER_BYTES     1024
#define BUFFER_MAX_BYTES (16 << 20)

/* A look-up by name, or, when name is NULL, by id. Like getpwnam_r(3) and its kin. */
typedef int look_up(
	const char *name, unsigned id, char *buffer, size_t bytes, void *entry, bool *found);

static int look_up_user(
	const char *name, unsigned id, char *buffer, size_t bytes, void *entry, bool *found)
{
	struct passwd *result = NULL;
	int error = name ? getpwnam_r(name, entry, buffer, bytes, &result)
			 : getpwuid_r(id, entry, buffer, bytes, &result);

	*found = result != NULL;
	return error;
}

static int look_up_group(
	const char *name, unsigned id, char *buffer, size_t bytes, void *entry, bool *found)
{
	struct group *result = NULL;
	int error = name ? getgrnam_r(name, entry, buffer, bytes, &result)
			 : getgrgid_r(id, entry, buffer, bytes, &result);

	*found = result != NULL;
	return error;
}

/* Some sources say "not found" by one of these. */
static bool means_unknown(int error)
{
	return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* Fills *entry, whose strings are in *buffer (the caller frees it in every case). 0; 1: there is no
 * such entry; -1: the database could not be read, errno says why. */
static int find_entry(look_up *look, const char *name, unsigned id, void *entry, char **buffer)
{
	bool found = false;
	int error = ERANGE;

	*buffer = NULL;
	for (size_t bytes = BUFFER_BYTES; error == ERANGE && bytes <= BUFFER_MAX_BYTES;
		bytes *= 4) {
		*buffer = memory_resize(*buffer, bytes, 1);
		do {
			error = look(name, id, *buffer, bytes, entry, &found);
		} while (error == EINTR);
	}
	if (found)
		return 0;
	if (means_unknown(error))
		return 1;
	errno = error;
	return -1;
}

/* All digits, and an id that setuid(2) can take: -1 means "leave it" to many calls. */
static bool parse_id(unsigned *id, const char *text)
{
	uint64_t number = 0;

	if (!*text || strlen(text) > 10 || text[strspn(text, "0123456789")])
		return false;
	number = strtoull(text, NULL, 10);
	if (number >= UINT32_MAX)
		return false;
	*id = (unsigned)number;
	return true;
}

int users_group(gid_t *out, const char *group, struct errmsg *err)
{
	struct group entry;
	unsigned id;
	char *buffer;
	int found;

	if (parse_id(&id, group)) {
		*out = id;
		return 0;
	}
	found = find_entry(look_up_group, group, 0, &entry, &buffer);
	if (found == 0)
		*out = entry.gr_gid;
	free(buffer);
	if (found < 0)
		return errmsg_errno(err, "cannot look up the group \"%.80s\"", group);
	return found == 0 ? 0 : errmsg_set(err, "unknown group \"%.80s\"", group);
}

static void take_entry(struct identity *out, const struct passwd *entry)
{
	out->uid = entry->pw_uid;
	out->gid = entry->pw_gid;
	out->name = memory_copy_string(entry->pw_name);
	out->home = memory_copy_string(entry->pw_dir && *entry->pw_dir ? entry->pw_dir : "/");
	out->shell = memory_copy_string(
		entry->pw_shell && *entry->pw_shell ? entry->pw_shell : "/bin/sh");
}

/* group: is one given, that the user need not have an entry for? */
static int find_user(struct identity *out, const char *user, bool group, struct errmsg *err)
{
	struct passwd entry;
	unsigned id = 0;
	bool numeric = parse_id(&id, user);
	char *buffer;
	int found = find_entry(look_up_user, numeric ? NULL : user, id, &entry, &buffer);

	if (found == 0)
		take_entry(out, &entry);
	free(buffer);
	if (found < 0)
		return errmsg_errno(err, "cannot look up the user \"%.80s\"", user);
	if (found == 0)
		return 0;
	if (!numeric)
		return errmsg_set(err, "unknown user \"%.80s\"", user);
	if (!group)
		return errmsg_set(err, "user %s has no entry, so a group must be given", user);
	out->uid = id;
	return 0;
}

/* The supplementary groups that are named. */
static int take_groups(struct identity *out, const struct words *groups, struct errmsg *err)
{
	out->groups = memory_alloc(groups->count * sizeof(gid_t));
	for (size_t i = 0; i < groups->count; i++)
		if (users_group(&out->groups[i], groups->word[i], err) < 0)
			return -1;
	out->group_count = groups->count;
	return 0;
}

/* Those of the user's entry. */
static int find_groups(struct identity *out, struct errmsg *err)
{
	int count = 64, room;

	do {
		room = count;
		out->groups = memory_resize(out->groups, (size_t)room, sizeof(gid_t));
		if (getgrouplist(out->name, out->gid, out->groups, &count) >= 0) {
			out->group_count = (size_t)count;
			return 0;
		}
	} while (count > room);
	return errmsg_set(err, "cannot look up the groups of \"%.80s\"", out->name);
}

/* Our own, for a worker that only changes its group. */
static int copy_own_groups(struct identity *out, struct errmsg *err)
{
	int count = getgroups(0, NULL);

	if (count > 0) {
		out->groups = memory_alloc((size_t)count * sizeof(gid_t));
		count = getgroups(count, out->groups);
	}
	if (count < 0)
		return errmsg_errno(err, "getgroups");
	out->group_count = (size_t)count;
	return 0;
}

static int resolve(struct identity *out, const char *user, const char *group,
	const struct words *groups, struct errmsg *err)
{
	if (user && find_user(out, user, group != NULL, err) < 0)
		return -1;
	if (group && users_group(&out->gid, group, err) < 0)
		return -1;
	if (groups && groups->count > 0)
		return take_groups(out, groups, err);
	if (out->name)
		return find_groups(out, err);
	return user ? 0 : copy_own_groups(out, err);
}

int users_resolve(struct identity *out, const char *user, const char *group,
	const struct words *groups, struct errmsg *err)
{
	bool named = groups && groups->count > 0;

	*out = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (!user && !group && !named)
		return 0;
	if (resolve(out, user, group, groups, err) < 0) {
		identity_free(out);
		return -1;
	}
	/* Without privileges not even our own identity can be set anew. */
	out->change = geteuid() == 0 || named || out->uid != geteuid() || out->gid != getegid();
	return 0;
}
