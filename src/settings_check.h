#ifndef PREFORKD_SETTINGS_CHECK_H
#define PREFORKD_SETTINGS_CHECK_H
/* The rules between keys: required ones, bounds of one by another, names that must exist, addresses
 * that overlap. Pure; what needs a look at the machine is preflight.c's. Floor 0. */

#include <stdbool.h>

struct faults;
struct settings;
struct socket_settings;

void settings_check(const struct settings *settings, struct faults *faults);
/* Would binding one after the other fail? */
bool settings_sockets_overlap(const struct socket_settings *a, const struct socket_settings *b);

#endif
