#ifndef PREFORKD_EXIT_STATUS_H
#define PREFORKD_EXIT_STATUS_H
/* Exit statuses (sysexits(3)) by what the system said. Floor 0. */
#include <stdbool.h>

/* Something that had to be opened or made at the start could not be, for this errno: EX_NOPERM,
 * EX_OSERR when the machine has nothing left, else EX_CANTCREAT. */
int exit_status_of_errno(int error);
/* Has the machine, or have we, nothing left for the moment? The same may work later. */
bool errno_is_shortage(int error);

#endif
