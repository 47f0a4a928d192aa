#ifndef PREFORKD_SCOREBOARD_FILE_H
#define PREFORKD_SCOREBOARD_FILE_H
/*
 * The file of a scoreboard on disk: made, kept under its name, checked, mended. A part of
 * scoreboard.c, which alone uses it. What stands at the path is never opened unless it is a regular
 * file of the right owner, and nothing is reached by a path beyond the folder, whose descriptor is
 * held from the start. Floor 1.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct errmsg;

#define SCOREBOARD_FILE_MODE 0644

/* What can be wrong with the file as a whole. */
enum {
	SCOREBOARD_FILE_SHORT = 1,  /* it was truncated */
	SCOREBOARD_FILE_ACCESS = 2, /* its mode or owner changed */
	SCOREBOARD_FILE_NAME = 4,   /* its path leads to something else, or nowhere */
	SCOREBOARD_FILE_GONE = 8,   /* it has no name at all any more */
	SCOREBOARD_FILE_LONG = 16,  /* something stands behind its end */
};

struct scoreboard_file {
	char *path;       /* owned */
	const char *name; /* the last component, in path */
	int dir_fd;
	int fd; /* open for reading and writing; -1: not made yet */
	uid_t uid;
	gid_t gid;
};

/* uid and gid: who is to own the file; -1: as it comes. 0, or -1 with the reason and errno. */
int scoreboard_file_init(
	struct scoreboard_file *file, const char *path, uid_t uid, gid_t gid, struct errmsg *err);
/* Closes the descriptors; with `remove`, the name goes too if it still leads to our file. */
void scoreboard_file_fini(struct scoreboard_file *file, bool remove);

/* A new file with these contents in the place of whatever bears the name. file->fd becomes its
 * descriptor; a former one stays open and is the caller's to close. */
int scoreboard_file_make(
	struct scoreboard_file *file, const char *contents, size_t bytes, struct errmsg *err);
/* Takes up the file that is there, if it is a regular one of the right owner with one name. Sets
 * file->fd and *bytes, its size. */
int scoreboard_file_take(struct scoreboard_file *file, off_t *bytes);

/* SCOREBOARD_FILE_ bits; 0: all is well. */
unsigned scoreboard_file_check(const struct scoreboard_file *file, off_t bytes);
int scoreboard_file_resize(const struct scoreboard_file *file, off_t bytes);
/* Mode and owner as they were. */
int scoreboard_file_mend_access(const struct scoreboard_file *file);
/* The name leads to our file again; it must have some name (else the kernel refuses). */
int scoreboard_file_mend_name(const struct scoreboard_file *file);

/* A description of its own of the same file, CLOEXEC. -1 with errno. */
int scoreboard_file_open_again(const struct scoreboard_file *file);

#endif
