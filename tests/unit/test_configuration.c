/*
 * Configurations that share sockets: what stays the same keeps its descriptor, what is new is bound
 * before the old is closed, and each is closed, and its file removed, with the last that holds it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_world.h"
#include "configuration.h"
#include "errmsg.h"
#include "test_files.h"
#include "test_main.h"

static struct test_dir dir;
static unsigned descriptors;

static unsigned count_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void setup(void)
{
	test_dir_make(&dir);
	ck_assert_int_eq(chdir(dir.path), 0);
	descriptors = count_descriptors();
}

static void teardown(void)
{
	ck_assert_uint_eq(count_descriptors(), descriptors);
	test_dir_remove(&dir);
}

/* The text has one %s: the folder. */
static struct configuration *try_open(
	const char *format, const struct configuration *previous, struct errmsg *err)
{
	struct configuration *configuration;
	struct settings *settings;
	char text[4000];

	snprintf(text, sizeof(text), format, dir.path, dir.path, dir.path);
	settings = must_parse(text);
	configuration = configuration_open(settings, previous, NULL, err);
	if (!configuration)
		settings_free(settings);
	return configuration;
}

static struct configuration *must_open(const char *format, const struct configuration *previous)
{
	struct errmsg err;
	struct configuration *configuration = try_open(format, previous, &err);

	ck_assert_msg(configuration != NULL, "%s", err.text);
	return configuration;
}

static int fd_of(const struct configuration *configuration, const char *name)
{
	const struct listener *listener = socket_table_find(&configuration->sockets, name);

	ck_assert_ptr_nonnull(listener);
	return listener->fd;
}

/* We are in the folder. */
static bool answers(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	close(fd);
	return result == 0;
}

static bool exists(const char *name)
{
	return access(test_path(&dir, name), F_OK) == 0;
}

#define POOL "[pool:web]\ncommand = /bin/true\nsockets = a\n"
#define A    "[socket:a]\nlisten = unix:%s/a\n"

START_TEST(what_stays_is_shared)
{
	struct configuration *first = must_open(A POOL, NULL), *second, *third;
	const int fd = fd_of(first, "a");

	second = must_open(A "backlog = 5\nmode = 0600\n" POOL "max_workers = 3\n", first);
	ck_assert_int_eq(fd_of(second, "a"), fd);
	configuration_release(first);
	ck_assert(answers("a"));
	third = must_open(A "backlog = 5\nmode = 0600\n" POOL "nice = 3\n", second);
	ck_assert_int_eq(fd_of(third, "a"), fd);
	configuration_release(third);
	ck_assert(answers("a"));
	configuration_release(second);
	ck_assert(!exists("a"));
}
END_TEST

/* Backlog, mode and owner change in place, but only once the new configuration is in force. */
START_TEST(what_stays_changes_in_place)
{
	struct configuration *first = must_open(A POOL, NULL);
	struct configuration *second = must_open(A "mode = 0600\n" POOL, first);
	struct stat status;

	ck_assert_int_eq(stat(test_path(&dir, "a"), &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0660);
	socket_table_apply(&second->sockets);
	ck_assert_int_eq(stat(test_path(&dir, "a"), &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	socket_table_apply(&first->sockets);
	ck_assert_int_eq(stat(test_path(&dir, "a"), &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0660);
	configuration_release(second);
	configuration_release(first);
}
END_TEST

START_TEST(a_new_address_is_bound_before_the_old_is_closed)
{
	struct configuration *first = must_open(A POOL, NULL);
	struct configuration *second =
		must_open("[socket:a]\nlisten = unix:%s/other\n" POOL, first);

	ck_assert_int_ne(fd_of(second, "a"), fd_of(first, "a"));
	ck_assert(answers("a"));
	ck_assert(answers("other"));
	configuration_release(first);
	ck_assert(!exists("a"));
	ck_assert(answers("other"));
	configuration_release(second);
	ck_assert(!exists("other"));
}
END_TEST

START_TEST(what_nobody_names_is_closed)
{
	struct configuration *first = must_open(A "[socket:b]\nlisten = unix:%s/b\n" POOL, NULL);
	struct configuration *second = must_open(A POOL, first);

	ck_assert_ptr_null(socket_table_find(&second->sockets, "b"));
	ck_assert(answers("b"));
	configuration_release(first);
	ck_assert(!exists("b"));
	ck_assert(answers("a"));
	configuration_release(second);
}
END_TEST

/* All or nothing: what was bound for the one that failed is gone again, what was shared is not. */
START_TEST(what_cannot_be_bound_changes_nothing)
{
	struct configuration *first = must_open(A POOL, NULL);
	const unsigned before = count_descriptors();
	struct errmsg err;

	ck_assert_ptr_null(try_open(A "[socket:b]\nlisten = unix:%s/b\n"
				      "[socket:c]\nlisten = unix:%s/none/c\n" POOL,
		first, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "[socket:c]"));
	ck_assert_uint_eq(count_descriptors(), before);
	ck_assert(!exists("b"));
	ck_assert(answers("a"));
	ck_assert_int_ge(fd_of(first, "a"), 0);
	configuration_release(first);
}
END_TEST

START_TEST(an_overlapping_address_needs_a_restart)
{
	struct configuration *first;
	struct errmsg err;

	first = must_open(A "[socket:t]\nlisten = 127.0.0.1:47391\n" POOL, NULL);
	ck_assert_ptr_null(try_open(A "[socket:t]\nlisten = :47391\n" POOL, first, &err));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "needs a restart"));
	configuration_release(first);
	/* The same file under another name would have to be bound twice. */
	first = must_open(A POOL, NULL);
	ck_assert_ptr_null(try_open("[socket:z]\nlisten = unix:%s/a\n"
				    "[pool:web]\ncommand = /bin/true\nsockets = z\n",
		first, &err));
	ck_assert(answers("a"));
	configuration_release(first);
}
END_TEST

/* Any number of configurations after one another, held by anybody: one descriptor each. */
START_TEST(holding_and_letting_go)
{
	struct configuration *held[10] = {NULL}, *last = must_open(A POOL, NULL);
	uint64_t random = test_seed();
	const int fd = fd_of(last, "a");

	for (int i = 0; i < 500; i++) {
		struct configuration *next = must_open(A POOL, last);
		struct configuration **slot = &held[test_random_below(&random, 10)];

		ck_assert_int_eq(fd_of(next, "a"), fd);
		configuration_release(*slot);
		*slot = configuration_hold(last);
		configuration_release(last);
		last = next;
	}
	ck_assert_uint_eq(count_descriptors(), descriptors + 1);
	for (int i = 0; i < 10; i++)
		configuration_release(held[i]);
	configuration_release(NULL);
	ck_assert(answers("a"));
	configuration_release(last);
	ck_assert(!exists("a"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("configuration");
	TCase *sharing = tcase_create("sharing");

	suite_add_tcase(suite, sharing);
	tcase_add_checked_fixture(sharing, setup, teardown);
	tcase_add_test(sharing, what_stays_is_shared);
	tcase_add_test(sharing, what_stays_changes_in_place);
	tcase_add_test(sharing, a_new_address_is_bound_before_the_old_is_closed);
	tcase_add_test(sharing, what_nobody_names_is_closed);
	tcase_add_test(sharing, what_cannot_be_bound_changes_nothing);
	tcase_add_test(sharing, an_overlapping_address_needs_a_restart);
	tcase_add_test(sharing, holding_and_letting_go);
	return test_main(suite);
}
