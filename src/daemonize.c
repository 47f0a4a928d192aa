/*
 * Three processes: the one that was called, one in between that leads the new session and leaves it
 * at once, and the daemon, which can therefore never get a terminal again. The first is a
 * subreaper, so the daemon is its child and its pid cannot become a stranger's while it waits. Must
 * not be used once signals are blocked for good or a loop is open.
 */
#include "daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "errmsg.h"
#include "signal_name.h"

#define MAX_TRIED (1 << 20) /* a limit of 2^30 would take minutes */

/* What goes to the first process, one datagram each: who the daemon is, and how the start went. */
struct word {
	pid_t pid; /* 0: this is the report */
	int status;
	struct errmsg reason;
};

struct waiter {
	int daemon_fd, signal_fd;
	pid_t pid; /* of the daemon; 0: not known */
	bool reported;
	int status;
	struct errmsg reason;
	int ended_by; /* the signal by which somebody ended the start, or 0 */
};

static bool say(int fd, const struct word *word)
{
	return send(fd, word, sizeof(*word), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*word);
}

void daemonize_report(struct daemon *daemon, int status, const char *message)
{
	struct word word = {.status = status};

	if (daemon->caller_fd < 0)
		return;
	errmsg_set(&word.reason, "%s", message);
	say(daemon->caller_fd, &word); /* whoever does not listen any more need not know */
	close(daemon->caller_fd);
	daemon->caller_fd = -1;
}

/* --- the daemon --- */

static int open_null(struct errmsg *err)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errmsg_errno(err, "/dev/null");
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (dup2(fd, i) < 0)
			return errmsg_errno(err, "descriptor %d", i);
	close(fd);
	return 0;
}

static void close_between(unsigned first, unsigned last)
{
	struct rlimit nofile = {.rlim_max = MAX_TRIED};

	if (first > last || !close_range(first, last, 0))
		return;
	/* before Linux 5.9 */
	getrlimit(RLIMIT_NOFILE, &nofile);
	if (nofile.rlim_max > MAX_TRIED)
		nofile.rlim_max = MAX_TRIED;
	for (rlim_t fd = first; fd <= last && fd < nofile.rlim_max; fd++)
		close((int)fd);
}

/* A lock or a pipe of the script that called us would be held for as long as we live. */
static void close_foreign(unsigned first_foreign, unsigned kept)
{
	close_between(first_foreign, kept - 1);
	close_between(kept < first_foreign ? first_foreign : kept + 1, ~0U);
}

static void become_daemon(struct daemon *daemon, int first_foreign, const sigset_t *mask)
{
	struct errmsg err;

	sigprocmask(SIG_SETMASK, mask, NULL);
	/* what fork does not pass on */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (open_null(&err) < 0) {
		daemonize_report(daemon, EX_OSERR, err.text);
		_exit(EX_OSERR);
	}
	close_foreign((unsigned)first_foreign, (unsigned)daemon->caller_fd);
}

/* In the process in between: returns in the daemon only. */
static void leave_session(struct daemon *daemon)
{
	struct word word = {.status = EX_OSERR};
	pid_t pid = setsid();

	if (pid >= 0)
		pid = fork();
	if (pid == 0)
		return;
	if (pid > 0)
		word.pid = pid;
	else
		errmsg_errno(&word.reason, "cannot go into the background");
	say(daemon->caller_fd, &word);
	_exit(EX_OK);
}

/* --- the first process --- */

/* False: nothing more will come. */
static bool hear(struct waiter *waiter)
{
	struct word word;
	ssize_t got = recv(waiter->daemon_fd, &word, sizeof(word), MSG_DONTWAIT);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	if (got != sizeof(word))
		return false;
	if (word.pid > 0) {
		waiter->pid = word.pid;
	} else {
		waiter->reported = true;
		waiter->status = word.status;
		waiter->reason = word.reason;
	}
	/* the daemon may be faster than the process in between, whose word is there, too */
	return !waiter->reported || waiter->pid == 0;
}

static void pass_signal_on(struct waiter *waiter)
{
	struct signalfd_siginfo info;

	if (read(waiter->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	waiter->ended_by = (int)info.ssi_signo;
	if (waiter->pid > 0)
		kill(waiter->pid, SIGTERM);
}

static void wait_for_report(struct waiter *waiter)
{
	struct pollfd ends[] = {{.fd = waiter->daemon_fd, .events = POLLIN},
		{.fd = waiter->signal_fd, .events = POLLIN}};
	bool more = true;

	while (more) {
		if (poll(ends, 2, -1) < 0)
			continue;
		/* the daemon's pid comes first, so that there is somebody to pass a signal to */
		if (ends[0].revents)
			more = hear(waiter);
		else if (ends[1].revents)
			pass_signal_on(waiter);
	}
}

/* -1: that cannot be known. */
static int wait_for_end(pid_t pid)
{
	int how;

	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return -1;
	return how;
}

static void tell_end(struct waiter *waiter, int how)
{
	waiter->status = EX_SOFTWARE;
	if (how != -1 && WIFSIGNALED(how))
		errmsg_set(&waiter->reason, "the daemon was ended by %s before it was ready",
			signal_name(WTERMSIG(how)));
	else if (how != -1)
		errmsg_set(&waiter->reason, "the daemon ended with status %d before it was ready",
			WEXITSTATUS(how));
	else
		errmsg_set(&waiter->reason, "the daemon ended before it was ready");
}

/* As whoever sent the signal expects: a shell goes on with its script when a program that was
 * interrupted ends in another way. */
static void end_by_signal(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int conclude(struct waiter *waiter)
{
	int how = -1;

	if (waiter->reported && waiter->status == EX_OK)
		return EX_OK;
	/* Nothing of it is in the way of the next try. */
	if (waiter->pid > 0)
		how = wait_for_end(waiter->pid);
	if (!waiter->reported)
		tell_end(waiter, how);
	fprintf(stderr, "preforkd: %s\n", waiter->reason.text);
	if (waiter->ended_by)
		end_by_signal(waiter->ended_by);
	return waiter->status;
}

static int fail(const char *what)
{
	fprintf(stderr, "preforkd: cannot go into the background: %s: %s\n", what, strerror(errno));
	return EX_OSERR;
}

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGTERM);
}

int daemonize_begin(struct daemon *daemon, int first_foreign)
{
	struct waiter waiter = {.pid = 0};
	sigset_t ending, mask;
	pid_t between;
	int end[2];

	ending_signals(&ending);
	waiter.signal_fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
	if (waiter.signal_fd < 0)
		return fail("signalfd");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) < 0)
		return fail("socketpair");
	sigprocmask(SIG_BLOCK, &ending, &mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	between = fork();
	if (between < 0)
		return fail("fork");
	if (between == 0) {
		close(end[0]);
		close(waiter.signal_fd);
		daemon->caller_fd = end[1];
		leave_session(daemon);
		become_daemon(daemon, first_foreign, &mask);
		return -1;
	}
	close(end[1]);
	waiter.daemon_fd = end[0];
	wait_for_end(between);
	wait_for_report(&waiter);
	return conclude(&waiter);
}
