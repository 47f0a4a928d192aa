/*
 * One answer for all who open things at the start, so that the same refusal does not end in
 * different statuses. EAGAIN is not among what the machine lacks: a file that somebody else has
 * locked says it, too.
 */
#include "exit_status.h"

#include <errno.h>
#include <sysexits.h>

bool errno_is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int exit_status_of_errno(int error)
{
	switch (error) {
	case EACCES:
	case EPERM: return EX_NOPERM;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSYS: return EX_OSERR;
	default: return EX_CANTCREAT;
	}
}
