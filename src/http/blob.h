#ifndef PREFORKD_HTTP_BLOB_H
#define PREFORKD_HTTP_BLOB_H
/*
 * Text that grows, and bytes that many share. A text that found no memory stays failed and is
 * finished as NULL: the visitor who asked gets an error, the program goes on. Pure.
 */
#include <stdbool.h>
#include <stddef.h>

struct blob {
	unsigned users;
	size_t length;
	char bytes[];
};

struct text {
	char *bytes; /* owned; not ended by NUL */
	size_t length, size;
	bool failed;
};

struct blob *blob_new(const char *bytes, size_t length); /* one user; NULL: no memory */
struct blob *blob_share(struct blob *blob);
void blob_drop(struct blob *blob); /* NULL is fine */

void text_add(struct text *text, const char *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_cut_front(struct text *text, size_t length);
void text_free(struct text *text);
/* The text as a blob, NULL when it failed; the text is empty afterwards. */
struct blob *text_finish(struct text *text);

#endif
