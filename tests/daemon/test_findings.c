/* What was found by trying to break the daemon by hand, so that it stays mended. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

START_TEST(who_was_stopped_with_the_supervisor_gets_a_moment)
{
	config("[pool:web]\nmax_workers = 1\ntimeout = 1s\n"
	       "command = @worker@ beat board signals @dir@/got\n");
	daemon_start();
	WAIT_FOR(file_count("got", " ready ") == 1);
	pid_t worker = worker_of("web", 0);

	/* as by a freezer; the supervisor comes back first */
	kill(worker, SIGSTOP);
	nap_ms(100); /* its last sign is seen */
	daemon_kill(SIGSTOP);
	nap_ms(2500);
	daemon_kill(SIGCONT);
	nap_ms(300);
	kill(worker, SIGCONT);
	HOLDS_FOR(1500, process_runs(worker));
	ck_assert(log_has("no worker is held to account for it"));
	/* and it is killed all the same when it hangs */
	kill(worker, SIGSTOP);
	WAIT_FOR(!process_runs(worker));
	EXPECT_STOP();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("findings");
	TCase *times = harness_case(suite, "times");

	tcase_add_test(times, who_was_stopped_with_the_supervisor_gets_a_moment);
	return harness_main(suite);
}
