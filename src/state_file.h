#ifndef PREFORKD_STATE_FILE_H
#define PREFORKD_STATE_FILE_H
/*
 * Where a saved state lies: in a file beside the scoreboard, for whoever comes after our death, or
 * in sealed memory that goes through an exec of ourselves. Floor 1.
 */
#include <stddef.h>

struct errmsg;

#define STATE_FILE_NAME "state"

/* A new file in the place of the old one, in a folder of ours. -1 with the reason and errno; the
 * old one stays then. */
int state_file_save(int dir_fd, const char *bytes, size_t length, struct errmsg *err);
/* Its bytes, malloced. NULL with the reason and errno (ENOENT: there is none): it must be a regular
 * file of ours that nobody else can read or write. */
char *state_file_load(int dir_fd, size_t *length, struct errmsg *err);
void state_file_remove(int dir_fd);

/* A descriptor (CLOEXEC) of memory with these bytes that nobody can change any more; -1 with the
 * reason. */
int state_memory_make(const char *bytes, size_t length, struct errmsg *err);
/* The bytes behind such a descriptor, malloced; NULL with the reason. */
char *state_memory_load(int fd, size_t *length, struct errmsg *err);

#endif
