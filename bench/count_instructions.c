/*
 * Counts the instructions that a process executes in user space, one by one: exact where a virtual
 * machine has no performance counters, undisturbed by neighbours, and slow (some 20 us for each).
 *
 *   count_instructions PID
 *
 * Says "ready" when it begins, the count since the last answer at each USR1 and at the process's
 * end. A string instruction counts as often as it repeats itself. Children are not followed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static volatile sig_atomic_t asked;

static void on_usr1(int signal_number)
{
	(void)signal_number;
	asked = 1;
}

static void answer(unsigned long *count)
{
	asked = 0;
	printf("%lu\n", *count);
	fflush(stdout);
	*count = 0;
}

/* The signal that stopped the process and is to be handed to it; 0: none, -1: it has ended. */
static int await_stop(pid_t pid, unsigned long *count)
{
	int status;

	for (;;) {
		if (asked)
			answer(count);
		if (waitpid(pid, &status, __WALL) == pid)
			break;
		if (errno != EINTR)
			return -1;
	}
	if (!WIFSTOPPED(status))
		return -1;
	return WSTOPSIG(status) == SIGTRAP || status >> 16 ? 0 : WSTOPSIG(status);
}

static void count_all(pid_t pid)
{
	unsigned long count = 0;
	int signal_number = await_stop(pid, &count);

	puts("ready");
	fflush(stdout);
	while (signal_number >= 0) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(long)signal_number) < 0)
			break;
		count++;
		signal_number = await_stop(pid, &count);
	}
	answer(&count);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_usr1};
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;

	if (pid <= 0)
		return 64;
	sigaction(SIGUSR1, &action, NULL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0) {
		perror("ptrace");
		return 71;
	}
	count_all(pid);
	return 0;
}
