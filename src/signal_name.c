/*
 * Signals by name. The table of standard names is ours, because libc's (sigabbrev_np) is neither
 * everywhere nor complete. Real-time signals count from SIGRTMIN as libc gives it out, which is not
 * the kernel's first one; the numbers between belong to libc and have no name here.
 */
#include "signal_name.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const standard_names[] = {
	[SIGHUP] = "HUP",
	[SIGINT] = "INT",
	[SIGQUIT] = "QUIT",
	[SIGILL] = "ILL",
	[SIGTRAP] = "TRAP",
	[SIGABRT] = "ABRT",
	[SIGBUS] = "BUS",
	[SIGFPE] = "FPE",
	[SIGKILL] = "KILL",
	[SIGUSR1] = "USR1",
	[SIGSEGV] = "SEGV",
	[SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE",
	[SIGALRM] = "ALRM",
	[SIGTERM] = "TERM",
	[SIGSTKFLT] = "STKFLT",
	[SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT",
	[SIGSTOP] = "STOP",
	[SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU",
	[SIGURG] = "URG",
	[SIGXCPU] = "XCPU",
	[SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM",
	[SIGPROF] = "PROF",
	[SIGWINCH] = "WINCH",
	[SIGIO] = "IO",
	[SIGPWR] = "PWR",
	[SIGSYS] = "SYS",
};

static const struct {
	const char *name;
	int number;
} other_names[] = {{"IOT", SIGABRT}, {"CLD", SIGCHLD}, {"POLL", SIGIO}};

/* Ten strings of their own, so that two names can stand in one message. */
#define TEN_NAMES(before, tens)                                                                    \
	before #tens "0", before #tens "1", before #tens "2", before #tens "3", before #tens "4",  \
		before #tens "5", before #tens "6", before #tens "7", before #tens "8",            \
		before #tens "9"

/* By the distance from SIGRTMIN. */
static const char *const realtime_names[] = {"RTMIN", "RTMIN+1", "RTMIN+2", "RTMIN+3", "RTMIN+4",
	"RTMIN+5", "RTMIN+6", "RTMIN+7", "RTMIN+8", "RTMIN+9", TEN_NAMES("RTMIN+", 1),
	TEN_NAMES("RTMIN+", 2), "RTMIN+30"};

/* What to call a number that is no signal; a wait status holds no larger one than 127. */
static const char *const numbered_names[] = {TEN_NAMES("signal ", ), TEN_NAMES("signal ", 1),
	TEN_NAMES("signal ", 2), TEN_NAMES("signal ", 3), TEN_NAMES("signal ", 4),
	TEN_NAMES("signal ", 5), TEN_NAMES("signal ", 6), TEN_NAMES("signal ", 7),
	TEN_NAMES("signal ", 8), TEN_NAMES("signal ", 9), TEN_NAMES("signal ", 10),
	TEN_NAMES("signal ", 11), TEN_NAMES("signal ", 12)};

/* The name of a signal, NULL of a number that is none. */
static const char *find_name(int number)
{
	if (number > 0 && (size_t)number < COUNT(standard_names))
		return standard_names[number];
	if (number < SIGRTMIN || number > SIGRTMAX ||
		(size_t)(number - SIGRTMIN) >= COUNT(realtime_names))
		return NULL;
	return realtime_names[number - SIGRTMIN];
}

/* Digits and nothing else, below 1000; -1 otherwise. */
static int small_number(const char *text)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > 3 || text[length])
		return -1;
	return atoi(text);
}

/* "RTMIN", "RTMIN+3", "RTMAX", "RTMAX-1". */
static int realtime_number(const char *name)
{
	int from_end = strncasecmp(name, "RTMAX", 5) == 0;
	int offset = 0;

	if (!from_end && strncasecmp(name, "RTMIN", 5) != 0)
		return -1;
	if (name[5]) {
		offset = name[5] == (from_end ? '-' : '+') ? small_number(name + 6) : -1;
		if (offset < 0 || offset > SIGRTMAX - SIGRTMIN)
			return -1;
	}
	return from_end ? SIGRTMAX - offset : SIGRTMIN + offset;
}

int signal_number(const char *name)
{
	int number = small_number(name);

	if (number >= 0)
		return find_name(number) ? number : -1;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < COUNT(standard_names); i++)
		if (standard_names[i] && strcasecmp(standard_names[i], name) == 0)
			return (int)i;
	for (size_t i = 0; i < COUNT(other_names); i++)
		if (strcasecmp(other_names[i].name, name) == 0)
			return other_names[i].number;
	return realtime_number(name);
}

const char *signal_name(int signal_number)
{
	const char *name = find_name(signal_number);

	if (name)
		return name;
	if (signal_number < 0 || (size_t)signal_number >= COUNT(numbered_names))
		return "no signal";
	return numbered_names[signal_number];
}

size_t signal_names(const char *names[SIGNAL_NAMES_MAX])
{
	size_t count = 0;

	for (int number = 1; number < _NSIG; number++)
		if (find_name(number))
			names[count++] = find_name(number);
	return count;
}
