/*
 * The commands, against a supervisor that is none: it sends what the test wrote down. Each command
 * runs in a process of its own, as preforkd would run it; what it said and how it ended is
 * compared.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "client.h"
#include "test_files.h"
#include "test_main.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STREAMING    "{\"event\":\"streaming\"}\n"
#define DONE         "{\"ok\":true,\"message\":\"begun\",\"id\":7}\n"
#define OF(id, event)                                                                              \
	"{\"event\":\"" event "\",\"id\":" id ",\"action\":\"reload\",\"pool\":\"web\","
#define PROGRESS(n)      OF("7", "progress") "\"done\":" #n ",\"total\":2,\"starting\":1}\n"
#define FINISHED         OF("7", "finished") "\"ok\":true,\"message\":\"it is done\"}\n"
#define THE_REST         "\"ok\":false,\"error\":\"3 failed\",\"exit_status\":75}\n"
#define FAILED           OF("7", "finished") THE_REST
#define FAILED_OF_OTHERS OF("6", "finished") THE_REST

static struct test_dir dir;
static char path[PATH_MAX];
static pid_t server;

/* What the supervisor sends: at once to whoever asks for events; to any other request; and then to
 * the first. NULL: it hangs up without a word. */
struct script {
	const char *greeting, *answer, *events;
	bool leaves; /* then */
};

/* --- the supervisor --- */

static void say(int fd, const char *text)
{
	/* Who only looked whether we are here does not listen. */
	if (text && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

/* One request, which is appended to the file "asked". */
static void hear(int fd, char *request, size_t size)
{
	FILE *asked = fopen(test_path(&dir, "asked"), "a");
	size_t length = 0;

	while (length < size - 1 && recv(fd, request + length, 1, 0) == 1 &&
		request[length] != '\n')
		length++;
	request[length] = '\0';
	fprintf(asked, "%s\n", request);
	fclose(asked);
}

static void serve(int listener, const struct script *script)
{
	int stream = -1, fd;
	char request[2048];

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		hear(fd, request, sizeof(request));
		if (strcmp(request, "events") == 0) {
			say(fd, script->greeting);
			stream = fd;
			if (script->greeting)
				continue;
			stream = -1;
		} else {
			say(fd, script->answer);
		}
		close(fd);
		if (stream >= 0 && script->answer)
			say(stream, script->events);
		if (script->leaves)
			exit(EXIT_SUCCESS);
	}
}

static void start(const struct script *script)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	/* It gets its name when it listens. */
	strcpy(address.sun_path, test_path(&dir, "nobody.sock"));
	fflush(NULL);
	server = fork();
	if (server > 0) {
		close(listener);
		while (access(path, F_OK) < 0)
			poll(NULL, 0, 1);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* In its own name, so that what is learned of the peer is about it */
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 10) < 0 || rename(address.sun_path, path) < 0)
		exit(EXIT_FAILURE);
	serve(listener, script);
	exit(EXIT_SUCCESS);
}

static void stop(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	server = 0;
	unlink(path);
	unlink(test_path(&dir, "asked"));
}

/* --- the command --- */

static char out[100000], err[100000], asked[4096];

/* Words by one blank; "@" stands for the socket. Returns the exit status. */
static int run(const struct client_options *options, const char *line)
{
	char text[1024], *word[32], *rest = text;
	int count = 0, status = -1;
	pid_t pid;

	snprintf(text, sizeof(text), "%s", line);
	while ((word[count] = strsep(&rest, " ")))
		if (strcmp(word[count++], "@") == 0)
			word[count - 1] = path;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (!freopen(test_path(&dir, "out"), "w", stdout) ||
			!freopen(test_path(&dir, "err"), "w", stderr))
			_exit(99);
		exit(client_run(options, word, count));
	}
	waitpid(pid, &status, 0);
	test_read_file(test_path(&dir, "out"), out, sizeof(out));
	test_read_file(test_path(&dir, "err"), err, sizeof(err));
	test_read_file(test_path(&dir, "asked"), asked, sizeof(asked));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const struct client_options none = {.helper_folder = "/nonexistent"};

static void setup(void)
{
	test_dir_make(&dir);
	snprintf(path, sizeof(path), "%s", test_path(&dir, "control.sock"));
	unsetenv("RUNTIME_DIRECTORY");
}

static void teardown(void)
{
	stop();
	test_dir_remove(&dir);
}

START_TEST(what_they_say)
{
	static const struct {
		struct script script;
		const char *line;
		int status;
		const char *asked, *out, *err;
	} cases[] = {
		{{.answer = DONE}, "ping --socket @", 0, "ping\n", "begun\n", ""},
		{{.answer = DONE}, "--socket @ ping", 0, "ping\n", "begun\n", ""},
		{{.answer = DONE}, "scale web -1 --socket @", 0, "scale web -1\n", "begun\n", ""},
		{{.answer = DONE}, "scale web +1 --json --socket @", 0, "scale web +1\n", DONE, ""},
		{{.answer = "{\"ok\":true,\"message\":\"a\\u001bb\"}\n"}, "resume --socket @", 0,
			"resume\n", "a?b\n", ""},
		{{.answer = "{\"ok\":false,\"error\":\"no pool wbe\",\"exit_status\":64}\n"},
			"scale wbe 1 --socket @", 64, "scale wbe 1\n", "",
			"preforkd: scale: no pool wbe\n"},
		{{.answer = "{\"ok\":false,\"error\":\"no pool wbe\",\"exit_status\":64}\n"},
			"scale wbe 1 --socket @ --json", 64, "scale wbe 1\n",
			"{\"ok\":false,\"error\":\"no pool wbe\",\"exit_status\":64}\n", ""},
		{{.answer = "{\"ok\":false}\n"}, "reopen --socket @", EX_SOFTWARE, "reopen\n", "",
			"preforkd: reopen: no reason given\n"},
		{{.answer = "nonsense\n"}, "reopen --socket @", EX_UNAVAILABLE, "reopen\n", "",
			"@: that is no answer of a supervisor\n"},
		{{.answer = "[1]\n"}, "reopen --socket @", EX_UNAVAILABLE, "reopen\n", "",
			"@: that is no answer of a supervisor\n"},
		{{.answer = NULL}, "reopen --socket @", EX_UNAVAILABLE, "reopen\n", "",
			"@: the supervisor hung up without an answer\n"},

		/* those that wait */
		{{STREAMING, "{\"ok\":true,\"message\":\"done\"}\n", NULL, false},
			"reload --socket @", 0, "events\nreload\n", "done\n", ""},
		{{STREAMING, DONE, "{\"event\":\"dropped\",\"count\":3}\n", false},
			"reload --socket @", EX_TEMPFAIL, "events\nreload\n", "",
			"preforkd: events were lost, perhaps the one that the reload has ended; "
			"ask status\n"},
		{{STREAMING, DONE, PROGRESS(1) FINISHED, false}, "reload --socket @", 0,
			"events\nreload\n", "web: 1 of 2 replaced, 1 starting\nit is done\n", ""},
		{{STREAMING, DONE,
			 PROGRESS(0) PROGRESS(0) FAILED_OF_OTHERS FAILED_OF_OTHERS
			 "noise\n" PROGRESS(1) FAILED,
			 false},
			"reload --socket @", 75, "events\nreload\n",
			"web: 0 of 2 replaced, 1 starting\nweb: 1 of 2 replaced, 1 starting\n",
			"preforkd: reload: 3 failed\n"},
		{{STREAMING, DONE, PROGRESS(1) FAILED, false}, "reload --json --socket @", 75,
			"events\nreload\n",
			"{\"id\":7,\"action\":\"reload\",\"pool\":\"web\",\"ok\":false,\"error\":"
			"\"3 "
			"failed\",\"exit_status\":75}\n",
			""},
		{{STREAMING, DONE, FINISHED, false}, "reload --no-wait --socket @", 0, "reload\n",
			"begun\n", ""},
		{{STREAMING, "{\"ok\":false,\"error\":\"it stops\",\"exit_status\":69}\n", "",
			 false},
			"reload --socket @", 69, "events\nreload\n", "",
			"preforkd: reload: it stops\n"},
		{{STREAMING, DONE, PROGRESS(1), true}, "reload --socket @", EX_UNAVAILABLE,
			"events\nreload\n", "web: 1 of 2 replaced, 1 starting\n",
			"preforkd: the supervisor left before the reload had ended\n"},
		{{STREAMING, "{\"ok\":true,\"message\":\"later\",\"id\":7,\"after\":6}\n",
			 FAILED_OF_OTHERS FINISHED, false},
			"reload --socket @", 0, "events\nreload\n", "later\nit is done\n", ""},
		{{STREAMING, DONE, FAILED_OF_OTHERS FINISHED, false}, "restart web --socket @", 0,
			"events\nrestart web\n", "it is done\n", ""},
		{{"{\"ok\":false,\"error\":\"too many clients\",\"exit_status\":75}\n", DONE, "",
			 false},
			"drain --socket @", 75, "events\n", "",
			"preforkd: drain: too many clients\n"},
		{{NULL, DONE, "", false}, "drain --socket @", EX_UNAVAILABLE, "events\n", "",
			"preforkd: the supervisor hung up\n"},

		/* a stop ends with the supervisor */
		{{STREAMING, DONE, FINISHED, true}, "stop QUIT --socket @", 0,
			"events\nstop QUIT\n", "stopped\n", ""},
		{{STREAMING, DONE, "", true}, "quit --json --socket @", 0, "events\nquit\n",
			"{\"action\":\"quit\",\"ok\":true,\"message\":\"stopped\"}\n", ""},
		{{STREAMING, DONE, FAILED, true}, "quit --socket @", 75, "events\nquit\n", "",
			"preforkd: quit: 3 failed\n"},

		/* those that show */
		{{.answer = "{\"name\":\"app\",\"pid\":3}\n"}, "status --socket @ --json", 0,
			"status\n", "{\"name\":\"app\",\"pid\":3}\n", ""},
		{{.answer = "{\"name\":\"app\",\"phase\":\"running\",\"pid\":3}\n"},
			"status web --socket @", 0, "status web\n",
			"app: running, pid 3, up -, preforkd ,\n", ""},
		{{.answer = "{\"ok\":false,\"error\":\"no pool\",\"exit_status\":64}\n"},
			"status wbe --socket @", 64, "status wbe\n", "",
			"preforkd: status: no pool\n"},
		{{.greeting = "{\"event\":\"streaming\"}\n{\"event\":\"log\",\"x\":1}\n",
			 .answer = "{}",
			 .leaves = true},
			"reopen --socket @", EX_UNAVAILABLE, "reopen\n", "", "hung up"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *wanted = cases[i].err + (cases[i].err[0] == '@');
		int status;

		start(&cases[i].script);
		status = run(&none, cases[i].line);
		ck_assert_msg(status == cases[i].status, "%zu %s: %d: %s%s", i, cases[i].line,
			status, out, err);
		ck_assert_msg(strcmp(out, cases[i].out) == 0, "%zu %s: %s", i, cases[i].line, out);
		ck_assert_msg(*wanted ? strstr(err, wanted) != NULL : !*err, "%zu %s: %s", i,
			cases[i].line, err);
		ck_assert_msg(strcmp(asked, cases[i].asked) == 0, "%zu %s asked %s", i,
			cases[i].line, asked);
		stop();
	}
}
END_TEST

START_TEST(wrong_usage)
{
	static const struct {
		const char *line;
		int status;
		const char *err;
	} cases[] = {
		{"status a b c --socket @", 64, "wrong number of arguments for status"},
		{"signal TREM --socket @", 64, "did you mean TERM?"},
		{"scale web --socket @", 64, "scale POOL N|+N|-N"},
		{"status --jsno --socket @", 64, "no such option, or it lacks its value: --jsno"},
		{"status --socket", 64, "no such option, or it lacks its value: --socket"},
		{"signal 1 2 3 4 5 6 7 8 9 10", 64, "too many arguments for signal"},
		{"status", 64, "-c FILE or --socket PATH is missing"},
		{"status -c /nonexistent/x.ini", 66, "/nonexistent/x.ini"},
		{"status --socket @", 69, "no supervisor answers; tried "},
		{"top --socket @ --anything", 69, "no supervisor answers; tried "},
		{"events --socket=@", 69, "no supervisor answers; tried @: No such file"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int status = run(&none, cases[i].line);

		ck_assert_msg(status == cases[i].status && strstr(err, cases[i].err) && !*out,
			"%s: %d: %s%s", cases[i].line, status, err, out);
	}
	ck_assert_int_eq(run(&none, "status --json --socket @"), 69);
	ck_assert_ptr_nonnull(
		strstr(out, "{\"ok\":false,\"error\":\"no supervisor answers; tried "));
	ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(streams_events)
{
	static const struct script script = {
		.greeting = STREAMING "{\"event\":\"log\"}\n{\"event\":\"worker\"}\n",
		.leaves = true};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t helper;

	start(&script);
	strcpy(address.sun_path, path);
	/* A second client makes the supervisor leave, once the first has had its events. */
	helper = fork();
	if (helper == 0) {
		for (int i = 0; i < 5000; i++) {
			test_read_file(test_path(&dir, "out"), out, sizeof(out));
			if (strstr(out, "worker"))
				break;
			poll(NULL, 0, 1);
		}
		_exit(connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			send(fd, "ping\n", 5, 0) < 0);
	}
	ck_assert_int_eq(run(&none, "events --socket @"), 0);
	ck_assert_str_eq(out, STREAMING "{\"event\":\"log\"}\n{\"event\":\"worker\"}\n");
	ck_assert_str_eq(err, "");
	waitpid(helper, NULL, 0);
	close(fd);
}
END_TEST

/* By the configuration, whatever else is wrong in it. */
START_TEST(finds_the_socket)
{
	static const struct script script = {.answer = DONE};
	struct client_options options = none;
	char text[PATH_MAX + 200];

	options.config = test_path(&dir, "app.ini");
	start(&script);
	snprintf(text, sizeof(text), "[preforkd]\nruntime_dir = %s\nnonsense = 1\n[pool:]\n",
		dir.path);
	test_write_file(options.config, text);
	ck_assert_msg(run(&options, "ping") == 0, "%s", err);

	test_write_file(options.config, "[pool:web]\ncommand = /bin/true\n");
	ck_assert_int_eq(run(&options, "ping"), 69);
	ck_assert_ptr_nonnull(strstr(err, "tried:\n  /run/preforkd/app/control.sock: "));
	ck_assert_ptr_nonnull(strstr(err, "\n  /tmp/preforkd-"));
	setenv("RUNTIME_DIRECTORY", dir.path, 1);
	ck_assert_msg(run(&options, "ping") == 0, "%s", err);
	unsetenv("RUNTIME_DIRECTORY");
}
END_TEST

/* A supervisor that was frozen in the middle of everything is not waited for for ever. */
START_TEST(frozen)
{
	static const struct script script = {.answer = DONE};

	start(&script);
	kill(server, SIGSTOP);
	ck_assert_int_eq(run(&none, "ping --socket @"), EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(err, "the supervisor does not answer"));
}
END_TEST

/* A document of some megabytes comes whole. */
START_TEST(long_document)
{
	static char document[99000];
	struct script script = {.answer = document};
	size_t length;

	length = (size_t)snprintf(document, sizeof(document), "{\"name\":\"");
	memset(document + length, 'n', sizeof(document) - length);
	snprintf(document + sizeof(document) - 4, 4, "\"}\n");
	start(&script);
	ck_assert_int_eq(run(&none, "status --json --socket @"), 0);
	ck_assert_str_eq(out, document);
}
END_TEST

START_TEST(top_is_a_program_of_its_own)
{
	static const struct script script = {.answer = DONE};
	struct client_options options = none;
	char wanted[PATH_MAX + 100];

	options.helper_folder = dir.path;
	start(&script);
	test_write_file(test_path(&dir, "preforkd-top"), "#!/bin/sh\necho \"$*\"\nexit 7\n");
	ck_assert_int_eq(chmod(test_path(&dir, "preforkd-top"), 0755), 0);
	ck_assert_int_eq(run(&options, "top --socket @ --sort jobs -x"), 7);
	snprintf(wanted, sizeof(wanted), "--socket %s --sort jobs -x\n", path);
	ck_assert_str_eq(out, wanted);
	ck_assert_int_eq(run(&none, "top --socket @"), EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(err, "cannot start /nonexistent/preforkd-top"));
}
END_TEST

START_TEST(names)
{
	static const char *const own[] = {"config", "run"};

	ck_assert(client_knows("status") && client_knows("top") && client_knows("quit"));
	ck_assert(!client_knows("run") && !client_knows("") && !client_knows("Status"));
	ck_assert_str_eq(client_nearest("statsu", own, 2), "status");
	ck_assert_str_eq(client_nearest("tpo", own, 2), "top");
	ck_assert_str_eq(client_nearest("confg", own, 2), "config");
	ck_assert_ptr_null(client_nearest("bananas", own, 2));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tcase = tcase_create("client");

	test_needs_kernel();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_they_say);
	tcase_add_test(tcase, wrong_usage);
	tcase_add_test(tcase, streams_events);
	tcase_add_test(tcase, finds_the_socket);
	tcase_add_test(tcase, frozen);
	tcase_add_test(tcase, long_document);
	tcase_add_test(tcase, top_is_a_program_of_its_own);
	tcase_add_test(tcase, names);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
