#ifndef PREFORKD_FAULTS_H
#define PREFORKD_FAULTS_H
/*
 * What is wrong with a configuration: every fault found, in the order of the files, each a line
 * `FILE:LINE: [SECTION] KEY: what is wrong`, warnings with "warning: " before what is wrong. They
 * do not count as faults. Floor 0.
 */
#include <stdbool.h>
#include <stddef.h>

struct fault {
	char *text; /* the whole line, owned */
	char *file; /* owned; NULL: left out */
	int line;
	bool warning;
};

struct faults {
	struct fault *fault;
	size_t count;
	size_t errors; /* without the warnings */
};

/* Begin with {0}. Puts a fault in its place by file (in the order in which files first appeared)
 * and line. file, section ("pool:web") and key may be NULL, line 0: left out. */
void faults_add(struct faults *faults, const char *file, int line, const char *section,
	const char *key, const char *format, ...) __attribute__((format(printf, 6, 7)));
void faults_warn(struct faults *faults, const char *file, int line, const char *section,
	const char *key, const char *format, ...) __attribute__((format(printf, 6, 7)));
void faults_free(struct faults *faults);

#endif
