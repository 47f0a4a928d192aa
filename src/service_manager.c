/*
 * The datagrams of sd_notify(3), sent by hand: one socket, one sendmsg(2) a message, so that a
 * service manager that does not listen costs nothing. The watchdog is fed from the loop itself, and
 * so is the service manager's patience: a loop that does not turn gets neither. Must not flood it.
 */
#include "service_manager.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

#define PATIENCE_SEC      5 /* how often; each asks for three times as much */
#define PATIENCE_ASKED_MS 15000
#define PATIENCE_TEXT     "EXTEND_TIMEOUT_USEC=15000000"
#define STATUS_GAP_SEC    1
#define LATE_GAP_SEC      0.1
#define USEC_DIGITS       18
#define NAME_TEXT_BYTES   320 /* a name has 255 at most */

/* To whom it goes: an @ stands for the NUL of an abstract address. */
static socklen_t make_address(const struct service_manager *manager, struct sockaddr_un *to)
{
	size_t length = strlen(manager->address);

	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(to->sun_path, manager->address, length);
	if (to->sun_path[0] == '@')
		to->sun_path[0] = '\0';
	else
		length++;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* With a copy of the descriptor, or of none (-1). 0, or -1 with errno; EAGAIN: not now. */
static int send_with(const struct service_manager *manager, const char *text, int fd)
{
	union {
		struct cmsghdr header; /* for its alignment */
		char bytes[CMSG_SPACE(sizeof(fd))];
	} rights = {.bytes = {0}};
	struct iovec bytes = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct sockaddr_un to;
	struct msghdr message = {.msg_name = &to, .msg_iov = &bytes, .msg_iovlen = 1};

	errno = ENOTCONN;
	if (manager->fd < 0)
		return -1;
	message.msg_namelen = make_address(manager, &to);
	if (fd >= 0) {
		rights.header.cmsg_level = SOL_SOCKET;
		rights.header.cmsg_type = SCM_RIGHTS;
		rights.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
		message.msg_control = rights.bytes;
		message.msg_controllen = sizeof(rights.bytes);
	}
	return sendmsg(manager->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void send_text(const struct service_manager *manager, const char *text)
{
	send_with(manager, text, -1);
}

/* What it must hear, in order; a stop makes all before it void. */
static void tell(struct service_manager *manager, const char *text)
{
	const int last = SERVICE_MANAGER_LATE - 1;

	if (manager->late_count == 0 && (send_with(manager, text, -1) == 0 || errno != EAGAIN))
		return;
	if (manager->late_count > last) {
		memmove(manager->late[0], manager->late[1], last * sizeof(manager->late[0]));
		manager->late_count = last;
	}
	snprintf(manager->late[manager->late_count++], sizeof(manager->late[0]), "%s", text);
	ev_timer_again(manager->loop, &manager->late_gap);
}

static void on_late_gap(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct service_manager *manager = timer->data;
	int done = 0;

	(void)events;
	while (done < manager->late_count &&
		(send_with(manager, manager->late[done], -1) == 0 || errno != EAGAIN))
		done++;
	manager->late_count -= done;
	memmove(manager->late[0], manager->late[done],
		(size_t)manager->late_count * sizeof(manager->late[0]));
	if (manager->late_count == 0)
		ev_timer_stop(loop, timer);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	send_text(timer->data, "WATCHDOG=1");
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	send_text(timer->data, PATIENCE_TEXT);
}

static void be_patient(struct service_manager *manager, bool wanted)
{
	if (manager->fd < 0)
		return;
	if (wanted)
		ev_timer_again(manager->loop, &manager->patience);
	else
		ev_timer_stop(manager->loop, &manager->patience);
}

static void tell_status(struct service_manager *manager)
{
	if (strcmp(manager->newer, manager->status) == 0)
		return;
	memcpy(manager->status, manager->newer, sizeof(manager->status));
	send_text(manager, manager->status);
	ev_timer_set(&manager->status_gap, STATUS_GAP_SEC, 0);
	ev_timer_start(manager->loop, &manager->status_gap);
}

static void on_status_gap(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell_status(timer->data);
}

/* A variable's value as a number, 0: it is none. */
static long long variable_number(const char *name)
{
	const char *text = getenv(name);

	if (!text || strlen(text) > USEC_DIGITS || text[strspn(text, "0123456789")])
		return 0;
	return strtoll(text, NULL, 10);
}

/* Is the watchdog meant for us? Twice as often as it is wanted, as sd_watchdog_enabled(3) says. */
static double watchdog_interval(void)
{
	if (getenv("WATCHDOG_PID") && variable_number("WATCHDOG_PID") != getpid())
		return 0;
	return (double)variable_number("WATCHDOG_USEC") / 1e6 / 2;
}

static void init_timers(struct service_manager *manager, double watchdog_sec)
{
	ev_timer_init(&manager->watchdog, on_watchdog, watchdog_sec, watchdog_sec);
	ev_timer_init(&manager->patience, on_patience, PATIENCE_SEC, PATIENCE_SEC);
	ev_timer_init(&manager->status_gap, on_status_gap, STATUS_GAP_SEC, 0);
	ev_timer_init(&manager->late_gap, on_late_gap, LATE_GAP_SEC, LATE_GAP_SEC);
	manager->watchdog.data = manager->patience.data = manager->status_gap.data = manager;
	manager->late_gap.data = manager;
}

void service_manager_open(struct service_manager *manager, struct ev_loop *loop)
{
	const char *address = getenv("NOTIFY_SOCKET");
	const double interval = watchdog_interval();

	*manager = (struct service_manager){.loop = loop, .fd = -1};
	init_timers(manager, interval);
	if (!address || (*address != '/' && *address != '@') ||
		strlen(address) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return;
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (manager->fd < 0)
		return;
	manager->address = memory_copy_string(address);
	if (interval > 0)
		ev_timer_start(loop, &manager->watchdog);
	be_patient(manager, true);
}

void service_manager_status(struct service_manager *manager, const char *format, ...)
{
	char *newer = manager->newer;
	size_t at;
	va_list arguments;

	if (manager->fd < 0)
		return;
	at = (size_t)sprintf(newer, "STATUS=");
	va_start(arguments, format);
	vsnprintf(newer + at, sizeof(manager->newer) - at, format, arguments);
	va_end(arguments);
	/* A newline would begin another message */
	for (; newer[at]; at++)
		if (iscntrl((unsigned char)newer[at]))
			newer[at] = ' ';
	if (!ev_is_active(&manager->status_gap))
		tell_status(manager);
}

void service_manager_starting(const struct service_manager *manager, int64_t ms)
{
	char text[64];

	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%lld",
		((long long)ms + PATIENCE_ASKED_MS) * 1000);
	send_text(manager, text);
}

void service_manager_ready(struct service_manager *manager)
{
	char text[64];

	manager->ready = true;
	be_patient(manager, false);
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)getpid());
	tell(manager, text);
}

void service_manager_reloading(struct service_manager *manager)
{
	struct timespec now;
	char text[96];

	if (!manager->ready)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(manager, text);
	be_patient(manager, true);
}

void service_manager_stopping(struct service_manager *manager)
{
	manager->late_count = 0;
	tell(manager, "STOPPING=1\n" PATIENCE_TEXT);
	be_patient(manager, true);
}

int service_manager_store(
	const struct service_manager *manager, const char *name, int fd, bool watched)
{
	char text[NAME_TEXT_BYTES];

	/* one descriptor a message: a name counts for all of them */
	snprintf(text, sizeof(text), "FDSTORE=1\n%sFDNAME=%s", watched ? "" : "FDPOLL=0\n", name);
	return send_with(manager, text, fd);
}

int service_manager_forget(const struct service_manager *manager, const char *name)
{
	char text[NAME_TEXT_BYTES];

	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return send_with(manager, text, -1);
}

bool service_manager_wait(const struct service_manager *manager, int limit_ms)
{
	struct pollfd closed = {.events = 0};
	int end[2], sent;

	if (manager->fd < 0 || pipe2(end, O_CLOEXEC) < 0)
		return false;
	sent = send_with(manager, "BARRIER=1", end[1]);
	close(end[1]);
	closed.fd = end[0];
	if (sent == 0)
		sent = poll(&closed, 1, limit_ms) == 1 ? 0 : -1;
	close(end[0]);
	return sent == 0;
}

void service_manager_close(struct service_manager *manager)
{
	if (!manager->loop)
		return;
	ev_timer_stop(manager->loop, &manager->watchdog);
	ev_timer_stop(manager->loop, &manager->patience);
	ev_timer_stop(manager->loop, &manager->status_gap);
	ev_timer_stop(manager->loop, &manager->late_gap);
	if (manager->fd >= 0)
		close(manager->fd);
	free(manager->address);
	*manager = (struct service_manager){.fd = -1};
}
