/* Notifications as bytes: what means something, what does not, and what no worker should send. */
#include "notify_message.h"

#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct notify_message message;

/* From memory of exactly that size, so that a byte too many is seen by sanitizers. */
static void read_bytes(const char *bytes, size_t length)
{
	char *exact = malloc(length ? length : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, length);
	memset(&message, 0xa5, sizeof(message));
	notify_message_read(&message, exact, length);
	free(exact);
}

static void read_text(const char *text)
{
	read_bytes(text, strlen(text));
}

/* The flags as letters. */
static const char *flags(void)
{
	static char letters[8];

	snprintf(letters, sizeof(letters), "%s%s%s%s%s%s", message.ready ? "r" : "",
		message.reloading ? "l" : "", message.stopping ? "s" : "",
		message.watchdog ? "w" : "", message.watchdog_trigger ? "t" : "",
		message.barrier ? "b" : "");
	return letters;
}

static const struct {
	const char *text, *flags;
} flag_cases[] = {
	{"READY=1", "r"},
	{"READY=1\n", "r"},
	{"\n\n\nREADY=1\n\n", "r"},
	{"RELOADING=1\nMONOTONIC_USEC=123456", "l"},
	{"STOPPING=1", "s"},
	{"WATCHDOG=1", "w"},
	{"WATCHDOG=trigger", "t"},
	{"BARRIER=1", "b"},
	{"READY=1\nSTATUS=up\nWATCHDOG=1", "rw"},
	{"READY=1\nREADY=1\nREADY=0", "r"},
	{"READY=1\nRELOADING=1\nSTOPPING=1\nWATCHDOG=1\nWATCHDOG=trigger\nBARRIER=1", "rlswtb"},
	{"STATUS=READY=1", ""},
	{"", ""},
	{"\n", ""},
	{"=", ""},
	{"=1", ""},
	{"READY", ""},
	{"READY=", ""},
	{"READY=0", ""},
	{"READY=10", ""},
	{"READY=01", ""},
	{"READY=1 ", ""},
	{" READY=1", ""},
	{"READY =1", ""},
	{"ready=1", ""},
	{"READY=1\r\n", ""},
	{"READY=1=", ""},
	{"XREADY=1", ""},
	{"WATCHDOG=0", ""},
	{"WATCHDOG=triggered", ""},
	{"WATCHDOG_USEC=1", ""},
	{"MAINPID=1\nFDSTORE=1\nFDNAME=x\nNOTIFYACCESS=all", ""},
};

START_TEST(flags_are_spelled_exactly)
{
	read_text(flag_cases[_i].text);
	ck_assert_msg(strcmp(flags(), flag_cases[_i].flags) == 0, "\"%s\": not %s but %s",
		flag_cases[_i].text, flag_cases[_i].flags, flags());
}
END_TEST

START_TEST(nul_is_a_byte_but_at_the_end)
{
	read_bytes("READY=1", sizeof("READY=1"));
	ck_assert_str_eq(flags(), "r");
	read_bytes("READY=1\n\0\0\0", 11);
	ck_assert_str_eq(flags(), "r");
	read_bytes("READY=1\0STOPPING=1", 18);
	ck_assert_str_eq(flags(), "");
	read_bytes("STOPPING=1\n\0READY=1", 19);
	ck_assert_str_eq(flags(), "s");
	read_bytes("\0\0\0\0", 4);
	ck_assert_str_eq(flags(), "");
	read_bytes("STATUS=a\0b", 10);
	ck_assert_str_eq(message.status, "a?b");
}
END_TEST

static const struct {
	const char *text, *status; /* NULL: has none */
} status_cases[] = {
	{"READY=1", NULL},
	{"STATUS", NULL},
	{"STATUS=", ""},
	{"STATUS=   ", ""},
	{"STATUS=Processing requests...", "Processing requests..."},
	{"STATUS= blanks  ", " blanks"},
	{"STATUS=a\nSTATUS=b\n", "b"},
	{"STATUS=a\nSTATUS=\n", ""},
	{"STATUS=long\nSTATUS=s", "s"},
	{"STATUS=a=b=c", "a=b=c"},
	{"STATUS=\"quoted\" \\ {}", "\"quoted\" \\ {}"},
	{"STATUS=\033[2J\a\x7f\x80\xff", "?[2J????"},
	{"STATUS=gr\xc3\xbc\xc3\x9f", "gr????"},
	{"STATUS=tab\there\r", "tab?here?"},
};

START_TEST(status_is_printable)
{
	read_text(status_cases[_i].text);
	ck_assert_int_eq(message.has_status, status_cases[_i].status != NULL);
	ck_assert_str_eq(message.status, status_cases[_i].status ? status_cases[_i].status : "");
}
END_TEST

START_TEST(status_is_bounded)
{
	char text[NOTIFY_MESSAGE_MAX_BYTES] = "STATUS=";
	size_t head = strlen(text);

	memset(text + head, 'x', sizeof(text) - head);
	read_bytes(text, head + NOTIFY_MESSAGE_STATUS_BYTES);
	ck_assert_uint_eq(strlen(message.status), NOTIFY_MESSAGE_STATUS_BYTES);
	read_bytes(text, sizeof(text));
	ck_assert_uint_eq(strlen(message.status), NOTIFY_MESSAGE_STATUS_BYTES);
	memset(text + head + 1, ' ', sizeof(text) - head - 1);
	read_bytes(text, sizeof(text));
	ck_assert_str_eq(message.status, "x");
}
END_TEST

static const struct {
	const char *text;
	int value; /* -1: none */
} errno_cases[] = {
	{"ERRNO=2", 2},
	{"ERRNO=0", 0},
	{"ERRNO=0005", 5},
	{"ERRNO=4095", 4095},
	{"ERRNO=2\nERRNO=5", 5},
	{"ERRNO=2\nERRNO=x", 2},
	{"ERRNO=2\nERRNO=4096", 2},
	{"ERRNO=4096", -1},
	{"ERRNO=", -1},
	{"ERRNO=-2", -1},
	{"ERRNO=+2", -1},
	{"ERRNO= 2", -1},
	{"ERRNO=2 ", -1},
	{"ERRNO=2.0", -1},
	{"ERRNO=0x2", -1},
	{"ERRNO=4294967298", -1},
	{"ERRNO=18446744073709551618", -1},
	{"ERRNO=99999999999999999999999999999999999999999999999999", -1},
	{"BUSERROR=2", -1},
};

START_TEST(errno_is_a_small_number)
{
	read_text(errno_cases[_i].text);
	ck_assert_int_eq(message.has_errno, errno_cases[_i].value >= 0);
	ck_assert_int_eq(
		message.errno_value, errno_cases[_i].value >= 0 ? errno_cases[_i].value : 0);
}
END_TEST

static const struct {
	const char *text;
	int64_t usec;
} extend_cases[] = {
	{"EXTEND_TIMEOUT_USEC=5000000", 5000000},
	{"EXTEND_TIMEOUT_USEC=0", 0},
	{"EXTEND_TIMEOUT_USEC=1\nEXTEND_TIMEOUT_USEC=2", 2},
	{"EXTEND_TIMEOUT_USEC=", 0},
	{"EXTEND_TIMEOUT_USEC=-1", 0},
	{"EXTEND_TIMEOUT_USEC=1s", 0},
	{"EXTEND_TIMEOUT_USEC=1e9", 0},
	{"EXTEND_TIMEOUT_USEC=31622400000000", NOTIFY_MESSAGE_MAX_EXTEND_USEC},
	{"EXTEND_TIMEOUT_USEC=31622399999999", NOTIFY_MESSAGE_MAX_EXTEND_USEC - 1},
	{"EXTEND_TIMEOUT_USEC=31622400000001", NOTIFY_MESSAGE_MAX_EXTEND_USEC},
	{"EXTEND_TIMEOUT_USEC=9223372036854775807", NOTIFY_MESSAGE_MAX_EXTEND_USEC},
	{"EXTEND_TIMEOUT_USEC=18446744073709551615", NOTIFY_MESSAGE_MAX_EXTEND_USEC},
	{"EXTEND_TIMEOUT_USEC=18446744073709551617", NOTIFY_MESSAGE_MAX_EXTEND_USEC},
	{"EXTEND_TIMEOUT_USEC=99999999999999999999999999999999999999999999",
		NOTIFY_MESSAGE_MAX_EXTEND_USEC},
};

START_TEST(extension_is_bounded)
{
	read_text(extend_cases[_i].text);
	ck_assert_int_eq(message.extend_usec, extend_cases[_i].usec);
}
END_TEST

START_TEST(large_noise_is_harmless)
{
	uint64_t random = test_seed();
	size_t length = 65536;
	char *bytes = malloc(length);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, 'A', length);
	read_bytes(bytes, length);
	ck_assert_str_eq(flags(), "");
	memset(bytes, '\n', length);
	memcpy(bytes + length - 7, "READY=1", 7);
	read_bytes(bytes, length);
	ck_assert_str_eq(flags(), "r");
	memset(bytes, '9', length);
	memcpy(bytes, "ERRNO=", 6);
	read_bytes(bytes, length);
	ck_assert(!message.has_errno);
	memcpy(bytes, "EXTEND_TIMEOUT_USEC=", 20);
	read_bytes(bytes, length);
	ck_assert_int_eq(message.extend_usec, NOTIFY_MESSAGE_MAX_EXTEND_USEC);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)test_random(&random);
	read_bytes(bytes, length);
	ck_assert_str_eq(flags(), "");
	free(bytes);
}
END_TEST

/* Lines in any order say the same. */
START_TEST(order_does_not_matter)
{
	static const char *const lines[] = {"READY=1", "WATCHDOG=1", "STATUS=fine", "ERRNO=7",
		"EXTEND_TIMEOUT_USEC=9", "MAINPID=1", "", "NONSENSE"};
	uint64_t random = test_seed();
	size_t order[COUNT(lines)];

	for (int round = 0; round < 500; round++) {
		char text[256] = "";

		for (size_t i = 0; i < COUNT(lines); i++) {
			size_t other = test_random_below(&random, i + 1);

			order[i] = order[other];
			order[other] = i;
		}
		for (size_t i = 0; i < COUNT(lines); i++) {
			strcat(text, lines[order[i]]);
			strcat(text, "\n");
		}
		read_text(text);
		ck_assert_str_eq(flags(), "rw");
		ck_assert_str_eq(message.status, "fine");
		ck_assert_int_eq(message.errno_value, 7);
		ck_assert_int_eq(message.extend_usec, 9);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_message");
	TCase *tests = tcase_create("notify_message");

	tcase_add_loop_test(tests, flags_are_spelled_exactly, 0, COUNT(flag_cases));
	tcase_add_test(tests, nul_is_a_byte_but_at_the_end);
	tcase_add_loop_test(tests, status_is_printable, 0, COUNT(status_cases));
	tcase_add_test(tests, status_is_bounded);
	tcase_add_loop_test(tests, errno_is_a_small_number, 0, COUNT(errno_cases));
	tcase_add_loop_test(tests, extension_is_bounded, 0, COUNT(extend_cases));
	tcase_add_test(tests, large_noise_is_harmless);
	tcase_add_test(tests, order_does_not_matter);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
