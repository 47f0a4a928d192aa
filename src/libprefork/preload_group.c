/*
 * The group's shared memory: processes, connections, one counter of what is busy, one of jobs.
 * Rule: what is on the line is written by one at a time, and whoever became busy goes on only when
 * the line says so; so an idle line always means that nothing was taken. Must not be left locked by
 * a process that died.
 */
#include "preload_group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "board.h"
#include "preload_line.h"
#include "preload_response.h"

#define IDLE '_'
#define BUSY 'W'

/* Of process.pid */
#define PROCESS_FREE     0
#define PROCESS_RESERVED (-1)
#define PROCESS_ENDING   (-2)

#define PEER_BYTES (INET6_ADDRSTRLEN + sizeof("[]:65535"))

#define ENDING_BIT     (UINT64_C(1) << 63) /* of connection.holders: being taken down */
#define YIELDS_A_CHECK 1000

struct process {
	_Atomic pid_t pid;
	_Atomic int taking; /* accepts that are under way */
};

enum connection_state {
	CONNECTION_BUSY,
	CONNECTION_BETWEEN, /* two requests */
	CONNECTION_OVER,    /* nothing more will be sent */
};

/* Is what is under way a job? */
enum heard {
	HEARD_UNKNOWN, /* nothing was seen: it may be read in a way that we do not see */
	HEARD_NOTHING, /* no request was received */
	HEARD_REQUEST, /* something of it was, or of a response sent */
};

struct connection {
	_Atomic uint64_t holders; /* a bit for each process; 0: free */
	_Atomic int state;
	_Atomic int heard;
	struct response response;
};

struct group {
	_Atomic uint64_t publisher; /* who writes to the line; 0: nobody */
	_Atomic uint64_t taker;     /* whose turn it is to take a connection */
	_Atomic int busy;           /* connections and accepts */
	_Atomic uint64_t jobs, jobs_shown;
	_Atomic char shown;
	_Atomic bool announced;
	_Atomic int connections_end; /* none is beyond */
	char note[BOARD_NOTE_BYTES]; /* the last one; a torn one costs a write too many */
	struct process process[GROUP_PROCESSES];
	struct connection connection[GROUP_CONNECTIONS];
};

static struct {
	struct group *group;
	_Atomic pid_t pid;      /* whose memory this is; 0: we are no part of it */
	_Atomic bool *is_here;  /* in a page that the kernel clears in the child of a fork */
	_Atomic bool is_shared; /* a child that has our memory (vfork) was seen */
	int self;
} own;

/* Its address is a name of the thread. */
static __thread char thread_mark __attribute__((tls_model("initial-exec")));

/* Where there is no such page (before Linux 4.14), the kernel is asked each time. */
static _Atomic bool *page_of_this_process(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, bytes, MADV_WIPEONFORK) == 0)
		return page;
	munmap(page, bytes);
	return NULL;
}

static void become(pid_t pid)
{
	own.pid = pid;
	if (own.is_here)
		*own.is_here = true;
}

bool group_begin(uint64_t jobs)
{
	void *memory = mmap(NULL, sizeof(struct group), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	own.is_here = page_of_this_process();
	own.group = memory;
	own.self = 0;
	own.group->jobs = own.group->jobs_shown = jobs;
	own.group->process[0].pid = getpid();
	become(getpid());
	return true;
}

bool group_is_likely(void)
{
	return own.pid != 0;
}

bool group_is_ours(void)
{
	if (own.pid == 0)
		return false;
	if (own.pid == getpid())
		return true;
	if (own.is_here && *own.is_here)
		own.is_shared = true;
	return false;
}

bool group_is_here(void)
{
	if (own.pid == 0 || (own.is_here && !*own.is_here))
		return false;
	return (own.is_here && !own.is_shared) || group_is_ours();
}

/* --- the line --- */

/* The process in the upper byte, the thread in the others. */
static uint64_t own_name(void)
{
	return (uint64_t)(own.self + 1) << 56 | ((uintptr_t)&thread_mark & (UINT64_MAX >> 8));
}

static bool is_gone(uint64_t name)
{
	pid_t pid = own.group->process[(name >> 56) - 1].pid;

	return pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH);
}

/* False: we have it already, and were interrupted by a signal. */
static bool enter(_Atomic uint64_t *door)
{
	uint64_t name = own_name(), holder = 0;
	unsigned yields = 0;

	while (!atomic_compare_exchange_weak(door, &holder, name)) {
		if (holder == name)
			return false;
		if (holder && ++yields % YIELDS_A_CHECK == 0 && is_gone(holder))
			atomic_compare_exchange_strong(door, &holder, 0);
		if (holder)
			sched_yield();
		holder = 0;
	}
	return true;
}

/* One who was killed in there leaves it open. */
static void open_for(int process, _Atomic uint64_t *door)
{
	uint64_t holder = *door;

	if ((int)(holder >> 56) == process + 1)
		atomic_compare_exchange_strong(door, &holder, 0);
}

static char wanted(void)
{
	return own.group->busy > 0 ? BUSY : IDLE;
}

static bool is_shown(void)
{
	return own.group->shown == wanted() && own.group->jobs_shown == own.group->jobs;
}

/* Jobs before the state: who sees idle sees the job as well. Idle is noted as shown before it is
 * written and busy after, so that nobody takes a busy for granted that is being overwritten. */
static void write_line(void)
{
	struct group *group = own.group;
	uint64_t jobs = group->jobs;
	char state;

	if (group->jobs_shown != jobs) {
		line_put_jobs(jobs);
		group->jobs_shown = jobs;
	}
	state = wanted();
	if (group->shown == state)
		return;
	if (state == IDLE) {
		group->shown = IDLE;
		if (wanted() == IDLE)
			line_put_idle(IDLE);
	} else {
		line_put_busy(BUSY);
		group->shown = BUSY;
	}
}

/* Returns when the line says what is so, or somebody else is about to write it. */
static void publish(void)
{
	int saved = errno;

	while (own.group->announced && !is_shown() && enter(&own.group->publisher)) {
		write_line();
		own.group->publisher = 0;
	}
	errno = saved;
}

void group_announce(void)
{
	if (own.group->announced)
		return;
	own.group->announced = true;
	publish();
}

bool group_is_announced(void)
{
	return own.group->announced;
}

/* How many were busy before. */
static int become_busy(void)
{
	int before = atomic_fetch_add(&own.group->busy, 1);

	own.group->announced = true;
	publish();
	return before;
}

static void become_idle(bool job_done)
{
	if (job_done)
		own.group->jobs++;
	own.group->busy--;
	publish();
}

void group_turn_begin(void)
{
	int saved = errno;

	enter(&own.group->taker);
	errno = saved;
}

void group_turn_end(void)
{
	own.group->taker = 0;
}

/* --- connections --- */

static struct connection *connection_at(int number)
{
	return &own.group->connection[number];
}

static uint64_t own_bit(void)
{
	return UINT64_C(1) << own.self;
}

void group_take(void)
{
	own.group->process[own.self].taking++;
	become_busy();
}

void group_take_nothing(void)
{
	own.group->process[own.self].taking--;
	become_idle(false);
}

static void note_end(int number)
{
	int end = own.group->connections_end;

	while (number >= end &&
		!atomic_compare_exchange_weak(&own.group->connections_end, &end, number + 1))
		;
}

static int connection_find_free(int hint)
{
	for (int i = 0; i < GROUP_CONNECTIONS; i++) {
		int number = (hint + i) % GROUP_CONNECTIONS;
		uint64_t nobody = 0;

		if (atomic_compare_exchange_strong(
			    &connection_at(number)->holders, &nobody, own_bit()))
			return number;
	}
	return -1;
}

int group_take_connection(int hint)
{
	int number = connection_find_free(hint);
	struct connection *connection;

	own.group->process[own.self].taking--;
	if (number < 0) {
		become_idle(true);
		return -1;
	}
	connection = connection_at(number);
	connection->heard = HEARD_UNKNOWN;
	memset(&connection->response, 0, sizeof(connection->response));
	connection->state = CONNECTION_BUSY;
	note_end(number);
	return number;
}

/* A connection is let go by the last: what it was doing is over. */
static void connection_end(struct connection *connection)
{
	if (atomic_exchange(&connection->state, CONNECTION_OVER) == CONNECTION_BUSY)
		become_idle(connection->heard != HEARD_NOTHING);
	connection->holders = 0;
}

static void connection_let_go(struct connection *connection, uint64_t bit)
{
	uint64_t holders = connection->holders, left;

	do {
		if (!(holders & bit))
			return;
		left = holders & ~bit ? holders & ~bit : ENDING_BIT;
	} while (!atomic_compare_exchange_weak(&connection->holders, &holders, left));
	if (left == ENDING_BIT)
		connection_end(connection);
}

void group_drop(int number)
{
	connection_let_go(connection_at(number), own_bit());
}

bool group_is_between(int number)
{
	return connection_at(number)->state == CONNECTION_BETWEEN;
}

bool group_is_rest(int number, const void *ahead, size_t bytes)
{
	return response_is_rest(&connection_at(number)->response, ahead, bytes);
}

bool group_resume(int number)
{
	struct connection *connection = connection_at(number);
	int between = CONNECTION_BETWEEN;

	if (!atomic_compare_exchange_strong(&connection->state, &between, CONNECTION_BUSY))
		return true;
	if (become_busy() > 0 || !line_is_retired())
		return true;
	connection->state = CONNECTION_OVER;
	become_idle(false);
	return false;
}

static char *append(char *to, const char *text)
{
	size_t length = strlen(text);

	memcpy(to, text, length + 1);
	return to + length;
}

static char *append_number(char *to, unsigned number)
{
	if (number >= 10)
		to = append_number(to, number / 10);
	*to = (char)('0' + number % 10);
	to[1] = '\0';
	return to + 1;
}

/* Without stdio, which allocates. */
static void peer_text(char text[PEER_BYTES], int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} peer = {.any.sa_family = AF_UNSPEC};
	socklen_t length = sizeof(peer);
	char address[INET6_ADDRSTRLEN];

	text[0] = '\0';
	if (getpeername(fd, &peer.any, &length) < 0)
		return;
	if (peer.any.sa_family == AF_INET &&
		inet_ntop(AF_INET, &peer.v4.sin_addr, address, sizeof(address)))
		append_number(append(append(text, address), ":"), ntohs(peer.v4.sin_port));
	if (peer.any.sa_family == AF_INET6 &&
		inet_ntop(AF_INET6, &peer.v6.sin6_addr, address, sizeof(address))) {
		append_number(
			append(append(append(text, "["), address), "]:"), ntohs(peer.v6.sin6_port));
	}
}

static void note_request(int fd, const void *data, size_t bytes)
{
	char note[PEER_BYTES];
	size_t length = response_title(note, BOARD_NOTE_BYTES, data, bytes);

	if (length == 0) {
		peer_text(note, fd);
		length = strlen(note);
	}
	memset(note + length, ' ', sizeof(note) - length);
	if (memcmp(own.group->note, note, BOARD_NOTE_BYTES) == 0)
		return;
	memcpy(own.group->note, note, BOARD_NOTE_BYTES);
	line_put_note(note);
}

void group_received(int number, int fd, const void *data, size_t bytes)
{
	struct connection *connection = connection_at(number);
	int saved = errno;

	if (connection->state != CONNECTION_BUSY || connection->heard == HEARD_REQUEST)
		return;
	connection->heard = bytes > 0 ? HEARD_REQUEST : HEARD_NOTHING;
	if (bytes == 0)
		return;
	response_expect(&connection->response, data, bytes);
	note_request(fd, data, bytes);
	errno = saved;
}

void group_sent(int number, const void *data, size_t bytes)
{
	struct connection *connection = connection_at(number);
	int busy = CONNECTION_BUSY, complete;

	if (connection->state == CONNECTION_OVER)
		return;
	/* A response to what we did not see, or did not take for a second request. */
	if (connection->state == CONNECTION_BETWEEN)
		group_resume(number);
	connection->heard = HEARD_REQUEST;
	complete = response_feed(&connection->response, data, bytes);
	if (complete == 0)
		return;
	own.group->jobs += (uint64_t)complete;
	if (!response_is_between(&connection->response)) {
		publish();
		return;
	}
	connection->heard = HEARD_NOTHING;
	if (atomic_compare_exchange_strong(&connection->state, &busy, CONNECTION_BETWEEN))
		become_idle(false);
}

void group_sent_all(int number)
{
	struct connection *connection = connection_at(number);

	if (atomic_exchange(&connection->state, CONNECTION_OVER) == CONNECTION_BUSY)
		become_idle(connection->heard != HEARD_NOTHING);
}

/* --- processes --- */

static void process_end(int number)
{
	struct process *process = &own.group->process[number];
	pid_t pid = process->pid;
	int saved = errno;

	if (pid == PROCESS_FREE || pid == PROCESS_ENDING ||
		!atomic_compare_exchange_strong(&process->pid, &pid, PROCESS_ENDING))
		return;
	open_for(number, &own.group->publisher);
	open_for(number, &own.group->taker);
	for (int i = 0; i < own.group->connections_end; i++)
		connection_let_go(connection_at(i), UINT64_C(1) << number);
	own.group->busy -= atomic_exchange(&process->taking, 0);
	process->pid = PROCESS_FREE;
	publish();
	errno = saved;
}

int group_fork_reserve(void)
{
	for (int i = 1; i < GROUP_PROCESSES; i++) {
		pid_t nobody = PROCESS_FREE;

		if (atomic_compare_exchange_strong(
			    &own.group->process[i].pid, &nobody, PROCESS_RESERVED))
			return i;
	}
	return -1;
}

void group_fork_hold(int process, int connection)
{
	atomic_fetch_or(&connection_at(connection)->holders, UINT64_C(1) << process);
}

void group_fork_failed(int process)
{
	process_end(process);
}

/* It may have ended already. */
void group_fork_parent(int process, pid_t pid)
{
	pid_t reserved = PROCESS_RESERVED;

	atomic_compare_exchange_strong(&own.group->process[process].pid, &reserved, pid);
}

void group_fork_child(int process)
{
	own.pid = 0;
	if (process < 0)
		return;
	own.self = process;
	become(getpid());
	own.group->process[process].pid = own.pid;
}

bool group_is_first(void)
{
	return own.self == 0;
}

void group_leave(void)
{
	process_end(own.self);
	own.pid = 0;
}

void group_reaped(pid_t pid)
{
	for (int i = 1; i < GROUP_PROCESSES; i++)
		if (own.group->process[i].pid == pid)
			process_end(i);
}
