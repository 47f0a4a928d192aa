#ifndef PREFORKD_FAKE_TIME_H
#define PREFORKD_FAKE_TIME_H
/* What fake_sys.c and fake_time.c share; tests use fake_sys.h. */
#include <stddef.h>

void fake_time_reset(void);
/* Says what went wrong and when, and ends the test. */
void fake_impossible(const char *what) __attribute__((noreturn));
/* The list with one more at its end, zeroed. */
void *fake_append(void *list, size_t *count, size_t bytes);

#endif
