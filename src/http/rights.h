#ifndef PREFORKD_HTTP_RIGHTS_H
#define PREFORKD_HTTP_RIGHTS_H
/*
 * The gateway talks to strangers: it keeps no right that answering does not need.
 */
struct errmsg;

/* Closes all descriptors but those below `fds`, becomes nobody if it is root, can gain nothing,
 * start nothing and use little. -1: something of it failed. */
int rights_drop(int fds, struct errmsg *err);

#endif
