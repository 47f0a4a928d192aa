/*
 * Servers that know nothing of preforkd, one for each way of taking connections, on the listening
 * socket that is descriptor 3. They answer HTTP/1.1 and keep connections open. Nothing is done
 *about signals.
 *
 *	auto_server blocking		one connection after another
 *	auto_server stdio		the same, by stdio, HTTP/1.0
 *	auto_server epoll		non-blocking, any number at once
 *	auto_server threads		four threads, each in accept(2)
 *	auto_server forking		a child for each connection
 *	auto_server prefork		four children, each in accept(2)
 *	auto_server dying		the same; on /die a child kills itself
 *	auto_server closing HOW		closes all descriptors that it does not know (loop, from,
 *range, dup2), then blocking auto_server parent WORD...	runs auto_server WORD... as a child
 *	auto_server wrapped COMMAND	lets sh run the command, then serves
 *	auto_server late MS		serves after so long
 *	auto_server beside HOW		on /slow starts a process behind libc's fork(2), by vfork(2)
 *					or clone(2), which closes the connection and has another
 *					file by its number; then blocking
 *	auto_server shutting		shuts the listening socket down after a connection; exits 7
 *					when accept(2) fails then as it should
 *	auto_server handler HOW		handles USR1, restarting calls or not (restart, interrupt);
 *exits 7 when accept(2) was interrupted
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORGOTTEN_SEC 300
#define LISTENER      3
#define CHILDREN      4
#define REQUEST_BYTES 4096
#define CONNECTIONS   256

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
static bool may_die;
static const char *beside; /* how another process is started */

static void misuse(int fd)
{
	int null;

	close(fd);
	null = open("/dev/null", O_RDWR);
	dup2(null, fd);
	if (write(fd, response, sizeof(response) - 1) < 0 || read(fd, &null, sizeof(null)) < 0)
		_exit(1);
	shutdown(fd, SHUT_RDWR);
	_exit(0);
}

static void start_beside(int fd)
{
	pid_t child;

	if (strcmp(beside, "vfork") == 0)
		child = vfork();
	else
		child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		misuse(fd);
	waitpid(child, NULL, 0);
}

static void answer(int fd, const char *request)
{
	if (may_die && strstr(request, "/die"))
		raise(SIGKILL);
	if (beside && strstr(request, "/slow"))
		start_beside(fd);
	if (strstr(request, "/slow"))
		usleep(100000);
	if (write(fd, response, sizeof(response) - 1) < 0)
		return;
}

/* One connection to its end. */
static void serve(int fd)
{
	char request[REQUEST_BYTES];
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, request + length, sizeof(request) - 1 - length)) > 0) {
		length += (size_t)got;
		request[length] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		answer(fd, request);
		length = 0;
	}
	close(fd);
}

static void *serve_for_ever(void *argument)
{
	for (;;) {
		int fd = accept(LISTENER, NULL, NULL);

		if (fd < 0)
			exit(1);
		serve(fd);
	}
	return argument;
}

static void blocking(void)
{
	serve_for_ever(NULL);
}

static void by_stdio(void)
{
	char line[REQUEST_BYTES];

	for (;;) {
		FILE *stream = fdopen(accept(LISTENER, NULL, NULL), "r+");

		if (!stream)
			exit(1);
		while (fgets(line, sizeof(line), stream) && strcmp(line, "\r\n") != 0)
			;
		fputs("HTTP/1.0 200 OK\r\n\r\nok\n", stream);
		fclose(stream);
	}
}

/* --- many at once --- */

static struct {
	char request[REQUEST_BYTES];
	size_t length;
} received[CONNECTIONS];

/* False: it is over. */
static bool serve_a_bit(int fd)
{
	char *request = received[fd].request;
	ssize_t got = recv(fd, request + received[fd].length,
		REQUEST_BYTES - 1 - received[fd].length, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return true;
	if (got <= 0)
		return false;
	received[fd].length += (size_t)got;
	request[received[fd].length] = '\0';
	if (strstr(request, "\r\n\r\n")) {
		answer(fd, request);
		received[fd].length = 0;
	}
	return true;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= CONNECTIONS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		exit(1);
}

static void take_all(int epoll)
{
	int fd;

	while ((fd = accept4(LISTENER, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		received[fd].length = 0;
		watch(epoll, fd);
	}
	if (errno != EAGAIN)
		exit(1);
}

static void by_epoll(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	fcntl(LISTENER, F_SETFL, fcntl(LISTENER, F_GETFL) | O_NONBLOCK);
	watch(epoll, LISTENER);
	for (;;) {
		if (epoll_wait(epoll, &event, 1, -1) < 1)
			exit(1);
		if (event.data.fd == LISTENER)
			take_all(epoll);
		else if (!serve_a_bit(event.data.fd))
			close(event.data.fd);
	}
}

static void by_threads(void)
{
	pthread_t thread;

	for (int i = 1; i < CHILDREN; i++)
		pthread_create(&thread, NULL, serve_for_ever, NULL);
	blocking();
}

static void by_forking(void)
{
	for (;;) {
		int fd = accept(LISTENER, NULL, NULL);

		if (fd < 0)
			exit(1);
		if (fork() == 0) {
			close(LISTENER);
			serve(fd);
			exit(0);
		}
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void start_child(void)
{
	if (fork() == 0)
		blocking();
}

static void by_prefork(void)
{
	for (int i = 0; i < CHILDREN; i++)
		start_child();
	while (wait(NULL) > 0)
		start_child();
}

static void dying(void)
{
	may_die = true;
	by_prefork();
}

/* --- what programs do besides --- */

static void closing(char **argument)
{
	int null = open("/dev/null", O_RDONLY);

	if (strcmp(argument[0], "loop") == 0)
		for (int fd = LISTENER + 1; fd < 1024; fd++)
			close(fd);
	else if (strcmp(argument[0], "from") == 0)
		closefrom(LISTENER + 1);
	else if (strcmp(argument[0], "range") == 0)
		close_range(LISTENER + 1, ~0U, 0);
	else
		for (int fd = LISTENER + 1; fd < 1024; fd++)
			dup2(null, fd);
	blocking();
}

static void parent(char **argument)
{
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		argument[-1] = argument[-2];
		execv("/proc/self/exe", argument - 1);
		_exit(126);
	}
	waitpid(child, NULL, 0);
}

static void wrapped(char **argument)
{
	if (system(argument[0]) < 0)
		exit(1);
	blocking();
}

static void late(char **argument)
{
	usleep((useconds_t)atoi(argument[0]) * 1000);
	blocking();
}

static void shutting(void)
{
	serve(accept(LISTENER, NULL, NULL));
	if (shutdown(LISTENER, SHUT_RDWR) < 0)
		exit(1);
	exit(accept(LISTENER, NULL, NULL) < 0 && errno == EINVAL ? 7 : 1);
}

static void with_beside(char **argument)
{
	beside = argument[0];
	blocking();
}

static void note_signal(int signal_number)
{
	(void)signal_number;
}

static void handler(char **argument)
{
	struct sigaction action = {.sa_handler = note_signal};
	int fd;

	if (strcmp(argument[0], "restart") == 0)
		action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	while ((fd = accept(LISTENER, NULL, NULL)) >= 0)
		serve(fd);
	exit(errno == EINTR ? 7 : 1);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*alone)(void);
		void (*with)(char **argument);
	} way[] = {
		{"blocking", blocking, NULL},
		{"stdio", by_stdio, NULL},
		{"epoll", by_epoll, NULL},
		{"threads", by_threads, NULL},
		{"forking", by_forking, NULL},
		{"prefork", by_prefork, NULL},
		{"dying", dying, NULL},
		{"closing", NULL, closing},
		{"parent", NULL, parent},
		{"wrapped", NULL, wrapped},
		{"late", NULL, late},
		{"shutting", shutting, NULL},
		{"beside", NULL, with_beside},
		{"handler", NULL, handler},
	};

	alarm(FORGOTTEN_SEC);
	for (size_t i = 0; argc > 1 && i < sizeof(way) / sizeof(way[0]); i++) {
		if (strcmp(argv[1], way[i].name) != 0)
			continue;
		if (way[i].alone)
			way[i].alone();
		else if (argc > 2)
			way[i].with(argv + 2);
	}
	return 64;
}
