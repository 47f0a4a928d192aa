/* The world of the notification tests; see notify_world.h. */
#include "notify_world.h"

#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>

#include "logger.h"
#include "test_files.h"
#include "test_main.h"

struct ev_loop *loop;
struct notify_socket notify;
struct notify_socket_settings settings;
struct errmsg err;
struct heard heard;
char socket_path[NOTIFY_PATH_BYTES];
static char log_path[sizeof(socket_path)];
static struct test_dir dir;
const char *folder;

static void hear(void *context, pid_t pid, uid_t uid, const struct notify_message *message)
{
	ck_assert_ptr_eq(context, &heard);
	heard.count++;
	heard.pid = pid;
	heard.uid = uid;
	heard.message = *message;
	heard.sum += message->errno_value;
}

void setup(void)
{
	struct logger_settings log = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT};

	memset(&heard, 0, sizeof(heard));
	test_dir_make(&dir);
	folder = dir.path;
	ck_assert_uint_lt(strlen(dir.path), sizeof(socket_path) - 20);
	snprintf(socket_path, sizeof(socket_path), "%.80s/web.notify", dir.path);
	snprintf(log_path, sizeof(log_path), "%.80s/log", dir.path);
	log.target = log_path;
	ck_assert_msg(logger_open(&log, &err) == 0, "%s", err.text);
	loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	settings = (struct notify_socket_settings){.path = socket_path,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.message = hear,
		.context = &heard};
}

void teardown(void)
{
	notify_socket_close(&notify);
	ev_loop_destroy(loop);
	logger_close();
	unlink(log_path);
	ck_assert_msg(rmdir(dir.path) == 0, "something is left in %s", dir.path);
}

void must_open(void)
{
	ck_assert_msg(notify_socket_open(&notify, loop, &settings, &err) == 0, "%s", err.text);
}

unsigned descriptors(void)
{
	unsigned count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

socklen_t address_of(struct sockaddr_un *address, const char *name)
{
	size_t length = strlen(name);

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	ck_assert_uint_lt(length, sizeof(address->sun_path) + 1);
	memcpy(address->sun_path, name, length);
	if (name[0] != '@')
		return sizeof(*address);
	address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

int send_with(const void *bytes, size_t length, const int *fd, size_t count)
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

int send_text(const char *text)
{
	return send_with(text, strlen(text), NULL, 0);
}

void must_send(const char *text)
{
	ck_assert_int_eq(send_text(text), 0);
}

void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

struct stat look(const char *where)
{
	struct stat file;

	ck_assert_int_eq(lstat(where, &file), 0);
	return file;
}

int log_says(const char *words)
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

void must_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
