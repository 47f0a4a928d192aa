/* Exit statuses for what the system refuses at the start. */
#include <errno.h>
#include <sysexits.h>

#include "exit_status.h"
#include "test_main.h"

static const struct {
	int error, status;
} statuses[] = {
	{EACCES, EX_NOPERM}, {EPERM, EX_NOPERM}, {EMFILE, EX_OSERR}, {ENFILE, EX_OSERR},
	{ENOMEM, EX_OSERR}, {ENOSYS, EX_OSERR}, {EWOULDBLOCK, EX_CANTCREAT}, /* locked by another */
	{ENOENT, EX_CANTCREAT}, {EADDRINUSE, EX_CANTCREAT}, {EROFS, EX_CANTCREAT},
	{ELOOP, EX_CANTCREAT}, {0, EX_CANTCREAT}, /* it was refused by ourselves */
};

START_TEST(by_errno)
{
	ck_assert_int_eq(exit_status_of_errno(statuses[_i].error), statuses[_i].status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exit status");
	TCase *tests = tcase_create("exit status");

	tcase_add_loop_test(tests, by_errno, 0, sizeof(statuses) / sizeof(statuses[0]));
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
