#ifndef PREFORKD_NOTIFY_WORLD_H
#define PREFORKD_NOTIFY_WORLD_H
/*
 * What the tests of the notification socket share: a folder, a log in it, a loop, a socket whose
 * messages are kept, and senders as sd_notify(3) makes them.
 */
#include <ev.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "errmsg.h"
#include "notify_socket.h"

#define NOBODY            65534
#define STRANGER          65533
#define MOST_FDS          253
#define NOTIFY_PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

struct heard {
	int count;
	/* of the last one */
	pid_t pid;
	uid_t uid;
	struct notify_message message;
	long sum; /* of ERRNO, to see that none came twice */
};

extern struct ev_loop *loop;
extern struct notify_socket notify;
extern struct notify_socket_settings settings;
extern struct errmsg err;
extern struct heard heard;
extern const char *folder;
extern char socket_path[NOTIFY_PATH_BYTES]; /* of the socket */

/* Checked fixtures. */
void setup(void);
void teardown(void);

void must_open(void);
void turn(void);
/* As sd_notify(3) does it, with descriptors if there are any. 0 or errno. */
int send_with(const void *bytes, size_t length, const int *fd, size_t count);
int send_text(const char *text);
void must_send(const char *text);
socklen_t address_of(struct sockaddr_un *address, const char *name);

/* Open descriptors of this process. */
unsigned descriptors(void);
struct stat look(const char *where);
/* How often the log says so. */
int log_says(const char *words);
/* The child ends with status 0. */
void must_end(pid_t pid);

#endif
