/*
 * One process, kept running by its pidfd and a back-off of its own. When its channel ends it leaves
 * by itself; it is never waited for.
 */
#include "http_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "control.h"
#include "errmsg.h"
#include "logger.h"
#include "memory.h"
#include "spawn.h"
#include "sys.h"
#include "users.h"

#define CHANNEL_FD   3
#define LISTEN_FD    4
#define FD_COUNT     5
#define SOCKET_MODE  0666
#define LONG_LIFE_MS 10000 /* one that lived so long had no trouble in starting */

static const struct backoff_rule rule = {.base_ms = 500, .cap_ms = 30000};

static void start(struct http_process *http);

static double chance(void)
{
	return (double)random() / ((double)RAND_MAX + 1);
}

static void try_again(struct http_process *http, const char *why)
{
	const int64_t now_ms = sys_now_ms();

	backoff_fail(&http->failures, &rule, http->failures.round, now_ms, chance());
	log_warning(NULL, "http: %s; next try in %.3g s", why,
		(double)(http->failures.until - now_ms) / 1000);
	ev_timer_set(&http->next_start, (double)(http->failures.until - now_ms) / 1000, 0);
	ev_timer_start(http->loop, &http->next_start);
}

static void on_next_start(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	start(timer->data);
}

static void forget(struct http_process *http)
{
	siginfo_t info = {0};

	ev_io_stop(http->loop, &http->exit_watcher);
	sys_wait_child(http->pid, &info, WNOHANG);
	sys_close(http->pidfd);
	http->pid = 0;
	http->pidfd = -1;
}

static void on_exit_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct http_process *http = watcher->data;

	(void)loop;
	(void)events;
	forget(http);
	if (sys_now_ms() - http->started_ms >= LONG_LIFE_MS)
		backoff_reset(&http->failures);
	try_again(http, "preforkd-http has ended");
}

static int spawn(struct http_process *http, int channel_fd, int null_fd, struct errmsg *err)
{
	char name[] = "preforkd-http";
	char *const argv[] = {name, NULL};
	char *environment[] = {NULL};
	const int fd[FD_COUNT] = {
		null_fd, STDOUT_FILENO, STDERR_FILENO, channel_fd, http->listener.fd};
	const struct spawn_plan plan = {
		.path = http->program,
		.argv = argv,
		.envp = environment,
		.fd = fd,
		.fd_count = FD_COUNT,
		.identity = &http->identity,
		.directory = "/",
		.umask = -1,
		.no_new_privileges = true,
	};
	struct spawned spawned;

	if (spawn_start(&spawned, &plan, http->reports, err) < 0)
		return -1;
	http->started_ms = sys_now_ms();
	http->pid = http->last_pid = spawned.pid;
	http->pidfd = spawned.pidfd;
	ev_io_init(&http->exit_watcher, on_exit_ready, http->pidfd, EV_READ);
	http->exit_watcher.data = http;
	ev_io_start(http->loop, &http->exit_watcher);
	return 0;
}

/* The channel's end in the supervisor is the control server's from here on. */
static int start_on(struct http_process *http, int null_fd, struct errmsg *err)
{
	int pair[2], result;

	if (access(http->program, X_OK) < 0)
		return errmsg_errno(err, "%s", http->program);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return errmsg_errno(err, "socketpair");
	result = spawn(http, pair[1], null_fd, err);
	close(pair[1]);
	if (result == 0 && control_add_channel(http->control, pair[0], NULL, NULL, err))
		return 0;
	if (result == 0)
		sys_pidfd_signal(http->pidfd, SIGKILL);
	close(pair[0]);
	return -1;
}

static bool is_bound(const struct http_process *http)
{
	return http->listener.fd >= 0;
}

static int bind_address(
	struct http_process *http, const struct listener_past *past, struct errmsg *err)
{
	struct listener_settings settings = {.type = SOCK_STREAM,
		.backlog = -1,
		.mode = SOCKET_MODE,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1};
	int result;

	if (address_parse(&settings.listen, http->address, err) < 0)
		return -1;
	result = past ? listener_take_up(&http->listener, &settings, past, err) : -1;
	if (result < 0 && past)
		close(past->fd); /* of another address than the one that is wanted now */
	if (result < 0)
		result = listener_open(&http->listener, &settings, -1, err);
	address_free(&settings.listen);
	return result;
}

static void start(struct http_process *http)
{
	struct errmsg err;
	int null_fd = sys_open("/dev/null", O_RDWR | O_CLOEXEC, 0);

	if (null_fd < 0)
		errmsg_errno(&err, "/dev/null");
	if (null_fd < 0 || (!is_bound(http) && bind_address(http, NULL, &err) < 0) ||
		start_on(http, null_fd, &err) < 0)
		try_again(http, err.text);
	if (null_fd >= 0)
		sys_close(null_fd);
}

static void forget_all(struct http_process *http)
{
	listener_close(&http->listener);
	identity_free(&http->identity);
	free(http->address);
	free(http->program);
	*http = (struct http_process){.pidfd = -1};
}

static int refuse(struct http_process *http, const struct errmsg *reason, struct errmsg *err)
{
	const int saved = errno;

	forget_all(http);
	errno = saved;
	return errmsg_set(err, "http: %s", reason->text);
}

int http_process_open(struct http_process *http, struct ev_loop *loop,
	const struct http_process_settings *settings, struct errmsg *err)
{
	struct errmsg reason;
	bool bound;

	*http = (struct http_process){.loop = loop,
		.control = settings->control,
		.reports = settings->reports,
		.listener = {.fd = -1},
		.address = memory_copy_string(settings->address),
		.program = memory_copy_string(settings->program),
		.pidfd = -1};
	ev_timer_init(&http->next_start, on_next_start, 0, 0);
	http->next_start.data = http;
	bound = bind_address(http, settings->past, &reason) == 0;
	if (!bound && !(settings->may_be_held && errno == EADDRINUSE))
		return refuse(http, &reason, err);
	if (geteuid() == 0 && users_resolve(&http->identity, "nobody", NULL, NULL, &reason) < 0)
		return refuse(http, &reason, err);
	if (bound)
		start(http);
	else
		try_again(http, reason.text);
	return 0;
}

bool http_process_take_report(const struct http_process *http, const struct spawn_report *report)
{
	if (report->pid != http->last_pid)
		return false;
	log_warning(NULL, "http: %s: %s: %s", http->program, spawn_step_name(report->step),
		strerror(report->error));
	return true;
}

bool http_process_owns(const struct http_process *http, pid_t pid)
{
	return http->program && http->pid == pid;
}

void http_process_close(struct http_process *http)
{
	if (!http->program)
		return;
	ev_timer_stop(http->loop, &http->next_start);
	if (http->pid) {
		sys_pidfd_signal(http->pidfd, SIGKILL);
		forget(http);
	}
	forget_all(http);
}
