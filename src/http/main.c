/*
 * preforkd-http: the status page and metrics of a preforkd. Started by the supervisor with the
 * channel on descriptor 3 and the listening socket on 4; it ends with the channel. It has no
 * options, and writes nothing but why it could not go on.
 */
#include "errmsg.h"
#include "gateway.h"
#include "rights.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>

#define CHANNEL_FD 3
#define LISTEN_FD  4
#define FIRST_FREE 5
#define TURN_MS    60000

static bool is_socket(int fd, bool listening)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 &&
	       (value != 0) == listening;
}

static int fail(int status, const struct errmsg *err)
{
	fprintf(stderr, "preforkd-http: %s\n", err->text);
	return status;
}

/* Its life is the channel's, not the terminal's. */
static void ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct gateway gateway;
	struct errmsg err;

	(void)argv;
	if (argc != 1 || !is_socket(CHANNEL_FD, false) || !is_socket(LISTEN_FD, true)) {
		errmsg_set(&err, "preforkd starts this program when its configuration has http");
		return fail(EX_USAGE, &err);
	}
	ignore_signals();
	if (rights_drop(FIRST_FREE, &err) < 0)
		return fail(EX_OSERR, &err);
	if (gateway_init(&gateway, CHANNEL_FD, LISTEN_FD, &err) < 0) {
		gateway_fini(&gateway);
		return fail(EX_OSERR, &err);
	}
	while (gateway_turn(&gateway, TURN_MS))
		;
	gateway_fini(&gateway);
	return 0;
}
