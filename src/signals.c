/*
 * All signals blocked, all read from a signalfd. No handler is ever installed. The C library keeps
 * two real-time signals to itself and leaves them out of the sets it fills: they would kill us by
 * default, so the sets here are filled by hand and set by the system call itself.
 */
#include "signals.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "errmsg.h"

#define KERNEL_SIGSET_BYTES ((_NSIG - 1) / 8)

int signals_open(struct signals *signals, struct errmsg *err)
{
	sigset_t every;

	memset(&every, 0xff, sizeof(every));
	signals->fd = signalfd(-1, &every, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return errmsg_errno(err, "cannot open a descriptor for signals");
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, NULL, KERNEL_SIGSET_BYTES)) {
		signals_close(signals);
		return errmsg_errno(err, "cannot block signals");
	}
	return 0;
}

bool signals_read(struct signals *signals, struct signal_event *event)
{
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGPIPE && (pid_t)info.ssi_pid == getpid())
			continue;
		*event = (struct signal_event){
			.number = (int)info.ssi_signo,
			.pid = (pid_t)info.ssi_pid,
			.uid = info.ssi_uid,
			.code = info.ssi_code,
		};
		return true;
	}
	return false;
}

void signals_close(struct signals *signals)
{
	if (signals->fd >= 0)
		close(signals->fd);
	signals->fd = -1;
}
