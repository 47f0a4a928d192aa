#ifndef PREFORKD_IDENTITY_H
#define PREFORKD_IDENTITY_H
/* Whom a process runs as: plain data, made by users.c, used by spawn.c. Floor 0. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct identity {
	bool change; /* false: run as the supervisor does, and nothing below counts but uid and gid
		      */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; supplementary groups */
	size_t group_count;
	char *name, *home, *shell; /* owned; NULL unless `user` was given */
};

void identity_free(struct identity *identity);

#endif
