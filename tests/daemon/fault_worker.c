/*
 * A worker in trouble, or one that makes some: does what its words say, one after the other, and
 * sleeps at their end. Must never outlive a forgotten test: an alarm ends it.
 *
 *	hello PATH		a byte into the FIFO, at once
 *	await PATH		until the file is there
 *	eat MIB			that much memory, and keeps it
 *	orphans NUMBER PATH	so many grandchildren that end with every status, then a line in the
 *file print LINES LENGTH PATH	to standard output; the longest write in microseconds into the file
 *	nul-lines		lines with NUL bytes to standard output
 *	nonblock		makes its descriptors 0 to 2 non-blocking
 *	exit NUMBER, exit-after MS
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORGOTTEN_SEC 600

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void nap_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static void append(const char *path, long long number)
{
	char line[32];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	int length = snprintf(line, sizeof(line), "%lld\n", number);

	if (fd < 0 || write(fd, line, (size_t)length) != length)
		_exit(90);
	close(fd);
}

static void hello(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || write(fd, ".", 1) != 1)
		_exit(91);
	close(fd);
}

static void eat(long mib)
{
	size_t size = (size_t)mib << 20;
	volatile char *all = malloc(size);

	for (size_t at = 0; all && at < size; at += 4096)
		all[at] = 1;
}

/* Their parents end first: they go to whoever takes orphans. */
static void orphans(long number, const char *path)
{
	for (long i = 0; i < number; i++) {
		pid_t middle = fork();

		if (middle < 0)
			_exit(92);
		if (middle == 0) {
			if (fork() == 0) {
				setpgid(0, 0);
				nap_ms(i % 7);
				_exit((int)(i % 256));
			}
			_exit(0);
		}
		waitpid(middle, NULL, 0);
	}
	append(path, number);
}

static void print(long lines, long length, const char *path)
{
	char *line = malloc((size_t)length + 1);
	long long longest_us = 0;

	if (!line)
		_exit(93);
	memset(line, 'x', (size_t)length);
	line[length] = '\n';
	for (long i = 0; i < lines; i++) {
		long long began = now_us(), took;

		for (long done = 0; done <= length;) {
			ssize_t wrote =
				write(STDOUT_FILENO, line + done, (size_t)(length + 1 - done));

			if (wrote < 0)
				break;
			done += wrote;
		}
		took = now_us() - began;
		longest_us = took > longest_us ? took : longest_us;
	}
	free(line);
	append(path, longest_us);
}

static void print_nul_lines(void)
{
	static const char text[] = "before\0after\n\0\0\n\0first byte\nlast byte\0\n";

	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(94);
}

/* How many words it took; 0: not one of these. */
static int do_deed(char **word)
{
	const char *first = word[1] ? word[1] : "", *second = word[1] && word[2] ? word[2] : "";

	if (strcmp(*word, "hello") == 0)
		return hello(first), 2;
	if (strcmp(*word, "await") == 0) {
		while (access(first, F_OK) != 0)
			nap_ms(2);
		return 2;
	}
	if (strcmp(*word, "eat") == 0)
		return eat(atol(first)), 2;
	if (strcmp(*word, "orphans") == 0)
		return orphans(atol(first), second), 3;
	if (strcmp(*word, "print") == 0)
		return print(atol(first), atol(second), word[2] && word[3] ? word[3] : ""), 4;
	if (strcmp(*word, "exit") == 0)
		exit(atoi(first));
	if (strcmp(*word, "exit-after") == 0)
		return nap_ms(atol(first)), 2;
	return 0;
}

int main(int argc, char **argv)
{
	alarm(FORGOTTEN_SEC);
	for (int i = 1; i < argc;) {
		int took = do_deed(&argv[i]);

		if (took == 0 && strcmp(argv[i], "nul-lines") == 0)
			took = (print_nul_lines(), 1);
		for (int fd = 0; took == 0 && strcmp(argv[i], "nonblock") == 0 && fd < 3; fd++)
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		if (took == 0 && strcmp(argv[i], "nonblock") != 0)
			return fprintf(stderr, "fault_worker: %s?\n", argv[i]), 99;
		i += took ? took : 1;
	}
	for (;;)
		pause();
}
