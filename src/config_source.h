#ifndef PREFORKD_CONFIG_SOURCE_H
#define PREFORKD_CONFIG_SOURCE_H
/*
 * The files that a configuration is read from: their bytes, and which ones a pattern stands for.
 * Floor 1.
 */
#include <stdbool.h>
#include <stddef.h>

struct errmsg;
struct words;

enum config_source {
	CONFIG_MAIN, /* a file, or a pipe such as a shell's <(...), whose writer is waited for */
	CONFIG_INCLUDED, /* a regular file; never waits */
};

struct config_bytes {
	char *bytes; /* the caller frees */
	size_t length;
};

/* 0, or -1 with errno and the reason ("cannot be read: ...") and nothing to free. What has more
 * than max_bytes is refused (EFBIG). */
int config_source_read(struct config_bytes *out, const char *path, enum config_source source,
	size_t max_bytes, struct errmsg *err);
/* Appends the paths that an absolute pattern of glob(7) stands for, sorted byte by byte: without a
 * wildcard its own, whether it is there or not. 0, or -1 with the reason: a folder that is there
 * could not be read. */
int config_source_find(struct words *paths, const char *pattern, struct errmsg *err);
/* Are both there, and the same file? */
bool config_source_same(const char *path, const char *other);

#endif
