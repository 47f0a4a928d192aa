/*
 * Whoever is found absent goes back to the last look: until the deadline there is as much time
 * again as there was then, in which a worker that was frozen with us can say that it lives. Once a
 * deadline: on a machine where we are always late, each one still comes.
 */
#include "attendance.h"

int64_t attendance_now(
	struct attendance *attendance, int64_t real_ms, int64_t due_at, int64_t *found_ms)
{
	int64_t now_ms = real_ms - attendance->absent_ms, then_ms = now_ms;

	if (due_at < now_ms && now_ms - due_at > ATTENDANCE_LATE_MS) {
		then_ms = due_at;
		if (due_at > attendance->spared_at && attendance->looked_at < due_at)
			then_ms = attendance->looked_at;
		attendance->spared_at = due_at;
	}
	*found_ms = now_ms - then_ms;
	attendance->absent_ms += *found_ms;
	attendance->looked_at = then_ms;
	return then_ms;
}
