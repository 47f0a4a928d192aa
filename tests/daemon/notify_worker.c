/*
 * A worker that says what its arguments say to its NOTIFY_SOCKET, one after the other, and at their
 * end waits for TERM, which ends it at once.
 *
 *	notify TEXT		one datagram; \n in it is a newline
 *	group TEXT		from a process of its group, which then ends
 *	stranger TEXT		from a process of a group of its own, which then ends
 *	hostile SECONDS		all that may harm, as fast as it can
 *	barrier PATH		BARRIER=1 with a pipe; once the other end is closed a line in the
 *file every MS TEXT		from now on, while it waits sleep MS
 *	wait PATH		until the file is there
 *	touch PATH		a line "PID" into the file
 *	eat MIB			as much more memory, touched
 *	exit N
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORGOTTEN_SEC 300
#define LONG_BYTES    65536

static void sleep_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static int open_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length;

	if (!name || fd < 0)
		_exit(81);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		_exit(82);
	return fd;
}

/* With descriptors, if count is not 0. */
static void send_bytes(int to, const void *bytes, size_t length, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	while (sendmsg(to, &message, MSG_NOSIGNAL) < 0 && (errno == EAGAIN || errno == EINTR))
		;
}

static void notify(const char *text)
{
	char bytes[4096];
	size_t length = 0;
	int fd = open_socket();

	for (; *text && length < sizeof(bytes); text++) {
		bool newline = text[0] == '\\' && text[1] == 'n';

		bytes[length++] = newline ? '\n' : *text;
		text += newline;
	}
	send_bytes(fd, bytes, length, NULL, 0);
	close(fd);
}

static void append(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(83);
	close(fd);
}

/* Until the supervisor has closed what it was sent; false: it never got it. */
static bool wait_at_barrier(void)
{
	int fd = open_socket(), ends[2];
	char byte;
	bool closed;

	if (pipe2(ends, O_CLOEXEC) < 0)
		_exit(84);
	send_bytes(fd, "BARRIER=1", 9, &ends[1], 1);
	close(ends[1]);
	closed = read(ends[0], &byte, 1) == 0;
	close(ends[0]);
	close(fd);
	return closed;
}

/* A process that is gone when it is looked for belongs to nobody: so it waits, as systemd-notify(1)
 * does. */
static void notify_from_child(const char *text, bool own_group, bool waits)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (own_group)
			setpgid(0, 0);
		notify(text);
		if (waits)
			wait_at_barrier();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void hostile(long seconds)
{
	static char bytes[LONG_BYTES];
	static const char *const texts[] = {"READY", "READY=\n\n\n=", "=", "READY=1READY=1",
		"WATCHDOG=", "EXTEND_TIMEOUT_USEC=-99999999999999999999999", "ERRNO=-1",
		"STATUS=\x1b[2J\xff\n", "MAINPID=1", "FDSTORE=1\nFDNAME=x", "BARRIER=1"};
	time_t until = time(NULL) + seconds;
	unsigned seed = (unsigned)getpid();
	int fd = open_socket(), passed[16];

	for (int i = 0; i < 16; i++)
		passed[i] = fd;
	for (unsigned long i = 0; time(NULL) < until; i++) {
		for (int j = 0; j < 64; j++)
			bytes[rand_r(&seed) % LONG_BYTES] = (char)rand_r(&seed);
		send_bytes(fd, "", 0, NULL, 0);
		send_bytes(fd, bytes, LONG_BYTES, NULL, 0);
		send_bytes(fd, bytes, (size_t)rand_r(&seed) % 4096, passed, i % 17);
		send_bytes(fd, "READY=1\0STOPPING=1", 18, passed, 16);
		send_bytes(fd, texts[i % 11], strlen(texts[i % 11]), NULL, 0);
		if (i % 64 == 0)
			notify_from_child("STOPPING=1", i % 128 == 0, false);
	}
	close(fd);
}

static void eat(long mib)
{
	char *bytes = malloc((size_t)mib << 20);

	if (!bytes)
		_exit(85);
	for (size_t i = 0; i < (size_t)mib << 20; i += 1024)
		((volatile char *)bytes)[i] = 1;
}

static void touch(const char *path)
{
	char line[32];

	snprintf(line, sizeof(line), "%d\n", (int)getpid());
	append(path, line);
}

/* How many words it took. */
static int act(char **word)
{
	const char *argument = word[1] ? word[1] : "";

	if (strcmp(*word, "notify") == 0)
		notify(argument);
	else if (strcmp(*word, "group") == 0)
		notify_from_child(argument, false, true);
	else if (strcmp(*word, "stranger") == 0)
		notify_from_child(argument, true, true);
	else if (strcmp(*word, "hostile") == 0)
		hostile(atol(argument));
	else if (strcmp(*word, "barrier") == 0)
		append(argument, wait_at_barrier() ? "closed\n" : "not closed\n");
	else if (strcmp(*word, "sleep") == 0)
		sleep_ms(atol(argument));
	else if (strcmp(*word, "touch") == 0)
		touch(argument);
	else if (strcmp(*word, "eat") == 0)
		eat(atol(argument));
	else if (strcmp(*word, "exit") == 0)
		_exit(atoi(argument));
	else if (strcmp(*word, "wait") == 0)
		while (access(argument, F_OK) < 0)
			sleep_ms(2);
	else
		_exit(86);
	return 2;
}

int main(int argc, char **argv)
{
	const char *every = NULL;
	long every_ms = 1000;

	alarm(FORGOTTEN_SEC);
	for (int i = 1; i < argc;) {
		if (strcmp(argv[i], "every") == 0 && i + 2 < argc) {
			every_ms = atol(argv[i + 1]);
			every = argv[i + 2];
			i += 3;
		} else {
			i += act(&argv[i]);
		}
	}
	for (;;) {
		if (every)
			notify(every);
		sleep_ms(every_ms);
	}
}
