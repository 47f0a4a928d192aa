/* Signals by name and number, checked against libc's own names where it has them. */
#include <signal.h>
#include <string.h>

#include "signal_name.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(numbers)
{
	const struct {
		const char *name;
		int number;
	} cases[] = {
		{"TERM", SIGTERM},
		{"SIGTERM", SIGTERM},
		{"term", SIGTERM},
		{"sigterm", SIGTERM},
		{"SigTerm", SIGTERM},
		{"15", 15},
		{"015", 15},
		{"1", SIGHUP},
		{"KILL", SIGKILL},
		{"STOP", SIGSTOP},
		{"WINCH", SIGWINCH},
		{"TTIN", SIGTTIN},
		{"IO", SIGIO},
		{"POLL", SIGIO},
		{"SIGPOLL", SIGIO},
		{"IOT", SIGABRT},
		{"CLD", SIGCHLD},
		{"RTMIN", SIGRTMIN},
		{"SIGRTMIN", SIGRTMIN},
		{"rtmin+0", SIGRTMIN},
		{"RTMIN+3", SIGRTMIN + 3},
		{"SIGRTMIN+3", SIGRTMIN + 3},
		{"RTMIN+03", SIGRTMIN + 3},
		{"RTMAX", SIGRTMAX},
		{"RTMAX-1", SIGRTMAX - 1},
		{"RTMAX-0", SIGRTMAX},
		{"sigrtmax-30", SIGRTMAX - 30},
		{"RTMIN+30", SIGRTMIN + 30},
		{"64", 64},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(signal_number(cases[i].name) == cases[i].number, "\"%s\" is %d",
			cases[i].name, signal_number(cases[i].name));
}
END_TEST

START_TEST(no_numbers)
{
	static const char *const cases[] = {"", "SIG", "sig", "TER", "TERMS", " TERM", "TERM ",
		"SIGSIGTERM", "SIG15", "-1", "-15", "+15", "0", "00", "65", "99", "999", "1000",
		"4294967311", "18446744073709551631", "15 ", "1.5", "0xf", "RT", "RTMI", "RTMIN+",
		"RTMIN-", "RTMIN-1", "RTMIN+31", "RTMIN+999", "RTMIN+1000", "RTMIN++1", "RTMIN+-1",
		"RTMIN+1x", "RTMIN 1", "RTMIN1", "RTMAX+1", "RTMAX-", "RTMAX-31", "RTMAX-1-1",
		"RTMIN+4294967297", "EXIT", "signal 15", "no signal", "TERM,INT", "\xff"};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(signal_number(cases[i]) == -1, "\"%s\"", cases[i]);
}
END_TEST

/* Those between the standard and the first real-time signal are libc's own: sigaction(2) refuses
 * them, so no name may lead to them. */
START_TEST(libc_keeps_its_own)
{
	for (int number = 1; number < _NSIG; number++) {
		char text[16];
		struct sigaction action;

		snprintf(text, sizeof(text), "%d", number);
		ck_assert_msg(
			(signal_number(text) == number) == (sigaction(number, NULL, &action) == 0),
			"%d", number);
	}
}
END_TEST

START_TEST(names)
{
	char text[32];

	for (int number = 1; number < SIGRTMIN; number++)
		if (sigabbrev_np(number))
			ck_assert_str_eq(
				signal_name(number), number == SIGIO ? "IO" : sigabbrev_np(number));
	ck_assert_str_eq(signal_name(SIGRTMIN), "RTMIN");
	for (int number = SIGRTMIN + 1; number <= SIGRTMAX; number++) {
		snprintf(text, sizeof(text), "RTMIN+%d", number - SIGRTMIN);
		ck_assert_str_eq(signal_name(number), text);
	}
	for (int number = SIGRTMAX + 1; number < 130; number++) {
		snprintf(text, sizeof(text), "signal %d", number);
		ck_assert_str_eq(signal_name(number), text);
	}
	ck_assert_str_eq(signal_name(0), "signal 0");
	ck_assert_str_eq(signal_name(32), "signal 32");
	ck_assert_str_eq(signal_name(130), "no signal");
	ck_assert_str_eq(signal_name(-1), "no signal");
	ck_assert_str_eq(signal_name(2147483647), "no signal");
}
END_TEST

START_TEST(names_come_back)
{
	for (int number = 1; number < _NSIG; number++) {
		const char *name = signal_name(number);
		char long_name[32];

		if (strncmp(name, "signal ", 7) == 0)
			continue;
		ck_assert_int_eq(signal_number(name), number);
		snprintf(long_name, sizeof(long_name), "sig%s", name);
		ck_assert_int_eq(signal_number(long_name), number);
		ck_assert_ptr_eq(signal_name(number), name);
	}
}
END_TEST

/* Every signal once, in the order of numbers. */
START_TEST(all_names)
{
	const char *all[SIGNAL_NAMES_MAX];
	size_t count = signal_names(all);
	int previous = 0;

	for (size_t i = 0; i < count; i++) {
		ck_assert_int_gt(signal_number(all[i]), previous);
		previous = signal_number(all[i]);
	}
	ck_assert_uint_eq(count, 31u + (unsigned)(SIGRTMAX - SIGRTMIN + 1));
	ck_assert_int_eq(previous, SIGRTMAX);
	ck_assert_str_eq(all[0], "HUP");
}
END_TEST

START_TEST(random_noise_is_survived)
{
	static const char letters[] = "RTMINAXSIGermkil+-0123456789";
	uint64_t state = test_seed();

	for (int i = 0; i < 100000; i++) {
		char text[12] = "";
		size_t length = test_random_below(&state, sizeof(text));
		int number;

		for (size_t j = 0; j < length; j++)
			text[j] = letters[test_random_below(&state, sizeof(letters) - 1)];
		number = signal_number(text);
		ck_assert_msg(number == -1 || signal_number(signal_name(number)) == number,
			"\"%s\" is %d", text, number);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signal_name");
	TCase *tcase = tcase_create("signal_name");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, no_numbers);
	tcase_add_test(tcase, libc_keeps_its_own);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, names_come_back);
	tcase_add_test(tcase, all_names);
	tcase_add_test(tcase, random_noise_is_survived);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
