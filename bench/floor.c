/*
 * The floor: the least a supervisor in C can do. Starts N workers by vfork and exec, replaces each
 * that ends, starts N more at USR1, ends and reaps all at TERM. No back-off, no log, no
 * configuration.
 *
 *   floor N PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_GROWTHS 8

static volatile sig_atomic_t ended, more;

static void on_signal(int signal_number)
{
	if (signal_number == SIGTERM)
		ended = 1;
	else
		more = 1;
}

static pid_t start(char **command)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv(command[0], command);
		_exit(127);
	}
	return pid;
}

static void replace(pid_t *worker, int count, pid_t gone, char **command)
{
	for (int i = 0; i < count; i++)
		if (worker[i] == gone)
			worker[i] = start(command);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	int step = argc > 2 ? atoi(argv[1]) : 0, count = 0;
	pid_t *worker, gone;

	if (step <= 0)
		return 64;
	worker = calloc((size_t)step * MOST_GROWTHS, sizeof(*worker));
	if (!worker)
		return 71;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (more = 1; !ended;) {
		for (int i = 0; more && i < step && count < step * MOST_GROWTHS; i++)
			worker[count++] = start(argv + 2);
		more = 0;
		gone = waitpid(-1, NULL, 0);
		if (gone > 0 && !ended)
			replace(worker, count, gone, argv + 2);
	}
	for (int i = 0; i < count; i++)
		kill(worker[i], SIGTERM);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	free(worker);
	return 0;
}
