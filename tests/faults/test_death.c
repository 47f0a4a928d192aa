/*
 * KILL for the supervisor at named points of a start, of a worker's replacement, of a reload and of
 * an upgrade: the next start goes on with the same workers, none of them is there twice, and no
 * request is lost.
 */
#include "fault_world.h"

enum deed { REPLACE, RELOAD, UPGRADE };

struct death {
	enum deed deed;
	const char *point;
	long nth;
};

static const struct death deaths[] = {
	{REPLACE, "worker_reap", 1},
	{REPLACE, "worker_reap:after", 1},
	{REPLACE, "spawn_start", 1},
	{REPLACE, "spawn_start:after", 1},
	{REPLACE, "state_file_save", 1},
	{REPLACE, "state_file_save", 2},
	{REPLACE, "renameat", 1},
	{REPLACE, "state_file_save:after", 2},
	{RELOAD, "log_target_open:after", 1},
	{RELOAD, "socket_table_apply", 1},
	{RELOAD, "socket_table_apply:after", 1},
	{RELOAD, "spawn_start", 1},
	{RELOAD, "spawn_start:after", 1},
	{RELOAD, "worker_retire", 1},
	{RELOAD, "worker_retire:after", 1},
	{RELOAD, "worker_reap:after", 1},
	{RELOAD, "spawn_start:after", 2},
	{RELOAD, "spawn_start:after", 4},
	{RELOAD, "worker_retire", 3},
	{RELOAD, "pool_roll_commit", 1},
	{RELOAD, "pool_roll_commit:after", 2},
	{UPGRADE, "state_memory_make", 1},
	{UPGRADE, "spawn_start", 1},
	{UPGRADE, "spawn_start:after", 1},
	{UPGRADE, "state_memory_make", 2},
	{UPGRADE, "execve", 1},
	{UPGRADE, "log_target_open", 1},
	{UPGRADE, "supervisor_run", 1},
	{UPGRADE, "adopt_find", 1},
	{UPGRADE, "pool_take_up", 1},
	{UPGRADE, "pool_take_up:after", 1},
	{UPGRADE, "adopt_end", 1},
	{UPGRADE, "upgrade_finish", 1},
	{UPGRADE, "state_file_save", 1},
};
#define DEATHS ((int)(sizeof(deaths) / sizeof(deaths[0])))

static void kill_it(void)
{
	faults_await_stop();
	daemon_kill(SIGKILL);
	ck_assert_int_eq(daemon_wait(), 128 + SIGKILL);
	faults_off();
}

static void begin(enum deed deed, const struct crew *crew)
{
	switch (deed) {
	case REPLACE: kill(crew->pid[0], SIGTERM); return;
	case RELOAD: daemon_kill(SIGHUP); return;
	case UPGRADE: daemon_kill(SIGUSR2); return;
	}
}

START_TEST(the_next_start_goes_on)
{
	const struct death *death = &deaths[_i];
	int port = faulty_start();
	struct load tcp = load_open(load_port(port), "/", 400);
	struct load local = load_open(path_of("s"), "/", 400);
	struct crew web = crew_of("web"), near = crew_of("near"), after;
	int same = 0;

	load_await(&tcp, 10);
	faults_stop_at(death->point, death->nth);
	begin(death->deed, &web);
	kill_it();
	load_await(&tcp, 10);
	load_await(&local, 10);
	faulty_rise();
	expect_full(2);
	after = crew_of("web");
	for (int i = 0; i < WEB_WORKERS; i++)
		same += is_in_crew(after.pid[i], &web);
	if (death->deed == REPLACE)
		ck_assert_int_eq(same, WEB_WORKERS - 1);
	if (death->deed == UPGRADE)
		ck_assert_int_eq(same, WEB_WORKERS);
	after = crew_of("near");
	if (death->deed != RELOAD)
		ck_assert(same_crew(&near, &after));
	load_await(&tcp, 10);
	load_end_without_loss(&tcp);
	load_end_without_loss(&local);
	reload_well();
	expect_full(0);
	faulty_stop();
}
END_TEST

/* The first one of all. */
static const struct death births[] = {
	{REPLACE, "spawn_start", 1},
	{REPLACE, "spawn_start:after", 1},
	{REPLACE, "spawn_start:after", 5},
	{REPLACE, "state_file_save", 1},
	{REPLACE, "state_file_save:after", 1},
	{REPLACE, "state_file_save", 2},
};
#define BIRTHS ((int)(sizeof(births) / sizeof(births[0])))

START_TEST(a_start_goes_on_with_another)
{
	struct crew web, after;
	int port = faulty_config("");

	faults_stop_at(births[_i].point, births[_i].nth);
	faulty_launch();
	kill_it();
	web = crew_of("web");
	faulty_rise();
	expect_full(0);
	after = crew_of("web");
	for (int i = 0; i < web.count; i++)
		ck_assert(is_in_crew(web.pid[i], &after));
	ck_assert_ptr_nonnull(http_get(port, "/"));
	faulty_stop();
}
END_TEST

static Suite *death_suite(void)
{
	Suite *suite = suite_create("death");
	TCase *tests = harness_case(suite, "death of the supervisor");

	tcase_add_loop_test(tests, the_next_start_goes_on, 0, DEATHS);
	tcase_add_loop_test(tests, a_start_goes_on_with_another, 0, BIRTHS);
	return suite;
}

int main(void)
{
	return faults_main(death_suite());
}
