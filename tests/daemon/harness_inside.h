#ifndef PREFORKD_TESTS_HARNESS_INSIDE_H
#define PREFORKD_TESTS_HARNESS_INSIDE_H
/* What the files of the harness say to each other and tests need not know. */
#include <stdbool.h>
#include <sys/types.h>

void folder_make(void);
void folder_remove(const char *path);
void cgroups_remove(void);
void cgroups_thaw(void);
/* Kills every process that has `folder` in its environment or its arguments; how many there were.
 */
int janitor_kill_all(const char *folder);
pid_t janitor_pid(void);

#endif
