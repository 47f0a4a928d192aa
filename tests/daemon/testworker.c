/*
 * A worker that does what its arguments say, one after the other: it reports, misbehaves, serves,
 * and at their end waits for signals. Rule: nothing that is not asked for, so a bare `testworker`
 * has default dispositions and an empty mask, as after exec. Must never outlive a forgotten test:
 * an alarm ends it.
 *
 *	exit N
 *	exit-after MS N		exits after a time
 *	signal NAME		dies by it
 *	sleep MS		waits
 *	ignore NAME		from now on
 *	report PATH		writes what it inherited
 *	touch PATH		appends a line "PID SLOT TIME_MS" to the file
 *	print LINES LENGTH	to standard output; print-forever
 *	print-error LINES LENGTH to standard error
 *	nonblock-stdio, close-stdio
 *	fork-child [setsid]	a grandchild that sleeps, in a session of its own
 *	state C			writes the byte into its line of the scoreboard
 *	hammer-board		writes noise into the whole scoreboard, for ever
 *	spin			burns the processor
 * and these govern the wait at the end:
 *	signals PATH		takes every signal and appends "PID NAME" to the file; first "PID
 *ready" linger MS		leaves so long after TERM, INT or QUIT
 *	leave-with N		exits with N then, not 0
 *	stay			does not leave
 *	board			keeps its line: USR1 busy, USR2 idle, HUP one job done; leaves at R
 *when idle obey DIR		keeps its line: busy while DIR/busy.SLOT or DIR/busy.all is there
 *	talk			prints "got NAME" for every signal
 *	beat			changes the heartbeat in its line every 5 ms
 *	http			serves its sockets (or standard input): "PID SLOT"; /sleep/MS waits
 *first
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FORGOTTEN_SEC 300
#define BOARD_LINE    64
#define JOBS_AT       12
#define JOBS_BYTES    12
#define NOTE_AT       25
#define SOCKETS_MAX   64

struct worker {
	const char *signals_path;
	int linger_ms;
	int leave_with;
	bool stay;
	bool board;
	const char *obey;
	bool http, beats, talks;
	unsigned long jobs;
	char state;
};

extern char **environ;

static long number(const char *text)
{
	return strtol(text ? text : "0", NULL, 10);
}

static long environment_number(const char *name)
{
	return number(getenv(name));
}

static void sleep_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static int signal_of(const char *name)
{
	for (int i = 1; i < _NSIG; i++) {
		const char *abbreviation = sigabbrev_np(i);

		if (abbreviation && strcmp(abbreviation, name) == 0)
			return i;
	}
	return (int)number(name);
}

/* --- what it inherited --- */

static void report_descriptors(FILE *out)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char link[PATH_MAX], path[64];

	while (dir && (entry = readdir(dir))) {
		int fd = (int)number(entry->d_name);
		ssize_t length;

		if (!isdigit((unsigned char)entry->d_name[0]) || fd == dirfd(dir) ||
			fd == fileno(out))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, link, sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		fprintf(out, "fd %d %s\n", fd, link);
		fprintf(out, "flags %d %o %o\n", fd, (unsigned)fcntl(fd, F_GETFL),
			(unsigned)fcntl(fd, F_GETFD));
	}
	if (dir)
		closedir(dir);
}

static void report_status(FILE *out)
{
	static const char *const wanted[] = {
		"SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "Groups:", "NoNewPrivs:"};
	FILE *status = fopen("/proc/self/status", "re");
	char line[1024];

	while (status && fgets(line, sizeof(line), status)) {
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
				fputs(line, out);
		}
	}
	if (status)
		fclose(status);
}

static void report_limits(FILE *out)
{
	struct rlimit limit;

	for (int i = 0; i < RLIM_NLIMITS; i++) {
		getrlimit((__rlimit_resource_t)i, &limit);
		fprintf(out, "limit %d %lld %lld\n", i, (long long)limit.rlim_cur,
			(long long)limit.rlim_max);
	}
}

static void report_rest(FILE *out)
{
	char cwd[PATH_MAX];
	mode_t mask = umask(0);

	umask(mask);
	fprintf(out, "umask %04o\n", (unsigned)mask);
	fprintf(out, "cwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?");
	fprintf(out, "pid %d\nppid %d\npgid %d\nsid %d\n", (int)getpid(), (int)getppid(),
		(int)getpgid(0), (int)getsid(0));
	fprintf(out, "uid %d %d\ngid %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(),
		(int)getegid());
	fprintf(out, "nice %d\n", getpriority(PRIO_PROCESS, 0));
	for (char **variable = environ; *variable; variable++)
		fprintf(out, "env %s\n", *variable);
}

/* Whole or not at all: the test waits for the name to appear. */
static void report(const char *path)
{
	char unfinished[PATH_MAX];

	snprintf(unfinished, sizeof(unfinished), "%s.%d", path, (int)getpid());
	FILE *out = fopen(unfinished, "we");

	if (!out || fchmod(fileno(out), 0644) < 0) /* whatever umask it inherited */
		_exit(90);
	report_descriptors(out);
	report_status(out);
	report_limits(out);
	report_rest(out);
	fclose(out);
	if (rename(unfinished, path) < 0)
		_exit(91);
}

/* --- single deeds --- */

static void append_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(92);
	close(fd);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void touch(const char *path)
{
	char line[96];

	snprintf(line, sizeof(line), "%d %ld %lld\n", (int)getpid(),
		environment_number("PREFORKD_SLOT"), now_ms());
	append_line(path, line);
}

static void print(int fd, long lines, long length)
{
	char *line = malloc((size_t)length + 32);

	if (!line)
		_exit(93);
	for (long i = 0; lines < 0 || i < lines; i++) {
		int head = sprintf(line, "line %ld ", i);

		if (head < length)
			memset(line + head, 'x', (size_t)(length - head));
		size_t size = (size_t)(head > length ? head : length);

		line[size++] = '\n';
		for (size_t done = 0; done < size;) {
			ssize_t wrote = write(fd, line + done, size - done);

			if (wrote < 0)
				break;
			done += (size_t)wrote;
		}
	}
	free(line);
}

static void die_by(int signal_number)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	_exit(94);
}

static void fork_child(bool own_session)
{
	pid_t pid = fork();

	if (pid != 0)
		return;
	alarm(FORGOTTEN_SEC);
	if (own_session)
		setsid();
	for (;;)
		pause();
}

static void change_stdio(bool close_them)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (close_them)
			close(fd);
		else
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
}

/* --- the scoreboard --- */

static void board_put(int at, const char *bytes, size_t length)
{
	int fd = (int)environment_number("PREFORKD_SCOREBOARD_FD");
	off_t offset = environment_number("PREFORKD_SCOREBOARD_OFFSET");

	if (pwrite(fd, bytes, length, offset + at) < 0)
		_exit(95);
}

static void set_state(struct worker *worker, char state)
{
	if (worker->state == state)
		return;
	worker->state = state;
	board_put(0, &state, 1);
}

static void job_done(struct worker *worker)
{
	char text[JOBS_BYTES + 1];

	snprintf(text, sizeof(text), "%-*lu", JOBS_BYTES, ++worker->jobs);
	board_put(JOBS_AT, text, JOBS_BYTES);
}

/* The number goes into the note as well: after one round of letters a stopped observer would see
 * no difference. */
static void heartbeat(unsigned beat)
{
	char note[16];
	int length = snprintf(note, sizeof(note), "%u", beat);

	board_put(1, &"abcdefghijklmnopqrstuvwxyz"[beat % 26], 1);
	board_put(NOTE_AT, note, (size_t)length);
}

static bool asked_to_leave(void)
{
	int fd = (int)environment_number("PREFORKD_SCOREBOARD_FD");
	char byte = ' ';

	return pread(fd, &byte, 1, environment_number("PREFORKD_SCOREBOARD_OFFSET") + 2) == 1 &&
	       byte == 'R';
}

static void hammer_board(void)
{
	int fd = (int)environment_number("PREFORKD_SCOREBOARD_FD");
	unsigned seed = (unsigned)getpid();
	char noise[BOARD_LINE * 4];

	for (;;) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)rand_r(&seed);
		if (rand_r(&seed) % 64 == 0 && ftruncate(fd, rand_r(&seed) % 1024) < 0)
			_exit(96);
		if (pwrite(fd, noise, 1 + (size_t)rand_r(&seed) % sizeof(noise),
			    rand_r(&seed) % 4096) < 0)
			_exit(97);
	}
}

/* --- serving --- */

static void answer(struct worker *worker, int fd)
{
	char request[4096], text[256], body[64];
	ssize_t got = recv(fd, request, sizeof(request) - 1, 0);

	request[got > 0 ? got : 0] = '\0';
	char *wait = strstr(request, "/sleep/");

	if (wait)
		sleep_ms(number(wait + 7));
	snprintf(body, sizeof(body), "%d %ld", (int)getpid(), environment_number("PREFORKD_SLOT"));
	int size = snprintf(text, sizeof(text), "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);

	if (send(fd, text, (size_t)size, MSG_NOSIGNAL) < 0)
		worker->jobs--;
	close(fd);
	job_done(worker);
}

/* One connection, or one datagram. */
static void serve(struct worker *worker, int listening)
{
	int type = SOCK_STREAM;
	socklen_t length = sizeof(type);

	getsockopt(listening, SOL_SOCKET, SO_TYPE, &type, &length);
	if (type == SOCK_DGRAM) {
		char text[64];
		struct sockaddr_storage from;

		length = sizeof(from);
		if (recvfrom(listening, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&from,
			    &length) < 0)
			return;
		int size = snprintf(text, sizeof(text), "%d", (int)getpid());

		sendto(listening, text, (size_t)size, 0, (struct sockaddr *)&from, length);
		job_done(worker);
		return;
	}
	/* poll() woke all, one gets it: the others must not wait for the next with signals blocked
	 */
	struct timeval limit = {.tv_usec = 10000};

	setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	set_state(worker, 'W');
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		answer(worker, fd);
	set_state(worker, '_');
}

static void sockets_poll(struct worker *worker, int timeout_ms)
{
	struct pollfd sockets[SOCKETS_MAX] = {{.fd = STDIN_FILENO, .events = POLLIN}};
	unsigned count = (unsigned)environment_number("LISTEN_FDS") % SOCKETS_MAX;

	for (unsigned i = 0; i < count; i++)
		sockets[i] = (struct pollfd){.fd = 3 + (int)i, .events = POLLIN};
	if (count == 0)
		count = 1;
	if (poll(sockets, count, timeout_ms) <= 0)
		return;
	for (unsigned i = 0; i < count; i++) {
		if (sockets[i].revents & POLLIN)
			serve(worker, sockets[i].fd);
	}
}

/* --- the wait at the end --- */

static void leave(struct worker *worker)
{
	sleep_ms(worker->linger_ms);
	exit(worker->leave_with);
}

static void append_signal(const struct worker *worker, const char *name, int number_of)
{
	char line[96], digits[16] = "";

	if (!worker->signals_path)
		return;
	if (number_of)
		snprintf(digits, sizeof(digits), "%d", number_of);
	snprintf(line, sizeof(line), "%d %s%s %lld\n", (int)getpid(), name, digits, now_ms());
	append_line(worker->signals_path, line);
}

static void take_signal(struct worker *worker, const siginfo_t *info)
{
	int signal_number = info->si_signo;
	const char *name = sigabbrev_np(signal_number);

	if (signal_number == SIGALRM && info->si_code == SI_KERNEL)
		_exit(98); /* forgotten */
	append_signal(worker, name ? name : "RT", name ? 0 : signal_number);
	if (worker->talks)
		dprintf(STDOUT_FILENO, "got %s\n", name ? name : "RT");
	if (worker->board && signal_number == SIGUSR1)
		set_state(worker, 'A');
	if (worker->board && signal_number == SIGUSR2)
		set_state(worker, '_');
	if (worker->board && signal_number == SIGHUP)
		job_done(worker);
	bool ends = signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGQUIT;

	if (ends && !worker->stay)
		leave(worker);
}

static void obey(struct worker *worker)
{
	char one[PATH_MAX], all[PATH_MAX];

	snprintf(
		one, sizeof(one), "%s/busy.%ld", worker->obey, environment_number("PREFORKD_SLOT"));
	snprintf(all, sizeof(all), "%s/busy.all", worker->obey);
	set_state(worker, access(one, F_OK) == 0 || access(all, F_OK) == 0 ? 'A' : '_');
}

static void wait_for_signals(struct worker *worker)
{
	struct timespec pause_time = {.tv_nsec = worker->http ? 0 : 5000000};
	bool patient = !worker->http && !worker->obey && !worker->board && !worker->beats;
	unsigned beat = 0;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (worker->board || worker->http || worker->obey)
		set_state(worker, '_');
	append_signal(worker, "ready", 0);
	for (;;) {
		siginfo_t info;

		if ((patient ? sigwaitinfo(&all, &info) : sigtimedwait(&all, &info, &pause_time)) >
			0)
			take_signal(worker, &info);
		if (worker->obey)
			obey(worker);
		if (worker->beats)
			heartbeat(beat++);
		if (worker->board && worker->state == '_' && asked_to_leave())
			leave(worker);
		if (worker->http)
			sockets_poll(worker, 5);
	}
}

/* --- the words of the command line --- */

/* What changes the wait at the end. How many words it took, 0: not one of these. */
static int take_manner(struct worker *worker, char **word)
{
	const char *argument = word[1] ? word[1] : "";

	if (strcmp(*word, "signals") == 0)
		return worker->signals_path = argument, 2;
	if (strcmp(*word, "linger") == 0)
		return worker->linger_ms = (int)number(argument), 2;
	if (strcmp(*word, "leave-with") == 0)
		return worker->leave_with = (int)number(argument), 2;
	if (strcmp(*word, "stay") == 0)
		return worker->stay = true, 1;
	if (strcmp(*word, "board") == 0)
		return worker->board = true, 1;
	if (strcmp(*word, "obey") == 0)
		return worker->obey = argument, 2;
	if (strcmp(*word, "talk") == 0)
		return worker->talks = true, 1;
	if (strcmp(*word, "beat") == 0)
		return worker->beats = true, 1;
	if (strcmp(*word, "http") == 0)
		return worker->http = true, 1;
	return 0;
}

/* What is done once and at once, with arguments. */
static int do_deed(char **word)
{
	const char *first = word[1] ? word[1] : "", *second = word[1] && word[2] ? word[2] : "";

	if (strcmp(*word, "exit") == 0)
		exit((int)number(first));
	if (strcmp(*word, "exit-after") == 0) {
		sleep_ms(number(first));
		exit((int)number(second));
	}
	if (strcmp(*word, "signal") == 0)
		die_by(signal_of(first));
	if (strcmp(*word, "sleep") == 0)
		return sleep_ms(number(first)), 2;
	if (strcmp(*word, "ignore") == 0)
		return signal(signal_of(first), SIG_IGN), 2;
	if (strcmp(*word, "report") == 0)
		return report(first), 2;
	if (strcmp(*word, "touch") == 0)
		return touch(first), 2;
	if (strcmp(*word, "print") == 0)
		return print(STDOUT_FILENO, number(first), number(second)), 3;
	if (strcmp(*word, "print-error") == 0)
		return print(STDERR_FILENO, number(first), number(second)), 3;
	return 0;
}

static int do_bare_deed(struct worker *worker, char **word)
{
	if (strcmp(*word, "print-forever") == 0)
		print(STDOUT_FILENO, -1, 100);
	if (strcmp(*word, "nonblock-stdio") == 0)
		return change_stdio(false), 1;
	if (strcmp(*word, "close-stdio") == 0)
		return change_stdio(true), 1;
	if (strcmp(*word, "hammer-board") == 0)
		hammer_board();
	if (strcmp(*word, "state") == 0 && word[1])
		return set_state(worker, word[1][0]), 2;
	if (strcmp(*word, "fork-child") == 0) {
		bool own_session = word[1] && strcmp(word[1], "setsid") == 0;

		return fork_child(own_session), own_session ? 2 : 1;
	}
	while (strcmp(*word, "spin") == 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	struct worker worker = {.state = '.'};
	bool takes_signals = false;

	alarm(FORGOTTEN_SEC);
	for (int i = 1; i < argc;) {
		int took = take_manner(&worker, &argv[i]);

		takes_signals |= took > 0;
		if (took == 0)
			took = do_deed(&argv[i]);
		if (took == 0)
			took = do_bare_deed(&worker, &argv[i]);
		if (took == 0) {
			fprintf(stderr, "testworker: %s?\n", argv[i]);
			return 99;
		}
		i += took;
	}
	if (takes_signals)
		wait_for_signals(&worker);
	for (;;)
		pause();
}
