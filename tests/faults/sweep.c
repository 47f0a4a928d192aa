/* Goes through the n, and collects what was wrong, so that one run tells all. */
#include "sweep.h"

#include "fault_world.h"

#define PATIENCE_MS 4000

static struct {
	char text[8192];
	size_t length;
	int count;
} wrong;

static void complain(const char *name, long n, const char *what)
{
	int room = (int)(sizeof(wrong.text) - wrong.length);
	int length = snprintf(wrong.text + wrong.length, (size_t)room, "\n%s, call %ld, %s: %s",
		name, n, faults_struck(), what);

	wrong.count++;
	wrong.length += (size_t)(length < room ? length : room - 1);
}

/* NULL, or what is not as it was. */
static const char *look(int descriptors)
{
	static char text[64];
	int now = process_descriptors(daemon_pid());

	if (!daemon_alive())
		return "the supervisor has ended";
	if (!is_full())
		return "a pool is not full";
	snprintf(text, sizeof(text), "%d descriptors, not %d", now, descriptors);
	if (now != descriptors)
		return text;
	if (process_zombies() > 0)
		return "a zombie";
	return process_family() == 1 + ALL_WORKERS ? NULL : "not as many processes as before";
}

static const char *look_patiently(int descriptors)
{
	int64_t until = now_ms() + slow_ms(PATIENCE_MS);
	const char *what = look(descriptors);

	while (what && daemon_alive() && now_ms() < until) {
		nap_ms(2);
		what = look(descriptors);
	}
	return what;
}

static void perform_well(const struct deed *deed)
{
	ck_assert_ptr_null(deed->perform());
	deed->settle();
	WAIT_FOR(is_full());
}

static void start_again(const struct deed *deed)
{
	daemon_wait();
	faulty_rise();
	perform_well(deed);
}

void sweep(const char *kind, const struct deed *deed, int few)
{
	long count, step, struck = 0;
	const char *bad, *what;
	int descriptors;

	perform_well(deed);
	perform_well(deed);
	descriptors = steady_descriptors(daemon_pid());
	faults_fail(kind, 0, 0, 0);
	ck_assert_ptr_null(deed->perform());
	count = faults_off();
	deed->settle();
	ck_assert_int_gt(count, 0);
	step = long_or_short(1, 1 + (int)(count / few));
	for (long n = 1 + step / 2; n <= count; n += step) {
		faults_fail(kind, n, n, 0);
		bad = deed->perform();
		faults_off();
		if (bad)
			complain(deed->name, n, bad);
		struck += faults()->struck;
		if (daemon_alive())
			deed->settle();
		what = look_patiently(descriptors);
		if (what) {
			complain(deed->name, n, what);
			if (!daemon_alive())
				start_again(deed);
			descriptors = steady_descriptors(daemon_pid());
		}
	}
	fprintf(stderr, "%s: %ld %s calls, %ld made to fail\n", deed->name, count, kind, struck);
	ck_assert_msg(wrong.count == 0, "%d:%s", wrong.count, wrong.text);
	perform_well(deed);
}

const char *sweep_command(const char *a, const char *b, const char *c)
{
	static char what[64];
	int status = preforkd_run("-c", path_of("app.ini"), a, b, c);

	snprintf(what, sizeof(what), "the command %s waits for ever", a);
	return status < 0 ? what : NULL;
}

void sweep_await_roll(void)
{
	do
		sweep_command("status", "--json", NULL);
	while (file_has("run.out", "\"rolling\""));
}

/* --- a suite --- */

static const struct deed *all_deeds;
static int each_few;

START_TEST(no_call_is_indispensable)
{
	static const char *const kinds[] = {"system", "memory"};

	faulty_start();
	sweep(kinds[_i % 2], &all_deeds[_i / 2], each_few);
	faulty_stop();
}
END_TEST

int sweep_main(const char *name, const struct deed *deeds, int count, int few)
{
	Suite *suite = suite_create(name);
	TCase *tests = harness_case(suite, name);

	all_deeds = deeds;
	each_few = few;
	tcase_set_timeout(tests, long_or_short(7200, 120));
	tcase_add_loop_test(tests, no_call_is_indispensable, 0, 2 * count);
	return faults_main(suite);
}
