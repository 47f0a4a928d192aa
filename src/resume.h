#ifndef PREFORKD_RESUME_H
#define PREFORKD_RESUME_H
/* The new program's side of an upgrade: from a descriptor with the state. Floor 3. */

struct supervisor_options;

/* Could we go on from this state? EX_OK; EX_DATAERR: it cannot be read; EX_CONFIG: the running
 * configuration has faults to us. Says so on standard error, and changes nothing. */
int resume_check(int fd);
/* Goes on. `options` says what is not in the state: version and folders. The exit status, in the
 * end. */
int resume_run(int fd, struct supervisor_options *options);

#endif
