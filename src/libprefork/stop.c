/*
 * Leaving: by the mark in the line, or by a signal. Rule: a stop signal is blocked for good, and
 * that it is pending is the only record that it came. So it disturbs no call of the job at hand,
 * needs no handler, and every thread sees it. Must not end the process, nor decide when it leaves.
 */
#include "prefork.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "inside.h"

static struct {
	sigset_t signals;   /* that stop us */
	sigset_t unblocked; /* those of them that we blocked */
	volatile bool any;
	int fd; /* a signalfd; valid if any */
} stop;

bool prefork_stop_is_set(void)
{
	return stop.any;
}

int prefork_stop_fd(void)
{
	return stop.any ? stop.fd : -1;
}

void prefork_stop_forget(void)
{
	if (!stop.any)
		return;
	stop.any = false;
	close(stop.fd);
	pthread_sigmask(SIG_UNBLOCK, &stop.unblocked, NULL);
}

static int stop_begin(void)
{
	sigemptyset(&stop.signals);
	sigemptyset(&stop.unblocked);
	stop.fd = signalfd(-1, &stop.signals, SFD_CLOEXEC | SFD_NONBLOCK);
	stop.any = stop.fd >= 0;
	return stop.any ? 0 : -1;
}

int prefork_stop_on(int signal_number)
{
	sigset_t one, before;

	sigemptyset(&one);
	if (signal_number == SIGKILL || signal_number == SIGSTOP ||
		sigaddset(&one, signal_number) < 0) {
		errno = EINVAL;
		return -1;
	}
	if (!stop.any && stop_begin() < 0)
		return -1;
	pthread_sigmask(SIG_BLOCK, &one, &before);
	if (!sigismember(&before, signal_number))
		sigaddset(&stop.unblocked, signal_number);
	sigaddset(&stop.signals, signal_number);
	return signalfd(stop.fd, &stop.signals, 0) < 0 ? -1 : 0;
}

static bool signal_has_come(void)
{
	sigset_t pending;

	if (!stop.any || sigpending(&pending) < 0)
		return false;
	sigandset(&pending, &pending, &stop.signals);
	return !sigisemptyset(&pending);
}

int prefork_stopping(void)
{
	return signal_has_come() || prefork_report_is_retired();
}

int prefork_take(const char *note)
{
	prefork_busy(NULL);
	if (prefork_stopping())
		return 0;
	if (note)
		prefork_note(note);
	return 1;
}
