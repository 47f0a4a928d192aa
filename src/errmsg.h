#ifndef PREFORKD_ERRMSG_H
#define PREFORKD_ERRMSG_H
/*
 * The reason why a set-up step failed, in words for the user: filled by whoever failed, printed or
 * logged by whoever asked. Lives in the caller's frame; nothing to free. Floor 0.
 */

struct errmsg {
	char text[1024];
};

/* Formats the reason (cut at the end of text). Always returns -1, so a failing function can
 * `return errmsg_set(err, ...)`. err may be NULL. Keeps errno. */
int errmsg_set(struct errmsg *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, with ": " and strerror(errno) behind it. */
int errmsg_errno(struct errmsg *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
