/*
 * Beginning and end. Rule: a child of fork(2) is not this worker, so there all is put back as it
 * was before attach; what it attaches itself is its own. Must be the only one to know all parts.
 */
#include "prefork.h"

#include <pthread.h>

#include "inside.h"

static void forget_all(void)
{
	prefork_listeners_forget();
	prefork_stop_forget();
	prefork_notify_forget();
	prefork_report_forget();
}

int prefork_attach(void)
{
	static bool attends_forks;

	if (!attends_forks)
		attends_forks = pthread_atfork(NULL, NULL, forget_all) == 0;
	prefork_notify_learn();
	return prefork_report_attach();
}

void prefork_detach(void)
{
	forget_all();
}
