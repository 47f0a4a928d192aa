#ifndef PREFORKD_TESTS_FAULT_WORLD_H
#define PREFORKD_TESTS_FAULT_WORLD_H
/* What tests with preforkd-faulty ask again and again: the harness of tests/daemon, and fault.h. */
#include "load.h"
#include "rolling_pool.h"

#include "fault.h"

#define WEB_WORKERS  4
#define NEAR_WORKERS 2
#define ALL_WORKERS  (WEB_WORKERS + NEAR_WORKERS)

/* main() of such a test. */
int faults_main(Suite *suite);

/* The page of this test. */
struct fault_page *faults(void);
/* From now on so many-th calls fail, or none: only counts then. error 0: one that is usual. */
void faults_fail(const char *call, long first, long last, int error);
/* From now on the supervisor stops itself at the point, which is waited for. */
void faults_stop_at(const char *point, long nth);
void faults_await_stop(void);
/* Nothing more happens. How many calls were counted. */
long faults_off(void);
/* Which call was made to fail, for messages. */
const char *faults_struck(void);

/* Two pools of hello workers, on a port and on a unix socket `s`. The port. */
int faulty_config(const char *more);
void faulty_launch(void); /* does not wait */
/* The same, and the first workers serve. */
int faulty_start(void);
/* Another one in the place of one that died, until it is ready. */
void faulty_rise(void);
/* Ends it, and nobody is left. */
void faulty_stop(void);
/* Both pools are full. */
bool is_full(void);
/* The same, and nobody else is there but the supervisor and so many others. */
void expect_full(int others);

#endif
