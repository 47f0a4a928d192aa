#ifndef PREFORKD_STORED_NAME_H
#define PREFORKD_STORED_NAME_H
/*
 * Under which name (FDNAME) a listening socket lies in the service manager's descriptor store:
 * "preforkd/NAME", and for one that has a file "preforkd/NAME/DEV-INO", the file's numbers in hex.
 * No section can bear such a name, so none is taken for a socket that a socket unit passes. Floor
 * 0.
 */
#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

struct stored_name {
	char socket[SECTION_NAME_MAX + 1]; /* the section's */
	bool has_file;
	uint64_t dev, ino; /* of its file */
};

/* malloced. */
char *stored_name_format(const struct stored_name *name);
/* Is it one of ours, readable or not? */
bool stored_name_is(const char *text);
/* false: it is none, or not as stored_name_format() writes it. */
bool stored_name_read(struct stored_name *name, const char *text);

#endif
