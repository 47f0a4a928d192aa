/*
 * A worker for preforkd in C, with libprefork(3): it takes no connection that it does not finish.
 *
 *	cc -o worker worker.c $(pkg-config --cflags --libs libprefork)
 *	preforkd -c app.ini	with:	[socket:web]		[pool:app]
 *					listen = :8080		command = ./worker
 *								sockets = web
 *	preforkd -c app.ini run app	alone
 */
#include <prefork.h>
#include <stdio.h>
#include <sys/socket.h>

static void answer(int client, void *unused)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
				   "Content-Length: 13\r\n\r\nHello from C\n";
	char request[8192];

	(void)unused;
	if (recv(client, request, sizeof(request), 0) <= 0)
		return;
	prefork_note("GET /");
	send(client, text, sizeof(text) - 1, MSG_NOSIGNAL);
}

int main(void)
{
	prefork_attach();
	if (prefork_serve(answer, NULL) == 0)
		return 0;
	perror("worker");
	return 1;
}
