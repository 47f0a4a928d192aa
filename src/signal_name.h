#ifndef PREFORKD_SIGNAL_NAME_H
#define PREFORKD_SIGNAL_NAME_H
/* Signals by name and number. Floor 0. */
#include <signal.h>
#include <stddef.h>

#define SIGNAL_NAMES_MAX _NSIG

/* "TERM", "SIGTERM", "term", "15", "RTMIN+3", "RTMAX-1": the number, or -1. */
int signal_number(const char *name);
/* "TERM", "RTMIN+3"; of a number that is no signal: "signal 99" (up to 129; else "no signal").
 * Points to static storage that is never overwritten (one string a signal). */
const char *signal_name(int signal_number);
/* The name of each signal in the order of numbers, for suggestions; how many there are. */
size_t signal_names(const char *names[SIGNAL_NAMES_MAX]);

#endif
