/*
 * Any bytes as what a visitor of the HTTP gateway sends: the gateway answers or hangs up, and is
 * there for the next visitor. One gateway serves all inputs of a run, as in life; its supervisor
 * answers each request at once. A byte 0xff in the input ends what is sent at a time.
 */
#include "http/gateway.h"

#include <sys/socket.h>
#include <unistd.h>

#include "must.h"

#define TURNS     3 /* a request is taken, the supervisor asked, the answer sent */
#define TURNS_MAX 64
#define PARTS_MAX 8

static const char document[] = "{\"phase\":\"running\",\"name\":\"a\\\"b\",\"pools\":[{\"name\":"
			       "\"web\",\"idle\":1,\"jobs\":5,"
			       "\"sockets\":[{\"name\":\"s\",\"waiting\":1}],\"workers\":[{"
			       "\"state\":\"busy\",\"since\":1.5}]}]}\n"
			       "{\"event\":\"log\",\"message\":\"x\"}\n";

struct world {
	struct gateway gateway;
	int supervisor;
	bool made;
};

static void make_world(struct world *world)
{
	struct errmsg err;
	int pair[2];

	if (world->made)
		return;
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	must(gateway_init(&world->gateway, pair[0], -1, &err) == 0);
	world->supervisor = pair[1];
	world->made = true;
}

static void answer_requests(struct world *world)
{
	char bytes[256];
	ssize_t length = recv(world->supervisor, bytes, sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t i = 0; i < length; i++)
		if (bytes[i] == '\n' && i && bytes[i - 1] == 's' && bytes[i - 2] == 'u')
			must(write(world->supervisor, document, sizeof(document) - 1) > 0);
}

static size_t take_answers(int visitor)
{
	char bytes[4096];
	size_t total = 0;
	ssize_t length;

	while ((length = recv(visitor, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		total += (size_t)length;
	return total;
}

static void take_turns(struct world *world, int visitor)
{
	for (int i = 0; i < TURNS; i++) {
		answer_requests(world);
		must(gateway_turn(&world->gateway, 0));
		take_answers(visitor);
	}
}

/* Once more as an honest visitor: it still answers. */
static void check_alive(struct world *world)
{
	static const char request[] =
		"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
	int pair[2], turns = 0;
	size_t total = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	must(MHD_add_connection(world->gateway.daemon, pair[0], NULL, 0) == MHD_YES);
	must(write(pair[1], request, sizeof(request) - 1) > 0);
	while (total == 0 && turns++ < TURNS_MAX) {
		answer_requests(world);
		must(gateway_turn(&world->gateway, 0));
		total = take_answers(pair[1]);
	}
	must(total > 0);
	close(pair[1]);
	must(gateway_turn(&world->gateway, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	static unsigned count;
	int pair[2], parts = 0;

	make_world(&world);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	must(MHD_add_connection(world.gateway.daemon, pair[0], NULL, 0) == MHD_YES);
	while (size > 0 && parts++ < PARTS_MAX) {
		const uint8_t *end = memchr(data, 0xff, size);
		size_t length = end ? (size_t)(end - data) : size;

		if (length && send(pair[1], data, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break; /* it hung up, as it may */
		take_turns(&world, pair[1]);
		data += length + (end != NULL);
		size -= length + (end != NULL);
	}
	close(pair[1]);
	take_turns(&world, pair[1]);
	if (count++ % 64 == 0)
		check_alive(&world);
	return 0;
}
