#ifndef PREFORKD_USERS_H
#define PREFORKD_USERS_H
/* Look-ups in the user and group databases (getpwnam(3), getgrnam(3), getgrouplist(3)). Floor 1. */
#include "identity.h"

struct errmsg;
struct words;

/* What `user`, `group` and `groups` (each may be NULL or empty) stand for. An unknown name is an
 * error, never the supervisor's own identity (CVE-2017-1000082's class). Numeric ids are taken as
 * they are; a numeric user without an entry needs a group. 0 or -1. */
int users_resolve(struct identity *out, const char *user, const char *group,
	const struct words *groups, struct errmsg *err);
/* One group's id; 0 or -1. */
int users_group(gid_t *out, const char *group, struct errmsg *err);

#endif
