/*
 * Ending what we did not start. Signals go by pidfd, so no stranger gets one; a process group only
 * while its leader is known to live.
 */
#include "leavers.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "memory.h"
#include "process_look.h"
#include "sys.h"

#define LOOK_MS 20

void leavers_add(struct leavers *leavers, pid_t pid, int pidfd, int signal_number,
	int64_t timeout_ms, int64_t now_ms)
{
	leavers->leaver =
		memory_resize(leavers->leaver, leavers->count + 1, sizeof(*leavers->leaver));
	leavers->leaver[leavers->count++] =
		(struct leaver){.pid = pid, .pidfd = pidfd, .kill_at = now_ms + timeout_ms};
	sys_pidfd_signal(pidfd, signal_number);
	sys_pidfd_signal(pidfd, SIGCONT);
}

static void kill_leaver(struct leaver *leaver)
{
	leaver->killed = true;
	if (sys_pidfd_signal(leaver->pidfd, 0) == 0)
		sys_kill_group(leaver->pid, SIGKILL);
	sys_pidfd_signal(leaver->pidfd, SIGKILL);
}

size_t leavers_look(struct leavers *leavers, int64_t now_ms)
{
	size_t left = 0;

	for (size_t i = 0; i < leavers->count; i++) {
		struct leaver leaver = leavers->leaver[i];

		if (process_ended(leaver.pidfd)) {
			sys_close(leaver.pidfd);
			continue;
		}
		if (!leaver.killed && now_ms >= leaver.kill_at)
			kill_leaver(&leaver);
		leavers->leaver[left++] = leaver;
	}
	leavers->count = left;
	return left;
}

size_t leavers_wait(struct leavers *leavers, bool (*stop)(void))
{
	while (leavers_look(leavers, sys_now_ms()) > 0 && !(stop && stop())) {
		struct pollfd first = {.fd = leavers->leaver[0].pidfd, .events = POLLIN};

		poll(&first, 1, LOOK_MS);
	}
	return leavers->count;
}

void leavers_free(struct leavers *leavers)
{
	for (size_t i = 0; i < leavers->count; i++)
		sys_close(leavers->leaver[i].pidfd);
	free(leavers->leaver);
	*leavers = (struct leavers){0};
}
