#ifndef PREFORKD_MEMORY_H
#define PREFORKD_MEMORY_H
/*
 * Memory that must be had: small allocations (a name, a slot, a list entry), of which there is no
 * way back. The daemon keeps a reserve for them: when malloc(3) refuses, the reserve goes, and what
 * is under way can be finished. Until it is there again, all that can be refused is. Where it is
 * not enough, and in programs without one, they end the program with a message on standard error
 * and exit status 70. Whatever a reload, a control client or a worker's output can ask for in bulk
 * uses malloc(3) and refuses instead. Floor 0.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void *memory_alloc(size_t bytes);                             /* zeroed */
void *memory_resize(void *block, size_t count, size_t bytes); /* new part not zeroed */
char *memory_copy_string(const char *text);                   /* NULL stays NULL */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *memory_format_list(const char *format, va_list arguments)
	__attribute__((format(printf, 1, 0)));

/* Is the reserve there? Gets it, the first time and after it was used up; false: there is no memory
 * for it, and nothing should be begun that can be refused. */
bool memory_ready(void);
void memory_release_reserve(void);

#endif
