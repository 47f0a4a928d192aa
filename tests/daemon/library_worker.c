/*
 * A worker that leaves it all to libprefork: each connection gets its one byte answered, now and
 * then after a wait. What it takes it must answer, whenever it is asked to leave.
 *
 *	library_worker [THREADS]	serves the sockets that it inherits
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libprefork/prefork.h"

#define FORGOTTEN_SEC 600
#define THREADS_MAX   16

static void answer(int client, void *context)
{
	unsigned int *random = context;
	char byte;

	if (read(client, &byte, 1) != 1)
		return;
	if (rand_r(random) % 4 == 0)
		usleep(1000);
	send(client, "+", 1, MSG_NOSIGNAL);
}

static void *serve(void *unused)
{
	unsigned int random = (unsigned int)getpid();

	(void)unused;
	if (prefork_serve(answer, &random) < 0)
		_exit(1);
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t threads[THREADS_MAX];

	alarm(FORGOTTEN_SEC);
	if (count < 1 || count > THREADS_MAX || prefork_attach() != 1)
		return 64;
	prefork_stop_on(SIGTERM);
	for (int i = 1; i < count; i++)
		if (pthread_create(&threads[i], NULL, serve, NULL) != 0)
			return 71;
	serve(NULL);
	for (int i = 1; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
