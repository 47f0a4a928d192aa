#ifndef PREFORKD_HELPER_PROGRAM_H
#define PREFORKD_HELPER_PROGRAM_H
/* Where the programs are that belong to preforkd and are not on PATH (preforkd-top, preforkd-http).
 * Floor 1. */

/* In the folder where they are installed, or beside our own binary, as in a tree that was only
 * built. malloced; whether it is there shows when it is started. */
char *helper_program(const char *folder, const char *name);
/* The same of a library, which libtool builds in a folder of its own. */
char *helper_library(const char *folder, const char *name);

/* Our own, absolute, as it was called if that leads to it (so that a link that is moved on to a
 * newer version is followed). malloced; NULL where that is unknown (no /proc). */
char *own_program(const char *argv0);

#endif
