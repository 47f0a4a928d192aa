#ifndef PREFORKD_MEMORY_H
#define PREFORKD_MEMORY_H
/*
 * Memory that must be had: small allocations (a name, a slot, a list entry) end the program with a
 * message on standard error and exit status 70 when there is none. Whatever a reload, a control
 * client or a worker's output can ask for in bulk uses malloc(3) and refuses instead. Floor 0.
 */
#include <stddef.h>

void *memory_alloc(size_t bytes);                             /* zeroed */
void *memory_resize(void *block, size_t count, size_t bytes); /* new part not zeroed */
char *memory_copy_string(const char *text);                   /* NULL stays NULL */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
