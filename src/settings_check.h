#ifndef PREFORKD_SETTINGS_CHECK_H
#define PREFORKD_SETTINGS_CHECK_H
/* The rules between keys: required ones, bounds of one by another, names that must exist, addresses
 * that overlap. Pure; what needs a look at the machine is preflight.c's. Floor 0. */

struct faults;
struct settings;

void settings_check(const struct settings *settings, struct faults *faults);

#endif
