/* libprefork's connections: which sockets it waits at, whom it wakes, and that none is left behind
 * when a worker is to leave. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "prefork_world.h"

#define PATIENCE_MS 20000

/* --- sockets of a worker --- */

static void address_of(struct sockaddr_un *address, const struct test_dir *dir, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%.60s/%.20s", dir->path, name);
}

static int listen_at(const struct test_dir *dir, const char *name)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	address_of(&address, dir, name);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	return fd;
}

static int connect_to(const struct test_dir *dir, const char *name)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	address_of(&address, dir, name);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool is_waiting(int listener)
{
	int client = accept(listener, NULL, NULL);

	if (client >= 0)
		close(client);
	return client >= 0;
}

static void nap(void)
{
	usleep(1000);
}

static void await_state(struct prefork_world *world, char state)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++, nap())
		if (world_state(world) == state)
			return;
	ck_abort_msg("waited in vain for the state %c", state);
}

/* --- which sockets --- */

static void pass_sockets(int count, const char *names)
{
	world_set_number("LISTEN_PID", getpid());
	world_set_number("LISTEN_FDS", count);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

/* Descriptors 3 to 5 are Check's; a child may have them for its own. It returns the line that is
 * not as it should be. */
#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ % 256;                                                     \
	} while (0)

static int exit_of(pid_t child)
{
	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void expect_of_child(int (*test)(void))
{
	pid_t child = fork();

	if (child == 0)
		_exit(test());
	ck_assert_int_eq(exit_of(child), 0);
}

static void fill_three(void)
{
	for (int fd = 3; fd < 6; fd++)
		dup2(STDOUT_FILENO, fd);
}

static int find_by_name(void)
{
	static const struct {
		const char *names, *name;
		int n, fd;
	} cases[] = {
		{"web:api:web", "web", 0, 3},
		{"web:api:web", "web", 1, 5},
		{"web:api:web", "web", 2, -1},
		{"web:api:web", "api", 0, 4},
		{"web:api:web", "ap", 0, -1},
		{"web:api:web", "apix", 0, -1},
		{"web:api:web", NULL, 0, 3},
		{"web:api:web", NULL, 2, 5},
		{"web:api:web", NULL, 3, -1},
		{"web:api:web", NULL, -1, -1},
		{"web", "web", 0, 3},
		{"web", "", 0, 4},
		{"web", NULL, 1, 4},
		{NULL, NULL, 2, 5},
		{NULL, "web", 0, -1},
		{"a:b:c:d", "d", 0, -1},
	};

	fill_three();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pass_sockets(3, cases[i].names);
		if (prefork_socket(cases[i].name, cases[i].n) != cases[i].fd)
			return (int)i + 1;
	}
	HOLDS(fcntl(4, F_GETFD) == FD_CLOEXEC);
	return 0;
}

START_TEST(finds_sockets_by_name)
{
	expect_of_child(find_by_name);
}
END_TEST

static int refuse_others(void)
{
	fill_three();
	pass_sockets(3, "web");
	setenv("LISTEN_PID", "1", 1);
	HOLDS(prefork_socket(NULL, 0) == -1);
	unsetenv("LISTEN_PID");
	HOLDS(prefork_socket(NULL, 0) == -1);
	pass_sockets(-3, "web");
	HOLDS(prefork_socket(NULL, 0) == -1);
	pass_sockets(3, "web");
	close(4);
	HOLDS(prefork_socket(NULL, 1) == -1);
	HOLDS(prefork_accept(NULL) == -1 && errno == ENOTSOCK);
	HOLDS(prefork_listen(3) == -1 && errno == ENOTSOCK);
	HOLDS(prefork_listen(-1) == -1 && errno == ENOTSOCK);
	return 0;
}

START_TEST(sockets_of_others_are_not_taken)
{
	expect_of_child(refuse_others);
}
END_TEST

static struct test_dir sockets_dir;

static int wait_at_all(void)
{
	int first = listen_at(&sockets_dir, "first"), second = listen_at(&sockets_dir, "second");
	int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0), came[2] = {-1, -1};

	connect_to(&sockets_dir, "first");
	connect_to(&sockets_dir, "second");
	/* what was made first may be among 3 to 5 itself */
	dup2(first, 100);
	dup2(second, 101);
	dup2(datagrams, 102);
	HOLDS(dup2(100, 3) == 3 && dup2(102, 4) == 4 && dup2(101, 5) == 5);
	pass_sockets(3, NULL);
	for (int i = 0; i < 2; i++) {
		int client = prefork_accept(&came[i]);

		HOLDS(client >= 0 && fcntl(client, F_GETFD) == FD_CLOEXEC);
		HOLDS(!(fcntl(client, F_GETFL) & O_NONBLOCK));
	}
	HOLDS(came[0] + came[1] == 8 && came[0] != came[1]);
	return 0;
}

START_TEST(waits_at_all_that_listen)
{
	test_dir_make(&sockets_dir);
	expect_of_child(wait_at_all);
	test_dir_remove(&sockets_dir);
}
END_TEST

/* --- leaving --- */

START_TEST(leaves_the_job_to_others_when_asked)
{
	struct prefork_world world;
	int listener;

	world_attach(&world);
	listener = listen_at(&world.dir, "web");
	ck_assert_int_eq(prefork_listen(listener), 0);
	connect_to(&world.dir, "web");
	if (_i == 0)
		world_retire(&world);
	if (_i == 1)
		ck_assert_int_eq(prefork_stop_on(SIGUSR2), 0);
	if (_i == 1)
		raise(SIGUSR2);
	if (_i == 2)
		ck_assert_int_ge(prefork_accept(NULL), 0);
	if (_i == 2)
		raise(SIGQUIT);
	ck_assert_int_eq(prefork_accept(NULL), -1);
	ck_assert_int_eq(errno, ECANCELED);
	ck_assert_int_eq(world_state(&world), 'W');
	ck_assert_int_eq(is_waiting(listener), _i < 2);
	world_remove(&world);
}
END_TEST

struct waiter {
	pthread_t thread;
	int served, result;
};

static atomic_int served;

static void count(int client, void *context)
{
	(void)client;
	(*(int *)context)++;
	served++;
}

static void *serve(void *context)
{
	struct waiter *waiter = context;

	waiter->result = prefork_serve(count, &waiter->served);
	return NULL;
}

/* A connection that has woken us is served, whatever the line says by now: who else would? */
START_TEST(takes_the_one_it_was_woken_for)
{
	struct prefork_world world;
	struct waiter waiter = {.served = 0};
	int listener;

	world_attach(&world);
	listener = listen_at(&world.dir, "web");
	ck_assert_int_eq(prefork_listen(listener), 0);
	pthread_create(&waiter.thread, NULL, serve, &waiter);
	await_state(&world, '_');
	world_retire(&world);
	connect_to(&world.dir, "web");
	pthread_join(waiter.thread, NULL);
	ck_assert_int_eq(waiter.result, 0);
	ck_assert_int_eq(waiter.served, 1);
	ck_assert_int_eq(world_jobs(&world), 1);
	world_remove(&world);
}
END_TEST

#define WAITERS 6

/* One signal for all, though the system hands it to one. */
START_TEST(threads_serve_and_leave_together)
{
	struct prefork_world world;
	struct waiter waiters[WAITERS] = {{.served = 0}};
	int sum = 0;

	world_attach(&world);
	ck_assert_int_eq(prefork_stop_on(SIGTERM), 0);
	ck_assert_int_eq(prefork_listen(listen_at(&world.dir, "web")), 0);
	for (int i = 0; i < WAITERS; i++)
		pthread_create(&waiters[i].thread, NULL, serve, &waiters[i]);
	for (int i = 0; i < 200; i++) {
		close(connect_to(&world.dir, "web"));
		if (i % 8 == 0)
			await_state(&world, '_');
	}
	while (served < 200)
		nap();
	await_state(&world, '_');
	kill(getpid(), SIGTERM);
	for (int i = 0; i < WAITERS; i++) {
		pthread_join(waiters[i].thread, NULL);
		ck_assert_int_eq(waiters[i].result, 0);
		sum += waiters[i].served;
	}
	ck_assert_int_eq(sum, 200);
	ck_assert_int_eq(world_jobs(&world), 200);
	world_remove(&world);
}
END_TEST

/* --- others who wait --- */

#define RIVALS 8

static long switches_of(pid_t pid)
{
	char path[64], text[4096];
	const char *found;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	test_read_file(path, text, sizeof(text));
	found = strstr(text, "\nvoluntary_ctxt_switches:");
	return found ? strtol(found + strlen("\nvoluntary_ctxt_switches:"), NULL, 10) : 0;
}

static bool all_sleep(const pid_t *pids)
{
	char path[64], text[4096];

	for (int i = 0; i < RIVALS; i++) {
		snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pids[i]);
		test_read_file(path, text, sizeof(text));
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pids[i]);
		test_read_file(path, text, sizeof(text));
		if (!strstr(text, "\nState:\tS"))
			return false;
	}
	return true;
}

static void await_sleep(const pid_t *pids)
{
	for (int ms = 0; ms < PATIENCE_MS && !all_sleep(pids); ms++)
		nap();
}

static int rival(int listener)
{
	int ignored = 0;

	return prefork_listen(listener) < 0 || prefork_serve(count, &ignored) < 0;
}

/* One connection, one that wakes: not all of them. */
START_TEST(of_many_workers_few_wake)
{
	struct prefork_world world;
	pid_t rivals[RIVALS];
	long before = 0, after = 0;
	int listener;

	world_make(&world);
	listener = listen_at(&world.dir, "web");
	for (int i = 0; i < RIVALS; i++) {
		rivals[i] = fork();
		if (rivals[i] == 0)
			_exit(rival(listener));
	}
	await_sleep(rivals);
	usleep(20000);
	await_sleep(rivals);
	for (int i = 0; i < RIVALS; i++)
		before += switches_of(rivals[i]);
	for (int i = 0; i < 100; i++) {
		int client = connect_to(&world.dir, "web");
		char byte;

		ck_assert_int_eq(read(client, &byte, 1), 0);
		close(client);
		await_sleep(rivals);
	}
	for (int i = 0; i < RIVALS; i++) {
		after += switches_of(rivals[i]);
		kill(rivals[i], SIGTERM);
	}
	for (int i = 0; i < RIVALS; i++)
		ck_assert_int_eq(exit_of(rivals[i]), 0);
	/* all of them each time would be 800 */
	ck_assert_int_lt(after - before, 300);
	world_remove(&world);
}
END_TEST

START_TEST(a_child_waits_by_itself)
{
	struct prefork_world world;
	int listener;
	pid_t child;

	world_attach(&world);
	listener = listen_at(&world.dir, "web");
	ck_assert_int_eq(prefork_listen(listener), 0);
	connect_to(&world.dir, "web");
	ck_assert_int_ge(prefork_accept(NULL), 0);
	child = fork();
	if (child == 0)
		_exit(prefork_accept(NULL) == -1 && errno == ENOTSOCK ? 0 : 1);
	ck_assert_int_eq(exit_of(child), 0);
	/* TERM ends it as any program; Check's handler would do more */
	signal(SIGTERM, SIG_DFL);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGTERM);
	ck_assert_int_eq(exit_of(child), 128 + SIGTERM);
	connect_to(&world.dir, "web");
	ck_assert_int_ge(prefork_accept(NULL), 0);
	world_remove(&world);
}
END_TEST

START_TEST(lack_of_descriptors_is_told)
{
	struct prefork_world world;
	struct rlimit limit;
	int listener;

	/* which has limits of its own, and descriptors above them */
	if (test_on_valgrind())
		return;
	world_attach(&world);
	listener = listen_at(&world.dir, "web");
	ck_assert_int_eq(prefork_listen(listener), 0);
	connect_to(&world.dir, "web");
	connect_to(&world.dir, "web");
	ck_assert_int_ge(prefork_accept(NULL), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_int_eq(prefork_accept(NULL), -1);
	ck_assert_int_eq(errno, EMFILE);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	ck_assert_int_ge(prefork_accept(NULL), 0);
	world_remove(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("libprefork, accept");
	TCase *tcase = tcase_create("accept");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, finds_sockets_by_name);
	tcase_add_test(tcase, sockets_of_others_are_not_taken);
	tcase_add_test(tcase, waits_at_all_that_listen);
	tcase_add_loop_test(tcase, leaves_the_job_to_others_when_asked, 0, 3);
	tcase_add_test(tcase, takes_the_one_it_was_woken_for);
	tcase_add_test(tcase, threads_serve_and_leave_together);
	tcase_add_test(tcase, of_many_workers_few_wake);
	tcase_add_test(tcase, a_child_waits_by_itself);
	tcase_add_test(tcase, lack_of_descriptors_is_told);
	return test_main(suite);
}
