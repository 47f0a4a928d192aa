#ifndef PREFORKD_PROCESS_USAGE_H
#define PREFORKD_PROCESS_USAGE_H
/* What a process takes of the machine, from /proc/PID/stat. Floor 1. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_usage {
	int64_t resident_bytes;
	double cpu_sec; /* user and system, its own */
};

/* false: nobody knows (no /proc, no such process). */
bool process_usage_read(struct process_usage *usage, pid_t pid);

#endif
