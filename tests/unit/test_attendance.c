/* The clock that stands still while nobody is there. */
#include <stdlib.h>

#include "attendance.h"
#include "test_main.h"

#define NONE INT64_MAX

/* Asks at a real time, checks the attended one and the absence found out. */
static void look(struct attendance *attendance, int64_t real, int64_t due_at, int64_t expected,
	int64_t absence)
{
	int64_t found;

	ck_assert_int_eq(attendance_now(attendance, real, due_at, &found), expected);
	ck_assert_int_eq(found, absence);
}

START_TEST(goes_like_any_clock)
{
	struct attendance attendance = {0};

	look(&attendance, 5000, NONE, 5000, 0);
	look(&attendance, 90000, NONE, 90000, 0);
	look(&attendance, 95000, 95000, 95000, 0);
	look(&attendance, 96000, 95000, 96000, 0); /* late, as can be */
}
END_TEST

START_TEST(goes_back_to_the_last_look)
{
	struct attendance attendance = {0};

	look(&attendance, 10000, NONE, 10000, 0);
	look(&attendance, 70000, 15000, 10000, 60000);
	look(&attendance, 72000, 15000, 12000, 0);
	look(&attendance, 75000, 15000, 15000, 0);
}
END_TEST

START_TEST(puts_a_deadline_off_once)
{
	struct attendance attendance = {0};

	look(&attendance, 10000, NONE, 10000, 0);
	look(&attendance, 17000, 15000, 10000, 7000);
	look(&attendance, 25000, 15000, 15000, 3000);
	look(&attendance, 26000, 40000, 16000, 0);
	look(&attendance, 60000, 40000, 16000, 34000); /* another one */
}
END_TEST

START_TEST(a_deadline_of_the_past_is_the_present)
{
	struct attendance attendance = {0};

	look(&attendance, 10000, NONE, 10000, 0);
	look(&attendance, 10500, 4000, 4000, 6500);
}
END_TEST

/* On a machine that is always late, every deadline comes, no later than twice its time and what it
 * is late by. */
START_TEST(every_deadline_comes)
{
	struct attendance attendance = {0};
	int64_t real = 0, found;

	srandom(20261120);
	for (int i = 0; i < 1000; i++) {
		const int64_t begun = attendance_now(&attendance, real, NONE, &found);
		const int64_t due_at = begun + random() % 20000;
		int64_t now = begun;

		for (int wakes = 0; now < due_at; wakes++) {
			ck_assert_int_lt(wakes, 3);
			real += due_at - now + random() % 5000;
			now = attendance_now(&attendance, real, due_at, &found);
			ck_assert_int_ge(now, begun);
			ck_assert_int_le(now, due_at + ATTENDANCE_LATE_MS);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attendance");
	TCase *tests = tcase_create("attendance");

	tcase_add_test(tests, goes_like_any_clock);
	tcase_add_test(tests, goes_back_to_the_last_look);
	tcase_add_test(tests, puts_a_deadline_off_once);
	tcase_add_test(tests, a_deadline_of_the_past_is_the_present);
	tcase_add_test(tests, every_deadline_comes);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
