#ifndef PREFORKD_PIDFILE_H
#define PREFORKD_PIDFILE_H
/* The pid file: locked at start (flock), written when ready, removed at exit if it is still ours.
 * Floor 1. */

struct errmsg;

struct pidfile {
	char *path; /* owned; NULL: no pid file wanted */
	int fd;
};

/* Opens and locks; an old content is kept until pidfile_write(). -1 with the reason. path may be
 * NULL: nothing is done, by this and the others. */
int pidfile_open(struct pidfile *file, const char *path, struct errmsg *err);
int pidfile_write(struct pidfile *file, struct errmsg *err);
void pidfile_close(struct pidfile *file);

#endif
