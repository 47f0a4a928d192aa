/*
 * Both sides of the tests of spawn.c: what a worker finds around itself, and a plan to start it
 * from in a process that looks like the supervisor.
 */
#include "spawn_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errmsg.h"
#include "identity.h"
#include "test_main.h"

char self[PATH_MAX];
static char worker_word[] = "worker", sleeper_word[] = "sleeper";
char *worker_argv[] = {self, worker_word, NULL};
char *sleeper_argv[] = {self, sleeper_word, NULL};
char listen_pid[] = "LISTEN_PID=" SPAWN_PID_BLANKS "  ";
char watchdog_pid[] = "WATCHDOG_PID=" SPAWN_PID_BLANKS;
static char colour[] = "COLOUR=blue";
static char *environment[] = {colour, listen_pid, watchdog_pid, NULL};

/* --- the worker's side --- */

static void tell_status(void)
{
	static const char *const wanted[] = {
		"SigPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:", "Groups:"};
	FILE *file = fopen("/proc/self/status", "re");
	char line[512];
	size_t i;

	while (file && fgets(line, sizeof(line), file)) {
		for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			if (!strncmp(line, wanted[i], strlen(wanted[i])))
				fputs(line, stdout);
		}
	}
	if (file)
		fclose(file);
}

static void tell_descriptors(void)
{
	struct stat found;
	int fd;

	for (fd = 0; fd < 2048; fd++) {
		if (!fstat(fd, &found))
			printf("fd %d inode %llu\n", fd, (unsigned long long)found.st_ino);
	}
}

static void tell_limits(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	printf("nofile %lld %lld\n", (long long)limit.rlim_cur, (long long)limit.rlim_max);
	getrlimit(RLIMIT_CORE, &limit);
	printf("core %lld %lld\n", (long long)limit.rlim_cur, (long long)limit.rlim_max);
}

static void tell_oom_score(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "re");
	int score = 9999;

	if (!file || fscanf(file, "%d", &score) != 1)
		score = 9999;
	if (file)
		fclose(file);
	printf("oom_score_adj %d\n", score);
}

static int work(void)
{
	char folder[PATH_MAX];
	mode_t mask = umask(0);
	cpu_set_t cpus;

	tell_descriptors(); /* before any other is opened */
	tell_status();
	tell_limits();
	tell_oom_score();
	sched_getaffinity(0, sizeof(cpus), &cpus);
	printf("pid %d group %d\n", (int)getpid(), (int)getpgrp());
	printf("uid %d gid %d\n", (int)getuid(), (int)getgid());
	printf("umask %o nice %d cpus %d\n", (unsigned)mask, getpriority(PRIO_PROCESS, 0),
		CPU_COUNT(&cpus));
	printf("folder %s\n", getcwd(folder, sizeof(folder)) ? folder : "?");
	printf("LISTEN_PID %s.\n", getenv("LISTEN_PID") ? getenv("LISTEN_PID") : "?");
	printf("WATCHDOG_PID %s.\n", getenv("WATCHDOG_PID") ? getenv("WATCHDOG_PID") : "?");
	printf("COLOUR %s.\n", getenv("COLOUR") ? getenv("COLOUR") : "?");
	return fflush(stdout) ? 1 : 0;
}

/* --- the supervisor's side --- */

struct spawn_reports reports;
struct spawn_plan plan;
static struct identity nobody_special;
int default_fd[3];
int output[2];
char text[TEXT_BYTES];

void spawn_fixture_setup(void)
{
	sigset_t every;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* what whoever ran this test, and Check, have left open */
	ck_assert_int_eq(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, NULL);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(spawn_reports_open(&reports, NULL), 0);
	ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
	default_fd[0] = null_fd;
	default_fd[1] = output[1];
	default_fd[2] = STDERR_FILENO;
	plan = (struct spawn_plan){
		.path = self,
		.argv = worker_argv,
		.envp = environment,
		.fd = default_fd,
		.fd_count = 3,
		.identity = &nobody_special,
		.umask = -1,
	};
}

void spawn_fixture_teardown(void)
{
	spawn_reports_close(&reports);
	close(output[0]);
	close(output[1]);
	close(default_fd[0]);
}

struct spawned start(void)
{
	struct errmsg err = {""};
	struct spawned spawned;
	int result = spawn_start(&spawned, &plan, &reports, &err);

	ck_assert_msg(result == 0, "spawn_start: %s", err.text);
	ck_assert_int_eq(fcntl(spawned.pidfd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_gt(spawned.started_boot_ns, 0);
	return spawned;
}

int end_of(struct spawned *spawned)
{
	int status = -1;

	ck_assert_int_eq(waitpid(spawned->pid, &status, 0), spawned->pid);
	close(spawned->pidfd);
	return status;
}

pid_t run(void)
{
	struct spawned spawned = start();
	int status = end_of(&spawned);
	struct spawn_report report;
	ssize_t length;

	if (spawn_reports_read(&reports, &report))
		ck_abort_msg("%s: %s", spawn_step_name(report.step), strerror(report.error));
	ck_assert_int_eq(status, 0);
	length = read(output[0], text, sizeof(text) - 1);
	ck_assert_int_gt(length, 0);
	text[length] = '\0';
	return spawned.pid;
}

void has_line(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	ck_assert_msg(strstr(text, line) != NULL, "no line \"%s\" in:\n%s", line, text);
}

void spawn_fixture_main(int argc, char **argv)
{
	ssize_t length;

	if (argc > 1 && !strcmp(argv[1], worker_word))
		exit(work());
	while (argc > 1 && !strcmp(argv[1], sleeper_word))
		pause();
	test_needs_kernel();
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		exit(EXIT_FAILURE);
	self[length] = '\0';
}
