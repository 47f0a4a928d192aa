/*
 * Users and groups to ids. Only entries that every system has are counted on: root, and whoever
 * runs the test.
 */
#include "test_main.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "errmsg.h"
#include "users.h"
#include "words.h"

#define FREE_ID "3999999999" /* no entry has it */

START_TEST(test_nothing_asked)
{
	struct identity identity;
	struct words none = {0};

	ck_assert_int_eq(users_resolve(&identity, NULL, NULL, &none, NULL), 0);
	ck_assert(!identity.change);
	ck_assert_uint_eq(identity.uid, geteuid());
	ck_assert_uint_eq(identity.gid, getegid());
	ck_assert_ptr_null(identity.name);
	identity_free(&identity);
}
END_TEST

START_TEST(test_root)
{
	struct identity by_name, by_id;
	struct passwd *entry = getpwuid(0);

	ck_assert_int_eq(users_resolve(&by_name, "root", NULL, NULL, NULL), 0);
	ck_assert_int_eq(users_resolve(&by_id, "0", NULL, NULL, NULL), 0);
	ck_assert(by_name.change);
	ck_assert_uint_eq(by_name.uid, 0);
	ck_assert_uint_eq(by_name.gid, entry->pw_gid);
	ck_assert_str_eq(by_name.name, "root");
	ck_assert_str_eq(by_name.home, entry->pw_dir);
	ck_assert_ptr_nonnull(by_name.shell);
	ck_assert_uint_ge(by_name.group_count, 1);
	ck_assert_str_eq(by_id.name, "root");
	ck_assert_uint_eq(by_id.group_count, by_name.group_count);
	identity_free(&by_name);
	identity_free(&by_id);
}
END_TEST

START_TEST(test_own_user)
{
	struct passwd *entry = getpwuid(geteuid());
	struct identity identity;

	if (!entry || entry->pw_gid != getegid())
		return;
	ck_assert_int_eq(users_resolve(&identity, entry->pw_name, NULL, NULL, NULL), 0);
	ck_assert_int_eq(identity.change, geteuid() == 0);
	ck_assert_uint_eq(identity.uid, geteuid());
	ck_assert_str_eq(identity.name, entry->pw_name);
	identity_free(&identity);
}
END_TEST

/* What is no user must never become one: "0x0" and "0day" are names, not zero. */
START_TEST(test_unknown)
{
	static const char *const names[] = {"", "no such user", "0day", "0x0", "-1", "+0", " 0",
		"1e3", "4294967295", "4294967296", "99999999999999999999", "root ", "root:x"};
	struct identity identity;
	struct errmsg err;
	gid_t gid = 77;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_msg(users_resolve(&identity, names[i], "0", NULL, &err) == -1, "\"%s\"",
			names[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "unknown user"));
		ck_assert_ptr_null(identity.name);
		ck_assert_msg(users_group(&gid, names[i], &err) == -1, "\"%s\"", names[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "unknown group"));
		ck_assert_uint_eq(gid, 77);
	}
}
END_TEST

START_TEST(test_numeric)
{
	struct identity identity;
	struct errmsg err;

	ck_assert_int_eq(users_resolve(&identity, FREE_ID, NULL, NULL, &err), -1);
	ck_assert_str_eq(err.text, "user " FREE_ID " has no entry, so a group must be given");
	ck_assert_int_eq(users_resolve(&identity, FREE_ID, FREE_ID, NULL, &err), 0);
	ck_assert(identity.change);
	ck_assert_uint_eq(identity.uid, 3999999999u);
	ck_assert_uint_eq(identity.gid, 3999999999u);
	ck_assert_uint_eq(identity.group_count, 0);
	ck_assert_ptr_null(identity.name);
	identity_free(&identity);
}
END_TEST

START_TEST(test_groups)
{
	struct group *entry = getgrgid(0);
	struct words groups = {0};
	struct identity identity;
	struct errmsg err;
	gid_t gid;

	ck_assert_int_eq(users_group(&gid, entry->gr_name, &err), 0);
	ck_assert_uint_eq(gid, 0);
	words_add(&groups, "12345");
	words_add(&groups, entry->gr_name);
	ck_assert_int_eq(users_resolve(&identity, "root", "7", &groups, &err), 0);
	ck_assert_uint_eq(identity.gid, 7);
	ck_assert_uint_eq(identity.group_count, 2);
	ck_assert_uint_eq(identity.groups[0], 12345);
	ck_assert_uint_eq(identity.groups[1], 0);
	identity_free(&identity);
	words_add(&groups, "no such group");
	ck_assert_int_eq(users_resolve(&identity, "root", NULL, &groups, &err), -1);
	ck_assert_str_eq(err.text, "unknown group \"no such group\"");
	ck_assert_ptr_null(identity.name);
	words_free(&groups);
}
END_TEST

/* A group alone changes nothing else. */
START_TEST(test_group_alone)
{
	struct identity identity;

	ck_assert_int_eq(users_resolve(&identity, NULL, FREE_ID, NULL, NULL), 0);
	ck_assert(identity.change);
	ck_assert_uint_eq(identity.uid, geteuid());
	ck_assert_uint_eq(identity.gid, 3999999999u);
	ck_assert_int_eq(identity.group_count, getgroups(0, NULL));
	identity_free(&identity);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("users");
	TCase *tests = tcase_create("users");

	tcase_add_test(tests, test_nothing_asked);
	tcase_add_test(tests, test_root);
	tcase_add_test(tests, test_own_user);
	tcase_add_test(tests, test_unknown);
	tcase_add_test(tests, test_numeric);
	tcase_add_test(tests, test_groups);
	tcase_add_test(tests, test_group_alone);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
