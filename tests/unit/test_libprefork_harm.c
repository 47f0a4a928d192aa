/* libprefork where it is hard: descriptors and files that are harmed, forks, threads, and signal
 * handlers. The library's allocations are counted here on their way (ld's --wrap). */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "prefork_world.h"

static atomic_int allocations;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	allocations++;
	return __real_realloc(old, size);
}

/* --- harm --- */

/* The descriptor's number comes back as something dear. */
START_TEST(a_descriptor_that_is_another_file_is_left_alone)
{
	struct prefork_world world;
	struct stat before, after;
	const char *dear;
	char text[512];
	int fd;

	world_attach(&world);
	prefork_idle();
	dear = test_path(&world.dir, "dear");
	test_write_file(dear, "a data base of 256 bytes, or a log");
	ck_assert_int_eq(truncate(dear, 256), 0);
	fd = open(_i ? dear : world.path, O_RDWR);
	ck_assert_int_eq(stat(dear, &before), 0);
	close(world.fd);
	ck_assert_int_eq(dup2(fd, world.fd), world.fd);
	call_all();
	ck_assert_int_eq(stat(dear, &after), 0);
	ck_assert_int_eq(test_read_file(dear, text, sizeof(text)), 256);
	ck_assert_str_eq(text, "a data base of 256 bytes, or a log");
	ck_assert_int_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	/* the same file by another descriptor is as good */
	if (_i == 0)
		ck_assert_int_eq(world_state(&world), 'W');
	world_remove(&world);
}
END_TEST

START_TEST(a_closed_descriptor_is_given_up)
{
	struct prefork_world world;
	int kept;

	world_attach(&world);
	kept = dup(world.fd);
	close(world.fd);
	call_all();
	/* also when it comes back: whose it is now cannot be known */
	ck_assert_int_eq(dup2(kept, world.fd), world.fd);
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), '.');
	ck_assert_int_eq(prefork_attach(), 1);
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), 'W');
	world_remove(&world);
}
END_TEST

START_TEST(a_moved_position_is_no_harm)
{
	struct prefork_world world;

	world_attach(&world);
	ck_assert_int_eq(lseek(world.fd, 0, SEEK_SET), 0);
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), 'W');
	ck_assert_int_gt(lseek(world.fd, 0, SEEK_CUR), 1 << 30);
	world_remove(&world);
}
END_TEST

START_TEST(a_truncated_file_is_no_harm)
{
	struct prefork_world world;

	world_make(&world);
	world_set_pid(&world, _i ? 0 : getpid());
	ck_assert_int_eq(prefork_attach(), 1);
	ck_assert_int_eq(ftruncate(world.fd, 0), 0);
	call_all();
	ck_assert_int_eq(prefork_stopping(), 0);
	ck_assert_int_eq(ftruncate(world.fd, 0), 0);
	ck_assert_int_eq(lseek(world.fd, 0, SEEK_SET), 0);
	world_fill(&world);
	prefork_idle();
	ck_assert_int_eq(world_state(&world), '_');
	world_remove(&world);
}
END_TEST

/* --- fork --- */

static int exit_of(pid_t child)
{
	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0: as it should be. */
static int child_of_a_worker(struct prefork_world *world)
{
	sigset_t mask;

	call_all();
	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (world_state(world) != '_' || world_jobs(world) != 1 || sigismember(&mask, SIGTERM))
		return 1;
	/* it is of the worker's group, so it may speak for it, when it says so */
	if (prefork_attach() != 1)
		return 2;
	prefork_state('C');
	if (world_state(world) != 'C')
		return 3;
	prefork_idle();
	if (setpgid(0, 0) != 0)
		return 4;
	prefork_detach();
	return prefork_attach() == -1 && errno == EPERM ? 0 : 5;
}

START_TEST(a_child_says_nothing_until_it_attaches)
{
	struct prefork_world world;
	pid_t child;

	world_make(&world);
	if (getpgrp() != getpid())
		ck_assert_int_eq(setpgid(0, 0), 0);
	if (_i)
		unsetenv("PREFORKD_SCOREBOARD_FD");
	ck_assert_int_eq(prefork_attach(), 1);
	ck_assert_int_eq(prefork_stop_on(SIGTERM), 0);
	prefork_done();
	prefork_idle();
	child = fork();
	if (child == 0)
		_exit(child_of_a_worker(&world));
	ck_assert_int_eq(exit_of(child), 0);
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), 'W');
	world_remove(&world);
}
END_TEST

/* --- threads --- */

#define THREADS     8
#define THREAD_JOBS 1000

static void *work(void *seed)
{
	unsigned int random = (unsigned int)(uintptr_t)seed;

	for (int i = 0; i < THREAD_JOBS; i++) {
		prefork_take(rand_r(&random) % 4 == 0 ? "noted" : NULL);
		if (rand_r(&random) % 2)
			prefork_state('D');
		if (rand_r(&random) % 8 == 0)
			sched_yield();
		prefork_done();
		prefork_idle();
		if (rand_r(&random) % 4 == 0)
			prefork_idle();
	}
	return NULL;
}

START_TEST(threads_are_idle_together)
{
	struct prefork_world world;
	pthread_t threads[THREADS];

	world_attach(&world);
	/* with one that is busy all the time */
	if (_i)
		prefork_busy(NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(world_jobs(&world), THREADS * THREAD_JOBS);
	if (_i)
		ck_assert(world_state(&world) == 'W' || world_state(&world) == 'D');
	else
		ck_assert_int_eq(world_state(&world), '_');
	world_remove(&world);
}
END_TEST

/* --- signal handlers --- */

static atomic_int handled, spoilt;

static void hammer(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	handled++;
	prefork_state("_DW"[handled % 3]);
	prefork_beat();
	prefork_note("from a handler");
	prefork_done();
	if (prefork_take("from a handler"))
		prefork_idle();
	prefork_stopping();
	spoilt += errno != saved;
}

/* Whatever it interrupts, what is said last is what stands there. */
START_TEST(handlers_may_say_anything)
{
	struct sigaction action = {.sa_handler = hammer, .sa_flags = SA_RESTART};
	struct prefork_world world;
	int mine = 0;

	world_attach(&world);
	sigaction(SIGALRM, &action, NULL);
	for (; handled < 1000 || mine < 1000; mine++) {
		/* one at a time, so that a slow machine comes to its own work, too */
		struct itimerval soon = {.it_value = {0, 1 + mine * 7 % 40}};

		setitimer(ITIMER_REAL, &soon, NULL);
		prefork_take("from below");
		prefork_state('D');
		prefork_done();
		prefork_idle();
	}
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 0}}, NULL);
	prefork_idle();
	ck_assert_int_eq(spoilt, 0);
	ck_assert_int_eq(world_jobs(&world), mine + handled);
	ck_assert_int_eq(world_state(&world), '_');
	prefork_busy(NULL);
	ck_assert_int_eq(world_state(&world), 'W');
	world_remove(&world);
}
END_TEST

START_TEST(errno_and_memory_are_left_alone)
{
	struct prefork_world world;
	int before, after;

	world_attach(&world);
	before = allocations;
	errno = 4711;
	call_all();
	close(world.fd);
	call_all();
	after = allocations;
	ck_assert_int_eq(errno, 4711);
	ck_assert_int_eq(after, before);
	/* it does count */
	free(malloc((size_t)allocations + 1));
	ck_assert_int_gt(allocations, after);
	world_remove(&world);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("libprefork, harm");
	TCase *harm = new_case(suite, "harm");

	tcase_add_loop_test(harm, a_descriptor_that_is_another_file_is_left_alone, 0, 2);
	tcase_add_test(harm, a_closed_descriptor_is_given_up);
	tcase_add_test(harm, a_moved_position_is_no_harm);
	tcase_add_loop_test(harm, a_truncated_file_is_no_harm, 0, 2);
	tcase_add_loop_test(harm, a_child_says_nothing_until_it_attaches, 0, 2);
	tcase_add_loop_test(harm, threads_are_idle_together, 0, 2);
	tcase_add_test(harm, handlers_may_say_anything);
	tcase_add_test(harm, errno_and_memory_are_left_alone);
	return test_main(suite);
}
