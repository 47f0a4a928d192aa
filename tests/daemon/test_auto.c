/* The automatic scoreboard keeps the lines of programs that know nothing of it: what stands there
 * is compared with what their clients did. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/test_main.h"
#include "auto_world.h"

#define REQUESTS 1000
#define ROUND    50 /* requests between two looks at the line, at most */
#define HELD     8

#define SHARED_REQUESTS 300

/* --- programs of all kinds --- */

static const char python_server[] =
	"import http.server, socket, sys\n"
	"class Handler(http.server.BaseHTTPRequestHandler):\n"
	"    protocol_version = 'HTTP/1.1'\n"
	"    def do_GET(self):\n"
	"        self.send_response(200)\n"
	"        self.send_header('Content-Length', '3')\n"
	"        self.end_headers()\n"
	"        self.wfile.write(b'ok\\n')\n"
	"    def log_message(self, *unused): pass\n"
	"server = getattr(http.server, sys.argv[1])(('', 0), Handler, bind_and_activate=False)\n"
	"server.socket = socket.socket(fileno=3)\n"
	"server.server_address, server.server_name, server.server_port = ('', 0), 'test', 0\n"
	"server.serve_forever()\n";

static const char python_wsgi[] =
	"import socket, wsgiref.simple_server as simple\n"
	"def application(environ, start):\n"
	"    start('200 OK', [('Content-Type', 'text/plain')])\n"
	"    return [b'ok\\n']\n"
	"class Handler(simple.WSGIRequestHandler):\n"
	"    def log_message(self, *unused): pass\n"
	"if __name__ == '__main__':\n"
	"    server = simple.WSGIServer(('', 0), Handler, bind_and_activate=False)\n"
	"    server.socket = socket.socket(fileno=3)\n"
	"    server.server_name, server.server_port = 'test', 0\n"
	"    server.setup_environ()\n"
	"    server.set_app(application)\n"
	"    server.serve_forever()\n";

static const char perl_server[] =
	"use strict; use IO::Socket::INET;\n"
	"my $listener = IO::Socket::INET->new_from_fd(3, 'r+') or die;\n"
	"while (my $client = $listener->accept) {\n"
	"    while (my $line = <$client>) { last if $line eq \"\\r\\n\" }\n"
	"    print $client \"HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nok\\n\";\n"
	"    close $client;\n"
	"}\n";

static const char perl_psgi[] = "sub { [200, ['Content-Length' => 3], [\"ok\\n\"]] }\n";

static const char ruby_server[] = "require 'socket'\n"
				  "server = TCPServer.for_fd(3)\n"
				  "loop do\n"
				  "  client = server.accept\n"
				  "  while (line = client.gets) && line != \"\\r\\n\" do end\n"
				  "  client.write \"HTTP/1.1 200 OK\\r\\nContent-Length: "
				  "3\\r\\nConnection: close\\r\\n\\r\\nok\\n\"\n"
				  "  client.close\n"
				  "end\n";

static const char ruby_webrick[] =
	"require 'webrick'\n"
	"server = WEBrick::HTTPServer.new(DoNotListen: true, AccessLog: [],\n"
	"  Logger: WEBrick::Log.new('/dev/null'))\n"
	"server.listeners << TCPServer.for_fd(3)\n"
	"server.mount_proc('/') { |request, response| response.body = \"ok\\n\" }\n"
	"server.start\n";

static const char php_script[] = "<?php echo \"it works\\n\";\n";

static const char node_server[] = "require('http').createServer((request, response) => {\n"
				  "  response.end('ok\\n');\n"
				  "}).listen({fd: 3});\n";

static const char node_chunked[] =
	"require('http').createServer((request, response) => {\n"
	"  response.write('o');\n"
	"  setTimeout(() => { response.write('k'); response.end('\\n'); }, 1);\n"
	"}).listen({fd: 3});\n";

static const char lighttpd_conf[] = "server.document-root = var.CWD\n"
				    "server.systemd-socket-activation = \"enable\"\n"
				    "server.bind = \"127.0.0.1\"\n"
				    "server.max-keep-alive-requests = 10\n";

static const struct {
	const char *name, *needs, *file, *text, *argv[8];
	int connections; /* that it serves at once */
	bool fastcgi;
} programs[] = {
	{"C, blocking", NULL, NULL, NULL, {"blocking"}, 1, false},
	{"C, stdio", NULL, NULL, NULL, {"stdio"}, 1, false},
	{"C, epoll", NULL, NULL, NULL, {"epoll"}, 8, false},
	{"C, threads", NULL, NULL, NULL, {"threads"}, 4, false},
	{"C, a fork for each connection", NULL, NULL, NULL, {"forking"}, 8, false},
	{"C, preforked children", NULL, NULL, NULL, {"prefork"}, 4, false},
	{"Python, http.server", "python3", "server.py", python_server,
		{"python3", "server.py", "HTTPServer"}, 1, false},
	{"Python, threads", "python3", "server.py", python_server,
		{"python3", "server.py", "ThreadingHTTPServer"}, 8, false},
	{"Python, wsgiref", "python3", "wsgi.py", python_wsgi, {"python3", "wsgi.py"}, 1, false},
	{"gunicorn, sync", "gunicorn", "wsgi.py", python_wsgi, {"gunicorn", "-w2", "wsgi"}, 1,
		false},
	{"gunicorn, gthread", "gunicorn", "wsgi.py", python_wsgi,
		{"gunicorn", "-w1", "--threads", "8", "wsgi"}, 4, false},
	{"Perl, IO::Socket", "perl", "server.pl", perl_server, {"perl", "server.pl"}, 1, false},
	{"Starman", "starman", "app.psgi", perl_psgi, {"starman", "--workers", "2", "app.psgi"}, 1,
		false},
	{"Ruby, TCPServer", "ruby", "server.rb", ruby_server, {"ruby", "server.rb"}, 1, false},
	{"Ruby, WEBrick", "ruby", "webrick.rb", ruby_webrick, {"ruby", "webrick.rb"}, 8, false},
	{"php-cgi", "php-cgi", "index.php", php_script, {"php-cgi"}, 1, true},
	{"Node", "node", "server.js", node_server, {"node", "server.js"}, 8, false},
	{"Node, chunks", "node", "server.js", node_chunked, {"node", "server.js"}, 8, false},
	{"lighttpd", "lighttpd", "lighttpd.conf", lighttpd_conf,
		{"lighttpd", "-D", "-f", "lighttpd.conf"}, 8, false},
};
#define PROGRAMS (int)(sizeof(programs) / sizeof(programs[0]))

static pid_t start_program(int program, int slot)
{
	const char *argv[9] = {auto_server()};
	int first = programs[program].needs ? 0 : 1;

	file_write("path", "ok\n");
	if (programs[program].file)
		file_write(programs[program].file, "%s", programs[program].text);
	memcpy(argv + first, programs[program].argv, sizeof(programs[program].argv));
	return world_start(slot, argv);
}

static bool has_program(int program)
{
	char reason[128];

	if (!programs[program].needs || program_is_there(programs[program].needs))
		return true;
	snprintf(reason, sizeof(reason), "%s is not there", programs[program].needs);
	harness_skipped(reason);
	return false;
}

static void load(int program, int requests, uint64_t *seed)
{
	if (programs[program].fastcgi)
		fastcgi_load(requests, path_of("index.php"), seed);
	else
		client_load(requests, programs[program].connections, seed);
}

/* Several connections at once, taken and then served one after the other: it is busy until the last
 * one is. Returns how many. */
static int serve_held(int program, uint64_t *seed)
{
	int most = programs[program].connections, fd[HELD];
	int count = 1 + (int)test_random_below(seed, (uint64_t)(most < HELD ? most : HELD));

	for (int i = 0; i < count; i++)
		fd[i] = world_connect();
	WAIT_FOR(world_waiting() == 0);
	for (int i = 0; i < count; i++) {
		HOLDS_FOR(3, world_state(0) == 'W');
		if (programs[program].fastcgi)
			fastcgi_exchange(fd[i], path_of("index.php"));
		else
			client_exchange(fd[i]);
	}
	return count;
}

/* The clients' own books are the other view: they are compared with the line again and again. */
START_TEST(state_and_jobs_are_what_the_clients_did)
{
	uint64_t seed = test_seed();
	int served = 0;

	if (!has_program(_i))
		return;
	SKIP_UNLESS(world_make(programs[_i].fastcgi), "no library was built");
	pid_t worker = start_program(_i, 0);

	printf("%s\n", programs[_i].name);
	WAIT_FOR(world_state(0) == '_');
	ck_assert_int_eq(world_jobs(0), 0);
	while (served < REQUESTS) {
		int requests = 1 + (int)test_random_below(&seed, ROUND);

		load(_i, requests, &seed);
		served += requests;
		WAIT_FOR_WITHIN(8000, world_state(0) == '_' && world_jobs(0) == served);
		served += serve_held(_i, &seed);
		WAIT_FOR_WITHIN(8000, world_state(0) == '_' && world_jobs(0) == served);
	}
	HOLDS_FOR(50, world_state(0) == '_' && world_jobs(0) == served);
	if (!programs[_i].fastcgi)
		ck_assert(!strstr(world_note(0), "secret"));
	world_end(worker);
}
END_TEST

/* Half a request is enough, and its end without the other half is no job. */
START_TEST(is_busy_while_a_request_lasts)
{
	if (!has_program(_i))
		return;
	SKIP_UNLESS(world_make(programs[_i].fastcgi), "no library was built");
	pid_t worker = start_program(_i, 0);

	WAIT_FOR(world_state(0) == '_');
	for (int i = 0; i < 5; i++) {
		int fd = world_connect();

		ck_assert_int_eq(write(fd, "G", 1), 1);
		WAIT_FOR(world_state(0) == 'W');
		HOLDS_FOR(20, world_state(0) == 'W');
		close(fd);
		WAIT_FOR(world_state(0) == '_');
	}
	world_end(worker);
}
END_TEST

/* --- retirement --- */

static const char *const ways[] = {"blocking", "epoll", "threads", "prefork", "forking"};
#define WAYS (int)(sizeof(ways) / sizeof(ways[0]))

START_TEST(who_is_asked_to_leave_takes_no_connection)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), ways[_i]), other;

	WAIT_FOR(world_state(0) == '_');
	world_ask_to_leave(0, true);
	int fd = world_connect();

	client_ask(fd, "/", true);
	nap_ms(100);
	ck_assert_int_eq(world_jobs(0), 0);
	WAIT_FOR(world_state(0) == '_');
	other = world_run(1, auto_server(), ways[_i]);
	ck_assert_int_ge(client_answer(fd), 0);
	close(fd);
	WAIT_FOR(world_jobs(1) == 1);
	ck_assert_int_eq(world_jobs(0), 0);
	/* and comes back when it was not meant */
	world_end(other);
	world_ask_to_leave(0, false);
	fd = world_connect();
	client_ask(fd, "/", true);
	ck_assert_int_ge(client_answer(fd), 0);
	close(fd);
	WAIT_FOR(world_jobs(0) == 1 && world_state(0) == '_');
	world_end(worker);
}
END_TEST

START_TEST(who_is_asked_to_leave_takes_no_request_on_a_kept_connection)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), ways[_i]);

	int fd = world_connect();

	client_ask(fd, "/", false);
	ck_assert_int_eq(client_answer(fd), 1);
	WAIT_FOR(world_state(0) == '_');
	world_ask_to_leave(0, true);
	client_ask(fd, "/", false);
	ck_assert_int_eq(client_answer(fd), -1);
	close(fd);
	ck_assert_int_eq(world_jobs(0), 1);
	WAIT_FOR(world_state(0) == '_');
	world_end(worker);
}
END_TEST

/* Workers are killed as soon as they are idle after the mark; clients never notice. */
START_TEST(no_connection_is_lost_by_retirement)
{
	int retirements = 60 / (int)test_slowness();
	pid_t workers[2], client;
	uint64_t seed = test_seed();

	SKIP_UNLESS(world_make(false), "no library was built");
	for (int i = 0; i < 2; i++)
		workers[i] = world_run(i, auto_server(), ways[_i]);
	client = fork();
	if (client == 0) {
		for (;;)
			client_load(100, 1, &seed);
	}
	for (int i = 0; i < retirements; i++) {
		int slot = i % 2;

		WAIT_FOR(world_jobs(slot) >= 3);
		world_ask_to_leave(slot, true);
		WAIT_FOR(world_state(slot) == '_');
		kill(-workers[slot], SIGKILL);
		world_end(workers[slot]);
		workers[slot] = world_run(slot, auto_server(), ways[_i]);
		ck_assert(process_runs(client));
	}
	kill(client, SIGKILL);
	for (int i = 0; i < 2; i++)
		world_end(workers[i]);
}
END_TEST

/* --- what programs do besides --- */

static void expect_one_job(void)
{
	int fd = world_connect();

	client_ask(fd, "/path?secret", true);
	ck_assert_int_ge(client_answer(fd), 0);
	close(fd);
	WAIT_FOR(world_jobs(0) == 1 && world_state(0) == '_');
	ck_assert_str_eq(world_note(0), "GET /path");
}

START_TEST(a_program_may_close_what_it_does_not_know)
{
	static const char *const how[] = {"loop", "from", "range", "dup2"};

	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "closing", how[_i]);

	WAIT_FOR(world_state(0) == '_');
	expect_one_job();
	world_end(worker);
}
END_TEST

START_TEST(a_shell_may_execute_the_program)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	if (_i)
		world_tell_no_pid();
	pid_t worker = world_run(0, "sh", "-c", "exec $AUTO_SERVER blocking");

	WAIT_FOR(world_state(0) == '_');
	expect_one_job();
	world_end(worker);
}
END_TEST

START_TEST(another_program_that_it_starts_says_nothing)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "parent", "blocking");
	int fd = world_connect();

	client_ask(fd, "/", true);
	ck_assert_int_ge(client_answer(fd), 0);
	close(fd);
	ck_assert_int_eq(world_state(0), '.');
	ck_assert_int_eq(world_jobs(0), 0);
	world_end(worker);
}
END_TEST

START_TEST(another_program_does_not_pass_the_library_on)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "wrapped", "env >environment");

	WAIT_FOR(world_state(0) == '_');
	ck_assert(file_has("environment", "PREFORKD_SCOREBOARD_FD"));
	ck_assert(!file_has("environment", "LD_PRELOAD"));
	expect_one_job();
	world_end(worker);
}
END_TEST

START_TEST(says_nothing_before_it_waits_for_connections)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "late", "200");

	HOLDS_FOR(100, world_state(0) == '.');
	WAIT_FOR(world_state(0) == '_');
	world_end(worker);
}
END_TEST

START_TEST(a_child_that_dies_leaves_nothing_busy)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "dying");

	WAIT_FOR(world_state(0) == '_');
	for (int i = 0; i < 20; i++) {
		int fd = world_connect();

		client_ask(fd, "/die", true);
		ck_assert_int_eq(client_answer(fd), -1);
		close(fd);
		WAIT_FOR(world_state(0) == '_');
	}
	world_end(worker);
}
END_TEST

/* A process that was started behind libc's fork is not the worker. */
START_TEST(what_another_process_does_to_a_descriptor_is_not_the_workers)
{
	static const char *const how[] = {"vfork", "clone"};
	static const int requests = 5;

	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "beside", how[_i]);

	for (int i = 0; i < requests; i++) {
		int fd = world_connect();

		client_ask(fd, "/slow", true);
		WAIT_FOR(world_state(0) == 'W' && strcmp(world_note(0), "GET /slow") == 0);
		HOLDS_FOR(50, world_state(0) == 'W' && world_jobs(0) == i);
		ck_assert_int_ge(client_answer(fd), 0);
		close(fd);
		WAIT_FOR(world_state(0) == '_' && world_jobs(0) == i + 1);
	}
	world_end(worker);
}
END_TEST

/* It is the supervisor's, and all other workers'. */
START_TEST(who_shuts_the_socket_down_leaves_it_to_the_others)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "shutting"), other;
	int waiting;

	WAIT_FOR(world_state(0) == '_');
	int fd = world_connect();

	WAIT_FOR(world_state(0) == 'W');
	waiting = world_connect();
	client_exchange(fd);
	ck_assert_int_eq(program_wait(worker), 7);
	other = world_run(1, auto_server(), "blocking");
	client_exchange(waiting);
	client_exchange(world_connect());
	WAIT_FOR(world_jobs(1) == 2);
	ck_assert_int_eq(world_jobs(0), 1);
	world_end(other);
}
END_TEST

/* Who shares the socket may change it for all. */
START_TEST(a_socket_may_change_whether_it_blocks)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), "blocking");

	WAIT_FOR(world_state(0) == '_');
	expect_one_job();
	world_set_blocking(false);
	/* The wait that had begun goes on; the call after it returns, and the program ends. */
	close(world_connect());
	ck_assert_int_eq(program_wait(worker), 1);
	worker = world_run(0, auto_server(), "epoll");
	WAIT_FOR(world_state(0) == '_');
	expect_one_job();
	world_end(worker);
}
END_TEST

START_TEST(a_signal_interrupts_accept_as_the_program_wants)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t restarting = world_run(0, auto_server(), "handler", "restart");
	pid_t interrupted = world_run(1, auto_server(), "handler", "interrupt");

	WAIT_FOR(world_state(0) == '_' && world_state(1) == '_');
	nap_ms(50);
	kill(restarting, SIGUSR1);
	kill(interrupted, SIGUSR1);
	ck_assert_int_eq(program_wait(interrupted), 7);
	expect_one_job();
	world_end(restarting);
}
END_TEST

/* What one worker saw waiting, another may take. */
START_TEST(workers_that_share_a_socket_are_all_idle_at_the_end)
{
	pid_t workers[WORLD_SLOTS], clients[3];
	uint64_t seed = test_seed();

	SKIP_UNLESS(world_make(false), "no library was built");
	for (int i = 0; i < WORLD_SLOTS; i++)
		workers[i] = world_run(i, auto_server(), ways[_i]);
	for (int i = 0; i < 3; i++) {
		clients[i] = fork();
		if (clients[i] == 0) {
			seed += (uint64_t)i;
			client_load(SHARED_REQUESTS, 1, &seed);
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(program_wait(clients[i]), 0);
	for (int i = 0; i < WORLD_SLOTS; i++)
		WAIT_FOR(world_state(i) == '_');
	WAIT_FOR(world_jobs(0) + world_jobs(1) + world_jobs(2) + world_jobs(3) ==
		 3 * SHARED_REQUESTS);
	for (int i = 0; i < WORLD_SLOTS; i++)
		world_end(workers[i]);
}
END_TEST

START_TEST(a_connection_without_a_request_is_no_job)
{
	SKIP_UNLESS(world_make(false), "no library was built");
	pid_t worker = world_run(0, auto_server(), ways[_i]);

	WAIT_FOR(world_state(0) == '_');
	for (int i = 0; i < 10; i++) {
		int fd = world_connect();

		WAIT_FOR(world_state(0) == 'W');
		close(fd);
		WAIT_FOR(world_state(0) == '_');
	}
	ck_assert_int_eq(world_jobs(0), 0);
	world_end(worker);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("automatic scoreboard");
	TCase *serving = harness_case(suite, "programs");
	TCase *leaving = harness_case(suite, "retirement");
	TCase *besides = harness_case(suite, "besides");

	tcase_add_loop_test(serving, state_and_jobs_are_what_the_clients_did, 0, PROGRAMS);
	tcase_add_loop_test(serving, is_busy_while_a_request_lasts, 0, PROGRAMS);
	tcase_add_loop_test(leaving, who_is_asked_to_leave_takes_no_connection, 0, WAYS);
	tcase_add_loop_test(
		leaving, who_is_asked_to_leave_takes_no_request_on_a_kept_connection, 0, WAYS);
	tcase_add_loop_test(leaving, no_connection_is_lost_by_retirement, 0, WAYS);
	tcase_add_loop_test(besides, a_program_may_close_what_it_does_not_know, 0, 4);
	tcase_add_loop_test(besides, a_shell_may_execute_the_program, 0, 2);
	tcase_add_test(besides, another_program_that_it_starts_says_nothing);
	tcase_add_test(besides, another_program_does_not_pass_the_library_on);
	tcase_add_test(besides, says_nothing_before_it_waits_for_connections);
	tcase_add_test(besides, a_child_that_dies_leaves_nothing_busy);
	tcase_add_loop_test(
		besides, what_another_process_does_to_a_descriptor_is_not_the_workers, 0, 2);
	tcase_add_test(besides, who_shuts_the_socket_down_leaves_it_to_the_others);
	tcase_add_test(besides, a_socket_may_change_whether_it_blocks);
	tcase_add_test(besides, a_signal_interrupts_accept_as_the_program_wants);
	tcase_add_loop_test(serving, workers_that_share_a_socket_are_all_idle_at_the_end, 0, WAYS);
	tcase_add_loop_test(besides, a_connection_without_a_request_is_no_job, 0, WAYS);
	return harness_main(suite);
}
