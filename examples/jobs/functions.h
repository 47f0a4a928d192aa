#ifndef JOBS_FUNCTIONS_H
#define JOBS_FUNCTIONS_H
/* What this worker can do. */
#include <jansson.h>

/* Its result, a new reference; NULL: it failed, and *problem says why. args is the caller's. */
typedef json_t *(*job_function)(json_t *args, const char **problem);

/* NULL when there is none of this name. */
job_function function_find(const char *name);

#endif
