#ifndef PREFORKD_PREFLIGHT_H
#define PREFORKD_PREFLIGHT_H
/* What `-t` checks beyond the file itself, and every start and reload too: commands found and
 * executable, users and groups known, folders there, host names that resolve. Binds and writes
 * nothing. Floor 2. */

struct faults;
struct settings;

void preflight_check(const struct settings *settings, struct faults *faults);

#endif
