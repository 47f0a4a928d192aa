/*
 * The floor: the least a supervisor in C can do. Starts N workers by vfork and exec, replaces each
 * that ends, kills and reaps all on TERM. No back-off, no log, no configuration.
 *
 *   floor N PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void on_term(int signal_number)
{
	(void)signal_number;
	ended = 1;
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
	struct sigaction action = { .sa_handler = on_term };
	int count = argc > 2 ? atoi(argv[1]) : 0;
	pid_t *worker, gone;

	if (count <= 0)
		return 64;
	worker = calloc((size_t)count, sizeof(*worker));
	if (!worker)
		return 71;
	sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < count; i++)
		worker[i] = start(argv + 2);
	while (!ended) {
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
