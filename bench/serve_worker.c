/*
 * A worker that any supervisor can run: answers each connection with its pid, by HTTP/1.0.
 *
 *   serve_worker [stubborn]
 *
 * The listening socket is descriptor 3 where LISTEN_FDS says so, else descriptor 0. TERM makes it
 * leave when the connection at hand is answered; a stubborn one ignores TERM. A supervisor that
 * keeps a scoreboard for it finds its states there.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t asked_to_leave;

static void leave(int signal_number)
{
	(void)signal_number;
	asked_to_leave = 1;
}

static void say(char state)
{
	const char *fd = getenv("PREFORKD_SCOREBOARD_FD");
	const char *offset = getenv("PREFORKD_SCOREBOARD_OFFSET");

	if (fd && offset && pwrite(atoi(fd), &state, 1, atol(offset)) != 1)
		exit(1);
}

static void answer(int client)
{
	char request[4096], text[80];
	ssize_t got = read(client, request, sizeof(request));
	int length = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\n\r\n%d\n", (int)getpid());

	if (got > 0 && write(client, text, (size_t)length) != length)
		fputs("a client did not wait for its answer\n", stderr);
	close(client);
}

/* TERM comes through only while nothing is at hand. */
static void prepare_signals(bool stubborn, sigset_t *while_waiting)
{
	struct sigaction action = {.sa_handler = stubborn ? SIG_IGN : leave};
	sigset_t term;

	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, while_waiting);
	sigdelset(while_waiting, SIGTERM);
}

int main(int argc, char **argv)
{
	bool stubborn = argc > 1 && strcmp(argv[1], "stubborn") == 0;
	struct pollfd listener = {.fd = getenv("LISTEN_FDS") ? 3 : 0, .events = POLLIN};
	sigset_t while_waiting;

	/* Several wake for one connection, and all but one find none */
	fcntl(listener.fd, F_SETFL, O_NONBLOCK);
	prepare_signals(stubborn, &while_waiting);
	while (!asked_to_leave) {
		int client;

		say('_');
		if (ppoll(&listener, 1, NULL, &while_waiting) < 0)
			continue;
		client = accept(listener.fd, NULL, NULL);
		if (client < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
				continue;
			perror("serve_worker: accept");
			return 1;
		}
		say('+');
		answer(client);
	}
	return 0;
}
