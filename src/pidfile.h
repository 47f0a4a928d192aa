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
/* The same after an exec of ourselves, with the descriptor that holds the lock. */
void pidfile_take_up(struct pidfile *file, const char *path, int fd);
int pidfile_write(struct pidfile *file, struct errmsg *err);
void pidfile_close(struct pidfile *file);

#endif
