/*
 * The socket of notifications on a real loop: who is believed, what is dropped, what a flood can
 * do, whose files are replaced and removed. Senders are processes of their own where it matters.
 */
#include "notify_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "errmsg.h"
#include "logger.h"
#include "sys.h"
#include "test_files.h"
#include "test_main.h"

#define NOBODY     65534
#define STRANGER   65533
#define MOST_FDS   253
#define ADDRESS_AT offsetof(struct sockaddr_un, sun_path)

static struct test_dir dir;
static struct ev_loop *loop;
static struct notify_socket notify;
static struct notify_socket_settings settings;
static struct errmsg err;
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static char log_path[sizeof(path)];

static struct {
	int count;
	pid_t pid;
	uid_t uid;
	struct notify_message message;
	long sum; /* of ERRNO, to see that none came twice */
} heard;

static void hear(void *context, pid_t pid, uid_t uid, const struct notify_message *message)
{
	ck_assert_ptr_eq(context, &heard);
	heard.count++;
	heard.pid = pid;
	heard.uid = uid;
	heard.message = *message;
	heard.sum += message->errno_value;
}

static void setup(void)
{
	struct logger_settings log = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT};

	memset(&heard, 0, sizeof(heard));
	test_dir_make(&dir);
	ck_assert_uint_lt(strlen(dir.path), sizeof(path) - 20);
	snprintf(path, sizeof(path), "%.80s/web.notify", dir.path);
	snprintf(log_path, sizeof(log_path), "%.80s/log", dir.path);
	log.target = log_path;
	ck_assert_msg(logger_open(&log, &err) == 0, "%s", err.text);
	loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	settings = (struct notify_socket_settings){.path = path,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.message = hear,
		.context = &heard};
}

static void teardown(void)
{
	notify_socket_close(&notify);
	ev_loop_destroy(loop);
	logger_close();
	unlink(log_path);
	ck_assert_msg(rmdir(dir.path) == 0, "something is left in %s", dir.path);
}

static void must_open(void)
{
	ck_assert_msg(notify_socket_open(&notify, loop, &settings, &err) == 0, "%s", err.text);
}

static unsigned descriptors(void)
{
	unsigned count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static socklen_t address_of(struct sockaddr_un *address, const char *name)
{
	size_t length = strlen(name);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	ck_assert_uint_lt(length, sizeof(address->sun_path) + 1);
	memcpy(address->sun_path, name, length);
	if (name[0] != '@')
		return sizeof(*address);
	address->sun_path[0] = '\0';
	return (socklen_t)(ADDRESS_AT + length);
}

/* As sd_notify(3) does it, with descriptors if there are any. 0 or errno. */
static int send_with(const void *bytes, size_t length, const int *fd, size_t count)
{
	struct sockaddr_un address;
	char control[CMSG_SPACE(MOST_FDS * sizeof(int))] = "";
	struct iovec part = {(void *)bytes, length};
	struct msghdr header = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *item;
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	header.msg_namelen = address_of(&address, notify_socket_address(&notify));
	if (count) {
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		item = CMSG_FIRSTHDR(&header);
		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(item), fd, count * sizeof(int));
	}
	result = sendmsg(sender, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
	close(sender);
	return result;
}

static int send_text(const char *text)
{
	return send_with(text, strlen(text), NULL, 0);
}

static void must_send(const char *text)
{
	ck_assert_int_eq(send_text(text), 0);
}

static void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static struct stat look(const char *where)
{
	struct stat file;

	ck_assert_int_eq(lstat(where, &file), 0);
	return file;
}

/* How often the log says so. */
static int log_says(const char *words)
{
	static char text[65536];
	const char *at = text;
	int count = 0;

	test_read_file(log_path, text, sizeof(text));
	while ((at = strstr(at, words)) != NULL) {
		at++;
		count++;
	}
	return count;
}

static void must_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* --- the address --- */

START_TEST(a_file_of_ours_comes_and_goes)
{
	unsigned before = descriptors();
	int fd;

	ck_assert_int_eq(notify_socket_fd(&notify), -1);
	must_open();
	fd = notify_socket_fd(&notify);
	ck_assert_str_eq(notify_socket_address(&notify), path);
	ck_assert(S_ISSOCK(look(path).st_mode));
	ck_assert_uint_eq(look(path).st_mode & 07777, 0600);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	must_send("READY=1\nSTATUS=here");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(heard.pid, getpid());
	ck_assert_uint_eq(heard.uid, getuid());
	ck_assert(heard.message.ready);
	ck_assert_str_eq(heard.message.status, "here");
	notify_socket_close(&notify);
	notify_socket_close(&notify);
	ck_assert_int_eq(access(path, F_OK), -1);
	turn(); /* epoll's own descriptor stays */
	ck_assert_uint_le(descriptors(), before + 1);
}
END_TEST

START_TEST(the_umask_does_not_matter)
{
	mode_t masks[] = {0, 0777};
	mode_t found = umask(masks[_i]);

	must_open();
	ck_assert_uint_eq(look(path).st_mode & 07777, 0600);
	ck_assert_uint_eq(umask(found), masks[_i]);
}
END_TEST

START_TEST(a_stale_one_is_replaced)
{
	struct notify_socket earlier;

	must_open();
	earlier = notify; /* as if we had been killed: never closed in an orderly way */
	ev_io_stop(loop, &notify.readable);
	must_open();
	ck_assert_uint_ne(look(path).st_ino, earlier.ino);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	close(earlier.readable.fd);
	free(earlier.address);
}
END_TEST

START_TEST(only_our_own_file_is_removed)
{
	struct notify_socket later = {0};

	must_open();
	ck_assert_int_eq(notify_socket_open(&later, loop, &settings, &err), 0);
	notify_socket_close(&notify);
	ck_assert_int_eq(access(path, F_OK), 0);
	notify_socket_close(&later);
	ck_assert_int_eq(access(path, F_OK), -1);
	must_open();
	unlink(path);
	test_write_file(path, "mine");
	notify_socket_close(&notify);
	ck_assert_int_eq(access(path, F_OK), 0);
	unlink(path);
}
END_TEST

static void must_refuse(int error, const char *why)
{
	unsigned before = descriptors();

	errno = 0;
	ck_assert_int_eq(notify_socket_open(&notify, loop, &settings, &err), -1);
	ck_assert_int_eq(errno, error);
	ck_assert_msg(strstr(err.text, why) != NULL, "not \"%s\": %s", why, err.text);
	ck_assert_ptr_null(notify_socket_address(&notify));
	ck_assert_uint_eq(descriptors(), before);
}

START_TEST(a_foreign_file_is_refused)
{
	ino_t before;

	switch (_i) {
	case 0: test_write_file(path, "not yours"); break;
	case 1: ck_assert_int_eq(mkfifo(path, 0600), 0); break;
	case 2: ck_assert_int_eq(symlink("/nowhere", path), 0); break;
	case 3: ck_assert_int_eq(mkdir(path, 0700), 0); break;
	}
	before = look(path).st_ino;
	must_refuse(EEXIST, "not a socket");
	ck_assert_uint_eq(look(path).st_ino, before);
	ck_assert_int_eq(remove(path), 0);
}
END_TEST

START_TEST(trouble_leaves_nothing)
{
	char nowhere[300], missing[sizeof(path)];
	struct rlimit files;

	snprintf(missing, sizeof(missing), "%.70s/no/web.notify", dir.path);
	settings.path = missing;
	must_refuse(ENOENT, "folder");
	settings.path = path;
	if (geteuid() != 0) {
		settings.uid = 0;
		must_refuse(EPERM, "file");
		settings.uid = (uid_t)-1;
	}
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	snprintf(nowhere, sizeof(nowhere), "%s", path);
	files.rlim_cur = (rlim_t)dup(0); /* the lowest that is free */
	close((int)files.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	must_refuse(EMFILE, "socket");
	files.rlim_cur++;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	must_refuse(EMFILE, "folder");
}
END_TEST

START_TEST(only_the_owner_may_send)
{
	static const struct {
		uid_t uid;
		int result;
	} senders[] = {{NOBODY, 0}, {STRANGER, EACCES}, {0, 0}};
	pid_t pid;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir.path, 0755), 0);
	settings.uid = settings.gid = NOBODY;
	must_open();
	ck_assert_uint_eq(look(path).st_uid, NOBODY);
	ck_assert_uint_eq(look(path).st_gid, NOBODY);
	ck_assert_uint_eq(look(path).st_mode & 07777, 0600);
	pid = fork();
	if (pid == 0) {
		if (setresgid(STRANGER, STRANGER, STRANGER) ||
			setresuid(senders[_i].uid, senders[_i].uid, senders[_i].uid))
			_exit(2);
		_exit(send_text("READY=1") != senders[_i].result);
	}
	must_end(pid);
	turn();
	ck_assert_int_eq(heard.count, senders[_i].result == 0);
	if (heard.count) {
		ck_assert_uint_eq(heard.uid, senders[_i].uid);
		ck_assert_int_eq(heard.pid, pid);
	}
}
END_TEST

START_TEST(an_abstract_name_is_new_each_time)
{
	char first[128];

	settings.abstract = true;
	settings.path = NULL;
	must_open();
	snprintf(first, sizeof(first), "%s", notify_socket_address(&notify));
	ck_assert_uint_gt(strlen(first), 32);
	ck_assert_int_eq(first[0], '@');
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	notify_socket_close(&notify);
	must_open();
	ck_assert_str_ne(notify_socket_address(&notify), first);
}
END_TEST

START_TEST(an_abstract_name_can_be_had_again)
{
	char longest[sizeof(path) + 2] = "@";
	const char *const bad[] = {"", "@", "x", "/tmp/x", longest};
	struct notify_socket other = {0};
	char first[128];

	memset(longest + 1, 'x', sizeof(longest) - 2);
	settings.abstract = true;
	must_open();
	snprintf(first, sizeof(first), "%s", notify_socket_address(&notify));
	notify_socket_close(&notify);
	settings.again = first;
	must_open();
	ck_assert_str_eq(notify_socket_address(&notify), first);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(notify_socket_open(&other, loop, &settings, &err), 0); /* taken */
	ck_assert_str_ne(notify_socket_address(&other), first);
	notify_socket_close(&other);
	settings.again = bad[_i];
	ck_assert_int_eq(notify_socket_open(&other, loop, &settings, &err), 0);
	ck_assert_str_ne(notify_socket_address(&other), bad[_i]);
	ck_assert_int_eq(log_says("cannot be had again"), 2);
	notify_socket_close(&other);
}
END_TEST

START_TEST(a_path_that_is_too_long_becomes_a_name)
{
	char longer[sizeof(path) + 1], *end;

	/* the longest that fits, with no room beside it */
	snprintf(longer, sizeof(longer), "%.80s/", dir.path);
	end = longer + strlen(longer);
	memset(end, 'x', sizeof(path) - 1 - strlen(longer));
	longer[sizeof(path) - 1] = '\0';
	settings.path = longer;
	must_open();
	ck_assert_str_eq(notify_socket_address(&notify), longer);
	must_send("READY=1");
	notify_socket_read(&notify);
	notify_socket_close(&notify);
	longer[sizeof(path) - 1] = 'x';
	longer[sizeof(path)] = '\0';
	must_open();
	ck_assert_int_eq(notify_socket_address(&notify)[0], '@');
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
}
END_TEST

/* --- what is taken up --- */

START_TEST(an_open_socket_is_taken_up)
{
	struct notify_socket before;
	char address[sizeof(path)];

	settings.abstract = _i;
	must_open();
	snprintf(address, sizeof(address), "%s", notify_socket_address(&notify));
	must_send("READY=1");
	ev_io_stop(loop, &notify.readable);
	before = notify;
	fcntl(before.readable.fd, F_SETFD, 0);
	fcntl(before.readable.fd, F_SETFL, 0);
	ck_assert_msg(
		notify_socket_take_up(&notify, loop, &settings, before.readable.fd, &err) == 0,
		"%s", err.text);
	free(before.address);
	ck_assert_str_eq(notify_socket_address(&notify), address);
	ck_assert_int_ne(fcntl(notify_socket_fd(&notify), F_GETFD) & FD_CLOEXEC, 0);
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_int_eq(heard.pid, getpid());
	notify_socket_close(&notify);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

static int other_descriptor(int kind)
{
	struct sockaddr_in loopback = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = -1;

	switch (kind) {
	case 0: return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1: return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case 2: return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case 3:
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	}
	return fd;
}

START_TEST(another_descriptor_is_not_taken_up)
{
	int fd = other_descriptor(_i);

	ck_assert_int_eq(notify_socket_take_up(&notify, loop, &settings, fd, &err), -1);
	ck_assert_ptr_null(notify_socket_address(&notify));
	ck_assert_msg(strstr(err.text, "no socket for notifications") != NULL, "%s", err.text);
	ck_assert_int_eq(close(fd), fd < 0 ? -1 : 0);
}
END_TEST

/* --- who is believed --- */

START_TEST(a_sender_that_is_gone_is_named_right)
{
	pid_t pid;
	int i;

	must_open();
	for (i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0)
			_exit(send_text("STOPPING=1"));
		must_end(pid); /* reaped: nothing of it is left */
		turn();
		ck_assert_int_eq(heard.count, i + 1);
		ck_assert_int_eq(heard.pid, pid);
		ck_assert(heard.message.stopping);
	}
}
END_TEST

START_TEST(nobody_can_name_another)
{
	struct sockaddr_un address;
	struct ucred claim = {.pid = 1, .uid = getuid(), .gid = getgid()};
	char control[CMSG_SPACE(sizeof(claim))] = "";
	struct iovec part = {(char[]){"READY=1"}, 7};
	struct msghdr header = {.msg_name = &address,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *item = CMSG_FIRSTHDR(&header);
	pid_t pid;

	must_open();
	item->cmsg_level = SOL_SOCKET;
	item->cmsg_type = SCM_CREDENTIALS;
	item->cmsg_len = CMSG_LEN(sizeof(claim));
	memcpy(CMSG_DATA(item), &claim, sizeof(claim));
	header.msg_namelen = address_of(&address, path);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(chmod(dir.path, 0755), 0);
	pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(2);
		_exit(sendmsg(fd, &header, 0) != -1 || errno != EPERM);
	}
	must_end(pid);
	turn();
	ck_assert_int_eq(heard.count, 0);
}
END_TEST

/* In a pid namespace of its own, where the sender outside has no number. */
static void listen_inside(int tell, int asked)
{
	char byte = 'x';

	ev_loop_fork(loop);
	if (notify_socket_open(&notify, loop, &settings, &err) || write(tell, &byte, 1) != 1)
		_exit(2);
	if (read(asked, &byte, 1) != 1)
		_exit(3);
	turn();
	if (heard.count != 0)
		_exit(4);
	if (send_text("WATCHDOG=1")) /* still answers */
		_exit(5);
	turn();
	notify_socket_close(&notify);
	ev_loop_destroy(loop);
	_exit(heard.count != 1 || heard.pid != getpid());
}

/* A namespace's first process must be a child of the one that made it. */
static void make_inside(int tell, int asked)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID)) {
		close(tell); /* only root may */
		_exit(0);
	}
	pid = fork();
	if (pid == 0)
		listen_inside(tell, asked);
	_exit(waitpid(pid, &status, 0) != pid || status != 0);
}

START_TEST(a_sender_without_a_number_is_ignored)
{
	int to[2], from[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		make_inside(from[1], to[0]);
	close(from[1]);
	if (read(from[0], &byte, 1) == 1) {
		notify.address = path;
		must_send("READY=1");
		notify.address = NULL;
		ck_assert_int_eq(write(to[1], "x", 1), 1);
	}
	must_end(pid);
}
END_TEST

/* --- what is dropped --- */

START_TEST(an_empty_one_says_nothing)
{
	const struct notify_message nothing = {0};

	must_open();
	must_send("");
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert_mem_eq(&heard.message, &nothing, sizeof(nothing));
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
	ck_assert(heard.message.ready);
}
END_TEST

START_TEST(a_long_one_is_ignored)
{
	static const struct {
		size_t length;
		int count;
	} cases[] = {{4095, 1}, {4096, 1}, {4097, 0}, {65536, 0}};
	static char bytes[65536];

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "READY=1\nSTATUS=", 15);
	must_open();
	ck_assert_int_eq(send_with(bytes, cases[_i].length, NULL, 0), 0);
	turn();
	ck_assert_int_eq(heard.count, cases[_i].count);
	must_send("WATCHDOG=1");
	turn();
	ck_assert_int_eq(heard.count, cases[_i].count + 1);
	ck_assert(heard.message.watchdog);
}
END_TEST

START_TEST(what_is_ignored_is_told_once)
{
	static const char bytes[NOTIFY_MESSAGE_MAX_BYTES + 1];
	char words[128];
	int i;

	must_open();
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(send_with(bytes, sizeof(bytes), NULL, 0), 0);
		turn();
	}
	snprintf(words, sizeof(words), "of pid %ld (user %ld) is ignored: it is too long\n",
		(long)getpid(), (long)getuid());
	ck_assert_int_eq(log_says(words), 1);
	ck_assert_int_eq(log_says("\n"), 1);
	notify.telling.next_at = 0;
	ck_assert_int_eq(send_with(bytes, sizeof(bytes), NULL, 0), 0);
	turn();
	ck_assert_int_eq(log_says("too long; 4 more since"), 1);
}
END_TEST

static bool is_ended(int read_end)
{
	struct pollfd end = {.fd = read_end, .events = POLLIN};

	ck_assert_int_ge(poll(&end, 1, 0), 0);
	return end.revents == POLLHUP;
}

START_TEST(passed_descriptors_are_closed)
{
	static const char *const texts[] = {"BARRIER=1", "READY=1\nFDSTORE=1", "", NULL};
	char noise[5000] = "too long";
	int end[2], fd[MOST_FDS], counts[] = {1, 2, 100, MOST_FDS};
	unsigned before;
	int i;

	must_open();
	turn();
	for (i = 0; i < (int)(sizeof(counts) / sizeof(*counts)); i++) {
		before = descriptors();
		ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
		for (int k = 0; k < MOST_FDS; k++)
			fd[k] = end[1];
		ck_assert_int_eq(send_with(texts[_i] ? texts[_i] : noise,
					 texts[_i] ? strlen(texts[_i]) : sizeof(noise), fd,
					 (size_t)counts[i]),
			0);
		close(end[1]);
		ck_assert(!is_ended(end[0]));
		turn();
		ck_assert(is_ended(end[0]));
		close(end[0]);
		ck_assert_uint_eq(descriptors(), before);
	}
	ck_assert_int_eq(heard.count, texts[_i] ? i : 0);
	ck_assert_int_eq(heard.message.barrier, _i == 0);
}
END_TEST

START_TEST(no_descriptor_left_is_no_trouble)
{
	struct rlimit files;
	int fd[MOST_FDS], end[2];
	unsigned before;

	must_open();
	turn();
	ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
	for (int k = 0; k < MOST_FDS; k++)
		fd[k] = end[1];
	ck_assert_int_eq(send_with("READY=1", 7, fd, MOST_FDS), 0);
	close(end[1]);
	before = descriptors();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = (rlim_t)end[1] + (_i ? 10 : 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	turn();
	ck_assert_int_eq(heard.count, 1);
	ck_assert(heard.message.ready);
	ck_assert(is_ended(end[0]));
	ck_assert_uint_eq(descriptors(), before);
	close(end[0]);
}
END_TEST

/* A TCP connection that has bytes to send which nobody takes, and lingers for them. */
static int lingering(int *listener, int *peer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger linger = {.l_onoff = 1, .l_linger = 20};
	static const char bytes[65536];
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(*listener, (struct sockaddr *)&address, sizeof(address)) || listen(*listener, 1) ||
		getsockname(*listener, (struct sockaddr *)&address, &length) ||
		connect(fd, (struct sockaddr *)&address, length))
		ck_abort_msg("no loopback");
	*peer = accept(*listener, NULL, NULL);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

START_TEST(a_lingering_socket_holds_up_nobody)
{
	int listener, peer, fd = lingering(&listener, &peer);
	int64_t began_at;

	must_open();
	ck_assert_int_eq(send_with("READY=1", 7, &fd, 1), 0);
	close(fd); /* the last but the one on its way */
	began_at = sys_now_ms();
	turn();
	ck_assert_int_lt(sys_now_ms() - began_at, 10000);
	ck_assert_int_eq(heard.count, 1);
	close(peer);
	close(listener);
}
END_TEST

/* --- floods --- */

/* A sender that our socket is connected to is not held up by the ten that may wait otherwise. */
static int unlimited_sender(void)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX}, address;
	socklen_t length = sizeof(own);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&own, sizeof(own.sun_family)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	ck_assert_int_eq(connect(notify_socket_fd(&notify), (struct sockaddr *)&own, length), 0);
	length = address_of(&address, notify_socket_address(&notify));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

START_TEST(a_turn_takes_its_share)
{
	int fd, sent;

	must_open();
	turn();
	fd = unlimited_sender();
	for (sent = 0; sent < 2 * NOTIFY_SOCKET_TURN_MESSAGES + 7; sent++)
		ck_assert_int_eq(send(fd, "WATCHDOG=1", 10, 0), 10);
	turn();
	ck_assert_int_eq(heard.count, NOTIFY_SOCKET_TURN_MESSAGES);
	turn();
	ck_assert_int_eq(heard.count, 2 * NOTIFY_SOCKET_TURN_MESSAGES);
	turn();
	ck_assert_int_eq(heard.count, sent);
	close(fd);
}
END_TEST

static void flood(unsigned count)
{
	struct sockaddr_un address;
	socklen_t length = address_of(&address, notify_socket_address(&notify));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	for (unsigned i = 1; i <= count; i++) {
		char text[64];
		int bytes = snprintf(text, sizeof(text), "WATCHDOG=1\nERRNO=%u", i % 4096);

		if (sendto(fd, text, (size_t)bytes, 0, (struct sockaddr *)&address, length) < 0)
			_exit(1);
	}
	_exit(0);
}

static void count_timer(struct ev_loop *of, ev_timer *timer, int events)
{
	(void)of;
	(void)events;
	++*(int *)timer->data;
}

START_TEST(a_flood_starves_nobody_and_loses_nothing)
{
	const unsigned each = 20000 / test_slowness();
	pid_t pid[3];
	ev_timer timer;
	int ticks = 0, before;
	long sum = 0;

	must_open();
	turn();
	for (unsigned i = 1; i <= each; i++)
		sum += 3 * (i % 4096);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			flood(each);
	}
	ev_timer_init(&timer, count_timer, 0.0001, 0.0001);
	timer.data = &ticks;
	ev_timer_start(loop, &timer);
	while (heard.count < (int)(3 * each)) {
		before = heard.count;
		ev_run(loop, EVRUN_ONCE);
		ck_assert_int_le(heard.count - before, NOTIFY_SOCKET_TURN_MESSAGES);
	}
	for (int i = 0; i < 3; i++)
		must_end(pid[i]);
	ev_timer_stop(loop, &timer);
	turn();
	ck_assert_int_eq(heard.count, 3 * each);
	ck_assert_int_eq(heard.sum, sum);
	ck_assert_int_gt(ticks, 0);
}
END_TEST

START_TEST(one_that_cannot_be_watched_is_looked_at)
{
	must_open();
	turn();
	ev_io_stop(loop, &notify.readable); /* as libev does it then */
	ev_feed_event(loop, &notify.readable, EV_ERROR | EV_READ);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 0);
	while (heard.count < 1)
		ev_run(loop, EVRUN_ONCE);
	must_send("READY=1");
	turn();
	ck_assert_int_eq(heard.count, 2);
}
END_TEST

/* Any bytes, any number of descriptors, from a sender that is gone: never more open than before. */
START_TEST(noise_changes_nothing)
{
	uint64_t random = test_seed();
	static char bytes[9000];
	int fd[MOST_FDS], rounds = 2000 / (int)test_slowness();
	unsigned before;

	must_open();
	turn();
	for (int i = 0; i < MOST_FDS; i++)
		fd[i] = 0;
	before = descriptors();
	for (int i = 0; i < rounds; i++) {
		size_t length = test_random_below(&random, sizeof(bytes));
		size_t count = test_random_below(&random, 4) ? 0 : test_random_below(&random, 9);

		for (size_t k = 0; k < length; k++)
			bytes[k] = (char)test_random(&random);
		ck_assert_int_eq(send_with(bytes, length, fd, count), 0);
		turn();
	}
	ck_assert_uint_eq(descriptors(), before);
	ck_assert_int_gt(heard.count, rounds / 4);
	must_send("READY=1");
	turn();
	ck_assert(heard.message.ready);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("notify_socket");
	TCase *tests = tcase_create("notify_socket");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, a_file_of_ours_comes_and_goes);
	tcase_add_loop_test(tests, the_umask_does_not_matter, 0, 2);
	tcase_add_test(tests, a_stale_one_is_replaced);
	tcase_add_test(tests, only_our_own_file_is_removed);
	tcase_add_loop_test(tests, a_foreign_file_is_refused, 0, 4);
	tcase_add_test(tests, trouble_leaves_nothing);
	tcase_add_loop_test(tests, only_the_owner_may_send, 0, 3);
	tcase_add_test(tests, an_abstract_name_is_new_each_time);
	tcase_add_loop_test(tests, an_abstract_name_can_be_had_again, 0, 5);
	tcase_add_test(tests, a_path_that_is_too_long_becomes_a_name);
	tcase_add_loop_test(tests, an_open_socket_is_taken_up, 0, 2);
	tcase_add_loop_test(tests, another_descriptor_is_not_taken_up, 0, 5);
	tcase_add_test(tests, a_sender_that_is_gone_is_named_right);
	tcase_add_test(tests, nobody_can_name_another);
	tcase_add_test(tests, a_sender_without_a_number_is_ignored);
	tcase_add_test(tests, an_empty_one_says_nothing);
	tcase_add_loop_test(tests, a_long_one_is_ignored, 0, 4);
	tcase_add_test(tests, what_is_ignored_is_told_once);
	tcase_add_loop_test(tests, passed_descriptors_are_closed, 0, 4);
	tcase_add_loop_test(tests, no_descriptor_left_is_no_trouble, 0, 2);
	tcase_add_test(tests, a_lingering_socket_holds_up_nobody);
	tcase_add_test(tests, a_turn_takes_its_share);
	tcase_add_test(tests, a_flood_starves_nobody_and_loses_nothing);
	tcase_add_test(tests, one_that_cannot_be_watched_is_looked_at);
	tcase_add_test(tests, noise_changes_nothing);
	suite_add_tcase(suite, tests);
	return test_main(suite);
}
