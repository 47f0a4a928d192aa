/*
 * The world of an automatic scoreboard: what the supervisor would give to a worker, and what its
 * clients do. Rule: nothing here knows how the library works; it reads the line as the supervisor
 * does.
 */
#include "auto_world.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/test_main.h"
#include "harness.h"

#define LINE          64
#define RETIRE_AT     2
#define PID_AT        3
#define JOBS_AT       12
#define NOTE_AT       25
#define NOTE_BYTES    38
#define RESPONSE_ROOM 65536
#define CLIENTS_MAX   16

static struct {
	int listener, board, port;
	bool at_zero, no_pid;
	int slot; /* of who is being started */
	char library[4096];
} world;

static const char *built(const char *variable)
{
	const char *path = getenv(variable);

	return path && access(path, R_OK) == 0 ? path : NULL;
}

const char *auto_server(void)
{
	return built("AUTO_SERVER");
}

bool program_is_there(const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
	return system(command) == 0;
}

static void make_board(void)
{
	char line[LINE];

	memset(line, ' ', LINE);
	line[0] = '.';
	line[LINE - 1] = '\n';
	world.board = open(path_of("board"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < WORLD_SLOTS; i++)
		ck_assert_int_eq(pwrite(world.board, line, LINE, i * LINE), LINE);
}

bool world_make(bool at_zero)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	if (!built("AUTO_LIBRARY") || !auto_server())
		return false;
	memset(&world, 0, sizeof(world));
	ck_assert_ptr_nonnull(realpath(built("AUTO_LIBRARY"), world.library));
	world.at_zero = at_zero;
	world.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(world.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(world.listener, 128), 0);
	getsockname(world.listener, (struct sockaddr *)&address, &length);
	world.port = ntohs(address.sin_port);
	make_board();
	return true;
}

static void set_number(const char *name, long number)
{
	char text[64];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(name, text, 1);
}

/* In the child. */
static void become_worker(void)
{
	char starter[64];
	int listener = fcntl(world.listener, F_DUPFD, 10);
	int board = open(path_of("board"), O_RDWR);

	if (board != 4)
		dup2(board, 4);
	dup2(listener, world.at_zero ? 0 : 3);
	close(listener);
	closefrom(5);
	if (world.at_zero)
		close(3);
	set_number("LISTEN_FDS", world.at_zero ? 0 : 1);
	set_number("LISTEN_PID", getpid());
	snprintf(starter, sizeof(starter), "127.0.0.1:%d=3", world.port);
	setenv("SERVER_STARTER_PORT", starter, 1);
	set_number("PREFORKD_SCOREBOARD_FD", 4);
	set_number("PREFORKD_SCOREBOARD_OFFSET", (long)world.slot * LINE);
	setenv("PREFORKD_SCOREBOARD", path_of("board"), 1);
	set_number("PREFORKD_AUTO", world.no_pid ? 1 : getpid());
	setenv("LD_PRELOAD", world.library, 1);
	/* php-cgi would end after 500. */
	setenv("PHP_FCGI_MAX_REQUESTS", "0", 1);
	if (chdir(test_folder()) < 0)
		_exit(126);
}

void world_tell_no_pid(void)
{
	world.no_pid = true;
}

pid_t world_start(int slot, const char *const argv[])
{
	char path[4096], line[LINE + 1];
	const char *words[32] = {"/usr/bin/env"};
	int count = 1;
	pid_t pid;

	if (strchr(argv[0], '/'))
		count = 0;
	for (int i = 0; argv[i]; i++)
		words[count++] = argv[i];
	snprintf(path, sizeof(path), "worker%d", slot);
	snprintf(line, sizeof(line), ".  %-60d\n", 0);
	memset(line + PID_AT, ' ', 60);
	world.slot = slot;
	ck_assert_int_eq(pwrite(world.board, line, LINE, slot * LINE), LINE);
	pid = program_start(path, become_worker, words);
	snprintf(line, sizeof(line), "%-8d", (int)pid);
	ck_assert_int_eq(pwrite(world.board, line, 8, slot * LINE + PID_AT), 8);
	return pid;
}

void world_end(pid_t worker)
{
	kill(-worker, SIGTERM);
	kill(worker, SIGTERM);
	for (int i = 0; i < 2500 && waitpid(worker, NULL, WNOHANG) == 0; i++)
		nap_ms(2);
	kill(-worker, SIGKILL);
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
}

void world_set_blocking(bool blocking)
{
	int flags = fcntl(world.listener, F_GETFL) & ~O_NONBLOCK;

	ck_assert_int_eq(fcntl(world.listener, F_SETFL, flags | (blocking ? 0 : O_NONBLOCK)), 0);
}

/* --- lines --- */

static const char *world_line(int slot)
{
	static char line[LINE + 1];

	ck_assert_int_eq(pread(world.board, line, LINE, slot * LINE), LINE);
	ck_assert_int_eq(line[LINE - 1], '\n');
	ck_assert_int_eq(line[NOTE_AT - 1], ' ');
	return line;
}

char world_state(int slot)
{
	return world_line(slot)[0];
}

long world_jobs(int slot)
{
	return strtol(world_line(slot) + JOBS_AT, NULL, 10);
}

const char *world_note(int slot)
{
	static char note[NOTE_BYTES + 1];
	int length = NOTE_BYTES;

	memcpy(note, world_line(slot) + NOTE_AT, NOTE_BYTES);
	while (length > 0 && note[length - 1] == ' ')
		length--;
	note[length] = '\0';
	return note;
}

void world_ask_to_leave(int slot, bool leave)
{
	ck_assert_int_eq(pwrite(world.board, leave ? "R" : " ", 1, slot * LINE + RETIRE_AT), 1);
}

int world_waiting(void)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	ck_assert_int_eq(getsockopt(world.listener, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return (int)info.tcpi_unacked;
}

/* --- clients --- */

int world_connect(void)
{
	return port_connect(world.port);
}

void client_ask(int fd, const char *path, bool close_after)
{
	char request[256];
	int size = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n",
		path, close_after ? "Connection: close\r\n" : "");

	/* A server that closed in the meantime shows when the answer is read. */
	if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size)
		return;
}

static const char *header(const char *response, const char *name)
{
	const char *line = response;

	while ((line = strstr(line, "\r\n")) && strncmp(line, "\r\n\r\n", 4) != 0) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0)
			return line + strlen(name) + strspn(line + strlen(name), ": ");
	}
	return NULL;
}

/* Is it whole? */
static bool is_whole(const char *response, size_t length)
{
	const char *body = strstr(response, "\r\n\r\n"), *value;

	if (!body)
		return false;
	value = header(response, "Content-Length");
	if (value)
		return length >= (size_t)(body + 4 - response) + strtoul(value, NULL, 10);
	value = header(response, "Transfer-Encoding");
	return value && length >= 5 && strcmp(response + length - 5, "0\r\n\r\n") == 0;
}

int client_answer(int fd)
{
	static char response[RESPONSE_ROOM];
	size_t length = 0;
	ssize_t got = 1;
	const char *value;

	response[0] = '\0';
	while (!is_whole(response, length) &&
		(got = recv(fd, response + length, sizeof(response) - 1 - length, 0)) > 0) {
		length += (size_t)got;
		response[length] = '\0';
	}
	if (length == 0)
		return -1;
	ck_assert_msg(strncmp(response, "HTTP/1.", 7) == 0 && strncmp(response + 8, " 200", 4) == 0,
		"%s", response);
	value = header(response, "Connection");
	if (got <= 0 || (value && strncasecmp(value, "close", 5) == 0))
		return 0;
	return response[7] == '1';
}

void client_exchange(int fd)
{
	client_ask(fd, "/path?secret", true);
	ck_assert_int_ge(client_answer(fd), 0);
	close(fd);
}

/* What a client does with a connection that a server did not keep. */
static void reconnect(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = world_connect();
	ck_assert_int_ge(*fd, 0);
}

/* A server may close a connection that it kept for a while: then the request is sent again. */
static void exchange(int *fd, bool close_after, bool *fresh)
{
	int result;

	for (;;) {
		if (*fd < 0) {
			reconnect(fd);
			*fresh = true;
		}
		client_ask(*fd, "/path?secret", close_after);
		result = client_answer(*fd);
		if (result >= 0)
			break;
		ck_assert_msg(!*fresh, "a request was lost");
		close(*fd);
		*fd = -1;
	}
	*fresh = false;
	if (result == 1 && !close_after)
		return;
	close(*fd);
	*fd = -1;
}

void client_load(int requests, int connections, uint64_t *seed)
{
	int fd[CLIENTS_MAX];
	bool fresh[CLIENTS_MAX] = {false};

	for (int i = 0; i < connections; i++)
		fd[i] = -1;
	for (int i = 0; i < requests; i++) {
		int which = (int)test_random_below(seed, (uint64_t)connections);

		exchange(&fd[which], test_random_below(seed, 4) == 0, &fresh[which]);
		if (fd[which] >= 0 && test_random_below(seed, 6) == 0) {
			close(fd[which]);
			fd[which] = -1;
		}
	}
	for (int i = 0; i < connections; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* --- FastCGI --- */

static char *record(char *to, int type, const char *content, size_t length)
{
	const unsigned char head[8] = {
		1, (unsigned char)type, 0, 1, (unsigned char)(length >> 8), (unsigned char)length};

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), content, length);
	return to + sizeof(head) + length;
}

static size_t parameter(char *to, const char *name, const char *value)
{
	return (size_t)sprintf(to, "%c%c%s%s", (int)strlen(name), (int)strlen(value), name, value);
}

static void fastcgi_ask(int fd, const char *script, bool keep)
{
	const char begin[8] = {0, 1, keep ? 1 : 0};
	char parameters[1024], request[2048], *end;
	size_t length = parameter(parameters, "REQUEST_METHOD", "GET");

	length += parameter(parameters + length, "SCRIPT_FILENAME", script);
	length += parameter(parameters + length, "REDIRECT_STATUS", "200");
	end = record(request, 1, begin, sizeof(begin));
	end = record(end, 4, parameters, length);
	end = record(record(end, 4, "", 0), 5, "", 0);
	ck_assert_int_eq(send(fd, request, (size_t)(end - request), MSG_NOSIGNAL), end - request);
}

static void receive(int fd, void *into, size_t bytes)
{
	ck_assert_int_eq(recv(fd, into, bytes, MSG_WAITALL), (ssize_t)bytes);
}

static void fastcgi_answer(int fd)
{
	unsigned char head[8], content[65536 + 256];
	bool ok = false;

	do {
		receive(fd, head, sizeof(head));
		size_t length = (size_t)head[4] * 256 + head[5] + head[6];

		if (length > 0)
			receive(fd, content, length);
		if (head[1] == 6 && memmem(content, length, "it works", 8))
			ok = true;
	} while (head[1] != 3);
	ck_assert(ok);
}

void fastcgi_exchange(int fd, const char *script)
{
	fastcgi_ask(fd, script, false);
	fastcgi_answer(fd);
	close(fd);
}

void fastcgi_load(int requests, const char *script, uint64_t *seed)
{
	int fd = -1;

	for (int i = 0; i < requests; i++) {
		bool keep = test_random_below(seed, 3) > 0;

		if (fd < 0)
			reconnect(&fd);
		fastcgi_ask(fd, script, keep);
		fastcgi_answer(fd);
		if (!keep || test_random_below(seed, 5) == 0) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
}
