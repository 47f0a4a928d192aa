/* What an ending signal means when it comes once, again, or as another one. */
#include "ending.h"
#include "test_main.h"

#include <signal.h>

struct step {
	int worker_signal;
	int64_t at;
	enum ending_step expected;
};

#define STEPS_MAX 6
#define LAST                                                                                       \
	{                                                                                          \
		-1, 0, ENDING_NOTHING                                                              \
	}

static const struct step stories[][STEPS_MAX] = {
	/* once */
	{{0, 0, ENDING_BEGIN}, LAST},
	/* a doubled key press, and one who insists */
	{{0, 5000, ENDING_BEGIN}, {0, 5000, ENDING_NOTHING}, {0, 5999, ENDING_NOTHING},
		{0, 6000, ENDING_NOTHING}, {0, 6001, ENDING_KILL}, LAST},
	/* who was refused a moment ago has not begun a new second */
	{{0, 0, ENDING_BEGIN}, {0, 900, ENDING_NOTHING}, {0, 1100, ENDING_KILL}, LAST},
	/* another signal is never a doubled one */
	{{0, 0, ENDING_BEGIN}, {SIGQUIT, 1, ENDING_RENEW}, {SIGQUIT, 2, ENDING_NOTHING},
		{SIGQUIT, 1002, ENDING_KILL}, LAST},
	/* and begins the second anew */
	{{SIGTERM, 0, ENDING_BEGIN}, {SIGQUIT, 900, ENDING_RENEW}, {SIGQUIT, 1500, ENDING_NOTHING},
		{SIGQUIT, 1901, ENDING_KILL}, LAST},
	/* there and back again */
	{{SIGTERM, 0, ENDING_BEGIN}, {SIGQUIT, 3000, ENDING_RENEW}, {SIGTERM, 6000, ENDING_RENEW},
		{SIGTERM, 9000, ENDING_KILL}, {SIGQUIT, 9001, ENDING_RENEW}, LAST},
	/* KILL was asked for: again is KILL again */
	{{0, 0, ENDING_BEGIN}, {0, 2000, ENDING_KILL}, {0, 2001, ENDING_KILL}, LAST},
	/* far in the future */
	{{0, 1, ENDING_BEGIN}, {0, INT64_MAX, ENDING_KILL}, LAST},
};

START_TEST(story)
{
	struct ending ending = {0};

	for (const struct step *step = stories[_i]; step->worker_signal >= 0; step++) {
		enum ending_step found = ending_request(&ending, step->worker_signal, step->at);

		ck_assert_msg(found == step->expected, "story %d, step %d: %d instead of %d", _i,
			(int)(step - stories[_i]), (int)found, (int)step->expected);
		ck_assert(ending.begun);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ending");
	TCase *tests = tcase_create("ending");

	suite_add_tcase(suite, tests);
	tcase_add_loop_test(tests, story, 0, sizeof(stories) / sizeof(stories[0]));
	return test_main(suite);
}
