#ifndef PREFORKD_TESTS_FAKE_MANAGER_H
#define PREFORKD_TESTS_FAKE_MANAGER_H
/*
 * A service manager in the test's own process: a notify socket, and a store of descriptors as
 * systemd keeps one. It hears something only when it is asked to, so it can be slow, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

#define STORE_MAX  128
#define HEARD_MAX  65536
#define FIRST_FREE 500 /* where a test keeps what is to be passed, above what it passes */

struct fake_manager {
	int fd;
	struct {
		char name[256];
		int fd;
	} store[STORE_MAX];
	int count;
	char heard[HEARD_MAX];  /* all messages, one a line; newlines in them are blanks */
	int stored;             /* messages with FDSTORE */
	const char *first_name; /* passed before all that is stored; NULL: nothing */
	int first_fd;
	const char *listen_pid, *listen_fds; /* NULL: as they must be */
};

static struct fake_manager manager;

static inline void manager_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	manager.count = manager.stored = 0;
	manager.heard[0] = '\0';
	manager.first_name = manager.listen_pid = manager.listen_fds = NULL;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of("notify"));
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(manager.fd, 0);
	ck_assert_int_eq(bind(manager.fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline ino_t inode_of(int fd)
{
	struct stat file;

	ck_assert_int_eq(fstat(fd, &file), 0);
	return file.st_ino;
}

static inline void manager_keep(const char *name, int fd)
{
	for (int i = 0; i < manager.count; i++) {
		if (inode_of(manager.store[i].fd) == inode_of(fd)) {
			close(fd);
			return;
		}
	}
	ck_assert_int_lt(manager.count, STORE_MAX);
	snprintf(manager.store[manager.count].name, sizeof(manager.store[0].name), "%s", name);
	manager.store[manager.count].fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	ck_assert_int_ge(manager.store[manager.count].fd, 0);
	close(fd);
	manager.count++;
}

static inline void manager_remove(const char *name)
{
	int left = 0;

	for (int i = 0; i < manager.count; i++) {
		if (strcmp(manager.store[i].name, name) == 0)
			close(manager.store[i].fd);
		else
			manager.store[left++] = manager.store[i];
	}
	manager.count = left;
}

static inline void manager_take(char *text, int fd)
{
	const char *name = strstr(text, "FDNAME=");
	size_t length = strlen(manager.heard);

	if (strncmp(text, "FDSTORE=1\n", 10) == 0) {
		ck_assert(name && fd >= 0);
		manager.stored++;
		manager_keep(name + 7, fd);
		fd = -1;
	} else if (strncmp(text, "FDSTOREREMOVE=1\n", 16) == 0) {
		ck_assert(name && fd < 0);
		manager_remove(name + 7);
	}
	if (fd >= 0) /* of a barrier */
		close(fd);
	for (char *at = text; *at; at++)
		if (*at == '\n')
			*at = ' ';
	ck_assert_uint_lt(length + strlen(text) + 2, HEARD_MAX);
	sprintf(manager.heard + length, "%s\n", text);
}

/* Takes in all that waits. Always true, for WAIT_FOR(). */
static inline bool manager_hear(void)
{
	char text[4096];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} rights;
	struct iovec bytes = {.iov_base = text, .iov_len = sizeof(text) - 1};
	int fd;

	for (;;) {
		struct msghdr message = {.msg_iov = &bytes,
			.msg_iovlen = 1,
			.msg_control = rights.bytes,
			.msg_controllen = sizeof(rights.bytes)};
		ssize_t length = recvmsg(manager.fd, &message, MSG_CMSG_CLOEXEC);

		if (length < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			return true;
		}
		text[length] = '\0';
		fd = -1;
		if (CMSG_FIRSTHDR(&message)) {
			/* one a message */
			ck_assert_uint_eq(rights.header.cmsg_len, CMSG_LEN(sizeof(fd)));
			memcpy(&fd, CMSG_DATA(&rights.header), sizeof(fd));
		}
		manager_take(text, fd);
	}
}

static inline bool manager_heard(const char *part)
{
	return manager_hear() && strstr(manager.heard, part);
}

/* The descriptor stored under the name (its beginning, where it ends with a slash), or -1. */
static inline int stored(const char *name)
{
	const size_t length = strlen(name);
	const bool begins = length > 0 && name[length - 1] == '/';

	manager_hear();
	for (int i = 0; i < manager.count; i++)
		if (strncmp(manager.store[i].name, name, begins ? length : 256) == 0)
			return manager.store[i].fd;
	return -1;
}

/* Prepares a start: passes what is stored, as systemd does. */
static inline void pass_store(void)
{
	char names[8192] = "", number[16];
	int fd = 3;

	if (manager.first_name) {
		dup2(manager.first_fd, fd);
		fcntl(fd++, F_SETFD, 0);
		sprintf(names, "%s", manager.first_name);
	}
	for (int i = 0; i < manager.count; i++) {
		if (dup2(manager.store[i].fd, fd) != fd)
			_exit(120);
		fd++;
		sprintf(names + strlen(names), "%s%s", *names ? ":" : "", manager.store[i].name);
	}
	snprintf(number, sizeof(number), "%d", fd - 3);
	setenv("LISTEN_FDS", manager.listen_fds ? manager.listen_fds : number, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", manager.listen_pid ? manager.listen_pid : number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	setenv("NOTIFY_SOCKET", path_of("notify"), 1);
}

static inline void manager_start(void)
{
	static const char *const nothing[] = {NULL};

	daemon_start_as(pass_store, nothing);
}

#endif
